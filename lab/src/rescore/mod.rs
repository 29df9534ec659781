//! Re-ranking what is stored: other weights, another threshold, more trusted addresses, without reading a feature again.
//!
//! Every scored session keeps what each voice said of it, so a change of weights or threshold is arithmetic inside the store. Promises: weights and
//! thresholds give the scores that a full run with the same models would give; verdicts, severities and `ml_detected_anomalies` follow in
//! one transaction; a re-ranking kept under a name changes no verdict. Where arithmetic does not suffice (a learnt combination, another engine, other
//! settings) [`applies`] or [`run`] says so, and the caller runs a full cycle.
//!
//! Read next: `sql/duckdb/queries/rescored.sql` (the arithmetic), `keep.rs` (a full run kept under a name), `cycle/settings.rs`.

mod keep;

use std::collections::BTreeMap;

use ja4_replay::store::{Engine, Statement, Store, TableName};
use serde::Serialize;

pub(crate) use self::keep::keep_run;
use crate::cycle::baseline::Exclusion;
use crate::cycle::session_id;
use crate::cycle::settings::Settings;
use crate::error::LabError;
use crate::frame::FeatureFrame;
use crate::rows::{Columns, Rows};

macro_rules! sql {
    ($name:literal) => {
        include_str!(concat!("../../../sql/duckdb/queries/", $name, ".sql"))
    };
}

const RESCORED: &str = sql!("rescored");
const PREVIEW: &str = sql!("rescore_preview");
const BASELINE: &str = sql!("rescore_baseline");
const UPDATE: &str = sql!("rescore_update");
const KEEP: &str = sql!("rescore_keep");
const FORGET: &str = sql!("rescore_forget");
const FORGET_ANOMALIES: &str = sql!("rescore_forget_anomalies");
const KEEP_ANOMALIES: &str = sql!("rescore_keep_anomalies");
const LEARNT: &str = sql!("rescore_learnt");
const SCORE_BASELINE: TableName = TableName { schema: "ja4_processing", table: "score_baseline" };
const KEPT_SCORES: TableName = TableName { schema: "ja4_processing", table: "kept_scores" };
const KEPT_RANKINGS: TableName = TableName { schema: "ja4_processing", table: "kept_rankings" };

/// Part of the false-positive rate at which each severity begins, as the ensemble has it.
const STEPS: [f64; 4] = [1.0, 1.0 / 3.0, 0.1, 1.0 / 30.0];
/// Part of the way from a fixed threshold to 1 at which each severity begins, as a full run has it.
const FIXED_STEPS: [f64; 4] = [0.0, 0.15, 0.35, 0.6];

/// What a re-ranking did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RescoreReport {
    /// Sessions ranked.
    pub sessions: i64,
    /// Of those, anomalous now.
    pub anomalies: i64,
    /// Anomalous now and not before.
    pub became_anomalous: i64,
    /// Anomalous before and not now.
    pub became_ordinary: i64,
    /// Threshold by kind of model.
    pub thresholds: BTreeMap<String, f64>,
    /// The name it was kept under; empty if it is in force.
    pub kept_as: String,
}

/// Which of the settings that arithmetic can change were given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Given {
    threshold: bool,
    fpr: bool,
    weights: bool,
}

/// Whether settings such as `threshold=0.7` are all of the kind that needs no feature, and there is at least one.
#[must_use]
pub fn applies(texts: &[String]) -> bool {
    let key = |text: &String| text.split('=').next().unwrap_or_default().trim().to_owned();
    let known = |key: &str| matches!(key, "threshold" | "fpr" | "allow+" | "allow") || key.starts_with("weights.");
    !texts.is_empty() && texts.iter().all(|text| known(&key(text)))
}

/// Keeps which sessions set the baseline: thresholds are taken from them later. Called after every full run.
///
/// # Errors
/// The engine's refusal.
pub fn remember(store: &dyn Store, frame: &FeatureFrame, exclusions: &[Exclusion]) -> Result<(), LabError> {
    let hours = frame.int("win_ms")?;
    let (ips, ja4s, hosts) = (frame.text("src_ip")?, frame.text("ja4")?, frame.text("host")?);
    let mut all: Vec<String> = hours.iter().map(i64::to_string).collect();
    let rows: Vec<usize> = (0..hours.len()).filter(|row| exclusions.get(*row).is_some_and(Option::is_none)).collect();
    let batch = Columns::new()
        .text("hour", rows.iter().map(|row| hours[*row].to_string()))
        .text("session_id", rows.iter().map(|row| session_id(hours[*row], &ips[*row], &ja4s[*row], &hosts[*row])))
        .batch()?;
    all.dedup();
    let keys: Vec<&str> = all.iter().map(String::as_str).collect();
    Ok(store.replace(SCORE_BASELINE, "hour", &keys, Some(batch))?)
}

/// Re-ranks the hours from `from_ms` to `to_ms` by `texts` (see [`applies`]); `None` where only a full run can.
///
/// # Errors
/// A setting out of range, or the engine's refusal; then nothing is changed.
pub fn run(
    store: &dyn Store,
    texts: &[String],
    hours: (i64, i64),
    keep_as: Option<&str>,
    clock_ns: i64,
) -> Result<Option<RescoreReport>, LabError> {
    let settings = Settings::parse(texts)?;
    let has = |start: &str| texts.iter().any(|text| text.trim_start().starts_with(start));
    let given = Given { threshold: has("threshold"), fpr: has("fpr"), weights: has("weights.") };
    if store.engine() != Engine::DuckDb || given.weights && is_learnt(store)? {
        return Ok(None);
    }
    let mut values = Values::new(&settings, given, hours);
    if let Some(threshold) = settings.threshold {
        let steps = FIXED_STEPS.map(|part| threshold + part * (1.0 - threshold));
        values.steps(steps, steps);
    } else if given.fpr || given.weights {
        let Some([complete, application]) = steps_of_baseline(store, &values, settings.fpr)? else { return Ok(None) };
        values.steps(complete, application);
    }
    let mut report = preview(store, &values)?;
    if report.sessions == 0 {
        return Ok(None);
    }
    match keep_as {
        Some(name) => {
            crate::audit::check_name("--keep-as", name)?;
            keep(store, name, &settings, &values, &report, clock_ns)?;
            name.clone_into(&mut report.kept_as);
        }
        None => put_in_force(store, &values, hours)?,
    }
    Ok(Some(report))
}

/// The values of `rescored.sql`, in order.
struct Values(Vec<String>);

impl Values {
    const STEPS_AT: usize = 4;

    fn new(settings: &Settings, given: Given, hours: (i64, i64)) -> Self {
        let weights = [settings.weight_eif, settings.weight_autoencoder, settings.weight_boosted];
        let mut values: Vec<String> = weights.iter().map(f64::to_string).collect();
        values.push(i64::from(given.weights).to_string());
        values.extend(std::iter::repeat_n("0".to_owned(), 9));
        values.extend([settings.allow.join(","), hours.0.to_string(), hours.1.to_string()]);
        Self(values)
    }

    fn steps(&mut self, complete: [f64; 4], application: [f64; 4]) {
        let steps = complete.iter().chain(&application).map(f64::to_string).chain(["1".to_owned()]);
        self.0.iter_mut().skip(Self::STEPS_AT).zip(steps).for_each(|(slot, step)| *slot = step);
    }

    fn texts(&self) -> Vec<&str> {
        self.0.iter().map(String::as_str).collect()
    }
}

/// A statement with the re-ranking in its marked place.
fn with_ranking(text: &str) -> String {
    text.replace("/*rescored*/", RESCORED)
}

fn ask(store: &dyn Store, text: &str, values: &Values) -> Result<Rows, LabError> {
    let text = with_ranking(text);
    Rows::ask(store, &Statement::shared(&text), &values.texts())
}

fn is_learnt(store: &dyn Store) -> Result<bool, LabError> {
    let rows = Rows::ask(store, &Statement::shared(LEARNT), &[])?;
    Ok(rows.count("learnt")?.first().is_some_and(|count| *count > 0))
}

/// Steps of severity from the scores of the baseline: complete model, application model. `None` where no baseline is kept.
fn steps_of_baseline(store: &dyn Store, values: &Values, fpr: f64) -> Result<Option<[[f64; 4]; 2]>, LabError> {
    let rows = ask(store, BASELINE, values)?;
    if rows.is_empty() {
        return Ok(None);
    }
    let (kinds, scores) = (rows.text("model_kind")?, rows.float("new_score")?);
    let of = |kind: &str| {
        let own: Vec<f64> = kinds.iter().zip(&scores).filter(|(found, _)| *found == kind).map(|(_, score)| *score).collect();
        STEPS.map(|part| lowest_reached_by(&own, fpr * part))
    };
    Ok(Some([of("complete"), of("application")]))
}

/// The lowest of `scores` (ascending) that at most `share` of them reach, or just above the largest.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a share of a count")]
fn lowest_reached_by(scores: &[f64], share: f64) -> f64 {
    let allowed = (scores.len() as f64 * share).floor() as usize;
    let Some(excluded) = scores.len().checked_sub(allowed + 1).and_then(|at| scores.get(at)) else {
        return scores.first().copied().unwrap_or(1.0);
    };
    let next = scores.iter().find(|score| *score > excluded);
    next.copied().unwrap_or(excluded + 1e-9 * (1.0 + excluded.abs()))
}

fn preview(store: &dyn Store, values: &Values) -> Result<RescoreReport, LabError> {
    let rows = ask(store, PREVIEW, values)?;
    let sum = |name: &str| Ok::<_, LabError>(rows.count(name)?.into_iter().fold(0, i64::saturating_add));
    Ok(RescoreReport {
        sessions: sum("sessions")?,
        anomalies: sum("anomalies")?,
        became_anomalous: sum("became_anomalous")?,
        became_ordinary: sum("became_ordinary")?,
        thresholds: rows.text("model_kind")?.into_iter().zip(rows.float("threshold")?).collect(),
        kept_as: String::new(),
    })
}

fn put_in_force(store: &dyn Store, values: &Values, hours: (i64, i64)) -> Result<(), LabError> {
    let update = with_ranking(UPDATE);
    let (from, to) = (hours.0.to_string(), hours.1.to_string());
    let ends = [from.as_str(), to.as_str()];
    let texts = values.texts();
    store.change_together(&[(update.as_str(), texts.as_slice()), (FORGET_ANOMALIES, &ends), (KEEP_ANOMALIES, &ends)])?;
    Ok(store.checkpoint()?)
}

fn keep(
    store: &dyn Store,
    name: &str,
    settings: &Settings,
    values: &Values,
    report: &RescoreReport,
    clock_ns: i64,
) -> Result<(), LabError> {
    let text = with_ranking(KEEP);
    let mut all = vec![name];
    all.extend(values.texts());
    store.change_together(&[(FORGET, &[name]), (text.as_str(), all.as_slice())])?;
    note_ranking(store, name, settings, report, clock_ns)
}

/// Notes a kept ranking in the list of them.
fn note_ranking(
    store: &dyn Store,
    name: &str,
    settings: &Settings,
    report: &RescoreReport,
    clock_ns: i64,
) -> Result<(), LabError> {
    let batch = Columns::new()
        .text("name", [name])
        .int("ts_ns", [clock_ns])
        .text("settings", [serde_json::to_string(settings).unwrap_or_default()])
        .int("sessions", [report.sessions])
        .int("anomalies", [report.anomalies])
        .int("became_anomalous", [report.became_anomalous])
        .int("became_ordinary", [report.became_ordinary])
        .batch()?;
    store.replace(KEPT_RANKINGS, "name", &[name], Some(batch))?;
    Ok(store.checkpoint()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_settings_that_need_no_feature_are_arithmetic() {
        let texts = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        assert!(applies(&texts(&["threshold=0.7", "weights.eif=1", "allow+=192.0.2.1", "fpr=0.01"])));
        assert!(!applies(&texts(&["threshold=0.7", "trees=5"])) && !applies(&[]));
    }

    #[test]
    fn no_more_than_the_share_reaches_the_threshold() {
        let scores: Vec<f64> = (0..1000).map(f64::from).collect();
        assert_eq!(lowest_reached_by(&scores, 0.01), 990.0);
        assert!(lowest_reached_by(&[1.0; 50], 0.1) > 1.0);
        assert_eq!(lowest_reached_by(&[], 0.1), 1.0);
    }
}
