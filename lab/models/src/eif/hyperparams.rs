//! Settings of the forest: `EifParams` (unchecked builder) → `check()` → `Eif`, which fits.
//!
//! Defaults were chosen by measurement; see `docs/SCIENCE.md`, section "Forest".

use crate::error::{ModelError, Result};

const VOICE: &str = "extended isolation forest";

/// Unchecked settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EifParams {
    trees: usize,
    sample_size: usize,
    extension_level: usize,
    axis_parallel_share: f64,
}

impl Default for EifParams {
    fn default() -> Self {
        Self { trees: 300, sample_size: 256, extension_level: 1, axis_parallel_share: 0.5 }
    }
}

impl EifParams {
    /// Number of trees, 1 to 10,000; default 300, which nearly halves the spread
    /// between seeds that 100 trees leave.
    pub fn trees(mut self, trees: usize) -> Self {
        self.trees = trees;
        self
    }

    /// Rows drawn without replacement for each tree (ψ), 2 to 65,536; default 256, as in the papers. Tables with fewer
    /// rows use all of them.
    pub fn sample_size(mut self, rows: usize) -> Self {
        self.sample_size = rows;
        self
    }

    /// Each cut combines up to `level + 1` columns: 0 is the standard Isolation Forest, columns − 1 the fully extended
    /// one. Default 1. A level at or above the number of columns is lowered to columns − 1 at fit.
    pub fn extension_level(mut self, level: usize) -> Self {
        self.extension_level = level;
        self
    }

    /// Probability that a cut is axis-parallel whatever the extension level, 0 to 1. Default 0.5.
    pub fn axis_parallel_share(mut self, share: f64) -> Self {
        self.axis_parallel_share = share;
        self
    }

    /// Refuses what cannot be fitted.
    ///
    /// # Errors
    /// [`ModelError::Setting`] naming the setting and its range.
    pub fn check(self) -> Result<Eif> {
        let refuse = |setting, value: String, range| Err(ModelError::Setting { voice: VOICE, setting, value, range });
        if !(1..=10_000).contains(&self.trees) {
            return refuse("trees", self.trees.to_string(), "between 1 and 10000");
        }
        if !(2..=65_536).contains(&self.sample_size) {
            return refuse("sample_size", self.sample_size.to_string(), "between 2 and 65536");
        }
        if self.extension_level >= MAX_COLUMNS {
            return refuse("extension_level", self.extension_level.to_string(), "below 65535");
        }
        if !(0.0..=1.0).contains(&self.axis_parallel_share) {
            return refuse("axis_parallel_share", self.axis_parallel_share.to_string(), "between 0 and 1");
        }
        Ok(Eif(self))
    }
}

/// Columns a forest can address.
pub(super) const MAX_COLUMNS: usize = 65_535;

/// Checked settings; `fit` them by [`crate::Fit`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Eif(EifParams);

impl Eif {
    /// Number of trees.
    pub fn trees(&self) -> usize {
        self.0.trees
    }

    /// Rows per tree.
    pub fn sample_size(&self) -> usize {
        self.0.sample_size
    }

    /// Columns per cut, less one.
    pub fn extension_level(&self) -> usize {
        self.0.extension_level
    }

    /// Probability of an axis-parallel cut.
    pub fn axis_parallel_share(&self) -> f64 {
        self.0.axis_parallel_share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_kept() {
        assert!(EifParams::default().check().is_ok());
        for bad in [
            EifParams::default().trees(0),
            EifParams::default().trees(1_000_000),
            EifParams::default().sample_size(1),
            EifParams::default().axis_parallel_share(f64::NAN),
            EifParams::default().extension_level(1 << 20),
        ] {
            let message = bad.check().unwrap_err().to_string();
            assert!(message.contains("must be"), "{message}");
        }
    }
}
