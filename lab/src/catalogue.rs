//! The list of features, read from `sql/features.toml`: names, meanings and which of them models may see.
//!
//! Promises: the order of the file is the order of the matrix; its hash is part of every model, so that a model is never
//! used with other columns than it was fitted on.
//!
//! Read next: `frame.rs` (fills the columns), `docs/FEATURES.md` (generated from the same file).

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

const CATALOGUE: &str = include_str!("../../sql/features.toml");

/// One feature of a session.
#[derive(Debug, Clone, Deserialize)]
pub struct Feature {
    /// Column of `view_ai_features_1h`.
    pub name: String,
    /// Family, e.g. `rhythm`.
    pub family: String,
    /// How it is computed, in words.
    pub formula: String,
    /// Unit of the value.
    pub unit: String,
    /// Why it separates.
    pub why: String,
    /// The value within a sentence about a session: `{}` stands for number and unit, `(s)` and `(es)` for a plural.
    pub said: String,
    /// The same where the value is 0, if that reads better.
    #[serde(default)]
    pub none: String,
    /// Value that means "unknown" or "nothing to say".
    #[serde(default)]
    pub neutral: f64,
    /// What models see of the value.
    #[serde(default)]
    pub transform: Transform,
    /// Whether models see it.
    #[serde(default)]
    pub model: bool,
    /// Whether it needs a handshake, so that the application model leaves it out.
    #[serde(default)]
    pub complete_only: bool,
}

/// How a value is shaped before a model sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transform {
    /// As it is.
    #[default]
    None,
    /// sign(x) · ln(1 + |x|): for heavy tails.
    Log1p,
}

impl Transform {
    /// The shaped value.
    #[must_use]
    pub fn apply(self, value: f64) -> f64 {
        match self {
            Self::None => value,
            Self::Log1p => value.abs().ln_1p().copysign(value),
        }
    }
}

/// The catalogue.
#[derive(Debug, Clone, Deserialize)]
pub struct Catalogue {
    /// Every feature, in matrix order.
    #[serde(rename = "feature")]
    pub features: Vec<Feature>,
}

/// Which sessions a model is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ModelKind {
    /// Sessions with a handshake.
    Complete,
    /// Sessions without one.
    Application,
}

impl ModelKind {
    /// Both, in the order they are fitted.
    pub const ALL: [Self; 2] = [Self::Complete, Self::Application];

    /// The name stored in `ml_all_scores`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Application => "application",
        }
    }
}

impl Catalogue {
    /// The catalogue of this build.
    ///
    /// # Errors
    /// Only if `sql/features.toml` was broken when this was built; a test keeps it whole.
    pub fn load() -> Result<Self, toml::de::Error> {
        toml::from_str(CATALOGUE)
    }

    /// The features that models of `kind` see, in order.
    pub fn for_model(&self, kind: ModelKind) -> impl Iterator<Item = &Feature> {
        self.features.iter().filter(move |feature| feature.model && (kind == ModelKind::Complete || !feature.complete_only))
    }

    /// SHA-256 over the names that models of `kind` see.
    #[must_use]
    pub fn hash(&self, kind: ModelKind) -> String {
        let mut all = Sha256::new();
        for feature in self.for_model(kind) {
            all.update(feature.name.as_bytes());
            all.update([0]);
        }
        ja4_replay::digest::hex(&all.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_whole() {
        let catalogue = Catalogue::load().unwrap();
        let mut names: Vec<_> = catalogue.features.iter().map(|feature| feature.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), catalogue.features.len(), "a name stands twice");
        assert!(catalogue.for_model(ModelKind::Complete).count() > catalogue.for_model(ModelKind::Application).count());
        for feature in &catalogue.features {
            assert!(!feature.formula.is_empty() && !feature.why.is_empty(), "{}", feature.name);
        }
    }

    #[test]
    fn nothing_that_leaks_the_label_is_a_model_feature() {
        let catalogue = Catalogue::load().unwrap();
        for feature in catalogue.for_model(ModelKind::Complete) {
            for leak in [
                "src_ip",
                "src_port",
                "dst_port",
                "win_ms",
                "first_ns",
                "row_lo",
                "match_kind",
                "ip_bot",
                "ja4_bot",
                "joined",
                "exact",
            ] {
                assert!(!feature.name.contains(leak), "{} must not be a model feature", feature.name);
            }
        }
    }
}
