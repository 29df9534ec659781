//! How well an ensemble finds what it was never shown: every kind of anomaly is left out of training in turn, and scored.
//!
//! Promises: a row is scored by a model that saw neither its kind nor any row of its group (ordinary rows too: they are dealt
//! into folds by group), so that nothing a client did elsewhere in the table helps to recognise it. The same data, settings and
//! seed give the same scores on any number of threads. Read next: `ensemble/mod.rs`, `metrics.rs`.

use rayon::prelude::*;

use crate::ensemble::{Ensemble, TrainingData};
use crate::error::{ModelError, Result};
use crate::matrix::Matrix;
use crate::metrics::Metrics;
use crate::rng::Rng;
use crate::voice::VoiceKind;

const OPERATION: &str = "scoring kinds held out of training";

/// What is known of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// Which kind of anomaly made it; `None` for an ordinary row.
    pub kind: Option<usize>,
    /// Rows of one group are never on both sides of a split.
    pub group: usize,
}

/// Scores of a row by models that had seen neither its kind nor its group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeldOutScore {
    /// Row of the matrix.
    pub row: usize,
    /// Calibrated score by voice, as [`HeldOutScore::voice`] gives it.
    voices: [Option<f64>; 3],
    /// The voices together.
    pub ensemble: f64,
}

impl HeldOutScore {
    /// What a single voice said; `None` where it had too little to learn from.
    #[must_use]
    pub fn voice(&self, kind: VoiceKind) -> Option<f64> {
        match kind {
            VoiceKind::Ensemble => Some(self.ensemble),
            _ => place(kind).and_then(|place| self.voices.get(place).copied().flatten()),
        }
    }
}

fn place(kind: VoiceKind) -> Option<usize> {
    [VoiceKind::Eif, VoiceKind::Autoencoder, VoiceKind::Boosted].iter().position(|one| *one == kind)
}

/// The folds of every group, ordinary groups dealt first so that each fold has its share of them.
#[must_use]
pub fn folds_by_group(subjects: &[Subject], folds: usize, seed: u64) -> Vec<usize> {
    let groups = subjects.iter().map(|subject| subject.group + 1).max().unwrap_or(0);
    let mut ordinary = vec![false; groups];
    subjects.iter().filter(|subject| subject.kind.is_none()).for_each(|subject| ordinary[subject.group] = true);
    let mut fold_of_group = vec![0; groups];
    let mut dealt = 0;
    for wanted in [true, false] {
        let mut mine: Vec<usize> = (0..groups).filter(|&group| ordinary[group] == wanted).collect();
        Rng::stream(seed, u64::from(wanted) + 0x6e0).shuffle(&mut mine);
        for group in mine {
            fold_of_group[group] = dealt % folds.max(2);
            dealt += 1;
        }
    }
    fold_of_group
}

/// Scores every ordinary row and every row of `kind` by models fitted without that kind and without their groups.
/// `fold_of_group` is what [`folds_by_group`] gave; the rows come back in the order of the matrix.
///
/// # Errors
/// What the voices refuse; subjects of another number than rows.
pub fn score_held_out(
    matrix: &Matrix,
    subjects: &[Subject],
    fold_of_group: &[usize],
    kind: usize,
    ensemble: &Ensemble,
    seed: u64,
) -> Result<Vec<HeldOutScore>> {
    if subjects.len() != matrix.rows() {
        return Err(ModelError::LengthMismatch { operation: OPERATION, expected: matrix.rows(), found: subjects.len() });
    }
    let fold = |row: usize| fold_of_group.get(subjects[row].group).copied().unwrap_or(0);
    let folds = fold_of_group.iter().copied().max().map_or(0, |last| last + 1);
    let tested = |row: &usize| subjects[*row].kind.is_none_or(|found| found == kind);
    let parts: Vec<Vec<HeldOutScore>> = (0..folds)
        .into_par_iter()
        .map(|held| {
            let test: Vec<usize> = (0..subjects.len()).filter(|&row| fold(row) == held).filter(tested).collect();
            let train: Vec<usize> =
                (0..subjects.len()).filter(|&row| fold(row) != held && subjects[row].kind != Some(kind)).collect();
            if test.is_empty() { Ok(Vec::new()) } else { score_fold(matrix, subjects, &train, &test, ensemble, seed) }
        })
        .collect::<Result<_>>()?;
    let mut scores: Vec<HeldOutScore> = parts.into_iter().flatten().collect();
    scores.sort_by_key(|score| score.row);
    Ok(scores)
}

fn score_fold(
    matrix: &Matrix,
    subjects: &[Subject],
    train: &[usize],
    test: &[usize],
    ensemble: &Ensemble,
    seed: u64,
) -> Result<Vec<HeldOutScore>> {
    let ordinary: Vec<usize> = train.iter().copied().filter(|&row| subjects[row].kind.is_none()).collect();
    if ordinary.len() < 2 {
        return Err(ModelError::TooFewRows { operation: OPERATION, needed: 2, found: ordinary.len() });
    }
    let labels: Vec<bool> = train.iter().map(|&row| subjects[row].kind.is_some()).collect();
    let (baseline, labelled) = (matrix.select_rows(&ordinary), matrix.select_rows(train));
    let model = ensemble.fit_on(TrainingData { baseline: &baseline, labelled: Some((&labelled, &labels)) }, seed)?;
    let kinds: Vec<VoiceKind> = model.voices().map(crate::voice::Voice::kind).collect();
    let verdicts = model.verdicts(&matrix.select_rows(test))?;
    let score = |(&row, verdict): (&usize, crate::ensemble::Verdict)| {
        let mut voices = [None; 3];
        for (kind, score) in kinds.iter().zip(&verdict.voices) {
            if let Some(slot) = place(*kind).and_then(|place| voices.get_mut(place)) {
                *slot = Some(*score);
            }
        }
        HeldOutScore { row, voices, ensemble: verdict.score }
    };
    Ok(test.iter().zip(verdicts).map(score).collect())
}

/// Anomalies that were scored beside different copies of the same ordinary rows, on one scale: where each stands among the
/// ordinary rows that its own model scored. `sets` holds (scores of anomalies, scores of ordinary rows).
///
/// # Errors
/// As [`Metrics::of`].
pub fn pooled_metrics(sets: &[(Vec<f64>, Vec<f64>)]) -> Result<Metrics> {
    let rows = sets.first().map_or(0, |(_, ordinary)| ordinary.len());
    let mut scores = Vec::new();
    for (anomalies, ordinary) in sets {
        let mut sorted = ordinary.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        for score in anomalies {
            let below = sorted.partition_point(|other| other < score);
            let upto = sorted.partition_point(|other| other <= score);
            scores.push((below + upto) as f64 / (2 * sorted.len()).max(1) as f64);
        }
    }
    let mut labels = vec![true; scores.len()];
    scores.extend((0..rows).map(|place| (2 * place + 1) as f64 / (2 * rows) as f64));
    labels.resize(scores.len(), false);
    Metrics::of(&scores, &labels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ensemble::EnsembleParams;
    use crate::matrix::FeatureSet;

    /// Ordinary rows around 0; kind 0 is far along the first column, kind 1 along the second.
    fn table() -> (Matrix, Vec<Subject>) {
        let mut rng = Rng::stream(7, 1);
        let subjects: Vec<Subject> =
            (0..300).map(|row| Subject { kind: [None, None, Some(0), None, Some(1), None][row % 6], group: row / 10 }).collect();
        let values = subjects.iter().flat_map(|subject| {
            let shift = match subject.kind {
                Some(0) => [6.0, 0.0, 3.0],
                Some(_) => [0.0, 6.0, 3.0],
                None => [0.0; 3],
            };
            shift.map(|shift| rng.normal() + shift)
        });
        (Matrix::new(FeatureSet::numbered(3).unwrap(), values.collect()).unwrap(), subjects)
    }

    #[test]
    fn every_ordinary_row_and_every_row_of_the_kind_is_scored_once_and_well() {
        let (matrix, subjects) = table();
        let folds = folds_by_group(&subjects, 5, 1);
        let ensemble = EnsembleParams::default().check().unwrap();
        let scores = score_held_out(&matrix, &subjects, &folds, 0, &ensemble, 1).unwrap();
        let rows: Vec<usize> = scores.iter().map(|score| score.row).collect();
        let wanted: Vec<usize> = (0..300).filter(|&row| subjects[row].kind != Some(1)).collect();
        assert_eq!(rows, wanted);
        let labels: Vec<bool> = rows.iter().map(|&row| subjects[row].kind.is_some()).collect();
        let of = |kind| scores.iter().map(|score| score.voice(kind).unwrap()).collect::<Vec<f64>>();
        assert!(Metrics::of(&of(VoiceKind::Ensemble), &labels).unwrap().auroc > 0.95);
    }

    #[test]
    fn a_held_out_kind_has_no_say_in_its_own_scores() {
        let (matrix, subjects) = table();
        let folds = folds_by_group(&subjects, 5, 1);
        let ensemble = EnsembleParams::default().check().unwrap();
        let before = score_held_out(&matrix, &subjects, &folds, 0, &ensemble, 1).unwrap();
        // Other values for one row of the kind: no score but its own may move.
        let mut values = matrix.values().to_vec();
        values[2 * 3..3 * 3].fill(-9.0);
        let changed = Matrix::new(matrix.features().clone(), values).unwrap();
        let after = score_held_out(&changed, &subjects, &folds, 0, &ensemble, 1).unwrap();
        let moved: Vec<usize> = before.iter().zip(&after).filter(|(a, b)| a != b).map(|(a, _)| a.row).collect();
        assert_eq!(moved, [2]);
    }

    #[test]
    fn groups_stay_together_and_folds_are_even() {
        let (_, subjects) = table();
        let folds = folds_by_group(&subjects, 5, 3);
        assert_eq!(folds.len(), 30);
        for fold in 0..5 {
            assert_eq!(folds.iter().filter(|found| **found == fold).count(), 6);
        }
    }

    #[test]
    fn pooling_compares_each_anomaly_with_its_own_ordinary_rows() {
        // The second set's scores lie on another scale; within each set the anomaly is above all ordinary rows.
        let sets = [(vec![0.9], vec![0.1, 0.2, 0.3]), (vec![9.0], vec![5.0, 6.0, 7.0])];
        assert_eq!(pooled_metrics(&sets).unwrap().auroc, 1.0);
        let sets = [(vec![0.2], vec![0.1, 0.2, 0.3, 0.4])];
        assert_eq!(pooled_metrics(&sets).unwrap().auroc, 0.375);
    }
}
