//! The distinct rows of a table with their multiplicities, and a k-d tree over them whose leaves are blocks for vector registers.
//!
//! Promises: the tree depends on the values and their order alone; node 0 is the root, children come after their parents.
//!
//! Read next: `kernel.rs` (distances to a block), `screen.rs` (what is passed over), `spanning.rs` (who searches here).

use std::collections::HashMap;

use super::kernel::{Kernel, LANES};
use super::screen::{Screen, Sifted};
use crate::matrix::Matrix;

/// No node.
const NONE: u32 = u32::MAX;

/// Distinct rows in the order of the tree's leaves.
pub(super) struct Points {
    /// Number of columns.
    pub(super) columns: usize,
    /// Values of each point, row-major, in tree order.
    values: Vec<f64>,
    /// First row that has these values.
    pub(super) row: Vec<u32>,
    /// How many rows have them.
    pub(super) weight: Vec<u32>,
    /// (first row, further row) of equal rows.
    pub(super) copies: Vec<(u32, u32)>,
    pub(super) nodes: Vec<Node>,
    /// Lowest and highest value in each column of each node: `columns` lows, then `columns` highs.
    boxes: Vec<f64>,
    /// Values of each leaf, column by column, padded with infinities to `LANES`.
    blocks: Vec<f64>,
    screen: Screen,
    pub(super) kernel: Kernel,
}

/// A range of points.
pub(super) struct Node {
    pub(super) start: u32,
    pub(super) end: u32,
    /// The left child; the right one follows at `right`. `NONE` in a leaf.
    left: u32,
    right: u32,
    /// Number of the block, in a leaf.
    block: u32,
}

impl Node {
    pub(super) fn points(&self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    pub(super) fn children(&self) -> Option<[usize; 2]> {
        (self.left != NONE).then_some([self.left as usize, self.right as usize])
    }
}

impl Points {
    /// Builds the tree twice: leaves of the first tell how dense the surroundings of each point are, and the second
    /// keeps points of thin surroundings apart. One far point in a leaf makes its box so large that it is never passed by.
    pub(super) fn new(matrix: &Matrix) -> Self {
        let (rows, weight, copies) = distinct(matrix);
        let unordered: Vec<&[f64]> = rows.iter().map(|&row| matrix.row(row as usize)).collect();
        let mut points = Self {
            columns: matrix.columns(),
            values: Vec::new(),
            row: Vec::new(),
            weight: Vec::new(),
            copies,
            nodes: Vec::new(),
            boxes: Vec::new(),
            blocks: Vec::new(),
            screen: Screen::default(),
            kernel: Kernel::detect(),
        };
        let order = points.arrange(&unordered, None);
        let thinness = points.thinness(&order);
        let order = points.arrange(&unordered, Some(&thinness));
        points.row = order.iter().map(|&place| rows[place as usize]).collect();
        points.weight = order.iter().map(|&place| weight[place as usize]).collect();
        let boxes = points.leaves().into_iter().map(|leaf| points.limits(leaf));
        points.screen = Screen::new(&points.values, &points.blocks, boxes, points.limits(0));
        points
    }

    /// Makes the tree anew; gives the places of `rows` in the order of its leaves.
    fn arrange(&mut self, rows: &[&[f64]], thinness: Option<&[f64]>) -> Vec<u32> {
        let mut order: Vec<u32> = (0..rows.len() as u32).collect();
        self.nodes.clear();
        self.boxes.clear();
        self.build(rows, thinness, &mut order);
        self.values = order.iter().flat_map(|&place| rows[place as usize].iter().copied()).collect();
        self.fill_blocks();
        order
    }

    /// For each place in `order`: squared distance to the middle one of the points in its leaf.
    fn thinness(&self, order: &[u32]) -> Vec<f64> {
        let mut thinness = vec![0.0; order.len()];
        let mut distances = [0.0; LANES];
        for leaf in self.leaves() {
            let node = &self.nodes[leaf];
            for point in node.points() {
                self.distances(self.values(point), node, &mut distances);
                let inside = &mut distances[..node.points().len()];
                let middle = (inside.len() - 1).min(inside.len() / 4);
                let (_, at, _) = inside.select_nth_unstable_by(middle, f64::total_cmp);
                thinness[order[point] as usize] = *at;
            }
        }
        thinness
    }

    /// Number of distinct rows.
    pub(super) fn len(&self) -> usize {
        self.row.len()
    }

    pub(super) fn values(&self, point: usize) -> &[f64] {
        &self.values[point * self.columns..(point + 1) * self.columns]
    }

    /// All leaves.
    pub(super) fn leaves(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|&node| self.nodes[node].left == NONE).collect()
    }

    /// Squared distances from `point` to the points of leaf `node`; lanes beyond its points are infinite. Gives the smallest.
    pub(super) fn distances(&self, point: &[f64], node: &Node, out: &mut [f64; LANES]) -> f64 {
        let size = self.columns * LANES;
        let start = node.block as usize * size;
        self.kernel.squared_distances(point, &self.blocks[start..start + size], out)
    }

    /// For each seeker (a point and its limit, squared) the points of leaf `node` that may lie within its limit, as bits.
    pub(super) fn sift(&self, node: &Node, seekers: impl Iterator<Item = (usize, f64)>, sifted: &mut Sifted) {
        self.screen.sift(self.kernel, node.block as usize, seekers, sifted);
    }

    /// Squared distances from point number `point` to the points of leaf `node` that [`Points::sift`] found for it; others may be
    /// given as infinitely far. Gives the smallest.
    pub(super) fn measure(&self, point: usize, node: &Node, found: u32, out: &mut [f64; LANES]) -> f64 {
        let found = found & lanes(node);
        if found.count_ones() > FEW {
            return self.distances(self.values(point), node, out);
        }
        *out = [f64::INFINITY; LANES];
        let mut least = f64::INFINITY;
        let mut left = found;
        while left != 0 {
            let lane = left.trailing_zeros() as usize;
            left &= left - 1;
            let pairs = self.values(point).iter().zip(self.values(node.start as usize + lane));
            // In the order of the kernel, for the same bits.
            let distance = pairs.fold(0.0, |sum, (a, b)| sum + (a - b) * (a - b));
            out[lane] = distance;
            least = least.min(distance);
        }
        least
    }

    /// Lows and highs of a node.
    fn limits(&self, node: usize) -> (&[f64], &[f64]) {
        self.boxes[node * 2 * self.columns..(node + 1) * 2 * self.columns].split_at(self.columns)
    }

    /// Squared distance between the nearest places of two boxes.
    pub(super) fn between_boxes(&self, a: usize, b: usize) -> f64 {
        let ((low_a, high_a), (low_b, high_b)) = (self.limits(a), self.limits(b));
        self.kernel.between_boxes([low_a, high_a, low_b, high_b])
    }

    /// Splits until a node fits a block: thin points from dense ones, else at the median of the widest column.
    fn build(&mut self, rows: &[&[f64]], thinness: Option<&[f64]>, order: &mut [u32]) {
        let mut pending = vec![(0usize, 0..order.len())];
        self.push_node(rows, order, 0..order.len());
        while let Some((node, range)) = pending.pop() {
            if range.len() <= LANES {
                continue;
            }
            let part = &mut order[range.clone()];
            let thin = thinness.and_then(|thinness| split_thin(part, thinness));
            let half = thin.unwrap_or_else(|| {
                let (low, high) = self.limits(node);
                let widths = low.iter().zip(high).map(|(low, high)| high - low).enumerate();
                let widest = widths.max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0))).map_or(0, |(column, _)| column);
                // Whole blocks to the left, so that few lanes are padding.
                let half = (part.len() / 2).next_multiple_of(LANES).min(part.len() - 1);
                part.select_nth_unstable_by(half, |&a, &b| {
                    rows[a as usize][widest].total_cmp(&rows[b as usize][widest]).then(a.cmp(&b))
                });
                half
            });
            let middle = range.start + half;
            let left = self.push_node(rows, order, range.start..middle);
            let right = self.push_node(rows, order, middle..range.end);
            (self.nodes[node].left, self.nodes[node].right) = (left as u32, right as u32);
            pending.push((left, range.start..middle));
            pending.push((right, middle..range.end));
        }
    }

    fn push_node(&mut self, rows: &[&[f64]], order: &[u32], range: std::ops::Range<usize>) -> usize {
        let mut low = vec![f64::INFINITY; self.columns];
        let mut high = vec![f64::NEG_INFINITY; self.columns];
        for &place in &order[range.clone()] {
            for ((low, high), &value) in low.iter_mut().zip(&mut high).zip(rows[place as usize]) {
                *low = low.min(value);
                *high = high.max(value);
            }
        }
        self.boxes.extend(low);
        self.boxes.extend(high);
        self.nodes.push(Node { start: range.start as u32, end: range.end as u32, left: NONE, right: NONE, block: 0 });
        self.nodes.len() - 1
    }

    fn fill_blocks(&mut self) {
        let leaves = self.leaves();
        self.blocks = vec![f64::INFINITY; leaves.len() * self.columns * LANES];
        for (block, (leaf, lanes)) in leaves.into_iter().zip(self.blocks.chunks_exact_mut(self.columns * LANES)).enumerate() {
            self.nodes[leaf].block = block as u32;
            for (lane, point) in self.nodes[leaf].points().enumerate() {
                let values = &self.values[point * self.columns..(point + 1) * self.columns];
                values.iter().enumerate().for_each(|(column, &value)| lanes[column * LANES + lane] = value);
            }
        }
    }
}

/// So many points of a block are measured one by one; of more the whole block.
const FEW: u32 = 6;

/// The lanes that hold points of a leaf, as bits.
fn lanes(node: &Node) -> u32 {
    u32::MAX >> (LANES - node.points().len().min(LANES))
}

/// Points of the thin tail that make a node of their own.
const TAIL: usize = 8;
/// How much thinner (squared) than the middle one a point of the tail is.
const THINNER: f64 = 2.25;

/// Moves the points much thinner than the middle one to the end; gives how many stay, if the tail is worth a node.
fn split_thin(part: &mut [u32], thinness: &[f64]) -> Option<usize> {
    let mut all: Vec<f64> = part.iter().map(|&place| thinness[place as usize]).collect();
    let middle = all.len() / 2;
    let limit = *all.select_nth_unstable_by(middle, f64::total_cmp).1 * THINNER;
    let tail = all.iter().filter(|&&thin| thin > limit).count();
    if tail < TAIL {
        return None;
    }
    part.sort_unstable_by_key(|&place| (thinness[place as usize] > limit, place));
    Some(part.len() - tail)
}

/// First rows of each distinct content, their multiplicities, and the further rows.
fn distinct(matrix: &Matrix) -> (Vec<u32>, Vec<u32>, Vec<(u32, u32)>) {
    let (mut rows, mut weight, mut copies) = (Vec::new(), Vec::new(), Vec::new());
    let mut known: HashMap<Vec<u64>, usize> = HashMap::with_capacity(matrix.rows());
    for row in 0..matrix.rows() {
        // Adding zero turns −0 into 0.
        let key: Vec<u64> = matrix.row(row).iter().map(|value| (value + 0.0).to_bits()).collect();
        let place = *known.entry(key).or_insert_with(|| {
            rows.push(row as u32);
            weight.push(0);
            rows.len() - 1
        });
        weight[place] += 1;
        if rows[place] != row as u32 {
            copies.push((rows[place], row as u32));
        }
    }
    (rows, weight, copies)
}
