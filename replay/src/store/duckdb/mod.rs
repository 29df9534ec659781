//! One DuckDB file: opening it without ever crashing on it, and bringing it to the schema of `sql/duckdb/`.
//!
//! Promises: a file is opened in a child process first, because a damaged write-ahead log aborts inside the library; a file
//! that cannot be opened is set aside, never deleted; migrations are numbered, checksummed and applied once.
//!
//! Read next: `probe.rs` (the child), `append.rs`, `lanes.rs`, `query.rs`, `tables.rs`, `sql.rs` (the statements, from `sql/`).

mod append;
pub mod files;
mod lanes;
pub mod probe;
mod query;
mod sieve;
pub mod sql;
mod tables;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use duckdb::{AccessMode, Config, Connection};
use sha2::{Digest as _, Sha256};

pub use self::tables::{InputRecord, InputState, RunRecord, TlsOnlyRow};
use super::chunk::Chunk;
use super::{Appended, Contents, Engine, Interrupt, Statement, Store, TableName, one_by_one};
use crate::ReplayError;
use crate::digest::hex;
use duckdb::arrow::array::RecordBatch;

/// How to open a database.
#[derive(Debug, Clone, Default)]
pub struct DuckDbOptions {
    /// Threads the engine may use; 0 lets it choose.
    pub threads: usize,
    /// Memory the engine may use before it spills to disk, e.g. `"4GB"`; empty lets it choose.
    pub memory: String,
    /// Only read; the file must exist.
    pub read_only: bool,
    /// Statements may touch no other file (no COPY TO, no ATTACH, no read_csv): for text that a person typed.
    pub confined: bool,
    /// The driver's wall clock, only to record when a migration was applied.
    pub now_ns: i64,
}

/// An open DuckDB database.
pub struct DuckDb {
    connection: Connection,
    path: PathBuf,
    /// Where a damaged predecessor was put, if there was one.
    set_aside: Option<PathBuf>,
    now_ns: i64,
    /// The caller set the engine's memory.
    bounded: bool,
    /// Threads the caller chose; 0 lets the engine choose.
    threads: usize,
    known: append::Known,
}

impl std::fmt::Debug for DuckDb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DuckDb").field("path", &self.path).finish_non_exhaustive()
    }
}

impl DuckDb {
    /// Opens `path` for writing, making it if needed. A file that cannot be opened is renamed to `*.damaged-N` and a fresh one made.
    ///
    /// # Errors
    /// The file is locked, from a newer version, or no database at all; those are left as they are.
    pub fn open(path: &Path, options: &DuckDbOptions) -> Result<Self, ReplayError> {
        let mut set_aside = None;
        if path.exists() {
            match probe::probe(path, false)? {
                probe::Verdict::Good => {}
                probe::Verdict::Damaged(_) => set_aside = Some(put_aside(path)?),
            }
        } else if wal_of(path).exists() {
            // A log without its database would be replayed into the fresh file.
            set_aside = Some(put_aside(path)?);
        }
        let connection = connect(path, options)?;
        Ok(Self {
            connection,
            path: path.to_path_buf(),
            set_aside,
            now_ns: options.now_ns,
            bounded: !options.memory.is_empty(),
            threads: options.threads,
            known: append::Known::default(),
        })
    }

    /// Opens an existing database without changing it.
    ///
    /// # Errors
    /// As [`DuckDb::open`], and when the file does not exist or is damaged.
    pub fn open_read_only(path: &Path, options: &DuckDbOptions) -> Result<Self, ReplayError> {
        if !path.exists() {
            return Err(ReplayError::NoDatabase { path: path.to_path_buf() });
        }
        if let probe::Verdict::Damaged(detail) = probe::probe(path, true)? {
            return Err(ReplayError::Engine {
                operation: "open database",
                path: path.to_path_buf(),
                detail: format!("it is damaged ({detail}); run the same replay again: it sets the file aside and rebuilds it"),
            });
        }
        let connection = connect(path, &DuckDbOptions { read_only: true, ..options.clone() })?;
        let database = Self {
            connection,
            path: path.to_path_buf(),
            set_aside: None,
            now_ns: options.now_ns,
            bounded: !options.memory.is_empty(),
            threads: options.threads,
            known: append::Known::default(),
        };
        database.refuse_newer()?;
        Ok(database)
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs statements from `sql/` that return nothing.
    pub(crate) fn run(&self, operation: &'static str, text: &'static str) -> Result<(), ReplayError> {
        self.connection.execute_batch(text).map_err(|error| self.fail(operation, &error))
    }

    pub(crate) fn fail(&self, operation: &'static str, error: &duckdb::Error) -> ReplayError {
        ReplayError::engine(operation, &self.path, error)
    }

    fn refuse_newer(&self) -> Result<(), ReplayError> {
        let applied = self.applied()?;
        match applied.last() {
            Some((version, _)) if *version > sql::latest_version() => Err(ReplayError::Newer {
                path: self.path.clone(),
                detail: format!("schema version {version}, this program knows {}", sql::latest_version()),
            }),
            _ => Ok(()),
        }
    }

    /// Nothing is added to what another program keeps in its file.
    fn refuse_foreign(&self) -> Result<(), ReplayError> {
        let tables: i64 =
            self.connection.query_row(sql::TABLES, [], |row| row.get(0)).map_err(|error| self.fail("count tables", &error))?;
        if tables == 0 {
            return Ok(());
        }
        let detail = format!("it holds {tables} tables of another program and none of ja4-lab; give another --db");
        Err(ReplayError::Engine { operation: "open database", path: self.path.clone(), detail })
    }

    /// Another connection to the same database.
    fn beside(&self) -> Result<Self, ReplayError> {
        let connection = self.connection.try_clone().map_err(|error| self.fail("open a second connection", &error))?;
        Ok(Self {
            connection,
            path: self.path.clone(),
            set_aside: None,
            now_ns: self.now_ns,
            bounded: self.bounded,
            threads: self.threads,
            known: self.known.beside(),
        })
    }

    /// Migrations in the database: (version, SHA-256 of its text).
    fn applied(&self) -> Result<Vec<(i64, String)>, ReplayError> {
        let known: i64 = self
            .connection
            .query_row(sql::HAS_MIGRATIONS, [], |row| row.get(0))
            .map_err(|error| self.fail("read schema version", &error))?;
        if known == 0 {
            return Ok(Vec::new());
        }
        let mut statement =
            self.connection.prepare(sql::APPLIED_MIGRATIONS).map_err(|error| self.fail("read schema version", &error))?;
        let rows = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| self.fail("read schema version", &error))?;
        Ok(rows)
    }
}

impl Store for DuckDb {
    fn engine(&self) -> Engine {
        Engine::DuckDb
    }

    fn label(&self) -> String {
        self.path.display().to_string()
    }

    fn set_aside(&self) -> Option<&Path> {
        self.set_aside.as_deref()
    }

    fn sibling(&self) -> Result<Box<dyn Store>, ReplayError> {
        Ok(Box::new(self.beside()?))
    }

    fn interrupter(&self) -> Arc<dyn Interrupt> {
        self.connection.interrupt_handle()
    }

    fn migrate(&mut self) -> Result<usize, ReplayError> {
        self.refuse_newer()?;
        let applied = self.applied()?;
        if applied.is_empty() {
            self.refuse_foreign()?;
        }
        let mut count = 0;
        for migration in sql::MIGRATIONS {
            let sha256 = hex(&Sha256::digest(migration.text));
            match applied.iter().find(|(version, _)| *version == migration.version) {
                Some((_, known)) if *known == sha256 => continue,
                Some(_) => {
                    return Err(ReplayError::ChangedMigration { path: self.path.clone(), version: migration.version });
                }
                None => {}
            }
            let transaction = self.connection.unchecked_transaction().map_err(|error| self.fail("migrate", &error))?;
            transaction.execute_batch(migration.text).map_err(|error| self.fail("migrate", &error))?;
            transaction
                .execute(sql::RECORD_MIGRATION, duckdb::params![migration.version, migration.name, sha256, self.now_ns])
                .map_err(|error| self.fail("migrate", &error))?;
            transaction.commit().map_err(|error| self.fail("migrate", &error))?;
            count += 1;
        }
        // Views are code: they follow the program, not the migration that first made them. One transaction, so one write.
        let fail = |error: duckdb::Error| self.fail("create views", &error);
        let transaction = self.connection.unchecked_transaction().map_err(fail)?;
        for text in sql::VIEWS {
            transaction.execute_batch(text).map_err(fail)?;
        }
        transaction.commit().map_err(fail)?;
        // DDL must never wait in the write-ahead log: replaying it is what aborts.
        self.checkpoint()?;
        Ok(count)
    }

    fn append_chunks(&mut self, chunks: &mut dyn Iterator<Item = Chunk>) -> Result<Appended, ReplayError> {
        append::append(self, chunks)
    }

    fn append_stream(&mut self, chunks: &mut dyn Iterator<Item = Chunk>) -> Result<Appended, ReplayError> {
        match self.threads {
            1 => one_by_one(self, chunks),
            _ => lanes::append_stream(self, chunks),
        }
    }

    fn importing(&self, begins: bool) -> Result<(), ReplayError> {
        match (self.bounded, begins) {
            // A limit that the caller chose stays.
            (true, _) => Ok(()),
            (false, true) => self.run("bound the memory of", sql::IMPORT_MEMORY),
            (false, false) => {
                self.run("free the memory of", sql::FREE_MEMORY)?;
                if self.threads == 0 {
                    return Ok(());
                }
                let text = sql::SET_THREADS.replace("/*threads*/ 1", &self.threads.to_string());
                self.connection.execute_batch(&text).map_err(|error| self.fail("set the threads of", &error))
            }
        }
    }

    fn query(&self, sql: &str) -> Result<Vec<RecordBatch>, ReplayError> {
        query::query(self, sql)
    }

    fn ask(&self, statement: &Statement<'_>, values: &[&str]) -> Result<Vec<RecordBatch>, ReplayError> {
        query::ask(self, statement.duckdb, values)
    }

    fn change(&self, statements: &Statement<'_>, values: &[&str]) -> Result<(), ReplayError> {
        query::change(self, statements.duckdb, values)
    }

    fn insert(&self, table: TableName, batch: RecordBatch) -> Result<(), ReplayError> {
        self.replace_rows(table, None, Some(batch))
    }

    fn replace(
        &self,
        table: TableName,
        column: &'static str,
        values: &[&str],
        batch: Option<RecordBatch>,
    ) -> Result<(), ReplayError> {
        self.replace_rows(table, Some((column, values)), batch)
    }

    fn change_together(&self, statements: &[(&str, &[&str])]) -> Result<(), ReplayError> {
        self.change_rows(statements)
    }

    fn replace_scores(&self, first_ms: i64, last_ms: i64, batches: Vec<RecordBatch>) -> Result<(), ReplayError> {
        self.replace_windows(first_ms, last_ms, batches)
    }

    fn inputs(&self) -> Result<Vec<InputRecord>, ReplayError> {
        self.read_inputs()
    }

    fn record_inputs(&self, inputs: &[InputRecord]) -> Result<(), ReplayError> {
        self.write_inputs(inputs)
    }

    fn record_run(&self, run: &RunRecord) -> Result<(), ReplayError> {
        self.write_run(run)
    }

    fn digest(&self, contents: Contents) -> Result<String, ReplayError> {
        match contents {
            Contents::Rows => match &self.known.written {
                Some(written) => Ok(written.digest()),
                None => self.table_digest(sql::ALL_ROWS, 2),
            },
            Contents::Features => self.table_digest(sql::ALL_FEATURES, 4),
            Contents::Scores => self.table_digest(sql::ALL_SCORES, 4),
        }
    }

    fn checkpoint(&self) -> Result<(), ReplayError> {
        self.run("checkpoint", sql::CHECKPOINT)
    }
}

fn connect(path: &Path, options: &DuckDbOptions) -> Result<Connection, ReplayError> {
    let fail = |error: duckdb::Error| ReplayError::engine("open database", path, &error);
    let mut config = Config::default();
    if options.threads > 0 {
        config = config.threads(i64::try_from(options.threads).unwrap_or(1)).map_err(fail)?;
    }
    if !options.memory.is_empty() {
        config = config.max_memory(&options.memory).map_err(fail)?;
    }
    if options.read_only {
        config = config.access_mode(AccessMode::ReadOnly).map_err(fail)?;
    }
    // Nothing is ever fetched. `preserve_insertion_order` stays on: without it an answer that is streamed comes in any order from a few
    // thousand rows on, whatever its ORDER BY says.
    config = config.enable_autoload_extension(false).map_err(fail)?;
    config = config.with("autoinstall_known_extensions", "false").map_err(fail)?;
    if options.confined {
        config = config.enable_external_access(false).map_err(fail)?;
    }
    Connection::open_with_flags(path, config).map_err(fail)
}

/// `name.duckdb` has its write-ahead log in `name.duckdb.wal`.
fn wal_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".wal");
    PathBuf::from(name)
}

/// Renames the database and its log so that nothing is lost; gives the new name.
fn put_aside(path: &Path) -> Result<PathBuf, ReplayError> {
    for number in 1..10_000 {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".damaged-{number}"));
        let target = PathBuf::from(name);
        if target.exists() || wal_of(&target).exists() {
            continue;
        }
        if path.exists() {
            std::fs::rename(path, &target).map_err(ReplayError::io("set aside", path))?;
        }
        if wal_of(path).exists() {
            std::fs::rename(wal_of(path), wal_of(&target)).map_err(ReplayError::io("set aside", path))?;
        }
        return Ok(target);
    }
    Err(ReplayError::Engine {
        operation: "set aside a damaged database",
        path: path.to_path_buf(),
        detail: "10,000 damaged copies stand beside it; remove some".to_owned(),
    })
}
