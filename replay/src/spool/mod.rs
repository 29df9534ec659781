//! A spool: records on disk, in order, checksummed, bounded, until everyone who reads them has said so.
//!
//! Promises:
//! - **Acknowledged means fsynced.** [`Spool::append`] writes, [`Spool::sync`] makes durable and gives the last sequence number that is;
//!   only such records are handed out by [`Spool::next_batch`].
//! - **A group is all or nothing.** The records of one `append` survive a crash together or not at all.
//! - **It always starts.** Whatever was flipped, zeroed, cut off or deleted: [`Spool::open`] gives every record that is still whole and a
//!   [`Recovery`] that names segment, offsets and number of records of what is not. Nothing is ever appended to a segment of an earlier life.
//! - **Batches are the same after a crash.** A batch is written down before it is handed out; until it is committed the same one comes
//!   again, with the same SHA-256 token, so that a server that knows the token inserts it once.
//! - **Bounded.** Bytes never exceed [`Limits::total_bytes`]; what happens then is [`Limits::when_full`].
//!
//! No clock is read here. One process at a time: the folder is locked.
//!
//! Read next: `frame.rs` (bytes on disk), `segment.rs` (one file), `recover.rs` (damage), `rows.rs` (rows as records), docs/CORRELATOR.md.

mod cursor;
mod error;
mod frame;
mod reader;
mod recover;
pub mod rows;
mod segment;
mod store;

use std::path::PathBuf;

pub use self::error::SpoolError;
pub use self::frame::MAX_PAYLOAD_BYTES;
pub use self::reader::Records;
pub use self::recover::{Lost, Recovery};
pub use self::store::{Spool, SpoolStats};

/// Bounds and policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// A segment is closed when it holds this much. Default 16 MiB.
    pub segment_bytes: u64,
    /// All segments together. Default 1 GiB.
    pub total_bytes: u64,
    /// Segments that every consumer has committed are kept while all segments together hold at most this much: to rebuild from. Default 0.
    pub keep_bytes: u64,
    /// What to do when `total_bytes` are full of records that somebody still needs.
    pub when_full: WhenFull,
    /// A batch holds at most this many records (but whole groups are not kept together). Default 10,000.
    pub batch_records: usize,
    /// A batch holds at most this many bytes, but at least one record. Default 8 MiB.
    pub batch_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            segment_bytes: 16 << 20,
            total_bytes: 1 << 30,
            keep_bytes: 0,
            when_full: WhenFull::Refuse,
            batch_records: 10_000,
            batch_bytes: 8 << 20,
        }
    }
}

/// What to do when the bound is reached by records that are still needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// [`Spool::append`] fails with [`SpoolError::Full`] and nothing is written: whoever sends has to wait.
    Refuse,
    /// The oldest segment goes; its records are counted in [`SpoolStats::dropped_records`].
    DropOldest,
}

/// A record to append: what it is, and its bytes.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Chosen by the caller.
    pub kind: u8,
    /// At most [`MAX_PAYLOAD_BYTES`].
    pub payload: &'a [u8],
}

/// A record that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its place in the spool, from 1, without gaps but for what was lost.
    pub seq: u64,
    /// As appended.
    pub kind: u8,
    /// As appended.
    pub payload: Vec<u8>,
}

/// Records to deliver together, always in the same composition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// First place it covers.
    pub first_seq: u64,
    /// Last place it covers.
    pub last_seq: u64,
    /// SHA-256, 64 hex digits, over places, kinds and payloads: equal tokens mean equal content.
    pub token: String,
    /// The records in order. May be empty if all of them were lost.
    pub records: Vec<Stored>,
}

/// Where a segment lies and what it is called in messages.
fn segment_path(folder: &std::path::Path, first_seq: u64) -> PathBuf {
    folder.join(format!("{first_seq:020}.seg"))
}

#[cfg(test)]
mod tests;
