//! Makes features comparable before distances are taken: (x − median) / spread, missing values at the median, far values drawn in.
//!
//! The spread is the interquartile range over 1.349 (a normal deviation); where more than half of the rows are alike it falls back to
//! the mean absolute deviation over 0.7979, and a column without any spread counts nothing. Beyond ±`LIMIT` deviations
//! values are drawn in logarithmically, so that one wild column cannot drown all others, and order is kept.
//!
//! Read next: `mod.rs`.

use rayon::prelude::*;

use crate::matrix::{FeatureSet, Matrix};

/// Deviations up to which a value counts in full.
const LIMIT: f64 = 3.0;

/// Medians and spreads of the columns of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct RobustScaler {
    features: FeatureSet,
    /// (median, 1 / spread), one a column.
    columns: Vec<(f64, f64)>,
}

impl RobustScaler {
    /// Measures every column of `matrix`.
    #[must_use]
    pub fn fit(matrix: &Matrix) -> Self {
        Self::of_columns(matrix.features(), |column| (0..matrix.rows()).map(|row| matrix.row(row)[column]).collect())
    }

    /// Measures the columns that `column` gives: a table that stands nowhere as a whole.
    #[must_use]
    pub fn of_columns(features: &FeatureSet, column: impl Fn(usize) -> Vec<f64> + Sync) -> Self {
        let columns = (0..features.len()).into_par_iter().map(|place| {
            let mut values = column(place);
            values.retain(|x| x.is_finite());
            values.sort_unstable_by(f64::total_cmp);
            let at = |quarter: usize| values.get(values.len().saturating_sub(1) * quarter / 4).copied().unwrap_or_default();
            let median = at(2);
            let quartiles = (at(3) - at(1)) / 1.349;
            let mean = values.iter().map(|x| (x - median).abs()).sum::<f64>() / values.len().max(1) as f64 / 0.7979;
            let spread = if quartiles > 0.0 { quartiles } else { mean };
            (median, if spread > 0.0 && spread.is_finite() { 1.0 / spread } else { 0.0 })
        });
        Self { features: features.clone(), columns: columns.collect() }
    }

    /// The scaled table.
    ///
    /// # Errors
    /// [`crate::ModelError::FeatureHash`] for a matrix of other features.
    pub fn apply(&self, matrix: &Matrix) -> crate::Result<Matrix> {
        self.features.require(matrix.features())?;
        let mut scaled = matrix.values().to_vec();
        scaled.par_chunks_exact_mut(self.columns.len().max(1)).for_each(|row| self.apply_row(row));
        Matrix::new(matrix.features().clone(), scaled)
    }

    /// The same for one row in place, its values in the order of the columns.
    pub fn apply_row(&self, row: &mut [f64]) {
        row.iter_mut().zip(&self.columns).for_each(|(value, (median, scale))| *value = draw_in((*value - median) * scale));
    }
}

fn draw_in(x: f64) -> f64 {
    if x.is_nan() {
        0.0
    } else if x.abs() <= LIMIT {
        x
    } else {
        (LIMIT + (x.abs() - LIMIT).ln_1p()).copysign(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_become_comparable_and_wild_values_stay_near() {
        let rows: Vec<f64> = (0..100).flat_map(|row| [f64::from(row), f64::from(row) * 1e9, 7.0, f64::NAN]).collect();
        let mut values = rows;
        values[0] = 1e300;
        let matrix = Matrix::new(FeatureSet::numbered(4).unwrap(), values).unwrap();
        let scaled = RobustScaler::fit(&matrix).apply(&matrix).unwrap();
        assert!(scaled.values().iter().all(|value| value.is_finite()));
        assert!(scaled.row(0)[0] > 3.0 && scaled.row(0)[0] < 1000.0);
        let (a, b) = (scaled.row(60)[0], scaled.row(60)[1]);
        assert!((a - b).abs() < 0.1 && scaled.row(60)[2] == 0.0 && scaled.row(60)[3] == 0.0);
    }

    #[test]
    fn a_mostly_constant_column_still_counts() {
        let values: Vec<f64> = (0..100).map(|row| if row < 90 { 0.0 } else { 1.0 }).collect();
        let matrix = Matrix::new(FeatureSet::numbered(1).unwrap(), values).unwrap();
        let scaled = RobustScaler::fit(&matrix).apply(&matrix).unwrap();
        assert!(scaled.row(0)[0] == 0.0 && scaled.row(95)[0] > 1.0);
    }
}
