//! Grows one tree, level by level, from histograms.
//!
//! A thread owns whole groups of columns: it adds up all rows of a node in row order, so sums do not depend on how many
//! threads there are. Of two siblings only the smaller is added up; the other is the parent less the sibling.
//! Memory: one histogram (4 KiB a column that the tree may look at) per group and open node, two levels at a time.
//! Read next: `split.rs` (the best cut), `partition.rs` (moving rows).

use rayon::prelude::*;

use super::bins::{Binned, LANES, MISSING};
use super::hyperparams::Boosted;
use super::partition::{Row, partition};
use super::split::{Histogram, Split, Sums, best_in_group};
use super::trees::Node;

/// Derivatives are added up in `f64`; rows of a node are read ahead by this many words.
const EMPTY: Sums = [0.0; 2];

/// A node that may yet be cut.
struct Open {
    /// Its index among the tree's nodes.
    node: usize,
    rows: std::ops::Range<usize>,
    total: Sums,
    source: Source,
}

/// Where a node's histograms come from.
#[derive(Clone, Copy)]
enum Source {
    /// Added up from rows.
    Rows,
    /// Histogram `parent` of the level above less that of the sibling at `sibling` in this level.
    Difference { parent: usize, sibling: usize },
}

/// Grows a tree on the rows with the columns that are allowed; leaves them grouped by leaf and returns the nodes and each leaf's rows.
pub(super) fn grow(
    binned: &Binned,
    allowed: &[bool],
    rows: &mut [Row],
    spare: &mut [Row],
    settings: &Boosted,
) -> (Vec<Node>, Vec<LeafRows>) {
    let total = rows.iter().fold(EMPTY, |sums, row| [sums[0] + f64::from(row.gradient), sums[1] + f64::from(row.hessian)]);
    let mut nodes = vec![Node::leaf(leaf_value(total, settings), total[1])];
    let mut leaves = Vec::new();
    let mut level = vec![Open { node: 0, rows: 0..rows.len(), total, source: Source::Rows }];
    let mut parents: Vec<Vec<Box<Histogram>>> = binned.groups.iter().map(|_| Vec::new()).collect();
    for _ in 0..settings.max_depth {
        if level.is_empty() {
            break;
        }
        let splits = find_splits(binned, allowed, rows, &level, &mut parents, settings);
        let mut next = Vec::new();
        for ((parent, open), split) in level.into_iter().enumerate().zip(splits) {
            let Some(split) = split else {
                leaves.push(LeafRows { node: open.node, rows: open.rows });
                continue;
            };
            let middle = cut_rows(binned, &mut rows[open.rows.clone()], &mut spare[open.rows.clone()], &split) + open.rows.start;
            push_children(&mut nodes, &mut next, binned, &open, parent, middle, &split, settings);
        }
        level = next;
    }
    leaves.extend(level.into_iter().map(|open| LeafRows { node: open.node, rows: open.rows }));
    (nodes, leaves)
}

/// Rows (a range of the row array) that ended in a leaf.
pub(super) struct LeafRows {
    pub(super) node: usize,
    pub(super) rows: std::ops::Range<usize>,
}

fn leaf_value(sums: Sums, settings: &Boosted) -> f32 {
    let denominator = sums[1] + settings.lambda;
    if denominator > 0.0 { (-sums[0] / denominator * settings.learning_rate) as f32 } else { 0.0 }
}

#[expect(clippy::too_many_arguments, reason = "the loop body of `grow`, apart to keep both readable")]
fn push_children(
    nodes: &mut Vec<Node>,
    next: &mut Vec<Open>,
    binned: &Binned,
    open: &Open,
    parent: usize,
    middle: usize,
    split: &Split,
    settings: &Boosted,
) {
    let left = nodes.len();
    let threshold = binned.cuts[split.feature][split.bin as usize];
    nodes[open.node] = Node::cut(split.feature, threshold, split.missing_left, left, open.total[1]);
    nodes.push(Node::leaf(leaf_value(split.left, settings), split.left[1]));
    nodes.push(Node::leaf(leaf_value(split.right, settings), split.right[1]));
    let (first, second) = (open.rows.start..middle, middle..open.rows.end);
    let left_is_smaller = first.len() <= second.len();
    let at = next.len();
    let difference = |sibling| Source::Difference { parent, sibling };
    let sources = if left_is_smaller { [Source::Rows, difference(at)] } else { [difference(at + 1), Source::Rows] };
    let [left_source, right_source] = sources;
    next.push(Open { node: left, rows: first, total: split.left, source: left_source });
    next.push(Open { node: left + 1, rows: second, total: split.right, source: right_source });
}

/// Best cut of every open node. `parents` holds each group's histograms of the level above and takes those of this one.
fn find_splits(
    binned: &Binned,
    allowed: &[bool],
    rows: &[Row],
    level: &[Open],
    parents: &mut [Vec<Box<Histogram>>],
    settings: &Boosted,
) -> Vec<Option<Split>> {
    let groups = binned.groups.par_iter().zip(binned.cuts.par_chunks(LANES)).zip(allowed.par_chunks(LANES));
    let groups = groups.zip(parents.par_iter_mut()).enumerate();
    let by_group: Vec<Vec<Option<Split>>> = groups
        .map(|(group, (((words, cuts), allowed), parents))| {
            let lanes: Vec<usize> = (0..allowed.len()).filter(|&lane| allowed[lane]).collect();
            if lanes.is_empty() {
                return vec![None; level.len()];
            }
            let mut histograms: Vec<Option<Box<Histogram>>> = level.iter().map(|_| None).collect();
            for (slot, open) in histograms.iter_mut().zip(level) {
                if matches!(open.source, Source::Rows) {
                    *slot = Some(add_up(words, &lanes, &rows[open.rows.clone()]));
                }
            }
            for (at, open) in level.iter().enumerate() {
                if let Source::Difference { parent, sibling } = open.source {
                    histograms[at] = histograms[sibling].as_ref().map(|sibling| difference(&parents[parent], sibling));
                }
            }
            let histograms: Vec<Box<Histogram>> = histograms.into_iter().flatten().collect();
            let splits = histograms.iter().zip(level);
            let splits =
                splits.map(|(sums, open)| best_in_group(sums, group * LANES, cuts, &lanes, open.total, settings)).collect();
            *parents = histograms;
            splits
        })
        .collect();
    let better = |best: Option<Split>, other: Option<Split>| match (best, other) {
        (Some(best), Some(other)) if other.gain > best.gain => Some(other),
        (None, other) => other,
        (best, _) => best,
    };
    (0..level.len()).map(|at| by_group.iter().fold(None, |best, splits| better(best, splits[at]))).collect()
}

fn empty_histogram(bins: usize) -> Box<Histogram> {
    vec![EMPTY; bins].into_boxed_slice()
}

/// Adds up the rows of a node in the columns at `lanes` of a group.
fn add_up(words: &[[u8; LANES]], lanes: &[usize], rows: &[Row]) -> Box<Histogram> {
    let mut histogram = empty_histogram(256 * lanes.len());
    // All columns of a group together are the usual case, and the compiler knows their number.
    match <&mut [Sums; 256 * LANES]>::try_from(&mut *histogram) {
        Ok(histogram) => rows.iter().for_each(|row| {
            let word = words[row.index as usize];
            (0..LANES).for_each(|lane| add(&mut histogram[lane * 256 + word[lane] as usize], row));
        }),
        Err(_) => rows.iter().for_each(|row| {
            let word = words[row.index as usize];
            lanes.iter().zip(histogram.chunks_exact_mut(256)).for_each(|(&lane, bins)| add(&mut bins[word[lane] as usize], row));
        }),
    }
    histogram
}

#[inline(always)]
fn add(sums: &mut Sums, row: &Row) {
    *sums = [sums[0] + f64::from(row.gradient), sums[1] + f64::from(row.hessian)];
}

fn difference(parent: &Histogram, sibling: &Histogram) -> Box<Histogram> {
    let mut histogram = empty_histogram(parent.len());
    for ((slot, whole), part) in histogram.iter_mut().zip(parent).zip(sibling) {
        let rest = [whole[0] - part[0], whole[1] - part[1]];
        // What is left of an empty bin is rounding error; it must not pass for rows.
        *slot = if rest[1] > 1e-9 * whole[1] { rest } else { EMPTY };
    }
    histogram
}

fn cut_rows(binned: &Binned, rows: &mut [Row], spare: &mut [Row], split: &Split) -> usize {
    let words = &binned.groups[split.feature / LANES];
    let lane = split.feature % LANES;
    partition(rows, spare, |index| {
        let bin = words[index as usize][lane];
        if bin == MISSING { split.missing_left } else { bin <= split.bin }
    })
}
