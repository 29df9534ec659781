//! Where a stream of rows is cut into transactions.
//!
//! Promises: by numbers of rows alone, so that the same stream is cut alike in every run; no transaction holds more than a row group of a table,
//! and all but the last one hold exactly that of one: smaller ones would go through the write-ahead log, and into row groups that are written
//! anew at every checkpoint, which costs more time and more memory.
//!
//! Read next: `chunk.rs` (why that many), `mod.rs` and `duckdb/lanes.rs` (who cut).

use super::chunk::{Chunk, ChunkTable, TRANSACTION_ROWS};
use super::{Appended, Store};
use crate::ReplayError;

/// How many rows a transaction holds by now.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Filling {
    requests: usize,
    handshakes: usize,
}

impl Filling {
    /// Rows of `table` that it still takes.
    pub(super) fn room(self, table: ChunkTable) -> usize {
        TRANSACTION_ROWS.saturating_sub(match table {
            ChunkTable::Requests => self.requests,
            ChunkTable::Handshakes => self.handshakes,
        })
    }

    pub(super) fn add(&mut self, table: ChunkTable, rows: usize) {
        match table {
            ChunkTable::Requests => self.requests += rows,
            ChunkTable::Handshakes => self.handshakes += rows,
        }
    }

    pub(super) fn is_full(self) -> bool {
        self.requests >= TRANSACTION_ROWS || self.handshakes >= TRANSACTION_ROWS
    }
}

/// Stores all that comes, one transaction after the other.
pub(crate) fn one_by_one<S: Store + ?Sized>(
    store: &mut S,
    chunks: &mut dyn Iterator<Item = Chunk>,
) -> Result<Appended, ReplayError> {
    let mut done = Appended::default();
    let mut first = chunks.next();
    while first.is_some() {
        let mut filling = Filling::default();
        done += store.append_chunks(&mut std::iter::from_fn(|| {
            if filling.is_full() {
                return None;
            }
            let chunk = first.take().or_else(|| chunks.next())?;
            let room = filling.room(chunk.table);
            let (chunk, rest) = chunk.split(room);
            filling.add(chunk.table, chunk.rows());
            first = rest;
            Some(chunk)
        }))?;
        first = first.or_else(|| chunks.next());
    }
    Ok(done)
}
