//! From figures to a decision: keep, warn or retrain, each with its reason.
//!
//! Promises: a drift that looks like one hand pushing everything one way is a warning and never a reason to learn from it; a few
//! features alone warn; many features, the scores or the labels ask for a new model, which still has to prove itself
//! (`crate::registry`, contest). Read next: `mod.rs`.

use super::DriftReport;

/// Share of drifted features from which on the model no longer knows its world.
const MANY: f64 = 0.1;
/// Probability below which labels have changed.
const LABELS_P: f64 = 0.001;
/// Days after which a model is old whatever the figures say.
const OLD_DAYS: f64 = 30.0;
/// How many features a reason names.
const NAMED: usize = 4;

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Nothing.
    Keep,
    /// Have a look before anything is learned from these sessions.
    Warn,
    /// Fit a new model, and let it contest the old one.
    Retrain,
}

impl Decision {
    /// The word printed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Warn => "warn",
            Self::Retrain => "retrain",
        }
    }

    /// 0, 1, 2: as stored.
    #[must_use]
    pub fn level(self) -> f64 {
        match self {
            Self::Keep => 0.0,
            Self::Warn => 1.0,
            Self::Retrain => 2.0,
        }
    }
}

/// A decision with its reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What to do.
    pub decision: Decision,
    /// Why, most telling first.
    pub reasons: Vec<String>,
}

pub(super) fn decide(report: &DriftReport) -> Outcome {
    let mut reasons = Vec::new();
    let mut warn = false;
    let mut retrain = false;
    let mut adversarial = false;
    for (kind, table) in &report.features {
        let drifted: Vec<&str> =
            table.columns.iter().filter(|column| column.drifted).map(|column| column.name.as_str()).collect();
        if drifted.is_empty() {
            continue;
        }
        let more = if drifted.len() > NAMED { ", …" } else { "" };
        let named = drifted.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
        let (kind, share, count) = (kind.as_str(), table.drifted_share * 100.0, drifted.len());
        reasons.push(format!("{kind} sessions: {count} features ({share:.0} %) drifted: {named}{more}"));
        if table.adversarial {
            adversarial = true;
            let share = table.same_way * 100.0;
            reasons.push(format!("{share:.0} % of them moved the same way, as if by one hand: look before learning from it"));
        }
        retrain |= table.drifted_share >= MANY;
        warn = true;
    }
    if let Some(column) = report.scores.as_ref().and_then(|table| table.columns.first()).filter(|column| column.drifted) {
        let way = if column.shift > 0.0 { "up" } else { "down" };
        reasons.push(format!("scores moved {way} (Kolmogorov-Smirnov {:.2})", column.ks));
        retrain = true;
    }
    if let Some((then, now)) = report.labels.filter(|_| report.labels_p < LABELS_P) {
        reasons.push(format!("{:.0} % of the labelled sessions are bots, {:.0} % before", now * 100.0, then * 100.0));
        retrain = true;
    }
    if let Some(days) = report.model_age_days.filter(|days| *days > OLD_DAYS) {
        reasons.push(format!("the model is {days:.0} days old"));
        retrain = true;
    }
    let decision = match (adversarial, retrain, warn) {
        (true, ..) => Decision::Warn,
        (_, true, _) => Decision::Retrain,
        (_, _, true) => Decision::Warn,
        _ => Decision::Keep,
    };
    if reasons.is_empty() {
        let nothing = report.features.is_empty() && report.scores.is_none();
        reasons.push(
            if nothing { "too few sessions on one side to say anything" } else { "nothing moved beyond chance" }.to_owned(),
        );
    }
    Outcome { decision, reasons }
}
