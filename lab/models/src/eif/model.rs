//! A fitted forest: scoring, saving, and reading back with every index and number checked.
//!
//! Read next: `forest.rs` (layout), `../artifact.rs` (the file around it).

use super::explain::importances;
use super::forest::{Forest, average_path_length};
use super::hyperparams::MAX_COLUMNS;
use super::scaler::Scaler;
use crate::artifact::{ArtifactReader, ArtifactWriter};
use crate::error::Result;
use crate::matrix::{FeatureSet, Matrix};
use crate::voice::{Explanation, Voice, VoiceKind};

/// A fitted Extended Isolation Forest.
#[derive(Debug, Clone, PartialEq)]
pub struct EifModel {
    features: FeatureSet,
    scaler: Scaler,
    forest: Forest,
    sample_size: usize,
}

impl EifModel {
    pub(super) fn new(features: FeatureSet, scaler: Scaler, forest: Forest, sample_size: usize) -> Self {
        Self { features, scaler, forest, sample_size }
    }

    /// Number of trees.
    pub fn trees(&self) -> usize {
        self.forest.trees()
    }

    /// Rows each tree was grown from.
    pub fn sample_size(&self) -> usize {
        self.sample_size
    }

    /// Mean path length E[h] of each row: the score before it is brought to (0, 1).
    ///
    /// # Errors
    /// [`crate::ModelError::FeatureHash`] for a matrix of other features.
    pub fn mean_path_lengths(&self, matrix: &Matrix) -> Result<Vec<f64>> {
        self.features.require(matrix.features())?;
        Ok(self.forest.mean_paths(&self.scaler, matrix))
    }

    pub(crate) fn read(mut reader: ArtifactReader<'_>) -> Result<Self> {
        let sample_size = reader.u32()? as usize;
        let scaler = Scaler { center: reader.f64s()?, inverse_spread: reader.f64s()? };
        let forest = Forest {
            terms: reader.u32()? as usize,
            max_depth: reader.u32()? as usize,
            starts: reader.u32s()?,
            left: reader.u32s()?,
            threshold: reader.f32s()?,
            features: reader.u32s()?,
            weights: reader.f32s()?,
            credit: reader.f32s()?,
            rows: reader.u32s()?,
            path: reader.f32s()?,
        };
        let columns = reader.features.len();
        let scales = scaler.center.len() == columns && scaler.inverse_spread.len() == columns && columns <= MAX_COLUMNS;
        reader.require(scales, "the scaler does not fit the features")?;
        reader.require((2..=65_536).contains(&sample_size), "the sample size is out of range")?;
        check_forest(&reader, &forest, columns)?;
        let features = reader.finish()?;
        Ok(Self { features, scaler, forest, sample_size })
    }
}

impl Voice for EifModel {
    fn kind(&self) -> VoiceKind {
        VoiceKind::Eif
    }

    fn features(&self) -> &FeatureSet {
        &self.features
    }

    fn score(&self, matrix: &Matrix) -> Result<Vec<f64>> {
        let mut scores = self.mean_path_lengths(matrix)?;
        let typical = average_path_length(self.sample_size);
        scores.iter_mut().for_each(|path| *path = (-*path / typical).exp2());
        Ok(scores)
    }

    fn explain(&self, matrix: &Matrix) -> Result<Explanation> {
        self.features.require(matrix.features())?;
        let values = importances(&self.forest, &self.scaler, matrix);
        Ok(Explanation { features: self.features.clone(), values, baseline: 0.0 })
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut writer = ArtifactWriter::new(VoiceKind::Eif as u8, &self.features);
        writer.u32(self.sample_size as u32);
        writer.f64s(&self.scaler.center);
        writer.f64s(&self.scaler.inverse_spread);
        writer.u32(self.forest.terms as u32);
        writer.u32(self.forest.max_depth as u32);
        writer.u32s(&self.forest.starts);
        writer.u32s(&self.forest.left);
        writer.f32s(&self.forest.threshold);
        writer.u32s(&self.forest.features);
        writer.f32s(&self.forest.weights);
        writer.f32s(&self.forest.credit);
        writer.u32s(&self.forest.rows);
        writer.f32s(&self.forest.path);
        writer.finish()
    }
}

/// Everything the scoring loops rely on: array lengths, children after their parent and inside their tree, leaves that
/// point at themselves, columns that exist, numbers that are finite.
fn check_forest(reader: &ArtifactReader<'_>, forest: &Forest, columns: usize) -> Result<()> {
    let nodes = forest.left.len();
    reader.require((1..=columns).contains(&forest.terms), "a cut has no or too many columns")?;
    reader.require(forest.max_depth <= 16, "the trees are too deep")?;
    let slots = nodes.checked_mul(forest.terms).ok_or_else(|| reader.bad("a length overflows"))?;
    let lengths = [forest.threshold.len(), forest.rows.len(), forest.path.len()].iter().all(|&length| length == nodes)
        && [forest.features.len(), forest.weights.len(), forest.credit.len()].iter().all(|&length| length == slots);
    reader.require(lengths, "the node arrays differ in length")?;
    reader.require(forest.starts.first() == Some(&0) && forest.trees() > 0, "there are no trees")?;
    reader.require(forest.starts.last() == Some(&(nodes as u32)), "the trees do not cover the nodes")?;
    reader.require(forest.starts.windows(2).all(|pair| pair[0] < pair[1]), "a tree is empty")?;
    let finite = forest.weights.iter().chain(&forest.credit).chain(&forest.path).all(|value| value.is_finite());
    reader.require(finite, "a number is not finite")?;
    let small = forest.weights.iter().chain(&forest.credit).all(|value| value.abs() <= 1.0);
    reader.require(small && forest.path.iter().all(|path| (0.0..=1e6).contains(path)), "a number is out of range")?;
    reader.require(forest.features.iter().all(|&feature| (feature as usize) < columns), "a cut names an unknown column")?;
    for tree in 0..forest.trees() {
        let range = forest.tree(tree);
        for (at, node) in range.clone().enumerate() {
            let left = forest.left[node] as usize;
            let sound = if forest.threshold[node] == f32::INFINITY {
                left == at
            } else {
                forest.threshold[node].is_finite() && left > at && left + 1 < range.len()
            };
            reader.require(sound, "a node points outside its tree")?;
        }
    }
    Ok(())
}
