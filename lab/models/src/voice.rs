//! The seam all algorithms stand behind: `Fit` (checked hyperparameters → model) and `Voice` (a fitted model).
//!
//! A voice gives each row a score (higher = more anomalous, never NaN), says which features made it so, and turns
//! itself into bytes whose digest depends on data, settings and seed alone, not on the number of threads.
//! `load` brings any saved voice back. Read next: `eif/mod.rs`, `gbdt/mod.rs`, `autoencoder/mod.rs`, `ensemble/mod.rs`.

use crate::artifact::{ArtifactReader, digest_hex};
use crate::error::Result;
use crate::matrix::{FeatureSet, Matrix};

/// Which algorithm a model is; the number is its tag in model files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum VoiceKind {
    /// Extended Isolation Forest.
    Eif = 1,
    /// Gradient-boosted trees, fitted here or imported from XGBoost.
    Boosted = 2,
    /// Reconstruction by a small neural network.
    Autoencoder = 3,
    /// Several voices together.
    Ensemble = 4,
}

impl VoiceKind {
    /// The name on the command line and in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Eif => "eif",
            Self::Boosted => "boosted",
            Self::Autoencoder => "autoencoder",
            Self::Ensemble => "ensemble",
        }
    }

    /// Reverse of [`VoiceKind::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Eif, Self::Boosted, Self::Autoencoder, Self::Ensemble].into_iter().find(|kind| kind.name() == name)
    }
}

/// One number per row and feature, row-major: how much the feature contributed to the row's score.
///
/// Units depend on the voice: log-odds for the trees (they sum, with `baseline`, to the margin exactly), shares that sum
/// to 1 for the forest and the autoencoder.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// Columns of `values`.
    pub features: FeatureSet,
    /// Row-major contributions.
    pub values: Vec<f64>,
    /// What the voice says before it looks at any feature (trees: expected margin; else 0).
    pub baseline: f64,
}

impl Explanation {
    /// Contributions of one row.
    ///
    /// # Panics
    /// When `row` is out of range, as slices do.
    pub fn row(&self, row: usize) -> &[f64] {
        let columns = self.features.len();
        &self.values[row * columns..(row + 1) * columns]
    }

    /// The `count` features with the largest absolute contribution to the row, largest first, ties in column order.
    pub fn top(&self, row: usize, count: usize) -> Vec<(&str, f64)> {
        let contributions = self.row(row);
        let mut order: Vec<usize> = (0..contributions.len()).collect();
        order.sort_by(|&a, &b| contributions[b].abs().total_cmp(&contributions[a].abs()).then(a.cmp(&b)));
        order.into_iter().take(count).map(|column| (self.features.names()[column].as_str(), contributions[column])).collect()
    }
}

/// A fitted model.
pub trait Voice: Send + Sync + std::fmt::Debug {
    /// Which algorithm this is.
    fn kind(&self) -> VoiceKind;

    /// The features it was fitted on.
    fn features(&self) -> &FeatureSet;

    /// One score per row, higher = more anomalous, always finite. No rows give no scores.
    ///
    /// # Errors
    /// [`crate::ModelError::FeatureHash`] for a matrix of other features.
    fn score(&self, matrix: &Matrix) -> Result<Vec<f64>>;

    /// Contribution of each feature to each row's score.
    ///
    /// # Errors
    /// As [`Voice::score`].
    fn explain(&self, matrix: &Matrix) -> Result<Explanation>;

    /// The model file; see `artifact.rs`.
    fn to_bytes(&self) -> Vec<u8>;

    /// SHA-256 of the model file, hexadecimal.
    fn digest(&self) -> String {
        digest_hex(&self.to_bytes())
    }
}

/// Checked hyperparameters: everything needed to make a model from data.
pub trait Fit: Sync {
    /// What comes out.
    type Model: Voice;

    /// Fits on all rows. `labels` (true = anomaly) are needed by supervised voices and ignored by the others.
    /// The same data, settings and seed give the same model on any number of threads.
    ///
    /// # Errors
    /// Too few rows, missing or one-sided labels, too many columns: each a sentence of [`crate::ModelError`].
    fn fit(&self, matrix: &Matrix, labels: Option<&[bool]>, seed: u64) -> Result<Self::Model>;
}

/// Reads any saved voice.
///
/// # Errors
/// [`crate::ModelError::BadModel`] or [`crate::ModelError::ModelVersion`] for anything that is not an intact model file.
pub fn load(bytes: &[u8]) -> Result<Box<dyn Voice>> {
    let reader = ArtifactReader::open(bytes)?;
    if reader.tag == VoiceKind::Ensemble as u8 {
        return Ok(Box::new(crate::ensemble::EnsembleModel::read(reader)?));
    }
    read_single(reader)
}

/// Reads a voice that holds no other voices.
pub(crate) fn load_single(bytes: &[u8]) -> Result<Box<dyn Voice>> {
    read_single(ArtifactReader::open(bytes)?)
}

fn read_single(reader: ArtifactReader<'_>) -> Result<Box<dyn Voice>> {
    match reader.tag {
        tag if tag == VoiceKind::Eif as u8 => Ok(Box::new(crate::eif::EifModel::read(reader)?)),
        tag if tag == VoiceKind::Boosted as u8 => Ok(Box::new(crate::gbdt::BoostedModel::read(reader)?)),
        tag if tag == VoiceKind::Autoencoder as u8 => Ok(Box::new(crate::autoencoder::AutoencoderModel::read(reader)?)),
        _ => Err(reader.bad("the file holds a voice this program does not know")),
    }
}
