//! Alerts as JSON Lines, appended to a file.
//!
//! Promises: the file is opened for each batch, so it may be renamed away at any time; a batch is written by one call and synced;
//! an acting character in a client's text is escaped.
//!
//! Read next: `mod.rs`.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Alert, Target};

/// A file that takes alerts.
pub struct File {
    path: PathBuf,
}

impl File {
    /// Nothing is opened yet.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_path_buf() }
    }
}

impl Target for File {
    fn deliver(&mut self, alerts: &[Arc<Alert>]) -> Result<(), String> {
        let mut lines = String::new();
        for alert in alerts {
            let line = serde_json::to_string(&**alert).map_err(|error| error.to_string())?;
            lines.push_str(&crate::render::visible_json(&line));
            lines.push('\n');
        }
        let mut file =
            OpenOptions::new().append(true).create(true).open(&self.path).map_err(|error| format!("open it: {error}"))?;
        file.write_all(lines.as_bytes()).and_then(|()| file.sync_data()).map_err(|error| format!("write: {error}"))
    }
}
