//! Fitting: voices on the rows meant for them, calibration, combination, thresholds.
//!
//! Unsupervised voices learn from the baseline; boosted trees from the labelled rows. For calibration, thresholds and the
//! meta-learner each row is scored by voices that were fitted without it (`unseen.rs`; boosted trees: stratified folds).
//! Read next: `calibrate.rs`, `logistic.rs`, `model.rs`.

use super::calibrate::{PlattCalibrator, RankCalibrator};
use super::hyperparams::Ensemble;
use super::logistic::LogisticRegression;
use super::model::{Calibrator, Combination, EnsembleModel, Member, evidence, logit};
use super::unseen::Baseline;
use super::verdict::Severity;
use crate::anomaly::{StratifiedFolds, out_of_fold_scores};
use crate::error::Result;
use crate::matrix::{Matrix, check_labels};
use crate::stop::Stop;
use crate::voice::Fit;

const OPERATION: &str = "fitting the ensemble";
/// Anomalies and normal rows needed, each, before boosted trees join.
const BOOSTED_MIN_ROWS: usize = 10;
const FOLDS: usize = 5;
/// L2 penalty of the meta-learner. Labels tell of known kinds; a firm penalty keeps every voice heard about those that come.
const META_PENALTY: f64 = 10.0;

/// What an ensemble learns from.
#[derive(Debug, Clone, Copy)]
pub struct TrainingData<'a> {
    /// Rows taken as ordinary: the forest and the autoencoder learn these, and rank calibration refers to them.
    pub baseline: &'a Matrix,
    /// Rows with labels (true = anomaly).
    pub labelled: Option<(&'a Matrix, &'a [bool])>,
}

impl Fit for Ensemble {
    type Model = EnsembleModel;

    /// All rows are the baseline, and the labelled rows if labels are given.
    fn fit(&self, matrix: &Matrix, labels: Option<&[bool]>, seed: u64) -> Result<EnsembleModel> {
        self.fit_on(TrainingData { baseline: matrix, labelled: labels.map(|labels| (matrix, labels)) }, seed)
    }
}

impl Ensemble {
    /// Fits on a baseline and labelled rows that need not be the same.
    ///
    /// # Errors
    /// As the voices; labels of one class or too few only leave the boosted trees and the meta-learner out.
    pub fn fit_on(&self, data: TrainingData<'_>, seed: u64) -> Result<EnsembleModel> {
        let baseline = data.baseline;
        let rows = Baseline::new(baseline, seed);
        let stop = Stop::asked();
        let forest = || stop.hold(|| calibrated(&self.eif, &rows, baseline, self.weights[0], seed));
        let network = || {
            let fit = |network| calibrated(network, &rows, baseline, self.weights[1], seed);
            stop.hold(|| self.autoencoder.as_ref().map(fit))
        };
        let trees = || stop.hold(|| data.labelled.map(|(matrix, labels)| self.boosted_voice(matrix, labels, seed)));
        // Side by side: the network learns batch by batch and leaves threads idle.
        let (network, (forest, trees)) = rayon::join(network, || rayon::join(forest, trees));
        let mut unsupervised = vec![forest?];
        unsupervised.extend(network.transpose()?);
        let (mut members, columns): (Vec<Member>, Vec<Vec<f64>>) = unsupervised.into_iter().unzip();
        let mut combination = Combination::Fixed;
        let mut reference = Reference::default();
        if let Some((matrix, labels)) = data.labelled {
            check_labels(OPERATION, matrix, labels)?;
            baseline.features().require(matrix.features())?;
            let of_labelled = |(member, of_baseline): (&Member, &Vec<f64>)| {
                let mut column = member.calibrated(matrix)?;
                rows.correct(&mut column, matrix, of_baseline);
                Ok(column)
            };
            let inputs = members.iter().zip(&columns).map(of_labelled).collect::<Result<_>>()?;
            if enough(labels) {
                let boosted = trees.transpose()?.flatten();
                reference = self.learn_from_labels(&mut members, inputs, boosted, &mut combination, labels)?;
            }
        }
        if reference.inputs.is_empty() {
            reference = Reference { inputs: row_major(&columns, baseline.rows()), normal: vec![true; baseline.rows()] };
        }
        let total: f64 = members.iter().map(|member| member.weight).sum();
        members.iter_mut().for_each(|member| member.weight /= total);
        let mut model = EnsembleModel::new(baseline.features().clone(), members, combination);
        self.set_thresholds(&mut model, &reference);
        Ok(model)
    }

    /// The boosted trees with what they say of each labelled row unseen, where they are wanted and the labels allow it.
    fn boosted_voice(&self, matrix: &Matrix, labels: &[bool], seed: u64) -> Result<Option<(Member, Vec<f64>)>> {
        let Some(boosted) = self.boosted.as_ref().filter(|_| enough(labels)) else { return Ok(None) };
        let folds = StratifiedFolds::new(labels, FOLDS, seed);
        let unseen = || out_of_fold_scores(boosted, matrix, labels, &folds, seed);
        let (unseen, voice) = rayon::join(unseen, || boosted.fit(matrix, Some(labels), seed));
        let margins: Vec<f64> = unseen?.iter().map(|&score| logit(score)).collect();
        let platt = PlattCalibrator::fit(&margins, labels)?;
        let column = margins.iter().map(|&margin| platt.apply(margin)).collect();
        let calibrator = Calibrator::Platt(platt);
        Ok(Some((Member { voice: Box::new(voice?), calibrator, weight: self.weights[2], threshold: 1.0 }, column)))
    }

    /// Adds the boosted trees and the meta-learner where the labels allow it. `columns` holds what the other voices say of the rows.
    fn learn_from_labels(
        &self,
        members: &mut Vec<Member>,
        mut columns: Vec<Vec<f64>>,
        boosted: Option<(Member, Vec<f64>)>,
        combination: &mut Combination,
        labels: &[bool],
    ) -> Result<Reference> {
        if let Some((member, column)) = boosted {
            members.push(member);
            columns.push(column);
        }
        let inputs = row_major(&columns, labels.len());
        if labels.len() >= self.meta_min_labels {
            let weighed: Vec<f64> = inputs.iter().map(|&p| evidence(p)).collect();
            let meta = LogisticRegression::fit_non_negative(&weighed, columns.len(), labels, META_PENALTY)?;
            *combination = Combination::Learnt(meta);
        }
        Ok(Reference { inputs, normal: labels.iter().map(|&label| !label).collect() })
    }

    /// Thresholds at the target false-positive rate over the normal rows of the reference.
    fn set_thresholds(&self, model: &mut EnsembleModel, reference: &Reference) {
        let width = model.members.len();
        let normal_rows = || reference.inputs.chunks_exact(width).zip(&reference.normal).filter(|row| *row.1).map(|row| row.0);
        for at in 0..width {
            let mut scores: Vec<f64> = normal_rows().map(|row| row[at]).collect();
            model.members[at].threshold = upper_quantile(&mut scores, self.target_fpr);
        }
        let mut scores: Vec<f64> = normal_rows().map(|row| model.combine(row)).collect();
        model.thresholds = Severity::LEVELS.map(|(_, part)| upper_quantile(&mut scores, self.target_fpr * part));
    }
}

/// Whether labels of both classes are enough for boosted trees and a meta-learner.
fn enough(labels: &[bool]) -> bool {
    let anomalies = labels.iter().filter(|&&label| label).count();
    anomalies >= BOOSTED_MIN_ROWS && labels.len() - anomalies >= BOOSTED_MIN_ROWS
}

/// Calibrated voice scores of rows whose class is known or assumed, row-major.
#[derive(Default)]
struct Reference {
    inputs: Vec<f64>,
    normal: Vec<bool>,
}

fn row_major(columns: &[Vec<f64>], rows: usize) -> Vec<f64> {
    (0..rows).flat_map(|row| columns.iter().map(move |column| column[row])).collect()
}

/// An unsupervised voice fitted on the baseline, ranked among the baseline's scores; and the rank of each row of the baseline.
fn calibrated<F: Fit>(fit: &F, rows: &Baseline<'_>, baseline: &Matrix, weight: f64, seed: u64) -> Result<(Member, Vec<f64>)>
where
    F::Model: 'static,
{
    let voice = fit.fit(baseline, None, seed)?;
    let scores = rows.scores(fit, &voice, seed)?;
    let rank = RankCalibrator::fit(&scores)?;
    let ranks = scores.into_iter().map(|score| rank.apply(score)).collect();
    Ok((Member { voice: Box::new(voice), calibrator: Calibrator::Rank(rank), weight, threshold: 1.0 }, ranks))
}

/// The lowest score that at most `share` of the scores reach, or just above the largest if even that is too many.
fn upper_quantile(scores: &mut [f64], share: f64) -> f64 {
    scores.sort_unstable_by(|a, b| b.total_cmp(a));
    let allowed = (scores.len() as f64 * share).floor() as usize;
    match (scores.first(), scores.get(allowed)) {
        // The first score beyond those allowed must stay below: the threshold lies above it, at the next larger score.
        (_, Some(&first_excluded)) => {
            let next = scores.iter().rev().find(|&&score| score > first_excluded);
            next.copied().unwrap_or(first_excluded + 1e-9 * (1.0 + first_excluded.abs()))
        }
        (Some(_), None) => *scores.last().unwrap_or(&1.0),
        (None, _) => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_share_reaches_the_threshold() {
        let mut scores: Vec<f64> = (0..1_000).map(f64::from).collect();
        let threshold = upper_quantile(&mut scores, 0.01);
        assert_eq!(scores.iter().filter(|&&score| score >= threshold).count(), 10);
        let mut ties = vec![1.0; 50];
        let threshold = upper_quantile(&mut ties, 0.1);
        assert_eq!(ties.iter().filter(|&&score| score >= threshold).count(), 0);
        assert_eq!(upper_quantile(&mut [], 0.1), 1.0);
    }
}
