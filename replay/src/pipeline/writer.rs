//! The stage that stores: chunks to the database, on a thread of its own.
//!
//! Promises: a transaction takes a fixed number of chunks, so that its rows are the same in every run, and is stored whole or not.
//!
//! Read next: `rows.rs` (who makes the chunks), `../store/chunk.rs` (why that many), `../store/duckdb/append.rs`.

use std::iter::Peekable;
use std::sync::mpsc::Receiver;

use crate::ReplayError;
use crate::store::chunk::{CHUNKS_PER_TRANSACTION, Chunk};
use crate::store::{Appended, Store};

/// Stores everything that comes until the sender is gone.
pub(super) fn write(store: &mut dyn Store, from: &Receiver<Chunk>) -> Result<Appended, ReplayError> {
    let mut chunks: Peekable<_> = from.iter().peekable();
    let mut done = Appended::default();
    while chunks.peek().is_some() {
        done += store.append_chunks(&mut chunks.by_ref().take(CHUNKS_PER_TRANSACTION))?;
    }
    Ok(done)
}
