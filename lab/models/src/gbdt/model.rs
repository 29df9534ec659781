//! A fitted or imported set of boosted trees: scoring, SHAP, saving and checked reading.
//!
//! The score is the probability of the anomaly class, 1 / (1 + e^−margin).
//! Read next: `trees.rs`, `shap.rs`, `xgboost_json.rs`.

use super::shap;
use super::trees::{MAX_DEPTH, Node, Trees};
use super::xgboost_json;
use crate::artifact::{ArtifactReader, ArtifactWriter};
use crate::error::Result;
use crate::matrix::{FeatureSet, Matrix};
use crate::voice::{Explanation, Voice, VoiceKind};

/// Fitted or imported boosted trees.
#[derive(Debug, Clone, PartialEq)]
pub struct BoostedModel {
    features: FeatureSet,
    base_margin: f64,
    trees: Trees,
}

impl BoostedModel {
    pub(super) fn new(features: FeatureSet, base_margin: f64, trees: Trees) -> Self {
        Self { features, base_margin, trees }
    }

    /// Reads a model saved by XGBoost as JSON (`gbtree`, `binary:logistic`, numeric columns). Column names are taken
    /// from the file, else from `features`, else `f0, f1, …`.
    ///
    /// # Errors
    /// [`crate::ModelError::XgboostImport`] naming the tree or key.
    pub fn from_xgboost_json(json: &[u8], features: Option<&FeatureSet>) -> Result<Self> {
        xgboost_json::import(json, features)
    }

    /// Number of trees.
    pub fn trees(&self) -> usize {
        self.trees.len()
    }

    /// Log-odds of the anomaly class for each row.
    ///
    /// # Errors
    /// [`crate::ModelError::FeatureHash`] for a matrix of other features.
    pub fn margins(&self, matrix: &Matrix) -> Result<Vec<f64>> {
        self.features.require(matrix.features())?;
        Ok(self.trees.margins(self.base_margin, matrix))
    }

    pub(crate) fn read(mut reader: ArtifactReader<'_>) -> Result<Self> {
        let base_margin = reader.f64()?;
        let (starts, depths) = (reader.u32s()?, reader.u32s()?);
        let (numbers, features, left, covers) = (reader.f32s()?, reader.u32s()?, reader.u32s()?, reader.f32s()?);
        let count = numbers.len();
        let lengths = features.len() == count && left.len() == count && covers.len() == count;
        reader.require(lengths && starts.len() == depths.len() + 1, "the node arrays differ in length")?;
        let nodes = (0..count).map(|at| Node::raw(numbers[at], features[at], left[at], covers[at])).collect();
        let trees = Trees { nodes, starts, depths };
        let covered = trees.starts.first() == Some(&0) && trees.starts.last() == Some(&(count as u32));
        let ascending = trees.starts.windows(2).all(|pair| pair[0] < pair[1]);
        reader.require(covered && ascending && base_margin.abs() <= 1e6, "the trees do not cover the nodes")?;
        for tree in 0..trees.len() {
            let sound = check_tree(trees.tree(tree), reader.features.len());
            reader.require(sound.is_ok(), sound.err().unwrap_or_default())?;
            reader.require(super::trees::depth(trees.tree(tree)) == trees.depths[tree], "a tree's depth is not its depth")?;
        }
        Ok(Self { features: reader.finish()?, base_margin, trees })
    }
}

impl Voice for BoostedModel {
    fn kind(&self) -> VoiceKind {
        VoiceKind::Boosted
    }

    fn features(&self) -> &FeatureSet {
        &self.features
    }

    fn score(&self, matrix: &Matrix) -> Result<Vec<f64>> {
        let mut scores = self.margins(matrix)?;
        scores.iter_mut().for_each(|margin| *margin = 1.0 / (1.0 + (-*margin).exp()));
        Ok(scores)
    }

    /// SHAP values in log-odds; with the baseline they sum to the margin.
    fn explain(&self, matrix: &Matrix) -> Result<Explanation> {
        self.features.require(matrix.features())?;
        let (values, baseline) = shap::contributions(&self.trees, self.base_margin, matrix);
        Ok(Explanation { features: self.features.clone(), values, baseline })
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut writer = ArtifactWriter::new(VoiceKind::Boosted as u8, &self.features);
        let nodes = &self.trees.nodes;
        writer.f64(self.base_margin);
        writer.u32s(&self.trees.starts);
        writer.u32s(&self.trees.depths);
        writer.f32s(&nodes.iter().map(|node| node.number).collect::<Vec<_>>());
        writer.u32s(&nodes.iter().map(Node::packed_feature).collect::<Vec<_>>());
        writer.u32s(&nodes.iter().map(|node| node.left).collect::<Vec<_>>());
        writer.f32s(&nodes.iter().map(|node| node.cover).collect::<Vec<_>>());
        writer.finish()
    }
}

/// Everything the loops rely on: each node has one parent that lies before it, columns exist, numbers are finite,
/// depth is bounded. Used for model files and for imports.
pub(super) fn check_tree(nodes: &[Node], columns: usize) -> Result<(), &'static str> {
    let mut parents = vec![0u8; nodes.len()];
    for (at, node) in nodes.iter().enumerate() {
        if !(node.number.abs() <= f32::MAX && node.cover >= 0.0 && node.cover <= f32::MAX) {
            return Err("a number is not finite");
        }
        if node.is_leaf() {
            // A leaf's column is read before it is known to be a leaf.
            if node.feature() >= columns || node.value().abs() > 1e6 {
                return Err("a leaf is out of range");
            }
            continue;
        }
        let left = node.left as usize;
        if left <= at || left + 1 >= nodes.len() {
            return Err("a node points outside its tree");
        }
        if node.feature() >= columns {
            return Err("a cut names an unknown column");
        }
        parents[left] = parents[left].saturating_add(1);
        parents[left + 1] = parents[left + 1].saturating_add(1);
    }
    if parents.first() != Some(&0) || parents.iter().skip(1).any(|&count| count != 1) {
        return Err("the nodes do not form one tree");
    }
    if super::trees::depth(nodes) as usize > MAX_DEPTH { Err("a tree is too deep") } else { Ok(()) }
}
