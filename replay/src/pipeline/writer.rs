//! The stage that stores: chunks to the database, on a thread of its own.
//!
//! Promises: a transaction takes a fixed number of chunks, so that its rows are the same in every run, and is stored whole or not.
//!
//! Read next: `rows.rs` (who makes the chunks), `../store/chunk.rs` (why that many), `../store/duckdb/append.rs`.

use std::iter::Peekable;
use std::sync::mpsc::Receiver;

use crate::ReplayError;
use crate::store::chunk::{CHUNKS_PER_TRANSACTION, Chunk, ChunkTable};
use crate::store::{Appended, Store};

/// Chunks of handshakes that one transaction takes while it has no request. They are few columns, cheap to write in small
/// transactions, and a capture without a log, however large, then needs no more memory than a small one.
const LONE_HANDSHAKE_CHUNKS: usize = 2;
/// Chunks of handshakes that each chunk of requests lets wait for the transaction to become a whole row group.
const HANDSHAKE_CHUNKS_PER_REQUEST: usize = 2;

/// Stores everything that comes until the sender is gone.
pub(super) fn write(store: &mut dyn Store, from: &Receiver<Chunk>) -> Result<Appended, ReplayError> {
    let mut chunks: Peekable<_> = from.iter().peekable();
    let mut done = Appended::default();
    while chunks.peek().is_some() {
        let (mut requests, mut handshakes) = (0_usize, 0_usize);
        let mut transaction = std::iter::from_fn(|| {
            let full = requests == CHUNKS_PER_TRANSACTION || handshakes == CHUNKS_PER_TRANSACTION;
            if full || handshakes >= LONE_HANDSHAKE_CHUNKS + HANDSHAKE_CHUNKS_PER_REQUEST * requests {
                return None;
            }
            let chunk = chunks.next()?;
            match chunk.table {
                ChunkTable::Requests => requests += 1,
                ChunkTable::Handshakes => handshakes += 1,
            }
            Some(chunk)
        });
        done += store.append_chunks(&mut transaction)?;
    }
    Ok(done)
}
