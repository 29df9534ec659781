//! Where joined rows live: one trait, DuckDB or a ClickHouse server behind it; what both store is what `sql/` defines.
//!
//! Promises: appending is idempotent by row key; a call that returned has been written to the database's own log; a query
//! gives Arrow batches; damage and locks are told as sentences, never as an abort.
//!
//! Read next: `duckdb/mod.rs` (opening and migrating), `duckdb/append.rs`, `duckdb/lanes.rs`, `chunk.rs` (rows to Arrow), `clickhouse/mod.rs`.

pub mod chunk;
pub mod clickhouse;
pub mod duckdb;
mod filling;
mod interrupt;
mod read_only;
pub mod remote;

use std::path::Path;
use std::sync::Arc;

use ::duckdb::arrow::array::RecordBatch;
use ja4_join::row::HttpLogRow;

use self::chunk::Chunk;
pub use self::duckdb::{DuckDbOptions as OpenOptions, InputRecord, InputState, RunRecord, TlsOnlyRow};
pub(crate) use self::filling::one_by_one;
pub use self::interrupt::Interrupt;
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

/// A table by schema and name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableName {
    /// Schema (a database in ClickHouse).
    pub schema: &'static str,
    /// Table.
    pub table: &'static str,
}

/// One statement of `sql/`, in the text of each engine. Values are `?`, given as texts: `CAST(? AS BIGINT)` makes a number.
/// A text may also be put together from constants (never from data), which is why it need not be `'static`.
#[derive(Debug, Clone, Copy)]
pub struct Statement<'a> {
    /// For DuckDB.
    pub duckdb: &'a str,
    /// For ClickHouse.
    pub clickhouse: &'a str,
}

impl<'a> Statement<'a> {
    /// One text that both engines read alike.
    #[must_use]
    pub const fn shared(text: &'a str) -> Self {
        Self { duckdb: text, clickhouse: text }
    }

    /// The text for `engine`.
    #[must_use]
    pub const fn text(&self, engine: Engine) -> &'a str {
        match engine {
            Engine::DuckDb => self.duckdb,
            Engine::ClickHouse => self.clickhouse,
        }
    }
}

/// What runs the statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// One file, inside this process.
    DuckDb,
    /// A server.
    ClickHouse,
}

/// What is digested: canonical rows in key order, so that equal digests mean equal contents on any engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contents {
    /// Every request row.
    Rows,
    /// Every session's features.
    Features,
    /// Every score.
    Scores,
}

/// A place for rows and the tables computed from them.
pub trait Store: Send {
    /// Which engine runs the statements.
    fn engine(&self) -> Engine;

    /// What a message calls this store: a path, or a URL without its password.
    fn label(&self) -> String;

    /// Where a damaged predecessor was put when this store was opened.
    fn set_aside(&self) -> Option<&Path> {
        None
    }

    /// A second connection to the same store, so that one thread may ask while another writes. Rows are appended through one of them only: each
    /// remembers what it appended and would not look for what another one did (a file belongs to one process, which its lock sees to).
    ///
    /// # Errors
    /// The engine's refusal.
    fn sibling(&self) -> Result<Box<dyn Store>, ReplayError>;

    /// What stops the statement that this connection is running, for another thread to hold.
    fn interrupter(&self) -> Arc<dyn Interrupt>;

    /// Applies what `sql/` has and the database lacks; gives the number of migrations applied.
    ///
    /// # Errors
    /// The engine's refusal, or a database from a newer version.
    fn migrate(&mut self) -> Result<usize, ReplayError>;

    /// Adds what is not stored yet, all chunks or none, in one transaction that ends with the iterator. Counts requests.
    ///
    /// # Errors
    /// The engine's refusal, or a full disk; then nothing of the call is kept.
    fn append_chunks(&mut self, chunks: &mut dyn Iterator<Item = Chunk>) -> Result<Appended, ReplayError>;

    /// Adds all that comes and is not stored yet, in as many transactions as it takes; the engine may have several under way at one
    /// time. Counts requests.
    ///
    /// # Errors
    /// As [`Store::append_chunks`]; then whole transactions are kept, and the same rows may be given again.
    fn append_stream(&mut self, chunks: &mut dyn Iterator<Item = Chunk>) -> Result<Appended, ReplayError> {
        one_by_one(self, chunks)
    }

    /// Says that rows begin (or have ended) to stream in, so that the engine may keep its memory small meanwhile.
    ///
    /// # Errors
    /// The engine's refusal.
    fn importing(&self, _begins: bool) -> Result<(), ReplayError> {
        Ok(())
    }

    /// Adds requests that are not stored yet, all or none.
    ///
    /// # Errors
    /// As [`Store::append_chunks`].
    fn append(&mut self, rows: &[HttpLogRow]) -> Result<Appended, ReplayError> {
        let chunks = rows.chunks(chunk::CHUNK_ROWS).map(Chunk::of_requests).collect::<Result<Vec<_>, _>>();
        self.append_chunks(&mut chunks.map_err(|error| ReplayError::columns(&error))?.into_iter())
    }

    /// Adds handshakes that carried no request, once each.
    ///
    /// # Errors
    /// As [`Store::append_chunks`].
    fn append_tls_only(&mut self, rows: &[TlsOnlyRow]) -> Result<Appended, ReplayError> {
        let chunks = rows.chunks(chunk::CHUNK_ROWS).map(Chunk::of_handshakes).collect::<Result<Vec<_>, _>>();
        self.append_chunks(&mut chunks.map_err(|error| ReplayError::columns(&error))?.into_iter())
    }

    /// Runs one read-only statement that a person may have typed. At least one batch comes back, empty or not.
    ///
    /// # Errors
    /// The engine's refusal, or a statement that would change data.
    fn query(&self, sql: &str) -> Result<Vec<RecordBatch>, ReplayError>;

    /// Runs a reading statement of ours with the caller's values as its parameters.
    ///
    /// # Errors
    /// The engine's refusal.
    fn ask(&self, statement: &Statement<'_>, values: &[&str]) -> Result<Vec<RecordBatch>, ReplayError>;

    /// Runs the statements of a file of ours that change data, each with the same values: together where the engine has
    /// transactions that span tables, else one after the other (so that the call may be repeated).
    ///
    /// # Errors
    /// The engine's refusal.
    fn change(&self, statements: &Statement<'_>, values: &[&str]) -> Result<(), ReplayError>;

    /// Adds a batch to a table of ours; columns in the table's order.
    ///
    /// # Errors
    /// The engine's refusal; then nothing is kept.
    fn insert(&self, table: TableName, batch: RecordBatch) -> Result<(), ReplayError>;

    /// Removes the rows whose `column` (a name of ours, of text type) is one of `values`, and adds `batch`, both or neither.
    ///
    /// # Errors
    /// The engine's refusal; then nothing changes.
    fn replace(
        &self,
        table: TableName,
        column: &'static str,
        values: &[&str],
        batch: Option<RecordBatch>,
    ) -> Result<(), ReplayError>;

    /// Runs changing statements of ours, put together from constants, one after the other in one transaction: text and values.
    ///
    /// # Errors
    /// The engine's refusal, or an engine that changes rows in another way; then nothing changes.
    fn change_together(&self, statements: &[(&str, &[&str])]) -> Result<(), ReplayError> {
        let _ = statements;
        let detail = "this engine does not change rows in place; run the command that writes them anew".to_owned();
        Err(ReplayError::Engine { operation: "change rows", path: self.label().into(), detail })
    }

    /// Replaces the scores of windows `first_ms..=last_ms` by `batches` (columns of `ml_all_scores`, in order), and the
    /// detected anomalies with them.
    ///
    /// # Errors
    /// The engine's refusal; then the old scores stay.
    fn replace_scores(&self, first_ms: i64, last_ms: i64, batches: Vec<RecordBatch>) -> Result<(), ReplayError>;

    /// Every imported file.
    ///
    /// # Errors
    /// The engine's refusal.
    fn inputs(&self) -> Result<Vec<InputRecord>, ReplayError>;

    /// Records inputs, replacing earlier records of the same content.
    ///
    /// # Errors
    /// The engine's refusal; then no record is changed.
    fn record_inputs(&self, inputs: &[InputRecord]) -> Result<(), ReplayError>;

    /// Records a run, replacing an earlier record of the same id.
    ///
    /// # Errors
    /// The engine's refusal.
    fn record_run(&self, run: &RunRecord) -> Result<(), ReplayError>;

    /// SHA-256 over `contents` in key order. A store whose rows this connection wrote itself may remember their hashes.
    ///
    /// # Errors
    /// The engine's refusal.
    fn digest(&self, contents: Contents) -> Result<String, ReplayError>;

    /// Makes what was written durable in the store's main file, where the engine knows such a thing.
    ///
    /// # Errors
    /// The engine's refusal.
    fn checkpoint(&self) -> Result<(), ReplayError>;
}

pub use self::clickhouse::address::is_server;

/// The newest schema of an engine that this program knows.
#[must_use]
pub fn latest_version(engine: Engine) -> i64 {
    match engine {
        Engine::DuckDb => duckdb::sql::latest_version(),
        Engine::ClickHouse => clickhouse::sql::latest_version(),
    }
}

/// Whether `db` is there to be read: a file that exists, or the address of a server, which opening asks.
#[must_use]
pub fn may_exist(db: &Path) -> bool {
    is_server(db) || db.to_str().is_some_and(|text| text.starts_with("http://")) || db.exists()
}

/// The statements of a file of `sql/`: comment lines dropped, split where a line ends with `;` (`sql/README.md`).
pub(crate) fn statements(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut one = String::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with("--")) {
        one.push_str(line);
        one.push('\n');
        if line.trim_end().ends_with(';') {
            found.push(one.trim().trim_end_matches(';').to_owned());
            one.clear();
        }
    }
    found.push(one.trim().to_owned());
    found.retain(|statement| !statement.is_empty());
    found
}

/// Whether `db` may name a store that is written to, without asking it: a path, or an address of a server.
///
/// # Errors
/// A sentence that says what is wrong and what is accepted.
pub fn check_name(db: &Path) -> Result<(), ReplayError> {
    if is_server(db) {
        return clickhouse::address::Address::parse(db).map(drop);
    }
    match db.to_str().and_then(|text| text.split_once("://")) {
        Some((scheme, _)) => Err(ReplayError::Address {
            detail: format!("nothing can be written to a {scheme:?} address; write a DuckDB file or clickhouse://USER@HOST:PORT"),
        }),
        None => Ok(()),
    }
}

/// Opens the store that `db` names: the path of a DuckDB file, `clickhouse://user@host:port`, or `http://HOST:PORT` of a
/// process that writes one. With `read_only` it must exist, and nothing in it changes.
///
/// # Errors
/// It does not exist, cannot be reached, is locked, damaged (read-only; a writable file is set aside), or newer than this program.
pub fn open(db: &Path, options: &OpenOptions) -> Result<Box<dyn Store>, ReplayError> {
    if is_server(db) {
        return Ok(Box::new(clickhouse::ClickHouse::open(db, options)?));
    }
    if let Some(url) = db.to_str().filter(|text| text.starts_with("http://")) {
        return Ok(Box::new(remote::Remote::open(url)?));
    }
    let store = if options.read_only { duckdb::DuckDb::open_read_only(db, options) } else { duckdb::DuckDb::open(db, options) };
    Ok(Box::new(store?))
}
