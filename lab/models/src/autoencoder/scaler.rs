//! Robust scaling: z = (x − median) / spread, then asinh(z), held within ±`LIMIT`.
//!
//! The spread is the interquartile range / 1.349 (the standard deviation of a normal distribution); where half the
//! values are equal it is the standard deviation, and for a constant column 1, so that a first change shows.
//! asinh keeps the order of far values while a single huge one cannot drown all other columns.
//! Missing values become the median. Estimated on at most 16,384 evenly spaced rows.

use crate::matrix::Matrix;

const SAMPLE_ROWS: usize = 16_384;
/// asinh of 10¹² spreads.
const LIMIT: f64 = 28.0;

/// Per-column median and spread.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RobustScaler {
    pub(super) median: Vec<f64>,
    pub(super) spread: Vec<f64>,
}

impl RobustScaler {
    pub(super) fn fit(matrix: &Matrix) -> Self {
        let rows = matrix.rows();
        let taken = rows.min(SAMPLE_ROWS);
        let mut scaler = Self { median: Vec::new(), spread: Vec::new() };
        for column in 0..matrix.columns() {
            let sample = (0..taken).map(|i| matrix.row((i as u128 * rows as u128 / taken as u128) as usize)[column]);
            let mut values: Vec<f64> = sample.filter(|value| !value.is_nan()).collect();
            values.sort_unstable_by(f64::total_cmp);
            let (median, spread) = center_and_spread(&values);
            scaler.median.push(median);
            scaler.spread.push(spread);
        }
        scaler
    }

    /// One row, scaled, appended to `out`.
    pub(super) fn append(&self, row: &[f64], out: &mut Vec<f32>) {
        out.extend(row.iter().zip(&self.median).zip(&self.spread).map(|((&value, &median), &spread)| {
            let scaled = ((value - median) / spread).asinh();
            if scaled.is_nan() { 0.0 } else { scaled.clamp(-LIMIT, LIMIT) as f32 }
        }));
    }
}

fn center_and_spread(sorted: &[f64]) -> (f64, f64) {
    let at = |share: f64| sorted.get(((sorted.len() - 1) as f64 * share).round() as usize).copied().unwrap_or(0.0);
    if sorted.is_empty() {
        return (0.0, 1.0);
    }
    let median = at(0.5);
    let quartiles = (at(0.75) - at(0.25)) / 1.349;
    let largest = (sorted[0] - median).abs().max((sorted[sorted.len() - 1] - median).abs());
    // Divided by the largest first, so that squares of huge values stay finite.
    let squares: f64 = sorted.iter().map(|value| ((value - median) / largest.max(f64::MIN_POSITIVE)).powi(2)).sum();
    let deviation = (squares / sorted.len() as f64).sqrt() * largest;
    let spread = [quartiles, deviation].into_iter().find(|spread| spread.is_normal() && *spread > 0.0);
    (median, spread.unwrap_or(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::FeatureSet;

    #[test]
    fn normal_spread_constant_and_missing_columns() {
        let mut values = Vec::new();
        for i in 0..1_001 {
            values.extend([f64::from(i), 4.0, f64::NAN, if i == 7 { 1e300 } else { 0.0 }]);
        }
        let scaler = RobustScaler::fit(&Matrix::new(FeatureSet::numbered(4).unwrap(), values).unwrap());
        assert_eq!(scaler.median, [500.0, 4.0, 0.0, 0.0]);
        assert!((scaler.spread[0] - 500.0 / 1.349).abs() < 1e-9);
        assert_eq!(scaler.spread[1..3], [1.0, 1.0]);
        assert!(scaler.spread[3].is_finite());
        let mut out = Vec::new();
        scaler.append(&[1e308, f64::NAN, -1e308, -1e308], &mut out);
        assert!(out.iter().all(|value| value.is_finite()) && out[1] == 0.0, "{out:?}");
    }
}
