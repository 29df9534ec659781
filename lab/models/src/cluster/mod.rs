//! Density clustering: HDBSCAN (Campello, Moulavi, Sander 2013; McInnes, Healy, Astels 2017), exact and deterministic.
//!
//! Promises: the tree is the exact minimum spanning tree of mutual reachability (no approximation), ties are broken by row number,
//! so the same table gives the same labels on any number of threads; equal rows cost one; a row that belongs nowhere has
//! no label. Own code, because the crates that exist were measured to be slower and less exact: `docs/SCIENCE.md`, section "Clusters".
//!
//! Read next: `points.rs` (rows and their tree) → `spanning.rs` (distances to a spanning tree) → `condense.rs` (tree to clusters),
//! `scale.rs` (how features are made comparable before).

mod condense;
mod hyperparams;
mod kernel;
mod points;
mod scale;
mod screen;
mod spanning;

use std::collections::BTreeMap;

pub use self::hyperparams::{Hdbscan, HdbscanParams, Selection};
use self::points::Points;
pub use self::scale::RobustScaler;
use crate::error::{ModelError, Result};
use crate::matrix::Matrix;

/// What clustering found.
#[derive(Debug, Clone, PartialEq)]
pub struct Clustering {
    /// Cluster of each row, numbered in the order of their first rows; `None` for rows that belong nowhere.
    pub labels: Vec<Option<u32>>,
    /// How firmly each row belongs to its cluster, 0 (not at all) to 1 (to its core).
    pub probabilities: Vec<f64>,
    /// Stability of each cluster: the sum over its rows of how long (in 1/distance) they stayed together.
    pub stabilities: Vec<f64>,
}

impl Clustering {
    /// Number of clusters.
    pub fn clusters(&self) -> usize {
        self.stabilities.len()
    }

    /// Rows of each cluster, ascending.
    pub fn members(&self) -> Vec<Vec<usize>> {
        let mut members = vec![Vec::new(); self.clusters()];
        for (row, label) in self.labels.iter().enumerate() {
            if let Some(list) = label.and_then(|label| members.get_mut(label as usize)) {
                list.push(row);
            }
        }
        members
    }

    /// All rows belong nowhere.
    fn noise(rows: usize) -> Self {
        Self { labels: vec![None; rows], probabilities: vec![0.0; rows], stabilities: Vec::new() }
    }
}

impl Hdbscan {
    /// Clusters the rows of `matrix` by Euclidean distance. Fewer rows than a cluster needs give no cluster.
    ///
    /// # Errors
    /// [`ModelError::NotFinite`] where a value is missing: impute or scale first ([`RobustScaler`] does).
    pub fn fit(&self, matrix: &Matrix) -> Result<Clustering> {
        if let Some(position) = matrix.values().iter().position(|value| !value.is_finite()) {
            return Err(ModelError::NotFinite { operation: "clustering", position });
        }
        let rows = matrix.rows();
        if rows < self.min_cluster_size() {
            return Ok(Clustering::noise(rows));
        }
        let points = Points::new(matrix);
        let edges = spanning::spanning_tree(&points, self.min_samples());
        Ok(numbered_by_first_row(condense::clusters(&edges, rows, self)))
    }
}

/// Numbers clusters in the order in which their first rows come.
fn numbered_by_first_row(found: Clustering) -> Clustering {
    let mut names: BTreeMap<u32, u32> = BTreeMap::new();
    let mut stabilities = Vec::with_capacity(found.stabilities.len());
    let mut labels = Vec::with_capacity(found.labels.len());
    for label in &found.labels {
        labels.push(label.map(|old| {
            let next = names.len() as u32;
            *names.entry(old).or_insert_with(|| {
                stabilities.push(found.stabilities.get(old as usize).copied().unwrap_or_default());
                next
            })
        }));
    }
    Clustering { labels, probabilities: found.probabilities, stabilities }
}
