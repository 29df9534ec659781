//! Scoring with vector registers: every node is asked of 64 rows at once.
//!
//! The walk in `forest.rs` waits for one load after another. Here no row is followed: a tree's nodes are visited in
//! order, each compares its projection for all rows of a block and splits the mask of rows that reached it into two;
//! leaves write their path length under their mask. That is some hundred nodes instead of eight steps, but without a
//! branch or a dependent load, 16 rows an instruction with AVX-512. Where a processor lacks that, the walk is faster
//! and is used; both give the same bits, since they do the same additions in the same order.
//! `pulp` detects the instruction set and wraps it safely. Read next: `forest.rs`.
#![cfg(target_arch = "x86_64")]

use pulp::x86::V4;
use pulp::{NullaryFnOnce, Simd, b16, f32x16};

use super::forest::Forest;

/// Rows of a block: one bit each in a mask, four registers of sixteen.
pub(super) const BLOCK_ROWS: usize = 64;
const PARTS: usize = BLOCK_ROWS / 16;

/// A forest laid out for this kind of scoring.
pub(super) struct MaskForest<const K: usize> {
    trees: Vec<MaskTree<K>>,
}

struct MaskTree<const K: usize> {
    /// Inner nodes, parents before children.
    cuts: Vec<Cut<K>>,
    /// Mask slot and path length of each leaf.
    leaves: Vec<(u32, f32)>,
    slots: usize,
}

#[derive(Clone, Copy)]
struct Cut<const K: usize> {
    features: [u32; K],
    weights: [f32; K],
    threshold: f32,
    slot: u32,
    left: u32,
}

impl<const K: usize> MaskForest<K> {
    /// `forest.terms` must be K.
    pub(super) fn new(forest: &Forest) -> Self {
        let trees = (0..forest.trees()).map(|tree| {
            let start = forest.tree(tree).start;
            let (mut cuts, mut leaves) = (Vec::new(), Vec::new());
            for node in forest.tree(tree) {
                let slot = (node - start) as u32;
                if forest.threshold[node] == f32::INFINITY {
                    leaves.push((slot, forest.path[node]));
                } else {
                    cuts.push(Cut {
                        features: std::array::from_fn(|term| forest.features[node * K + term]),
                        weights: std::array::from_fn(|term| forest.weights[node * K + term]),
                        threshold: forest.threshold[node],
                        slot,
                        left: forest.left[node],
                    });
                }
            }
            MaskTree { cuts, leaves, slots: forest.tree(tree).len() }
        });
        Self { trees: trees.collect() }
    }

    /// Most nodes of any tree: the number of masks `add_paths` needs.
    fn slots(&self) -> usize {
        self.trees.iter().map(|tree| tree.slots).max().unwrap_or(0)
    }
}

/// One block on its way through all trees: `block` holds column after column, `BLOCK_ROWS` values each.
pub(super) struct AddPaths<'a, const K: usize> {
    pub(super) simd: V4,
    pub(super) forest: &'a MaskForest<K>,
    pub(super) block: &'a [f32],
    pub(super) paths: &'a mut [f64; BLOCK_ROWS],
}

impl<const K: usize> NullaryFnOnce for AddPaths<'_, K> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let simd = self.simd;
        let (registers, _) = V4::as_simd_f32s(self.block);
        let (columns, _) = registers.as_chunks::<PARTS>();
        // Which rows reached each node; the root is reached by all.
        let mut masks = vec![u64::MAX; self.forest.slots()];
        for tree in &self.forest.trees {
            for cut in &tree.cuts {
                let threshold = simd.splat_f32s(cut.threshold);
                let terms: [&[f32x16; PARTS]; K] = std::array::from_fn(|term| &columns[cut.features[term] as usize]);
                let weights: [f32x16; K] = std::array::from_fn(|term| simd.splat_f32s(cut.weights[term]));
                let mut above = 0u64;
                #[expect(clippy::needless_range_loop, reason = "`part` runs over K arrays at once")]
                for part in 0..PARTS {
                    let mut projection = simd.mul_f32s(weights[0], terms[0][part]);
                    for term in 1..K {
                        projection = simd.add_f32s(projection, simd.mul_f32s(weights[term], terms[term][part]));
                    }
                    above |= u64::from(simd.greater_than_f32s(projection, threshold).0) << (16 * part);
                }
                let reached = masks[cut.slot as usize];
                if let Some([left, right]) = masks.get_mut(cut.left as usize..).and_then(<[u64]>::first_chunk_mut) {
                    (*left, *right) = (reached & !above, reached & above);
                }
            }
            let mut path = [simd.splat_f32s(0.0); PARTS];
            for &(slot, length) in &tree.leaves {
                let (mask, length) = (masks[slot as usize], simd.splat_f32s(length));
                for (part, path) in path.iter_mut().enumerate() {
                    *path = simd.select_f32s(b16((mask >> (16 * part)) as u16), length, *path);
                }
            }
            let lengths: &[f32] = pulp::bytemuck::cast_slice(&path);
            self.paths.iter_mut().zip(lengths).for_each(|(sum, &length)| *sum += f64::from(length));
        }
    }
}
