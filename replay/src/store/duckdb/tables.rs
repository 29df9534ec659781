//! The small tables beside the requests: what was imported, handshakes without a request, runs, scores.
//!
//! Promises: each call is one transaction; scores of a window range are replaced as a whole, so that a reader sees the old
//! or the new ones and never a mixture.
//!
//! Read next: `sql/duckdb/0001_init.sql` (the columns).

use duckdb::arrow::array::RecordBatch;
use duckdb::params;
use ja4_join::row::Text;
use serde::{Deserialize, Serialize};

use super::{DuckDb, append, sql};
use crate::ReplayError;
use crate::store::TableName;

/// Values that one statement takes: each statement looks through the table once.
const VALUES_AT_ONCE: usize = 512;

/// How far an input got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InputState {
    /// All of it is stored.
    Complete,
    /// A replay of it began and did not end.
    Started,
}

impl InputState {
    pub(in crate::store) fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Started => "started",
        }
    }
}

/// One imported file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputRecord {
    /// SHA-256 of its bytes and of the settings that shape its rows.
    pub content_hash: String,
    /// `capture` or `http_log`.
    pub kind: String,
    /// File name without folder.
    pub name: String,
    /// Size in bytes as stored on disk.
    pub bytes: i64,
    /// Packets or log records read.
    pub records: i64,
    /// Records that could not be read.
    pub damaged: i64,
    /// How far it got.
    pub state: InputState,
    /// First event time.
    pub first_ns: i64,
    /// Last event time.
    pub last_ns: i64,
    /// Clock of this log against the captures.
    pub skew_ns: i64,
    /// The run that imported it.
    pub run_id: String,
    /// Anything else, as JSON.
    pub detail: String,
}

/// One command that changed the store.
#[derive(Debug, Clone, Default)]
pub struct RunRecord {
    /// Identity of the run.
    pub run_id: String,
    /// Command name.
    pub command: String,
    /// Settings, as JSON.
    pub config: String,
    /// Digests; empty where not computed.
    pub rows_digest: String,
    /// See `rows_digest`.
    pub features_digest: String,
    /// See `rows_digest`.
    pub scores_digest: String,
    /// Counters, as JSON.
    pub counters: String,
    /// Wall clock of the driver.
    pub started_ns: i64,
    /// Wall clock of the driver.
    pub finished_ns: i64,
}

/// A handshake that no request was joined to; see the table's columns.
#[derive(Debug, Clone)]
pub struct TlsOnlyRow {
    /// When the ClientHello was complete.
    pub ts_ns: i64,
    /// Key: upper and lower half.
    pub key: (i64, i64),
    /// Client address, server address, protocol, SNI, ALPN, JA3, JA4, JA4_r, JA4S, JA4T, TCP options.
    pub texts: [Text; 11],
    /// Client port, server port, TLS version, TTL, window, MSS, window scale.
    pub ints: [i64; 7],
}

impl DuckDb {
    /// Every imported file.
    pub(super) fn read_inputs(&self) -> Result<Vec<InputRecord>, ReplayError> {
        let fail = |error: duckdb::Error| self.fail("read the list of inputs", &error);
        let mut statement = self.connection.prepare(sql::INPUTS).map_err(fail)?;
        let rows = statement.query_map([], |row| {
            let state: String = row.get(6)?;
            Ok(InputRecord {
                content_hash: row.get(0)?,
                kind: row.get(1)?,
                name: row.get(2)?,
                bytes: row.get(3)?,
                records: row.get(4)?,
                damaged: row.get(5)?,
                state: if state == "complete" { InputState::Complete } else { InputState::Started },
                first_ns: row.get(7)?,
                last_ns: row.get(8)?,
                skew_ns: row.get(9)?,
                run_id: row.get(10)?,
                detail: row.get(11)?,
            })
        });
        rows.and_then(Iterator::collect).map_err(fail)
    }

    /// Records inputs, replacing earlier records of the same content.
    pub(super) fn write_inputs(&self, inputs: &[InputRecord]) -> Result<(), ReplayError> {
        let fail = |error: duckdb::Error| self.fail("record the inputs", &error);
        let transaction = self.connection.unchecked_transaction().map_err(fail)?;
        for input in inputs {
            transaction.execute(sql::FORGET_INPUT, params![input.content_hash, input.kind]).map_err(fail)?;
            transaction
                .execute(
                    sql::RECORD_INPUT,
                    params![
                        input.content_hash,
                        input.kind,
                        input.name,
                        input.bytes,
                        input.records,
                        input.damaged,
                        input.state.as_str(),
                        input.first_ns,
                        input.last_ns,
                        input.skew_ns,
                        input.run_id,
                        input.detail
                    ],
                )
                .map_err(fail)?;
        }
        transaction.commit().map_err(fail)
    }

    /// Records a run, replacing an earlier record of the same id.
    pub(super) fn write_run(&self, run: &RunRecord) -> Result<(), ReplayError> {
        let fail = |error: duckdb::Error| self.fail("record the run", &error);
        let transaction = self.connection.unchecked_transaction().map_err(fail)?;
        transaction.execute(sql::FORGET_RUN, params![run.run_id]).map_err(fail)?;
        transaction
            .execute(
                sql::RECORD_RUN,
                params![
                    run.run_id,
                    run.command,
                    env!("CARGO_PKG_VERSION"),
                    run.config,
                    run.rows_digest,
                    run.features_digest,
                    run.scores_digest,
                    run.counters,
                    run.started_ns,
                    run.finished_ns,
                    "complete"
                ],
            )
            .map_err(fail)?;
        transaction.commit().map_err(fail)
    }

    /// Replaces the scores of windows `first_ms..=last_ms` by `batches` (columns of `ml_all_scores`, in order).
    pub(super) fn replace_windows(&self, first_ms: i64, last_ms: i64, batches: Vec<RecordBatch>) -> Result<(), ReplayError> {
        let fail = |error: duckdb::Error| self.fail("write scores", &error);
        // Outside the transaction: it is of the database, and stays when scores cannot be written.
        append::know_columns(self).map_err(fail)?;
        let transaction = self.connection.unchecked_transaction().map_err(fail)?;
        transaction.execute(sql::FORGET_SCORES, params![first_ms, last_ms]).map_err(fail)?;
        transaction.execute(sql::FORGET_ANOMALIES, params![first_ms, last_ms]).map_err(fail)?;
        append::insert_each(self, sql::INSERT_SCORES, batches).map_err(fail)?;
        transaction.execute(sql::KEEP_ANOMALIES, params![first_ms, last_ms]).map_err(fail)?;
        transaction.commit().map_err(fail)
    }

    /// Runs changing statements in one transaction.
    pub(super) fn change_rows(&self, statements: &[(&str, &[&str])]) -> Result<(), ReplayError> {
        let fail = |error: duckdb::Error| self.fail("change rows", &error);
        let transaction = self.connection.unchecked_transaction().map_err(fail)?;
        for (text, values) in statements {
            transaction.prepare(text).and_then(|mut one| one.execute(duckdb::params_from_iter(values.iter()))).map_err(fail)?;
        }
        transaction.commit().map_err(fail)
    }

    /// Removes the rows whose column is one of the values, then adds the batch, in one transaction.
    pub(super) fn replace_rows(
        &self,
        table: TableName,
        forget: Option<(&'static str, &[&str])>,
        batch: Option<RecordBatch>,
    ) -> Result<(), ReplayError> {
        let fail = |error: duckdb::Error| self.fail("write a table", &error);
        let transaction = self.connection.unchecked_transaction().map_err(fail)?;
        if let Some((column, values)) = forget {
            for some in values.chunks(VALUES_AT_ONCE) {
                // Names come from constants; values are parameters.
                let text = sql::FORGET_BY_COLUMN
                    .replace("/*table*/", &format!("{}.{}", table.schema, table.table))
                    .replace("/*column*/", column)
                    .replace("/*more*/", &", ?".repeat(some.len().saturating_sub(1)));
                transaction.execute(&text, duckdb::params_from_iter(some.iter())).map_err(fail)?;
            }
        }
        if let Some(batch) = batch {
            let mut appender = transaction.appender_to_db(table.table, table.schema).map_err(fail)?;
            appender.append_record_batch(batch).map_err(fail)?;
            appender.flush().map_err(fail)?;
        }
        transaction.commit().map_err(fail)
    }
}
