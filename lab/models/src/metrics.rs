//! How good a ranking is: AUROC, average precision, recall at a false-positive rate, Brier score, calibration error.
//!
//! Definitions follow scikit-learn 1.9 (`roc_auc_score`, `average_precision_score`, `brier_score_loss`); tied scores are
//! one threshold, so no result depends on the order of rows. Labels: true = anomaly. Scores must be finite.
//! Reference values and the script that made them: `tests/reference/`.

mod grouping;

use serde::Serialize;

pub use self::grouping::{adjusted_rand, purity};
use crate::error::{ModelError, Result};

/// The figures printed for any labelled, scored table.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Metrics {
    /// Area under the ROC curve.
    pub auroc: f64,
    /// Average precision.
    pub ap: f64,
    /// Recall at a false-positive rate of at most 1 %.
    pub recall_at_1pct_fpr: f64,
    /// Rows.
    pub rows: usize,
    /// Rows labelled anomalous.
    pub anomalies: usize,
}

impl Metrics {
    /// Computes all of them in one sort.
    ///
    /// # Errors
    /// [`ModelError::LengthMismatch`], [`ModelError::NotFinite`], [`ModelError::OneClass`].
    pub fn of(scores: &[f64], labels: &[bool]) -> Result<Self> {
        let curve = Curve::new("measuring", scores, labels)?;
        Ok(Self {
            auroc: curve.auroc(),
            ap: curve.average_precision(),
            recall_at_1pct_fpr: curve.recall_at_fpr(0.01).recall,
            rows: labels.len(),
            anomalies: curve.positives as usize,
        })
    }
}

/// Probability that a random anomaly scores above a random normal row, ties counting one half.
///
/// # Errors
/// As [`Metrics::of`].
pub fn auroc(scores: &[f64], labels: &[bool]) -> Result<f64> {
    Ok(Curve::new("computing AUROC", scores, labels)?.auroc())
}

/// Σ (Rₙ − Rₙ₋₁) Pₙ over distinct thresholds, without interpolation.
///
/// # Errors
/// As [`Metrics::of`].
pub fn average_precision(scores: &[f64], labels: &[bool]) -> Result<f64> {
    Ok(Curve::new("computing average precision", scores, labels)?.average_precision())
}

/// One point of the ROC curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct OperatingPoint {
    /// Rows with a score at or above this are called anomalous; infinite when nothing may be called.
    pub threshold: f64,
    /// Share of anomalies caught.
    pub recall: f64,
    /// Share of normal rows called anomalous.
    pub false_positive_rate: f64,
}

/// The lowest threshold whose false-positive rate does not exceed `limit`.
///
/// # Errors
/// As [`Metrics::of`].
pub fn recall_at_fpr(scores: &[f64], labels: &[bool], limit: f64) -> Result<OperatingPoint> {
    Ok(Curve::new("computing recall at a false-positive rate", scores, labels)?.recall_at_fpr(limit))
}

/// Mean squared distance of probabilities from outcomes, 0 = perfect.
///
/// # Errors
/// As [`Metrics::of`]; labels of one class are allowed.
pub fn brier(probabilities: &[f64], labels: &[bool]) -> Result<f64> {
    check("computing the Brier score", probabilities, labels)?;
    let sum: f64 = probabilities.iter().zip(labels).map(|(p, &label)| (p - f64::from(u8::from(label))).powi(2)).sum();
    Ok(if labels.is_empty() { 0.0 } else { sum / labels.len() as f64 })
}

/// One bin of a reliability diagram.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ReliabilityBin {
    /// Rows whose probability falls into the bin.
    pub rows: usize,
    /// Their mean probability.
    pub predicted: f64,
    /// Share of them that are anomalies.
    pub observed: f64,
}

/// `bins` equal-width bins over `[0, 1]`, empty ones left out; and the expected calibration error
/// Σ rows/total · |observed − predicted|.
///
/// # Errors
/// As [`brier`].
pub fn calibration(probabilities: &[f64], labels: &[bool], bins: usize) -> Result<(f64, Vec<ReliabilityBin>)> {
    check("computing calibration", probabilities, labels)?;
    let bins = bins.max(1);
    let mut sums = vec![(0usize, 0.0, 0usize); bins];
    for (&p, &label) in probabilities.iter().zip(labels) {
        let slot = &mut sums[((p.clamp(0.0, 1.0) * bins as f64) as usize).min(bins - 1)];
        *slot = (slot.0 + 1, slot.1 + p, slot.2 + usize::from(label));
    }
    let table: Vec<ReliabilityBin> = sums
        .into_iter()
        .filter(|&(rows, ..)| rows > 0)
        .map(|(rows, p, hits)| ReliabilityBin { rows, predicted: p / rows as f64, observed: hits as f64 / rows as f64 })
        .collect();
    let error = table.iter().map(|bin| bin.rows as f64 * (bin.observed - bin.predicted).abs()).sum::<f64>();
    Ok((error / labels.len().max(1) as f64, table))
}

/// Cumulative true and false positives at each distinct threshold, highest first.
struct Curve {
    points: Vec<(f64, u64, u64)>,
    positives: u64,
    negatives: u64,
}

impl Curve {
    fn new(operation: &'static str, scores: &[f64], labels: &[bool]) -> Result<Self> {
        check(operation, scores, labels)?;
        let mut order: Vec<(f64, bool)> = scores.iter().copied().zip(labels.iter().copied()).collect();
        order.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        let (mut hits, mut alarms) = (0, 0);
        let mut points: Vec<(f64, u64, u64)> = Vec::new();
        for (score, label) in order {
            if label {
                hits += 1
            } else {
                alarms += 1
            }
            match points.last_mut() {
                // `==` and not `total_cmp`: −0 and +0 are one threshold.
                Some(last) if last.0 == score => *last = (score, hits, alarms),
                _ => points.push((score, hits, alarms)),
            }
        }
        if hits == 0 || alarms == 0 {
            return Err(ModelError::OneClass { operation, rows: labels.len() });
        }
        Ok(Self { points, positives: hits, negatives: alarms })
    }

    fn auroc(&self) -> f64 {
        let (mut area, mut last) = (0.0, (0, 0));
        for &(_, hits, alarms) in &self.points {
            area += (alarms - last.1) as f64 * (hits + last.0) as f64 * 0.5;
            last = (hits, alarms);
        }
        area / (self.positives as f64 * self.negatives as f64)
    }

    fn average_precision(&self) -> f64 {
        let (mut sum, mut last) = (0.0, 0);
        for &(_, hits, alarms) in &self.points {
            sum += (hits - last) as f64 * hits as f64 / (hits + alarms) as f64;
            last = hits;
        }
        sum / self.positives as f64
    }

    fn recall_at_fpr(&self, limit: f64) -> OperatingPoint {
        let allowed = |&&(_, _, alarms): &&(f64, u64, u64)| alarms as f64 / self.negatives as f64 <= limit;
        let (threshold, hits, alarms) = self.points.iter().take_while(allowed).last().copied().unwrap_or((f64::INFINITY, 0, 0));
        OperatingPoint {
            threshold,
            recall: hits as f64 / self.positives as f64,
            false_positive_rate: alarms as f64 / self.negatives as f64,
        }
    }
}

fn check(operation: &'static str, scores: &[f64], labels: &[bool]) -> Result<()> {
    if scores.len() != labels.len() {
        return Err(ModelError::LengthMismatch { operation, expected: labels.len(), found: scores.len() });
    }
    match scores.iter().position(|score| !score.is_finite()) {
        Some(position) => Err(ModelError::NotFinite { operation, position }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // Equality with scikit-learn is checked in tests/voices.rs; here, what cannot be read off a reference.
    const SCORES: [f64; 10] = [0.1, 0.4, 0.35, 0.8, 0.8, 0.2, 0.4, 0.9, 0.05, 0.4];
    const LABELS: [bool; 10] = [false, false, true, true, false, false, true, true, false, false];

    #[test]
    fn recall_at_fpr_keeps_under_the_limit() {
        let point = recall_at_fpr(&SCORES, &LABELS, 0.2).unwrap();
        assert_eq!((point.threshold, point.recall), (0.8, 0.5));
        assert_eq!(recall_at_fpr(&[0.5, 0.5], &[true, false], 0.1).unwrap().recall, 0.0);
    }

    #[test]
    fn what_cannot_be_measured_is_said() {
        assert!(matches!(auroc(&[0.1, 0.2], &[true, true]), Err(ModelError::OneClass { .. })));
        assert!(matches!(auroc(&[0.1, f64::NAN], &[true, false]), Err(ModelError::NotFinite { position: 1, .. })));
        assert!(matches!(auroc(&[0.1], &[true, false]), Err(ModelError::LengthMismatch { .. })));
        assert!(matches!(auroc(&[], &[]), Err(ModelError::OneClass { .. })));
    }

    #[test]
    fn calibration_error_of_a_known_table() {
        let (error, bins) = calibration(&[0.1, 0.1, 0.9, 0.9], &[false, false, true, false], 10).unwrap();
        assert_eq!(bins.len(), 2);
        assert!((error - (0.5 * 0.1 + 0.5 * 0.4)).abs() < 1e-12);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn auroc_counts_pairs(rows in prop::collection::vec((0u8..6, any::<bool>()), 2..60)) {
            let scores: Vec<f64> = rows.iter().map(|row| f64::from(row.0)).collect();
            let labels: Vec<bool> = rows.iter().map(|row| row.1).collect();
            let (mut won, mut pairs) = (0.0, 0.0);
            for (a, &la) in scores.iter().zip(&labels) {
                for (b, _) in scores.iter().zip(&labels).filter(|&(_, &lb)| la && !lb) {
                    pairs += 1.0;
                    won += if a > b { 1.0 } else if a == b { 0.5 } else { 0.0 };
                }
            }
            if pairs > 0.0 {
                prop_assert!((auroc(&scores, &labels).unwrap() - won / pairs).abs() < 1e-12);
            }
        }
    }
}
