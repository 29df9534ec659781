//! Reading: one statement in, Arrow batches out; and digests of whole tables, streamed.
//!
//! Promises: only statements that read are run; a digest never holds more than keys and hashes in memory.
//!
//! Read next: `../../digest.rs`.

use duckdb::arrow::array::RecordBatch;

use super::DuckDb;
use crate::ReplayError;
use crate::digest::TableDigest;
use crate::store::read_only;

pub(super) fn query(store: &DuckDb, sql: &str) -> Result<Vec<RecordBatch>, ReplayError> {
    read_only::check(sql)?;
    let fail = |error: duckdb::Error| store.fail("query", &error);
    let mut statement = store.connection.prepare(sql).map_err(fail)?;
    let arrow = statement.stream_arrow([]).map_err(fail)?;
    let schema = arrow.get_schema();
    let mut batches = arrow.collect::<Result<Vec<RecordBatch>, _>>().map_err(fail)?;
    if batches.is_empty() {
        batches.push(RecordBatch::new_empty(schema));
    }
    Ok(batches)
}

pub(super) fn ask(store: &DuckDb, sql: &str, values: &[&str]) -> Result<Vec<RecordBatch>, ReplayError> {
    let fail = |error: duckdb::Error| store.fail("query", &error);
    let mut statement = store.connection.prepare(sql).map_err(fail)?;
    let arrow = statement.stream_arrow(duckdb::params_from_iter(values.iter())).map_err(fail)?;
    arrow.collect::<Result<_, _>>().map_err(fail)
}

pub(super) fn change(store: &DuckDb, text: &str, values: &[&str]) -> Result<(), ReplayError> {
    let fail = |error: duckdb::Error| store.fail("change data", &error);
    let transaction = store.connection.unchecked_transaction().map_err(fail)?;
    for statement in crate::store::statements(text) {
        transaction.execute(&statement, duckdb::params_from_iter(values.iter())).map_err(fail)?;
    }
    transaction.commit().map_err(fail)
}

impl DuckDb {
    /// Digest of the rows that `sql` (a text of ours) gives; its first `key_columns` columns are the key.
    ///
    /// # Errors
    /// The engine's refusal, or a column type that has no canonical form.
    pub(super) fn table_digest(&self, sql: &'static str, key_columns: usize) -> Result<String, ReplayError> {
        let fail = |error: duckdb::Error| self.fail("digest", &error);
        let mut statement = self.connection.prepare(sql).map_err(fail)?;
        let mut digest = TableDigest::new();
        for batch in statement.stream_arrow([]).map_err(fail)? {
            let batch = batch.map_err(fail)?;
            digest.add(&batch, key_columns).map_err(|error| ReplayError::Engine {
                operation: "digest",
                path: self.path.clone(),
                detail: error.to_string(),
            })?;
        }
        Ok(digest.finish())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use duckdb::arrow::array::{AsArray as _, RecordBatch};
    use duckdb::arrow::datatypes::Int64Type;

    use super::super::{DuckDb, DuckDbOptions};
    use crate::ReplayError;
    use crate::store::Store as _;

    #[test]
    fn an_answer_of_many_rows_comes_in_the_order_it_was_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let store =
            DuckDb::open(&folder.path().join("x.duckdb"), &DuckDbOptions { threads: 2, ..DuckDbOptions::default() }).unwrap();
        let text = "SELECT n FROM (SELECT CAST((i * 7919) % 400000 AS BIGINT) AS n FROM range(400000) AS r(i)) ORDER BY n";
        for _ in 0..3 {
            let numbers = store.query(text).unwrap();
            let numbers = numbers.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec());
            assert!(numbers.eq(0..400_000));
        }
    }

    #[test]
    fn a_statement_that_would_run_for_days_is_stopped_and_the_next_one_answers() {
        let folder = tempfile::tempdir().unwrap();
        let store = DuckDb::open(&folder.path().join("a.duckdb"), &DuckDbOptions::default()).unwrap();
        let (stopper, over) = (store.interrupter(), Arc::new(AtomicBool::new(false)));
        let seen = Arc::clone(&over);
        let asking = std::thread::spawn(move || {
            while !seen.load(Ordering::Acquire) {
                stopper.interrupt();
                std::thread::yield_now();
            }
        });
        let long = "SELECT count(*) FROM range(100000000) a, range(100000000) b WHERE (a.range * b.range) % 7 = 3";
        let stopped = store.query(long);
        over.store(true, Ordering::Release);
        asking.join().unwrap();
        assert!(matches!(&stopped, Err(ReplayError::Interrupted { .. })), "{stopped:?}");
        // With nothing running it does nothing, also not to what comes next.
        store.interrupter().interrupt();
        assert_eq!(store.query("SELECT 1").unwrap().iter().map(RecordBatch::num_rows).sum::<usize>(), 1);
    }
}
