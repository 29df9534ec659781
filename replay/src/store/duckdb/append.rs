//! Appending rows once: Arrow columns by INSERT from where they are, minus the rows whose key is stored already.
//!
//! Promises: all chunks of a call are stored or none; a key is never stored twice, whoever sent it; a row later than everything
//! stored costs no look-up; of any others, as many as a transaction should take share one look at the key columns of their time range,
//! so that rows that come in no order at all do not read all keys for each chunk. What is remembered of a look is bounded by the rows asked about.
//!
//! Read next: `../chunk.rs`, `sql/duckdb/queries/existing_keys.sql`.

use std::sync::{Arc, Mutex, PoisonError};

use duckdb::arrow::array::{AsArray as _, RecordBatch};
use duckdb::arrow::datatypes::Int64Type;
use duckdb::params;
use duckdb::vtab::arrow::{ArrowBatchRegistration, ArrowVTab};
use hashbrown::HashSet;

use super::{DuckDb, sql};
use crate::ReplayError;
use crate::digest::WrittenDigest;
use crate::store::Appended;
use crate::store::chunk::{CHUNKS_PER_TRANSACTION, Chunk, ChunkTable, Key};

/// What the insert statements call the function that reads Arrow columns.
const COLUMNS: &str = "ja4_columns";

/// What this connection knows of the stored rows without asking.
#[derive(Debug, Default)]
pub(super) struct Known {
    requests: Option<i64>,
    handshakes: Option<i64>,
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
}

pub(super) fn append(store: &mut DuckDb, chunks: &mut dyn Iterator<Item = Chunk>) -> Result<Appended, ReplayError> {
    let mut chunks = chunks.peekable();
    if chunks.peek().is_none() {
        return Ok(Appended::default());
    }
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
    let fail = |error: duckdb::Error| store.fail("append rows", &error);
    {
        let mut columns = store.known.columns.lock().unwrap_or_else(PoisonError::into_inner);
        if !*columns {
            store.connection.register_table_function::<ArrowVTab>(COLUMNS).map_err(fail)?;
            *columns = true;
        }
    }
    let transaction = store.connection.unchecked_transaction().map_err(fail)?;
    let mut requests = Target::new(store, sql::INSERT_REQUESTS, sql::EXISTING_KEYS, newest_request_ns);
    let mut handshakes = Target::new(store, sql::INSERT_HANDSHAKES, sql::EXISTING_TLS_KEYS, newest_handshake_ns);
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

/// One table within a transaction.
struct Target<'a> {
    store: &'a DuckDb,
    insert: &'static str,
    existing: &'static str,
    /// Latest row that was there before the transaction.
    stored_ns: i64,
    /// Chunks whose rows may be stored already; looked up together.
    waiting: Vec<Chunk>,
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
    fn new(store: &'a DuckDb, insert: &'static str, existing: &'static str, stored_ns: i64) -> Self {
        let done = Done { keys: Vec::new(), hashes: Vec::new(), skipped: 0, newest_ns: stored_ns };
        Self { store, insert, existing, stored_ns, waiting: Vec::new(), seen: HashSet::new(), done }
    }

    fn add(&mut self, chunk: Chunk) -> Result<(), ReplayError> {
        // Behind a chunk that waits, later ones wait as well: of rows that come twice the first is kept.
        if chunk.first_ns > self.stored_ns && self.waiting.is_empty() {
            return self.put(chunk, &HashSet::new());
        }
        self.waiting.push(chunk);
        if self.waiting.len() < CHUNKS_PER_TRANSACTION { Ok(()) } else { self.settle() }
    }

    /// Stores what waits, minus what is stored.
    fn settle(&mut self) -> Result<(), ReplayError> {
        let waiting = std::mem::take(&mut self.waiting);
        let stored = self.stored(&waiting)?;
        waiting.into_iter().try_for_each(|chunk| self.put(chunk, &stored))
    }

    fn put(&mut self, chunk: Chunk, stored: &HashSet<Key>) -> Result<(), ReplayError> {
        let rows = chunk.rows();
        let last_ns = chunk.last_ns;
        let chunk = chunk
            .filter(|key| !stored.contains(&key) && self.seen.insert(key))
            .map_err(|error| self.refused(&error.to_string()))?;
        self.done.skipped = self.done.skipped.saturating_add(count(rows.saturating_sub(chunk.rows())));
        if chunk.rows() == 0 {
            return Ok(());
        }
        // Read by the engine from where they are: an appender would copy them twice more, first into a collection of its own.
        let fail = |error: duckdb::Error| self.store.fail("append rows", &error);
        let columns = ArrowBatchRegistration::new(chunk.columns);
        self.store.connection.prepare_cached(self.insert).and_then(|mut insert| insert.execute([&columns])).map_err(fail)?;
        self.done.keys.extend(chunk.keys);
        self.done.hashes.extend(chunk.hashes);
        self.done.newest_ns = self.done.newest_ns.max(last_ns);
        Ok(())
    }

    /// Those keys of `chunks` that were stored before.
    fn stored(&self, chunks: &[Chunk]) -> Result<HashSet<Key>, ReplayError> {
        let early = || chunks.iter().filter(|chunk| chunk.first_ns <= self.stored_ns);
        let Some(first_ns) = early().map(|chunk| chunk.first_ns).min() else { return Ok(HashSet::new()) };
        let last_ns = early().map(|chunk| chunk.last_ns).max().unwrap_or(first_ns).min(self.stored_ns);
        let asked: HashSet<Key> = early().flat_map(|chunk| chunk.keys.iter().copied()).collect();
        let fail = |error: duckdb::Error| self.store.fail("look for rows stored before", &error);
        let mut statement = self.store.connection.prepare_cached(self.existing).map_err(fail)?;
        let mut stored = HashSet::new();
        for batch in statement.stream_arrow(params![first_ns, last_ns]).map_err(fail)? {
            stored.extend(pairs(&batch.map_err(fail)?).into_iter().filter(|key| asked.contains(key)));
        }
        Ok(stored)
    }

    fn finish(mut self) -> Result<Done, ReplayError> {
        self.settle()?;
        Ok(self.done)
    }

    fn refused(&self, detail: &str) -> ReplayError {
        ReplayError::Engine { operation: "append rows", path: self.store.path.clone(), detail: detail.to_owned() }
    }
}

/// Time of the latest row of a table, and how many rows there are.
fn newest(store: &DuckDb, text: &'static str) -> Result<(i64, i64), ReplayError> {
    store
        .connection
        .query_row(text, [], |row| Ok((row.get(0)?, row.get(1)?)))
        .map_err(|error| store.fail("look for rows stored before", &error))
}

fn pairs(batch: &RecordBatch) -> Vec<Key> {
    let [hi, lo] = batch.columns() else { return Vec::new() };
    let (Some(hi), Some(lo)) = (hi.as_primitive_opt::<Int64Type>(), lo.as_primitive_opt::<Int64Type>()) else {
        return Vec::new();
    };
    hi.values().iter().copied().zip(lo.values().iter().copied()).collect()
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use ja4_join::row::HttpLogRow;

    use super::super::{DuckDb, DuckDbOptions};
    use crate::store::{Contents, Store as _};

    #[test]
    fn an_append_that_failed_can_be_tried_again_and_another_connection_can_append() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = DuckDb::open(&folder.path().join("x.duckdb"), &DuckDbOptions::default()).unwrap();
        let row = |n: i64| HttpLogRow { row_lo: n, ts_ns: n, ..HttpLogRow::unknown() };
        // There is no table yet, which is found out only when rows are stored.
        (store.known.requests, store.known.handshakes) = (Some(0), Some(0));
        for _ in 0..2 {
            let refused = store.append(&[row(1)]).unwrap_err().to_string();
            assert!(refused.contains("http_logs"), "{refused}");
        }
        store.migrate().unwrap();
        assert_eq!(store.append(&[row(1)]).unwrap().added, 1);
        let mut other = store.sibling().unwrap();
        assert_eq!(other.append(&[row(1), row(2)]).unwrap().added, 1);
        assert_eq!(store.append(&[row(3)]).unwrap().added, 1);
    }

    #[test]
    fn rows_that_come_in_no_order_and_twice_are_stored_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = DuckDb::open(&folder.path().join("x.duckdb"), &DuckDbOptions::default()).unwrap();
        store.migrate().unwrap();
        // Enough chunks that some wait for others, and more than one look is taken.
        let rows: Vec<HttpLogRow> = (0..130_000_i64)
            .map(|n| HttpLogRow {
                row_hi: n,
                row_lo: n * 7,
                ts_ns: (n * 7_919) % 130_003,
                src_ip: "192.0.2.1".into(),
                ..HttpLogRow::unknown()
            })
            .collect();
        let first = rows.get(..20_000).unwrap();
        let added = |store: &mut DuckDb, rows: &[HttpLogRow]| {
            let done = store.append(rows).unwrap();
            (done.added, done.skipped)
        };
        assert_eq!(added(&mut store, first), (20_000, 0));
        assert_eq!(added(&mut store, &rows), (110_000, 20_000));
        assert_eq!(added(&mut store, &[first, first].concat()), (0, 40_000));
        let mut at_once = DuckDb::open(&folder.path().join("y.duckdb"), &DuckDbOptions::default()).unwrap();
        at_once.migrate().unwrap();
        assert_eq!(added(&mut at_once, &[&rows, first].concat()), (130_000, 20_000));
        assert_eq!(store.digest(Contents::Rows).unwrap(), at_once.digest(Contents::Rows).unwrap());
    }
}
