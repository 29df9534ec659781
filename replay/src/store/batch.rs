//! Rows to Arrow: the one place that turns [`HttpLogRow`]s into columns.
//!
//! Promises: columns come in the order and with the types of [`COLUMNS`]; no value is changed.
//!
//! Read next: `duckdb/append.rs`.

use std::sync::Arc;

use duckdb::arrow::array::{ArrayRef, Float64Builder, Int64Builder, RecordBatch, StringBuilder};
use duckdb::arrow::datatypes::{DataType, Field, Schema};
use duckdb::arrow::error::ArrowError;
use ja4_join::row::{COLUMNS, ColumnKind, ColumnVisitor, HttpLogRow, Text};

/// The Arrow schema of `ja4_logs.http_logs`.
#[must_use]
pub fn schema() -> Schema {
    Schema::new(
        COLUMNS
            .iter()
            .map(|column| {
                let kind = match column.kind {
                    ColumnKind::Int => DataType::Int64,
                    ColumnKind::Float => DataType::Float64,
                    ColumnKind::Text => DataType::Utf8,
                };
                Field::new(column.name, kind, false)
            })
            .collect::<Vec<_>>(),
    )
}

/// The rows as one batch.
///
/// # Errors
/// None that rows can cause; Arrow's own refusal is passed on.
pub fn record_batch<'a>(rows: impl ExactSizeIterator<Item = &'a HttpLogRow>) -> Result<RecordBatch, ArrowError> {
    let mut builders = Builders::new(rows.len());
    for row in rows {
        builders.next = 0;
        row.visit(&mut builders);
    }
    RecordBatch::try_new(Arc::new(schema()), builders.columns.into_iter().map(Builder::finish).collect())
}

enum Builder {
    Int(Int64Builder),
    Float(Float64Builder),
    Text(StringBuilder),
}

impl Builder {
    fn finish(self) -> ArrayRef {
        match self {
            Self::Int(mut builder) => Arc::new(builder.finish()),
            Self::Float(mut builder) => Arc::new(builder.finish()),
            Self::Text(mut builder) => Arc::new(builder.finish()),
        }
    }
}

struct Builders {
    columns: Vec<Builder>,
    next: usize,
}

impl Builders {
    fn new(rows: usize) -> Self {
        let columns = COLUMNS
            .iter()
            .map(|column| match column.kind {
                ColumnKind::Int => Builder::Int(Int64Builder::with_capacity(rows)),
                ColumnKind::Float => Builder::Float(Float64Builder::with_capacity(rows)),
                ColumnKind::Text => Builder::Text(StringBuilder::with_capacity(rows, rows.saturating_mul(12))),
            })
            .collect();
        Self { columns, next: 0 }
    }

    fn take(&mut self) -> Option<&mut Builder> {
        let index = self.next;
        self.next = index.saturating_add(1);
        self.columns.get_mut(index)
    }
}

impl ColumnVisitor for Builders {
    fn int(&mut self, value: i64) {
        if let Some(Builder::Int(builder)) = self.take() {
            builder.append_value(value);
        }
    }

    fn float(&mut self, value: f64) {
        if let Some(Builder::Float(builder)) = self.take() {
            builder.append_value(value);
        }
    }

    fn text(&mut self, value: &Text) {
        if let Some(Builder::Text(builder)) = self.take() {
            builder.append_value(value);
        }
    }
}
