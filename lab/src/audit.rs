//! Who did what, and whether it worked: one line in `audit_logs` for everything a person changes.
//!
//! Promises: the line is written after the deed; a deed whose line cannot be written is told as failed.
//!
//! Read next: `feedback/mod.rs`, `campaigns/decide.rs` (who writes here).

use ja4_replay::store::{Store, TableName};

use crate::error::LabError;
use crate::rows::Columns;

const AUDIT_LOGS: TableName = TableName { schema: "ja4_processing", table: "audit_logs" };

/// One deed.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// The driver's clock, ns since 1970.
    pub ts_ns: i64,
    /// Who.
    pub actor: &'a str,
    /// What, e.g. `feedback add`.
    pub action: &'a str,
    /// On what, e.g. a session's id.
    pub target: &'a str,
    /// `done` or why not.
    pub outcome: &'a str,
    /// Anything else.
    pub detail: &'a str,
}

/// Writes one line.
///
/// # Errors
/// The engine's refusal.
pub fn record(store: &dyn Store, entry: &Entry<'_>) -> Result<(), LabError> {
    let batch = Columns::new()
        .int("ts_ns", [entry.ts_ns])
        .text("actor", [entry.actor])
        .text("action", [entry.action])
        .text("target", [entry.target])
        .text("outcome", [entry.outcome])
        .text("detail", [entry.detail])
        .batch()?;
    Ok(store.insert(AUDIT_LOGS, batch)?)
}

/// Refuses a name that is no name: it goes into tables, lists and logs.
///
/// # Errors
/// Empty, longer than 64 characters, or with characters that act on a terminal.
pub fn check_name(what: &str, name: &str) -> Result<(), LabError> {
    let sound = !name.trim().is_empty() && name.chars().count() <= 64 && crate::render::visible(name) == name;
    if sound {
        Ok(())
    } else {
        Err(LabError::Ask(format!("{what} {:?}: write 1 to 64 printable characters", crate::render::visible(name))))
    }
}
