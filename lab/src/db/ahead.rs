//! Reading ahead: while one transaction is stored on a thread of its own, the next is read, so that both sides have a processor.
//!
//! Promises: transactions are stored in the order in which they were read, one at a time; at most one waits beside the one that is
//! being stored; what the store refuses ends the reading and is what the caller hears.
//!
//! Read next: `import.rs` (who reads), `replay/src/store/chunk.rs` (how much a transaction takes).

use std::sync::mpsc::{Receiver, sync_channel};

use ja4_replay::ReplayError;
use ja4_replay::store::chunk::Chunk;
use ja4_replay::store::{Appended, Store};

use crate::error::LabError;

/// Where a reader puts each transaction that is complete.
pub(super) type Put<'a> = &'a mut dyn FnMut(Vec<Chunk>) -> Result<(), ReplayError>;

/// Runs `read` and stores in `to` what it puts.
///
/// # Errors
/// The store's refusal; else that of `read`.
pub(super) fn stored(to: &mut dyn Store, read: impl FnOnce(Put<'_>) -> Result<(), LabError>) -> Result<Appended, LabError> {
    std::thread::scope(|scope| {
        // No room inside: what is put waits in the hands of the reader until the store is free.
        let (sender, transactions) = sync_channel(0);
        let storing = scope.spawn(move || store_each(to, &transactions));
        let read = read(&mut |chunks| sender.send(chunks).map_err(|_| ReplayError::Cancelled));
        drop(sender);
        // A store that refuses hangs up, which the reader met as `Cancelled`: its own word comes first.
        let stored = storing.join().unwrap_or(Err(ReplayError::Worker("the thread that stores")))?;
        read.map(|()| stored)
    })
}

fn store_each(to: &mut dyn Store, transactions: &Receiver<Vec<Chunk>>) -> Result<Appended, ReplayError> {
    let mut done = Appended::default();
    for chunks in transactions {
        done += to.append_chunks(&mut chunks.into_iter())?;
    }
    Ok(done)
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
                assert!(puts < 3, "the reader goes on after the store has refused");
            }
        });
        let told = refused.unwrap_err().to_string();
        assert!(told.contains("http_logs"), "{told}");
    }
}
