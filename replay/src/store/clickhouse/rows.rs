//! Reading single values out of an answer.

use duckdb::arrow::array::{Array as _, Int64Array, RecordBatch, StringArray};

/// The integer at `column` and `row` of the first batch.
pub(super) fn int(batches: &[RecordBatch], column: usize, row: usize) -> Option<i64> {
    let array = batches.first()?.columns().get(column)?.as_any().downcast_ref::<Int64Array>()?;
    (row < array.len()).then(|| array.value(row))
}

/// The text at `column` and `row` of the first batch.
pub(super) fn text(batches: &[RecordBatch], column: usize, row: usize) -> Option<String> {
    let array = batches.first()?.columns().get(column)?.as_any().downcast_ref::<StringArray>()?;
    (row < array.len()).then(|| array.value(row).to_owned())
}
