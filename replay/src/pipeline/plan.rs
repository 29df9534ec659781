//! What a replay is asked to do, and which inputs that is by content.
//!
//! Promises: the order in which files are named never matters (they are sorted by content hash); a run's id is a hash of its
//! inputs and of every setting that shapes rows, so the same command is recognised.
//!
//! Read next: `run.rs`.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use sha2::{Digest as _, Sha256};

use crate::ReplayError;
use crate::digest::hex;

/// Clock of the logs against the captures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skew {
    /// Estimated for each log.
    Auto,
    /// Known: log clock minus capture clock, ns.
    Fixed(i64),
}

/// What to replay and how.
#[derive(Debug, Clone)]
pub struct ReplayPlan {
    /// Captures; folders are read as the captures in them.
    pub captures: Vec<PathBuf>,
    /// HTTP logs.
    pub http_logs: Vec<PathBuf>,
    /// `auto`, `reqin`, `combined`, `common` or a LogFormat string.
    pub http_format: String,
    /// How long a request waits for its handshake, and the reverse.
    pub window_ns: i64,
    /// How long a connection may be silent before its port counts as free.
    pub keepalive_ns: i64,
    /// How much later than its neighbours a log line may stand.
    pub lateness_ns: i64,
    /// Clock of the logs.
    pub skew: Skew,
    /// Reference tables instead of the built-in ones.
    pub reference: Option<PathBuf>,
    /// TLS key log (NSS format): without a log, what it opens is what was requested; with one, it measures the join.
    pub keylog: Option<PathBuf>,
    /// Threads for decoding; 0 means one per core. Results never depend on it.
    pub threads: usize,
}

impl Default for ReplayPlan {
    fn default() -> Self {
        Self {
            captures: Vec::new(),
            http_logs: Vec::new(),
            http_format: "auto".to_owned(),
            window_ns: 10_000_000_000,
            keepalive_ns: 3_600_000_000_000,
            lateness_ns: 60_000_000_000,
            skew: Skew::Auto,
            reference: None,
            keylog: None,
            threads: 0,
        }
    }
}

/// One input file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Input {
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// Where it is.
    pub path: PathBuf,
    /// Size on disk.
    pub bytes: u64,
}

impl Input {
    /// Hashes a file.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(path: &Path) -> Result<Self, ReplayError> {
        let mut file = std::fs::File::open(path).map_err(ReplayError::io("open", path))?;
        let mut hash = Sha256::new();
        let mut bytes = 0_u64;
        let mut buffer = vec![0_u8; 1 << 20];
        loop {
            let n = file.read(&mut buffer).map_err(ReplayError::io("read", path))?;
            let Some(chunk) = buffer.get(..n).filter(|chunk| !chunk.is_empty()) else { break };
            hash.update(chunk);
            bytes = bytes.saturating_add(u64::try_from(n).unwrap_or_default());
        }
        Ok(Self { sha256: hex(&hash.finalize()), path: path.to_path_buf(), bytes })
    }

    /// A file that is not hashed yet.
    ///
    /// # Errors
    /// It cannot be opened.
    pub(super) fn unread(path: &Path) -> Result<Self, ReplayError> {
        let file = std::fs::File::open(path).and_then(|file| file.metadata()).map_err(ReplayError::io("open", path))?;
        Ok(Self { sha256: String::new(), path: path.to_path_buf(), bytes: file.len() })
    }

    /// The same content under several names is one input; the result is in content order.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn read_all(paths: &[PathBuf]) -> Result<Vec<Self>, ReplayError> {
        let mut inputs = paths.par_iter().map(|path| Self::read(path)).collect::<Result<Vec<_>, _>>()?;
        inputs.sort();
        inputs.dedup_by(|a, b| a.sha256 == b.sha256);
        Ok(inputs)
    }

    /// File name without folder.
    #[must_use]
    pub fn name(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

/// Identity of a replay: its inputs and the settings that shape rows.
///
/// # Errors
/// The key log cannot be read.
pub fn run_id(plan: &ReplayPlan, captures: &[Input], logs: &[Input]) -> Result<String, ReplayError> {
    let mut all = Sha256::new();
    all.update(settings(plan));
    if let Some(keylog) = &plan.keylog {
        all.update(format!("\nkeylog {}", Input::read(keylog)?.sha256));
    }
    for (kind, inputs) in [("capture", captures), ("http_log", logs)] {
        for input in inputs {
            all.update(format!("\n{kind} {}", input.sha256));
        }
    }
    Ok(hex(&all.finalize()).get(..16).unwrap_or_default().to_owned())
}

/// The settings that shape rows, as JSON.
#[must_use]
pub fn settings(plan: &ReplayPlan) -> String {
    let skew = match plan.skew {
        Skew::Auto => serde_json::json!("auto"),
        Skew::Fixed(ns) => serde_json::json!(ns),
    };
    serde_json::json!({
        "version": env!("CARGO_PKG_VERSION"),
        "http_format": plan.http_format,
        "window_ns": plan.window_ns,
        "keepalive_ns": plan.keepalive_ns,
        "lateness_ns": plan.lateness_ns,
        "skew": skew,
        "reference": plan.reference.is_some(),
        "keylog": plan.keylog.is_some(),
    })
    .to_string()
}
