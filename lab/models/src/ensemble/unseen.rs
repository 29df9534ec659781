//! Scores of rows that a voice has learnt from, as if it had not: what calibration and thresholds refer to.
//!
//! A voice knows the rows it was fitted on, a network most of all: their scores lie lower than those of rows like them that come
//! later. Ranks among such scores would call the later ones odd. So each row of a small baseline is scored by a voice that was
//! fitted without it; a large one is no longer learnt by heart, and is scored as it stands.
//! Read next: `algorithm.rs`, `calibrate.rs`.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::error::Result;
use crate::matrix::Matrix;
use crate::rng::Rng;
use crate::voice::{Fit, Voice};

const FOLDS: usize = 5;
/// Fewer different rows than this cannot spare a fifth.
const LEAST_ROWS: usize = 10;
/// Baselines of more rows are scored by the voice itself: what it gains on rows it knows is lost in so many, and five fits cost.
const MOST_ROWS: usize = 2_000;
/// Random stream that deals rows into folds.
const FOLD_STREAM: u64 = 0x0f1d;

/// The rows of a baseline, dealt into folds; equal rows share one.
pub(super) struct Baseline<'a> {
    matrix: &'a Matrix,
    /// Fold of each row; empty where the voices' own scores are taken.
    folds: Vec<usize>,
    /// The first row of each content.
    first: BTreeMap<Vec<u64>, usize>,
}

impl<'a> Baseline<'a> {
    pub(super) fn new(matrix: &'a Matrix, seed: u64) -> Self {
        let mut baseline = Self { matrix, folds: Vec::new(), first: BTreeMap::new() };
        if matrix.rows() > MOST_ROWS {
            return baseline;
        }
        let first: Vec<usize> =
            (0..matrix.rows()).map(|row| *baseline.first.entry(bits(matrix.row(row))).or_insert(row)).collect();
        if baseline.first.len() < LEAST_ROWS {
            baseline.first.clear();
            return baseline;
        }
        let mut order: Vec<usize> = baseline.first.values().copied().collect();
        order.sort_unstable();
        Rng::stream(seed, FOLD_STREAM).shuffle(&mut order);
        let mut fold_of_first = vec![0; matrix.rows()];
        order.iter().enumerate().for_each(|(place, &row)| fold_of_first[row] = place % FOLDS);
        baseline.folds = first.into_iter().map(|row| fold_of_first[row]).collect();
        baseline
    }

    /// Score of each row by a voice that was fitted without it, or by `voice`, fitted on all, where the baseline is large or tiny.
    pub(super) fn scores<F: Fit>(&self, fit: &F, voice: &F::Model, seed: u64) -> Result<Vec<f64>> {
        let mut scores = voice.score(self.matrix)?;
        let of_fold = |fold: usize| -> Result<(Vec<usize>, Vec<f64>)> {
            let (held, kept): (Vec<usize>, Vec<usize>) = (0..self.folds.len()).partition(|&row| self.folds[row] == fold);
            let without = fit.fit(&self.matrix.select_rows(&kept), None, seed)?;
            let unseen = without.score(&self.matrix.select_rows(&held))?;
            Ok((held, unseen))
        };
        let folds = 0..if self.folds.is_empty() { 0 } else { FOLDS };
        for (held, unseen) in folds.into_par_iter().map(of_fold).collect::<Result<Vec<_>>>()? {
            held.iter().zip(unseen).for_each(|(&row, score)| scores[row] = score);
        }
        Ok(scores)
    }

    /// Replaces the entries of `column`, one a row of `other`, where the row also stands in the baseline, by that of the baseline.
    pub(super) fn correct(&self, column: &mut [f64], other: &Matrix, of_baseline: &[f64]) {
        if self.first.is_empty() {
            return;
        }
        for (row, slot) in column.iter_mut().enumerate() {
            let known = self.first.get(&bits(other.row(row))).and_then(|&first| of_baseline.get(first));
            known.into_iter().for_each(|&value| *slot = value);
        }
    }
}

/// A row's content, to be compared exactly.
fn bits(row: &[f64]) -> Vec<u64> {
    row.iter().map(|value| value.to_bits()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eif::EifParams;
    use crate::matrix::FeatureSet;

    fn table(rows: usize) -> Matrix {
        let mut rng = Rng::stream(3, 0);
        Matrix::new(FeatureSet::numbered(4).unwrap(), (0..rows * 4).map(|_| rng.normal()).collect()).unwrap()
    }

    #[test]
    fn rows_that_stand_twice_share_a_fold_and_a_value() {
        let once = table(40);
        let rows: Vec<usize> = (0..40).chain(0..40).collect();
        let twice = once.select_rows(&rows);
        let baseline = Baseline::new(&twice, 1);
        assert_eq!(baseline.folds[..40], baseline.folds[40..]);
        let mut column = vec![0.0; 3];
        let of_baseline: Vec<f64> = (0..80).map(f64::from).collect();
        let mut strange = once.select_rows(&[7, 9, 0]).values().to_vec();
        strange[8] += 1.0;
        let other = Matrix::new(once.features().clone(), strange).unwrap();
        baseline.correct(&mut column, &other, &of_baseline);
        assert_eq!(column, [7.0, 9.0, 0.0], "the third row is not in the baseline");
    }

    #[test]
    fn an_unseen_row_scores_no_lower_than_it_does_when_it_was_learnt() {
        let rows = table(60);
        let eif = EifParams::default().check().unwrap();
        let voice = eif.fit(&rows, None, 1).unwrap();
        let unseen = Baseline::new(&rows, 1).scores(&eif, &voice, 1).unwrap();
        let mean = |scores: &[f64]| scores.iter().sum::<f64>() / scores.len() as f64;
        assert!(mean(&unseen) > mean(&voice.score(&rows).unwrap()) + 0.01);
        // Large and tiny baselines are scored as they stand.
        for rows in [table(MOST_ROWS + 1), table(LEAST_ROWS - 1)] {
            let voice = eif.fit(&rows, None, 1).unwrap();
            assert_eq!(Baseline::new(&rows, 1).scores(&eif, &voice, 1).unwrap(), voice.score(&rows).unwrap());
        }
    }
}
