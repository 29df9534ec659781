//! What a store holds and whether it is well: sizes, time range, versions, and a sentence for each thing that is not as it should be.
//!
//! Promises: only reads; the same names of facts on both engines.
//!
//! Read next: `sql/*/queries/info.sql`, `health.sql`.

use duckdb::arrow::array::RecordBatch;
use ja4_replay::store::{self, Statement, Store};

use super::{ints, texts};
use crate::error::LabError;

/// One line a fact.
const INFO: Statement = Statement {
    duckdb: include_str!("../../../sql/duckdb/queries/info.sql"),
    clickhouse: include_str!("../../../sql/clickhouse/queries/info.sql"),
};
const HEALTH: Statement = Statement {
    duckdb: include_str!("../../../sql/duckdb/queries/health.sql"),
    clickhouse: include_str!("../../../sql/clickhouse/queries/health.sql"),
};
const UNSCORED: Statement = Statement::shared(include_str!("../../../sql/shared/queries/unscored.sql"));
const APPLIED: Statement = Statement::shared(include_str!("../../../sql/shared/queries/applied_migrations.sql"));
const MATCH_COUNTS: Statement = Statement::shared(include_str!("../../../sql/shared/queries/match_counts.sql"));
const INPUTS: Statement = Statement::shared(include_str!("../../../sql/shared/queries/inputs.sql"));

/// The facts, as rows of `what` and `value`.
///
/// # Errors
/// The engine's refusal.
pub fn facts(store: &dyn Store) -> Result<Vec<RecordBatch>, LabError> {
    Ok(store.ask(&INFO, &[])?)
}

/// Requests by how they were joined, and what was imported.
///
/// # Errors
/// The engine's refusal.
pub fn details(store: &dyn Store) -> Result<[Vec<RecordBatch>; 2], LabError> {
    Ok([store.ask(&MATCH_COUNTS, &[])?, store.ask(&INPUTS, &[])?])
}

/// What is not as it should be; empty where all is well.
///
/// # Errors
/// The engine's refusal.
pub fn problems(store: &dyn Store) -> Result<Vec<String>, LabError> {
    let mut found = texts(&store.ask(&HEALTH, &[])?, 0);
    let version = ints(&store.ask(&APPLIED, &[])?, 0).into_iter().max().unwrap_or_default();
    let latest = store::latest_version(store.engine());
    if version < latest {
        found.push(format!("the schema is version {version}, this program has {latest}: run `ja4-lab db migrate`"));
    }
    let hours = store.ask(&UNSCORED, &[])?;
    if let (Some(requests_ns), Some(scored_ms)) = (ints(&hours, 0).first(), ints(&hours, 1).first())
        && requests_ns / 1_000_000 > *scored_ms
    {
        found.push("there are hours with requests after the last one that was scored: run `ja4-lab score`".to_owned());
    }
    Ok(found)
}
