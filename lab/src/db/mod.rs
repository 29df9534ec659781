//! Looking after stores: moving rows between them, removing what must go, saying what there is. Both engines, one code.
//!
//! Promises: everything goes through the trait `Store`; memory is bounded by a batch, not by a database; what changes data is
//! recorded in `audit_logs` of the store it changed.
//!
//! Read next: `copy.rs`, `import.rs`, `purge.rs`, `info.rs`; `cli/db.rs` (what a person types).

mod ahead;
pub mod audit;
pub mod copy;
pub mod import;
pub mod info;
pub mod purge;

use duckdb::arrow::array::{Array as _, Int64Array, RecordBatch, StringArray};

/// The integers of a column over all batches; none where it is no BIGINT.
pub(crate) fn ints(batches: &[RecordBatch], column: usize) -> Vec<i64> {
    let columns = batches.iter().filter_map(|batch| batch.columns().get(column));
    columns.filter_map(|column| column.as_any().downcast_ref::<Int64Array>()).flat_map(|ints| ints.values().to_vec()).collect()
}

/// The texts of a column over all batches; none where it is no VARCHAR.
pub(crate) fn texts(batches: &[RecordBatch], column: usize) -> Vec<String> {
    let columns = batches.iter().filter_map(|batch| batch.columns().get(column));
    let columns = columns.filter_map(|column| column.as_any().downcast_ref::<StringArray>());
    columns.flat_map(|texts| texts.iter().map(|text| text.unwrap_or_default().to_owned()).collect::<Vec<_>>()).collect()
}
