//! One detection run over what is stored: read features, fit or load voices, score, explain, write.
//!
//! Promises: nothing is imported; the same store and settings give the same scores on any number of threads; scores are
//! never NaN; every session gets a line of reason; scores of a window range are replaced as a whole.
//!
//! Read next: `settings.rs`, `baseline.rs` (who models learn from), `reason.rs`, `write.rs`.

pub mod baseline;
mod change;
pub mod claims;
mod explained;
pub mod models;
pub mod reason;
mod sample;
pub mod settings;
pub mod workshop;
mod write;

pub use self::write::session_id;

use std::collections::BTreeMap;
use std::path::PathBuf;

use duckdb::arrow::array::RecordBatch;
use ja4_models::Matrix;
use ja4_replay::digest::{TableDigest, hex};
use ja4_replay::store::Store;
use rayon::prelude::*;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use self::change::{Change, Search};
use self::explained::Explained;
use self::models::{Lessons, META_MIN_LABELS, ModelSet};
use self::sample::Sample;
use self::settings::Settings;
use crate::catalogue::{Catalogue, Feature, ModelKind};
use crate::error::LabError;
use crate::frame::{FeatureFrame, shaped};
use crate::labels::{self, Labels, Source};

const FEATURE_FRAME: &str = include_str!("../../../sql/shared/queries/feature_frame.sql");

/// Features kept of each explanation, besides those of the nearest change.
const PARTS_KEPT: usize = 8;

/// The line of an ordinary session beyond `explain_max`.
const NOT_EXPLAINED: &str = "Ordinary; not compared feature by feature (setting explain_max)";

/// Columns of the view that name a session.
const KEY_COLUMNS: usize = 4;

/// What to score, and with what.
#[derive(Debug, Clone, Default)]
pub struct CyclePlan {
    /// Settings.
    pub settings: Settings,
    /// Score with the models of this folder instead of fitting.
    pub load: Option<PathBuf>,
    /// Keep the fitted models in this folder.
    pub save: Option<PathBuf>,
    /// Only sessions whose hour begins at or after this, ms since 1970.
    pub from_ms: Option<i64>,
    /// Only sessions whose hour begins before this, ms since 1970.
    pub to_ms: Option<i64>,
    /// Fit and keep the models, then end: no session is scored and nothing is written to the store.
    pub fit_only: bool,
    /// With `load`: fit what the folder lacks (it was kept before such sessions came) instead of failing.
    pub fit_missing: bool,
    /// Keep the result under this name, with the driver's clock (ns since 1970), instead of putting it in force.
    pub keep_as: Option<(String, i64)>,
}

/// What a run found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct CycleReport {
    /// Sessions scored.
    pub sessions: u64,
    /// Of those, sessions at or above their threshold.
    pub anomalies: u64,
    /// Sessions that look like people and set the baseline.
    pub baseline: u64,
    /// Sessions with a label from an analyst, a rule or a list.
    pub labelled: u64,
    /// One entry a model.
    pub models: Vec<ModelReport>,
    /// Sentences an analyst should read, e.g. that there was too little to learn from.
    pub notes: Vec<String>,
    /// Digest over the feature table.
    pub features_digest: String,
    /// Digest over the scores.
    pub scores_digest: String,
}

/// One model of a run.
#[derive(Debug, Clone, Serialize)]
pub struct ModelReport {
    /// `complete` or `application`.
    pub kind: &'static str,
    /// Sessions it scored.
    pub sessions: u64,
    /// Sessions it was fitted on.
    pub fitted_on: u64,
    /// Whether a meta-learner combines its voices, and not fixed weights.
    pub meta_learner: bool,
    /// Sessions at or above it are anomalous.
    pub threshold: f64,
    /// First 16 digits of the digest over its voices.
    pub id: String,
}

/// Everything about one session that is written.
#[derive(Debug, Clone)]
pub(crate) struct Verdict {
    pub row: usize,
    pub kind: ModelKind,
    pub model_id: String,
    pub voices: models::VoiceScores,
    pub score: f64,
    pub threshold: f64,
    pub anomaly: bool,
    pub severity: &'static str,
    pub agreement: f64,
    pub reason: String,
    pub explanation: String,
    pub population_share: f64,
    pub label: Option<labels::Label>,
}

/// Runs `plan` over `store`.
///
/// # Errors
/// The engine's refusal, a model of other features, or a model folder that cannot be read or written.
pub fn run(store: &dyn Store, plan: &CyclePlan) -> Result<CycleReport, LabError> {
    if !plan.settings.without.is_empty() && (plan.load.is_some() || plan.save.is_some()) {
        let text = "features- (without+): a model without features would meet them again when it is used; only scores can be kept (`score --keep-as`)";
        return Err(LabError::Ask(text.to_owned()));
    }
    let catalogue = Catalogue::load().map_err(|error| LabError::Features(error.to_string()))?;
    let batches = feature_batches(store, plan)?;
    let whole = plan.from_ms.is_none() && plan.to_ms.is_none();
    let features_digest = if whole { features_digest(&batches)? } else { String::new() };
    let frame = FeatureFrame::from_batches(&batches)?;
    drop(batches);
    let mut report = CycleReport { sessions: count(frame.sessions()), features_digest, ..CycleReport::default() };
    if frame.sessions() == 0 {
        report.notes.push("no sessions to score: nothing is stored in this time range".to_owned());
        return Ok(report);
    }
    let hours = (plan.from_ms.unwrap_or(i64::MIN / 2), plan.to_ms.unwrap_or(i64::MAX / 2));
    let by_identity = baseline::exclusions(&frame, &plan.settings)?;
    let labels = labels::of_sessions(store, &frame, by_identity, &plan.settings, hours)?;
    report.baseline = count(labels.exclusions.iter().filter(|reason| reason.is_none()).count());
    report.labelled = count(labels.labels.iter().flatten().count());
    let claims = claims::Claims::new(&frame)?;
    let ids = write::session_ids(&frame)?;
    let has_handshake: Vec<bool> = frame.text("ja4")?.iter().map(|ja4| !ja4.is_empty()).collect();
    let mut verdicts = Vec::with_capacity(frame.sessions());
    for kind in ModelKind::ALL {
        let rows: Vec<usize> = indices(&has_handshake, kind == ModelKind::Complete);
        if rows.is_empty() {
            continue;
        }
        let task = Task { plan, catalogue: &catalogue, frame: &frame, labels: &labels, claims: &claims, ids: &ids, kind, rows };
        verdicts.extend(task.run(&mut report)?);
    }
    if plan.fit_only {
        return Ok(report);
    }
    verdicts.sort_by_key(|verdict| verdict.row);
    allow(&frame, &plan.settings, &mut verdicts)?;
    report.anomalies = count(verdicts.iter().filter(|verdict| verdict.anomaly).count());
    if let Some((name, clock_ns)) = &plan.keep_as {
        crate::rescore::keep_run(store, &frame, &verdicts, (name, *clock_ns), &plan.settings)?;
        return Ok(report);
    }
    let run_id = run_id(&plan.settings, &report);
    write::write(store, &frame, &ids, &verdicts, &run_id)?;
    crate::rescore::remember(store, &frame, &labels.exclusions)?;
    crate::campaigns::after_scores(store, &frame, &run_id, &mut report.notes);
    store.checkpoint()?;
    Ok(report)
}

/// Reads the feature table in key order.
///
/// # Errors
/// The engine's refusal.
pub fn read_frame(store: &dyn Store, plan: &CyclePlan) -> Result<FeatureFrame, LabError> {
    FeatureFrame::from_batches(&feature_batches(store, plan)?)
}

fn feature_batches(store: &dyn Store, plan: &CyclePlan) -> Result<Vec<RecordBatch>, LabError> {
    let text = FEATURE_FRAME
        .replace("/*from*/ 0", &plan.from_ms.unwrap_or(i64::MIN / 2).to_string())
        .replace("/*to*/ 0", &plan.to_ms.unwrap_or(i64::MAX / 2).to_string());
    Ok(store.query(&text)?)
}

/// The same digest as over the whole view, without computing it again.
fn features_digest(batches: &[RecordBatch]) -> Result<String, LabError> {
    let mut digest = TableDigest::new();
    for batch in batches {
        digest.add(batch, KEY_COLUMNS).map_err(|error| LabError::Features(error.to_string()))?;
    }
    Ok(digest.finish())
}

/// What a task scores with, and what.
struct Fitted {
    models: ModelSet,
    values: Matrix,
    matrix: Matrix,
    spans: Vec<reason::Span>,
    learnt_from: usize,
}

/// One model over its sessions.
struct Task<'a> {
    plan: &'a CyclePlan,
    catalogue: &'a Catalogue,
    frame: &'a FeatureFrame,
    labels: &'a Labels,
    claims: &'a claims::Claims,
    ids: &'a [String],
    kind: ModelKind,
    rows: Vec<usize>,
}

impl Task<'_> {
    fn run(&self, report: &mut CycleReport) -> Result<Vec<Verdict>, LabError> {
        let settings = &self.plan.settings;
        let Fitted { models, values, matrix, spans, learnt_from } = self.fitted(&mut report.notes)?;
        if let Some(folder) = &self.plan.save {
            models.save(folder, self.kind)?;
        }
        if self.plan.fit_only {
            return Ok(Vec::new());
        }
        let opinions = models.score(&matrix)?;
        let threshold = settings.threshold.unwrap_or_else(|| models.threshold());
        let features: Vec<&Feature> = self.catalogue.for_model(self.kind).collect();
        let explained = Explained::new(&models, &matrix, &opinions, threshold, settings.explain_max)?;
        let model_id = models.id();
        report.models.push(ModelReport {
            kind: self.kind.as_str(),
            sessions: count(self.rows.len()),
            fitted_on: count(learnt_from),
            meta_learner: models.is_learnt(),
            threshold,
            id: model_id.clone(),
        });
        let changes = self.changes(&models, &values, &spans, &opinions, threshold)?;
        let verdict = |(index, (opinion, row)): (usize, (models::Opinion, &usize))| {
            let row = *row;
            let change = changes.get(&index).map_or(&[][..], Vec::as_slice);
            let (reason, explanation) = self.why(row, index, &features, &values, explained.shares(index), &spans, change);
            Verdict {
                row,
                kind: self.kind,
                model_id: model_id.clone(),
                agreement: opinion.agreement,
                voices: opinion.voices,
                score: opinion.score,
                threshold,
                anomaly: opinion.score >= threshold,
                // The ensemble's own steps hold for its own threshold only.
                severity: if settings.threshold.is_some() {
                    models::severity(opinion.score, threshold)
                } else {
                    opinion.severity
                },
                reason,
                explanation,
                population_share: self.claims.share(row),
                label: self.label(row),
            }
        };
        Ok(opinions.into_par_iter().zip(&self.rows).enumerate().map(verdict).collect())
    }

    /// At most `learn_max` of `items`, whose place within the task's rows `place` gives; what an analyst said is not left out.
    fn bounded<T: Copy>(&self, items: &[T], place: impl Fn(T) -> usize) -> Vec<T> {
        let row = |item| self.rows.get(place(item)).copied().unwrap_or(usize::MAX);
        let told = |item| self.label(row(item)).is_some_and(|label| label.source == Source::Analyst);
        let most = usize::try_from(self.plan.settings.learn_max).unwrap_or(usize::MAX);
        Sample { ids: self.ids, most }.of(items, row, told)
    }

    fn label(&self, row: usize) -> Option<labels::Label> {
        self.labels.labels.get(row).copied().flatten()
    }

    /// The voices, fitted or loaded, with the sessions they speak about.
    fn fitted(&self, notes: &mut Vec<String>) -> Result<Fitted, LabError> {
        let settings = &self.plan.settings;
        let values = self.frame.values(self.catalogue, self.kind, &self.rows)?;
        let values = self.switched_off(values, &settings.without)?;
        let matrix = shaped(self.catalogue, self.kind, &values)?;
        let fit_on = self.fit_rows(notes);
        let models = match self.kept_models(notes) {
            Some(folder) => ModelSet::load(folder, self.kind, matrix.features())?,
            None => {
                let (taught, weak) = self.taught(settings.weak_labels);
                let known: Vec<bool> = taught.iter().map(|(_, bot)| *bot).collect();
                let labelled = matrix.select_rows(&taught.iter().map(|(index, _)| *index).collect::<Vec<_>>());
                let learning = matrix.select_rows(&fit_on);
                ModelSet::fit(Lessons { people: &learning, labelled: Some((&labelled, &known)), weak }, settings)?
            }
        };
        let spans = reason::spans(&values.select_rows(&fit_on));
        Ok(Fitted { models, values, matrix, spans, learnt_from: fit_on.len() })
    }

    /// The neutral value in every session for features that are switched off.
    fn switched_off(&self, values: Matrix, without: &[String]) -> Result<Matrix, LabError> {
        if without.is_empty() {
            return Ok(values);
        }
        let off = |feature: &Feature| without.contains(&feature.name).then_some(feature.neutral);
        let neutral: Vec<Option<f64>> = self.catalogue.for_model(self.kind).map(off).collect();
        let cells = values.values().iter().zip(neutral.iter().cycle()).map(|(value, off)| off.unwrap_or(*value)).collect();
        Ok(Matrix::new(values.features().clone(), cells)?)
    }

    /// The folder to load from; `None` where the models are to be fitted.
    fn kept_models(&self, notes: &mut Vec<String>) -> Option<&std::path::Path> {
        let folder = self.plan.load.as_deref()?;
        if self.plan.fit_missing && !ModelSet::is_kept(folder, self.kind) {
            let kind = self.kind.as_str();
            notes.push(format!("{kind} model: the version in use has none, so it was fitted on the sessions at hand"));
            return None;
        }
        Some(folder)
    }

    /// Positions (within the task's rows) of the sessions that the voices learn from.
    fn fit_rows(&self, notes: &mut Vec<String>) -> Vec<usize> {
        let people: Vec<usize> = self
            .rows
            .iter()
            .enumerate()
            .filter(|(_, row)| self.labels.exclusions.get(**row).is_some_and(Option::is_none))
            .map(|(index, _)| index)
            .collect();
        let enough = usize::try_from(self.plan.settings.baseline_min).unwrap_or(usize::MAX);
        if people.len() >= enough {
            let learned = self.bounded(&people, |index| index);
            if learned.len() < people.len() {
                notes.push(format!(
                    "{} model: learned from {} of {} sessions that look like people (setting learn_max)",
                    self.kind.as_str(),
                    learned.len(),
                    people.len()
                ));
            }
            return learned;
        }
        notes.push(format!(
            "{} model: only {} sessions look like people (setting baseline_min is {enough}), so it learned from all {}; \
             what is frequent counts as normal",
            self.kind.as_str(),
            people.len(),
            self.rows.len()
        ));
        self.bounded(&(0..self.rows.len()).collect::<Vec<_>>(), |index| index)
    }

    /// What supervised voices learn from: positions within the task's rows with true for a bot, and whether labels that identity
    /// alone gives are among them on both sides. With enough labels that somebody stands for, looking like a person is no label
    /// any more; a contradiction still is one, or trees would only know the programs that say what they are. Each side is bounded
    /// by itself, so that many of one kind do not crowd out the few of the other.
    fn taught(&self, weak: bool) -> (Vec<(usize, bool)>, bool) {
        let label = |row: usize| self.label(row).map(|label| label.bot);
        let excluded = |row: usize| self.labels.exclusions.get(row).is_some_and(Option::is_some);
        let known: Vec<bool> = self.rows.iter().filter_map(|row| label(*row)).collect();
        let enough = known.len() >= META_MIN_LABELS && known.contains(&true) && known.contains(&false);
        let of = |row: usize| match label(row) {
            Some(bot) => Some(bot),
            None if weak && excluded(row) => Some(true),
            None => (weak && !enough).then_some(false),
        };
        let taught = self.rows.iter().enumerate().filter_map(|(index, row)| of(*row).map(|bot| (index, bot)));
        let (bots, people): (Vec<_>, Vec<_>) = taught.partition(|(_, bot)| *bot);
        let mut taught = [bots, people].map(|side| self.bounded(&side, |(index, _)| index)).concat();
        taught.sort_unstable();
        (taught, weak && !enough)
    }

    /// The nearest change that would pass, for the worst anomalous sessions.
    fn changes(
        &self,
        models: &ModelSet,
        values: &Matrix,
        spans: &[reason::Span],
        opinions: &[models::Opinion],
        threshold: f64,
    ) -> Result<BTreeMap<usize, Vec<Change>>, LabError> {
        let mut worst: Vec<(usize, f64)> = opinions
            .iter()
            .enumerate()
            .map(|(index, opinion)| (index, opinion.score))
            .filter(|(_, score)| *score >= threshold)
            .collect();
        worst.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        worst.truncate(usize::try_from(self.plan.settings.changes).unwrap_or(usize::MAX));
        let transforms: Vec<_> = self.catalogue.for_model(self.kind).map(|feature| feature.transform).collect();
        let search = Search { models, features: values.features(), transforms: &transforms, spans, threshold };
        // Sessions of one program often agree in every feature; what holds for one holds for all of them.
        let mut alike: BTreeMap<Vec<u64>, Vec<usize>> = BTreeMap::new();
        for (index, _) in worst {
            alike.entry(values.row(index).iter().map(|value| value.to_bits()).collect()).or_default().push(index);
        }
        let groups: Vec<Vec<usize>> = alike.into_values().collect();
        let nearest = |group: Vec<usize>| {
            let change = group.first().map(|first| search.nearest(values.row(*first))).transpose()?.flatten();
            Ok((group, change))
        };
        let found: Result<Vec<(Vec<usize>, Option<Vec<Change>>)>, LabError> = groups.into_par_iter().map(nearest).collect();
        let mut changes = BTreeMap::new();
        for (group, change) in found? {
            let change = change.as_ref();
            changes.extend(group.into_iter().filter_map(|index| change.map(|change| (index, change.clone()))));
        }
        Ok(changes)
    }

    #[allow(clippy::too_many_arguments, reason = "what a line is made of, put together once")]
    fn why(
        &self,
        row: usize,
        index: usize,
        features: &[&Feature],
        values: &Matrix,
        shares: Option<&[f64]>,
        spans: &[reason::Span],
        change: &[Change],
    ) -> (String, String) {
        let without = &self.plan.settings.without;
        let moved = |column: usize| change.iter().find(|change| change.column == column).map(|change| change.to);
        let kept = PARTS_KEPT + without.len();
        let told = |shares| reason::parts(features, values.row(index), shares, spans, kept, moved);
        let mut parts = shares.map_or_else(Vec::new, told);
        // What is switched off took no part, and its value is not the session's.
        parts.retain(|part| !without.iter().any(|name| name == part.feature));
        let contradictions = self.claims.contradictions(row);
        let share = self.claims.claimed(row).map(|claim| (self.claims.share(row), claim));
        let declared = self.claims.declared(row);
        let silent = shares.is_none() && declared.is_none() && contradictions.is_empty();
        let line =
            if silent { NOT_EXPLAINED.to_owned() } else { reason::line(declared, &contradictions, features, &parts, share) };
        let json = serde_json::to_string(&parts).unwrap_or_default();
        (line, json)
    }
}

/// Addresses the analyst trusts keep their score and are not anomalous.
fn allow(frame: &FeatureFrame, settings: &Settings, verdicts: &mut [Verdict]) -> Result<(), LabError> {
    if settings.allow.is_empty() {
        return Ok(());
    }
    let (src, client) = (frame.text("src_ip")?, frame.text("client_ip")?);
    let listed = |column: &[String], row: usize| column.get(row).is_some_and(|address| settings.allow.contains(address));
    for verdict in verdicts.iter_mut().filter(|verdict| listed(&src, verdict.row) || listed(&client, verdict.row)) {
        verdict.anomaly = false;
        verdict.severity = "allowed";
    }
    Ok(())
}

/// The same settings over the same models have the same id, so that a repeated run replaces its own record.
fn run_id(settings: &Settings, report: &CycleReport) -> String {
    let mut all = Sha256::new();
    all.update(serde_json::to_vec(settings).unwrap_or_default());
    for model in &report.models {
        all.update(&model.id);
    }
    hex(&all.finalize()).get(..16).unwrap_or_default().to_owned()
}

fn indices(flags: &[bool], wanted: bool) -> Vec<usize> {
    flags.iter().enumerate().filter(|(_, flag)| **flag == wanted).map(|(index, _)| index).collect()
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
