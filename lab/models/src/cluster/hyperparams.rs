//! Settings of HDBSCAN: `HdbscanParams` (unchecked builder) → `check()` → `Hdbscan`, which fits.
//!
//! Names and meanings are those of PyPI `hdbscan` 0.8: `min_samples` does not count the row itself (scikit-learn's does).

use crate::error::{ModelError, Result};

const VOICE: &str = "hdbscan";

/// How clusters are taken from the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// Excess of mass: the clusters that live longest, of whatever depth.
    ExcessOfMass,
    /// The leaves: the finest clusters.
    Leaves,
}

/// Unchecked settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HdbscanParams {
    min_cluster_size: usize,
    min_samples: usize,
    epsilon: f64,
    resolution: f64,
    selection: Selection,
    allow_single_cluster: bool,
}

impl Default for HdbscanParams {
    fn default() -> Self {
        Self {
            min_cluster_size: 5,
            min_samples: 5,
            epsilon: 0.0,
            resolution: 1e-9,
            selection: Selection::ExcessOfMass,
            allow_single_cluster: false,
        }
    }
}

impl HdbscanParams {
    /// Rows a cluster needs, from 2; default 5.
    pub fn min_cluster_size(mut self, rows: usize) -> Self {
        self.min_cluster_size = rows;
        self
    }

    /// How many other rows must be near for a row to count as dense, from 1; default 5. More makes clusters rounder and noise larger.
    pub fn min_samples(mut self, rows: usize) -> Self {
        self.min_samples = rows;
        self
    }

    /// Clusters that part only below this distance stay one; default 0 (never).
    pub fn epsilon(mut self, distance: f64) -> Self {
        self.epsilon = distance;
        self
    }

    /// Distances below this count as this; default 1e-9. Without it a heap of equal rows would be infinitely dense,
    /// and therefore always a cluster of its own, however small its difference from the next heap.
    pub fn resolution(mut self, distance: f64) -> Self {
        self.resolution = distance;
        self
    }

    /// How clusters are taken from the tree; default excess of mass.
    pub fn selection(mut self, selection: Selection) -> Self {
        self.selection = selection;
        self
    }

    /// Whether all rows may be one cluster; default no.
    pub fn allow_single_cluster(mut self, allow: bool) -> Self {
        self.allow_single_cluster = allow;
        self
    }

    /// Refuses what cannot be fitted.
    ///
    /// # Errors
    /// [`ModelError::Setting`] naming the setting and its range.
    pub fn check(self) -> Result<Hdbscan> {
        let refuse = |setting, value: String, range| Err(ModelError::Setting { voice: VOICE, setting, value, range });
        if self.min_cluster_size < 2 {
            return refuse("min_cluster_size", self.min_cluster_size.to_string(), "at least 2");
        }
        if !(1..=1_000).contains(&self.min_samples) {
            return refuse("min_samples", self.min_samples.to_string(), "between 1 and 1000");
        }
        if !(0.0..1e100).contains(&self.epsilon) {
            return refuse("epsilon", self.epsilon.to_string(), "a distance of at least 0");
        }
        if !(1e-100..1e100).contains(&self.resolution) {
            return refuse("resolution", self.resolution.to_string(), "a distance above 0");
        }
        Ok(Hdbscan(self))
    }
}

/// Checked settings; see [`Hdbscan::fit`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hdbscan(HdbscanParams);

impl Hdbscan {
    /// Rows a cluster needs.
    pub fn min_cluster_size(&self) -> usize {
        self.0.min_cluster_size
    }

    /// Neighbours that make a row dense.
    pub fn min_samples(&self) -> usize {
        self.0.min_samples
    }

    /// Distance below which clusters stay one.
    pub fn epsilon(&self) -> f64 {
        self.0.epsilon
    }

    /// Smallest distance told apart.
    pub fn resolution(&self) -> f64 {
        self.0.resolution
    }

    /// How clusters are taken from the tree.
    pub fn selection(&self) -> Selection {
        self.0.selection
    }

    /// Whether all rows may be one cluster.
    pub fn allow_single_cluster(&self) -> bool {
        self.0.allow_single_cluster
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_kept() {
        assert!(HdbscanParams::default().check().is_ok());
        for bad in [
            HdbscanParams::default().min_cluster_size(1),
            HdbscanParams::default().min_samples(0),
            HdbscanParams::default().epsilon(f64::NAN),
            HdbscanParams::default().epsilon(-1.0),
            HdbscanParams::default().resolution(0.0),
        ] {
            let message = bad.check().unwrap_err().to_string();
            assert!(message.contains("must be"), "{message}");
        }
    }
}
