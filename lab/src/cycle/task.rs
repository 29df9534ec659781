//! One model over the sessions it is for: fitted or loaded, asked, and its verdicts explained.
//!
//! Promises: what an analyst said is learnt from first; the anomalous are always explained; nothing is read from or written to the store.
//!
//! Read next: `models.rs` (the voices), `sample.rs` (who is learnt from), `explained.rs`, `change.rs`, `reason.rs`.

use std::collections::BTreeMap;

use ja4_models::Matrix;
use rayon::prelude::*;

use super::change::{Change, Search};
use super::explained::{self, Explained};
use super::kept::Packed;
use super::models::{self, Lessons, META_MIN_LABELS, ModelSet};
use super::sample::Sample;
use super::{CyclePlan, ModelReport, Verdict, claims, count, reason};
use crate::catalogue::{Catalogue, Feature, ModelKind};
use crate::error::LabError;
use crate::frame::{FeatureFrame, shaped};
use crate::labels::{self, Labels, Source};

/// Features kept of each explanation, besides those of the nearest change.
const PARTS_KEPT: usize = 8;

/// Sessions whose explanations are held at a time: a number a feature and session, which for a million would be a gigabyte and more.
const EXPLAINED_AT_ONCE: usize = 65_536;

/// The line of an ordinary session beyond `explain_max`.
const NOT_EXPLAINED: &str = "Ordinary; not compared feature by feature (setting explain_max)";

/// What a task scores with, and what.
pub(super) struct Fitted {
    pub models: ModelSet,
    pub values: Matrix,
    pub matrix: Matrix,
    pub spans: Vec<reason::Span>,
    pub learnt_from: usize,
}

/// What a task found.
#[derive(Default)]
pub(super) struct Judged {
    pub verdicts: Vec<Verdict>,
    pub report: Option<ModelReport>,
    /// The model for the store.
    pub packed: Option<Packed>,
    pub notes: Vec<String>,
}

/// One model over its sessions.
pub(super) struct Task<'a> {
    pub plan: &'a CyclePlan,
    pub catalogue: &'a Catalogue,
    pub frame: &'a FeatureFrame,
    pub labels: &'a Labels,
    pub claims: &'a claims::Claims,
    pub ids: &'a [String],
    pub kind: ModelKind,
    pub rows: Vec<usize>,
}

impl Task<'_> {
    /// Fits or loads, scores, explains.
    pub(super) fn run(&self) -> Result<Judged, LabError> {
        let settings = &self.plan.settings;
        let begins = |part| self.plan.watch.begins(self.kind.as_str(), part);
        let mut notes = Vec::new();
        let Fitted { models, values, matrix, spans, learnt_from } = self.fitted(&mut notes)?;
        if let Some(folder) = &self.plan.save {
            models.save(folder, self.kind)?;
        }
        if self.plan.fit_only {
            return Ok(Judged { notes, ..Judged::default() });
        }
        begins("scores");
        let opinions = models.score(&matrix)?;
        let threshold = settings.threshold.unwrap_or_else(|| models.threshold());
        let features: Vec<&Feature> = self.catalogue.for_model(self.kind).collect();
        let model_id = models.id();
        let report = ModelReport {
            kind: self.kind.as_str(),
            sessions: count(self.rows.len()),
            fitted_on: count(learnt_from),
            meta_learner: models.is_learnt(),
            threshold,
            id: model_id.clone(),
        };
        begins("nearest changes");
        let changes = self.changes(&models, &values, &spans, &opinions, threshold)?;
        let verdict = |explained: &Explained, index: usize, opinion: &models::Opinion, row: usize| {
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
        let scores: Vec<f64> = opinions.iter().map(|opinion| opinion.score).collect();
        let chosen = explained::chosen(&scores, threshold, settings.explain_max);
        let mut verdicts = Vec::with_capacity(opinions.len());
        for start in (0..opinions.len()).step_by(EXPLAINED_AT_ONCE) {
            let block = start..opinions.len().min(start.saturating_add(EXPLAINED_AT_ONCE));
            begins("explanations");
            let explained = Explained::new(&models, &matrix, &opinions, block.clone(), &chosen)?;
            begins("reasons");
            let rows = opinions.par_iter().zip(&self.rows).enumerate().skip(block.start).take(block.len());
            verdicts.par_extend(rows.map(|(index, (opinion, row))| verdict(&explained, index, opinion, *row)));
        }
        let packed = Some(Packed::new(self.kind, &models, &spans, threshold)?);
        Ok(Judged { verdicts, report: Some(report), packed, notes })
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
    pub(super) fn fitted(&self, notes: &mut Vec<String>) -> Result<Fitted, LabError> {
        let settings = &self.plan.settings;
        let begins = |part| self.plan.watch.begins(self.kind.as_str(), part);
        begins("matrix");
        let values = self.frame.values(self.catalogue, self.kind, &self.rows)?;
        let values = self.switched_off(values, &settings.without)?;
        let matrix = shaped(self.catalogue, self.kind, &values)?;
        let fit_on = self.fit_rows(notes);
        begins("fit");
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
