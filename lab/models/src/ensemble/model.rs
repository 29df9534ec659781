//! A fitted ensemble: verdicts, combined explanation, saving with its voices inside, checked reading.
//!
//! Read next: `verdict.rs`, `calibrate.rs`.

use rayon::prelude::*;

use super::calibrate::{PlattCalibrator, RankCalibrator};
use super::logistic::LogisticRegression;
use super::verdict::{Severity, Verdict};
use crate::artifact::{ArtifactReader, ArtifactWriter};
use crate::error::{ModelError, Result};
use crate::matrix::{FeatureSet, Matrix};
use crate::voice::{Explanation, Voice, VoiceKind, load_single};

/// Probabilities are held this far from 0 and 1 before their log-odds are taken.
const MARGIN: f64 = 1e-6;
/// No voice is surer than this: one alone could otherwise outweigh any number of others.
const LEAST_DOUBT: f64 = 1e-9;

/// What a voice's score weighs against the row being ordinary, in nats: 0 where it finds nothing.
pub(super) fn evidence(p: f64) -> f64 {
    -(1.0 - p).max(LEAST_DOUBT).ln()
}

/// How a voice's score is brought to [0, 1].
#[derive(Debug, PartialEq)]
pub(super) enum Calibrator {
    Rank(RankCalibrator),
    /// Over the log-odds of the score.
    Platt(PlattCalibrator),
}

/// A voice with its place in the ensemble.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) voice: Box<dyn Voice>,
    pub(super) calibrator: Calibrator,
    /// Fixed weight; all sum to 1.
    pub(super) weight: f64,
    /// Calibrated score at the target false-positive rate.
    pub(super) threshold: f64,
}

/// How calibrated scores become one.
#[derive(Debug, PartialEq)]
pub(super) enum Combination {
    /// Weighted mean.
    Fixed,
    /// Logistic regression over what the voices weigh, no coefficient below 0.
    Learnt(LogisticRegression),
}

/// A fitted ensemble.
#[derive(Debug)]
pub struct EnsembleModel {
    features: FeatureSet,
    pub(super) members: Vec<Member>,
    pub(super) combination: Combination,
    /// Scores from which on each severity level holds, ascending.
    pub(super) thresholds: [f64; 4],
}

impl EnsembleModel {
    pub(super) fn new(features: FeatureSet, members: Vec<Member>, combination: Combination) -> Self {
        Self { features, members, combination, thresholds: [1.0; 4] }
    }

    /// Reads what [`Voice::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`ModelError::BadModel`] or [`ModelError::ModelVersion`] for anything that is not an intact ensemble.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let reader = ArtifactReader::open(bytes)?;
        reader.require(reader.tag == VoiceKind::Ensemble as u8, "the file holds a single voice, not an ensemble")?;
        Self::read(reader)
    }

    /// The voices, in the order of [`Verdict::voices`].
    pub fn voices(&self) -> impl Iterator<Item = &dyn Voice> {
        self.members.iter().map(|member| member.voice.as_ref())
    }

    /// Scores at or above this are called anomalous.
    pub fn threshold(&self) -> f64 {
        self.thresholds[0]
    }

    /// Weight of each voice: fixed weights, or the meta-learner's coefficients.
    pub fn weights(&self) -> Vec<(VoiceKind, f64)> {
        let weight = |at: usize, member: &Member| match &self.combination {
            Combination::Fixed => member.weight,
            Combination::Learnt(meta) => meta.coefficients.get(at).copied().unwrap_or(0.0),
        };
        self.members.iter().enumerate().map(|(at, member)| (member.voice.kind(), weight(at, member))).collect()
    }

    /// Whether a meta-learner combines the voices (else fixed weights do).
    pub fn is_learnt(&self) -> bool {
        matches!(self.combination, Combination::Learnt(_))
    }

    /// Everything the ensemble says about each row.
    ///
    /// # Errors
    /// [`ModelError::FeatureHash`] for a matrix of other features.
    pub fn verdicts(&self, matrix: &Matrix) -> Result<Vec<Verdict>> {
        let columns = self.calibrated(matrix)?;
        Ok((0..matrix.rows()).map(|row| self.verdict(columns.iter().map(|column| column[row]).collect())).collect())
    }

    /// Each voice's contributions as shares of its absolute sum, weighted by the voice's part in the score.
    /// Signs are kept: a negative share speaks for an ordinary row. Absolute values of a row sum to at most 1.
    /// `voices` holds what each voice said of the rows, in the order of [`Verdict::voices`], so that nobody is asked twice.
    ///
    /// # Errors
    /// [`ModelError::FeatureHash`] for a matrix of other features, [`ModelError::LengthMismatch`] for other rows or voices.
    pub fn explain_scored(&self, matrix: &Matrix, voices: &[Vec<f64>]) -> Result<Explanation> {
        let operation = "explaining what was scored";
        if voices.len() != self.members.len() {
            return Err(ModelError::LengthMismatch { operation, expected: self.members.len(), found: voices.len() });
        }
        if let Some(odd) = voices.iter().find(|voice| voice.len() != matrix.rows()) {
            return Err(ModelError::LengthMismatch { operation, expected: matrix.rows(), found: odd.len() });
        }
        self.features.require(matrix.features())?;
        let columns = self.features.len();
        let parts: Vec<Vec<f64>> =
            (0..matrix.rows()).map(|row| self.parts(&voices.iter().map(|voice| voice[row]).collect::<Vec<_>>())).collect();
        let mut values = vec![0.0; matrix.values().len()];
        for (voice, member) in self.members.iter().enumerate() {
            let part = member.voice.explain(matrix)?;
            let rows = values.par_chunks_exact_mut(columns).zip(part.values.par_chunks_exact(columns)).zip(&parts);
            rows.for_each(|((out, row), parts)| {
                let sum: f64 = row.iter().map(|value| value.abs()).sum();
                let scale = if sum > 0.0 { parts[voice] / sum } else { 0.0 };
                out.iter_mut().zip(row).for_each(|(slot, value)| *slot += scale * value);
            });
        }
        Ok(Explanation { features: self.features.clone(), values, baseline: 0.0 })
    }

    pub(super) fn combine(&self, calibrated: &[f64]) -> f64 {
        match &self.combination {
            Combination::Fixed => self.members.iter().zip(calibrated).map(|(member, p)| member.weight * p).sum(),
            Combination::Learnt(meta) => meta.probability(&calibrated.iter().map(|&p| evidence(p)).collect::<Vec<_>>()),
        }
    }

    /// What of a row's score each voice has made; sums to the score, or to 0 where no voice has said anything.
    fn parts(&self, calibrated: &[f64]) -> Vec<f64> {
        let learnt = self.is_learnt();
        let said = self.weights().into_iter().zip(calibrated);
        let said: Vec<f64> = said.map(|((_, weight), &p)| weight * if learnt { evidence(p) } else { p }).collect();
        let scale = self.combine(calibrated) / said.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        said.into_iter().map(|part| part * scale).collect()
    }

    fn calibrated(&self, matrix: &Matrix) -> Result<Vec<Vec<f64>>> {
        self.features.require(matrix.features())?;
        self.members.iter().map(|member| member.calibrated(matrix)).collect()
    }

    fn verdict(&self, voices: Vec<f64>) -> Verdict {
        let score = self.combine(&voices);
        let reached = Severity::LEVELS.iter().zip(self.thresholds).filter(|(_, threshold)| score >= *threshold);
        let severity = reached.map(|(level, _)| level.0).max().unwrap_or(Severity::None);
        let anomalous = severity > Severity::None;
        let with = self.members.iter().zip(&voices).filter(|(member, p)| (**p >= member.threshold) == anomalous).count();
        Verdict { score, anomalous, severity, agreement: with as f64 / self.members.len().max(1) as f64, voices }
    }

    pub(crate) fn read(mut reader: ArtifactReader<'_>) -> Result<Self> {
        let count = reader.u32()? as usize;
        reader.require((1..=8).contains(&count), "the number of voices is out of range")?;
        let mut members = Vec::with_capacity(count);
        for _ in 0..count {
            // One level deep: an ensemble inside an ensemble is refused, so nesting cannot exhaust the stack.
            let voice = load_single(reader.blob()?)?;
            reader.require(voice.features() == &reader.features, "a voice was fitted on other features")?;
            let (weight, threshold) = (reader.f64()?, reader.f64()?);
            let kind = reader.u32()?;
            let numbers = reader.f64s()?;
            members.push(Member { voice, calibrator: calibrator(&reader, kind, &numbers)?, weight, threshold });
        }
        let numbers = reader.f64s()?;
        let combination = match numbers.split_first() {
            None => Combination::Fixed,
            Some((&intercept, rest)) => {
                reader.require(rest.len() == count, "the meta-learner does not fit the voices")?;
                reader.require(rest.iter().all(|&coefficient| coefficient >= 0.0), "a coefficient is below 0")?;
                Combination::Learnt(LogisticRegression { intercept, coefficients: rest.to_vec() })
            }
        };
        reader.require(numbers.iter().all(|number| number.abs() < 1e100), "a number is out of range")?;
        let thresholds = reader.f64s()?;
        let thresholds = thresholds.try_into().map_err(|_| reader.bad("there must be four thresholds"))?;
        reader.require(members.iter().all(|member| (0.0..=1.0).contains(&member.weight)), "a weight is out of range")?;
        Ok(Self { features: reader.finish()?, members, combination, thresholds })
    }
}

impl Member {
    /// Calibrated score of every row.
    pub(super) fn calibrated(&self, matrix: &Matrix) -> Result<Vec<f64>> {
        let mut scores = self.voice.score(matrix)?;
        scores.iter_mut().for_each(|score| {
            *score = match &self.calibrator {
                Calibrator::Rank(rank) => rank.apply(*score),
                Calibrator::Platt(platt) => platt.apply(logit(*score)),
            };
        });
        Ok(scores)
    }
}

impl Voice for EnsembleModel {
    fn kind(&self) -> VoiceKind {
        VoiceKind::Ensemble
    }

    fn features(&self) -> &FeatureSet {
        &self.features
    }

    fn score(&self, matrix: &Matrix) -> Result<Vec<f64>> {
        let columns = self.calibrated(matrix)?;
        let mut row_scores = vec![0.0; columns.len()];
        let rows = 0..matrix.rows();
        Ok(rows
            .map(|row| {
                row_scores.iter_mut().zip(&columns).for_each(|(slot, column)| *slot = column[row]);
                self.combine(&row_scores)
            })
            .collect())
    }

    /// See [`EnsembleModel::explain_scored`].
    fn explain(&self, matrix: &Matrix) -> Result<Explanation> {
        self.explain_scored(matrix, &self.calibrated(matrix)?)
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut writer = ArtifactWriter::new(VoiceKind::Ensemble as u8, &self.features);
        writer.u32(self.members.len() as u32);
        for member in &self.members {
            writer.blob(&member.voice.to_bytes());
            writer.f64(member.weight);
            writer.f64(member.threshold);
            match &member.calibrator {
                Calibrator::Rank(rank) => {
                    writer.u32(0);
                    writer.f64s(&rank.knots.iter().flat_map(|&(score, share)| [score, share]).collect::<Vec<_>>());
                }
                Calibrator::Platt(platt) => {
                    writer.u32(1);
                    writer.f64s(&platt.numbers());
                }
            }
        }
        match &self.combination {
            Combination::Fixed => writer.f64s(&[]),
            Combination::Learnt(meta) => {
                let numbers: Vec<f64> = std::iter::once(meta.intercept).chain(meta.coefficients.iter().copied()).collect();
                writer.f64s(&numbers);
            }
        }
        writer.f64s(&self.thresholds);
        writer.finish()
    }
}

/// Log-odds, finite for every probability.
pub(super) fn logit(probability: f64) -> f64 {
    let p = probability.clamp(MARGIN, 1.0 - MARGIN);
    (p / (1.0 - p)).ln()
}

fn calibrator(reader: &ArtifactReader<'_>, kind: u32, numbers: &[f64]) -> Result<Calibrator> {
    let refuse = || -> ModelError { reader.bad("a calibrator is damaged") };
    match kind {
        0 => {
            let (pairs, rest) = numbers.as_chunks::<2>();
            let knots: Vec<(f64, f64)> = pairs.iter().map(|&[score, share]| (score, share)).collect();
            let ascending = knots.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1);
            let shares = knots.iter().all(|knot| (0.0..=1.0).contains(&knot.1) && knot.0.abs() < 1e100);
            (rest.is_empty() && !knots.is_empty() && ascending && shares)
                .then_some(Calibrator::Rank(RankCalibrator { knots }))
                .ok_or_else(refuse)
        }
        1 => PlattCalibrator::from_numbers(numbers).map(Calibrator::Platt).ok_or_else(refuse),
        _ => Err(refuse()),
    }
}
