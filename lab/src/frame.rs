//! The feature table as a polars frame: one row a session, in key order, whatever the store.
//!
//! Promises: rows are sorted by (`win_ms`, `src_ip`, `ja4`, `host`); every feature is finite; columns are those of
//! `view_ai_features_1h`; a matrix has the columns of the catalogue in the catalogue's order.
//!
//! Read next: `catalogue.rs`, `cycle/mod.rs`.

use std::path::Path;

use duckdb::arrow::array::{Array, Float64Array, Int64Array, RecordBatch, StringArray};
use duckdb::arrow::util::display::{ArrayFormatter, FormatOptions};
use ja4_models::{FeatureSet, Matrix};
use polars::prelude::{Column, DataFrame, NamedFrom as _, ParquetWriter, PolarsError, Series};

use crate::catalogue::{Catalogue, ModelKind};
use crate::error::LabError;

/// The sessions of a store with their features.
#[derive(Debug, Clone)]
pub struct FeatureFrame {
    frame: DataFrame,
}

impl FeatureFrame {
    /// Takes the answer to the feature query.
    ///
    /// # Errors
    /// Columns of different lengths, which no engine gives.
    pub fn from_batches(batches: &[RecordBatch]) -> Result<Self, LabError> {
        Ok(Self { frame: to_polars(batches)? })
    }

    /// Takes a table that has the columns asked for later.
    #[must_use]
    pub fn from_frame(frame: DataFrame) -> Self {
        Self { frame }
    }

    /// Number of sessions.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.frame.height()
    }

    /// The frame itself.
    #[must_use]
    pub fn data(&self) -> &DataFrame {
        &self.frame
    }

    /// A text column.
    ///
    /// # Errors
    /// The view has no such column, or it is not text.
    pub fn text(&self, name: &str) -> Result<Vec<String>, LabError> {
        let column = self.frame.column(name).map_err(|error| missing(name, &error))?;
        let values = column.str().map_err(|error| missing(name, &error))?;
        Ok(values.iter().map(|value| value.unwrap_or_default().to_owned()).collect())
    }

    /// An integer column.
    ///
    /// # Errors
    /// The view has no such column, or it is not BIGINT.
    pub fn int(&self, name: &str) -> Result<Vec<i64>, LabError> {
        let column = self.frame.column(name).map_err(|error| missing(name, &error))?;
        let values = column.i64().map_err(|error| missing(name, &error))?;
        Ok(values.iter().map(Option::unwrap_or_default).collect())
    }

    /// A numeric column as doubles; integers are converted exactly up to 2^53.
    ///
    /// # Errors
    /// The view has no such column, or it is text.
    pub fn number(&self, name: &str) -> Result<Vec<f64>, LabError> {
        let column = self.frame.column(name).map_err(|error| missing(name, &error))?;
        if let Ok(values) = column.f64() {
            return Ok(values.iter().map(Option::unwrap_or_default).collect());
        }
        #[allow(clippy::cast_precision_loss, reason = "counts and milliseconds stay far below 2^53")]
        Ok(self.int(name)?.into_iter().map(|value| value as f64).collect())
    }

    /// The features of `kind` for the sessions in `rows`, with the values that people read.
    ///
    /// # Errors
    /// A feature of the catalogue that the view lacks.
    pub fn values(&self, catalogue: &Catalogue, kind: ModelKind, rows: &[usize]) -> Result<Matrix, LabError> {
        let features: Vec<_> = catalogue.for_model(kind).collect();
        let set = FeatureSet::new(features.iter().map(|feature| feature.name.as_str()))?;
        let mut columns = Vec::with_capacity(features.len());
        for feature in &features {
            let all = self.number(&feature.name)?;
            columns.push(rows.iter().map(|row| all.get(*row).copied().unwrap_or(feature.neutral)).collect::<Vec<f64>>());
        }
        Ok(Matrix::from_columns(set, &columns)?)
    }

    /// Writes the table as Parquet; through a temporary file, so that a half-written one is never seen.
    ///
    /// # Errors
    /// The file system's refusal.
    pub fn write_parquet(&self, path: &Path) -> Result<(), LabError> {
        write_parquet(self.frame.clone(), path)
    }
}

/// Writes any frame as Parquet, complete or not at all.
///
/// # Errors
/// The file system's refusal.
pub fn write_parquet(mut frame: DataFrame, path: &Path) -> Result<(), LabError> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".part");
    let temporary = std::path::PathBuf::from(temporary);
    let file = std::fs::File::create(&temporary).map_err(LabError::io("create", &temporary))?;
    let written = ParquetWriter::new(&file).finish(&mut frame);
    if let Err(error) = written {
        let _ = std::fs::remove_file(&temporary);
        return Err(LabError::Table { path: path.to_path_buf(), detail: error.to_string() });
    }
    file.sync_all().map_err(LabError::io("write", &temporary))?;
    std::fs::rename(&temporary, path).map_err(LabError::io("write", path))
}

/// Any query answer as a frame: integers and doubles stay, everything else becomes text.
///
/// # Errors
/// Columns of different lengths, which no engine gives.
pub fn to_polars(batches: &[RecordBatch]) -> Result<DataFrame, LabError> {
    let Some(first) = batches.first() else { return Ok(DataFrame::empty()) };
    let rows = batches.iter().map(RecordBatch::num_rows).sum();
    let mut columns = Vec::with_capacity(first.num_columns());
    for (index, field) in first.schema().fields().iter().enumerate() {
        let parts: Vec<&dyn Array> = batches.iter().filter_map(|batch| batch.columns().get(index)).map(AsRef::as_ref).collect();
        columns.push(Column::from(series(field.name(), &parts)));
    }
    DataFrame::new(rows, columns).map_err(|error| LabError::Features(error.to_string()))
}

fn series(name: &str, parts: &[&dyn Array]) -> Series {
    if let Some(ints) = downcast::<Int64Array>(parts) {
        return Series::new(name.into(), ints.iter().flat_map(|array| array.iter()).collect::<Vec<Option<i64>>>());
    }
    if let Some(floats) = downcast::<Float64Array>(parts) {
        return Series::new(name.into(), floats.iter().flat_map(|array| array.iter()).collect::<Vec<Option<f64>>>());
    }
    if let Some(texts) = downcast::<StringArray>(parts) {
        return Series::new(name.into(), texts.iter().flat_map(|array| array.iter()).collect::<Vec<Option<&str>>>());
    }
    let options = FormatOptions::default();
    let mut shown = Vec::new();
    for part in parts {
        let formatter = ArrayFormatter::try_new(*part, &options).ok();
        for row in 0..part.len() {
            shown.push(formatter.as_ref().filter(|_| part.is_valid(row)).map(|f| f.value(row).to_string()));
        }
    }
    Series::new(name.into(), shown)
}

fn downcast<'a, T: 'static>(parts: &[&'a dyn Array]) -> Option<Vec<&'a T>> {
    parts.iter().map(|part| part.as_any().downcast_ref::<T>()).collect()
}

/// The values as models see them: each column shaped as the catalogue says.
///
/// # Errors
/// None that `values` of the same catalogue and kind can cause.
pub fn shaped(catalogue: &Catalogue, kind: ModelKind, values: &Matrix) -> Result<Matrix, LabError> {
    let transforms: Vec<_> = catalogue.for_model(kind).map(|feature| feature.transform).collect();
    let shaped = values.values().chunks_exact(transforms.len().max(1)).flat_map(|row| row.iter().zip(&transforms));
    let shaped = shaped.map(|(value, transform)| transform.apply(*value)).collect();
    Ok(Matrix::new(values.features().clone(), shaped)?)
}

fn missing(name: &str, error: &PolarsError) -> LabError {
    LabError::Features(format!("column {name} of view_ai_features_1h: {error}; run `ja4-lab db migrate` on this database"))
}
