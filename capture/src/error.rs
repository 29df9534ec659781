//! What can go wrong with a capture, as one enum: each value names the operation, the file and, where there is one, the position.
//!
//! Promises: a message is one plain sentence that can be shown to a user as it is. Damage inside a capture is *not* an error
//! of a run: everything before it is kept and the damage is reported (see [`Damage`]).
//!
//! Read next: `source/open.rs` (raises most of them), `run.rs` (collects damage).

use std::io;
use std::path::PathBuf;

use serde::Serialize;

/// Why a run over captures could not be done.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The operating system refused an operation on a file.
    #[error("cannot {operation} {}: {source}", path.display())]
    Io {
        /// What was tried: `open`, `read`, `map`, `list`.
        operation: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The first bytes are of no known capture format.
    #[error("{} is not a capture: its first bytes are {first_bytes}, neither pcap, pcapng, gzip nor zstd{hint}", path.display())]
    NotACapture {
        /// The file.
        path: PathBuf,
        /// The first bytes in hexadecimal.
        first_bytes: String,
        /// What it may be instead, with a leading separator; may be empty.
        hint: &'static str,
    },
    /// The file has no bytes at all.
    #[error("{} is empty: a capture has at least a 24-byte header", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The file ends within its header, so that it holds no packet.
    #[error("{} ends at byte {offset}, within its capture header: it holds no packets", path.display())]
    CutHeader {
        /// The file.
        path: PathBuf,
        /// Where it ends.
        offset: u64,
    },
    /// Compressed data inside compressed data.
    #[error("{} is compressed twice; decompress it once by hand", path.display())]
    Nested {
        /// The file.
        path: PathBuf,
    },
    /// A folder in which no file is a capture.
    #[error("the folder {} holds no captures (pcap, pcapng, also .gz or .zst, told by content)", path.display())]
    NoCaptures {
        /// The folder.
        path: PathBuf,
    },
    /// An interface could not be listened on.
    #[error("cannot {operation} interface {interface}: {reason}")]
    Interface {
        /// What was tried: `open`, `read`, `set the filter of`.
        operation: &'static str,
        /// The interface, as named by the caller.
        interface: String,
        /// The system's reason, and what to do.
        reason: String,
    },
    /// A packet filter that libpcap does not understand.
    #[error("the packet filter {filter:?} is not one: {reason}")]
    Filter {
        /// The filter.
        filter: String,
        /// libpcap's reason.
        reason: String,
    },
    /// Privileges could not be given up, so nothing was read.
    #[error("cannot {operation}: {reason}")]
    Privilege {
        /// What was tried.
        operation: &'static str,
        /// The system's reason, and what to do.
        reason: String,
    },
    /// A thread could not be started.
    #[error("cannot start a thread that reads {interface}: {source}")]
    Thread {
        /// What it was to read.
        interface: String,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// Nothing was asked for.
    #[error("no capture was named")]
    NothingToRead,
    /// A sink or callback asked to stop (a closed pipe, for one).
    #[error("stopped by the receiver of the results")]
    Stopped,
}

/// A place where a capture is damaged. Packets before it were kept; after it reading went on if the format allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// The file, as named by the caller.
    pub file: String,
    /// Offset of the damaged record in the (decompressed) capture, bytes.
    pub offset_bytes: u64,
    /// What is wrong, as a plain sentence part.
    pub what: String,
    /// Whether reading could go on behind it.
    pub resumed: bool,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rest = if self.resumed { "skipped it" } else { "kept everything before it" };
        write!(f, "{}: byte {}: {}; {rest}", self.file, self.offset_bytes, self.what)
    }
}
