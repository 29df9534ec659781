//! What models are made of, read once: sessions with their features and labels, to fit and try models without the store.
//!
//! Promises: with the settings of a run, a bench gives the scores of that run, bit for bit, because it is the same code; nothing is
//! written; the labels are those of the settings the workshop was opened with. A workshop for one session reads the hour of that session
//! alone (no feature looks beyond its hour) and takes the models that the last run left in the store.
//!
//! Read next: `mod.rs` (a run), `../rehearse/mod.rs` (one session tried on), the desktop's `views/tuning`.

use std::path::Path;

use ja4_models::{FeatureSet, Matrix};
use ja4_replay::store::{Statement, Store};

use super::change::Search;
use super::kept::{self, Kept};
use super::models::{ModelSet, Opinion, severity};
use super::reason::Span;
use super::settings::Settings;
use super::task::{Fitted, Task};
use super::{CyclePlan, claims, indices, read_frame, session_id};
use crate::catalogue::{Catalogue, Feature, ModelKind, Transform};
use crate::error::LabError;
use crate::frame::{FeatureFrame, shaped};
use crate::labels::{self, Labels};
use crate::rows::Rows;

const SESSION_KEY: Statement<'_> = Statement::shared(include_str!("../../../sql/shared/queries/session_key.sql"));

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
    /// Where it is for one session: the models that need no fit.
    judge: Option<Judge>,
}

/// The models of the last scoring run, for one session.
#[derive(Debug)]
struct Judge {
    kind: ModelKind,
    kept: Kept,
    /// Whether they are those that gave the session's score.
    same: bool,
}

impl Workshop {
    /// Reads everything; labels and who counts as a person follow `settings`.
    ///
    /// # Errors
    /// The engine's refusal, or nothing stored.
    pub fn open(store: &dyn Store, settings: &Settings) -> Result<Self, LabError> {
        let catalogue = Catalogue::load().map_err(|error| LabError::Features(error.to_string()))?;
        Self::of_hours(store, settings, catalogue, (None, None))
    }

    /// What one session needs: the sessions of its hour, and the models that the last scoring run left in the store. Everything, where
    /// none are kept, as in a store that an earlier version scored, or where the session was never scored.
    ///
    /// # Errors
    /// As [`Workshop::open`].
    pub fn of_session(store: &dyn Store, session: &str) -> Result<Self, LabError> {
        let catalogue = Catalogue::load().map_err(|error| LabError::Features(error.to_string()))?;
        let settings = Settings::default();
        let Some((hour, judge)) = Judge::of(store, &catalogue, session)? else {
            return Self::of_hours(store, &settings, catalogue, (None, None));
        };
        let mut found = Self::of_hours(store, &settings, catalogue, (Some(hour), Some(hour.saturating_add(1))))?;
        found.judge = Some(judge);
        Ok(found)
    }

    fn of_hours(
        store: &dyn Store,
        settings: &Settings,
        catalogue: Catalogue,
        (from_ms, to_ms): (Option<i64>, Option<i64>),
    ) -> Result<Self, LabError> {
        let frame = read_frame(store, &CyclePlan { from_ms, to_ms, ..CyclePlan::default() })?;
        if frame.sessions() == 0 {
            let text = "the database holds no session: import some with `ja4-lab replay CAPTURE --http-log LOG --db DB`";
            return Err(LabError::Ask(text.to_owned()));
        }
        let exclusions = super::baseline::exclusions(&frame, settings)?;
        let labels = labels::of_sessions(
            store,
            &frame,
            exclusions,
            settings,
            (from_ms.unwrap_or(i64::MIN / 2), to_ms.unwrap_or(i64::MAX / 2)),
        )?;
        let claims = claims::Claims::new(&frame)?;
        let ids = super::write::session_ids(&frame)?;
        let has_handshake = frame.text("ja4")?.iter().map(|ja4| !ja4.is_empty()).collect();
        Ok(Self { catalogue, frame, labels, claims, ids, has_handshake, judge: None })
    }

    /// Where the models of [`Workshop::bench`] come from, if no folder is named.
    #[must_use]
    pub fn origin(&self) -> &'static str {
        match &self.judge {
            Some(judge) if judge.same => "it gave the stored score",
            Some(_) => "of the last scoring run; an earlier one gave the stored score",
            None => "fitted here, as `ja4-lab score` would",
        }
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

    /// A model fitted with `settings`, or the one in the folder `load`; in a workshop for one session the one kept in the store.
    ///
    /// # Errors
    /// What the voices refuse, or a model that cannot be read or is of other features.
    pub fn bench(&self, kind: ModelKind, settings: &Settings, load: Option<&Path>) -> Result<Bench, LabError> {
        if let Some(judge) = self.judge.as_ref().filter(|judge| judge.kind == kind) {
            return self.bench_kept(judge, settings, load);
        }
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

    /// The spans are those of the people of the last run, whatever models are asked.
    fn bench_kept(&self, judge: &Judge, settings: &Settings, load: Option<&Path>) -> Result<Bench, LabError> {
        let kind = judge.kind;
        let rows = indices(&self.has_handshake, kind == ModelKind::Complete);
        let values = self.frame.values(&self.catalogue, kind, &rows)?;
        let matrix = shaped(&self.catalogue, kind, &values)?;
        let (models, threshold) = match load {
            Some(folder) => {
                let models = ModelSet::load(folder, kind, matrix.features())?;
                let threshold = models.threshold();
                (models, threshold)
            }
            None => (judge.kept.models.clone(), judge.kept.threshold),
        };
        let threshold = settings.threshold.unwrap_or(threshold);
        let features = self.catalogue.for_model(kind).cloned().collect();
        let spans = judge.kept.spans.clone();
        Ok(Bench { kind, models, values, matrix, spans, threshold, features, rows, notes: Vec::new() })
    }
}

impl Judge {
    /// The hour of a scored session, ms since 1970, with the model that judges its kind.
    fn of(store: &dyn Store, catalogue: &Catalogue, session: &str) -> Result<Option<(i64, Self)>, LabError> {
        let key = Rows::ask(store, &SESSION_KEY, &[session])?;
        let first = |name| Ok::<_, LabError>(key.text(name)?.into_iter().next().unwrap_or_default());
        let Some(hour) = key.int("win_ms")?.into_iter().next() else { return Ok(None) };
        // Found again by its id, which is made of its key.
        if session_id(hour, &first("src_ip")?, &first("ja4")?, &first("host")?) != session {
            return Ok(None);
        }
        let (kind_name, scored_by) = (first("model_kind")?, first("model_id")?);
        let Some(kind) = ModelKind::ALL.into_iter().find(|kind| kind.as_str() == kind_name) else { return Ok(None) };
        let features = FeatureSet::new(catalogue.for_model(kind).map(|feature| feature.name.as_str()))?;
        let Some(mut kept) = kept::read(store, kind, &features) else { return Ok(None) };
        let same = kept.models.id() == scored_by;
        if let (true, Some(threshold)) = (same, key.float("threshold")?.into_iter().next()) {
            // A re-ranking may have moved it since.
            kept.threshold = threshold;
        }
        Ok(Some((hour, Self { kind, kept, same })))
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
        let mut found = found.ok_or_else(|| LabError::Features("a session without values has no score".to_owned()))?;
        if self.threshold.total_cmp(&self.models.threshold()).is_ne() {
            found.severity = severity(found.score, self.threshold);
        }
        Ok(found)
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
