//! Reading ahead: while rows are stored on threads of their own, the next ones are read, so that both sides have a processor.
//!
//! Promises: of rows that come twice the first is stored; no more than a transaction's rows wait for the store; what the store
//! refuses ends the reading and is what the caller hears.
//!
//! Read next: `import.rs` (who reads), `replay/src/store/chunk.rs` (how much a transaction takes).

use std::sync::mpsc::sync_channel;

use ja4_replay::ReplayError;
use ja4_replay::store::chunk::{CHUNKS_PER_TRANSACTION, Chunk};
use ja4_replay::store::{Appended, Store};

use crate::error::LabError;

/// Where a reader puts what it has read.
pub(super) type Put<'a> = &'a mut dyn FnMut(Vec<Chunk>) -> Result<(), ReplayError>;

/// Runs `read` and stores in `to` what it puts.
///
/// # Errors
/// The store's refusal; else that of `read`.
pub(super) fn stored(to: &mut dyn Store, read: impl FnOnce(Put<'_>) -> Result<(), LabError>) -> Result<Appended, LabError> {
    std::thread::scope(|scope| {
        // A server is sent a transaction at a time, and what it will take next is read meanwhile.
        let (sender, waiting) = sync_channel(CHUNKS_PER_TRANSACTION);
        let storing = scope.spawn(move || to.append_stream(&mut waiting.into_iter()));
        let read =
            read(&mut |chunks| chunks.into_iter().try_for_each(|chunk| sender.send(chunk)).map_err(|_| ReplayError::Cancelled));
        drop(sender);
        // A store that refuses hangs up, which the reader met as `Cancelled`: its own word comes first.
        let stored = storing.join().unwrap_or(Err(ReplayError::Worker("the thread that stores")))?;
        read.map(|()| stored)
    })
}

#[cfg(test)]
mod tests {
    use ja4_join::row::HttpLogRow;
    use ja4_replay::store::{self, OpenOptions};

    use super::*;

    fn chunk(row_lo: i64) -> Chunk {
        Chunk::of_requests(&[HttpLogRow { row_lo, ts_ns: row_lo, ..HttpLogRow::unknown() }]).unwrap()
    }

    #[test]
    fn what_is_put_is_stored_and_a_reader_that_fails_is_heard() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = store::open(&folder.path().join("a.duckdb"), &OpenOptions::default()).unwrap();
        store.migrate().unwrap();
        let done = stored(&mut *store, |put| {
            put(vec![chunk(1), chunk(2)])?;
            put(vec![chunk(2), chunk(3)])?;
            Ok(())
        });
        assert_eq!(done.unwrap(), Appended { added: 3, skipped: 1 });
        let refused = stored(&mut *store, |put| {
            put(vec![chunk(4)])?;
            Err(LabError::Ask("the file ends here".to_owned()))
        });
        assert!(refused.unwrap_err().to_string().contains("the file ends here"));
    }

    #[test]
    fn what_the_store_refuses_ends_the_reading_and_is_told() {
        let folder = tempfile::tempdir().unwrap();
        // No tables were made, so nothing can be stored.
        let mut store = store::open(&folder.path().join("b.duckdb"), &OpenOptions::default()).unwrap();
        let mut puts = 0;
        let refused = stored(&mut *store, |put| {
            loop {
                put(vec![chunk(puts)])?;
                puts += 1;
                assert!(puts < 1_000, "the reader goes on after the store has refused");
            }
        });
        let told = refused.unwrap_err().to_string();
        assert!(told.contains("http_logs"), "{told}");
    }
}
