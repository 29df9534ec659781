//! What models are made of, read once: sessions with their features and labels, to fit and try models without the store.
//!
//! Promises: with the settings of a run, a bench gives the scores of that run, bit for bit, because it is the same code; nothing is
//! written; the labels are those of the settings the workshop was opened with.
//!
//! Read next: `mod.rs` (a run), `../rehearse/mod.rs` (one session tried on), the desktop's `views/tuning`.

use std::path::Path;

use ja4_models::Matrix;
use ja4_replay::store::Store;

use super::change::Search;
use super::models::{ModelSet, Opinion};
use super::reason::Span;
use super::settings::Settings;
use super::task::{Fitted, Task};
use super::{CyclePlan, claims, indices, read_frame};
use crate::catalogue::{Catalogue, Feature, ModelKind, Transform};
use crate::error::LabError;
use crate::frame::FeatureFrame;
use crate::labels::{self, Labels};

/// Sessions, features and labels of a store.
#[derive(Debug)]
pub struct Workshop {
    catalogue: Catalogue,
    frame: FeatureFrame,
    labels: Labels,
    claims: claims::Claims,
    /// Session ids in the order of the frame.
    ids: Vec<String>,
    has_handshake: Vec<bool>,
}

impl Workshop {
    /// Reads everything; labels and who counts as a person follow `settings`.
    ///
    /// # Errors
    /// The engine's refusal, or nothing stored.
    pub fn open(store: &dyn Store, settings: &Settings) -> Result<Self, LabError> {
        let catalogue = Catalogue::load().map_err(|error| LabError::Features(error.to_string()))?;
        let frame = read_frame(store, &CyclePlan::default())?;
        if frame.sessions() == 0 {
            let text = "the database holds no session: import some with `ja4-lab replay CAPTURE --http-log LOG --db DB`";
            return Err(LabError::Ask(text.to_owned()));
        }
        let exclusions = super::baseline::exclusions(&frame, settings)?;
        let labels = labels::of_sessions(store, &frame, exclusions, settings, (i64::MIN / 2, i64::MAX / 2))?;
        let claims = claims::Claims::new(&frame)?;
        let ids = super::write::session_ids(&frame)?;
        let has_handshake = frame.text("ja4")?.iter().map(|ja4| !ja4.is_empty()).collect();
        Ok(Self { catalogue, frame, labels, claims, ids, has_handshake })
    }

    /// Session ids, in the order of rows.
    #[must_use]
    pub fn ids(&self) -> &[String] {
        &self.ids
    }

    /// Which models there are sessions for.
    pub fn kinds(&self) -> impl Iterator<Item = ModelKind> {
        ModelKind::ALL.into_iter().filter(|kind| self.has_handshake.contains(&(*kind == ModelKind::Complete)))
    }

    /// The row of a session and the model that is for it.
    #[must_use]
    pub fn find(&self, session: &str) -> Option<(usize, ModelKind)> {
        let row = self.ids.iter().position(|id| id == session)?;
        let complete = self.has_handshake.get(row).copied().unwrap_or(false);
        Some((row, if complete { ModelKind::Complete } else { ModelKind::Application }))
    }

    /// A text column of one session, empty where there is none.
    #[must_use]
    pub fn text(&self, row: usize, column: &str) -> String {
        self.frame.text(column).ok().and_then(|values| values.into_iter().nth(row)).unwrap_or_default()
    }

    /// A model fitted with `settings`, or the one in the folder `load`.
    ///
    /// # Errors
    /// What the voices refuse, or a model that cannot be read or is of other features.
    pub fn bench(&self, kind: ModelKind, settings: &Settings, load: Option<&Path>) -> Result<Bench, LabError> {
        let plan = CyclePlan { settings: settings.clone(), load: load.map(Path::to_path_buf), ..CyclePlan::default() };
        let rows = indices(&self.has_handshake, kind == ModelKind::Complete);
        let (catalogue, frame, labels, claims, ids) = (&self.catalogue, &self.frame, &self.labels, &self.claims, &self.ids);
        let task = Task { plan: &plan, catalogue, frame, labels, claims, ids, kind, rows };
        let mut notes = Vec::new();
        let Fitted { models, values, matrix, spans, .. } = task.fitted(&mut notes)?;
        let threshold = settings.threshold.unwrap_or_else(|| models.threshold());
        let features = self.catalogue.for_model(kind).cloned().collect();
        Ok(Bench { kind, models, values, matrix, spans, threshold, features, rows: task.rows, notes })
    }
}

/// A model on the bench, with the sessions it is for.
#[derive(Debug)]
pub struct Bench {
    kind: ModelKind,
    models: ModelSet,
    values: Matrix,
    matrix: Matrix,
    spans: Vec<Span>,
    threshold: f64,
    features: Vec<Feature>,
    rows: Vec<usize>,
    notes: Vec<String>,
}

impl Bench {
    /// Which sessions it is for.
    #[must_use]
    pub fn kind(&self) -> ModelKind {
        self.kind
    }

    /// First 16 digits of the model file's SHA-256, as in `ml_all_scores`.
    #[must_use]
    pub fn id(&self) -> String {
        self.models.id()
    }

    /// Scores at or above this are anomalous.
    #[must_use]
    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    /// Sentences an analyst should read, e.g. that there was too little to learn from.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Its features, in the order of values.
    #[must_use]
    pub fn features(&self) -> &[Feature] {
        &self.features
    }

    /// What people show of each feature, in the order of values.
    #[must_use]
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// The values of a session by its row in the workshop; `None` where another model is for it.
    #[must_use]
    pub fn values(&self, row: usize) -> Option<&[f64]> {
        let place = self.rows.iter().position(|own| *own == row)?;
        Some(self.values.row(place))
    }

    /// What the voices say of every session: rows in the workshop with opinions.
    ///
    /// # Errors
    /// None that a bench can cause.
    pub fn opinions(&self) -> Result<Vec<(usize, Opinion)>, LabError> {
        Ok(self.rows.iter().copied().zip(self.models.score(&self.matrix)?).collect())
    }

    /// What the voices say of a session with these values.
    ///
    /// # Errors
    /// Values of another number than features.
    pub fn opinion(&self, values: &[f64]) -> Result<Opinion, LabError> {
        let shaped = values.iter().zip(&self.features).map(|(value, feature)| feature.transform.apply(*value)).collect();
        let matrix = Matrix::new(self.values.features().clone(), shaped)?;
        let found = self.models.score(&matrix)?.into_iter().next();
        found.ok_or_else(|| LabError::Features("a session without values has no score".to_owned()))
    }

    /// The nearest change under which a session with these values passes: features by place, and where they would have to be. `None`
    /// where none of up to twelve features is known; empty where it passes already.
    ///
    /// # Errors
    /// Values of another number than features.
    pub fn nearest(&self, values: &[f64]) -> Result<Option<Vec<(usize, f64)>>, LabError> {
        if self.opinion(values)?.score < self.threshold {
            return Ok(Some(Vec::new()));
        }
        let transforms: Vec<Transform> = self.features.iter().map(|feature| feature.transform).collect();
        let search = Search {
            models: &self.models,
            features: self.values.features(),
            transforms: &transforms,
            spans: &self.spans,
            threshold: self.threshold,
        };
        Ok(search.nearest(values)?.map(|changes| changes.into_iter().map(|change| (change.column, change.to)).collect()))
    }
}
