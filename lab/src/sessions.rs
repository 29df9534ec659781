//! The ranked list: scored sessions, worst first, with their reasons. The command line and the desktop ask here.
//!
//! Promises: the order is total (score, hits, key), so two runs print the same; a condition is run read-only and confined.
//!
//! Read next: `sql/duckdb/queries/sessions.sql`.

use std::path::Path;

use duckdb::arrow::array::RecordBatch;
use ja4_replay::store::{self, OpenOptions, Statement, Store};

use crate::error::LabError;
use crate::rows::Rows;

const SESSIONS: Statement = Statement {
    duckdb: include_str!("../../sql/duckdb/queries/sessions.sql"),
    clickhouse: include_str!("../../sql/clickhouse/queries/sessions.sql"),
};
const HAS_MIGRATIONS: Statement = Statement::shared(include_str!("../../sql/shared/queries/has_migrations.sql"));
const HAS_REQUESTS: Statement = Statement::shared(include_str!("../../sql/shared/queries/has_requests.sql"));

/// Opens a database for statements that a person typed: read-only, and no other file can be touched.
///
/// # Errors
/// The file does not exist, is locked, damaged, newer or of another program.
pub fn open_confined(path: &Path) -> Result<Box<dyn Store>, LabError> {
    let store = store::open(path, &OpenOptions { read_only: true, confined: true, ..OpenOptions::default() })?;
    if path.is_file() && Rows::ask(&*store, &HAS_MIGRATIONS, &[])?.count("found")?.first() == Some(&0) {
        let detail =
            "it is a DuckDB database, but none of ja4-lab (it has no table ja4_processing.schema_migrations); give another --db";
        return Err(LabError::Ask(format!("open database {}: {detail}", path.display())));
    }
    Ok(store)
}

/// The `top` worst sessions that meet `condition` (SQL over the columns of `ml_all_scores`).
///
/// # Errors
/// The engine's words about the condition.
pub fn ranked(store: &dyn Store, top: usize, condition: Option<&str>) -> Result<Vec<RecordBatch>, LabError> {
    let condition = condition.unwrap_or("true");
    // The engine parses the condition; balanced or not, it runs where nothing can be changed.
    let text = SESSIONS.text(store.engine()).replace("/*condition*/ true", condition).replace("/*top*/ 25", &top.to_string());
    Ok(store.query(&text)?)
}

/// Why a list of sessions is empty, as a sentence.
///
/// # Errors
/// The engine's refusal.
pub fn why_empty(store: &dyn Store, condition: Option<&str>) -> Result<String, LabError> {
    let scored = ranked(store, 1, None)?.iter().map(RecordBatch::num_rows).sum::<usize>();
    if let (Some(condition), true) = (condition, scored > 0) {
        return Ok(format!("no session meets the condition {condition:?}; without it there are some"));
    }
    let requests = store.ask(&HAS_REQUESTS, &[])?.iter().map(RecordBatch::num_rows).sum::<usize>();
    Ok(if requests == 0 {
        "the database holds no requests: import some with `ja4-lab replay CAPTURE --http-log LOG --db DB`".to_owned()
    } else {
        "requests are stored but not scored: run `ja4-lab score --db DB`".to_owned()
    })
}
