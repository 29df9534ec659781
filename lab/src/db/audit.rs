//! Who did what to a store: one row in `audit_logs` for each command that changes or removes data.

use std::sync::Arc;

use duckdb::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use ja4_replay::store::{Store, TableName};

use crate::error::LabError;

const AUDIT_LOGS: TableName = TableName { schema: "ja4_processing", table: "audit_logs" };

/// One action.
#[derive(Debug, Clone, Copy)]
pub struct Action<'a> {
    /// Wall clock of the driver, ns since 1970.
    pub ts_ns: i64,
    /// Login name, or what the service calls itself.
    pub actor: &'a str,
    /// Such as `purge`.
    pub action: &'a str,
    /// What it was about.
    pub target: &'a str,
    /// Figures, as JSON.
    pub detail: &'a str,
}

/// Records an action that succeeded.
///
/// # Errors
/// The engine's refusal.
pub fn record(store: &dyn Store, action: &Action<'_>) -> Result<(), LabError> {
    let text = |value: &str| -> ArrayRef { Arc::new(StringArray::from(vec![value])) };
    let batch = RecordBatch::try_from_iter([
        ("ts_ns", Arc::new(Int64Array::from(vec![action.ts_ns])) as ArrayRef),
        ("actor", text(action.actor)),
        ("action", text(action.action)),
        ("target", text(action.target)),
        ("outcome", text("done")),
        ("detail", text(action.detail)),
    ]);
    Ok(store.insert(AUDIT_LOGS, batch.map_err(|error| LabError::Ask(format!("record the action: {error}")))?)?)
}
