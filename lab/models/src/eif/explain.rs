//! ExIFFI: which columns isolated a row (Arcudi, Frizzo, Masiero, Susto, "ExIFFI and EIF+", 2023).
//!
//! At each node on the row's way the cut's columns share a credit of |node| / |child taken|: a cut that leaves few
//! companions says much. A column's importance is its credit over all trees divided by what it could have earned at
//! random, the sum of its shares in the cuts passed; the row's importances are then scaled to sum to 1.
//! Shares are |coefficient| × deviation in the node, so the unit a column is measured in does not matter.
//! A few rows go through one tree before the next is looked at, so that it is read from memory once for all of them.

use rayon::prelude::*;

use super::forest::Forest;
use super::scaler::Scaler;
use crate::matrix::Matrix;

const BLOCK_ROWS: usize = 32;

/// Row-major importances, each row summing to 1 (to 0 where no cut was passed: a forest of constant columns).
pub(super) fn importances(forest: &Forest, scaler: &Scaler, matrix: &Matrix) -> Vec<f64> {
    let columns = matrix.columns();
    let mut values = vec![0.0; matrix.values().len()];
    let blocks = values.par_chunks_mut(BLOCK_ROWS * columns).zip(matrix.values().par_chunks(BLOCK_ROWS * columns));
    blocks.for_each_init(
        || (Vec::with_capacity(BLOCK_ROWS * columns), Vec::with_capacity(BLOCK_ROWS * columns)),
        |(scaled, chances): &mut (Vec<f32>, Vec<f64>), (credits, rows)| {
            scaler.apply(rows, scaled);
            chances.clear();
            chances.resize(rows.len(), 0.0);
            for tree in 0..forest.trees() {
                let start = forest.tree(tree).start;
                let sums = credits.chunks_exact_mut(columns).zip(chances.chunks_exact_mut(columns));
                for (row, (credits, chances)) in scaled.chunks_exact(columns).zip(sums) {
                    follow(forest, start, row, credits, chances);
                }
            }
            let rows = credits.chunks_exact_mut(columns).zip(chances.chunks_exact(columns));
            rows.for_each(|(credits, chances)| normalise(credits, chances));
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
