//! Any numeric table, any voice, one call: scores and, with labels, how good they are.
//!
//! An unsupervised voice is fitted on all rows and scores all rows; labels only measure it. A supervised voice (boosted,
//! or the ensemble when labels are given) scores each row by a model fitted without it: stratified five-fold.
//! Read next: `voice.rs`, `metrics.rs`.

use rayon::prelude::*;

use crate::autoencoder::AutoencoderParams;
use crate::eif::EifParams;
use crate::ensemble::EnsembleParams;
use crate::error::{ModelError, Result};
use crate::gbdt::BoostedParams;
use crate::matrix::{Matrix, check_labels};
use crate::metrics::Metrics;
use crate::rng::Rng;
use crate::voice::{Fit, Voice, VoiceKind};

const OPERATION: &str = "scoring the table";
const FOLDS: usize = 5;

/// What `run_anomaly` found.
#[derive(Debug, Clone, PartialEq)]
pub struct AnomalyReport {
    /// One score per row, higher = more anomalous.
    pub scores: Vec<f64>,
    /// Quality, where labels of both classes were given.
    pub metrics: Option<Metrics>,
    /// Each row was scored by a model that had not seen it.
    pub out_of_fold: bool,
}

/// Scores a table with the default settings of a voice.
///
/// # Errors
/// [`ModelError::TooFewRows`] for a table without two rows, [`ModelError::LabelsMissing`] for boosted trees without
/// labels, [`ModelError::OneClass`] where they hold one class or fewer than two rows of one.
pub fn run_anomaly(matrix: &Matrix, labels: Option<&[bool]>, voice: VoiceKind, seed: u64) -> Result<AnomalyReport> {
    if let Some(labels) = labels {
        check_labels(OPERATION, matrix, labels)?;
    }
    let unsupervised = |scores: Vec<f64>| finish(scores, labels, false);
    let supervised = |scores: Vec<f64>| finish(scores, labels, true);
    match (voice, labels) {
        (VoiceKind::Eif, _) => unsupervised(EifParams::default().check()?.fit(matrix, None, seed)?.score(matrix)?),
        (VoiceKind::Autoencoder, _) => {
            unsupervised(AutoencoderParams::default().check()?.fit(matrix, None, seed)?.score(matrix)?)
        }
        (VoiceKind::Ensemble, None) => unsupervised(EnsembleParams::default().check()?.fit(matrix, None, seed)?.score(matrix)?),
        (VoiceKind::Boosted, None) => Err(ModelError::LabelsMissing { operation: OPERATION }),
        (VoiceKind::Boosted, Some(labels)) => {
            let folds = StratifiedFolds::new(labels, FOLDS, seed);
            supervised(out_of_fold_scores(&BoostedParams::default().check()?, matrix, labels, &folds, seed)?)
        }
        (VoiceKind::Ensemble, Some(labels)) => {
            let folds = StratifiedFolds::new(labels, FOLDS, seed);
            supervised(out_of_fold_scores(&EnsembleParams::default().check()?, matrix, labels, &folds, seed)?)
        }
    }
}

/// Rows dealt to folds so that each fold has its part of both classes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StratifiedFolds {
    fold_of_row: Vec<usize>,
    count: usize,
}

impl StratifiedFolds {
    /// Shuffles each class and deals it out in turn; `count` is held between 2 and the number of rows.
    pub fn new(labels: &[bool], count: usize, seed: u64) -> Self {
        let count = count.clamp(2, labels.len().max(2));
        let mut fold_of_row = vec![0; labels.len()];
        let mut dealt = 0;
        for class in [true, false] {
            let mut rows: Vec<usize> = (0..labels.len()).filter(|&row| labels[row] == class).collect();
            Rng::stream(seed, u64::from(class) + 0xf01d).shuffle(&mut rows);
            // Going on where the other class ended keeps fold sizes within one row of each other.
            for row in rows {
                fold_of_row[row] = dealt % count;
                dealt += 1;
            }
        }
        Self { fold_of_row, count }
    }

    /// Number of folds.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Rows inside and outside a fold, ascending.
    pub fn split(&self, fold: usize) -> (Vec<usize>, Vec<usize>) {
        (0..self.fold_of_row.len()).partition(|&row| self.fold_of_row[row] == fold)
    }
}

/// Scores every row with a model fitted on the other folds.
///
/// # Errors
/// As fitting; in particular [`ModelError::OneClass`] when the labels outside a fold are of one class.
pub fn out_of_fold_scores<F: Fit>(
    fit: &F,
    matrix: &Matrix,
    labels: &[bool],
    folds: &StratifiedFolds,
    seed: u64,
) -> Result<Vec<f64>> {
    check_labels(OPERATION, matrix, labels)?;
    let of_fold = |fold: usize| -> Result<(Vec<usize>, Vec<f64>)> {
        let (held, kept) = folds.split(fold);
        let kept_labels: Vec<bool> = kept.iter().map(|&row| labels[row]).collect();
        let model = fit.fit(&matrix.select_rows(&kept), Some(&kept_labels), seed)?;
        let scores = model.score(&matrix.select_rows(&held))?;
        Ok((held, scores))
    };
    // Folds side by side: a fit of few rows leaves threads idle.
    let parts = (0..folds.count()).into_par_iter().map(of_fold).collect::<Result<Vec<_>>>()?;
    let mut scores = vec![0.0; matrix.rows()];
    for (held, held_scores) in parts {
        held.iter().zip(held_scores).for_each(|(&row, score)| scores[row] = score);
    }
    Ok(scores)
}

fn finish(scores: Vec<f64>, labels: Option<&[bool]>, out_of_fold: bool) -> Result<AnomalyReport> {
    let metrics = match labels.map(|labels| Metrics::of(&scores, labels)) {
        None | Some(Err(ModelError::OneClass { .. })) => None,
        Some(metrics) => Some(metrics?),
    };
    Ok(AnomalyReport { scores, metrics, out_of_fold })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::FeatureSet;

    #[test]
    fn folds_share_both_classes_evenly() {
        let labels: Vec<bool> = (0..103).map(|row| row % 9 == 0).collect();
        let folds = StratifiedFolds::new(&labels, 5, 3);
        for fold in 0..5 {
            let (held, kept) = folds.split(fold);
            assert_eq!(held.len() + kept.len(), 103);
            let anomalies = held.iter().filter(|&&row| labels[row]).count();
            assert!((20..=21).contains(&held.len()) && (2..=3).contains(&anomalies), "{} {anomalies}", held.len());
        }
        assert_ne!(folds, StratifiedFolds::new(&labels, 5, 4));
    }

    #[test]
    fn every_voice_finds_the_odd_rows_of_a_small_table() {
        let mut rng = Rng::stream(5, 0);
        let labels: Vec<bool> = (0..600).map(|row| row % 20 == 7).collect();
        let values = labels.iter().flat_map(|&odd| [0, 1, 2].map(|_| rng.normal() + if odd { 6.0 } else { 0.0 })).collect();
        let matrix = Matrix::new(FeatureSet::numbered(3).unwrap(), values).unwrap();
        for kind in [VoiceKind::Eif, VoiceKind::Autoencoder, VoiceKind::Boosted, VoiceKind::Ensemble] {
            let report = run_anomaly(&matrix, Some(&labels), kind, 1).unwrap();
            let auroc = report.metrics.unwrap().auroc;
            assert!(auroc > 0.95, "{}: {auroc}", kind.name());
            assert_eq!(report.out_of_fold, matches!(kind, VoiceKind::Boosted | VoiceKind::Ensemble));
        }
        let unlabelled = run_anomaly(&matrix, None, VoiceKind::Ensemble, 1).unwrap();
        assert!(unlabelled.metrics.is_none() && unlabelled.scores.iter().all(|score| score.is_finite()));
        assert!(matches!(run_anomaly(&matrix, None, VoiceKind::Boosted, 1), Err(ModelError::LabelsMissing { .. })));
        assert!(run_anomaly(&matrix, Some(&vec![false; 600]), VoiceKind::Eif, 1).unwrap().metrics.is_none());
    }
}
