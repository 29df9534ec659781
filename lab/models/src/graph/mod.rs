//! Communities of a weighted graph: Leiden (Traag, Waltman, van Eck 2019) without its dice.
//!
//! Promises: the same edges give the same communities on any machine and any number of threads, whatever their order; every community
//! is connected. Own code, because the graph crates on crates.io visit nodes at random or in the order of a hash map, so that two
//! runs over one week name different fleets.
//!
//! Read next: `leiden.rs` (the algorithm); `lab/src/fleets` (what its graph is made of).

mod leiden;

pub use self::leiden::communities;
use crate::error::{ModelError, Result};

/// An undirected weighted graph; nodes are numbers from 0.
#[derive(Debug, Clone)]
pub struct Graph {
    /// Where each node's neighbours begin in `targets`.
    starts: Vec<usize>,
    targets: Vec<u32>,
    weights: Vec<f64>,
    /// Weight of a node's edges to itself, counted once.
    loops: Vec<f64>,
    /// Sum of the weights of a node's edges, those to itself twice.
    strengths: Vec<f64>,
}

impl Graph {
    /// Makes a graph of `nodes` nodes; weights of edges between the same two nodes add up.
    ///
    /// # Errors
    /// [`ModelError::NotFinite`] for a weight that is not a positive number, [`ModelError::LengthMismatch`] for a node out of range;
    /// both name the position of the edge or the node.
    pub fn new(nodes: usize, edges: &[(u32, u32, f64)]) -> Result<Self> {
        let operation = "building a graph";
        if let Some(position) = edges.iter().position(|edge| !(edge.2.is_finite() && edge.2 > 0.0)) {
            return Err(ModelError::NotFinite { operation, position });
        }
        if let Some(edge) = edges.iter().find(|edge| edge.0.max(edge.1) as usize >= nodes) {
            return Err(ModelError::LengthMismatch { operation, expected: nodes, found: edge.0.max(edge.1) as usize + 1 });
        }
        let mut loops = vec![0.0; nodes];
        let mut directed = Vec::with_capacity(edges.len() * 2);
        // Sorted before anything is added up, so that the order of the edges decides no bit.
        let mut sorted: Vec<(u32, u32, f64)> = edges.iter().map(|&(a, b, w)| (a.min(b), a.max(b), w)).collect();
        sorted.sort_unstable_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then(a.2.total_cmp(&b.2)));
        for (a, b, weight) in sorted {
            if a == b {
                loops[a as usize] += weight;
            } else {
                directed.extend([(a, b, weight), (b, a, weight)]);
            }
        }
        directed.sort_by_key(|edge| (edge.0, edge.1));
        let mut graph = Self { starts: vec![0], targets: Vec::new(), weights: Vec::new(), loops, strengths: vec![0.0; nodes] };
        let mut edges = directed.into_iter().peekable();
        for node in 0..nodes {
            while let Some((_, target, weight)) = edges.next_if(|edge| edge.0 as usize == node) {
                let first = graph.starts[node];
                match graph.targets.last() {
                    Some(&last) if last == target && graph.targets.len() > first => {
                        if let Some(sum) = graph.weights.last_mut() {
                            *sum += weight;
                        }
                    }
                    _ => {
                        graph.targets.push(target);
                        graph.weights.push(weight);
                    }
                }
            }
            graph.starts.push(graph.targets.len());
            graph.strengths[node] = 2.0 * graph.loops[node] + graph.neighbours(node).map(|(_, weight)| weight).sum::<f64>();
        }
        Ok(graph)
    }

    /// Number of nodes.
    pub fn nodes(&self) -> usize {
        self.loops.len()
    }

    /// A node's neighbours, ascending, with the weight of the edge.
    pub fn neighbours(&self, node: usize) -> impl Iterator<Item = (usize, f64)> + '_ {
        let range = self.starts[node]..self.starts[node + 1];
        self.targets[range.clone()].iter().map(|&target| target as usize).zip(self.weights[range].iter().copied())
    }

    /// Sum of all strengths: twice the weight of all edges.
    fn total(&self) -> f64 {
        self.strengths.iter().sum()
    }

    /// Modularity of a partition at a resolution: the share of weight inside communities less what chance would put there.
    pub fn modularity(&self, community: &[u32], resolution: f64) -> f64 {
        let total = self.total();
        if total <= 0.0 {
            return 0.0;
        }
        let groups = community.iter().max().map_or(0, |&last| last as usize + 1);
        let (mut inside, mut strength) = (0.0, vec![0.0; groups]);
        for node in 0..self.nodes().min(community.len()) {
            strength[community[node] as usize] += self.strengths[node];
            inside += 2.0 * self.loops[node];
            inside +=
                self.neighbours(node).filter(|&(other, _)| community[other] == community[node]).map(|(_, w)| w).sum::<f64>();
        }
        (inside - resolution * strength.iter().map(|sum| sum * sum).sum::<f64>() / total) / total
    }
}
