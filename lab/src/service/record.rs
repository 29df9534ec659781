//! Small answers of a store as rows of named texts, for code that reads a handful of them.
//!
//! Promises: whatever integer, float or text type an engine gives a column, the text is the same; a missing name is "".
//!
//! Read next: `../rows.rs` (whole columns, and writing), `../render.rs` (answers that go out as they are).

use duckdb::arrow::array::RecordBatch;
use duckdb::arrow::util::display::{ArrayFormatter, FormatOptions};

/// One row.
#[derive(Debug, Clone, Default)]
pub struct Record(Vec<(String, String)>);

impl Record {
    /// The text of a column; "" without such a column.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(column, _)| column == name).map_or("", |(_, value)| value)
    }

    /// The whole number of a column; -1 (unknown) if it is none.
    #[must_use]
    pub fn int(&self, name: &str) -> i64 {
        self.text(name).parse().unwrap_or(-1)
    }

    /// The number of a column; -1 (unknown) if it is none.
    #[must_use]
    pub fn float(&self, name: &str) -> f64 {
        self.text(name).parse().unwrap_or(-1.0)
    }
}

/// The rows of `batches`.
#[must_use]
pub fn records(batches: &[RecordBatch]) -> Vec<Record> {
    let options = FormatOptions::default();
    let mut rows = Vec::with_capacity(batches.iter().map(RecordBatch::num_rows).sum());
    for batch in batches {
        let schema = batch.schema();
        let formatters: Vec<_> =
            batch.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options).ok()).collect();
        for index in 0..batch.num_rows() {
            let cells = schema.fields().iter().zip(&formatters).map(|(field, formatter)| {
                let value = formatter.as_ref().map(|formatter| formatter.value(index).to_string());
                (field.name().clone(), value.unwrap_or_default())
            });
            rows.push(Record(cells.collect()));
        }
    }
    rows
}
