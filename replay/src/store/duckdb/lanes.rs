//! Storing a stream of rows on two connections: while one transaction is compressed and committed, the next one takes rows.
//!
//! Promises: each row is stored once, and rows are cut into transactions alike in every run; which of two neighbouring transactions comes first
//! in the file is left to time, and nothing that is read back depends on it. After a refusal whole transactions are kept, and the rest of
//! the rows may be given again. Two transactions are under way at most, and hold at most two chunks that wait.
//!
//! Read next: `append.rs` (one transaction), `sieve.rs`, `../filling.rs`.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use duckdb::arrow::array::RecordBatch;
use hashbrown::HashSet;

use super::DuckDb;
use super::append::{self, count};
use super::sieve::{Sieve, Sifted};
use crate::ReplayError;
use crate::store::Appended;
use crate::store::chunk::{Chunk, ChunkTable, Key};
use crate::store::filling::Filling;

/// Connections that store.
const LANES: usize = 2;

/// Chunks that may wait for the connection that takes rows.
const CHUNKS_WAITING: usize = 1;

/// What a lane is told.
enum Order {
    Put(ChunkTable, RecordBatch),
    Commit,
}

/// A lane's number, and whether its transaction was committed.
type Report = (usize, Result<(), ReplayError>);

pub(super) fn append_stream(store: &mut DuckDb, chunks: &mut dyn Iterator<Item = Chunk>) -> Result<Appended, ReplayError> {
    let mut chunks = chunks.peekable();
    if chunks.peek().is_none() {
        return Ok(Appended::default());
    }
    let (newest_request_ns, newest_handshake_ns) = append::prepare(store)?;
    let connections = (0..LANES).map(|_| store.beside()).collect::<Result<Vec<_>, _>>()?;
    let stored = thread::scope(|scope| {
        // Each lane reports once for what it was given, so that none ever waits for this.
        let (reports, reported) = sync_channel(LANES);
        let lanes = connections.into_iter().enumerate().map(|(number, connection)| {
            let (orders, taken) = sync_channel(CHUNKS_WAITING);
            let reports = reports.clone();
            scope.spawn(move || serve(&connection, number, &taken, &reports));
            orders
        });
        let mut stream = Stream {
            lanes: lanes.collect(),
            reported,
            free: (0..LANES).collect(),
            sieves: [
                Sieve::new(append::existing(ChunkTable::Requests), newest_request_ns),
                Sieve::new(append::existing(ChunkTable::Handshakes), newest_handshake_ns),
            ],
            open: VecDeque::new(),
            done: Appended::default(),
            store: &mut *store,
        };
        // The lanes keep senders of their own; one that is dead must be noticed.
        drop(reports);
        chunks.try_for_each(|chunk| stream.take(chunk)).and_then(|()| stream.finish())
    });
    if stored.is_err() {
        store.known.forget();
    }
    stored
}

/// Stores one transaction after the other, until nobody orders any more. What is not committed by then is rolled back.
fn serve(store: &DuckDb, number: usize, orders: &Receiver<Order>, reports: &SyncSender<Report>) {
    while let Ok(first) = orders.recv() {
        let done = transact(store, first, orders).transpose();
        let Some(done) = done else { return };
        let failed = done.is_err();
        if reports.send((number, done)).is_err() || failed {
            return;
        }
    }
}

/// `None` when the orders end without a commit.
fn transact(store: &DuckDb, first: Order, orders: &Receiver<Order>) -> Result<Option<()>, ReplayError> {
    let fail = |error: duckdb::Error| store.fail("append rows", &error);
    let transaction = store.connection.unchecked_transaction().map_err(fail)?;
    let mut order = first;
    loop {
        match order {
            Order::Put(table, columns) => append::insert(store, table, columns)?,
            Order::Commit => return transaction.commit().map(Some).map_err(fail),
        }
        let Ok(next) = orders.recv() else { return Ok(None) };
        order = next;
    }
}

/// A transaction that is not known to be committed.
struct Open {
    lane: usize,
    filling: Filling,
    /// Of each table.
    tables: [UnderWay; 2],
    /// Requests in order, for the digest of what was written.
    written: (Vec<Key>, Vec<[u8; 32]>),
}

/// Rows of a table in such a transaction.
struct UnderWay {
    keys: HashSet<Key>,
    newest_ns: i64,
}

impl Default for UnderWay {
    fn default() -> Self {
        Self { keys: HashSet::new(), newest_ns: i64::MIN }
    }
}

struct Stream<'a> {
    store: &'a mut DuckDb,
    lanes: Vec<SyncSender<Order>>,
    reported: Receiver<Report>,
    free: VecDeque<usize>,
    /// Of each table.
    sieves: [Sieve; 2],
    /// Oldest first; only the last one takes rows.
    open: VecDeque<Open>,
    done: Appended,
}

impl Stream<'_> {
    fn take(&mut self, chunk: Chunk) -> Result<(), ReplayError> {
        while let Ok(report) = self.reported.try_recv() {
            self.committed(report)?;
        }
        let [requests, handshakes] = &mut self.sieves;
        let sifted = match chunk.table {
            ChunkTable::Requests => requests.add(self.store, chunk)?,
            ChunkTable::Handshakes => handshakes.add(self.store, chunk)?,
        };
        self.put(sifted)
    }

    fn put(&mut self, sifted: Sifted) -> Result<(), ReplayError> {
        // All are held against what is under way before any is stored: while they are, a transaction may end whose rows the look-up did not see.
        for chunk in self.new_rows(sifted)? {
            let mut rest = Some(chunk);
            while let Some(chunk) = rest.take() {
                let room = self.filling()?.room(chunk.table);
                let (chunk, more) = chunk.split(room);
                self.order(chunk)?;
                rest = more;
            }
        }
        Ok(())
    }

    /// The rows that are neither stored, nor under way, nor twice among themselves.
    fn new_rows(&mut self, sifted: Sifted) -> Result<Vec<Chunk>, ReplayError> {
        let mut here = HashSet::new();
        let mut kept = Vec::with_capacity(sifted.chunks.len());
        for chunk in sifted.chunks {
            let (table, rows) = (place(chunk.table), count(chunk.rows()));
            let under_way: Vec<&HashSet<Key>> = self
                .open
                .iter()
                .filter_map(|open| open.tables.get(table))
                .filter(|open| open.newest_ns >= chunk.first_ns)
                .map(|open| &open.keys)
                .collect();
            let new =
                |key: Key| !sifted.stored.contains(&key) && !under_way.iter().any(|keys| keys.contains(&key)) && here.insert(key);
            let chunk = chunk.filter(new).map_err(|error| ReplayError::columns(&error))?;
            if chunk.table == ChunkTable::Requests {
                self.done += Appended { added: count(chunk.rows()), skipped: rows.saturating_sub(count(chunk.rows())) };
            }
            if chunk.rows() > 0 {
                kept.push(chunk);
            }
        }
        Ok(kept)
    }

    /// How full the transaction is that takes rows; begins one if none does.
    fn filling(&mut self) -> Result<Filling, ReplayError> {
        if let Some(open) = self.open.back().filter(|open| !open.filling.is_full()) {
            return Ok(open.filling);
        }
        while self.free.is_empty() {
            let report = self.reported.recv().map_err(|_| ReplayError::Worker("the thread that stores"))?;
            self.committed(report)?;
        }
        let lane = self.free.pop_front().unwrap_or_default();
        self.open.push_back(Open {
            lane,
            filling: Filling::default(),
            tables: [UnderWay::default(), UnderWay::default()],
            written: (Vec::new(), Vec::new()),
        });
        Ok(Filling::default())
    }

    /// Has rows stored that are known to be new, and the transaction committed if that makes it full.
    fn order(&mut self, chunk: Chunk) -> Result<(), ReplayError> {
        let Some(open) = self.open.back_mut() else { return Ok(()) };
        let table = place(chunk.table);
        open.filling.add(chunk.table, chunk.rows());
        if let Some(under_way) = open.tables.get_mut(table) {
            under_way.keys.extend(chunk.keys.iter().copied());
            under_way.newest_ns = under_way.newest_ns.max(chunk.last_ns);
        }
        if chunk.table == ChunkTable::Requests {
            open.written.0.extend(chunk.keys);
            open.written.1.extend(chunk.hashes);
        }
        let (lane, full) = (open.lane, open.filling.is_full());
        self.tell(lane, Order::Put(chunk.table, chunk.columns))?;
        if full { self.tell(lane, Order::Commit) } else { Ok(()) }
    }

    /// A lane that does not listen has failed, and has said why.
    fn tell(&mut self, lane: usize, order: Order) -> Result<(), ReplayError> {
        if self.lanes.get(lane).is_some_and(|lane| lane.send(order).is_ok()) {
            return Ok(());
        }
        loop {
            let report = self.reported.recv().map_err(|_| ReplayError::Worker("the thread that stores"))?;
            self.committed(report)?;
        }
    }

    /// Only what is committed is known to be stored.
    fn committed(&mut self, (lane, done): Report) -> Result<(), ReplayError> {
        done?;
        let Some(open) = self.open.iter().position(|open| open.lane == lane).and_then(|place| self.open.remove(place)) else {
            return Ok(());
        };
        self.free.push_back(lane);
        for (sieve, committed) in self.sieves.iter_mut().zip(&open.tables) {
            sieve.stored_ns = sieve.stored_ns.max(committed.newest_ns);
        }
        let (keys, hashes) = open.written;
        let kept = self.store.known.written.as_mut().is_some_and(|written| written.add(&keys, &hashes));
        if !kept {
            self.store.known.written = None;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Appended, ReplayError> {
        for table in 0..self.sieves.len() {
            let Some(sieve) = self.sieves.get_mut(table) else { continue };
            let sifted = sieve.settle(self.store)?;
            self.put(sifted)?;
        }
        if let Some(lane) = self.open.back().filter(|open| !open.filling.is_full()).map(|open| open.lane) {
            self.tell(lane, Order::Commit)?;
        }
        while !self.open.is_empty() {
            let report = self.reported.recv().map_err(|_| ReplayError::Worker("the thread that stores"))?;
            self.committed(report)?;
        }
        let [requests, handshakes] = &self.sieves;
        (self.store.known.requests, self.store.known.handshakes) = (Some(requests.stored_ns), Some(handshakes.stored_ns));
        Ok(self.done)
    }
}

/// Which of two a table is.
fn place(table: ChunkTable) -> usize {
    match table {
        ChunkTable::Requests => 0,
        ChunkTable::Handshakes => 1,
    }
}
