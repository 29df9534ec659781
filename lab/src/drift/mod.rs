//! Drift: whether the sessions of now are still of the kind the model learned from, and what to do about it.
//!
//! Every feature, the scores, the labels and the age of the model are compared; `decide.rs` makes a decision of it: keep, warn or
//! retrain, with its reason. Promises: nothing is decided from fewer sessions than can carry it; hours of the reference that differ from each
//! other raise what counts as drift; the clock is an argument; the same comparison is recorded once.
//!
//! Read next: `ja4_models::drift` (the figures), `decide.rs`, `metrics.rs` (where figures go), `crate::retrain` (what follows).

mod decide;
pub(crate) mod metrics;

use ja4_models::drift::{DriftLimits, TableDrift, compare};
use ja4_models::{FeatureSet, Matrix};
use ja4_replay::store::{Statement, Store};

pub use self::decide::{Decision, Outcome};
use self::metrics::Line;
use crate::catalogue::{Catalogue, ModelKind};
use crate::cycle::{self, CyclePlan};
use crate::error::LabError;
use crate::frame::{FeatureFrame, shaped};
use crate::rows::{Rows, short_id};

macro_rules! sql {
    ($name:literal) => {
        Statement::shared(include_str!(concat!("../../../sql/shared/queries/", $name, ".sql")))
    };
}

const WINDOWS: Statement = sql!("drift_windows");
const SCORES: Statement = sql!("drift_scores");
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Hours, ms since 1970, end excluded.
pub type Hours = (i64, i64);

/// What to compare.
#[derive(Debug, Clone, Copy)]
pub struct DriftPlan {
    /// The hours that the model learned from, or that stand for them.
    pub reference: Hours,
    /// The hours in question.
    pub now: Hours,
    /// What counts as drift.
    pub limits: DriftLimits,
    /// When the model in use was kept, ns since 1970, where a registry knows.
    pub model_created_ns: Option<i64>,
    /// The driver's clock, ns since 1970.
    pub clock_ns: i64,
}

impl DriftPlan {
    /// The newest hour against the seven days before it.
    ///
    /// # Errors
    /// Fewer than two hours are scored, or the engine's refusal.
    pub fn newest(store: &dyn Store, clock_ns: i64) -> Result<Self, LabError> {
        let rows = Rows::ask(store, &WINDOWS, &[])?;
        let one = |name: &str| Ok::<_, LabError>(rows.int(name)?.first().copied().unwrap_or(-1));
        let (first, last) = (one("first_ms")?, one("last_ms")?);
        if first < 0 || first == last {
            let have = if first < 0 { "nothing is scored" } else { "only one hour is scored" };
            let text =
                format!("drift: {have}, so there is nothing to compare with; score more hours, or name --reference and --now");
            return Err(LabError::Ask(text));
        }
        Ok(Self {
            reference: (last.saturating_sub(7 * DAY_MS), last),
            now: (last, last.saturating_add(HOUR_MS)),
            limits: DriftLimits::default(),
            model_created_ns: None,
            clock_ns,
        })
    }

    /// Compares with the hours that a model learned from, where they are known and over; older than what is stored, they say nothing.
    #[must_use]
    pub fn since(mut self, learned: Hours, created_ns: i64) -> Self {
        self.model_created_ns = Some(created_ns);
        let learned = (learned.0, learned.1.min(self.now.0));
        if learned.0 > 0 && learned.0 < learned.1 {
            self.reference = learned;
        }
        self
    }

    /// Identity of the comparison: the same hours are the same comparison.
    fn id(&self) -> String {
        short_id([self.reference.0, self.reference.1, self.now.0, self.now.1].map(|hour| hour.to_string()))
    }
}

/// What was found.
#[derive(Debug, Clone)]
pub struct DriftReport {
    /// Features, by kind of model; only kinds with enough sessions on both sides.
    pub features: Vec<(ModelKind, TableDrift)>,
    /// Scores as one column, where enough are stored.
    pub scores: Option<TableDrift>,
    /// Share of labelled sessions that are bots: reference, now; `None` without labels on both sides.
    pub labels: Option<(f64, f64)>,
    /// Probability of that difference by chance.
    pub labels_p: f64,
    /// Age of the model in use, days.
    pub model_age_days: Option<f64>,
    /// What to do.
    pub decision: Decision,
    /// Sentences: why, and what could not be compared.
    pub reasons: Vec<String>,
}

impl DriftReport {
    /// Whether the features of some kind of session moved as if pushed by one hand.
    #[must_use]
    pub fn adversarial(&self) -> bool {
        self.features.iter().any(|(_, table)| table.adversarial)
    }
}

/// Compares; writes nothing.
///
/// # Errors
/// The engine's refusal, or a feature that the view lacks.
pub fn run(store: &dyn Store, plan: &DriftPlan) -> Result<DriftReport, LabError> {
    let catalogue = Catalogue::load().map_err(|error| LabError::Features(error.to_string()))?;
    let read = |hours: Hours| {
        cycle::read_frame(store, &CyclePlan { from_ms: Some(hours.0), to_ms: Some(hours.1), ..CyclePlan::default() })
    };
    let (then, now) = (read(plan.reference)?, read(plan.now)?);
    let mut features = Vec::new();
    let mut reasons = Vec::new();
    for kind in ModelKind::ALL {
        let (reference, parts) = sessions_of(&then, &catalogue, kind)?;
        let (today, _) = sessions_of(&now, &catalogue, kind)?;
        match compare(&reference, &parts, &today, &plan.limits) {
            Ok(found) => features.push((kind, found)),
            // A handful of sessions can say nothing; that is told, not guessed over.
            Err(error) => reasons.push(format!("{} sessions: {error}", kind.as_str())),
        }
    }
    let (scored_then, scored_now) = (scored(store, plan.reference)?, scored(store, plan.now)?);
    let scores = compare(&scored_then.matrix()?, &scored_then.hours, &scored_now.matrix()?, &plan.limits).ok();
    let (labels, labels_p) = shares(&scored_then.labels, &scored_now.labels);
    #[allow(clippy::cast_precision_loss, reason = "days")]
    let model_age_days = plan.model_created_ns.map(|kept| plan.clock_ns.saturating_sub(kept) as f64 / 86_400e9);
    let mut report = DriftReport { features, scores, labels, labels_p, model_age_days, decision: Decision::Keep, reasons };
    let outcome = decide::decide(&report);
    report.decision = outcome.decision;
    report.reasons.splice(0..0, outcome.reasons);
    Ok(report)
}

/// Shaped features of the sessions of one kind, and their hours.
fn sessions_of(frame: &FeatureFrame, catalogue: &Catalogue, kind: ModelKind) -> Result<(Matrix, Vec<i64>), LabError> {
    if frame.sessions() == 0 {
        let set = FeatureSet::new(catalogue.for_model(kind).map(|feature| feature.name.as_str()))?;
        return Ok((Matrix::new(set, Vec::new())?, Vec::new()));
    }
    let ja4 = frame.text("ja4")?;
    let wanted = |row: &usize| ja4.get(*row).is_some_and(|ja4| ja4.is_empty() == (kind == ModelKind::Application));
    let rows: Vec<usize> = (0..frame.sessions()).filter(wanted).collect();
    let hours = frame.int("win_ms")?;
    let values = frame.values(catalogue, kind, &rows)?;
    let hours = rows.iter().map(|row| hours.get(*row).copied().unwrap_or_default()).collect();
    Ok((shaped(catalogue, kind, &values)?, hours))
}

/// Stored scores of a span.
struct Scored {
    hours: Vec<i64>,
    scores: Vec<f64>,
    labels: Vec<i64>,
}

impl Scored {
    fn matrix(&self) -> Result<Matrix, LabError> {
        Ok(Matrix::new(FeatureSet::new(["score"])?, self.scores.clone())?)
    }
}

fn scored(store: &dyn Store, hours: Hours) -> Result<Scored, LabError> {
    let rows = Rows::ask(store, &SCORES, &[&hours.0.to_string(), &hours.1.to_string()])?;
    Ok(Scored { hours: rows.int("win_ms")?, scores: rows.float("score")?, labels: rows.int("label")? })
}

/// Shares of bots among the labelled, and the probability of their difference by chance (two proportions, pooled).
#[allow(clippy::cast_precision_loss, reason = "counts of sessions")]
fn shares(then: &[i64], now: &[i64]) -> (Option<(f64, f64)>, f64) {
    let count = |labels: &[i64]| {
        let known = labels.iter().filter(|label| **label >= 0).count() as f64;
        (labels.iter().filter(|label| **label == 1).count() as f64, known)
    };
    let ((bots_then, n), (bots_now, m)) = (count(then), count(now));
    if n < 1.0 || m < 1.0 {
        return (None, 1.0);
    }
    let pooled = (bots_then + bots_now) / (n + m);
    let deviation = (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt();
    let shares = (bots_then / n, bots_now / m);
    let z = if deviation > 0.0 { (shares.1 - shares.0).abs() / deviation } else { 0.0 };
    // 2·(1 − Φ(z)) ≤ exp(−z²/2): an upper bound, so the alarm is never too early.
    (Some(shares), (-z * z / 2.0).exp())
}

/// Writes the figures of a comparison to `ml_performance_metrics`, in the place of those of an earlier comparison of the same hours.
///
/// # Errors
/// The engine's refusal.
pub fn record(store: &dyn Store, plan: &DriftPlan, report: &DriftReport) -> Result<(), LabError> {
    let size = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let mut lines: Vec<Line<'_>> = Vec::new();
    let tables = report.features.iter().map(|(kind, table)| (kind.as_str(), table));
    for (kind, table) in tables.chain(report.scores.iter().map(|table| ("scores", table))) {
        let of = |metric: &str, value: f64| Line { kind, sessions: size(table.rows.1), ..Line::new(metric, value) };
        for column in &table.columns {
            let detail = serde_json::json!({"feature": column.name, "then": column.then, "now": column.now, "psi": column.psi,
                "kl": column.kl, "p": column.p, "shift": column.shift, "usual": column.usual, "drifted": column.drifted});
            lines.push(Line { detail: detail.to_string(), ..of(&format!("drift_ks:{}", column.name), column.ks) });
        }
        lines.push(of("drift_share", table.drifted_share));
        lines.push(of("drift_same_way", table.same_way));
    }
    if let Some((then, now)) = report.labels {
        let detail = serde_json::json!({"then": then, "p": report.labels_p}).to_string();
        lines.push(Line { labelled: 1, detail, ..Line::new("label_share", now) });
    }
    if let Some(days) = report.model_age_days {
        lines.push(Line::new("model_age_days", days));
    }
    lines.push(Line { detail: report.reasons.join("; "), ..Line::new("drift_decision", report.decision.level()) });
    metrics::write(store, &plan.id(), &lines, plan.clock_ns)
}
