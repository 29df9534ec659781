//! Answers of a store as columns, and columns as a batch for a store: what every module that reads and writes tables needs.
//!
//! Promises: an answer without rows gives empty columns whatever the engine says about its shape; a column that is not there is a
//! sentence; text that stands for a number becomes one only by SQL, never here.
//!
//! Read next: `frame.rs` (the feature table, which is read the same way), `ja4_replay::store` (where it goes).

use std::sync::Arc;

use duckdb::arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use ja4_replay::store::{Statement, Store};
use polars::prelude::DataFrame;

use crate::error::LabError;
use crate::frame::to_polars;

/// The answer to a query.
#[derive(Debug)]
pub struct Rows {
    frame: DataFrame,
}

impl Rows {
    /// Asks `store`.
    ///
    /// # Errors
    /// The engine's refusal.
    pub fn ask(store: &dyn Store, statement: &Statement, values: &[&str]) -> Result<Self, LabError> {
        Self::new(&store.ask(statement, values)?)
    }

    /// Takes an answer.
    ///
    /// # Errors
    /// Columns of different lengths, which no engine gives.
    pub fn new(batches: &[RecordBatch]) -> Result<Self, LabError> {
        Ok(Self { frame: to_polars(batches)? })
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.frame.height()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A text column.
    ///
    /// # Errors
    /// There is no such column, or it is not text.
    pub fn text(&self, name: &str) -> Result<Vec<String>, LabError> {
        Ok(self.texts(name)?.into_iter().map(str::to_owned).collect())
    }

    /// A text column, borrowed.
    ///
    /// # Errors
    /// As [`Rows::text`].
    pub fn texts(&self, name: &str) -> Result<Vec<&str>, LabError> {
        if self.is_empty() {
            return Ok(Vec::new());
        }
        let column = self.frame.column(name).and_then(|column| column.str());
        let values = column.map_err(|error| LabError::Ask(format!("read column {name}: {error}")))?;
        Ok(values.iter().map(Option::unwrap_or_default).collect())
    }

    /// An integer column.
    ///
    /// # Errors
    /// There is no such column, or it is not BIGINT.
    pub fn int(&self, name: &str) -> Result<Vec<i64>, LabError> {
        if self.is_empty() {
            return Ok(Vec::new());
        }
        let column = self.frame.column(name).and_then(|column| column.i64());
        let values = column.map_err(|error| LabError::Ask(format!("read column {name}: {error}")))?;
        Ok(values.iter().map(Option::unwrap_or_default).collect())
    }

    /// A column that an engine counted or summed: a number of whatever type, exact up to 2^53.
    ///
    /// # Errors
    /// There is no such column, or it is not a number.
    pub fn count(&self, name: &str) -> Result<Vec<i64>, LabError> {
        self.int(name).or_else(|_| {
            let texts = self.text(name)?;
            let number = |text: &String| text.parse::<i64>().ok();
            let numbers: Option<Vec<i64>> = texts.iter().map(number).collect();
            numbers.ok_or_else(|| LabError::Ask(format!("read column {name}: it holds no whole numbers")))
        })
    }

    /// A column of doubles.
    ///
    /// # Errors
    /// There is no such column, or it is not DOUBLE.
    pub fn float(&self, name: &str) -> Result<Vec<f64>, LabError> {
        if self.is_empty() {
            return Ok(Vec::new());
        }
        let column = self.frame.column(name).and_then(|column| column.f64());
        let values = column.map_err(|error| LabError::Ask(format!("read column {name}: {error}")))?;
        Ok(values.iter().map(Option::unwrap_or_default).collect())
    }
}

/// A batch in the making; columns in the order of the table it is for.
#[derive(Debug, Default)]
pub struct Columns(Vec<(&'static str, ArrayRef)>);

impl Columns {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a BIGINT column.
    #[must_use]
    pub fn int(mut self, name: &'static str, values: impl IntoIterator<Item = i64>) -> Self {
        self.0.push((name, Arc::new(values.into_iter().collect::<Int64Array>())));
        self
    }

    /// Adds a DOUBLE column.
    #[must_use]
    pub fn float(mut self, name: &'static str, values: impl IntoIterator<Item = f64>) -> Self {
        self.0.push((name, Arc::new(values.into_iter().collect::<Float64Array>())));
        self
    }

    /// Adds a text column.
    #[must_use]
    pub fn text<T: AsRef<str>>(mut self, name: &'static str, values: impl IntoIterator<Item = T>) -> Self {
        self.0.push((name, Arc::new(values.into_iter().map(Some).collect::<StringArray>())));
        self
    }

    /// The batch.
    ///
    /// # Errors
    /// Columns of different lengths.
    pub fn batch(self) -> Result<RecordBatch, LabError> {
        RecordBatch::try_from_iter(self.0).map_err(|error| LabError::Features(error.to_string()))
    }
}

/// First 16 hex digits of SHA-256 over `parts`, each ended by a line end: identities made from content.
#[must_use]
pub fn short_id<T: AsRef<str>>(parts: impl IntoIterator<Item = T>) -> String {
    use sha2::{Digest as _, Sha256};
    let mut all = Sha256::new();
    for part in parts {
        all.update(part.as_ref().as_bytes());
        all.update(b"\n");
    }
    ja4_replay::digest::hex(&all.finalize()).get(..16).unwrap_or_default().to_owned()
}
