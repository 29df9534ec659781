//! The trees as flat arrays, and the loop that sends rows through them.
//!
//! A node's children stand side by side, so a step is `node = left + (projection > threshold)`; a leaf has an infinite
//! threshold and points at itself, so every row takes exactly `max_depth` steps and the loop has no branch to
//! mispredict. Eight rows walk together to hide the latency of loads. A block of rows (`f32`) and one tree fit the
//! first-level cache; blocks are independent, so threads share nothing.
//! Read next: `algorithm.rs` (who fills the arrays).

use rayon::prelude::*;

#[cfg(target_arch = "x86_64")]
use super::masks::{self, AddPaths, MaskForest};
use super::scaler::Scaler;
use crate::matrix::Matrix;

const BLOCK_ROWS: usize = 64;
const LANES: usize = 8;
/// From this many rows on it pays to lay the forest out for `masks.rs`.
const MASK_MIN_ROWS: usize = 64;

/// All trees. Node arrays are parallel; `features` and `weights` hold `terms` entries for each node.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Forest {
    /// Columns combined in one cut.
    pub(super) terms: usize,
    pub(super) max_depth: usize,
    /// First node of each tree, and after the last the number of nodes.
    pub(super) starts: Vec<u32>,
    /// Left child within the tree; the node itself for a leaf.
    pub(super) left: Vec<u32>,
    /// Rows whose projection exceeds this go right; infinite for a leaf.
    pub(super) threshold: Vec<f32>,
    pub(super) features: Vec<u32>,
    pub(super) weights: Vec<f32>,
    /// |weight| × standard deviation of the column in the node, normalised to sum 1 over the node: what ExIFFI credits.
    pub(super) credit: Vec<f32>,
    /// Training rows that reached the node.
    pub(super) rows: Vec<u32>,
    /// Path length of rows that end here: depth + c(rows); 0 for inner nodes.
    pub(super) path: Vec<f32>,
}

/// A node as the scoring loop wants it: one cache line holds two or three.
#[derive(Clone, Copy)]
struct Packed<const K: usize> {
    weights: [f32; K],
    features: [u32; K],
    threshold: f32,
    left: u32,
}

impl Forest {
    /// Mean path length of every row, by the fastest route this processor has; all routes agree to the last bit.
    pub(super) fn mean_paths(&self, scaler: &Scaler, matrix: &Matrix) -> Vec<f64> {
        match (self.terms, matrix.rows() >= MASK_MIN_ROWS) {
            #[cfg(target_arch = "x86_64")]
            (1 | 2, true) if let Some(simd) = pulp::x86::V4::try_new() => match self.terms {
                1 => self.mean_paths_masked::<1>(simd, scaler, matrix),
                _ => self.mean_paths_masked::<2>(simd, scaler, matrix),
            },
            (1, _) => self.mean_paths_packed::<1>(scaler, matrix),
            (2, _) => self.mean_paths_packed::<2>(scaler, matrix),
            (3, _) => self.mean_paths_packed::<3>(scaler, matrix),
            _ => self.mean_paths_any(scaler, matrix),
        }
    }

    /// Number of trees.
    pub(super) fn trees(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// The node range of a tree.
    pub(super) fn tree(&self, tree: usize) -> std::ops::Range<usize> {
        self.starts[tree] as usize..self.starts[tree + 1] as usize
    }

    #[cfg(target_arch = "x86_64")]
    fn mean_paths_masked<const K: usize>(&self, simd: pulp::x86::V4, scaler: &Scaler, matrix: &Matrix) -> Vec<f64> {
        const ROWS: usize = masks::BLOCK_ROWS;
        let forest = MaskForest::<K>::new(self);
        let columns = matrix.columns();
        let mut paths = vec![0.0; matrix.rows()];
        matrix.values().par_chunks(ROWS * columns).zip(paths.par_chunks_mut(ROWS)).for_each_init(
            || vec![0.0f32; ROWS * columns],
            |block, (rows, out)| {
                scaler.apply_transposed::<ROWS>(rows, block);
                let mut sums = [0.0; ROWS];
                simd.vectorize(AddPaths { simd, forest: &forest, block, paths: &mut sums });
                out.iter_mut().zip(sums).for_each(|(out, sum)| *out = sum / self.trees() as f64);
            },
        );
        paths
    }

    fn mean_paths_packed<const K: usize>(&self, scaler: &Scaler, matrix: &Matrix) -> Vec<f64> {
        let nodes: Vec<Packed<K>> = (0..self.left.len())
            .map(|node| Packed {
                weights: std::array::from_fn(|term| self.weights[node * K + term]),
                features: std::array::from_fn(|term| self.features[node * K + term]),
                threshold: self.threshold[node],
                left: self.left[node],
            })
            .collect();
        self.by_block(scaler, matrix, |block, columns, paths| {
            for tree in 0..self.trees() {
                let range = self.tree(tree);
                let (nodes, leaf_paths) = (&nodes[range.clone()], &self.path[range]);
                for (lane_paths, rows) in paths.chunks_mut(LANES).zip(block.chunks(LANES * columns)) {
                    walk(nodes, leaf_paths, rows, columns, self.max_depth, lane_paths);
                }
            }
        })
    }

    /// The same for cuts of any number of columns; slower, because the number of terms is not known to the compiler.
    fn mean_paths_any(&self, scaler: &Scaler, matrix: &Matrix) -> Vec<f64> {
        self.by_block(scaler, matrix, |block, columns, paths| {
            for tree in 0..self.trees() {
                let range = self.tree(tree);
                for (path, row) in paths.iter_mut().zip(block.chunks_exact(columns)) {
                    let mut node = range.start;
                    while self.threshold[node] != f32::INFINITY {
                        node = range.start + self.left[node] as usize + usize::from(self.goes_right(node, row));
                    }
                    *path += f64::from(self.path[node]);
                }
            }
        })
    }

    /// Which way a scaled row goes at an inner node.
    pub(super) fn goes_right(&self, node: usize, row: &[f32]) -> bool {
        let terms = node * self.terms..(node + 1) * self.terms;
        let cut = self.features[terms.clone()].iter().zip(&self.weights[terms]);
        // Summed in term order from 0, exactly as `walk` does, so both routes agree to the last bit.
        cut.fold(0.0f32, |sum, (&feature, &weight)| sum + weight * row[feature as usize]) > self.threshold[node]
    }

    fn by_block(&self, scaler: &Scaler, matrix: &Matrix, add_paths: impl Fn(&[f32], usize, &mut [f64]) + Sync) -> Vec<f64> {
        let columns = matrix.columns();
        let mut paths = vec![0.0; matrix.rows()];
        let blocks = matrix.values().par_chunks(BLOCK_ROWS * columns).zip(paths.par_chunks_mut(BLOCK_ROWS));
        blocks.for_each_init(
            || Vec::with_capacity(BLOCK_ROWS * columns),
            |scaled, (rows, paths)| {
                scaler.apply(rows, scaled);
                add_paths(scaled, columns, paths);
                paths.iter_mut().for_each(|path| *path /= self.trees() as f64);
            },
        );
        paths
    }
}

/// Adds the path lengths of up to `LANES` rows through one tree.
#[inline]
fn walk<const K: usize>(nodes: &[Packed<K>], leaf_paths: &[f32], rows: &[f32], columns: usize, depth: usize, paths: &mut [f64]) {
    let mut at = [0usize; LANES];
    if paths.len() == LANES {
        let lanes: [&[f32]; LANES] = std::array::from_fn(|lane| &rows[lane * columns..(lane + 1) * columns]);
        for _ in 0..depth {
            for lane in 0..LANES {
                at[lane] = step(&nodes[at[lane]], lanes[lane]);
            }
        }
    } else {
        for (at, row) in at.iter_mut().zip(rows.chunks_exact(columns)) {
            (0..depth).for_each(|_| *at = step(&nodes[*at], row));
        }
    }
    paths.iter_mut().zip(at).for_each(|(path, at)| *path += f64::from(leaf_paths[at]));
}

#[inline(always)]
fn step<const K: usize>(node: &Packed<K>, row: &[f32]) -> usize {
    let mut projection = 0.0f32;
    for term in 0..K {
        projection += node.weights[term] * row[node.features[term] as usize];
    }
    (node.left + u32::from(projection > node.threshold)) as usize
}

/// c(n): mean path length of an unsuccessful search among `rows` rows in a binary search tree (Liu et al. 2008, eq. 1),
/// 2 H(n−1) − 2 (n−1)/n, with the harmonic number summed exactly up to 1,024 and approximated beyond (error < 1e-12).
pub fn average_path_length(rows: usize) -> f64 {
    const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;
    if rows < 2 {
        return 0.0;
    }
    let m = (rows - 1) as f64;
    let harmonic = if rows <= 1_025 {
        (1..rows).rev().map(|k| 1.0 / k as f64).sum()
    } else {
        m.ln() + EULER_GAMMA + 0.5 / m - 1.0 / (12.0 * m * m)
    };
    2.0 * harmonic - 2.0 * m / rows as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_length_matches_the_harmonic_formula() {
        assert_eq!(average_path_length(0), 0.0);
        assert_eq!(average_path_length(1), 0.0);
        assert_eq!(average_path_length(2), 1.0);
        assert!((average_path_length(3) - (3.0 - 4.0 / 3.0)).abs() < 1e-15);
        let (exact, approximate): (f64, f64) = ((1..=1_025).rev().map(|k| 1.0 / f64::from(k)).sum(), average_path_length(1_026));
        assert!((2.0 * exact - 2.0 * 1_025.0 / 1_026.0 - approximate).abs() < 1e-11);
    }
}
