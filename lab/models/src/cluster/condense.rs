//! From a spanning tree to clusters: single linkage, condensed tree, the clusters that live longest, memberships.
//!
//! Cutting the longest edge parts the rows into two; a part too small to be a cluster has fallen out, two large parts are two
//! new clusters. λ = 1/distance at which a row falls out measures how long it stayed. A cluster's stability is the sum
//! of (λ of falling out − λ of birth) over its rows; excess of mass takes a cluster over its children if it is more stable than they are
//! together. As PyPI `hdbscan` 0.8 does it, except that cuts at one
//! distance are one cut (`tests/clusters.rs` compares).
//!
//! Read next: `spanning.rs` (where the edges come from).

use super::Clustering;
use super::hyperparams::{Hdbscan, Selection};
use super::spanning::{Edge, Union};

/// Clusters of `rows` rows from the edges of their spanning tree, shortest first.
pub(super) fn clusters(edges: &[Edge], rows: usize, settings: &Hdbscan) -> Clustering {
    let merges = single_linkage(edges, rows);
    let mut tree = Condensed::new(&merges, rows, settings.min_cluster_size(), settings.resolution());
    let stabilities = tree.stabilities();
    let chosen = match settings.selection() {
        Selection::ExcessOfMass => tree.excess_of_mass(&stabilities, settings.allow_single_cluster()),
        Selection::Leaves => tree.leaves(settings.allow_single_cluster()),
    };
    let chosen = if settings.epsilon() > 0.0 { tree.not_below(&chosen, settings) } else { chosen };
    tree.label(&chosen, &stabilities, settings)
}

/// Two sets that become one; numbers below `rows` are rows, `rows + i` is what merge `i` made.
struct Merge {
    sets: [u32; 2],
    distance: f64,
    size: u32,
}

impl Merge {
    fn lambda(&self, resolution: f64) -> f64 {
        1.0 / self.distance.max(resolution)
    }
}

/// What a merge was made of. Merges at one distance happen at once: taken two by two, as programs do, their order would decide
/// what is a cluster.
fn parts(merge: &Merge, merges: &[Merge], rows: usize, resolution: f64) -> Vec<u32> {
    let lambda = merge.lambda(resolution);
    let mut parts = Vec::new();
    let mut pending = vec![merge.sets];
    while let Some(sets) = pending.pop() {
        for set in sets {
            match (set as usize).checked_sub(rows).and_then(|at| merges.get(at)) {
                Some(inner) if inner.lambda(resolution) <= lambda => pending.push(inner.sets),
                _ => parts.push(set),
            }
        }
    }
    parts
}

fn single_linkage(edges: &[Edge], rows: usize) -> Vec<Merge> {
    let mut union = Union::new(rows);
    let mut name: Vec<u32> = (0..rows as u32).collect();
    let mut size = vec![1u32; rows];
    let mut merges = Vec::with_capacity(edges.len());
    for edge in edges {
        let (a, b) = (union.root(edge.low) as usize, union.root(edge.high) as usize);
        let total = size[a] + size[b];
        merges.push(Merge { sets: [name[a], name[b]], distance: edge.length, size: total });
        union.join(a as u32, b as u32);
        let root = a.min(b);
        (name[root], size[root]) = ((rows + merges.len() - 1) as u32, total);
    }
    merges
}

/// A cluster of the condensed tree; cluster 0 holds all rows.
struct Node {
    parent: usize,
    /// λ at which it parted from its parent.
    birth: f64,
    children: Vec<usize>,
    /// Largest λ of what fell out of it or parted from it.
    death: f64,
    /// Σ λ of what fell out of it or parted from it, by rows.
    lambda_sum: f64,
    /// How many rows that are.
    left: f64,
}

/// The condensed tree: clusters, parents before children, and where each row fell out.
struct Condensed {
    nodes: Vec<Node>,
    /// Cluster out of which each row fell, and its λ there.
    fell: Vec<(usize, f64)>,
}

impl Condensed {
    fn new(merges: &[Merge], rows: usize, min_size: usize, resolution: f64) -> Self {
        let size_of = |set: u32| (set as usize).checked_sub(rows).and_then(|at| merges.get(at)).map_or(1, |merge| merge.size);
        let root = Node { parent: 0, birth: 0.0, children: Vec::new(), death: 0.0, lambda_sum: 0.0, left: 0.0 };
        let mut tree = Self { nodes: vec![root], fell: vec![(0, 0.0); rows] };
        let mut pending = std::collections::VecDeque::from([((rows + merges.len() - 1) as u32, 0usize)]);
        while let Some((set, cluster)) = pending.pop_front() {
            let Some(merge) = (set as usize).checked_sub(rows).and_then(|at| merges.get(at)) else {
                // A cluster of one row cannot be: clusters have at least two.
                continue;
            };
            let lambda = merge.lambda(resolution);
            let parts = parts(merge, merges, rows, resolution);
            let large = parts.iter().filter(|part| size_of(**part) as usize >= min_size).count();
            for part in parts {
                if (size_of(part) as usize) < min_size {
                    tree.drop_out(part, merges, rows, cluster, lambda);
                } else if large > 1 {
                    let child = tree.part(cluster, lambda, size_of(part));
                    pending.push_back((part, child));
                } else {
                    pending.push_back((part, cluster));
                }
            }
        }
        tree
    }

    fn part(&mut self, parent: usize, lambda: f64, size: u32) -> usize {
        let child = self.nodes.len();
        let node = Node { parent, birth: lambda, children: Vec::new(), death: 0.0, lambda_sum: 0.0, left: 0.0 };
        self.nodes.push(node);
        self.nodes[parent].children.push(child);
        self.leave(parent, lambda, f64::from(size));
        child
    }

    /// All rows of `set` fall out of `cluster`.
    fn drop_out(&mut self, set: u32, merges: &[Merge], rows: usize, cluster: usize, lambda: f64) {
        let mut pending = vec![set];
        while let Some(set) = pending.pop() {
            match (set as usize).checked_sub(rows).and_then(|at| merges.get(at)) {
                Some(merge) => pending.extend(merge.sets),
                None => {
                    self.fell[set as usize] = (cluster, lambda);
                    self.leave(cluster, lambda, 1.0);
                }
            }
        }
    }

    fn leave(&mut self, cluster: usize, lambda: f64, rows: f64) {
        let node = &mut self.nodes[cluster];
        node.death = node.death.max(lambda);
        node.lambda_sum += lambda * rows;
        node.left += rows;
    }

    fn stabilities(&self) -> Vec<f64> {
        self.nodes.iter().map(|node| node.lambda_sum - node.birth * node.left).collect()
    }

    /// Marks the clusters chosen; parents come before children, so backwards every child is weighed before its parent.
    fn excess_of_mass(&self, stabilities: &[f64], allow_all: bool) -> Vec<bool> {
        let mut best = stabilities.to_vec();
        let mut chosen = vec![true; self.nodes.len()];
        for (place, node) in self.nodes.iter().enumerate().rev() {
            if place == 0 && !allow_all {
                chosen[0] = false;
                break;
            }
            let below: f64 = node.children.iter().map(|&child| best[child]).sum();
            if !node.children.is_empty() && below > stabilities[place] {
                (chosen[place], best[place]) = (false, below);
            }
        }
        self.topmost(&chosen)
    }

    fn leaves(&self, allow_all: bool) -> Vec<bool> {
        let leaf = |(place, node): (usize, &Node)| node.children.is_empty() && (place > 0 || allow_all);
        self.nodes.iter().enumerate().map(leaf).collect()
    }

    /// A chosen cluster below a chosen one is not chosen.
    fn topmost(&self, chosen: &[bool]) -> Vec<bool> {
        let mut above = vec![false; self.nodes.len()];
        let mut kept = chosen.to_vec();
        for (place, node) in self.nodes.iter().enumerate().skip(1) {
            above[place] = above[node.parent] || chosen[node.parent];
            kept[place] = chosen[place] && !above[place];
        }
        kept
    }

    /// Replaces clusters that parted below `epsilon` by the nearest ancestor that parted above it.
    fn not_below(&self, chosen: &[bool], settings: &Hdbscan) -> Vec<bool> {
        let mut kept = vec![false; self.nodes.len()];
        for place in (0..self.nodes.len()).filter(|&place| chosen[place]) {
            let mut at = place;
            while at != 0 && self.nodes[at].birth > 1.0 / settings.epsilon() {
                let parent = self.nodes[at].parent;
                if parent == 0 && !settings.allow_single_cluster() {
                    break;
                }
                at = parent;
            }
            kept[at] = true;
        }
        self.topmost(&kept)
    }

    fn label(&mut self, chosen: &[bool], stabilities: &[f64], settings: &Hdbscan) -> Clustering {
        // The chosen cluster that each cluster lies in.
        let mut home: Vec<Option<usize>> = Vec::with_capacity(self.nodes.len());
        for (place, node) in self.nodes.iter().enumerate() {
            let above = home.get(node.parent).copied().flatten();
            home.push(above.or(chosen[place].then_some(place)));
        }
        let mut number = vec![None; self.nodes.len()];
        let mut kept = Vec::new();
        for place in (0..self.nodes.len()).filter(|&place| chosen[place]) {
            number[place] = Some(kept.len() as u32);
            kept.push(stabilities[place]);
        }
        let all_are_one = chosen.first().copied().unwrap_or(false);
        let needed = if settings.epsilon() > 0.0 { 1.0 / settings.epsilon() } else { self.nodes[0].death };
        let mut labels = Vec::with_capacity(self.fell.len());
        let mut probabilities = Vec::with_capacity(self.fell.len());
        for &(cluster, lambda) in &self.fell {
            let found = home[cluster].filter(|_| !all_are_one || cluster != 0 || lambda >= needed);
            let label = found.and_then(|home| number[home]);
            let death = found.map_or(0.0, |home| self.nodes[home].death);
            labels.push(label);
            probabilities.push(if label.is_none() {
                0.0
            } else if death > 0.0 {
                lambda.min(death) / death
            } else {
                1.0
            });
        }
        Clustering { labels, probabilities, stabilities: kept }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::HdbscanParams;

    /// Two dense lines of five far apart and one row between them.
    fn edges() -> Vec<Edge> {
        let mut edges = Vec::new();
        for start in [0u32, 5] {
            (start..start + 4).for_each(|row| edges.push(Edge { length: 1.0, low: row, high: row + 1 }));
        }
        edges.push(Edge { length: 10.0, low: 4, high: 10 });
        edges.push(Edge { length: 11.0, low: 5, high: 10 });
        edges
    }

    #[test]
    fn two_lines_are_two_clusters_and_the_row_between_belongs_nowhere() {
        let settings = HdbscanParams::default().min_cluster_size(3).check().unwrap();
        let found = clusters(&edges(), 11, &settings);
        assert_eq!(found.clusters(), 2);
        assert!(found.labels[..5].iter().all(|label| *label == found.labels[0]));
        assert!(found.labels[5..10].iter().all(|label| *label == found.labels[5]));
        assert_ne!(found.labels[0], found.labels[5]);
        // The row between was in the first line's cluster until that was cut at 10: weakly, a tenth of the core.
        assert!(found.labels[10] == found.labels[0] && (found.probabilities[10] - 0.1).abs() < 1e-12);
    }

    #[test]
    fn epsilon_keeps_near_clusters_together() {
        let settings = HdbscanParams::default().min_cluster_size(3).epsilon(12.0).allow_single_cluster(true);
        let found = clusters(&edges(), 11, &settings.check().unwrap());
        assert_eq!(found.clusters(), 1);
    }
}
