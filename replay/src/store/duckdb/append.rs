//! Appending rows once: by Arrow through the appender, minus those whose key is stored already.
//!
//! Promises: all rows of a call are stored or none; a row key is never stored twice, whoever sent it; the cost of a fresh
//! import is one pruned look at the key columns of the batch's time range.
//!
//! Read next: `../batch.rs`, `sql/duckdb/queries/existing_keys.sql`.

use duckdb::params;
use hashbrown::HashSet;
use ja4_join::row::HttpLogRow;

use super::{DuckDb, sql};
use crate::ReplayError;
use crate::store::{Appended, batch};

/// Rows per data chunk handed over; bounds the memory of one call.
const CHUNK_ROWS: usize = 16_384;

pub(super) fn append(store: &mut DuckDb, rows: &[HttpLogRow]) -> Result<Appended, ReplayError> {
    let Some((first_ns, last_ns)) = time_range(rows) else { return Ok(Appended::default()) };
    let mut known = existing_keys(store, first_ns, last_ns)?;
    let fresh: Vec<&HttpLogRow> = rows.iter().filter(|row| known.insert((row.row_hi, row.row_lo))).collect();
    let skipped = rows.len().saturating_sub(fresh.len());
    write(store, &fresh)?;
    Ok(Appended { added: count(fresh.len()), skipped: count(skipped) })
}

fn write(store: &DuckDb, rows: &[&HttpLogRow]) -> Result<(), ReplayError> {
    if rows.is_empty() {
        return Ok(());
    }
    let fail = |error: duckdb::Error| store.fail("append rows", &error);
    let transaction = store.connection.unchecked_transaction().map_err(fail)?;
    {
        let mut appender = transaction.appender_to_db(sql::HTTP_LOGS.table, sql::HTTP_LOGS.schema).map_err(fail)?;
        for chunk in rows.chunks(CHUNK_ROWS) {
            let record_batch = batch::record_batch(chunk.iter().copied()).map_err(|error| ReplayError::Engine {
                operation: "append rows",
                path: store.path.clone(),
                detail: error.to_string(),
            })?;
            appender.append_record_batch(record_batch).map_err(fail)?;
        }
        appender.flush().map_err(fail)?;
    }
    transaction.commit().map_err(fail)
}

fn existing_keys(store: &DuckDb, first_ns: i64, last_ns: i64) -> Result<HashSet<(i64, i64)>, ReplayError> {
    let fail = |error: duckdb::Error| store.fail("look for rows stored before", &error);
    let mut statement = store.connection.prepare_cached(sql::EXISTING_KEYS).map_err(fail)?;
    let mut keys = HashSet::new();
    let rows = statement.query_map(params![first_ns, last_ns], |row| Ok((row.get(0)?, row.get(1)?))).map_err(fail)?;
    for key in rows {
        keys.insert(key.map_err(fail)?);
    }
    Ok(keys)
}

fn time_range(rows: &[HttpLogRow]) -> Option<(i64, i64)> {
    let first = rows.iter().map(|row| row.ts_ns).min()?;
    let last = rows.iter().map(|row| row.ts_ns).max()?;
    Some((first, last))
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
