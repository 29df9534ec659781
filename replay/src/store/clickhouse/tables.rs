//! The tables beside the requests: what was imported, runs, scores, and anything small that is replaced as a whole.
//!
//! Promises: new contents are built in a staging table and put in place at once (whole table, or day by day for scores), so that
//! a reader sees the old or the new ones, and a refusal on the way leaves the old. One writer per table at a time.
//!
//! Read next: `sql/clickhouse/queries/stage.sql` and its neighbours.

use std::collections::BTreeSet;
use std::sync::Arc;

use duckdb::arrow::array::{Array as _, ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray};
use duckdb::arrow::compute::kernels::filter::filter_record_batch;
use duckdb::arrow::error::ArrowError;

use super::wire::{Call, Value};
use super::{ClickHouse, rows, sql};
use crate::ReplayError;
use crate::store::{InputRecord, InputState, RunRecord, TableName};

pub(super) fn insert(store: &ClickHouse, table: TableName, batch: &RecordBatch) -> Result<(), ReplayError> {
    if batch.num_rows() == 0 {
        return Ok(());
    }
    // No token: what a caller adds twice on purpose must be there twice.
    insert_as(store, &sql::name(table), batch)
}

fn insert_as(store: &ClickHouse, name: &str, batch: &RecordBatch) -> Result<(), ReplayError> {
    let batches = vec![batch.clone()];
    store.wire.insert("write a table", sql::insert(name, &batches), vec![("insert_deduplicate", "0".to_owned())], batches)
}

/// Replaces rows of a small table.
pub(super) fn replace(
    store: &ClickHouse,
    table: TableName,
    forget: Vec<Call>,
    batch: Option<&RecordBatch>,
) -> Result<(), ReplayError> {
    let run = |text| store.wire.run(Call::new("write a table", store.on_cluster(&sql::of_table(text, table))));
    run(sql::STAGE)?;
    run(sql::STAGE_ALL)?;
    for call in forget {
        store.wire.run(call)?;
    }
    if let Some(batch) = batch.filter(|batch| batch.num_rows() > 0) {
        insert_as(store, &sql::staging(table), batch)?;
    }
    run(sql::EXCHANGE)?;
    run(sql::UNSTAGE)
}

pub(super) fn replace_by_column(
    store: &ClickHouse,
    table: TableName,
    column: &'static str,
    values: &[&str],
    batch: Option<&RecordBatch>,
) -> Result<(), ReplayError> {
    let text = sql::of_table(sql::FORGET_BY_COLUMN, table).replace("/*column*/", column);
    let values = Value::Texts(values.iter().map(|value| (*value).to_owned()).collect());
    replace(store, table, vec![Call::new("write a table", text).value(values)], batch)
}

pub(super) fn replace_scores(
    store: &ClickHouse,
    first_ms: i64,
    last_ms: i64,
    batches: &[RecordBatch],
) -> Result<(), ReplayError> {
    replace_days(store, sql::ML_ALL_SCORES, first_ms, last_ms, batches)?;
    let anomalies: Result<Vec<_>, ArrowError> = batches.iter().map(only_anomalies).collect();
    let anomalies = anomalies.map_err(|error| ReplayError::columns(&error))?;
    replace_days(store, sql::ML_DETECTED_ANOMALIES, first_ms, last_ms, &anomalies)
}

/// Replaces windows `first_ms..=last_ms` of a table that has a partition a day.
fn replace_days(
    store: &ClickHouse,
    table: TableName,
    first_ms: i64,
    last_ms: i64,
    batches: &[RecordBatch],
) -> Result<(), ReplayError> {
    let operation = "write scores";
    let call = |text: &'static str| Call::new(operation, sql::numbered(&store.on_cluster(&sql::of_table(text, table))));
    let (first, last) = (first_ms.to_string(), last_ms.to_string());
    let span = [first.as_str(), last.as_str()];
    let old_days = days(&store.wire.batches(call(sql::SCORE_DAYS).texts(&span))?);
    store.wire.run(call(sql::STAGE))?;
    for day in &old_days {
        store.wire.run(call(sql::STAGE_PARTITION).texts(&[&day.to_string()]))?;
    }
    store.wire.run(call(sql::FORGET_WINDOWS).texts(&span))?;
    for batch in batches.iter().filter(|batch| batch.num_rows() > 0) {
        insert_as(store, &sql::staging(table), batch)?;
    }
    let new_days = days(&store.wire.batches(call(sql::STAGED_DAYS))?);
    for day in &new_days {
        store.wire.run(call(sql::REPLACE_PARTITION).texts(&[&day.to_string()]))?;
    }
    for day in old_days.difference(&new_days) {
        store.wire.run(call(sql::DROP_PARTITION).texts(&[&day.to_string()]))?;
    }
    store.wire.run(call(sql::UNSTAGE))
}

fn days(batches: &[RecordBatch]) -> BTreeSet<i64> {
    let columns = batches.iter().filter_map(|batch| batch.columns().first());
    columns.filter_map(|column| column.as_any().downcast_ref::<Int64Array>()).flat_map(|days| days.values().to_vec()).collect()
}

fn only_anomalies(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let column = batch.column_by_name("anomaly").and_then(|column| column.as_any().downcast_ref::<Int64Array>());
    let flags = column.ok_or_else(|| ArrowError::SchemaError("a score batch lacks the column anomaly".to_owned()))?;
    filter_record_batch(batch, &flags.iter().map(|flag| Some(flag == Some(1))).collect::<BooleanArray>())
}

pub(super) fn read_inputs(store: &ClickHouse) -> Result<Vec<InputRecord>, ReplayError> {
    let batches = store.wire.batches(Call::new("read the list of inputs", sql::statement(sql::INPUTS)))?;
    let mut inputs = Vec::new();
    for batch in &batches {
        let one = std::slice::from_ref(batch);
        for row in 0..batch.num_rows() {
            let text = |column| rows::text(one, column, row).unwrap_or_default();
            let int = |column| rows::int(one, column, row).unwrap_or_default();
            inputs.push(InputRecord {
                content_hash: text(0),
                kind: text(1),
                name: text(2),
                bytes: int(3),
                records: int(4),
                damaged: int(5),
                state: if text(6) == "complete" { InputState::Complete } else { InputState::Started },
                first_ns: int(7),
                last_ns: int(8),
                skew_ns: int(9),
                run_id: text(10),
                detail: text(11),
            });
        }
    }
    Ok(inputs)
}

pub(super) fn write_inputs(store: &ClickHouse, inputs: &[InputRecord]) -> Result<(), ReplayError> {
    let text = |value: fn(&InputRecord) -> &str| -> ArrayRef {
        Arc::new(inputs.iter().map(|input| Some(value(input))).collect::<StringArray>())
    };
    let int = |value: fn(&InputRecord) -> i64| -> ArrayRef { Arc::new(inputs.iter().map(value).collect::<Int64Array>()) };
    let batch = RecordBatch::try_from_iter([
        ("content_hash", text(|input| &input.content_hash)),
        ("kind", text(|input| &input.kind)),
        ("name", text(|input| &input.name)),
        ("bytes", int(|input| input.bytes)),
        ("records", int(|input| input.records)),
        ("damaged", int(|input| input.damaged)),
        ("state", text(|input| input.state.as_str())),
        ("first_ns", int(|input| input.first_ns)),
        ("last_ns", int(|input| input.last_ns)),
        ("skew_ns", int(|input| input.skew_ns)),
        ("run_id", text(|input| &input.run_id)),
        ("detail", text(|input| &input.detail)),
    ]);
    let batch = batch.map_err(|error| ReplayError::columns(&error))?;
    let forget = inputs.iter().map(|input| {
        let text = sql::numbered(&sql::of_table(sql::FORGET_INPUT, sql::INPUTS_TABLE));
        Call::new("record the inputs", text).texts(&[&input.content_hash, &input.kind])
    });
    replace(store, sql::INPUTS_TABLE, forget.collect(), Some(&batch))
}

pub(super) fn write_run(store: &ClickHouse, run: &RunRecord) -> Result<(), ReplayError> {
    let text = |value: &str| -> ArrayRef { Arc::new(StringArray::from(vec![value])) };
    let int = |value: i64| -> ArrayRef { Arc::new(Int64Array::from(vec![value])) };
    let batch = RecordBatch::try_from_iter([
        ("run_id", text(&run.run_id)),
        ("command", text(&run.command)),
        ("version", text(env!("CARGO_PKG_VERSION"))),
        ("config", text(&run.config)),
        ("rows_digest", text(&run.rows_digest)),
        ("features_digest", text(&run.features_digest)),
        ("scores_digest", text(&run.scores_digest)),
        ("counters", text(&run.counters)),
        ("started_ns", int(run.started_ns)),
        ("finished_ns", int(run.finished_ns)),
        ("state", text("complete")),
    ]);
    let batch = batch.map_err(|error| ReplayError::columns(&error))?;
    replace_by_column(store, sql::RUNS_TABLE, "run_id", &[&run.run_id], Some(&batch))
}
