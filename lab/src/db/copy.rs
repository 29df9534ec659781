//! Everything of one store into another, whichever engines they have.
//!
//! Promises: rows that the target holds are skipped, so an interrupted copy is continued by the same command; requests travel
//! in slices of a bounded number of rows, in one order; results and reference tables are replaced by what the source has.
//!
//! Read next: `import.rs`, `ja4_replay::store::chunk`.

use duckdb::arrow::array::RecordBatch;
use ja4_replay::store::chunk::{CHUNK_ROWS, CHUNKS_PER_TRANSACTION, Chunk, ChunkTable};
use ja4_replay::store::{Appended, Contents, Statement, Store, TableName};

use super::{ints, texts};
use crate::error::LabError;

const REQUEST_MINUTES: Statement = Statement::shared(include_str!("../../../sql/shared/queries/request_minutes.sql"));
const HANDSHAKE_MINUTES: Statement = Statement::shared(include_str!("../../../sql/shared/queries/handshake_minutes.sql"));
const REQUESTS_BETWEEN: Statement = Statement::shared(include_str!("../../../sql/shared/queries/requests_between.sql"));
const HANDSHAKES_BETWEEN: Statement = Statement::shared(include_str!("../../../sql/shared/queries/handshakes_between.sql"));
const WHOLE_TABLE: &str = include_str!("../../../sql/shared/queries/whole_table.sql");

const MINUTE_NS: i64 = 60_000_000_000;

/// Tables copied whole, each with the column by which what the target has of them is replaced.
const TABLES: &[(&str, &str, &str)] = &[
    ("ja4_logs", "http_logs_dead", "source"),
    ("ja4_processing", "campaign_members", "campaign_id"),
    ("ja4_processing", "campaigns", "campaign_id"),
    ("ja4_processing", "fleet_detections", "fleet_id"),
    ("ja4_processing", "ml_performance_metrics", "scored_run"),
    ("ja4_processing", "ref_asn", "source"),
    ("ja4_processing", "ref_bot_ip", "source"),
    ("ja4_processing", "ref_bot_ja4", "source"),
    ("ja4_processing", "ref_browser_h2", "source"),
    ("ja4_processing", "ref_browser_ja4", "source"),
    ("ja4_processing", "ref_rules_anubis", "source"),
    ("ja4_processing", "runs", "run_id"),
    ("ja4_processing", "soc_feedback", "feedback_id"),
];

/// What a copy did.
#[derive(Debug, Clone, Default)]
pub struct Copied {
    /// Requests.
    pub requests: Appended,
    /// Rows of all other tables.
    pub others: u64,
    /// Digests of source and target, by name; equal where the target held nothing else before.
    pub digests: Vec<(&'static str, String, String)>,
}

/// Copies `from` into `to`; `progress` hears how many requests are done, of how many.
///
/// # Errors
/// Either engine's refusal.
pub fn copy(from: &dyn Store, to: &mut dyn Store, progress: &dyn Fn(u64, u64)) -> Result<Copied, LabError> {
    let mut copied = Copied::default();
    let requests = Slices::of(from, &REQUEST_MINUTES)?;
    let mut done = 0;
    for (from_ns, to_ns) in requests.spans {
        copied.requests += append(to, chunks(from, &REQUESTS_BETWEEN, ChunkTable::Requests, from_ns, to_ns)?)?;
        done = copied.requests.added.saturating_add(copied.requests.skipped).max(done);
        progress(done, requests.records);
    }
    let handshakes = Slices::of(from, &HANDSHAKE_MINUTES)?;
    for (from_ns, to_ns) in handshakes.spans {
        append(to, chunks(from, &HANDSHAKES_BETWEEN, ChunkTable::Handshakes, from_ns, to_ns)?)?;
    }
    copied.others = handshakes.records.saturating_add(scores(from, to)?);
    for (schema, table, key) in TABLES {
        copied.others = copied.others.saturating_add(whole(from, to, TableName { schema, table }, key)?);
    }
    to.record_inputs(&from.inputs()?)?;
    to.checkpoint()?;
    for (name, contents) in [("rows", Contents::Rows), ("features", Contents::Features), ("scores", Contents::Scores)] {
        copied.digests.push((name, from.digest(contents)?, to.digest(contents)?));
    }
    Ok(copied)
}

/// Spans of time, each with about as many records as one transaction takes.
pub(super) struct Slices {
    pub spans: Vec<(i64, i64)>,
    pub records: u64,
}

impl Slices {
    pub fn of(store: &dyn Store, minutes: &Statement) -> Result<Self, LabError> {
        let batches = store.ask(minutes, &[])?;
        Ok(Self::cut(&ints(&batches, 0), &ints(&batches, 1), CHUNK_ROWS.saturating_mul(CHUNKS_PER_TRANSACTION)))
    }

    fn cut(minutes: &[i64], records: &[i64], most: usize) -> Self {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let mut spans: Vec<(i64, i64)> = Vec::new();
        let mut held = i64::MAX;
        for (minute_ns, count) in minutes.iter().zip(records) {
            let end_ns = minute_ns.saturating_add(MINUTE_NS);
            match spans.last_mut() {
                Some(span) if held.saturating_add(*count) <= most => {
                    span.1 = end_ns;
                    held = held.saturating_add(*count);
                }
                _ => {
                    spans.push((*minute_ns, end_ns));
                    held = *count;
                }
            }
        }
        Self { spans, records: u64::try_from(records.iter().sum::<i64>()).unwrap_or_default() }
    }
}

/// The rows of a span as chunks.
pub(super) fn chunks(
    from: &dyn Store,
    between: &Statement,
    table: ChunkTable,
    from_ns: i64,
    to_ns: i64,
) -> Result<Vec<Chunk>, LabError> {
    let batches = from.ask(between, &[&from_ns.to_string(), &to_ns.to_string()])?;
    let cut = batches.iter().flat_map(|batch| pieces(batch, CHUNK_ROWS));
    cut.map(|batch| Ok(Chunk::of_columns(table, batch)?)).collect()
}

/// A batch in pieces of at most `most` rows; the rows are shared, not copied.
pub(super) fn pieces(batch: &RecordBatch, most: usize) -> Vec<RecordBatch> {
    let starts = (0..batch.num_rows()).step_by(most.max(1));
    starts.map(|start| batch.slice(start, most.min(batch.num_rows().saturating_sub(start)))).collect()
}

/// Stores chunks, a transaction's worth at a time.
fn append(to: &mut dyn Store, chunks: Vec<Chunk>) -> Result<Appended, LabError> {
    let mut done = Appended::default();
    let mut chunks = chunks.into_iter().peekable();
    while chunks.peek().is_some() {
        done += to.append_chunks(&mut chunks.by_ref().take(CHUNKS_PER_TRANSACTION))?;
    }
    Ok(done)
}

fn scores(from: &dyn Store, to: &dyn Store) -> Result<u64, LabError> {
    let batches = from.query(&WHOLE_TABLE.replace("/*table*/", "ja4_processing.ml_all_scores"))?;
    let windows = ints(&batches, 0);
    let (Some(first), Some(last)) = (windows.iter().min(), windows.iter().max()) else { return Ok(0) };
    to.replace_scores(*first, *last, batches)?;
    Ok(u64::try_from(windows.len()).unwrap_or_default())
}

fn whole(from: &dyn Store, to: &dyn Store, table: TableName, key: &'static str) -> Result<u64, LabError> {
    let batches = from.query(&WHOLE_TABLE.replace("/*table*/", &format!("{}.{}", table.schema, table.table)))?;
    let column = batches.first().and_then(|batch| batch.schema().index_of(key).ok()).unwrap_or(usize::MAX);
    let mut keys = texts(&batches, column);
    let rows = u64::try_from(keys.len()).unwrap_or(u64::MAX);
    keys.sort_unstable();
    keys.dedup();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let mut batches = batches.into_iter().filter(|batch| batch.num_rows() > 0);
    if let Some(first) = batches.next() {
        // What the target has of these keys goes with the first batch; the others are put beside it.
        to.replace(table, key, &keys, Some(first))?;
    }
    batches.try_for_each(|batch| to.insert(table, batch))?;
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_hold_every_minute_once_and_not_too_much() {
        let minutes: Vec<i64> = [0, 1, 2, 9, 10].iter().map(|minute| minute * MINUTE_NS).collect();
        let slices = Slices::cut(&minutes, &[40, 50, 20, 500, 1], 100);
        assert_eq!(slices.records, 611);
        let spans: Vec<(i64, i64)> = slices.spans.iter().map(|(a, b)| (a / MINUTE_NS, b / MINUTE_NS)).collect();
        assert_eq!(spans, [(0, 2), (2, 3), (9, 10), (10, 11)]);
        assert!(Slices::cut(&[], &[], 100).spans.is_empty());
    }
}
