//! The voices of one model, together: fitting, scoring, combining, keeping in a folder.
//!
//! Promises: a voice that was not asked is -1; voices are brought to one scale before they are combined; a model file of other
//! features is refused with a sentence.
//!
//! Read next: `ja4-models` (the voices themselves).

use std::path::Path;
use std::sync::Arc;

use ja4_models::ensemble::{Ensemble, EnsembleModel, EnsembleParams, TrainingData};
use ja4_models::{AutoencoderParams, BoostedParams, EifParams, Explanation, FeatureSet, Matrix, Voice as _, VoiceKind};

use super::settings::Settings;
use crate::catalogue::ModelKind;
use crate::error::LabError;

/// Scores of one session by voice; -1 where a voice was not asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VoiceScores {
    /// Extended Isolation Forest.
    pub eif: f64,
    /// Autoencoder.
    pub autoencoder: f64,
    /// Boosted trees.
    pub boosted: f64,
}

/// What the voices say of one session.
#[derive(Debug, Clone, PartialEq)]
pub struct Opinion {
    /// Each voice, brought to 0..1.
    pub voices: VoiceScores,
    /// All of them together, 0 to 1.
    pub score: f64,
    /// Share of the voices that say what the verdict says.
    pub agreement: f64,
    /// The ensemble's severity at its own threshold.
    pub severity: &'static str,
}

/// What a model learns from.
#[derive(Debug, Clone, Copy)]
pub struct Lessons<'a> {
    /// Sessions that look like people.
    pub people: &'a Matrix,
    /// Sessions with labels: true for a bot.
    pub labelled: Option<(&'a Matrix, &'a [bool])>,
    /// Whether labels that identity alone gives are among them.
    pub weak: bool,
}

/// Labels that somebody or something stands for, from which on a meta-learner replaces the fixed weights.
pub const META_MIN_LABELS: usize = 1_000;

/// The ensemble that `settings` describe, for a baseline of `people` sessions.
///
/// # Errors
/// Settings out of range.
pub fn ensemble(settings: &Settings, people: usize) -> Result<Ensemble, LabError> {
    Ok(params(settings, people).check()?)
}

fn params(settings: &Settings, people: usize) -> EnsembleParams {
    let size = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    EnsembleParams::default()
        .eif(EifParams::default().trees(size(settings.trees)).sample_size(size(settings.sample)))
        .autoencoder((settings.weight_autoencoder > 0.0 && people >= MIN_AUTOENCODER_ROWS).then(AutoencoderParams::default))
        .boosted((settings.weight_boosted > 0.0).then(boosted))
        .weights([settings.weight_eif, settings.weight_autoencoder, settings.weight_boosted])
        .meta_min_labels(META_MIN_LABELS)
        .target_fpr(settings.fpr)
}

/// Boosted trees for sessions. Each tree sees a tenth of the features: with all of them, trees lean on the few that tell the known
/// programs best, and take a program of a new kind for a person (`docs/SCIENCE.md`).
#[must_use]
pub fn boosted() -> BoostedParams {
    BoostedParams::default().columns_share(0.1)
}

/// The fitted voices of one model. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct ModelSet {
    ensemble: Arc<EnsembleModel>,
}

impl ModelSet {
    /// Fits on the sessions given. Boosted trees and the meta-learner join only where labels of both kinds allow it.
    ///
    /// # Errors
    /// What the voices refuse: see `ja4-models`.
    pub fn fit(lessons: Lessons<'_>, settings: &Settings) -> Result<Self, LabError> {
        let people = at_least_two(lessons.people);
        let params = params(settings, people.rows());
        // Weak labels teach the trees, but never how far to trust them: they are what identity alone says.
        let params = params.meta_min_labels(if lessons.weak { usize::MAX } else { META_MIN_LABELS });
        let data = TrainingData { baseline: &people, labelled: lessons.labelled };
        Ok(Self { ensemble: Arc::new(params.check()?.fit_on(data, settings.seed)?) })
    }

    /// Reads the voices that [`ModelSet::save`] wrote.
    ///
    /// # Errors
    /// A file that is missing, damaged, or of other features.
    pub fn load(folder: &Path, kind: ModelKind, features: &FeatureSet) -> Result<Self, LabError> {
        let path = folder.join(file_name(kind));
        let bytes = std::fs::read(&path).map_err(LabError::io("read model", &path))?;
        let in_file = |error: ja4_models::ModelError| LabError::Ask(format!("read model {}: {error}", path.display()));
        let ensemble = EnsembleModel::from_bytes(&bytes).map_err(in_file)?;
        ensemble.features().require(features).map_err(in_file)?;
        Ok(Self { ensemble: Arc::new(ensemble) })
    }

    /// Reads what [`ModelSet::to_bytes`] gave; `None` where it is damaged or of other features than this program's.
    pub(super) fn from_bytes(bytes: &[u8], features: &FeatureSet) -> Option<Self> {
        let ensemble = EnsembleModel::from_bytes(bytes).ok()?;
        ensemble.features().require(features).ok()?;
        Some(Self { ensemble: Arc::new(ensemble) })
    }

    /// The model file's bytes.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        self.ensemble.to_bytes()
    }

    /// Whether `folder` holds a model of this kind.
    #[must_use]
    pub fn is_kept(folder: &Path, kind: ModelKind) -> bool {
        folder.join(file_name(kind)).is_file()
    }

    /// Writes the voices into `folder`, making it if needed.
    ///
    /// # Errors
    /// The file system's refusal.
    pub fn save(&self, folder: &Path, kind: ModelKind) -> Result<(), LabError> {
        std::fs::create_dir_all(folder).map_err(LabError::io("create folder", folder))?;
        let path = folder.join(file_name(kind));
        std::fs::write(&path, self.ensemble.to_bytes()).map_err(LabError::io("write model", &path))
    }

    /// First 16 digits of the model file's SHA-256.
    #[must_use]
    pub fn id(&self) -> String {
        self.ensemble.digest().get(..16).unwrap_or_default().to_owned()
    }

    /// Scores at or above this are anomalous.
    #[must_use]
    pub fn threshold(&self) -> f64 {
        self.ensemble.threshold()
    }

    /// Whether a meta-learner combines the voices, and not fixed weights.
    #[must_use]
    pub fn is_learnt(&self) -> bool {
        self.ensemble.is_learnt()
    }

    /// The final score of every row alone.
    ///
    /// # Errors
    /// A matrix of other features.
    pub fn combined(&self, matrix: &Matrix) -> Result<Vec<f64>, LabError> {
        Ok(self.ensemble.score(matrix)?)
    }

    /// What the voices say of every row.
    ///
    /// # Errors
    /// A matrix of other features.
    pub fn score(&self, matrix: &Matrix) -> Result<Vec<Opinion>, LabError> {
        let kinds: Vec<VoiceKind> = self.ensemble.voices().map(|voice| voice.kind()).collect();
        let verdicts = self.ensemble.verdicts(matrix)?;
        let opinion = |verdict: ja4_models::ensemble::Verdict| {
            let of = |kind: VoiceKind| {
                let place = kinds.iter().position(|found| *found == kind);
                place.and_then(|place| verdict.voices.get(place).copied()).unwrap_or(-1.0)
            };
            Opinion {
                voices: VoiceScores {
                    eif: of(VoiceKind::Eif),
                    autoencoder: of(VoiceKind::Autoencoder),
                    boosted: of(VoiceKind::Boosted),
                },
                score: verdict.score,
                agreement: verdict.agreement,
                severity: verdict.severity.name(),
            }
        };
        Ok(verdicts.into_iter().map(opinion).collect())
    }

    /// Which features made the scores of rows that were scored before: `said` holds what was said of each.
    ///
    /// # Errors
    /// A matrix of other features or rows.
    pub(super) fn explain_scored(&self, matrix: &Matrix, said: &[&Opinion]) -> Result<Explanation, LabError> {
        let of = |kind: VoiceKind, voices: &VoiceScores| match kind {
            VoiceKind::Eif => voices.eif,
            VoiceKind::Autoencoder => voices.autoencoder,
            VoiceKind::Boosted | VoiceKind::Ensemble => voices.boosted,
        };
        let column = |kind| said.iter().map(|opinion| of(kind, &opinion.voices)).collect();
        let voices: Vec<Vec<f64>> = self.ensemble.voices().map(|voice| column(voice.kind())).collect();
        Ok(self.ensemble.explain_scored(matrix, &voices)?)
    }

    /// Which features made the scores.
    ///
    /// # Errors
    /// A matrix of other features.
    pub fn explain(&self, matrix: &Matrix) -> Result<Explanation, LabError> {
        Ok(self.ensemble.explain(matrix)?)
    }
}

/// Below this a network learns the sessions by heart.
const MIN_AUTOENCODER_ROWS: usize = 20;

fn file_name(kind: ModelKind) -> String {
    format!("{}.ja4model", kind.as_str())
}

/// A forest needs two rows; one session is compared with itself, which makes it ordinary.
fn at_least_two(matrix: &Matrix) -> Matrix {
    if matrix.rows() == 1 { matrix.select_rows(&[0, 0]) } else { matrix.clone() }
}

/// Four steps between a threshold that the analyst set and 1.
pub(super) fn severity(score: f64, threshold: f64) -> &'static str {
    let above = (score - threshold) / (1.0 - threshold).max(1e-9);
    match above {
        above if above < 0.0 => "none",
        above if above < 0.15 => "low",
        above if above < 0.35 => "medium",
        above if above < 0.6 => "high",
        _ => "critical",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severity_rises_with_the_score() {
        assert_eq!(severity(0.4, 0.5), "none");
        assert_eq!(severity(0.5, 0.5), "low");
        assert_eq!(severity(1.0, 0.5), "critical");
        assert_eq!(severity(1.0, 1.0), "low");
    }
}
