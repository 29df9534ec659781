//! ExIFFI: which columns isolated a row (Arcudi, Frizzo, Masiero, Susto, "ExIFFI and EIF+", 2023).
//!
//! At each node on the row's way the cut's columns share a credit of |node| / |child taken|: a cut that leaves few
//! companions says much. A column's importance is its credit over all trees divided by what it could have earned at
//! random, the sum of its shares in the cuts passed; the row's importances are then scaled to sum to 1.
//! Shares are |coefficient| × deviation in the node, so the unit a column is measured in does not matter.

use rayon::prelude::*;

use super::forest::Forest;
use super::scaler::Scaler;
use crate::matrix::Matrix;

/// Row-major importances, each row summing to 1 (to 0 where no cut was passed: a forest of constant columns).
pub(super) fn importances(forest: &Forest, scaler: &Scaler, matrix: &Matrix) -> Vec<f64> {
    let columns = matrix.columns();
    let mut values = vec![0.0; matrix.values().len()];
    values.par_chunks_mut(columns).zip(matrix.values().par_chunks(columns)).for_each_init(
        || (Vec::with_capacity(columns), vec![0.0; columns]),
        |(scaled, chances), (credits, row)| {
            scaler.apply(row, scaled);
            chances.fill(0.0);
            for tree in 0..forest.trees() {
                follow(forest, forest.tree(tree).start, scaled, credits, chances);
            }
            normalise(credits, chances);
        },
    );
    values
}

fn follow(forest: &Forest, start: usize, row: &[f32], credits: &mut [f64], chances: &mut [f64]) {
    let mut node = start;
    while forest.threshold[node] != f32::INFINITY {
        let child = start + forest.left[node] as usize + usize::from(forest.goes_right(node, row));
        let imbalance = f64::from(forest.rows[node]) / f64::from(forest.rows[child].max(1));
        for slot in node * forest.terms..(node + 1) * forest.terms {
            let (feature, share) = (forest.features[slot] as usize, f64::from(forest.credit[slot]));
            credits[feature] += imbalance * share;
            chances[feature] += share;
        }
        node = child;
    }
}

fn normalise(credits: &mut [f64], chances: &[f64]) {
    for (credit, &chance) in credits.iter_mut().zip(chances) {
        *credit = if chance > 0.0 { *credit / chance } else { 0.0 };
    }
    let sum: f64 = credits.iter().sum();
    if sum > 0.0 {
        credits.iter_mut().for_each(|credit| *credit /= sum);
    }
}
