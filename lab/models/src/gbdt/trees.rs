//! All trees as flat arrays of small nodes, and the loop that sends rows through them.
//!
//! A row goes left where its value is below the threshold, XGBoost's rule; a missing value goes where the node says.
//! Children stand side by side and behind their parent; a leaf points at itself. Eight rows walk together through a
//! tree, as in `eif/forest.rs`. Read next: `shap.rs`.

use rayon::prelude::*;

use super::bins::narrow;
use crate::matrix::Matrix;

const BLOCK_ROWS: usize = 64;
const LANES: usize = 8;
/// Trees deeper than this are not imported; XGBoost's own default is 6.
pub(super) const MAX_DEPTH: usize = 64;

/// A cut or a leaf.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Node {
    /// Threshold of a cut, value of a leaf.
    pub(super) number: f32,
    /// Column, with the top bit set where missing values go left.
    feature_and_default: u32,
    /// Left child; the right one follows it. 0 for a leaf, since the root is nobody's child.
    pub(super) left: u32,
    /// Sum of second derivatives over the training rows that came through.
    pub(super) cover: f32,
}

const MISSING_LEFT: u32 = 1 << 31;

impl Node {
    pub(super) fn leaf(value: f32, cover: f64) -> Self {
        Self { number: value, feature_and_default: 0, left: 0, cover: cover as f32 }
    }

    pub(super) fn cut(feature: usize, threshold: f32, missing_left: bool, left: usize, cover: f64) -> Self {
        let default = if missing_left { MISSING_LEFT } else { 0 };
        Self { number: threshold, feature_and_default: feature as u32 | default, left: left as u32, cover: cover as f32 }
    }

    pub(super) fn raw(number: f32, feature_and_default: u32, left: u32, cover: f32) -> Self {
        Self { number, feature_and_default, left, cover }
    }

    pub(super) fn packed_feature(&self) -> u32 {
        self.feature_and_default
    }

    pub(super) fn is_leaf(&self) -> bool {
        self.left == 0
    }

    pub(super) fn value(&self) -> f32 {
        self.number
    }

    pub(super) fn feature(&self) -> usize {
        (self.feature_and_default & !MISSING_LEFT) as usize
    }

    pub(super) fn missing_left(&self) -> bool {
        self.feature_and_default & MISSING_LEFT != 0
    }
}

/// All trees of a model.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Trees {
    pub(super) nodes: Vec<Node>,
    /// First node of each tree, and after the last the number of nodes.
    pub(super) starts: Vec<u32>,
    /// Cuts between the root and the deepest leaf, by tree.
    pub(super) depths: Vec<u32>,
}

impl Default for Trees {
    fn default() -> Self {
        Self { nodes: Vec::new(), starts: vec![0], depths: Vec::new() }
    }
}

impl Trees {
    /// Number of trees.
    pub(super) fn len(&self) -> usize {
        self.depths.len()
    }

    /// Nodes of one tree.
    pub(super) fn tree(&self, tree: usize) -> &[Node] {
        &self.nodes[self.starts[tree] as usize..self.starts[tree + 1] as usize]
    }

    /// Appends a tree whose children lie behind their parents.
    pub(super) fn push(&mut self, nodes: &[Node]) {
        self.nodes.extend_from_slice(nodes);
        self.starts.push(self.nodes.len() as u32);
        self.depths.push(depth(nodes));
    }

    /// `base` plus the leaf of every tree, for every row.
    pub(super) fn margins(&self, base: f64, matrix: &Matrix) -> Vec<f64> {
        let columns = matrix.columns();
        let mut margins = vec![base; matrix.rows()];
        let blocks = matrix.values().par_chunks(BLOCK_ROWS * columns).zip(margins.par_chunks_mut(BLOCK_ROWS));
        blocks.for_each_init(
            || Vec::with_capacity(BLOCK_ROWS * columns),
            |block: &mut Vec<f32>, (rows, margins)| {
                block.clear();
                block.extend(rows.iter().map(|&value| narrow(value)));
                for tree in 0..self.len() {
                    let (nodes, depth) = (self.tree(tree), self.depths[tree]);
                    for (margins, rows) in margins.chunks_mut(LANES).zip(block.chunks(LANES * columns)) {
                        walk(nodes, depth, rows, columns, margins);
                    }
                }
            },
        );
        margins
    }
}

/// Cuts between the root and the deepest leaf, for nodes whose children lie behind their parents.
pub(super) fn depth(nodes: &[Node]) -> u32 {
    let mut depths = vec![0u32; nodes.len()];
    for (at, node) in nodes.iter().enumerate().filter(|(_, node)| !node.is_leaf()) {
        let below = depths[at] + 1;
        for child in [node.left as usize, node.left as usize + 1] {
            depths.get_mut(child).into_iter().for_each(|slot| *slot = below);
        }
    }
    depths.into_iter().max().unwrap_or(0)
}

#[inline]
fn walk(nodes: &[Node], depth: u32, rows: &[f32], columns: usize, margins: &mut [f64]) {
    let mut at = [0usize; LANES];
    if margins.len() == LANES {
        let lanes: [&[f32]; LANES] = std::array::from_fn(|lane| &rows[lane * columns..(lane + 1) * columns]);
        for _ in 0..depth {
            for lane in 0..LANES {
                at[lane] = step(nodes, at[lane], lanes[lane]);
            }
        }
    } else {
        for (at, row) in at.iter_mut().zip(rows.chunks_exact(columns)) {
            (0..depth).for_each(|_| *at = step(nodes, *at, row));
        }
    }
    margins.iter_mut().zip(at).for_each(|(margin, at)| *margin += f64::from(nodes[at].number));
}

#[inline(always)]
fn step(nodes: &[Node], at: usize, row: &[f32]) -> usize {
    let node = &nodes[at];
    let value = row[node.feature()];
    let right = if value.is_nan() { !node.missing_left() } else { value >= node.number };
    let child = node.left as usize + usize::from(right);
    if node.is_leaf() { at } else { child }
}
