//! Opening a doubtful database in a child process first: a write-ahead log that cannot be replayed aborts the process it is in.
//!
//! Promises: the caller's process never touches a file that kills its reader; a lock or a newer version is told apart from damage.
//! Every binary that opens databases calls [`child_entry`] first thing in `main`.
//!
//! Read next: `mod.rs`, which sets a damaged file aside.

use std::path::Path;
use std::process::{Command, Stdio};

use duckdb::{AccessMode, Config, Connection};

use crate::ReplayError;

/// Set in the child only; holds the path to open.
const PROBE_VARIABLE: &str = "JA4_PROBE_DATABASE";
/// Set in the child when the caller only wants to read, so that other readers are no conflict.
const READ_ONLY_VARIABLE: &str = "JA4_PROBE_READ_ONLY";
/// Exit status of a child that could open the file.
const EXIT_GOOD: i32 = 0;
/// Exit status of a child that got an error it could print.
const EXIT_REFUSED: i32 = 41;

/// What the child found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It opens.
    Good,
    /// It cannot be read; why.
    Damaged(String),
}

/// In a probing child: opens the file, says what happened, and ends the process. Otherwise returns at once.
pub fn child_entry() {
    let Some(path) = std::env::var_os(PROBE_VARIABLE) else { return };
    let status = match open_and_read(Path::new(&path)) {
        Ok(()) => EXIT_GOOD,
        Err(error) => {
            use std::io::Write as _;
            let _ = write!(std::io::stderr(), "{error}");
            EXIT_REFUSED
        }
    };
    std::process::exit(status);
}

/// Tries `path` in a child of the running program.
///
/// # Errors
/// The file is locked, newer, or no database: those are no damage and are left alone.
pub fn probe(path: &Path, read_only: bool) -> Result<Verdict, ReplayError> {
    if let Some(detail) = not_a_database(path)? {
        return Err(ReplayError::NotADatabase { path: path.to_path_buf(), detail });
    }
    let program = std::env::current_exe().map_err(ReplayError::io("find the running program", path))?;
    let mut command = Command::new(program);
    if read_only {
        command.env(READ_ONLY_VARIABLE, "1");
    }
    let output = command
        .env(PROBE_VARIABLE, path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output()
        .map_err(ReplayError::io("start a child to check", path))?;
    if output.status.success() {
        return Ok(Verdict::Good);
    }
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.code() == Some(EXIT_REFUSED) {
        return match ReplayError::engine_text("open database", path, &text) {
            ReplayError::Engine { detail, .. } | ReplayError::NotADatabase { detail, .. } => Ok(Verdict::Damaged(detail)),
            other => Err(other),
        };
    }
    Ok(Verdict::Damaged(format!("the reader died: {}", output.status)))
}

/// Opens the file as the caller will: that replays the log, and the replay is what has to survive.
fn open_and_read(path: &Path) -> Result<(), duckdb::Error> {
    let read_only = std::env::var_os(READ_ONLY_VARIABLE).is_some();
    let mode = if read_only { AccessMode::ReadOnly } else { AccessMode::ReadWrite };
    let config = Config::default().access_mode(mode)?.threads(1)?;
    let connection = Connection::open_with_flags(path, config)?;
    connection.execute_batch(super::sql::PROBE)
}

/// A file that is long enough for a header and lacks DuckDB's magic was never a database, so it is not set aside.
fn not_a_database(path: &Path) -> Result<Option<String>, ReplayError> {
    use std::io::Read as _;
    if path.is_dir() {
        return Ok(Some("it is a folder".to_owned()));
    }
    let mut head = Vec::new();
    let file = std::fs::File::open(path).map_err(ReplayError::io("open database", path))?;
    file.take(12).read_to_end(&mut head).map_err(ReplayError::io("read", path))?;
    if head.is_empty() {
        return Ok(None);
    }
    match head.get(8..12) {
        Some(b"DUCK") => Ok(None),
        _ => Ok(Some("the DUCK magic at byte 8 is missing".to_owned())),
    }
}
