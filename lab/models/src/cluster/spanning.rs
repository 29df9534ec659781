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
use super::screen::Sifted;

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
    let (core, near) = core_distances(points, min_samples);
    let mut edges = Boruvka::new(points, &core, &near).run();
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

/// Squared distance from each point to the `min_samples`-th other row, to the farthest if there are fewer; and the points within it.
fn core_distances(points: &Points, min_samples: usize) -> (Vec<f64>, Vec<Near>) {
    let mut leaves = points.leaves();
    leaves.sort_unstable_by_key(|&leaf| points.nodes[leaf].start);
    let parts: Vec<Vec<(f64, Near)>> = leaves
        .par_iter()
        .map(|&leaf| {
            let range = points.nodes[leaf].points();
            let mut nearest: Vec<Nearest> =
                range.clone().map(|point| Nearest::new(min_samples + 1, point, points.weight[point] as usize)).collect();
            let (mut sifted, mut reach) = (Sifted::default(), f64::INFINITY);
            walk(points, leaf, |node, distance| {
                let worth = distance <= reach;
                let node = &points.nodes[node];
                if worth && node.children().is_none() {
                    points.sift(node, nearest.iter().map(|near| (near.point, near.bound())), &mut sifted);
                    let found = nearest.iter_mut().zip(sifted.found()).filter(|(_, found)| *found != 0);
                    found.for_each(|(near, found)| near.look(points, node, found));
                    reach = nearest.iter().map(Nearest::bound).fold(0.0, f64::max);
                }
                worth
            });
            nearest.into_iter().map(|near| (near.farthest(), near.close())).collect()
        })
        .collect();
    parts.into_iter().flatten().unzip()
}

/// All points within a point's core distance; none if one at just that distance may have been left out.
type Near = Box<[u32]>;

/// The nearest points of one point until their rows are enough.
struct Nearest {
    point: usize,
    /// (squared distance, rows, point), nearest first.
    found: Vec<(f64, usize, u32)>,
    wanted: usize,
    rows: usize,
    /// The least distance at which one was left out.
    left_out: f64,
}

impl Nearest {
    fn new(wanted: usize, point: usize, own_rows: usize) -> Self {
        let mut found = Vec::with_capacity(wanted + 1);
        found.push((0.0, own_rows, point as u32));
        Self { point, found, wanted, rows: own_rows, left_out: f64::INFINITY }
    }

    /// Nothing at this distance or beyond changes the answer.
    fn bound(&self) -> f64 {
        if self.rows >= self.wanted { self.farthest() } else { f64::INFINITY }
    }

    fn farthest(&self) -> f64 {
        self.found.last().map_or(0.0, |last| last.0)
    }

    /// Takes what is near of a leaf, of the points `found` there.
    fn look(&mut self, points: &Points, node: &Node, found: u32) {
        let mut distances = [0.0; LANES];
        if points.measure(self.point, node, found, &mut distances) > self.bound() {
            return;
        }
        for (&distance, other) in distances.iter().zip(node.points()) {
            if other == self.point {
                continue;
            }
            if distance < self.bound() {
                self.add(distance, points.weight[other] as usize, other as u32);
            } else {
                self.left_out = self.left_out.min(distance);
            }
        }
    }

    fn add(&mut self, distance: f64, rows: usize, other: u32) {
        let place = self.found.partition_point(|known| known.0 <= distance);
        self.found.insert(place, (distance, rows, other));
        self.rows += rows;
        while let Some(&(distance, last, _)) = self.found.last()
            && self.rows - last >= self.wanted
        {
            self.left_out = self.left_out.min(distance);
            self.rows -= last;
            self.found.pop();
        }
    }

    fn close(&self) -> Near {
        let known = if self.left_out > self.farthest() { &self.found[..] } else { &[] };
        known.iter().map(|(.., point)| *point).filter(|point| *point as usize != self.point).collect()
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
    /// A point's way out is never shorter than its core distance. So the first round is over for every point that has one of no greater
    /// core distance within its own.
    fn new(points: &'a Points, core: &'a [f64], near: &[Near]) -> Self {
        let count = points.len();
        let first = |point: usize, near: &Near| {
            let (own, row) = (core[point], points.row[point]);
            let edge = |other: u32| Edge::new(own, row, points.row[other as usize]);
            let open = near.iter().copied().filter(|&other| core[other as usize] <= own);
            open.min_by(|&a, &b| edge(a).order(&edge(b))).unwrap_or(NONE)
        };
        let known =
            near.iter().enumerate().map(|(point, near)| Known { least: core[point], point: first(point, near) }).collect();
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
            known,
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
        let (mut sifted, mut active) = (Sifted::default(), Vec::with_capacity(searches.len()));
        // The longest limit of all.
        let mut reach = f64::INFINITY;
        walk(self.points, leaf, |node, distance| {
            let name = self.node_component[node];
            let least = distance.max(self.node_core[node]);
            let worth = least <= reach && searches.iter().any(|search| search.component != name && least <= search.limit());
            if worth && self.points.nodes[node].children().is_none() {
                active.clear();
                for (place, search) in searches.iter_mut().enumerate().filter(|(_, search)| search.component != name) {
                    search.bound = search.bound.min(f64::from_bits(bounds[search.component as usize].load(Ordering::Relaxed)));
                    if least.max(self.core[search.point]) <= search.limit() {
                        active.push(place);
                    }
                }
                let node = &self.points.nodes[node];
                let seekers = active.iter().map(|&place| (searches[place].point, searches[place].limit()));
                self.points.sift(node, seekers, &mut sifted);
                for (&place, found) in active.iter().zip(sifted.found()).filter(|(_, found)| *found != 0) {
                    self.look(&mut searches[place], node, found, bounds);
                }
                reach = searches.iter().map(Search::limit).fold(0.0, f64::max);
            }
            worth
        });
    }

    /// Compares a point with those `found` in a leaf.
    fn look(&self, search: &mut Search, node: &Node, found: u32, bounds: &[AtomicU64]) {
        let shared = &bounds[search.component as usize];
        search.bound = search.bound.min(f64::from_bits(shared.load(Ordering::Relaxed)));
        let mut distances = [0.0; LANES];
        if self.points.measure(search.point, node, found, &mut distances) > search.limit() {
            return;
        }
        let before = search.length;
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
        if search.length < before {
            shared.fetch_min(search.length.to_bits(), Ordering::Relaxed);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FeatureSet, Matrix, Rng};

    /// The lengths of Prim's tree over mutual reachability, by the definition, ascending.
    fn by_definition(table: &Matrix, samples: usize) -> Vec<f64> {
        let rows = table.rows();
        let apart = |a: usize, b: usize| table.row(a).iter().zip(table.row(b)).map(|(x, y)| (x - y) * (x - y)).sum::<f64>();
        let core = |row: usize| {
            let mut all: Vec<f64> = (0..rows).map(|other| apart(row, other)).collect();
            all.sort_by(f64::total_cmp);
            all[samples.min(rows - 1)]
        };
        let core: Vec<f64> = (0..rows).map(core).collect();
        let (mut way, mut open): (Vec<f64>, Vec<usize>) = (vec![f64::INFINITY; rows], (1..rows).collect());
        let (mut at, mut lengths) = (0, Vec::new());
        while !open.is_empty() {
            open.iter().for_each(|&to| way[to] = way[to].min(apart(at, to).max(core[at]).max(core[to])));
            let nearest = (0..open.len()).min_by(|&a, &b| way[open[a]].total_cmp(&way[open[b]])).unwrap();
            at = open.swap_remove(nearest);
            lengths.push(way[at].sqrt());
        }
        lengths.sort_by(f64::total_cmp);
        lengths
    }

    /// Many leaves, dense and thin surroundings, and (rounded) many equal distances at the rim of a core.
    #[test]
    fn the_tree_is_as_short_as_prims() {
        for (seed, columns, rounded) in [(1, 2, true), (2, 3, true), (3, 7, false), (4, 20, false), (5, 17, true)] {
            let mut rng = Rng::stream(seed, 0);
            let mut value = |row: usize| {
                let value = rng.normal() * if row.is_multiple_of(10) { 20.0 } else { 1.0 } + (row % 3) as f64 * 6.0;
                if rounded { value.round() } else { value }
            };
            let values = (0..400 * columns).map(|place| value(place / columns)).collect();
            let table = Matrix::new(FeatureSet::numbered(columns).unwrap(), values).unwrap();
            for samples in [1, 5] {
                let edges = spanning_tree(&Points::new(&table), samples);
                let lengths: Vec<f64> = edges.iter().map(|edge| edge.length).collect();
                assert_eq!(lengths, by_definition(&table, samples), "{columns} columns, {samples} samples");
            }
        }
    }
}
