//! Appending rows once: keys that are stored already are left out, the rest goes as one block a day under a token of its keys.
//!
//! Promises: a row key is never stored twice, whoever sent it and however often; the rows of one day are stored whole or not at
//! all, and a call that failed may be repeated: what was stored is recognised, what an earlier attempt is still storing has the
//! same token and is dropped by the server.
//!
//! Read next: `../chunk.rs`, `sql/clickhouse/queries/existing_keys.sql`, `sql/README.md` (deduplication through views).

use std::collections::BTreeMap;

use duckdb::arrow::array::{AsArray as _, RecordBatch};
use duckdb::arrow::datatypes::Int64Type;
use hashbrown::HashSet;
use sha2::{Digest as _, Sha256};

use super::wire::Call;
use super::{ClickHouse, sql};
use crate::ReplayError;
use crate::digest::hex;
use crate::store::chunk::{Chunk, ChunkTable, Key};
use crate::store::{Appended, TableName};

/// One partition of the tables.
const DAY_NS: i64 = 86_400_000_000_000;

pub(super) fn append(store: &ClickHouse, chunks: &mut dyn Iterator<Item = Chunk>) -> Result<Appended, ReplayError> {
    let (requests, handshakes): (Vec<Chunk>, Vec<Chunk>) = chunks.partition(|chunk| chunk.table == ChunkTable::Requests);
    let done = once(store, sql::HTTP_LOGS, sql::EXISTING_KEYS, requests)?;
    once(store, sql::TLS_ONLY, sql::EXISTING_TLS_KEYS, handshakes)?;
    Ok(done)
}

/// Rows of one table and one UTC day: one partition, so the server stores them whole or not at all.
#[derive(Default)]
struct Day {
    batches: Vec<RecordBatch>,
    keys: Vec<Key>,
}

fn once(store: &ClickHouse, table: TableName, existing: &'static str, chunks: Vec<Chunk>) -> Result<Appended, ReplayError> {
    let Some(first_ns) = chunks.iter().filter(|chunk| chunk.rows() > 0).map(|chunk| chunk.first_ns).min() else {
        return Ok(Appended::default());
    };
    let last_ns = chunks.iter().map(|chunk| chunk.last_ns).max().unwrap_or(first_ns);
    let mut known = stored_keys(store, existing, first_ns, last_ns)?;
    let mut done = Appended::default();
    let mut days: BTreeMap<i64, Day> = BTreeMap::new();
    for chunk in chunks {
        let rows = chunk.rows();
        let fresh = chunk.filter(|key| known.insert(key)).map_err(|error| ReplayError::columns(&error))?;
        done.skipped = done.skipped.saturating_add(count(rows.saturating_sub(fresh.rows())));
        for (number, part) in by_day(fresh)? {
            let day = days.entry(number).or_default();
            day.keys.extend(part.keys);
            day.batches.push(part.columns);
        }
    }
    for day in days.into_values() {
        let rows = count(day.keys.len());
        store.wire.insert("append rows", sql::insert(&sql::name(table), &day.batches), settings(&day), day.batches)?;
        done.added = done.added.saturating_add(rows);
    }
    Ok(done)
}

/// The rows of a chunk by day; almost always there is one.
fn by_day(chunk: Chunk) -> Result<Vec<(i64, Chunk)>, ReplayError> {
    if chunk.rows() == 0 {
        return Ok(Vec::new());
    }
    let (first, last) = (chunk.first_ns.div_euclid(DAY_NS), chunk.last_ns.div_euclid(DAY_NS));
    if first == last {
        return Ok(vec![(first, chunk)]);
    }
    let times = chunk.columns.column_by_name("ts_ns").and_then(|column| column.as_primitive_opt::<Int64Type>().cloned());
    let times = times.ok_or_else(|| ReplayError::Columns("a chunk lacks ts_ns".to_owned()))?;
    let mut numbers: Vec<i64> = times.values().iter().map(|ts_ns| ts_ns.div_euclid(DAY_NS)).collect();
    let of_row = numbers.clone();
    numbers.sort_unstable();
    numbers.dedup();
    let part = |number: i64| {
        let mut row_days = of_row.iter();
        // The filter asks once a row, in order.
        let part = chunk.clone().filter(|_| row_days.next() == Some(&number)).map_err(|error| ReplayError::columns(&error))?;
        Ok((number, part))
    };
    numbers.into_iter().map(part).collect()
}

/// Keys stored in a time range, both ends included.
fn stored_keys(store: &ClickHouse, text: &'static str, first_ns: i64, last_ns: i64) -> Result<HashSet<Key>, ReplayError> {
    let call =
        Call::new("look for rows stored before", sql::numbered(text)).texts(&[&first_ns.to_string(), &last_ns.to_string()]);
    store.wire.fetch(call.setting(SAME_REPLICA.0, SAME_REPLICA.1), HashSet::new(), |keys, batch| {
        let [high, low] = batch.columns() else { return Err("keys have two columns".to_owned()) };
        let halves = high.as_primitive_opt::<Int64Type>().zip(low.as_primitive_opt::<Int64Type>());
        let (high, low) = halves.ok_or_else(|| "a key is no BIGINT".to_owned())?;
        debug_assert_eq!(high.len(), low.len());
        keys.extend(high.values().iter().copied().zip(low.values().iter().copied()));
        Ok(())
    })
}

/// Of each shard of a cluster the same replica is asked for keys and given rows, so that it knows what it was given before.
const SAME_REPLICA: (&str, &str) = ("load_balancing", "in_order");

/// More rows than a call ever has: all of them are squashed into one block, and one block of one day is stored whole or not at all.
const BLOCK_ROWS: &str = "1048576";

fn settings(day: &Day) -> Vec<(&'static str, String)> {
    let mut settings = vec![("insert_deduplication_token", token(&day.keys))];
    let constant = [
        // Without it the partial sums behind the views count a retried block again.
        ("deduplicate_blocks_in_dependent_materialized_views", "1"),
        ("insert_deduplicate", "1"),
        ("async_insert", "0"),
        ("max_insert_block_size", BLOCK_ROWS),
        ("min_insert_block_size_rows", BLOCK_ROWS),
        ("min_insert_block_size_bytes", "0"),
        ("max_insert_threads", "1"),
        // A Distributed table hands on at once, with the token.
        ("insert_distributed_sync", "1"),
        SAME_REPLICA,
    ];
    settings.extend(constant.map(|(name, value)| (name, value.to_owned())));
    settings
}

/// Names a block by the keys it holds, in their order.
fn token(keys: &[Key]) -> String {
    let mut hash = Sha256::new();
    for (high, low) in keys {
        hash.update(high.to_le_bytes());
        hash.update(low.to_le_bytes());
    }
    hex(&hash.finalize())
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use ja4_join::row::HttpLogRow;

    use super::*;

    #[test]
    fn a_chunk_over_midnight_becomes_one_block_a_day_in_row_order() {
        let times = [DAY_NS - 1, DAY_NS, 3, DAY_NS + 5, -1];
        let rows: Vec<HttpLogRow> =
            times.iter().zip(1..).map(|(ts_ns, row_lo)| HttpLogRow { ts_ns: *ts_ns, row_lo, ..HttpLogRow::unknown() }).collect();
        let parts = by_day(Chunk::of_requests(&rows).unwrap()).unwrap();
        let keys: Vec<(i64, Vec<i64>)> =
            parts.iter().map(|(day, part)| (*day, part.keys.iter().map(|key| key.1).collect())).collect();
        assert_eq!(keys, [(-1, vec![5]), (0, vec![1, 3]), (1, vec![2, 4])]);
        assert!(parts.iter().all(|(_, part)| part.columns.num_rows() == part.keys.len()));
    }

    #[test]
    fn a_token_depends_on_every_key_and_on_their_order() {
        assert_ne!(token(&[(1, 2), (3, 4)]), token(&[(3, 4), (1, 2)]));
        assert_ne!(token(&[(1, 2)]), token(&[(2, 1)]));
        assert_eq!(token(&[(1, 2)]), token(&[(1, 2)]));
    }
}
