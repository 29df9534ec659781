//! What can stop a spool: each a plain sentence with operation, file and what to do.
//!
//! Promises: a full disk and a read-only file system are told apart from other failures, because they end by themselves or by hand.
//!
//! Read next: `mod.rs`.

use std::io;
use std::path::{Path, PathBuf};

/// Why the spool could not do it. Nothing that was acknowledged is lost by any of these.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpoolError {
    /// No space on the device, or the quota is used up.
    #[error("{operation} {}: the disk is full; what was acknowledged is kept, new records are refused until there is space", path.display())]
    DiskFull {
        /// What was being done.
        operation: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// The file system was mounted or remounted read-only.
    #[error("{operation} {}: the file system is read-only; what was acknowledged is kept, new records are refused until it can be written again", path.display())]
    ReadOnly {
        /// What was being done.
        operation: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// The bound on bytes is reached and the policy is to refuse.
    #[error("append to spool {}: its bound of {limit_bytes} bytes is reached by records that were not delivered; see why the receiver does not take them, or raise the bound", folder.display())]
    Full {
        /// The spool.
        folder: PathBuf,
        /// `total_bytes`.
        limit_bytes: u64,
    },
    /// A record is longer than a spool takes.
    #[error("append to spool {}: a record of {bytes} bytes is longer than a spool takes", folder.display())]
    TooLong {
        /// The spool.
        folder: PathBuf,
        /// Its length.
        bytes: usize,
    },
    /// Another process uses the folder.
    #[error("open spool {}: another process uses it; end that one or name another folder", folder.display())]
    Locked {
        /// The spool.
        folder: PathBuf,
    },
    /// Anything else.
    #[error("{operation} {}: {source}", path.display())]
    Io {
        /// What was being done.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

impl SpoolError {
    /// Whether trying again later may help without anybody changing a setting.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::DiskFull { .. } | Self::ReadOnly { .. } | Self::Full { .. })
    }

    /// Sorts a failure of the system into the sentence that helps.
    pub(crate) fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { operation, path },
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { operation, path },
            _ => Self::Io { operation, path, source },
        }
    }
}
