//! One detection run over what is stored: read features, fit or load voices, score, explain, write.
//!
//! Promises: nothing is imported; the same store and settings give the same scores on any number of threads; scores are
//! never NaN; every session gets a line of reason; scores of a window range are replaced as a whole.
//!
//! Read next: `settings.rs`, `baseline.rs` (who models learn from), `task.rs` (one model over its sessions), `reason.rs`, `outcome.rs` (what
//! is kept), `write.rs`.

pub mod baseline;
mod change;
pub mod claims;
mod explained;
mod kept;
pub mod models;
mod outcome;
pub mod reason;
mod sample;
pub mod settings;
mod task;
pub mod watch;
pub mod workshop;
mod write;

pub use self::write::session_id;

use std::path::PathBuf;

use duckdb::arrow::array::RecordBatch;
use ja4_replay::digest::{TableDigest, hex};
use ja4_replay::store::{Engine, Statement, Store};
use rayon::prelude::*;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use self::outcome::Outcome;
use self::settings::Settings;
use self::task::Task;
use self::watch::{RUN, Watch};
use crate::catalogue::{Catalogue, ModelKind};
use crate::error::LabError;
use crate::frame::FeatureFrame;
use crate::labels;

const FEATURE_FRAME: Statement = Statement {
    duckdb: include_str!("../../../sql/duckdb/queries/feature_frame.sql"),
    clickhouse: include_str!("../../../sql/clickhouse/queries/feature_frame.sql"),
};

const HOUR_MS: i64 = 3_600_000;

/// Columns of the view that name a session.
const KEY_COLUMNS: usize = 4;

/// What to score, and with what.
#[derive(Debug, Clone, Default)]
pub struct CyclePlan {
    /// Settings.
    pub settings: Settings,
    /// Score with the models of this folder instead of fitting.
    pub load: Option<PathBuf>,
    /// Keep the fitted models in this folder.
    pub save: Option<PathBuf>,
    /// Only sessions whose hour begins at or after this, ms since 1970.
    pub from_ms: Option<i64>,
    /// Only sessions whose hour begins before this, ms since 1970.
    pub to_ms: Option<i64>,
    /// Fit and keep the models, then end: no session is scored and nothing is written to the store.
    pub fit_only: bool,
    /// With `load`: fit what the folder lacks (it was kept before such sessions came) instead of failing.
    pub fit_missing: bool,
    /// Keep the result under this name, with the driver's clock (ns since 1970), instead of putting it in force.
    pub keep_as: Option<(String, i64)>,
    /// Hears which part begins.
    pub watch: Watch,
}

/// What a run found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct CycleReport {
    /// Sessions scored.
    pub sessions: u64,
    /// Of those, sessions at or above their threshold.
    pub anomalies: u64,
    /// Sessions that look like people and set the baseline.
    pub baseline: u64,
    /// Sessions with a label from an analyst, a rule or a list.
    pub labelled: u64,
    /// One entry a model.
    pub models: Vec<ModelReport>,
    /// Sentences an analyst should read, e.g. that there was too little to learn from.
    pub notes: Vec<String>,
    /// Digest over the feature table.
    pub features_digest: String,
    /// Digest over the scores.
    pub scores_digest: String,
}

/// One model of a run.
#[derive(Debug, Clone, Serialize)]
pub struct ModelReport {
    /// `complete` or `application`.
    pub kind: &'static str,
    /// Sessions it scored.
    pub sessions: u64,
    /// Sessions it was fitted on.
    pub fitted_on: u64,
    /// Whether a meta-learner combines its voices, and not fixed weights.
    pub meta_learner: bool,
    /// Sessions at or above it are anomalous.
    pub threshold: f64,
    /// First 16 digits of the digest over its voices.
    pub id: String,
}

/// Everything about one session that is written.
#[derive(Debug, Clone)]
pub(crate) struct Verdict {
    pub row: usize,
    pub kind: ModelKind,
    pub model_id: String,
    pub voices: models::VoiceScores,
    pub score: f64,
    pub threshold: f64,
    pub anomaly: bool,
    pub severity: &'static str,
    pub agreement: f64,
    pub reason: String,
    pub explanation: String,
    pub population_share: f64,
    pub label: Option<labels::Label>,
}

/// Runs `plan` over `store`.
///
/// # Errors
/// The engine's refusal, a model of other features, or a model folder that cannot be read or written.
pub fn run(store: &dyn Store, plan: &CyclePlan) -> Result<CycleReport, LabError> {
    if !plan.settings.without.is_empty() && (plan.load.is_some() || plan.save.is_some()) {
        let text = "features- (without+): a model without features would meet them again when it is used; only scores can be kept (`score --keep-as`)";
        return Err(LabError::Ask(text.to_owned()));
    }
    let catalogue = Catalogue::load().map_err(|error| LabError::Features(error.to_string()))?;
    let begins = |part| plan.watch.begins(RUN, part);
    begins("features read from the store");
    let batches = feature_batches(store, plan)?;
    begins("table and its digest");
    let whole = plan.from_ms.is_none() && plan.to_ms.is_none();
    let digest = || if whole { features_digest(&batches) } else { Ok(String::new()) };
    let (features_digest, frame) = rayon::join(digest, || FeatureFrame::of_sessions(&batches));
    let (features_digest, frame) = (features_digest?, frame?);
    drop(batches);
    let mut report = CycleReport { sessions: count(frame.sessions()), features_digest, ..CycleReport::default() };
    if frame.sessions() == 0 {
        report.notes.push("no sessions to score: nothing is stored in this time range".to_owned());
        return Ok(report);
    }
    begins("labels, baseline, claims");
    let hours = (plan.from_ms.unwrap_or(i64::MIN / 2), plan.to_ms.unwrap_or(i64::MAX / 2));
    let by_identity = baseline::exclusions(&frame, &plan.settings)?;
    let labels = labels::of_sessions(store, &frame, by_identity, &plan.settings, hours)?;
    report.baseline = count(labels.exclusions.iter().filter(|reason| reason.is_none()).count());
    report.labelled = count(labels.labels.iter().flatten().count());
    let claims = claims::Claims::new(&frame)?;
    let ids = write::session_ids(&frame)?;
    let has_handshake: Vec<bool> = frame.text("ja4")?.iter().map(|ja4| !ja4.is_empty()).collect();
    let tasks = ModelKind::ALL.into_iter().map(|kind| {
        let rows: Vec<usize> = indices(&has_handshake, kind == ModelKind::Complete);
        Task { plan, catalogue: &catalogue, frame: &frame, labels: &labels, claims: &claims, ids: &ids, kind, rows }
    });
    begins("models");
    // Side by side: each has stretches that one thread does alone.
    let tasks: Vec<Task<'_>> = tasks.filter(|task| !task.rows.is_empty()).collect();
    let judged = tasks.into_par_iter().map(|task| task.run()).collect::<Result<Vec<_>, LabError>>()?;
    let mut verdicts = Vec::with_capacity(frame.sessions());
    let mut models = Vec::new();
    for of_kind in judged {
        models.extend(of_kind.packed);
        report.models.extend(of_kind.report);
        report.notes.extend(of_kind.notes);
        verdicts.extend(of_kind.verdicts);
    }
    if plan.fit_only {
        return Ok(report);
    }
    begins("scores written");
    verdicts.sort_by_key(|verdict| verdict.row);
    allow(&frame, &plan.settings, &mut verdicts)?;
    report.anomalies = count(verdicts.iter().filter(|verdict| verdict.anomaly).count());
    if let Some((name, clock_ns)) = &plan.keep_as {
        crate::rescore::keep_run(store, &frame, &verdicts, (name, *clock_ns), &plan.settings)?;
        return Ok(report);
    }
    let run_id = run_id(&plan.settings, &report);
    let outcome = Outcome { plan, frame: &frame, ids: &ids, exclusions: &labels.exclusions, models: &models, run_id: &run_id };
    outcome.keep(store, verdicts, &mut report.notes)?;
    begins("checkpoint");
    store.checkpoint()?;
    Ok(report)
}

/// Reads the feature table in key order.
///
/// # Errors
/// The engine's refusal.
pub fn read_frame(store: &dyn Store, plan: &CyclePlan) -> Result<FeatureFrame, LabError> {
    FeatureFrame::of_sessions(&feature_batches(store, plan)?)
}

fn feature_batches(store: &dyn Store, plan: &CyclePlan) -> Result<Vec<RecordBatch>, LabError> {
    let (from_ns, to_ns) = span_ns(plan.from_ms.unwrap_or(i64::MIN / 2), plan.to_ms.unwrap_or(i64::MAX / 2));
    let text = FEATURE_FRAME.text(store.engine());
    let text = text.replace("/*from*/ 0", &from_ns.to_string()).replace("/*to*/ 0", &to_ns.to_string());
    Ok(match store.engine() {
        // An empty answer has its columns.
        Engine::DuckDb => store.query(&text)?,
        // What a person may type cannot ask the shards of a cluster by itself; this can.
        Engine::ClickHouse => store.ask(&Statement::shared(&text), &[])?,
    })
}

/// The times of the requests whose hour begins at or after `from_ms` and before `to_ms`: a bound on them is all that keeps an engine
/// from reading everything it holds. Ends beyond all time stay there.
pub(crate) fn span_ns(from_ms: i64, to_ms: i64) -> (i64, i64) {
    let next_hour = |ms: i64| {
        let past = ms.rem_euclid(HOUR_MS);
        if past == 0 { ms } else { ms.saturating_add(HOUR_MS - past) }
    };
    // Half of what fits, so that no engine's arithmetic with it overflows.
    let ns = |ms: i64| next_hour(ms).saturating_mul(1_000_000).clamp(i64::MIN / 2, i64::MAX / 2);
    (ns(from_ms), ns(to_ms))
}

/// The same digest as over the whole view, without computing it again.
fn features_digest(batches: &[RecordBatch]) -> Result<String, LabError> {
    let mut digest = TableDigest::new();
    for batch in batches {
        digest.add(batch, KEY_COLUMNS).map_err(|error| LabError::Features(error.to_string()))?;
    }
    Ok(digest.finish())
}

/// Addresses the analyst trusts keep their score and are not anomalous.
fn allow(frame: &FeatureFrame, settings: &Settings, verdicts: &mut [Verdict]) -> Result<(), LabError> {
    if settings.allow.is_empty() {
        return Ok(());
    }
    let (src, client) = (frame.text("src_ip")?, frame.text("client_ip")?);
    let listed = |column: &[String], row: usize| column.get(row).is_some_and(|address| settings.allow.contains(address));
    for verdict in verdicts.iter_mut().filter(|verdict| listed(&src, verdict.row) || listed(&client, verdict.row)) {
        verdict.anomaly = false;
        verdict.severity = "allowed";
    }
    Ok(())
}

/// The same settings over the same models have the same id, so that a repeated run replaces its own record.
fn run_id(settings: &Settings, report: &CycleReport) -> String {
    let mut all = Sha256::new();
    all.update(serde_json::to_vec(settings).unwrap_or_default());
    for model in &report.models {
        all.update(&model.id);
    }
    hex(&all.finalize()).get(..16).unwrap_or_default().to_owned()
}

fn indices(flags: &[bool], wanted: bool) -> Vec<usize> {
    flags.iter().enumerate().filter(|(_, flag)| **flag == wanted).map(|(index, _)| index).collect()
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::span_ns;

    #[test]
    fn a_span_takes_whole_hours_and_never_overflows() {
        let hour_ns = 3_600_000_000_000;
        assert_eq!(span_ns(0, 3_600_000), (0, hour_ns));
        assert_eq!(
            span_ns(1, 3_600_001),
            (hour_ns, 2 * hour_ns),
            "the hour that began before is out, the one that began within is in"
        );
        assert_eq!(span_ns(-3_600_001, 0), (-hour_ns, 0));
        let (from_ns, to_ns) = span_ns(i64::MIN, i64::MAX);
        assert!(from_ns < -4_000_000_000_000_000_000 && to_ns > 4_000_000_000_000_000_000);
    }
}
