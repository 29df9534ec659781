//! The errors of the lab: each a plain sentence with the operation, the file and what to do.

use std::path::{Path, PathBuf};

/// What can go wrong between a store and its scores.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// Reading, joining or storing failed.
    #[error(transparent)]
    Replay(#[from] ja4_replay::ReplayError),
    /// A capture could not be read at all.
    #[error(transparent)]
    Capture(#[from] ja4_capture::CaptureError),
    /// A model refused its data or its file.
    #[error(transparent)]
    Model(#[from] ja4_models::ModelError),
    /// Reading or writing a file failed.
    #[error("{operation} {}: {source}", path.display())]
    Io {
        /// What was being done.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Writing results to stdout failed.
    #[error("write results: {0}")]
    Output(std::io::Error),
    /// A table of numbers could not be read.
    #[error("read table {}: {detail}", path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// What was wrong and what is accepted.
        detail: String,
    },
    /// The feature table lacks something this program needs.
    #[error("read features: {0}")]
    Features(String),
    /// What was asked for is not there, or makes no sense.
    #[error("{0}")]
    Ask(String),
}

impl LabError {
    /// An I/O failure with its file.
    pub fn io(operation: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { operation, path, source }
    }

    /// Whether the reader of our output went away, which is its right.
    #[must_use]
    pub fn is_closed_pipe(&self) -> bool {
        match self {
            Self::Output(error) => error.kind() == std::io::ErrorKind::BrokenPipe,
            Self::Io { source, .. } => source.kind() == std::io::ErrorKind::BrokenPipe,
            _ => false,
        }
    }
}
