//! Appending rows once, in one transaction: Arrow columns by INSERT from where they are, minus the rows whose key is stored already.
//!
//! Promises: all chunks of a call are stored or none; a key is never stored twice, whoever sent it.
//!
//! Read next: `sieve.rs` (which rows are stored), `lanes.rs` (several transactions at one time), `../chunk.rs`.

use std::sync::{Arc, Mutex, PoisonError};

use duckdb::arrow::array::RecordBatch;
use duckdb::vtab::arrow::{ArrowBatchRegistration, ArrowVTab};
use hashbrown::HashSet;

use super::sieve::{Sieve, Sifted};
use super::{DuckDb, sql};
use crate::ReplayError;
use crate::digest::WrittenDigest;
use crate::store::Appended;
use crate::store::chunk::{Chunk, ChunkTable, Key};

/// What the insert statements call the function that reads Arrow columns.
const COLUMNS: &str = "ja4_columns";

/// What this connection knows of the stored rows without asking.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) requests: Option<i64>,
    pub(super) handshakes: Option<i64>,
    /// The function that reads Arrow columns is there: of the database, so all its connections share this. It stays when a transaction fails.
    columns: Arc<Mutex<bool>>,
    /// The digest of all requests, as long as this connection wrote them all.
    pub(super) written: Option<WrittenDigest>,
}

impl Known {
    /// What another connection to the same database knows at first.
    pub(super) fn beside(&self) -> Self {
        Self { columns: Arc::clone(&self.columns), ..Self::default() }
    }

    /// Forgets what a failed append made doubtful.
    pub(super) fn forget(&mut self) {
        (self.requests, self.handshakes, self.written) = (None, None, None);
    }
}

pub(super) fn append(store: &mut DuckDb, chunks: &mut dyn Iterator<Item = Chunk>) -> Result<Appended, ReplayError> {
    let mut chunks = chunks.peekable();
    if chunks.peek().is_none() {
        return Ok(Appended::default());
    }
    let (newest_request_ns, newest_handshake_ns) = prepare(store)?;
    let fail = |error: duckdb::Error| store.fail("append rows", &error);
    let transaction = store.connection.unchecked_transaction().map_err(fail)?;
    let mut requests = Target::new(store, ChunkTable::Requests, newest_request_ns);
    let mut handshakes = Target::new(store, ChunkTable::Handshakes, newest_handshake_ns);
    for chunk in chunks {
        match chunk.table {
            ChunkTable::Requests => requests.add(chunk)?,
            ChunkTable::Handshakes => handshakes.add(chunk)?,
        }
    }
    let (requests, handshakes) = (requests.finish()?, handshakes.finish()?);
    transaction.commit().map_err(fail)?;
    // Only what is committed is known.
    store.known.requests = Some(requests.newest_ns);
    store.known.handshakes = Some(handshakes.newest_ns);
    let kept = store.known.written.as_mut().is_some_and(|written| written.add(&requests.keys, &requests.hashes));
    if !kept {
        store.known.written = None;
    }
    Ok(Appended { added: count(requests.keys.len()), skipped: requests.skipped })
}

/// Makes ready for rows; gives the times of the latest request and handshake that are stored.
pub(super) fn prepare(store: &mut DuckDb) -> Result<(i64, i64), ReplayError> {
    let newest_request_ns = match store.known.requests {
        Some(newest_ns) => newest_ns,
        None => {
            let (newest_ns, rows) = newest(store, sql::NEWEST_REQUEST)?;
            store.known.written = (rows == 0).then(WrittenDigest::default);
            newest_ns
        }
    };
    let newest_handshake_ns = match store.known.handshakes {
        Some(newest_ns) => newest_ns,
        None => newest(store, sql::NEWEST_HANDSHAKE)?.0,
    };
    know_columns(store).map_err(|error| store.fail("append rows", &error))?;
    Ok((newest_request_ns, newest_handshake_ns))
}

/// Stores rows from where they are: an appender would copy them twice more, first into a collection of its own.
pub(super) fn insert(store: &DuckDb, table: ChunkTable, columns: RecordBatch) -> Result<(), ReplayError> {
    let text = match table {
        ChunkTable::Requests => sql::INSERT_REQUESTS,
        ChunkTable::Handshakes => sql::INSERT_HANDSHAKES,
    };
    let columns = ArrowBatchRegistration::new(columns);
    let done = store.connection.prepare_cached(text).and_then(|mut insert| insert.execute([&columns]));
    done.map(|_| ()).map_err(|error| store.fail("append rows", &error))
}

/// What a table is asked for its keys.
pub(super) fn existing(table: ChunkTable) -> &'static str {
    match table {
        ChunkTable::Requests => sql::EXISTING_KEYS,
        ChunkTable::Handshakes => sql::EXISTING_TLS_KEYS,
    }
}

/// Makes the function that reads Arrow columns, if the database has none yet.
pub(super) fn know_columns(store: &DuckDb) -> Result<(), duckdb::Error> {
    let mut columns = store.known.columns.lock().unwrap_or_else(PoisonError::into_inner);
    if !*columns {
        store.connection.register_table_function::<ArrowVTab>(COLUMNS)?;
        *columns = true;
    }
    Ok(())
}

/// Runs `insert` with each batch, which is freed as soon as it is stored. [`know_columns`] comes first.
pub(super) fn insert_each(store: &DuckDb, insert: &'static str, batches: Vec<RecordBatch>) -> Result<(), duckdb::Error> {
    for batch in batches {
        let columns = ArrowBatchRegistration::new(batch);
        store.connection.prepare_cached(insert).and_then(|mut insert| insert.execute([&columns]))?;
    }
    Ok(())
}

/// One table within a transaction.
struct Target<'a> {
    store: &'a DuckDb,
    table: ChunkTable,
    sieve: Sieve,
    seen: HashSet<Key>,
    done: Done,
}

/// What a transaction added to a table.
struct Done {
    keys: Vec<Key>,
    hashes: Vec<[u8; 32]>,
    skipped: u64,
    newest_ns: i64,
}

impl<'a> Target<'a> {
    fn new(store: &'a DuckDb, table: ChunkTable, stored_ns: i64) -> Self {
        let done = Done { keys: Vec::new(), hashes: Vec::new(), skipped: 0, newest_ns: stored_ns };
        Self { store, table, sieve: Sieve::new(existing(table), stored_ns), seen: HashSet::new(), done }
    }

    fn add(&mut self, chunk: Chunk) -> Result<(), ReplayError> {
        let sifted = self.sieve.add(self.store, chunk)?;
        self.put(sifted)
    }

    fn put(&mut self, sifted: Sifted) -> Result<(), ReplayError> {
        for chunk in sifted.chunks {
            let rows = chunk.rows();
            let last_ns = chunk.last_ns;
            let chunk = chunk
                .filter(|key| !sifted.stored.contains(&key) && self.seen.insert(key))
                .map_err(|error| ReplayError::columns(&error))?;
            self.done.skipped = self.done.skipped.saturating_add(count(rows.saturating_sub(chunk.rows())));
            if chunk.rows() == 0 {
                continue;
            }
            insert(self.store, self.table, chunk.columns)?;
            self.done.keys.extend(chunk.keys);
            self.done.hashes.extend(chunk.hashes);
            self.done.newest_ns = self.done.newest_ns.max(last_ns);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Done, ReplayError> {
        let sifted = self.sieve.settle(self.store)?;
        self.put(sifted)?;
        Ok(self.done)
    }
}

/// Time of the latest row of a table, and how many rows there are.
fn newest(store: &DuckDb, text: &'static str) -> Result<(i64, i64), ReplayError> {
    store
        .connection
        .query_row(text, [], |row| Ok((row.get(0)?, row.get(1)?)))
        .map_err(|error| store.fail("look for rows stored before", &error))
}

pub(super) fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
