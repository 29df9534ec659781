//! The minimum spanning tree of mutual reachability: Borůvka's rounds, each a search of the k-d tree for every point that needs one.
//!
//! The mutual reachability of two rows is the largest of their distance and their core distances; a core distance is that to the
//! `min_samples`-th other row. In each round every component looks for its shortest way out. A point whose nearest foreign
//! point is known from an earlier round and still foreign need not search; nor need one that is known to be farther than its
//! component's best. Promises: edges are ordered by (length, lower row, higher row), a total order, so the tree is unique and
//! neither threads nor luck in pruning can change it: only what is strictly longer than a bound is ever left out.
//!
//! Read next: `points.rs`, `condense.rs` (what is made of the edges).

use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use super::kernel::LANES;
use super::points::{Node, Points};

/// An edge of the tree between two rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Edge {
    pub(super) length: f64,
    pub(super) low: u32,
    pub(super) high: u32,
}

impl Edge {
    fn new(length: f64, a: u32, b: u32) -> Self {
        Self { length, low: a.min(b), high: a.max(b) }
    }

    /// Shorter first, then by rows.
    pub(super) fn order(&self, other: &Self) -> std::cmp::Ordering {
        self.length.total_cmp(&other.length).then((self.low, self.high).cmp(&(other.low, other.high)))
    }
}

/// No component, and no point.
const NONE: u32 = u32::MAX;

/// Edges of the spanning tree over all rows, shortest first.
pub(super) fn spanning_tree(points: &Points, min_samples: usize) -> Vec<Edge> {
    let core = core_distances(points, min_samples);
    let mut edges = Boruvka::new(points, &core).run();
    let mut core_of_row = std::collections::BTreeMap::new();
    if !points.copies.is_empty() {
        core_of_row.extend(points.row.iter().zip(&core).map(|(&row, &core)| (row, core)));
    }
    // Equal rows are as far from each other as their common core distance, and nothing is nearer to them.
    edges.extend(points.copies.iter().map(|&(first, further)| {
        let core = core_of_row.get(&first).copied().unwrap_or_default();
        Edge::new(core, first, further)
    }));
    edges.iter_mut().for_each(|edge| edge.length = edge.length.sqrt());
    edges.par_sort_unstable_by(Edge::order);
    edges
}

/// Squared distance from each point to the `min_samples`-th other row; to the farthest if there are fewer.
fn core_distances(points: &Points, min_samples: usize) -> Vec<f64> {
    let leaves = points.leaves();
    let parts: Vec<(usize, Vec<f64>)> = leaves
        .par_iter()
        .map(|&leaf| {
            let range = points.nodes[leaf].points();
            let mut near: Vec<Nearest> =
                range.clone().map(|point| Nearest::new(min_samples + 1, points.weight[point] as usize)).collect();
            walk(points, leaf, |node, distance| {
                let reach = near.iter().map(Nearest::bound).fold(0.0, f64::max);
                let worth = distance <= reach;
                if worth && points.nodes[node].children().is_none() {
                    range.clone().zip(&mut near).for_each(|(point, near)| near.look(points, point, node));
                }
                worth
            });
            (range.start, near.iter().map(Nearest::farthest).collect())
        })
        .collect();
    let mut core = vec![0.0; points.len()];
    for (start, part) in parts {
        core[start..start + part.len()].copy_from_slice(&part);
    }
    core
}

/// The nearest points of one point until their rows are enough.
struct Nearest {
    /// (squared distance, rows), nearest first.
    found: Vec<(f64, usize)>,
    wanted: usize,
    rows: usize,
}

impl Nearest {
    fn new(wanted: usize, own_rows: usize) -> Self {
        let mut found = Vec::with_capacity(wanted + 1);
        found.push((0.0, own_rows));
        Self { found, wanted, rows: own_rows }
    }

    /// Nothing at this distance or beyond changes the answer.
    fn bound(&self) -> f64 {
        if self.rows >= self.wanted { self.farthest() } else { f64::INFINITY }
    }

    fn farthest(&self) -> f64 {
        self.found.last().map_or(0.0, |last| last.0)
    }

    /// Takes what is near of a leaf.
    fn look(&mut self, points: &Points, point: usize, leaf: usize) {
        let values = points.values(point);
        if points.to_box(values, leaf) > self.bound() {
            return;
        }
        let node = &points.nodes[leaf];
        let mut distances = [0.0; LANES];
        if points.near(point, node, self.bound(), &mut distances) >= self.bound() {
            return;
        }
        for (&distance, other) in distances.iter().zip(node.points()) {
            if distance < self.bound() && other != point {
                self.add(distance, points.weight[other] as usize);
            }
        }
    }

    fn add(&mut self, distance: f64, rows: usize) {
        let place = self.found.partition_point(|known| known.0 <= distance);
        self.found.insert(place, (distance, rows));
        self.rows += rows;
        while let Some(&(_, last)) = self.found.last()
            && self.rows - last >= self.wanted
        {
            self.rows -= last;
            self.found.pop();
        }
    }
}

/// A walk through the tree from the leaf `from` outwards, nearer children first.
fn walk(points: &Points, from: usize, mut enter: impl FnMut(usize, f64) -> bool) {
    let mut pending = vec![(0.0, 0)];
    while let Some((distance, node)) = pending.pop() {
        // The visitor gets the node and the squared distance between the boxes, and says whether to go on below it.
        if !enter(node, distance) {
            continue;
        }
        if let Some([left, right]) = points.nodes[node].children() {
            let left = (points.between_boxes(from, left), left);
            let right = (points.between_boxes(from, right), right);
            let (near, far) = if left.0 <= right.0 { (left, right) } else { (right, left) };
            pending.extend([far, near]);
        }
    }
}

/// The state between rounds.
struct Boruvka<'a> {
    points: &'a Points,
    /// Squared core distances.
    core: &'a [f64],
    /// Smallest of them in each node.
    node_core: Vec<f64>,
    /// Component of each point.
    component: Vec<u32>,
    /// Component of all points of a node, or `NONE`.
    node_component: Vec<u32>,
    /// What each point knows of its nearest foreign point.
    known: Vec<Known>,
}

/// The nearest foreign point as far as it is known.
#[derive(Clone, Copy)]
struct Known {
    /// No foreign point is nearer than this.
    least: f64,
    /// The nearest, or `NONE`.
    point: u32,
}

impl<'a> Boruvka<'a> {
    fn new(points: &'a Points, core: &'a [f64]) -> Self {
        let count = points.len();
        let mut node_core = vec![f64::INFINITY; points.nodes.len()];
        for (node, slot) in points.nodes.iter().zip(&mut node_core) {
            *slot = core[node.points()].iter().copied().fold(f64::INFINITY, f64::min);
        }
        Self {
            points,
            core,
            node_core,
            component: (0..count as u32).collect(),
            node_component: vec![NONE; points.nodes.len()],
            known: core.iter().map(|&least| Known { least, point: NONE }).collect(),
        }
    }

    fn run(mut self) -> Vec<Edge> {
        let count = self.points.len();
        let mut union = Union::new(count);
        let mut edges = Vec::with_capacity(count.saturating_sub(1));
        while edges.len() + 1 < count {
            self.name_nodes();
            let bounds = self.search();
            for (edge, a, b) in self.shortest(&bounds) {
                if union.join(a, b) {
                    edges.push(edge);
                }
            }
            for point in 0..count {
                self.component[point] = union.root(point as u32);
            }
        }
        edges
    }

    /// Children come after their parents, so backwards every child is named before its parent.
    fn name_nodes(&mut self) {
        for (place, node) in self.points.nodes.iter().enumerate().rev() {
            self.node_component[place] = match node.children() {
                Some([left, right]) if self.node_component[left] == self.node_component[right] => self.node_component[left],
                Some(_) => NONE,
                None => {
                    let mut names = self.component[node.points()].iter();
                    let first = names.next().copied().unwrap_or(NONE);
                    if names.all(|name| *name == first) { first } else { NONE }
                }
            };
        }
    }

    /// Brings `known` up to date; gives the shortest way out of each component (squared, as bits).
    fn search(&mut self) -> Vec<AtomicU64> {
        let bounds: Vec<AtomicU64> = self.component.iter().map(|_| AtomicU64::new(f64::INFINITY.to_bits())).collect();
        for (known, &own) in self.known.iter_mut().zip(&self.component) {
            if known.point != NONE && self.component[known.point as usize] == own {
                known.point = NONE;
            }
            if known.point != NONE {
                bounds[own as usize].fetch_min(known.least.to_bits(), Ordering::Relaxed);
            }
        }
        let leaves = self.points.leaves();
        let parts: Vec<(usize, Vec<Known>)> = leaves
            .par_iter()
            .map(|&leaf| {
                let range = self.points.nodes[leaf].points();
                let mut searches: Vec<Search> = range.clone().filter_map(|point| self.begin(point, &bounds)).collect();
                if !searches.is_empty() {
                    self.search_from(leaf, &mut searches, &bounds);
                }
                let mut known = self.known[range.clone()].to_vec();
                for search in &searches {
                    known[search.point - range.start] = search.result();
                }
                (range.start, known)
            })
            .collect();
        for (start, part) in parts {
            self.known[start..start + part.len()].copy_from_slice(&part);
        }
        bounds
    }

    /// A search, if the point needs one.
    fn begin(&self, point: usize, bounds: &[AtomicU64]) -> Option<Search> {
        let known = self.known[point];
        let component = self.component[point];
        let bound = f64::from_bits(bounds[component as usize].load(Ordering::Relaxed));
        let needed = known.point == NONE && known.least <= bound;
        let (best, length) = (NONE, f64::INFINITY);
        needed.then_some(Search { point, component, least: known.least, best, length, bound })
    }

    fn search_from(&self, leaf: usize, searches: &mut [Search], bounds: &[AtomicU64]) {
        walk(self.points, leaf, |node, distance| {
            let name = self.node_component[node];
            let least = distance.max(self.node_core[node]);
            let worth = searches.iter().any(|search| search.component != name && least <= search.limit());
            if worth && self.points.nodes[node].children().is_none() {
                for search in searches.iter_mut().filter(|search| search.component != name) {
                    self.look_into(search, node, &bounds[search.component as usize]);
                }
            }
            worth
        });
    }

    /// Compares a point with those of a leaf, if that can be of use.
    fn look_into(&self, search: &mut Search, leaf: usize, shared: &AtomicU64) {
        search.bound = search.bound.min(f64::from_bits(shared.load(Ordering::Relaxed)));
        let least = self.points.to_box(self.points.values(search.point), leaf);
        if least.max(self.node_core[leaf]).max(self.core[search.point]) <= search.limit() {
            self.look(search, &self.points.nodes[leaf]);
            shared.fetch_min(search.length.to_bits(), Ordering::Relaxed);
        }
    }

    /// Compares a point with those of a leaf.
    fn look(&self, search: &mut Search, node: &Node) {
        let mut distances = [0.0; LANES];
        if self.points.near(search.point, node, search.limit(), &mut distances) > search.limit() {
            return;
        }
        let own_core = self.core[search.point];
        for (&distance, other) in distances.iter().zip(node.points()) {
            if distance > search.limit() || self.component[other] == search.component {
                continue;
            }
            let length = distance.max(own_core).max(self.core[other]);
            if length > search.limit() {
                continue;
            }
            let rows = &self.points.row;
            let shorter = search.best == NONE || {
                let edge = Edge::new(length, rows[search.point], rows[other]);
                let best = Edge::new(search.length, rows[search.point], rows[search.best as usize]);
                edge.order(&best).is_lt()
            };
            if shorter {
                (search.best, search.length) = (other as u32, length);
            }
        }
    }

    /// The shortest edge of each component, with its two points, in the order of components.
    fn shortest(&self, bounds: &[AtomicU64]) -> Vec<(Edge, u32, u32)> {
        let mut best: Vec<Option<(Edge, u32, u32)>> = vec![None; self.points.len()];
        for (point, known) in self.known.iter().enumerate() {
            let component = self.component[point] as usize;
            let bound = f64::from_bits(bounds[component].load(Ordering::Relaxed));
            if known.point == NONE || known.least > bound {
                continue;
            }
            let edge = Edge::new(known.least, self.points.row[point], self.points.row[known.point as usize]);
            if best[component].as_ref().is_none_or(|(found, ..)| edge.order(found).is_lt()) {
                best[component] = Some((edge, point as u32, known.point));
            }
        }
        best.into_iter().flatten().collect()
    }
}

/// One point's search for its nearest foreign point.
struct Search {
    point: usize,
    component: u32,
    /// What was known before: nothing foreign is nearer.
    least: f64,
    best: u32,
    length: f64,
    /// The smallest bound of the component that anything was left out by.
    bound: f64,
}

impl Search {
    /// What is longer than this is of no use.
    fn limit(&self) -> f64 {
        self.bound.min(self.length)
    }

    fn result(&self) -> Known {
        if self.best != NONE && self.length <= self.bound {
            Known { least: self.length, point: self.best }
        } else {
            // Everything up to the bound was looked at.
            Known { least: self.least.max(self.bound), point: NONE }
        }
    }
}

/// Disjoint sets with path halving.
pub(super) struct Union(Vec<u32>);

impl Union {
    pub(super) fn new(count: usize) -> Self {
        Self((0..count as u32).collect())
    }

    pub(super) fn root(&mut self, mut item: u32) -> u32 {
        while self.0[item as usize] != item {
            let above = self.0[self.0[item as usize] as usize];
            self.0[item as usize] = above;
            item = above;
        }
        item
    }

    /// Joins two sets; false if they were one already. The lower root stays.
    pub(super) fn join(&mut self, a: u32, b: u32) -> bool {
        let (a, b) = (self.root(a), self.root(b));
        self.0[a.max(b) as usize] = a.min(b);
        a != b
    }
}
