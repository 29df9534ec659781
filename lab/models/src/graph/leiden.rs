//! The three steps of a round: nodes move to the community that gains most, communities are refined from single nodes (which
//! keeps them connected), and what was refined becomes the nodes of the next, smaller graph.
//!
//! Where Leiden draws lots, the best gain is taken, and the lowest number where gains tie.
//!
//! Read next: `mod.rs`.

use std::collections::{BTreeMap, VecDeque};

use super::Graph;

/// Rounds after which it stops whatever is left to gain; real graphs take fewer than ten.
const ROUNDS: usize = 100;
/// Gains below this share of the node's strength are rounding.
const LEAST_GAIN: f64 = 1e-12;

/// Community of each node, numbered in the order of their first nodes. A higher `resolution` gives smaller communities; 1 is usual.
#[must_use]
pub fn communities(graph: &Graph, resolution: f64) -> Vec<u32> {
    let given = graph;
    let mut whole: Vec<usize> = (0..graph.nodes()).collect();
    let mut graph = graph.clone();
    let mut community: Vec<usize> = (0..graph.nodes()).collect();
    for _ in 0..ROUNDS {
        let scale = resolution / graph.total().max(f64::MIN_POSITIVE);
        let moved = move_nodes(&graph, &mut community, scale);
        let refined = refine(&graph, &community, scale);
        let count = refined.iter().max().map_or(0, |last| last + 1);
        if !moved || count == graph.nodes() {
            break;
        }
        let mut above = vec![0; count];
        refined.iter().zip(&community).for_each(|(&part, &name)| above[part] = name);
        whole.iter_mut().for_each(|node| *node = refined[*node]);
        graph = shrunk(&graph, &refined, count);
        community = renumbered(&above);
    }
    let named: Vec<usize> = whole.iter().map(|&node| community[node]).collect();
    connected(given, &named)
}

/// Communities that hang together, numbered in the order of their first nodes: the last moves may have taken away the node that held two
/// halves together, and halves without an edge between them are better off apart.
fn connected(graph: &Graph, community: &[usize]) -> Vec<u32> {
    let mut part: Vec<Option<u32>> = vec![None; graph.nodes()];
    let mut parts = 0;
    for start in 0..graph.nodes() {
        if part[start].is_some() {
            continue;
        }
        part[start] = Some(parts);
        let mut waiting = vec![start];
        while let Some(node) = waiting.pop() {
            for (other, _) in graph.neighbours(node) {
                if part[other].is_none() && community[other] == community[node] {
                    part[other] = Some(parts);
                    waiting.push(other);
                }
            }
        }
        parts += 1;
    }
    part.into_iter().flatten().collect()
}

/// Moves each node to the neighbouring community that gains most, until none gains; says whether any moved.
fn move_nodes(graph: &Graph, community: &mut [usize], scale: f64) -> bool {
    let mut strength = vec![0.0; graph.nodes()];
    community.iter().zip(&graph.strengths).for_each(|(&name, own)| strength[name] += own);
    let mut queue: VecDeque<usize> = (0..graph.nodes()).collect();
    let mut waiting = vec![true; graph.nodes()];
    let mut moved = false;
    while let Some(node) = queue.pop_front() {
        waiting[node] = false;
        let (own, home) = (graph.strengths[node], community[node]);
        strength[home] -= own;
        let mut links: BTreeMap<usize, f64> = BTreeMap::from([(home, 0.0)]);
        for (other, weight) in graph.neighbours(node) {
            *links.entry(community[other]).or_default() += weight;
        }
        let gain = |name: usize, weight: f64| weight - scale * own * strength[name];
        let stay = gain(home, links.get(&home).copied().unwrap_or_default());
        let best = links.iter().map(|(&name, &weight)| (name, gain(name, weight)));
        let best = best.fold((home, stay + LEAST_GAIN * own), |best, next| if next.1 > best.1 { next } else { best });
        strength[best.0] += own;
        if best.0 != home {
            community[node] = best.0;
            moved = true;
            for (other, _) in graph.neighbours(node).filter(|&(other, _)| community[other] != best.0) {
                if !std::mem::replace(&mut waiting[other], true) {
                    queue.push_back(other);
                }
            }
        }
    }
    moved
}

/// Parts of each community, grown from single nodes along edges; numbered from 0.
fn refine(graph: &Graph, community: &[usize], scale: f64) -> Vec<usize> {
    let nodes = graph.nodes();
    let mut whole = vec![0.0; nodes];
    community.iter().zip(&graph.strengths).for_each(|(&name, own)| whole[name] += own);
    // Weight from each part to the rest of its community.
    let mut outward: Vec<f64> = (0..nodes)
        .map(|node| graph.neighbours(node).filter(|&(other, _)| community[other] == community[node]).map(|(_, w)| w).sum())
        .collect();
    let mut part: Vec<usize> = (0..nodes).collect();
    let mut size = vec![1usize; nodes];
    let mut strength = graph.strengths.clone();
    for node in 0..nodes {
        let well = |part: usize, outward: &[f64], strength: &[f64]| {
            outward[part] >= scale * strength[part] * (whole[community[node]] - strength[part]) - LEAST_GAIN * strength[part]
        };
        if size[part[node]] > 1 || !well(node, &outward, &strength) {
            continue;
        }
        let mut links: BTreeMap<usize, f64> = BTreeMap::new();
        for (other, weight) in graph.neighbours(node).filter(|&(other, _)| community[other] == community[node]) {
            *links.entry(part[other]).or_default() += weight;
        }
        let mut best: Option<(usize, f64, f64)> = None;
        for (&name, &weight) in links.iter().filter(|&(&name, _)| name != part[node] && well(name, &outward, &strength)) {
            let gain = weight - scale * graph.strengths[node] * strength[name];
            if gain > best.map_or(LEAST_GAIN * graph.strengths[node], |best| best.1) {
                best = Some((name, gain, weight));
            }
        }
        if let Some((name, _, weight)) = best {
            let own = part[node];
            (size[own], size[name]) = (0, size[name] + 1);
            outward[name] += outward[own] - 2.0 * weight;
            strength[name] += strength[own];
            part[node] = name;
        }
    }
    renumbered(&part)
}

/// The graph whose nodes are the parts.
fn shrunk(graph: &Graph, part: &[usize], count: usize) -> Graph {
    let mut edges = Vec::new();
    for node in 0..graph.nodes() {
        if graph.loops[node] > 0.0 {
            edges.push((part[node] as u32, part[node] as u32, graph.loops[node]));
        }
        let later = graph.neighbours(node).filter(|&(other, _)| other > node);
        edges.extend(later.map(|(other, weight)| (part[node] as u32, part[other] as u32, weight)));
    }
    // Weights are sums of checked weights, and parts are below `count`.
    Graph::new(count, &edges).unwrap_or_else(|_| graph.clone())
}

/// The same partition with numbers in the order of first use.
fn renumbered(names: &[usize]) -> Vec<usize> {
    let mut known = BTreeMap::new();
    let mut renamed = Vec::with_capacity(names.len());
    for name in names {
        let next = known.len();
        renamed.push(*known.entry(*name).or_insert(next));
    }
    renamed
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Zachary's karate club (1977), the graph that community methods are compared on.
    const KARATE: &str = "0-1 0-2 0-3 0-4 0-5 0-6 0-7 0-8 0-10 0-11 0-12 0-13 0-17 0-19 0-21 0-31 1-2 1-3 1-7 1-13 1-17 1-19 1-21 1-30 2-3 2-7 2-8 2-9 2-13 2-27 2-28 2-32 3-7 3-12 3-13 4-6 4-10 5-6 5-10 5-16 6-16 8-30 8-32 8-33 9-33 13-33 14-32 14-33 15-32 15-33 18-32 18-33 19-33 20-32 20-33 22-32 22-33 23-25 23-27 23-29 23-32 23-33 24-25 24-27 24-31 25-31 26-29 26-33 27-33 28-31 28-33 29-32 29-33 30-32 30-33 31-32 31-33 32-33";

    fn karate() -> Vec<(u32, u32, f64)> {
        let number = |text: &str| text.parse::<u32>().unwrap();
        KARATE.split(' ').map(|edge| edge.split_once('-').unwrap()).map(|(a, b)| (number(a), number(b), 1.0)).collect()
    }

    #[test]
    fn the_karate_club_parts_as_published() {
        let graph = Graph::new(34, &karate()).unwrap();
        let found = communities(&graph, 1.0);
        // The best partition known has modularity 0.4198 and four communities (Brandes et al. 2008).
        let modularity = graph.modularity(&found, 1.0);
        assert!(modularity > 0.4150, "{modularity}");
        assert_eq!(found.iter().max(), Some(&3));
        assert_ne!(found[0], found[33]);
    }

    #[test]
    fn the_order_of_edges_does_not_matter() {
        let mut edges = karate();
        let found = communities(&Graph::new(34, &edges).unwrap(), 1.0);
        edges.reverse();
        edges.iter_mut().for_each(|edge| (edge.0, edge.1) = (edge.1, edge.0));
        assert_eq!(communities(&Graph::new(34, &edges).unwrap(), 1.0), found);
    }

    #[test]
    fn two_cliques_with_one_bridge_are_two_communities() {
        let mut edges = vec![(0, 5, 1.0)];
        for start in [0u32, 5] {
            for a in 0..5 {
                (0..a).for_each(|b| edges.push((start + a, start + b, 1.0)));
            }
        }
        let found = communities(&Graph::new(10, &edges).unwrap(), 1.0);
        assert_eq!(found, [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]);
    }

    #[test]
    fn bad_edges_are_refused_and_no_edges_are_no_communities() {
        assert!(Graph::new(2, &[(0, 1, f64::NAN)]).is_err());
        assert!(Graph::new(2, &[(0, 2, 1.0)]).is_err());
        assert_eq!(communities(&Graph::new(3, &[]).unwrap(), 1.0), [0, 1, 2]);
    }

    /// Node by node, whether its community hangs together.
    fn assert_connected(graph: &Graph, found: &[u32]) {
        for name in 0..=found.iter().max().copied().unwrap() {
            let members: Vec<usize> = (0..graph.nodes()).filter(|node| found[*node] == name).collect();
            let mut reached = vec![members[0]];
            let mut at = 0;
            while at < reached.len() {
                let next: Vec<usize> = graph.neighbours(reached[at]).map(|(other, _)| other).collect();
                for other in next {
                    if found[other] == name && !reached.contains(&other) {
                        reached.push(other);
                    }
                }
                at += 1;
            }
            assert_eq!(reached.len(), members.len());
        }
    }

    #[test]
    fn a_community_that_the_last_move_cut_in_two_is_two() {
        let edges = [
            (15, 3, 1.0),
            (3, 0, 1.0),
            (25, 15, 5.0),
            (13, 10, 6.0),
            (1, 29, 8.0),
            (12, 10, 3.0),
            (11, 29, 4.0),
            (28, 12, 7.0),
            (1, 2, 4.0),
            (3, 3, 1.0),
            (22, 0, 5.0),
            (18, 3, 1.0),
            (12, 1, 5.0),
            (3, 0, 1.0),
            (7, 6, 4.0),
            (14, 29, 5.0),
            (29, 11, 6.0),
            (14, 1, 1.0),
            (1, 1, 1.0),
            (14, 14, 6.0),
            (3, 14, 6.0),
            (12, 0, 2.0),
            (1, 1, 1.0),
            (14, 1, 1.0),
            (1, 1, 1.0),
            (1, 24, 1.0),
            (3, 13, 3.0),
            (24, 9, 5.0),
            (29, 28, 6.0),
            (29, 12, 7.0),
            (1, 2, 2.0),
            (26, 20, 5.0),
            (3, 27, 4.0),
            (27, 5, 8.0),
            (14, 8, 3.0),
        ];
        let graph = Graph::new(30, &edges).unwrap();
        assert_connected(&graph, &communities(&graph, 1.0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn communities_are_connected_and_no_worse_than_single_nodes(
            edges in prop::collection::vec((0u32..30, 0u32..30, 1u32..9), 1..120)
        ) {
            let edges: Vec<(u32, u32, f64)> = edges.into_iter().map(|(a, b, w)| (a, b, f64::from(w))).collect();
            let graph = Graph::new(30, &edges).unwrap();
            let found = communities(&graph, 1.0);
            let single: Vec<u32> = (0..30).collect();
            prop_assert!(graph.modularity(&found, 1.0) >= graph.modularity(&single, 1.0) - 1e-9);
            assert_connected(&graph, &found);
        }
    }
}
