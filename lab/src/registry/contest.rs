//! Champion and challenger: a new version takes over only if it is not worse on labels that neither learned from.
//!
//! Promises: the held-out hours come strictly after those the challenger learned from, or there is no contest; analysts' labels decide
//! where there are enough, else (only if the caller agrees) those of rules, lists and claims; where there are too few of both, the champion
//! stays. Read next: `mod.rs`, `crate::retrain`, `crate::feedback`.

use std::collections::BTreeMap;
use std::path::Path;

use ja4_models::metrics::Metrics;
use ja4_replay::store::{Statement, Store};

use super::Registry;
use crate::catalogue::{Catalogue, ModelKind};
use crate::cycle::models::ModelSet;
use crate::cycle::{self, CyclePlan, session_id};
use crate::error::LabError;
use crate::feedback;
use crate::frame::shaped;
use crate::rows::Rows;

const STORED: Statement = Statement::shared(include_str!("../../../sql/shared/queries/stored_labels.sql"));

/// Labelled sessions of each class that a contest needs.
const LEAST: usize = 10;
/// How much worse in average precision is not worse: what a handful of sessions moves.
const SLACK: f64 = 0.01;

/// Whose labels may decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judges {
    /// Analysts alone.
    Analysts,
    /// Analysts, or where they said too little everything that labels sessions.
    Anyone,
}

/// How a contest went.
#[derive(Debug, Clone, PartialEq)]
pub struct Contest {
    /// Held-out sessions with a label: bots, others.
    pub labelled: (usize, usize),
    /// Who gave those labels, in words.
    pub judged_by: &'static str,
    /// Average precision: champion, challenger.
    pub precision: Option<(f64, f64)>,
    /// Whether the challenger may take over.
    pub takes_over: bool,
    /// Why, as a sentence.
    pub reason: String,
}

impl Registry {
    /// Lets `challenger` contest the version in use over sessions from `from_ms` on.
    ///
    /// # Errors
    /// The challenger learned from held-out hours, a version is damaged, or the engine's refusal.
    pub fn contest(&self, store: &dyn Store, challenger: &str, from_ms: i64, judges: Judges) -> Result<Contest, LabError> {
        let manifest = self.show(challenger)?;
        if manifest.data.to_ms == 0 || manifest.data.to_ms > from_ms {
            return Err(LabError::Ask(format!(
                "model promote: {challenger} may have learned from the held-out sessions; fit it with --to at or before --holdout-from"
            )));
        }
        let champion = self.current()?.current;
        if champion.is_empty() || champion == challenger {
            let reason = "no other model is in use, so there is nobody to contest".to_owned();
            return Ok(Contest { labelled: (0, 0), judged_by: "nobody", precision: None, takes_over: true, reason });
        }
        let folders = [self.checked_folder(&champion)?, self.checked_folder(challenger)?];
        let truth = of_analysts(store, from_ms)?;
        let (mut labels, mut scores) = held_out(store, [&folders[0], &folders[1]], from_ms, &truth)?;
        let mut judged_by = "analysts";
        if judges == Judges::Anyone && least(&labels) < LEAST {
            let truth = stored(store, from_ms)?;
            (labels, scores) = held_out(store, [&folders[0], &folders[1]], from_ms, &truth)?;
            judged_by = "analysts, rules, lists and claims";
        }
        let bots = labels.iter().filter(|bot| **bot).count();
        let labelled = (bots, labels.len() - bots);
        if least(&labels) < LEAST {
            let (a, b) = labelled;
            let reason = format!(
                "only {a} bots and {b} others are labelled in the held-out hours ({LEAST} of each are needed): {champion} stays"
            );
            return Ok(Contest { labelled, judged_by, precision: None, takes_over: false, reason });
        }
        let of = |scores: &[f64]| Ok::<_, LabError>(Metrics::of(scores, &labels)?.ap);
        let precision = (of(&scores[0])?, of(&scores[1])?);
        let takes_over = precision.1 >= precision.0 - SLACK;
        let word = if takes_over { "not worse" } else { "worse" };
        let reason = format!(
            "average precision {:.4} against {:.4} of {champion} on {} sessions labelled by {judged_by}: {word}",
            precision.1,
            precision.0,
            labels.len()
        );
        Ok(Contest { labelled, judged_by, precision: Some(precision), takes_over, reason })
    }
}

/// Size of the smaller class.
fn least(labels: &[bool]) -> usize {
    let bots = labels.iter().filter(|bot| **bot).count();
    bots.min(labels.len() - bots)
}

/// What analysts said of sessions from `from_ms` on: by session id, true for a bot.
fn of_analysts(store: &dyn Store, from_ms: i64) -> Result<BTreeMap<String, bool>, LabError> {
    let truth = feedback::truth(store)?.into_iter().filter(|truth| truth.win_ms >= from_ms);
    Ok(truth.map(|truth| (truth.session_id, truth.bot)).collect())
}

/// The same from every source of labels, as the last scoring stored them.
fn stored(store: &dyn Store, from_ms: i64) -> Result<BTreeMap<String, bool>, LabError> {
    let rows = Rows::ask(store, &STORED, &[&from_ms.to_string()])?;
    Ok(rows.text("session_id")?.into_iter().zip(rows.int("label")?.into_iter().map(|label| label == 1)).collect())
}

/// Labels and the scores of both versions, for every held-out session in `truth`.
fn held_out(
    store: &dyn Store,
    folders: [&Path; 2],
    from_ms: i64,
    truth: &BTreeMap<String, bool>,
) -> Result<(Vec<bool>, [Vec<f64>; 2]), LabError> {
    let (mut labels, mut scores) = (Vec::new(), [Vec::new(), Vec::new()]);
    if truth.is_empty() {
        return Ok((labels, scores));
    }
    let catalogue = Catalogue::load().map_err(|error| LabError::Features(error.to_string()))?;
    let frame = cycle::read_frame(store, &CyclePlan { from_ms: Some(from_ms), ..CyclePlan::default() })?;
    let keys = (frame.int("win_ms")?, frame.text("src_ip")?, frame.text("ja4")?, frame.text("host")?);
    for kind in ModelKind::ALL {
        let mut rows = Vec::new();
        for row in 0..frame.sessions() {
            if keys.2[row].is_empty() == (kind == ModelKind::Application)
                && let Some(bot) = truth.get(&session_id(keys.0[row], &keys.1[row], &keys.2[row], &keys.3[row]))
                && folders.iter().all(|folder| folder.join(super::model_file(kind)).is_file())
            {
                rows.push(row);
                labels.push(*bot);
            }
        }
        if rows.is_empty() {
            continue;
        }
        let matrix = shaped(&catalogue, kind, &frame.values(&catalogue, kind, &rows)?)?;
        for (folder, scores) in folders.iter().zip(&mut scores) {
            let opinions = ModelSet::load(folder, kind, matrix.features())?.score(&matrix)?;
            scores.extend(opinions.into_iter().map(|opinion| opinion.score));
        }
    }
    Ok((labels, scores))
}
