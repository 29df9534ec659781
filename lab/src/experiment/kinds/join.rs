//! The join against truth: how window, clock skew and capture loss move its precision and recall.
//!
//! Promises: truth is the generator's (the connection that carried the request, by the server's number of it or by address, port and time)
//! or the recording's labels; recall counts requests whose whole ClientHello is in the capture.
//!
//! Levels: shares of packets that the capture loses.
//!
//! Read next: `docs/JOIN.md`.

use ja4_replay::pipeline::ReplayPlan;

use super::{Run, ratio};
use crate::error::LabError;
use crate::experiment::bench::interval;
use crate::experiment::data::{Loaded, Request, Source};
use crate::experiment::outcome::Outcome;
use crate::report::svg::{Line, lines};
use ja4_models::Rng;

/// How a log is called in results, by its place among the files of a set.
const LOGS: [&str; 3] = ["module", "JSON LogFormat", "combined with ports"];
/// What the server's clock is ahead, as scenarios write it.
const SKEWS: [&str; 5] = ["-5s", "-500ms", "0s", "500ms", "5s"];
const WINDOWS: [(&str, i64); 3] = [("1s", 1_000_000_000), ("10s", 10_000_000_000), ("60s", 60_000_000_000)];

/// One request: was it joined, rightly, could it have been.
type Case = [bool; 3];

pub(super) fn run(run: &Run<'_>) -> Result<Outcome, LabError> {
    let mut outcome = Outcome::default();
    let losses = if run.plan.levels.is_empty() { vec![0.0, 0.01, 0.05, 0.1] } else { run.plan.levels.clone() };
    for (place, data) in run.plan.data.iter().enumerate() {
        let untouched = |text: String| text;
        let source = run.places.source(data, &format!("{place}"), &untouched)?;
        // A recording without the module has the other two.
        let logs = source.set.files(crate::dataset::Role::HttpLog).len().min(LOGS.len());
        for (log, name) in LOGS.iter().skip(LOGS.len() - logs).enumerate() {
            (run.tell)(&format!("log: {name}"));
            let loaded = run.places.load(&source, &format!("{place}-log{log}"), log, &|_| {})?;
            outcome.data.insert(format!("{}, log {log}", loaded.name), loaded.rows_digest.clone());
            measure(run, &mut outcome, &format!("{} / {name}", loaded.name), &loaded)?;
        }
        for (name, window_ns) in WINDOWS {
            let shape = |plan: &mut ReplayPlan| plan.window_ns = window_ns;
            let loaded = run.places.load(&source, &format!("{place}-window{name}"), 0, &shape)?;
            measure(run, &mut outcome, &format!("{} / window {name}", loaded.name), &loaded)?;
        }
        if data.recorded.is_some() {
            by_keys(run, &mut outcome, &source, place)?;
            continue;
        }
        for skew in SKEWS {
            (run.tell)(&format!("server clock {skew}"));
            let edit = |text: String| set(&text, "log_skew", &format!("\"{skew}\""));
            let loaded = edited(run, data, &format!("{place}-skew{skew}"), &edit)?;
            measure(run, &mut outcome, &format!("{} / skew {skew}", loaded.name), &loaded)?;
        }
        let mut shown = [Line::new("precision"), Line::new("recall")];
        for loss in &losses {
            (run.tell)(&format!("{:.1} % of the packets lost", loss * 100.0));
            let edit = |text: String| text.replace("[network]", &format!("[network]\ncapture_loss = {:?}", loss.min(0.99)));
            let loaded = edited(run, data, &format!("{place}-loss{loss}"), &edit)?;
            let arm = format!("{} / loss {loss}", loaded.name);
            measure(run, &mut outcome, &arm, &loaded)?;
            for (line, metric) in shown.iter_mut().zip(["precision", "recall"]) {
                line.points.extend(outcome.value(&arm, metric).map(|value| (*loss, value.value, value.interval)));
            }
        }
        let title = format!("Join against truth, {}", source.name);
        outcome.figures.insert(
            format!("loss-{place}"),
            lines(&title, "share of packets the capture lost", "share of requests", (0.9, 1.0), &shown),
        );
    }
    Ok(outcome)
}

/// The same measured by what stands inside the connections, where the recording has the keys: a second truth that no label enters.
fn by_keys(run: &Run<'_>, outcome: &mut Outcome, source: &Source, place: usize) -> Result<(), LabError> {
    let packed = source.set.folder.join("keys.log.gz");
    let Ok(file) = std::fs::File::open(&packed) else { return Ok(()) };
    (run.tell)("measured by the key log");
    let keys = run.places.work.join(format!("keys-{place}.log"));
    let mut unpacked = std::fs::File::create(&keys).map_err(LabError::io("write", &keys))?;
    std::io::copy(&mut flate2::read::MultiGzDecoder::new(file), &mut unpacked).map_err(LabError::io("unpack", &packed))?;
    let shape = |plan: &mut ReplayPlan| plan.keylog = Some(keys.clone());
    let loaded = run.places.load(source, &format!("{place}-keys"), 0, &shape)?;
    if let Some(truth) = &loaded.summary.join_truth {
        let arm = format!("{} / truth by the key log", loaded.name);
        let joined = usize::try_from(truth.right.saturating_add(truth.wrong)).unwrap_or(usize::MAX);
        let could = usize::try_from(truth.missed).unwrap_or(usize::MAX).saturating_add(joined);
        outcome.push(&arm, "precision", truth.precision().unwrap_or_default(), None, joined);
        outcome.push(&arm, "recall", truth.recall().unwrap_or_default(), None, could);
    }
    Ok(())
}

fn edited(
    run: &Run<'_>,
    data: &crate::experiment::plan::DataSource,
    tag: &str,
    edit: &dyn Fn(String) -> String,
) -> Result<Loaded, LabError> {
    let source = run.places.source(data, tag, edit)?;
    let loaded = run.places.load(&source, tag, 0, &|_| {});
    // The capture of one arm is no use to the next.
    std::fs::remove_dir_all(&source.set.folder).map_err(LabError::io("remove", &source.set.folder))?;
    loaded
}

fn measure(run: &Run<'_>, outcome: &mut Outcome, arm: &str, loaded: &Loaded) -> Result<(), LabError> {
    let cases: Vec<Case> = loaded.requests()?.iter().filter_map(case).collect();
    for (metric, figure) in [("precision", precision as fn(&[Case]) -> f64), ("recall", recall)] {
        let draws = (0..run.plan.bootstrap.min(100)).map(|sample| {
            let mut random = Rng::stream(1, 0x701e_0000 + sample);
            let drawn: Vec<Case> = (0..cases.len()).filter_map(|_| cases.get(random.below(cases.len())).copied()).collect();
            figure(&drawn)
        });
        outcome.push(arm, metric, figure(&cases), interval(draws.collect()), cases.len());
    }
    outcome.push(
        arm,
        "requests_without_truth",
        ratio(loaded.requests()?.len().saturating_sub(cases.len()), 1),
        None,
        cases.len(),
    );
    Ok(())
}

/// `None` where the labels do not know who carried it.
fn case(request: &Request) -> Option<Case> {
    let truth = request.carrier.as_ref()?;
    let joined = request.hello_ts_ns >= 0 && request.match_kind != "no_handshake";
    let right = joined && truth.first_ns <= request.hello_ts_ns && request.hello_ts_ns <= truth.last_ns;
    Some([joined, right, truth.has_hello])
}

fn precision(cases: &[Case]) -> f64 {
    ratio(cases.iter().filter(|case| case[1]).count(), cases.iter().filter(|case| case[0]).count())
}

fn recall(cases: &[Case]) -> f64 {
    ratio(cases.iter().filter(|case| case[1] && case[2]).count(), cases.iter().filter(|case| case[2]).count())
}

/// The scenario with another value for a key of its first lines.
fn set(text: &str, key: &str, value: &str) -> String {
    let replaced = |line: &str| if line.starts_with(key) { format!("{key} = {value}") } else { line.to_owned() };
    text.lines().map(replaced).collect::<Vec<_>>().join("\n") + "\n"
}
