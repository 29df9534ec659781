//! Logistic regression with an L2 penalty, by Newton's method: the meta-learner of the ensemble and Platt's calibrator.
//!
//! A dozen inputs at most, so each step solves a small system by Cholesky decomposition; steps are halved until the
//! loss falls, which makes it converge from anywhere. The intercept is not penalised.
//! Reference: the same minimum as scikit-learn's `LogisticRegression(C=1/penalty)`; values in `tests/reference/`.

use crate::error::{ModelError, Result};

const MAX_STEPS: usize = 100;

/// Intercept and coefficients.
#[derive(Debug, Clone, PartialEq)]
pub struct LogisticRegression {
    pub(super) intercept: f64,
    pub(super) coefficients: Vec<f64>,
}

impl LogisticRegression {
    /// Minimises Σ log-loss + penalty/2 · Σ coefficient². `values` is row-major with `columns` numbers a row.
    ///
    /// # Errors
    /// [`ModelError::LengthMismatch`], [`ModelError::NotFinite`], [`ModelError::OneClass`].
    pub fn fit(values: &[f64], columns: usize, labels: &[bool], penalty: f64) -> Result<Self> {
        let operation = "fitting the logistic regression";
        if columns == 0 || values.len() != labels.len() * columns {
            return Err(ModelError::LengthMismatch { operation, expected: labels.len() * columns, found: values.len() });
        }
        super::calibrate::require_finite(operation, values)?;
        let anomalies = labels.iter().filter(|&&label| label).count();
        if anomalies == 0 || anomalies == labels.len() {
            return Err(ModelError::OneClass { operation, rows: labels.len() });
        }
        let mut model = Self { intercept: 0.0, coefficients: vec![0.0; columns] };
        let mut loss = model.loss(values, labels, penalty);
        for _ in 0..MAX_STEPS {
            let Some(direction) = model.newton_direction(values, labels, penalty) else { break };
            let mut length = 1.0;
            let (next, next_loss) = loop {
                let next = model.moved(&direction, length);
                let next_loss = next.loss(values, labels, penalty);
                if next_loss <= loss || length < 1e-10 {
                    break (next, next_loss);
                }
                length *= 0.5;
            };
            let gained = loss - next_loss;
            if gained.is_nan() || gained < 0.0 {
                break;
            }
            (model, loss) = (next, next_loss);
            if gained <= 1e-14 * (1.0 + loss.abs()) {
                break;
            }
        }
        Ok(model)
    }

    /// As [`LogisticRegression::fit`], with no coefficient below 0: an input that speaks against its own meaning is left out, the
    /// most negative first, until none is left that does.
    ///
    /// # Errors
    /// As [`LogisticRegression::fit`].
    pub fn fit_non_negative(values: &[f64], columns: usize, labels: &[bool], penalty: f64) -> Result<Self> {
        let mut kept: Vec<usize> = (0..columns).collect();
        let mut model = Self::fit(values, columns, labels, penalty)?;
        while let Some(worst) = lowest(&model.coefficients).filter(|&at| model.coefficients[at] < 0.0) {
            kept.remove(worst);
            if kept.is_empty() {
                return Ok(Self { intercept: model.intercept, coefficients: vec![0.0; columns] });
            }
            let narrowed: Vec<f64> = values.chunks_exact(columns).flat_map(|row| kept.iter().map(|&at| row[at])).collect();
            model = Self::fit(&narrowed, kept.len(), labels, penalty)?;
        }
        let mut coefficients = vec![0.0; columns];
        kept.iter().zip(&model.coefficients).for_each(|(&at, &coefficient)| coefficients[at] = coefficient);
        Ok(Self { intercept: model.intercept, coefficients })
    }

    /// Log-odds of the anomaly class.
    pub fn margin(&self, row: &[f64]) -> f64 {
        self.intercept + self.coefficients.iter().zip(row).map(|(a, b)| a * b).sum::<f64>()
    }

    /// Probability of the anomaly class.
    pub fn probability(&self, row: &[f64]) -> f64 {
        1.0 / (1.0 + (-self.margin(row)).exp())
    }

    /// Weight of each input.
    pub fn coefficients(&self) -> &[f64] {
        &self.coefficients
    }

    /// Log-odds where all inputs are 0.
    pub fn intercept(&self) -> f64 {
        self.intercept
    }

    fn loss(&self, values: &[f64], labels: &[bool], penalty: f64) -> f64 {
        let rows = values.chunks_exact(self.coefficients.len()).zip(labels);
        let data: f64 = rows.map(|(row, &label)| softplus(if label { -self.margin(row) } else { self.margin(row) })).sum();
        data + 0.5 * penalty * self.coefficients.iter().map(|c| c * c).sum::<f64>()
    }

    /// −H⁻¹ g, the intercept first. `None` when the matrix is not positive definite.
    fn newton_direction(&self, values: &[f64], labels: &[bool], penalty: f64) -> Option<Vec<f64>> {
        let n = self.coefficients.len() + 1;
        let (mut gradient, mut hessian) = (vec![0.0; n], vec![0.0; n * n]);
        for (row, &label) in values.chunks_exact(n - 1).zip(labels) {
            let p = self.probability(row);
            let (residual, weight) = (p - f64::from(u8::from(label)), p * (1.0 - p));
            let input = |i: usize| if i == 0 { 1.0 } else { row[i - 1] };
            for i in 0..n {
                gradient[i] += residual * input(i);
                (0..=i).for_each(|j| hessian[i * n + j] += weight * input(i) * input(j));
            }
        }
        for i in 0..n {
            // A hair on the diagonal keeps a separable table from a singular system.
            hessian[i * n + i] += 1e-9 + if i == 0 { 0.0 } else { penalty };
            gradient[i] += if i == 0 { 0.0 } else { penalty * self.coefficients[i - 1] };
        }
        solve_positive_definite(&mut hessian, n, gradient).map(|step| step.into_iter().map(|x| -x).collect())
    }

    fn moved(&self, direction: &[f64], length: f64) -> Self {
        let coefficients = self.coefficients.iter().zip(&direction[1..]).map(|(c, d)| c + length * d).collect();
        Self { intercept: self.intercept + length * direction[0], coefficients }
    }
}

/// Place of the lowest number, of equals the first.
fn lowest(numbers: &[f64]) -> Option<usize> {
    (0..numbers.len()).min_by(|&a, &b| numbers[a].total_cmp(&numbers[b]))
}

/// ln(1 + eˣ) without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// Cholesky: `matrix` (lower triangle, row-major) is overwritten.
fn solve_positive_definite(matrix: &mut [f64], n: usize, mut right: Vec<f64>) -> Option<Vec<f64>> {
    for i in 0..n {
        for j in 0..=i {
            let dot: f64 = (0..j).map(|k| matrix[i * n + k] * matrix[j * n + k]).sum();
            let rest = matrix[i * n + j] - dot;
            if i == j && (rest.is_nan() || rest <= 0.0) {
                return None;
            }
            matrix[i * n + j] = if i == j { rest.sqrt() } else { rest / matrix[j * n + j] };
        }
    }
    for i in 0..n {
        let dot: f64 = (0..i).map(|k| matrix[i * n + k] * right[k]).sum();
        right[i] = (right[i] - dot) / matrix[i * n + i];
    }
    for i in (0..n).rev() {
        let dot: f64 = (i + 1..n).map(|k| matrix[k * n + i] * right[k]).sum();
        right[i] = (right[i] - dot) / matrix[i * n + i];
    }
    Some(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradient_vanishes_at_the_minimum() {
        let values: Vec<f64> = (0..60).map(|i| f64::from(i * 37 % 23) * 0.2 - 2.0).collect();
        let labels: Vec<bool> = (0..30).map(|i| (i * 37 % 23 + i % 5) % 3 == 0).collect();
        let model = LogisticRegression::fit(&values, 2, &labels, 0.7).unwrap();
        let residuals: Vec<f64> = values
            .chunks_exact(2)
            .zip(&labels)
            .map(|(row, &label)| model.probability(row) - f64::from(u8::from(label)))
            .collect();
        let slope = |column: usize| values.chunks_exact(2).zip(&residuals).map(|(row, r)| row[column] * r).sum::<f64>();
        assert!(residuals.iter().sum::<f64>().abs() < 1e-6);
        for column in 0..2 {
            assert!((slope(column) + 0.7 * model.coefficients[column]).abs() < 1e-6);
        }
    }

    #[test]
    fn an_input_that_speaks_against_its_meaning_is_left_out() {
        let labels: Vec<bool> = (0..200).map(|i| i % 2 == 0).collect();
        let wobble = |i: usize| (i * 37 % 23) as f64 * 0.1;
        let values: Vec<f64> =
            (0..200).flat_map(|i| if i % 2 == 0 { [2.0 + wobble(i), 1.0] } else { [1.0 + wobble(i), 3.0] }).collect();
        let free = LogisticRegression::fit(&values, 2, &labels, 1.0).unwrap();
        assert!(free.coefficients[1] < 0.0);
        let bound = LogisticRegression::fit_non_negative(&values, 2, &labels, 1.0).unwrap();
        let first: Vec<f64> = values.iter().copied().step_by(2).collect();
        let alone = LogisticRegression::fit(&first, 1, &labels, 1.0).unwrap();
        assert_eq!((bound.coefficients[0], bound.coefficients[1]), (alone.coefficients[0], 0.0));
        // Where every input speaks against its meaning, nothing is left to say.
        let against: Vec<f64> = first.iter().map(|value| -value).collect();
        assert_eq!(LogisticRegression::fit_non_negative(&against, 1, &labels, 1.0).unwrap().coefficients, [0.0]);
    }

    #[test]
    fn separable_and_one_sided_tables_end_well() {
        let model = LogisticRegression::fit(&[1.0, 2.0, 8.0, 9.0], 1, &[false, false, true, true], 1e-3).unwrap();
        assert!(model.probability(&[0.0]) < 0.05 && model.probability(&[10.0]) > 0.95);
        assert!(matches!(LogisticRegression::fit(&[1.0, 2.0], 1, &[true, true], 1.0), Err(ModelError::OneClass { .. })));
        assert!(LogisticRegression::fit(&[1.0, f64::NAN], 1, &[true, false], 1.0).is_err());
    }
}
