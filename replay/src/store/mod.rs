//! Where joined rows live: one trait, DuckDB behind it today; what it stores is what `sql/` defines.
//!
//! Promises: appending is idempotent by row key; a call that returned has been written to the database's own log; a query
//! gives Arrow batches; damage and locks are told as sentences, never as an abort.
//!
//! Read next: `duckdb/mod.rs` (opening and migrating), `duckdb/append.rs`, `batch.rs` (rows to Arrow).

pub mod batch;
pub mod duckdb;

use ::duckdb::arrow::array::RecordBatch;
use ja4_join::row::HttpLogRow;

use crate::ReplayError;

/// What an append did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Appended {
    /// Rows that were new.
    pub added: u64,
    /// Rows whose key was stored already.
    pub skipped: u64,
}

impl std::ops::AddAssign for Appended {
    fn add_assign(&mut self, other: Self) {
        self.added = self.added.saturating_add(other.added);
        self.skipped = self.skipped.saturating_add(other.skipped);
    }
}

/// A place for rows and the tables computed from them.
pub trait Store {
    /// Applies what `sql/` has and the database lacks; gives the number of migrations applied.
    ///
    /// # Errors
    /// The engine's refusal, or a database from a newer version.
    fn migrate(&mut self) -> Result<usize, ReplayError>;

    /// Adds rows that are not stored yet, all or none.
    ///
    /// # Errors
    /// The engine's refusal, or a full disk; then nothing of the batch is kept.
    fn append(&mut self, rows: &[HttpLogRow]) -> Result<Appended, ReplayError>;

    /// Runs one read-only statement.
    ///
    /// # Errors
    /// The engine's refusal, or a statement that would change data.
    fn query(&self, sql: &str) -> Result<Vec<RecordBatch>, ReplayError>;

    /// SHA-256 over all request rows in key order.
    ///
    /// # Errors
    /// The engine's refusal.
    fn rows_digest(&self) -> Result<String, ReplayError>;
}
