//! The errors of this crate: each names the operation, the file and what to do next, as one plain sentence.

use std::path::{Path, PathBuf};

/// What can go wrong between events and a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// Reading or writing a file failed.
    #[error("{operation} {}: {source}", path.display())]
    Io {
        /// What was being done, e.g. `"read"`.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Another process holds the database.
    #[error("open database {}: another process holds it; close that program or give another --db ({detail})", path.display())]
    Locked {
        /// The database file.
        path: PathBuf,
        /// DuckDB's words.
        detail: String,
    },
    /// The database was written by a newer version of this program or of DuckDB.
    #[error("open database {}: it was written by a newer version ({detail}); update this program or give another --db", path.display())]
    Newer {
        /// The database file.
        path: PathBuf,
        /// Which version was found.
        detail: String,
    },
    /// The file exists and is no DuckDB database.
    #[error("open database {}: not a DuckDB database ({detail}); give another --db", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// A database is read that does not exist.
    #[error("open database {}: no such file; make one with `ja4-lab replay CAPTURE --http-log LOG --db {}`", path.display(), path.display())]
    NoDatabase {
        /// The file.
        path: PathBuf,
    },
    /// A migration differs from the one that was applied.
    #[error("migrate database {}: migration {version} was changed after it had been applied; restore sql/ or use a new database", path.display())]
    ChangedMigration {
        /// The database file.
        path: PathBuf,
        /// Its number.
        version: i64,
    },
    /// The engine refused a statement.
    #[error("{operation} in {}: {detail}", path.display())]
    Engine {
        /// What was being done.
        operation: &'static str,
        /// The database file.
        path: PathBuf,
        /// The engine's words, first line.
        detail: String,
    },
    /// A server does not answer, or says that it cannot now.
    #[error(
        "{operation} in {store}: the server does not answer as it should ({detail}); is it running, and is the address right?"
    )]
    Unreachable {
        /// What was being done.
        operation: &'static str,
        /// The store, without password.
        store: String,
        /// The system's or the server's words.
        detail: String,
    },
    /// The address of a server cannot be understood.
    #[error("open store: {detail}")]
    Address {
        /// What is wrong and what is accepted.
        detail: String,
    },
    /// The disk is full.
    #[error("{operation} in {}: the disk is full; nothing of the unfinished batch was kept: free some space and run the same command again", path.display())]
    DiskFull {
        /// What was being done.
        operation: &'static str,
        /// The database file.
        path: PathBuf,
    },
    /// Query text that would change data.
    #[error("query: only a single SELECT (or WITH, DESCRIBE, SHOW, EXPLAIN, SUMMARIZE) can be run here; {detail}")]
    NotReadOnly {
        /// What was found.
        detail: String,
    },
    /// A capture could not be read at all.
    #[error(transparent)]
    Capture(#[from] ja4_capture::CaptureError),
    /// A log or reference table could not be read at all.
    #[error(transparent)]
    Join(#[from] ja4_join::error::JoinError),
    /// Rows could not be put into columns.
    #[error("put rows into columns: {0}; run again with -vv and report it")]
    Columns(String),
    /// A database behind HTTP.
    #[error("ask {url}: {detail}")]
    Remote {
        /// Where.
        url: String,
        /// What was answered.
        detail: String,
    },
    /// A socket cannot be listened at.
    #[error(transparent)]
    Socket(#[from] crate::live::socket::SocketError),
    /// All interfaces are gone.
    #[error("no interface is left to listen on{last}")]
    NoInterface {
        /// What happened to the last one, behind a colon; or nothing.
        last: String,
    },
    /// Segments on disk could not be written or read.
    #[error(transparent)]
    Spool(#[from] crate::spool::SpoolError),
    /// A worker of the pipeline ended without a result.
    #[error("{0}: a worker stopped unexpectedly; run again with -vv and report it")]
    Worker(&'static str),
    /// A statement was stopped while it ran.
    #[error("{operation} in {store}: stopped before there was an answer")]
    Interrupted {
        /// What was being done.
        operation: &'static str,
        /// The store, without password.
        store: String,
    },
    /// The caller asked to stop.
    #[error("stopped on request; what was stored is kept, and the same command continues")]
    Cancelled,
}

impl ReplayError {
    /// Whether the same call may succeed later with nothing changed: the store is away, busy or full, not wrong.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::DiskFull { .. } | Self::Locked { .. })
    }

    /// Sorts an engine error into the sentence that helps.
    pub(crate) fn engine(operation: &'static str, path: &Path, error: &duckdb::Error) -> Self {
        Self::engine_text(operation, path, &error.to_string())
    }

    /// The same from the engine's words alone.
    pub(crate) fn engine_text(operation: &'static str, path: &Path, text: &str) -> Self {
        let detail = with_candidates(first_line(text), text);
        let path = path.to_path_buf();
        let low = detail.to_ascii_lowercase();
        if low.starts_with("interrupt error") {
            Self::Interrupted { operation, store: path.display().to_string() }
        } else if low.contains("no space left") || low.contains("disk full") || low.contains("could not write all bytes") {
            Self::DiskFull { operation, path }
        } else if low.contains("conflicting lock") || low.contains("could not set lock") {
            Self::Locked { path, detail }
        } else if low.contains("newer version") || low.contains("storage version") && low.contains("only") {
            Self::Newer { path, detail }
        } else if low.contains("not a valid duckdb database") {
            Self::NotADatabase { path, detail }
        } else {
            Self::Engine { operation, path, detail }
        }
    }

    /// Arrow's refusal of columns of ours.
    pub(crate) fn columns(error: &duckdb::arrow::error::ArrowError) -> Self {
        Self::Columns(error.to_string())
    }

    /// An I/O failure with its file.
    pub(crate) fn io(operation: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { operation, path, source }
    }
}

/// The sentence with the names that the engine offers instead of one it does not know.
fn with_candidates(sentence: String, text: &str) -> String {
    let offered = text.lines().find(|line| line.starts_with("Candidate bindings: ") || line.starts_with("Did you mean "));
    match offered {
        Some(line) if line.len() <= 400 => format!("{} {}", sentence.trim_end_matches('!'), first_line(line)),
        _ => sentence,
    }
}

/// The first line of an engine message: the rest repeats the statement.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().to_owned()
}
