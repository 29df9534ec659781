//! What each kind of experiment does: data in, named values, predictions and figures out.
//!
//! Promises: arms are worked through in one order; a value that rests on few sessions is noted as such.
//!
//! Read next: one file a kind; `../bench.rs` (models), `../data.rs` (data).

mod ablation;
mod contamination;
mod cost;
mod drift;
mod explanations;
mod groups;
mod impersonators;
mod join;
mod stability;
mod unseen;
mod voices;

use super::bench::{Bench, Quality, bootstrap, quality};
use super::data::Places;
use super::outcome::{Outcome, VOICES};
use super::plan::{Kind, Plan};
use crate::error::LabError;

/// What a kind may do while it runs.
pub struct Run<'r> {
    /// What was asked.
    pub plan: &'r Plan,
    /// Where things are.
    pub places: &'r Places,
    /// Seconds since some instant: times of this run are measured with it, results never depend on it.
    pub clock: &'r dyn Fn() -> f64,
    /// Hears what is being done.
    pub tell: &'r dyn Fn(&str),
}

/// Runs a plan.
///
/// # Errors
/// Data that are missing or too few, or what models, replay and file system refuse.
pub fn run(run: &Run<'_>) -> Result<Outcome, LabError> {
    match run.plan.kind {
        Kind::Stability => stability::run(run),
        Kind::Ablation => ablation::families(run),
        Kind::Techniques => ablation::techniques(run),
        Kind::Explanations => explanations::run(run),
        Kind::Voices => voices::run(run),
        Kind::Unseen => unseen::run(run),
        Kind::Impersonators => impersonators::run(run),
        Kind::Drift => drift::run(run),
        Kind::Groups => groups::run(run),
        Kind::Join => join::run(run),
        Kind::Cost => cost::run(run),
        Kind::Contamination => contamination::run(run),
    }
}

/// Sessions of the rarer class below which a value is called weak.
const FEW: usize = 30;

/// Scores of one arm, for each seed by row.
pub(super) type Scores = Vec<Vec<[f64; 5]>>;

impl Run<'_> {
    /// Out-of-fold scores of every session for every seed.
    pub(super) fn cross(&self, bench: &Bench, ask: &super::bench::Ask<'_>) -> Result<Scores, LabError> {
        self.plan.seeds.get_ref().iter().map(|seed| bench.cross(self.plan.folds, ask, *seed)).collect()
    }

    /// AUROC, average precision and recall of one voice over `rows`, as means over the seeds, with intervals.
    pub(super) fn measure(&self, outcome: &mut Outcome, arm: &str, bench: &Bench, rows: &[usize], scores: &Scores, voice: usize) {
        let bot = |row: &usize| bench.bot.get(*row).copied().unwrap_or_default();
        let cases: Vec<(usize, bool)> = rows.iter().map(|row| (*row, bot(row))).collect();
        let bots = cases.iter().filter(|case| case.1).count();
        let fewer = bots.min(cases.len().saturating_sub(bots));
        let figures = |drawn: &[(usize, bool)]| mean_quality(drawn, scores, voice);
        let Some(found) = figures(&cases) else { return };
        let figure: [(&str, fn(Quality) -> f64); 3] =
            [("auroc", |q| q.auroc), ("ap", |q| q.ap), ("recall_at_1pct_fpr", |q| q.recall)];
        for (name, pick) in figure {
            let interval = bootstrap(&cases, self.plan.bootstrap, 1, |drawn| figures(drawn).map(pick));
            outcome.push(arm, name, pick(found), interval, fewer);
        }
        if fewer < FEW {
            let (missed, others) =
                (detectable(found.auroc, fewer, cases.len().saturating_sub(fewer)), cases.len().saturating_sub(fewer));
            outcome.notes.push(format!(
                "{arm}: only {fewer} sessions of the rarer class beside {others}: of a true difference in AUROC below {missed:.2} such a sample \
                 shows nothing more often than once in five"
            ));
        }
    }

    /// Keeps predictions of one arm.
    pub(super) fn keep(&self, outcome: &mut Outcome, arm: &str, bench: &Bench, rows: &[usize], scores: &Scores) {
        for (seed, by_row) in self.plan.seeds.get_ref().iter().zip(scores) {
            for row in rows {
                if let Some(score) = by_row.get(*row) {
                    outcome.predictions.push(bench.prediction(arm, *seed, *row, *score));
                }
            }
        }
    }
}

/// The least difference between two AUROCs that is found four times in five at the level of 5 %: 2.8 standard errors of the smaller sample's
/// (Hanley, McNeil 1982). An AUROC of one is given half a pair's doubt, for a standard error of nothing is none.
fn detectable(auroc: f64, fewer: usize, others: usize) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "counts of sessions")]
    let (n, m) = (fewer.max(1) as f64, others.max(1) as f64);
    let a = auroc.clamp(0.5 / n, 1.0 - 0.5 / n);
    let (one, two) = (a / (2.0 - a), 2.0 * a * a / (1.0 + a));
    let variance = (a * (1.0 - a) + (n - 1.0) * (one - a * a) + (m - 1.0) * (two - a * a)) / (n * m);
    2.8 * variance.max(0.0).sqrt()
}

/// Means over the seeds.
fn mean_quality(drawn: &[(usize, bool)], scores: &Scores, voice: usize) -> Option<Quality> {
    let mut sum = Quality { auroc: 0.0, ap: 0.0, recall: 0.0 };
    for by_row in scores {
        let score = |row: usize| by_row.get(row).and_then(|scores| scores.get(voice)).copied().unwrap_or(-1.0);
        let pairs: Vec<(f64, bool)> = drawn.iter().map(|(row, bot)| (score(*row), *bot)).collect();
        let found = quality(&pairs)?;
        sum = Quality { auroc: sum.auroc + found.auroc, ap: sum.ap + found.ap, recall: sum.recall + found.recall };
    }
    #[allow(clippy::cast_precision_loss, reason = "a handful of seeds")]
    let n = scores.len().max(1) as f64;
    Some(Quality { auroc: sum.auroc / n, ap: sum.ap / n, recall: sum.recall / n })
}

/// Place of a voice in the scores.
pub(super) fn voice(name: &str) -> usize {
    VOICES.iter().position(|voice| *voice == name).unwrap_or(3)
}

/// Part of a whole; 0 of nothing.
#[allow(clippy::cast_precision_loss, reason = "counts of sessions and requests")]
pub(super) fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_sample_finds_large_differences_only() {
        // Hanley and McNeil's own example: 51 and 58 cases, an area of 0.893, a standard error of 0.032.
        assert!((detectable(0.893, 51, 58) / 2.8 - 0.032).abs() < 0.001);
        assert!(detectable(0.9, 10, 90) > 0.15 && detectable(0.9, 300, 300) < 0.04);
        assert!(detectable(1.0, 1, 90) > 0.3, "one session can show nothing");
    }
}
