//! What is known of a version: features, data, settings, versions of the code, figures.
//!
//! Promises: what can be read off the model files is read off them and never taken on trust (features, thresholds, voices, digests);
//! the id is a digest over the models and what they learned from.
//!
//! Read next: `mod.rs`.

use std::collections::BTreeMap;
use std::path::Path;

use ja4_models::ensemble::EnsembleModel;
use ja4_models::{Voice as _, VoiceKind, digest_hex};
use serde::{Deserialize, Serialize};

use super::{ModelFile, refuse};
use crate::error::LabError;
use crate::rows::short_id;

/// Layout of the manifest.
const LAYOUT: u32 = 1;
/// The workspace's lock file: which code a model was made by.
const LOCK: &str = include_str!("../../../Cargo.lock");
/// Crates whose version decides results.
const CRATES: &[&str] = &["ja4-models", "ja4-lab", "ndarray", "matrixmultiply", "rayon", "pulp", "polars", "duckdb"];

/// A version.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Layout of this file.
    pub layout: u32,
    /// Identity: 16 hexadecimal digits.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// When it was kept, ns since 1970.
    pub created_ns: i64,
    /// Version of the program.
    pub program: String,
    /// One entry a model file.
    pub models: Vec<ModelEntry>,
    /// What it learned from.
    pub data: DataWindow,
    /// Settings of the run that fitted it.
    pub settings: serde_json::Value,
    /// Seed of everything random.
    pub seed: u64,
    /// Versions of the crates that decide results.
    pub crates: BTreeMap<String, String>,
    /// Figures measured when it was kept, by name.
    pub metrics: BTreeMap<String, f64>,
    /// Anything else.
    pub note: String,
}

/// One model file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelEntry {
    /// File name.
    pub file: String,
    /// SHA-256, hexadecimal.
    pub sha256: String,
    /// Size.
    pub bytes: u64,
    /// Hash of the feature names in order.
    pub features_hash: String,
    /// The feature names in order.
    pub features: Vec<String>,
    /// Scores from which on a session is anomalous.
    pub threshold: f64,
    /// Weight of each voice.
    pub voices: BTreeMap<String, f64>,
    /// `fixed weights` or `learnt from labels`.
    pub combination: String,
    /// How each voice's score is brought to 0..1.
    pub calibration: BTreeMap<String, String>,
}

/// What a version learned from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DataWindow {
    /// First hour, ms since 1970; 0 if unknown.
    pub from_ms: i64,
    /// End of the last hour, ms since 1970; 0 if unknown.
    pub to_ms: i64,
    /// Sessions in it.
    pub sessions: u64,
    /// Sessions that set the baseline.
    pub baseline: u64,
    /// Digest over the feature table.
    pub features_digest: String,
}

impl Manifest {
    /// Fills in what the files themselves say, and the id.
    pub(super) fn describe(&mut self, files: &[ModelFile]) -> Result<(), LabError> {
        self.layout = LAYOUT;
        if self.program.is_empty() {
            env!("CARGO_PKG_VERSION").clone_into(&mut self.program);
            self.crates = crate_versions();
        }
        self.models = files.iter().map(|(name, bytes)| entry(name, bytes)).collect::<Result<_, _>>()?;
        let digests = self.models.iter().map(|model| model.sha256.as_str());
        self.id = short_id(digests.chain([self.data.features_digest.as_str()]));
        Ok(())
    }

    /// As text.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    pub(super) fn from_json(bytes: &[u8], path: &Path) -> Result<Self, LabError> {
        let manifest: Self =
            serde_json::from_slice(bytes).map_err(|error| refuse(path, &format!("it is no manifest ({error})")))?;
        if manifest.layout != LAYOUT {
            let found = manifest.layout;
            return Err(refuse(
                path,
                &format!("its layout is {found}, this program reads {LAYOUT}; use the program that wrote it"),
            ));
        }
        Ok(manifest)
    }
}

fn entry(name: &str, bytes: &[u8]) -> Result<ModelEntry, LabError> {
    let model = EnsembleModel::from_bytes(bytes).map_err(|error| LabError::Ask(format!("read model {name}: {error}")))?;
    let calibration = |kind: VoiceKind| match kind {
        VoiceKind::Boosted => "Platt's logistic curve",
        _ => "rank among the baseline",
    };
    Ok(ModelEntry {
        file: name.to_owned(),
        sha256: digest_hex(bytes),
        bytes: bytes.len() as u64,
        features_hash: model.features().hash().to_string(),
        features: model.features().names().to_vec(),
        threshold: model.threshold(),
        voices: model.weights().into_iter().map(|(kind, weight)| (kind.name().to_owned(), weight)).collect(),
        combination: if model.is_learnt() { "learnt from labels" } else { "fixed weights" }.to_owned(),
        calibration: model.voices().map(|voice| (voice.kind().name().to_owned(), calibration(voice.kind()).to_owned())).collect(),
    })
}

/// Name and version of [`CRATES`] from the lock file.
fn crate_versions() -> BTreeMap<String, String> {
    let lock: toml::Table = toml::from_str(LOCK).unwrap_or_default();
    let packages = lock.get("package").and_then(toml::Value::as_array).cloned().unwrap_or_default();
    let field =
        |package: &toml::Value, name: &str| package.get(name).and_then(toml::Value::as_str).unwrap_or_default().to_owned();
    let named = packages.iter().map(|package| (field(package, "name"), field(package, "version")));
    named.filter(|(name, _)| CRATES.contains(&name.as_str())).collect()
}
