//! `score` (what is stored) and `anomaly` (any table of numbers).
//!
//! Promises: nothing is imported; the last line of `anomaly` with labels is one JSON object of metrics.
//!
//! Read next: `crate::cycle`, `crate::anomaly`.

use std::io::Write as _;

use ja4_replay::store::{self, Contents, OpenOptions, Store};

use super::args::{AnomalyArgs, ScoreArgs, SummaryFormat};
use super::console::Console;
use super::timings::Timings;
use crate::anomaly::{self, Scored};
use crate::cycle::settings::Settings;
use crate::cycle::watch::{RUN, Watch};
use crate::cycle::{self, CyclePlan};
use crate::error::LabError;
use crate::{rescore, sessions};

pub fn run(args: &ScoreArgs, threads: usize, console: &Console) -> Result<(), LabError> {
    if let Some(name) = &args.keep_as {
        crate::audit::check_name("--keep-as", name)?;
    }
    let timings = Timings::default();
    let plan = CyclePlan {
        settings: Settings::parse(&args.settings)?,
        load: args.model.clone(),
        save: args.save_model.clone(),
        from_ms: args.from.as_deref().map(parse_time).transpose()?,
        to_ms: args.to.as_deref().map(parse_time).transpose()?,
        keep_as: args.keep_as.clone().map(|name| (name, Console::now_ns())),
        watch: if args.timings { timings.watch() } else { Watch::default() },
        ..CyclePlan::default()
    };
    if !store::may_exist(&args.db) {
        sessions::open_confined(&args.db)?;
    }
    let mut store = store::open(&args.db, &OpenOptions { threads, now_ns: Console::now_ns(), ..OpenOptions::default() })?;
    store.migrate()?;
    if rank_anew(args, &plan, &*store, console)? {
        return Ok(());
    }
    let bar = console.bar(0, "scoring");
    let report = cycle::run(&*store, &plan);
    bar.finish_and_clear();
    let mut report = report?;
    if let Some(name) = &args.keep_as {
        store.checkpoint()?;
        report.notes.push(format!("kept as {name:?}; the verdicts in force are unchanged"));
    }
    timings.add(RUN, "digest of the scores");
    if report.features_digest.is_empty() {
        report.features_digest = store.digest(Contents::Features)?;
    }
    report.scores_digest = store.digest(Contents::Scores)?;
    if args.timings {
        timings.print(console);
    }
    for note in &report.notes {
        console.note(note);
    }
    if args.summary == SummaryFormat::Json {
        return console.line(&serde_json::to_string(&report).unwrap_or_default());
    }
    console.line(&format!("scored    {} sessions, {} anomalous", report.sessions, report.anomalies))?;
    console.line(&format!("baseline  {} sessions look like people", report.baseline))?;
    for model in &report.models {
        console.line(&format!(
            "model     {} {}: learned from {} of {} sessions, threshold {:.4}",
            model.kind, model.id, model.fitted_on, model.sessions, model.threshold
        ))?;
    }
    console.line(&format!("digests   features {}", report.features_digest))?;
    console.line(&format!("          scores {}", report.scores_digest))
}

/// Does it by arithmetic over what is stored, where that suffices; false where a full run is needed.
fn rank_anew(args: &ScoreArgs, plan: &CyclePlan, store: &dyn Store, console: &Console) -> Result<bool, LabError> {
    let arithmetic = rescore::applies(&args.settings) && plan.load.is_none() && plan.save.is_none();
    let hours = (plan.from_ms.unwrap_or(i64::MIN / 2), plan.to_ms.unwrap_or(i64::MAX / 2));
    let keep_as = args.keep_as.as_deref();
    let done = if arithmetic { rescore::run(store, &args.settings, hours, keep_as, Console::now_ns())? } else { None };
    let Some(report) = done else { return Ok(false) };
    if args.summary == SummaryFormat::Json {
        return console.line(&serde_json::to_string(&report).unwrap_or_default()).map(|()| true);
    }
    console.line(&format!("ranked    {} stored sessions anew, {} anomalous", report.sessions, report.anomalies))?;
    console
        .line(&format!("changed   {} became anomalous, {} became ordinary", report.became_anomalous, report.became_ordinary))?;
    for (kind, threshold) in &report.thresholds {
        console.line(&format!("threshold {kind} {threshold:.4}"))?;
    }
    if !report.kept_as.is_empty() {
        console.line(&format!("kept      as {:?}; the verdicts in force are unchanged", report.kept_as))?;
    }
    Ok(true)
}

pub fn anomaly(args: &AnomalyArgs, console: &Console) -> Result<(), LabError> {
    let table = anomaly::read_table(&args.table, args.label.as_deref())?;
    for name in &table.left_out {
        console.note(&format!("column {name:?} holds no numbers and was left out"));
    }
    let scored = anomaly::score(&table, args.voice.into(), args.seed)?;
    if let Some(output) = &args.output {
        write_scores(&scored, output, console)?;
    } else if table.labels.is_none() {
        write_scores(&scored, std::path::Path::new("-"), console)?;
    }
    match scored.metrics {
        Some(metrics) => console.line(&metrics.to_string()),
        None => Ok(()),
    }
}

fn write_scores(scored: &Scored, output: &std::path::Path, console: &Console) -> Result<(), LabError> {
    let mut text = Vec::with_capacity(scored.scores.len().saturating_mul(24));
    let _ = writeln!(text, "row,score");
    for (row, score) in scored.scores.iter().enumerate() {
        let _ = writeln!(text, "{row},{score}");
    }
    if output == std::path::Path::new("-") {
        console.bytes(&text)
    } else {
        std::fs::write(output, text).map_err(LabError::io("write", output))
    }
}

pub fn parse_time(text: &str) -> Result<i64, LabError> {
    Ok(parse_instant(text)?.as_millisecond())
}

/// An instant as RFC 3339 has it, or a date, which is its first instant in UTC.
pub fn parse_instant(text: &str) -> Result<jiff::Timestamp, LabError> {
    let date = || text.parse::<jiff::civil::Date>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok();
    let found = text.parse::<jiff::Timestamp>().ok().or_else(|| date().map(|day| day.timestamp()));
    found.ok_or_else(|| {
        LabError::Ask(format!("{text:?} is no time; write it as 2026-11-20T14:00:00Z, or 2026-11-20 for midnight UTC"))
    })
}

/// `FROM..TO` as ms since 1970, end excluded.
pub fn parse_span(text: &str) -> Result<(i64, i64), LabError> {
    let (from, to) = text.split_once("..").ok_or_else(|| {
        LabError::Ask(format!("{text:?} is no span; write FROM..TO, such as 2026-11-20T14:00:00Z..2026-11-21T14:00:00Z"))
    })?;
    let span = (parse_time(from)?, parse_time(to)?);
    if span.0 < span.1 { Ok(span) } else { Err(LabError::Ask(format!("{text:?} is no span: it ends before it begins"))) }
}
