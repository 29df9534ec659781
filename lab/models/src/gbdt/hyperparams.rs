//! Settings of the boosted trees: `BoostedParams` (unchecked builder) → `check()` → `Boosted`, which fits.
//!
//! Names, meanings and defaults are XGBoost's, so settings found elsewhere can be carried over.

use crate::error::{ModelError, Result};

/// Unchecked settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoostedParams {
    trees: usize,
    max_depth: usize,
    learning_rate: f64,
    lambda: f64,
    gamma: f64,
    min_child_weight: f64,
    scale_pos_weight: f64,
    columns_share: f64,
}

impl Default for BoostedParams {
    fn default() -> Self {
        Self {
            trees: 100,
            max_depth: 6,
            learning_rate: 0.3,
            lambda: 1.0,
            gamma: 0.0,
            min_child_weight: 1.0,
            scale_pos_weight: 1.0,
            columns_share: 1.0,
        }
    }
}

impl BoostedParams {
    /// Boosting rounds, 1 to 10,000; default 100.
    pub fn trees(mut self, trees: usize) -> Self {
        self.trees = trees;
        self
    }

    /// Cuts between root and leaf at most, 1 to 12; default 6.
    pub fn max_depth(mut self, depth: usize) -> Self {
        self.max_depth = depth;
        self
    }

    /// Share of each tree's step that is taken, above 0 up to 1; default 0.3.
    pub fn learning_rate(mut self, rate: f64) -> Self {
        self.learning_rate = rate;
        self
    }

    /// L2 penalty on leaf values, 0 to 10⁶; default 1.
    pub fn lambda(mut self, lambda: f64) -> Self {
        self.lambda = lambda;
        self
    }

    /// Loss a cut must save, 0 to 10⁶; default 0.
    pub fn gamma(mut self, gamma: f64) -> Self {
        self.gamma = gamma;
        self
    }

    /// Sum of second derivatives a child must hold, 0 to 10⁶; default 1.
    pub fn min_child_weight(mut self, weight: f64) -> Self {
        self.min_child_weight = weight;
        self
    }

    /// Weight of an anomaly against a normal row, above 0 up to 10⁶; default 1. Probabilities shift accordingly.
    pub fn scale_pos_weight(mut self, weight: f64) -> Self {
        self.scale_pos_weight = weight;
        self
    }

    /// Share of the columns each tree may look at, drawn anew for each, above 0 up to 1; default 1 (XGBoost's `colsample_bytree`).
    pub fn columns_share(mut self, share: f64) -> Self {
        self.columns_share = share;
        self
    }

    /// Refuses what cannot be fitted.
    ///
    /// # Errors
    /// [`ModelError::Setting`] naming the setting and its range.
    pub fn check(self) -> Result<Boosted> {
        let checks = [
            ("trees", self.trees as f64, (1..=10_000).contains(&self.trees), "between 1 and 10000"),
            ("max_depth", self.max_depth as f64, (1..=12).contains(&self.max_depth), "between 1 and 12"),
            ("learning_rate", self.learning_rate, self.learning_rate > 0.0 && self.learning_rate <= 1.0, "above 0, at most 1"),
            ("lambda", self.lambda, (0.0..=1e6).contains(&self.lambda), "between 0 and 1000000"),
            ("gamma", self.gamma, (0.0..=1e6).contains(&self.gamma), "between 0 and 1000000"),
            ("min_child_weight", self.min_child_weight, (0.0..=1e6).contains(&self.min_child_weight), "between 0 and 1000000"),
            (
                "scale_pos_weight",
                self.scale_pos_weight,
                self.scale_pos_weight > 0.0 && self.scale_pos_weight <= 1e6,
                "above 0, at most 1000000",
            ),
            ("columns_share", self.columns_share, self.columns_share > 0.0 && self.columns_share <= 1.0, "above 0, at most 1"),
        ];
        match checks.into_iter().find(|check| !check.2) {
            Some((setting, value, _, range)) => {
                Err(ModelError::Setting { voice: "boosted trees", setting, value: value.to_string(), range })
            }
            None => Ok(Boosted {
                trees: self.trees,
                max_depth: self.max_depth,
                learning_rate: self.learning_rate,
                lambda: self.lambda,
                gamma: self.gamma,
                min_child_weight: self.min_child_weight,
                scale_pos_weight: self.scale_pos_weight,
                columns_share: self.columns_share,
            }),
        }
    }
}

/// Checked settings; `fit` them by [`crate::Fit`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Boosted {
    pub(super) trees: usize,
    pub(super) max_depth: usize,
    pub(super) learning_rate: f64,
    pub(super) lambda: f64,
    pub(super) gamma: f64,
    pub(super) min_child_weight: f64,
    pub(super) scale_pos_weight: f64,
    pub(super) columns_share: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_kept() {
        assert!(BoostedParams::default().check().is_ok());
        for bad in [
            BoostedParams::default().trees(0),
            BoostedParams::default().max_depth(60),
            BoostedParams::default().learning_rate(f64::NAN),
            BoostedParams::default().lambda(-1.0),
            BoostedParams::default().scale_pos_weight(0.0),
            BoostedParams::default().columns_share(0.0),
        ] {
            assert!(bad.check().is_err_and(|error| error.to_string().contains("must be")));
        }
    }
}
