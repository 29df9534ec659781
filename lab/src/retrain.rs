//! The model of a service over months: one version in use, a challenger when drift asks for it, and a contest between the two.
//!
//! Promises: a challenger learns from hours that end where the held-out hours begin, and the version in use learned from none of the held-out
//! ones either; it takes over only if it is not worse on their labels; every attempt leaves its figures in `ml_performance_metrics` and a
//! line in `audit_logs`; an attempt over the same hours is the same attempt, recorded once; after one there is a pause of [`PAUSE_MS`] of data,
//! so that a lost contest is not fought again every hour.
//!
//! Read next: `crate::registry` (versions, contest), `crate::drift` (who asks).

use std::path::PathBuf;

use ja4_replay::store::{Statement, Store};

use crate::audit::{self, Entry};
use crate::catalogue::{Catalogue, ModelKind};
use crate::cycle::settings::Settings;
use crate::cycle::{CyclePlan, CycleReport};
use crate::drift::metrics::{self, Line};
use crate::error::LabError;
use crate::registry::{Contest, Judges, Manifest, Registry};
use crate::rows::{Rows, short_id};

const ATTEMPTS: Statement = Statement::shared(include_str!("../../sql/shared/queries/retrain_attempts.sql"));
const HOUR_MS: i64 = 3_600_000;
/// Data time from one attempt to the next, ms (6 hours).
pub const PAUSE_MS: i64 = 6 * HOUR_MS;
/// Who stands in the audit log.
const ACTOR: &str = "detect";

/// Which models a service keeps, and from what it may learn.
#[derive(Debug, Clone)]
pub struct Keeping {
    /// Where versions are kept.
    pub registry: Registry,
    /// The newest hours, by whose labels a challenger is judged, ns.
    pub holdout_ns: i64,
    /// How long before those a challenger learns, ns.
    pub learn_ns: i64,
}

/// How an attempt went.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// The version now in use is another one.
    pub promoted: bool,
    /// Why, as a sentence.
    pub reason: String,
}

impl Keeping {
    /// The version in use, if there is one that this program can score with.
    ///
    /// # Errors
    /// The registry is damaged.
    pub fn champion(&self) -> Result<Option<(Manifest, PathBuf)>, LabError> {
        let id = self.registry.current()?.current;
        if id.is_empty() {
            return Ok(None);
        }
        let folder = self.registry.checked_folder(&id)?;
        let manifest = self.registry.show(&id)?;
        Ok(knows_our_features(&manifest)?.then_some((manifest, folder)))
    }

    /// The first version: fits on what `plan` scores, scores with it, takes it into use.
    ///
    /// # Errors
    /// What the run or the registry refuses.
    pub fn begin(&self, store: &dyn Store, plan: &CyclePlan, clock_ns: i64) -> Result<CycleReport, LabError> {
        let before = self.registry.current()?.current;
        let note =
            if before.is_empty() { "the first version of a service" } else { "the version before it knows other features" };
        let (id, mut report) = self.registry.fit(store, plan, "", note, clock_ns)?;
        if let Some(id) = id {
            self.registry.promote(&id)?;
            note_deed(store, clock_ns, &id, "done", note)?;
            report.notes.push(format!("model {id} was fitted and is in use from now on ({note})"));
        }
        Ok(report)
    }

    /// Fits a challenger and lets it contest the version in use; `newest_ms` is the newest scored hour. `None` while the pause since the
    /// last attempt lasts.
    ///
    /// # Errors
    /// The engine's or the registry's refusal.
    pub fn retrain(
        &self,
        store: &dyn Store,
        settings: &Settings,
        newest_ms: i64,
        clock_ns: i64,
    ) -> Result<Option<Attempt>, LabError> {
        let Some((champion, _)) = self.champion()? else { return Ok(None) };
        let last = Rows::ask(store, &ATTEMPTS, &[])?.float("hour")?.into_iter().next().unwrap_or(-1.0);
        #[allow(clippy::cast_precision_loss, reason = "hours since 1970")]
        if last >= 0.0 && (newest_ms.saturating_sub(PAUSE_MS) / HOUR_MS) as f64 <= last {
            return Ok(None);
        }
        let (learn, holdout_from) = self.split(&champion, newest_ms);
        let plan = CyclePlan {
            settings: settings.clone(),
            from_ms: Some(learn.0),
            to_ms: Some(learn.1),
            fit_only: true,
            ..CyclePlan::default()
        };
        let (id, fitted) = self.registry.fit(store, &plan, "", "fitted because of drift", clock_ns)?;
        let contest = match &id {
            None => lost("there is no session to learn from before the held-out hours".to_owned()),
            Some(id) if *id == champion.id => lost("the hours before the held-out ones give the version in use again".to_owned()),
            Some(id) => self.registry.contest(store, id, holdout_from, Judges::Anyone)?,
        };
        let challenger = id.unwrap_or_default();
        if contest.takes_over {
            self.registry.promote(&challenger)?;
        }
        let ids = [champion.id.as_str(), challenger.as_str()];
        record(store, ids, &contest, (newest_ms, holdout_from), fitted.sessions, clock_ns)?;
        let outcome = if contest.takes_over { "done" } else { "refused" };
        note_deed(store, clock_ns, if challenger.is_empty() { &champion.id } else { &challenger }, outcome, &contest.reason)?;
        Ok(Some(Attempt { promoted: contest.takes_over, reason: contest.reason }))
    }

    /// Hours to learn from, and where the held-out ones begin: what neither version has seen.
    fn split(&self, champion: &Manifest, newest_ms: i64) -> ((i64, i64), i64) {
        let end_ms = newest_ms.saturating_add(HOUR_MS);
        let holdout_from = end_ms.saturating_sub(whole_hours(self.holdout_ns)).max(champion.data.to_ms);
        ((holdout_from.saturating_sub(whole_hours(self.learn_ns)), holdout_from), holdout_from)
    }
}

/// A length in ns as ms, in whole hours, at least one.
fn whole_hours(ns: i64) -> i64 {
    (ns / 1_000_000 / HOUR_MS).max(1).saturating_mul(HOUR_MS)
}

/// Whether every model of a version sees exactly the features of this program.
fn knows_our_features(manifest: &Manifest) -> Result<bool, LabError> {
    let catalogue = Catalogue::load().map_err(|error| LabError::Features(error.to_string()))?;
    let same = |kind: ModelKind, names: &[String]| {
        catalogue.for_model(kind).map(|feature| feature.name.as_str()).eq(names.iter().map(String::as_str))
    };
    let known = |file: &str| ModelKind::ALL.into_iter().find(|kind| crate::registry::model_file(*kind) == file);
    Ok(manifest.models.iter().all(|model| known(&model.file).is_some_and(|kind| same(kind, &model.features))))
}

/// A contest that could not be held.
fn lost(reason: String) -> Contest {
    Contest { labelled: (0, 0), judged_by: "nobody", precision: None, takes_over: false, reason }
}

/// Figures of an attempt: `retrain_ap` of both versions, whether it took over, and when it was (hour of the data, since 1970).
fn record(
    store: &dyn Store,
    [champion, challenger]: [&str; 2],
    contest: &Contest,
    (newest_ms, holdout_from): (i64, i64),
    learned: u64,
    clock_ns: i64,
) -> Result<(), LabError> {
    let size = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let (bots, others) = contest.labelled;
    let labelled = size(bots + others);
    let mut lines = Vec::new();
    if let Some((a, b)) = contest.precision {
        for (model_id, value) in [(champion, a), (challenger, b)] {
            lines.push(Line { model_id, labelled, sessions: labelled, ..Line::new("retrain_ap", value) });
        }
    }
    let detail =
        serde_json::json!({"champion": champion, "challenger": challenger, "holdout_from_ms": holdout_from, "bots": bots,
        "others": others, "judged_by": contest.judged_by, "reason": contest.reason})
        .to_string();
    let sessions = i64::try_from(learned).unwrap_or(i64::MAX);
    let promoted = if contest.takes_over { 1.0 } else { 0.0 };
    lines.push(Line { model_id: challenger, sessions, labelled, detail, ..Line::new("retrain_promoted", promoted) });
    #[allow(clippy::cast_precision_loss, reason = "hours since 1970")]
    lines.push(Line { model_id: challenger, ..Line::new("retrain_hour", (newest_ms / HOUR_MS) as f64) });
    let id = short_id(["retrain", champion, &newest_ms.to_string(), &holdout_from.to_string()]);
    metrics::write(store, &id, &lines, clock_ns)
}

fn note_deed(store: &dyn Store, ts_ns: i64, target: &str, outcome: &str, detail: &str) -> Result<(), LabError> {
    audit::record(store, &Entry { ts_ns, actor: ACTOR, action: "model promote", target, outcome, detail })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_version_has_seen_the_held_out_hours() {
        let day_ns = 24 * HOUR_MS * 1_000_000;
        let keeping = Keeping { registry: Registry::new(std::path::Path::new("x")), holdout_ns: day_ns, learn_ns: 7 * day_ns };
        let mut champion = Manifest::default();
        let newest = 1_000 * HOUR_MS;
        champion.data.to_ms = 100 * HOUR_MS;
        assert_eq!(keeping.split(&champion, newest), ((809 * HOUR_MS, 977 * HOUR_MS), 977 * HOUR_MS));
        // It learned until yesterday noon: only what came since may judge.
        champion.data.to_ms = 990 * HOUR_MS;
        assert_eq!(keeping.split(&champion, newest), ((822 * HOUR_MS, 990 * HOUR_MS), 990 * HOUR_MS));
    }

    #[test]
    fn a_version_of_other_features_is_not_in_use() {
        let entry = |features: Vec<String>| crate::registry::ModelEntry {
            file: "complete.ja4model".to_owned(),
            features,
            ..crate::registry::ModelEntry::default()
        };
        let catalogue = Catalogue::load().unwrap();
        let ours: Vec<String> = catalogue.for_model(ModelKind::Complete).map(|feature| feature.name.clone()).collect();
        let of = |features| knows_our_features(&Manifest { models: vec![entry(features)], ..Manifest::default() }).unwrap();
        assert!(of(ours.clone()));
        assert!(!of(ours[1..].to_vec()));
    }
}
