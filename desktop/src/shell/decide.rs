//! Decisions to the store: a row of `soc_feedback` and a line of `audit_logs`, together.
//!
//! Promises: nothing is overwritten: taking a decision back is a row of its own with label -1, and the newest row of a target counts.
//!
//! Read next: `sql/duckdb/0001_init.sql`, `../views/classification`.

use std::sync::Arc;

use duckdb::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use ja4_replay::store::{Store, TableName};

use super::action::Decision;

const FEEDBACK: TableName = TableName { schema: "ja4_processing", table: "soc_feedback" };
const AUDIT: TableName = TableName { schema: "ja4_processing", table: "audit_logs" };

/// The word for a label.
#[must_use]
pub fn verdict(label: i64) -> &'static str {
    match label {
        1 => "bot",
        0 => "legitimate",
        _ => "withdrawn",
    }
}

/// Writes a decision of `analyst` at `now_ns`.
///
/// # Errors
/// The store's refusal, as a sentence.
pub fn write(store: &dyn Store, decision: &Decision, analyst: &str, now_ns: i64) -> Result<(), String> {
    let text = |value: &str| -> ArrayRef { Arc::new(StringArray::from(vec![value])) };
    let int = |value: i64| -> ArrayRef { Arc::new(Int64Array::from(vec![value])) };
    let id = format!("{now_ns}-{}", decision.session);
    let feedback = vec![
        ("ts_ns", int(now_ns)),
        ("feedback_id", text(&id)),
        ("target_kind", text("session")),
        ("session_id", text(&decision.session)),
        ("src_ip", text(&decision.ip)),
        ("ja4", text(&decision.ja4)),
        ("host", text(&decision.host)),
        ("user_agent", text(&decision.user_agent)),
        ("label", int(decision.label)),
        ("verdict", text(verdict(decision.label))),
        ("note", text(&decision.note)),
        ("analyst", text(analyst)),
    ];
    let audit = vec![
        ("ts_ns", int(now_ns)),
        ("actor", text(analyst)),
        ("action", text("label")),
        ("target", text(&format!("session {}", decision.session))),
        ("outcome", text("done")),
        ("detail", text(verdict(decision.label))),
    ];
    for (table, columns) in [(FEEDBACK, feedback), (AUDIT, audit)] {
        let batch = RecordBatch::try_from_iter(columns).map_err(|error| error.to_string())?;
        store.insert(table, batch).map_err(|error| error.to_string())?;
    }
    Ok(())
}
