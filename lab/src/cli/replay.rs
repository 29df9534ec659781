//! `replay`: import, score, summarise.
//!
//! Promises: the summary says what became of every file and why anything is zero; the database holds what the summary says.
//!
//! Read next: `ja4_replay::pipeline`, `crate::cycle`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use ja4_replay::pipeline::{JoinTruth, Progress, ReplayPlan, ReplaySummary, Skew, replay};
use ja4_replay::store::{self, Contents, OpenOptions, RunRecord, Store};

use super::args::{ReplayArgs, RowFormat, SummaryFormat, parse_duration};
use super::ask;
use super::console::Console;
use crate::cycle::{self, CyclePlan, CycleReport};
use crate::error::LabError;
use crate::sessions;

pub fn run(args: &ReplayArgs, threads: usize, console: &Console) -> Result<(), LabError> {
    let mut plan = plan(args, threads)?;
    let spooled = Spooled::from_stdin(&mut plan)?;
    let pace = Pace::parse(&args.speed)?;
    let summary = import_and_score(&plan, &args.db, !args.no_score, pace, console)?;
    drop(spooled);
    print(&summary, args.summary, console)?;
    if args.summary == SummaryFormat::Text && !args.no_score && args.top > 0 && summary.sessions > 0 {
        let store = sessions::open_confined(&args.db)?;
        console.rows(&sessions::ranked(&*store, args.top, None)?, RowFormat::Table)?;
    }
    Ok(())
}

/// Imports, then scores, then records the run; used by `replay` and `demo`.
pub fn import_and_score(
    plan: &ReplayPlan,
    db: &Path,
    score: bool,
    pace: Pace,
    console: &Console,
) -> Result<ReplaySummary, LabError> {
    let started_ns = Console::now_ns();
    let options = OpenOptions { threads: plan.threads, now_ns: started_ns, ..OpenOptions::default() };
    let mut store = store::open(db, &options)?;
    if let Some(old) = store.set_aside() {
        console.note(&ask::set_aside(db, old));
    }
    store.migrate()?;
    let reporter = Reporter { bar: console.bar(0, "reading"), pace, console };
    let result = replay(plan, &mut *store, &reporter);
    reporter.bar.finish_and_clear();
    let mut summary = result?;
    if score {
        let scoring = console.bar(0, "scoring");
        let report = cycle::run(&*store, &CyclePlan::default());
        scoring.finish_and_clear();
        fill(&mut summary, report?);
    }
    digests(&*store, &mut summary, score)?;
    summary.elapsed_secs = console.elapsed_secs();
    store.record_run(&RunRecord {
        run_id: summary.run_id.clone(),
        command: "replay".to_owned(),
        config: ja4_replay::pipeline::settings(plan),
        rows_digest: summary.rows_digest.clone(),
        features_digest: summary.features_digest.clone(),
        scores_digest: summary.scores_digest.clone(),
        counters: serde_json::to_string(&summary).unwrap_or_default(),
        started_ns,
        finished_ns: Console::now_ns(),
    })?;
    store.checkpoint()?;
    Ok(summary)
}

fn plan(args: &ReplayArgs, threads: usize) -> Result<ReplayPlan, LabError> {
    let skew = match args.skew.as_str() {
        "auto" => Skew::Auto,
        text => Skew::Fixed(parse_duration(text).map_err(|why| LabError::Ask(format!("--skew: {why}, or auto")))?),
    };
    Ok(ReplayPlan {
        captures: args.captures.clone(),
        http_logs: args.http_log.clone(),
        http_format: args.http_format.clone(),
        window_ns: args.window,
        keepalive_ns: args.keepalive,
        skew,
        reference: args.reference.clone(),
        keylog: args.keylog.clone(),
        threads,
        ..ReplayPlan::default()
    })
}

fn fill(summary: &mut ReplaySummary, report: CycleReport) {
    summary.sessions = report.sessions;
    summary.anomalies = report.anomalies;
    summary.features_digest = report.features_digest;
    summary.notes.extend(report.notes);
}

fn digests(store: &dyn Store, summary: &mut ReplaySummary, scored: bool) -> Result<(), LabError> {
    summary.rows_digest = store.digest(Contents::Rows)?;
    if summary.features_digest.is_empty() {
        summary.features_digest = store.digest(Contents::Features)?;
    }
    if scored {
        summary.scores_digest = store.digest(Contents::Scores)?;
    }
    Ok(())
}

fn print(summary: &ReplaySummary, format: SummaryFormat, console: &Console) -> Result<(), LabError> {
    if format == SummaryFormat::Json {
        return console.line(&serde_json::to_string(summary).unwrap_or_default());
    }
    for note in &summary.notes {
        console.note(note);
    }
    for line in text(summary) {
        console.line(&line)?;
    }
    Ok(())
}

/// The summary for people.
pub fn text(summary: &ReplaySummary) -> Vec<String> {
    let share = |part: u64| {
        #[allow(clippy::cast_precision_loss, reason = "a percentage for people")]
        let percent = part as f64 * 100.0 / (summary.http_requests.max(1)) as f64;
        format!("{percent:.1} %")
    };
    let mut lines = vec![
        format!(
            "read      {} packets ({} damaged), {} handshakes",
            summary.packets, summary.damaged_packets, summary.tls_handshakes
        ),
        format!("          {} requests ({} damaged log records)", summary.http_requests, summary.damaged_http_records),
        format!(
            "joined    {} of the requests ({}), {} without a handshake, {} ambiguous; {} connections without a request",
            summary.matched,
            share(summary.matched),
            summary.http_only,
            summary.ambiguous,
            summary.tls_only
        ),
        format!("stored    {} rows new, {} skipped, {} in all", summary.rows_added, summary.duplicates_skipped, summary.rows),
    ];
    for file in summary.files.iter().filter(|file| file.skew_ns.is_some_and(|skew| skew != 0)) {
        let skew_ms = file.skew_ns.unwrap_or_default() / 1_000_000;
        lines.push(format!("clock     {} runs {skew_ms} ms ahead of the capture; corrected", crate::render::visible(&file.name)));
    }
    lines.extend(summary.join_truth.as_ref().map(measured));
    for policy in summary.policies.iter().filter(|policy| policy.evictions > 0) {
        lines.push(format!(
            "bound     {} hit {} times (limit {}): {}",
            policy.name, policy.evictions, policy.limit, policy.policy
        ));
    }
    if !summary.scores_digest.is_empty() {
        lines.push(format!("scored    {} sessions, {} anomalous", summary.sessions, summary.anomalies));
    }
    lines.push(format!("digests   rows {}", summary.rows_digest));
    lines.push(format!("          features {}", summary.features_digest));
    if !summary.scores_digest.is_empty() {
        lines.push(format!("          scores {}", summary.scores_digest));
    }
    lines.push(format!("took      {:.1} s", summary.elapsed_secs));
    lines
}

/// The join as the key log shows it.
fn measured(truth: &JoinTruth) -> String {
    let percent = |share: Option<f64>| share.map_or("unknown".to_owned(), |share| format!("{:.2} %", share * 100.0));
    format!(
        "keys      {} requests opened, {} of them in the log: {} joined to their own connection, {} to another, {} to none \
         (precision {}, recall {})",
        truth.decrypted,
        truth.logged,
        truth.right,
        truth.wrong,
        truth.missed,
        percent(truth.precision()),
        percent(truth.recall())
    )
}

/// Standard input as a file, because a replay has to be able to read its inputs again; removed when dropped.
struct Spooled(Option<PathBuf>);

impl Spooled {
    fn from_stdin(plan: &mut ReplayPlan) -> Result<Self, LabError> {
        let Some(place) = plan.captures.iter_mut().find(|path| path.as_os_str() == "-") else { return Ok(Self(None)) };
        let path = std::env::temp_dir().join(format!("ja4-lab-stdin-{}", std::process::id()));
        let spooled = Self(Some(path.clone()));
        let mut file = std::fs::File::create_new(&path).map_err(LabError::io("spool standard input to", &path))?;
        std::io::copy(&mut std::io::stdin().lock(), &mut file).map_err(LabError::io("spool standard input to", &path))?;
        *place = path;
        Ok(spooled)
    }
}

impl Drop for Spooled {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // A leftover in the temporary folder is no reason to fail a finished replay.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// How fast event time may pass.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// As fast as it goes.
    Max,
    /// This many times the recorded speed, since the first event.
    Times(f64),
}

impl Pace {
    fn parse(text: &str) -> Result<Self, LabError> {
        if text == "max" {
            return Ok(Self::Max);
        }
        match text.trim_end_matches(['x', '×']).parse::<f64>() {
            Ok(times) if times > 0.0 && times.is_finite() => Ok(Self::Times(times)),
            _ => Err(LabError::Ask(format!("--speed {text:?}: write max, or a number above 0 such as 1 or 60"))),
        }
    }
}

/// Progress to the terminal, and the clock that a paced replay waits for.
struct Reporter<'a> {
    bar: ProgressBar,
    pace: Pace,
    console: &'a Console,
}

impl Progress for Reporter<'_> {
    fn bytes(&self, read: u64, total: u64) {
        self.bar.set_length(total);
        self.bar.set_position(read);
    }

    fn detail(&self, text: &str) {
        self.console.detail(text);
    }

    #[allow(clippy::disallowed_methods, reason = "pacing a replay is the driver's business")]
    fn waiter(&self) -> Box<dyn FnMut(i64) + Send> {
        match self.pace {
            Pace::Max => Box::new(|_| {}),
            Pace::Times(times) => {
                let mut begin: Option<(Instant, i64)> = None;
                Box::new(move |event_ns| {
                    let (wall, first_ns) = *begin.get_or_insert_with(|| (Instant::now(), event_ns));
                    #[allow(clippy::cast_precision_loss, reason = "pacing needs no nanoseconds")]
                    let due_secs = event_ns.saturating_sub(first_ns).max(0) as f64 / 1e9 / times;
                    let due = Duration::try_from_secs_f64(due_secs).unwrap_or(Duration::MAX);
                    std::thread::sleep(due.saturating_sub(wall.elapsed()));
                })
            }
        }
    }
}
