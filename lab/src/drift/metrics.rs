//! Rows of `ml_performance_metrics`: figures about models and their world, kept for [`KEPT_DAYS`] days.
//!
//! Promises: what is written under an id replaces what stood there, so a repeated cycle doubles nothing; what is too old goes with every
//! writing. Read next: `mod.rs`, `crate::retrain` (who writes here).

use ja4_replay::store::{Statement, Store, TableName};

use crate::error::LabError;
use crate::rows::{Columns, Rows};

const TABLE: TableName = TableName { schema: "ja4_processing", table: "ml_performance_metrics" };
const OLD: Statement = Statement::shared(include_str!("../../../sql/shared/queries/metrics_old.sql"));
/// How long figures are kept, days. A ClickHouse server counts from their arrival, by a TTL.
pub const KEPT_DAYS: i64 = 90;
const DAY_NS: i64 = 86_400_000_000_000;

/// One figure.
#[derive(Debug, Clone, Default)]
pub(crate) struct Line<'a> {
    pub model_id: &'a str,
    /// `complete`, `application`, `scores` or "".
    pub kind: &'a str,
    pub metric: String,
    pub value: f64,
    pub sessions: i64,
    pub labelled: i64,
    /// A JSON object or a sentence.
    pub detail: String,
}

impl Line<'_> {
    pub(crate) fn new(metric: &str, value: f64) -> Self {
        Self { metric: metric.to_owned(), value, ..Self::default() }
    }
}

/// Replaces what was written under `id`, and forgets what is older than [`KEPT_DAYS`] at `clock_ns` (ns since 1970).
pub(crate) fn write(store: &dyn Store, id: &str, lines: &[Line<'_>], clock_ns: i64) -> Result<(), LabError> {
    let batch = Columns::new()
        .int("ts_ns", lines.iter().map(|_| clock_ns))
        .text("scored_run", lines.iter().map(|_| id))
        .text("model_name", lines.iter().map(|_| "ja4-lab"))
        .text("model_id", lines.iter().map(|line| line.model_id))
        .text("model_kind", lines.iter().map(|line| line.kind))
        .text("voice", lines.iter().map(|_| ""))
        .text("metric", lines.iter().map(|line| &line.metric))
        .float("value", lines.iter().map(|line| line.value))
        .int("sessions", lines.iter().map(|line| line.sessions))
        .int("labelled", lines.iter().map(|line| line.labelled))
        .text("detail", lines.iter().map(|line| &line.detail))
        .batch()?;
    let oldest = clock_ns.saturating_sub(KEPT_DAYS.saturating_mul(DAY_NS)).to_string();
    let old = Rows::ask(store, &OLD, &[&oldest])?.text("scored_run")?;
    let ids: Vec<&str> = std::iter::once(id).chain(old.iter().map(String::as_str)).collect();
    Ok(store.replace(TABLE, "scored_run", &ids, Some(batch))?)
}
