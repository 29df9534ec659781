//! Which of the rows that come are stored already: asked of the store only where their time says that they may be.
//!
//! Promises: a row later than everything stored costs no look-up; of any others, as many as a transaction takes share one look at the
//! key columns of their time range, so that rows that come in no order at all do not read all keys for each chunk. What is remembered of a
//! look is bounded by the rows asked about. Chunks come out in the order in which they went in, so that of rows that come twice the first is kept.
//!
//! Read next: `sql/duckdb/queries/existing_keys.sql`, `append.rs` and `lanes.rs` (who use it).

use duckdb::arrow::array::{AsArray as _, RecordBatch};
use duckdb::arrow::datatypes::Int64Type;
use duckdb::params;
use hashbrown::HashSet;

use super::DuckDb;
use crate::ReplayError;
use crate::store::chunk::{Chunk, Key, TRANSACTION_ROWS};

/// What is known of the rows that a table holds.
#[derive(Debug)]
pub(super) struct Sieve {
    existing: &'static str,
    /// The latest row that is stored; later ones cannot be.
    pub(super) stored_ns: i64,
    /// Chunks whose rows may be stored already; looked up together.
    waiting: Vec<Chunk>,
    rows_waiting: usize,
}

/// Chunks whose rows are not among `stored`, if they are not among those of transactions that are not committed yet.
#[derive(Debug, Default)]
pub(super) struct Sifted {
    pub(super) chunks: Vec<Chunk>,
    pub(super) stored: HashSet<Key>,
}

impl Sieve {
    pub(super) fn new(existing: &'static str, stored_ns: i64) -> Self {
        Self { existing, stored_ns, waiting: Vec::new(), rows_waiting: 0 }
    }

    /// Takes a chunk; gives those that need wait no longer.
    pub(super) fn add(&mut self, store: &DuckDb, chunk: Chunk) -> Result<Sifted, ReplayError> {
        // Behind a chunk that waits, later ones wait as well.
        if chunk.first_ns > self.stored_ns && self.waiting.is_empty() {
            return Ok(Sifted { chunks: vec![chunk], stored: HashSet::new() });
        }
        self.rows_waiting = self.rows_waiting.saturating_add(chunk.rows());
        self.waiting.push(chunk);
        if self.rows_waiting < TRANSACTION_ROWS { Ok(Sifted::default()) } else { self.settle(store) }
    }

    /// All that waits, looked up.
    pub(super) fn settle(&mut self, store: &DuckDb) -> Result<Sifted, ReplayError> {
        self.rows_waiting = 0;
        let chunks = std::mem::take(&mut self.waiting);
        Ok(Sifted { stored: self.stored(store, &chunks)?, chunks })
    }

    /// Those keys of `chunks` that are stored.
    fn stored(&self, store: &DuckDb, chunks: &[Chunk]) -> Result<HashSet<Key>, ReplayError> {
        let early = || chunks.iter().filter(|chunk| chunk.first_ns <= self.stored_ns);
        let Some(first_ns) = early().map(|chunk| chunk.first_ns).min() else { return Ok(HashSet::new()) };
        let last_ns = early().map(|chunk| chunk.last_ns).max().unwrap_or(first_ns).min(self.stored_ns);
        let asked: HashSet<Key> = early().flat_map(|chunk| chunk.keys.iter().copied()).collect();
        let fail = |error: duckdb::Error| store.fail("look for rows stored before", &error);
        let mut statement = store.connection.prepare_cached(self.existing).map_err(fail)?;
        let mut stored = HashSet::new();
        for batch in statement.stream_arrow(params![first_ns, last_ns]).map_err(fail)? {
            stored.extend(pairs(&batch.map_err(fail)?).into_iter().filter(|key| asked.contains(key)));
        }
        Ok(stored)
    }
}

fn pairs(batch: &RecordBatch) -> Vec<Key> {
    let [hi, lo] = batch.columns() else { return Vec::new() };
    let (Some(hi), Some(lo)) = (hi.as_primitive_opt::<Int64Type>(), lo.as_primitive_opt::<Int64Type>()) else {
        return Vec::new();
    };
    hi.values().iter().copied().zip(lo.values().iter().copied()).collect()
}
