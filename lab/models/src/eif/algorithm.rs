//! Fitting: each tree draws its rows and cuts from a random stream of its own, so trees can grow on any thread.
//!
//! A cut takes up to `extension_level + 1` columns that are not constant in the node, each with a normal coefficient
//! divided by the column's deviation in the node, and a threshold uniform between the extremes of the projection.
//! Growth stops at one row, at rows all alike, or at depth ⌈log2 ψ⌉ (the average depth, Liu et al. 2008).
//! Read next: `forest.rs` (the arrays filled here).

use rayon::prelude::*;

use super::forest::{Forest, average_path_length};
use super::hyperparams::{Eif, MAX_COLUMNS};
use super::model::EifModel;
use super::scaler::Scaler;
use crate::error::{ModelError, Result};
use crate::matrix::Matrix;
use crate::rng::Rng;
use crate::stop::Stop;
use crate::voice::Fit;

impl Fit for Eif {
    type Model = EifModel;

    fn fit(&self, matrix: &Matrix, _labels: Option<&[bool]>, seed: u64) -> Result<EifModel> {
        let operation = "fitting the isolation forest";
        if matrix.rows() < 2 {
            return Err(ModelError::TooFewRows { operation, needed: 2, found: matrix.rows() });
        }
        if matrix.columns() > MAX_COLUMNS {
            return Err(ModelError::TooManyColumns { operation, limit: MAX_COLUMNS, found: matrix.columns() });
        }
        let scaler = Scaler::fit(matrix);
        let sample_size = self.sample_size().min(matrix.rows());
        let max_depth = sample_size.next_power_of_two().trailing_zeros() as usize;
        let terms = (self.extension_level() + 1).min(matrix.columns());
        let empty = Forest::empty(terms, max_depth);
        let stop = Stop::of_this_thread();
        let trees = (0..self.trees())
            .into_par_iter()
            .map(|tree| {
                stop.check(operation)?;
                let mut rng = Rng::stream(seed, tree as u64);
                let sample = rng.sample(matrix.rows(), sample_size);
                let mut rows = Vec::with_capacity(sample_size * matrix.columns());
                let mut scaled = Vec::with_capacity(matrix.columns());
                for row in sample {
                    scaler.apply(matrix.row(row), &mut scaled);
                    rows.extend_from_slice(&scaled);
                }
                let axis_parallel_share = if terms == 1 { 1.0 } else { self.axis_parallel_share() };
                Ok(Grower { rows: &rows, columns: matrix.columns(), axis_parallel_share, rng, forest: empty.clone() }.grow())
            })
            .collect::<Result<Vec<Forest>>>()?;
        let mut forest = empty;
        trees.iter().for_each(|tree| forest.append(tree));
        Ok(EifModel::new(matrix.features().clone(), scaler, forest, sample_size))
    }
}

/// One tree in the making.
struct Grower<'a> {
    /// The tree's rows, scaled.
    rows: &'a [f32],
    columns: usize,
    axis_parallel_share: f64,
    rng: Rng,
    forest: Forest,
}

/// A node whose rows are known and whose cut is not yet drawn.
struct Pending {
    node: usize,
    depth: usize,
    members: std::ops::Range<usize>,
}

/// A column's part in a cut.
struct Term {
    feature: usize,
    weight: f32,
    credit: f32,
}

impl Grower<'_> {
    fn grow(mut self) -> Forest {
        let mut members: Vec<usize> = (0..self.rows.len() / self.columns).collect();
        let mut columns: Vec<usize> = (0..self.columns).collect();
        let mut projections = vec![0.0f32; members.len()];
        self.forest.push_leaf(0, members.len());
        // First in, first out: nodes come in order of depth, and the top of the tree shares cache lines.
        let mut queue = std::collections::VecDeque::from([Pending { node: 0, depth: 0, members: 0..members.len() }]);
        while let Some(Pending { node, depth, members: range }) = queue.pop_front() {
            if depth == self.forest.max_depth || range.len() < 2 {
                continue;
            }
            let Some(cut) = self.draw_cut(&members[range.clone()], &mut columns) else { continue };
            let Some(threshold) = self.draw_threshold(&cut, &members[range.clone()], &mut projections) else { continue };
            let split = range.start + partition(&mut members[range.clone()], &mut projections, threshold);
            let left = self.forest.left.len();
            self.forest.set_cut(node, left, threshold, &cut);
            for half in [range.start..split, split..range.end] {
                let child = self.forest.push_leaf(depth + 1, half.len());
                queue.push_back(Pending { node: child, depth: depth + 1, members: half });
            }
        }
        self.forest.starts = vec![0, self.forest.left.len() as u32];
        self.forest
    }

    /// Draws columns without replacement until enough of them vary in the node. `None` if none does.
    fn draw_cut(&mut self, members: &[usize], columns: &mut [usize]) -> Option<Vec<Term>> {
        let wanted = if self.rng.uniform() < self.axis_parallel_share { 1 } else { self.forest.terms };
        let mut cut: Vec<Term> = Vec::with_capacity(wanted);
        for drawn in 0..columns.len() {
            columns.swap(drawn, drawn + self.rng.below(columns.len() - drawn));
            let feature = columns[drawn];
            let Some(deviation) = self.deviation(feature, members) else { continue };
            let coefficient = if wanted == 1 { 1.0 } else { self.rng.normal() };
            cut.push(Term { feature, weight: (coefficient / deviation) as f32, credit: coefficient.abs() as f32 });
            if cut.len() == wanted {
                break;
            }
        }
        // A cut is the same at any length of its normal vector: the largest weight becomes ±1, so nothing overflows.
        let largest = cut.iter().fold(0.0f32, |max, term| max.max(term.weight.abs()));
        let credits: f32 = cut.iter().map(|term| term.credit).sum();
        if !(largest.is_normal() && credits.is_normal()) {
            return None;
        }
        cut.iter_mut().for_each(|term| (term.weight, term.credit) = (term.weight / largest, term.credit / credits));
        Some(cut)
    }

    /// Standard deviation of a column over the node's rows, `None` when constant.
    fn deviation(&self, feature: usize, members: &[usize]) -> Option<f64> {
        let first = self.rows[members[0] * self.columns + feature];
        let (mut sum, mut squares, mut constant) = (0.0f64, 0.0f64, true);
        for &row in members {
            let value = self.rows[row * self.columns + feature];
            constant &= value == first;
            let offset = f64::from(value) - f64::from(first);
            sum += offset;
            squares += offset * offset;
        }
        let count = members.len() as f64;
        let deviation = ((squares - sum * sum / count) / count).max(0.0).sqrt();
        (!constant && deviation > 0.0).then_some(deviation)
    }

    /// Fills `projections` for the node's rows and draws a threshold with at least one row on each side.
    fn draw_threshold(&mut self, cut: &[Term], members: &[usize], projections: &mut [f32]) -> Option<f32> {
        let (mut low, mut high) = (f32::INFINITY, f32::NEG_INFINITY);
        for (projection, &row) in projections.iter_mut().zip(members) {
            let row = &self.rows[row * self.columns..(row + 1) * self.columns];
            *projection = cut.iter().fold(0.0, |sum, term| sum + term.weight * row[term.feature]);
            (low, high) = (low.min(*projection), high.max(*projection));
        }
        if low >= high {
            return None; // the columns cancel out in every row
        }
        let threshold = (f64::from(low) + self.rng.uniform() * (f64::from(high) - f64::from(low))) as f32;
        Some(if threshold >= high { low } else { threshold })
    }
}

/// Moves the rows at or below the threshold to the front, keeping both halves in order; returns how many.
fn partition(members: &mut [usize], projections: &mut [f32], threshold: f32) -> usize {
    let (mut kept, mut right) = (0, Vec::with_capacity(members.len()));
    for index in 0..members.len() {
        if projections[index] > threshold {
            right.push(members[index]);
        } else {
            members[kept] = members[index];
            kept += 1;
        }
    }
    members[kept..].copy_from_slice(&right);
    kept
}

impl Forest {
    fn empty(terms: usize, max_depth: usize) -> Self {
        Self {
            terms,
            max_depth,
            starts: vec![0],
            left: Vec::new(),
            threshold: Vec::new(),
            features: Vec::new(),
            weights: Vec::new(),
            credit: Vec::new(),
            rows: Vec::new(),
            path: Vec::new(),
        }
    }

    fn push_leaf(&mut self, depth: usize, rows: usize) -> usize {
        let node = self.left.len();
        self.left.push(node as u32);
        self.threshold.push(f32::INFINITY);
        self.features.resize(self.features.len() + self.terms, 0);
        self.weights.resize(self.weights.len() + self.terms, 0.0);
        self.credit.resize(self.credit.len() + self.terms, 0.0);
        self.rows.push(rows as u32);
        self.path.push((depth as f64 + average_path_length(rows)) as f32);
        node
    }

    fn set_cut(&mut self, node: usize, left: usize, threshold: f32, cut: &[Term]) {
        self.left[node] = left as u32;
        self.threshold[node] = threshold;
        self.path[node] = 0.0;
        for (slot, term) in (node * self.terms..).zip(cut) {
            self.features[slot] = term.feature as u32;
            self.weights[slot] = term.weight;
            self.credit[slot] = term.credit;
        }
    }

    fn append(&mut self, tree: &Self) {
        self.left.extend_from_slice(&tree.left);
        self.threshold.extend_from_slice(&tree.threshold);
        self.features.extend_from_slice(&tree.features);
        self.weights.extend_from_slice(&tree.weights);
        self.credit.extend_from_slice(&tree.credit);
        self.rows.extend_from_slice(&tree.rows);
        self.path.extend_from_slice(&tree.path);
        self.starts.push(self.left.len() as u32);
    }
}
