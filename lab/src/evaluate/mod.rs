//! How well scores separate programs from people, on data whose truth is known: as stored, and by kinds held out of training.
//!
//! Promises: in [`leave_one_out`] a session is scored by a model that saw neither its kind nor any session of its address;
//! people too are scored by models that did not see them; the same frame, truth and settings give the same report.
//!
//! Read next: `truth.rs` (what made a session), `report.rs` (the figures), `lead.rs` (whether the whole is better than its parts), `ja4_models::held_out`.

mod lead;
mod report;
mod truth;

use std::collections::BTreeMap;

use ja4_models::held_out::{HeldOutScore, Subject, folds_by_group, score_held_out};
use ja4_models::{Matrix, VoiceKind};
use ja4_replay::store::{Statement, Store};

pub use self::lead::Lead;
pub use self::report::{Figures, KindFigures, Report, VOICES};
pub use self::truth::{HoldOut, Truth, Truths};
use crate::catalogue::{Catalogue, ModelKind};
use crate::cycle::models;
use crate::cycle::settings::Settings;
use crate::error::LabError;
use crate::frame::{FeatureFrame, shaped};

const SCORES: Statement = Statement::shared(include_str!("../../../sql/shared/queries/evaluate_scores.sql"));

/// Folds that people are dealt into, by address.
const FOLDS: usize = 5;

/// Leaves every kind of program out of training in turn and scores it, beside people that were left out too.
///
/// # Errors
/// A column the view lacks, truth for fewer than two addresses of people, or what the voices refuse.
pub fn leave_one_out(frame: &FeatureFrame, truths: &Truths, settings: &Settings) -> Result<Report, LabError> {
    let catalogue = Catalogue::load().map_err(|error| LabError::Features(error.to_string()))?;
    let kinds = kinds(truths);
    let (people, bots) = counts(truths);
    if people < 10 || bots == 0 {
        return Err(LabError::Ask(format!(
            "evaluate: the labels name {people} sessions of people and {bots} of programs among those stored; at least 10 and 1 are needed"
        )));
    }
    let tables = tables(frame, truths, &kinds, &catalogue)?;
    let subjects: Vec<Subject> = tables.iter().flat_map(|table| table.subjects.iter().copied()).collect();
    let folds = folds_by_group(&subjects, FOLDS, settings.seed);
    let mut figures = report::Collector::default();
    for (place, kind) in kinds.iter().enumerate() {
        let mut scored = Vec::new();
        for table in &tables {
            let people = table.subjects.iter().filter(|subject| subject.kind.is_none()).count();
            let ensemble = models::ensemble(settings, people)?;
            for score in score_held_out(&table.matrix, &table.subjects, &folds, place, &ensemble, settings.seed)? {
                let bot = table.subjects.get(score.row).is_some_and(|subject| subject.kind.is_some());
                scored.push((bot, voices(&score)));
            }
        }
        figures.add(kind, &scored);
    }
    Ok(figures.report(people, bots, truths.mixed))
}

/// Measures the scores that are stored.
///
/// # Errors
/// The engine's refusal, or no stored score of a session whose truth is known.
pub fn as_stored(store: &dyn Store, frame: &FeatureFrame, truths: &Truths) -> Result<Report, LabError> {
    let (scores, places) = truth::by_key(&store.ask(&SCORES, &[])?)?;
    if scores.height() == 0 {
        return Err(LabError::Ask("evaluate: nothing is scored yet; run `ja4-lab score --db DB`".to_owned()));
    }
    let scores = FeatureFrame::from_frame(scores);
    let mut columns = Vec::new();
    for name in ["score_eif", "score_autoencoder", "score_boosted", "score"] {
        columns.push(scores.number(name)?);
    }
    let mut people: Vec<[Option<f64>; 4]> = Vec::new();
    let mut bots: BTreeMap<&str, Vec<[Option<f64>; 4]>> = BTreeMap::new();
    for (key, truth) in truth::keys(frame.data())?.iter().zip(&truths.sessions) {
        let (Some(truth), Some(row)) = (truth, places.get(key)) else { continue };
        let mut said = [None; 4];
        for (slot, column) in said.iter_mut().zip(&columns) {
            *slot = column.get(*row).copied().filter(|score| *score >= 0.0);
        }
        if truth.bot { bots.entry(&truth.kind).or_default().push(said) } else { people.push(said) }
    }
    let mut figures = report::Collector::default();
    for (kind, said) in &bots {
        let scored: Vec<(bool, [Option<f64>; 4])> =
            said.iter().map(|voices| (true, *voices)).chain(people.iter().map(|voices| (false, *voices))).collect();
        figures.add(kind, &scored);
    }
    Ok(figures.report(people.len(), bots.values().map(Vec::len).sum(), truths.mixed))
}

/// One model's sessions with known truth.
struct Table {
    matrix: Matrix,
    subjects: Vec<Subject>,
}

fn tables(frame: &FeatureFrame, truths: &Truths, kinds: &[String], catalogue: &Catalogue) -> Result<Vec<Table>, LabError> {
    let (ips, ja4s) = (frame.text("src_ip")?, frame.text("ja4")?);
    let mut groups: BTreeMap<&str, usize> = BTreeMap::new();
    for ip in &ips {
        let next = groups.len();
        groups.entry(ip).or_insert(next);
    }
    let mut tables = Vec::new();
    for model in ModelKind::ALL {
        let mut rows = Vec::new();
        let mut subjects = Vec::new();
        for (row, (ip, ja4)) in ips.iter().zip(&ja4s).enumerate() {
            let Some(Some(truth)) = truths.sessions.get(row) else { continue };
            if ja4.is_empty() == (model == ModelKind::Complete) {
                continue;
            }
            let kind = if truth.bot { kinds.iter().position(|kind| *kind == truth.kind) } else { None };
            rows.push(row);
            subjects.push(Subject { kind, group: groups.get(ip.as_str()).copied().unwrap_or_default() });
        }
        let ordinary = subjects.iter().filter(|subject| subject.kind.is_none()).count();
        // Without people a model has no baseline; its sessions cannot be evaluated.
        if ordinary >= 2 * FOLDS {
            let values = frame.values(catalogue, model, &rows)?;
            tables.push(Table { matrix: shaped(catalogue, model, &values)?, subjects });
        }
    }
    Ok(tables)
}

fn voices(score: &HeldOutScore) -> [Option<f64>; 4] {
    [VoiceKind::Eif, VoiceKind::Autoencoder, VoiceKind::Boosted, VoiceKind::Ensemble].map(|voice| score.voice(voice))
}

fn kinds(truths: &Truths) -> Vec<String> {
    let named: std::collections::BTreeSet<&String> =
        truths.sessions.iter().flatten().filter(|truth| truth.bot).map(|truth| &truth.kind).collect();
    named.into_iter().cloned().collect()
}

fn counts(truths: &Truths) -> (usize, usize) {
    let known = || truths.sessions.iter().flatten();
    (known().filter(|truth| !truth.bot).count(), known().filter(|truth| truth.bot).count())
}
