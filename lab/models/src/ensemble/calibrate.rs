//! Brings scores of different voices to one scale in [0, 1].
//!
//! `RankCalibrator` needs no labels: the share of training scores below. `PlattCalibrator` (Platt 1999) and
//! `IsotonicCalibrator` (pool adjacent violators; Zadrozny and Elkan 2002) turn scores into probabilities where labels
//! exist. All three never fall as the score rises. Read next: `algorithm.rs`.

use super::logistic::LogisticRegression;
use crate::error::{ModelError, Result};

/// Quantiles kept of the training scores. Half of them lie in the upper hundredth, where decisions are made.
const QUANTILES: usize = 1_024;

/// Position of a score among the training scores.
#[derive(Debug, Clone, PartialEq)]
pub struct RankCalibrator {
    /// (score, share of training scores at or below), both ascending.
    pub(super) knots: Vec<(f64, f64)>,
}

impl RankCalibrator {
    /// Remembers the distribution of the scores.
    ///
    /// # Errors
    /// [`ModelError::TooFewRows`] without scores, [`ModelError::NotFinite`] for a NaN.
    pub fn fit(scores: &[f64]) -> Result<Self> {
        let operation = "calibrating by rank";
        if scores.is_empty() {
            return Err(ModelError::TooFewRows { operation, needed: 1, found: 0 });
        }
        require_finite(operation, scores)?;
        let mut sorted = scores.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let last = sorted.len() - 1;
        let mut knots: Vec<(f64, f64)> = Vec::new();
        for step in 0..=QUANTILES {
            let x = step as f64 / QUANTILES as f64;
            let share = if x < 0.5 { x * 1.98 } else { 1.0 - 0.01 * ((1.0 - x) * 2.0).powi(2) };
            let index = ((last as f64 * share).round() as usize).min(last);
            let score = sorted[index];
            // Middle rank: half of a tie counts as below, so an even column of equal scores calibrates to one half.
            let (below, upto) = (sorted.partition_point(|s| *s < score), sorted.partition_point(|s| *s <= score));
            let rank = (below + upto) as f64 / (2.0 * sorted.len() as f64);
            if knots.last().is_none_or(|&(previous, _)| previous < score) {
                knots.push((score, rank));
            }
        }
        Ok(Self { knots })
    }

    /// Share of training scores below, interpolated; above the largest it approaches 1 without reaching it.
    pub fn apply(&self, score: f64) -> f64 {
        let above = self.knots.partition_point(|knot| knot.0 <= score);
        let (Some(&first), Some(&last)) = (self.knots.first(), self.knots.last()) else { return 0.5 };
        if above == 0 {
            return first.1 * 0.5;
        }
        let Some(&(high, high_rank)) = self.knots.get(above) else {
            let beyond = (score - last.0) / (last.0.abs() + 1e-12);
            return last.1 + (1.0 - last.1) * beyond / (1.0 + beyond) * 0.999;
        };
        let (low, low_rank) = self.knots[above - 1];
        low_rank + (high_rank - low_rank) * ((score - low) / (high - low)).clamp(0.0, 1.0)
    }
}

/// 1 / (1 + e^−(a + b · score)).
#[derive(Debug, Clone, PartialEq)]
pub struct PlattCalibrator(LogisticRegression);

impl PlattCalibrator {
    /// Fits by maximum likelihood with a weak penalty.
    ///
    /// # Errors
    /// [`ModelError::OneClass`], [`ModelError::LengthMismatch`], [`ModelError::NotFinite`].
    pub fn fit(scores: &[f64], labels: &[bool]) -> Result<Self> {
        Ok(Self(LogisticRegression::fit(scores, 1, labels, 1e-3)?))
    }

    /// Probability of the anomaly class.
    pub fn apply(&self, score: f64) -> f64 {
        self.0.probability(&[score])
    }

    /// Intercept and slope, for the model file.
    pub(super) fn numbers(&self) -> Vec<f64> {
        std::iter::once(self.0.intercept).chain(self.0.coefficients.iter().copied()).collect()
    }

    /// Reverse of `numbers`; `None` for anything that could leave the range of numbers.
    pub(super) fn from_numbers(numbers: &[f64]) -> Option<Self> {
        match numbers {
            &[intercept, slope] if intercept.abs() < 1e100 && slope.abs() < 1e100 => {
                Some(Self(LogisticRegression { intercept, coefficients: vec![slope] }))
            }
            _ => None,
        }
    }
}

/// The non-decreasing step function closest to the labels, interpolated between steps.
#[derive(Debug, Clone, PartialEq)]
pub struct IsotonicCalibrator {
    /// (score, probability), both ascending.
    knots: Vec<(f64, f64)>,
}

impl IsotonicCalibrator {
    /// Pools adjacent violators.
    ///
    /// # Errors
    /// [`ModelError::TooFewRows`], [`ModelError::LengthMismatch`], [`ModelError::NotFinite`].
    pub fn fit(scores: &[f64], labels: &[bool]) -> Result<Self> {
        let operation = "isotonic calibration";
        if scores.len() != labels.len() {
            return Err(ModelError::LengthMismatch { operation, expected: labels.len(), found: scores.len() });
        }
        if scores.is_empty() {
            return Err(ModelError::TooFewRows { operation, needed: 1, found: 0 });
        }
        require_finite(operation, scores)?;
        let mut order: Vec<(f64, f64)> =
            scores.iter().copied().zip(labels.iter().map(|&label| f64::from(u8::from(label)))).collect();
        order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        // Blocks: (lowest score, highest score, sum of labels, rows).
        let mut blocks: Vec<(f64, f64, f64, f64)> = Vec::new();
        for (score, label) in order {
            match blocks.last_mut() {
                Some(last) if last.1 == score => *last = (last.0, score, last.2 + label, last.3 + 1.0),
                _ => blocks.push((score, score, label, 1.0)),
            }
        }
        let mut pooled: Vec<(f64, f64, f64, f64)> = Vec::with_capacity(blocks.len());
        for mut block in blocks {
            while let Some(&(low, _, sum, rows)) = pooled.last() {
                if sum / rows < block.2 / block.3 {
                    break;
                }
                block = (low, block.1, block.2 + sum, block.3 + rows);
                pooled.pop();
            }
            pooled.push(block);
        }
        let ends = pooled.into_iter().flat_map(|(low, high, sum, rows)| [(low, sum / rows), (high, sum / rows)]);
        Ok(Self { knots: ends.collect() })
    }

    /// Probability of the anomaly class.
    pub fn apply(&self, score: f64) -> f64 {
        let above = self.knots.partition_point(|knot| knot.0 <= score);
        let (Some(&first), Some(&last)) = (self.knots.first(), self.knots.last()) else { return 0.5 };
        match (above, self.knots.get(above)) {
            (0, _) => first.1,
            (_, None) => last.1,
            (_, Some(&(high, high_p))) => {
                let (low, low_p) = self.knots[above - 1];
                low_p + (high_p - low_p) * (score - low) / (high - low)
            }
        }
    }
}

pub(super) fn require_finite(operation: &'static str, scores: &[f64]) -> Result<()> {
    match scores.iter().position(|score| !score.is_finite()) {
        Some(position) => Err(ModelError::NotFinite { operation, position }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn isotonic_equals_scikit_learn() {
        // IsotonicRegression(out_of_bounds="clip") on these rows: tests/reference/make.py, "isotonic".
        let scores = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8];
        let labels = [false, true, false, false, true, true, false, true];
        let isotonic = IsotonicCalibrator::fit(&scores, &labels).unwrap();
        let third = 1.0 / 3.0;
        let two_thirds = 2.0 / 3.0;
        let expected = [0.0, third, third, third, two_thirds, two_thirds, two_thirds, 1.0];
        for (score, expected) in scores.iter().zip(expected) {
            assert!((isotonic.apply(*score) - expected).abs() < 1e-12, "{score}");
        }
        assert!((isotonic.apply(0.45) - 0.5).abs() < 1e-9);
        assert_eq!((isotonic.apply(-9.0), isotonic.apply(9.0)), (0.0, 1.0));
    }

    #[test]
    fn a_rank_is_the_share_below() {
        let scores: Vec<f64> = (0..100_000).map(f64::from).collect();
        let rank = RankCalibrator::fit(&scores).unwrap();
        for score in [10.0, 25_000.0, 50_000.0, 99_000.0, 99_900.0, 99_990.0] {
            assert!((rank.apply(score) - score / 100_000.0).abs() < 1e-4, "{score}: {}", rank.apply(score));
        }
        assert!(rank.apply(1e9) < 1.0 && rank.apply(1e9) > rank.apply(200_000.0));
        assert!((RankCalibrator::fit(&[3.0; 10]).unwrap().apply(3.0) - 0.5).abs() < 1e-12);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_calibrator_falls_as_the_score_rises(
            rows in prop::collection::vec((-50i32..50, any::<bool>()), 4..80), probes in prop::collection::vec(-60f64..60.0, 2..20)
        ) {
            let scores: Vec<f64> = rows.iter().map(|row| f64::from(row.0)).collect();
            let labels: Vec<bool> = rows.iter().map(|row| row.1).collect();
            let mut probes = probes;
            probes.sort_unstable_by(f64::total_cmp);
            let rank = RankCalibrator::fit(&scores).unwrap();
            let isotonic = IsotonicCalibrator::fit(&scores, &labels).unwrap();
            for pair in probes.windows(2) {
                prop_assert!(rank.apply(pair[0]) <= rank.apply(pair[1]) + 1e-12);
                prop_assert!(isotonic.apply(pair[0]) <= isotonic.apply(pair[1]) + 1e-12);
                prop_assert!((0.0..=1.0).contains(&rank.apply(pair[0])) && (0.0..=1.0).contains(&isotonic.apply(pair[0])));
            }
        }
    }
}
