//! Detections that need no model: brute force, rotation, scanning, probing, contradiction, each with its evidence, worst first.
//!
//! Promises: every line is counted over stored requests by one SQL text for both engines; the columns are the same for every kind,
//! so that they go into one table; thresholds stand in the SQL and nowhere else.
//!
//! Read next: `sql/shared/queries/detection_*.sql`.

use duckdb::arrow::array::RecordBatch;
use ja4_replay::store::{Statement, Store};

use crate::error::LabError;

macro_rules! sql {
    ($name:literal) => {
        Statement::shared(include_str!(concat!("../../../sql/shared/queries/detection_", $name, ".sql")))
    };
}

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detection {
    /// Many attempts at a login form.
    BruteForce,
    /// One address, many identities.
    Rotation,
    /// One address, many hosts, little found.
    Scanning,
    /// Paths that no visitor asks for.
    Probing,
    /// A claim that the connection contradicts.
    Contradiction,
}

impl Detection {
    /// All of them, in the order they are printed.
    pub const ALL: [Self; 5] = [Self::BruteForce, Self::Rotation, Self::Scanning, Self::Probing, Self::Contradiction];

    const fn statement(self) -> Statement<'static> {
        match self {
            Self::BruteForce => sql!("brute_force"),
            Self::Rotation => sql!("rotation"),
            Self::Scanning => sql!("scanning"),
            Self::Probing => sql!("probing"),
            Self::Contradiction => sql!("contradiction"),
        }
    }
}

/// The `top` worst findings of one kind: kind, severity, address, host, hour, count, evidence in words, JA4, User-Agent, first, last.
///
/// # Errors
/// The engine's refusal.
pub fn find(store: &dyn Store, kind: Detection, top: usize) -> Result<Vec<RecordBatch>, LabError> {
    let mut left = top;
    let mut found = Vec::new();
    for batch in store.ask(&kind.statement(), &[])? {
        let rows = batch.num_rows().min(left);
        left -= rows;
        found.push(batch.slice(0, rows));
    }
    Ok(found)
}
