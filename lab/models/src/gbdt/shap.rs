//! Exact SHAP values of the trees (path-dependent TreeSHAP, Lundberg, Erion, Lee 2018), path by path.
//!
//! A leaf is reached through k distinct columns. For a row, column j of the path is met (o_j = 1) or not (0); without
//! the column a row comes through with probability z_j, the product of cover shares. The column's Shapley value is
//! v · (o_i − z_i) · ∫₀¹ Π_{j≠i} (o_j t + z_j (1−t)) dt: a polynomial of degree k−1, integrated without error by
//! Gauss–Legendre quadrature with ⌈k/2⌉ points. It depends on the row only through the k bits o, so for many rows
//! each path's 2ᵏ answers are tabulated once (Yang, "Fast TreeSHAP", 2021). Rows are taken a block at a time, column after
//! column, so that a step is held against all rows of the block at once. Contributions and the expected margin sum to the margin;
//! a row's are the same bits whichever rows stand beside it.

use rayon::prelude::*;

use super::bins::narrow;
use super::trees::{Node, Trees};
use crate::matrix::Matrix;

/// Paths of more columns than this are computed row by row: a table would not pay.
const TABLE_COLUMNS: usize = 8;
const BLOCK_ROWS: usize = 256;

/// A column's part in a path: values in `[low, high)` come through, and missing ones if `missing`.
struct Step {
    feature: usize,
    low: f32,
    high: f32,
    missing: bool,
    /// Share of training weight that comes through when the column is unknown.
    share: f64,
}

/// A leaf with the way to it.
struct Path {
    steps: Vec<Step>,
    value: f64,
    /// For each column of the path its contributions, one a pattern of met columns (`i · 2ᵏ + pattern`); empty when computed row by row.
    table: Vec<f64>,
}

/// Row-major contributions, and the expected margin (base included).
pub(super) fn contributions(trees: &Trees, base: f64, matrix: &Matrix) -> (Vec<f64>, f64) {
    let columns = matrix.columns();
    let narrowed = by_column(matrix.values(), columns, narrow);
    let mut values = vec![0.0; narrowed.len()];
    let mut expected = base;
    for tree in 0..trees.len() {
        let mut paths = paths(trees.tree(tree));
        expected += paths.iter().map(|path| path.value * path.steps.iter().map(|step| step.share).product::<f64>()).sum::<f64>();
        paths.par_iter_mut().for_each(|path| path.tabulate(matrix.rows()));
        let blocks = values.par_chunks_mut(BLOCK_ROWS * columns).zip(narrowed.par_chunks(BLOCK_ROWS * columns));
        blocks.for_each(|(out, block)| {
            let rows = block.len() / columns;
            let mut scratch = Vec::new();
            paths.iter().for_each(|path| path.add(block, rows, out, &mut scratch));
        });
    }
    (by_row(&values, columns), expected)
}

/// Row-major values in blocks of [`BLOCK_ROWS`] rows (the last may be shorter), each block column after column.
fn by_column<T: Copy + Default + Send + Sync>(values: &[f64], columns: usize, of: impl Fn(f64) -> T + Sync) -> Vec<T> {
    let mut turned = vec![T::default(); values.len()];
    let blocks = turned.par_chunks_mut(BLOCK_ROWS * columns).zip(values.par_chunks(BLOCK_ROWS * columns));
    blocks.for_each(|(block, values)| {
        let rows = values.len() / columns;
        for (row, values) in values.chunks_exact(columns).enumerate() {
            block.iter_mut().skip(row).step_by(rows).zip(values).for_each(|(slot, value)| *slot = of(*value));
        }
    });
    turned
}

/// The reverse of [`by_column`].
fn by_row(turned: &[f64], columns: usize) -> Vec<f64> {
    let mut values = vec![0.0; turned.len()];
    let blocks = values.par_chunks_mut(BLOCK_ROWS * columns).zip(turned.par_chunks(BLOCK_ROWS * columns));
    blocks.for_each(|(values, block)| {
        let rows = values.len() / columns;
        for (row, values) in values.chunks_exact_mut(columns).enumerate() {
            values.iter_mut().zip(block.iter().skip(row).step_by(rows)).for_each(|(value, slot)| *value = *slot);
        }
    });
    values
}

impl Step {
    #[inline(always)]
    fn meets(&self, value: f32) -> bool {
        (value >= self.low) & (value < self.high) | (value.is_nan() & self.missing)
    }
}

impl Path {
    fn tabulate(&mut self, rows: usize) {
        let k = self.steps.len();
        if k == 0 || k > TABLE_COLUMNS || rows < 1 << k {
            return;
        }
        let mut answers = Vec::with_capacity(k);
        self.table = vec![0.0; k << k];
        for pattern in 0..1 << k {
            answers.clear();
            self.append_contributions(pattern as u64, &mut answers);
            for (column, answer) in self.table.chunks_exact_mut(1 << k).zip(&answers) {
                column[pattern] = *answer;
            }
        }
    }

    /// Adds the path's contributions to every row of a block.
    fn add(&self, block: &[f32], rows: usize, out: &mut [f64], scratch: &mut Vec<f64>) {
        let column = |feature: usize| feature * rows..(feature + 1) * rows;
        if self.table.is_empty() {
            for row in 0..rows {
                let values = self.steps.iter().enumerate().map(|(bit, step)| (bit, step.meets(block[column(step.feature)][row])));
                let pattern = values.fold(0u64, |pattern, (bit, met)| pattern | u64::from(met) << bit);
                scratch.clear();
                self.append_contributions(pattern, scratch);
                self.steps.iter().zip(&*scratch).for_each(|(step, answer)| out[column(step.feature)][row] += answer);
            }
            return;
        }
        // At most eight columns: a pattern is a byte.
        let mut patterns = [0u8; BLOCK_ROWS];
        for (bit, step) in self.steps.iter().enumerate() {
            let values = &block[column(step.feature)];
            patterns.iter_mut().zip(values).for_each(|(pattern, value)| *pattern |= u8::from(step.meets(*value)) << bit);
        }
        for (step, answers) in self.steps.iter().zip(self.table.chunks_exact(1 << self.steps.len())) {
            let out = &mut out[column(step.feature)];
            // The patterns of k columns are below 2ᵏ; the mask says so to the compiler.
            let mask = answers.len() - 1;
            out.iter_mut().zip(&patterns).for_each(|(slot, pattern)| *slot += answers[usize::from(*pattern) & mask]);
        }
    }

    /// The k Shapley values of this leaf for one pattern.
    fn append_contributions(&self, pattern: u64, out: &mut Vec<f64>) {
        let k = self.steps.len();
        let start = out.len();
        out.resize(start + k, 0.0);
        let met = |bit: usize| (pattern >> bit & 1) as f64;
        let mut before = vec![1.0; k];
        for &(t, weight) in quadrature(k.div_ceil(2)) {
            let factor = |bit: usize| met(bit) * t + self.steps[bit].share * (1.0 - t);
            // Product of all factors but one: those before it times those behind it. No division, so z = 0 is no problem.
            for bit in 1..k {
                before[bit] = before[bit - 1] * factor(bit - 1);
            }
            let mut behind = weight;
            for bit in (0..k).rev() {
                out[start + bit] += before[bit] * behind;
                behind *= factor(bit);
            }
        }
        for (bit, slot) in out[start..].iter_mut().enumerate() {
            *slot *= self.value * (met(bit) - self.steps[bit].share);
        }
    }
}

/// Every leaf of a tree with the columns on its way merged.
fn paths(nodes: &[Node]) -> Vec<Path> {
    let mut parents: Vec<usize> = vec![0; nodes.len()];
    for (at, node) in nodes.iter().enumerate().filter(|(_, node)| !node.is_leaf()) {
        parents[node.left as usize] = at;
        parents[node.left as usize + 1] = at;
    }
    let leaves = nodes.iter().enumerate().filter(|(_, node)| node.is_leaf());
    leaves
        .map(|(leaf, node)| {
            let mut path = Path { steps: Vec::new(), value: f64::from(node.value()), table: Vec::new() };
            let mut at = leaf;
            while at != 0 {
                let parent = parents[at];
                add_step(&mut path.steps, &nodes[parent], at == nodes[parent].left as usize, nodes[at].cover);
                at = parent;
            }
            path
        })
        .collect()
}

fn add_step(steps: &mut Vec<Step>, cut: &Node, goes_left: bool, child_cover: f32) {
    let share = if cut.cover > 0.0 { f64::from(child_cover) / f64::from(cut.cover) } else { 0.5 };
    let (low, high) = if goes_left { (f32::NEG_INFINITY, cut.value()) } else { (cut.value(), f32::INFINITY) };
    let missing = cut.missing_left() == goes_left;
    match steps.iter_mut().find(|step| step.feature == cut.feature()) {
        Some(step) => {
            step.low = step.low.max(low);
            step.high = step.high.min(high);
            step.missing &= missing;
            step.share *= share;
        }
        None => steps.push(Step { feature: cut.feature(), low, high, missing, share }),
    }
}

/// Gauss–Legendre nodes and weights on [0, 1]; computed once for every number of points a path of 64 columns can need.
fn quadrature(points: usize) -> &'static [(f64, f64)] {
    static TABLES: std::sync::LazyLock<Vec<Vec<(f64, f64)>>> =
        std::sync::LazyLock::new(|| (0..=32).map(gauss_legendre).collect());
    TABLES.get(points).map_or(&[], Vec::as_slice)
}

/// Roots of the Legendre polynomial by Newton's method (Press et al., Numerical Recipes, §4.6).
fn gauss_legendre(points: usize) -> Vec<(f64, f64)> {
    let n = points as f64;
    (0..points)
        .map(|i| {
            let mut x = (std::f64::consts::PI * (i as f64 + 0.75) / (n + 0.5)).cos();
            let mut slope = 1.0;
            for _ in 0..50 {
                let (mut p0, mut p1) = (1.0, 0.0);
                for j in 0..points {
                    let p2 = p1;
                    p1 = p0;
                    p0 = ((2 * j + 1) as f64 * x * p1 - j as f64 * p2) / (j + 1) as f64;
                }
                slope = n * (x * p0 - p1) / (x * x - 1.0);
                x -= p0 / slope;
            }
            (0.5 - 0.5 * x, 1.0 / ((1.0 - x * x) * slope * slope))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quadrature_integrates_polynomials_without_error() {
        for points in 1..=32usize {
            for degree in 0..2 * points {
                let sum: f64 = quadrature(points).iter().map(|(t, weight)| weight * t.powi(degree as i32)).sum();
                assert!((sum - 1.0 / (degree + 1) as f64).abs() < 1e-13, "{points} points, degree {degree}: {sum}");
            }
        }
    }
}
