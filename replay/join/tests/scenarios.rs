//! Runs every scenario of `tests/scenarios/*.toml`: small ones listed event by event, larger ones made from a seed, with the truth known.
//!
//! Promises: a new case needs no Rust. Each scenario is run as a replay (everything at once, either stream first) and as it would be
//! live (in order of arrival, the watermark at the time of arrival); unless lines come late, all three must agree row by row.
//!
//! Read next: any scenario; `docs/JOIN.md`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod scenario;

use std::collections::BTreeMap;
use std::path::Path;

use ja4_join::correlate::{Correlator, HandshakeTime, Joined, MatchKind, RequestTime, SkewEstimate, SourceId, estimate_skew};
use scenario::{Run, Scenario};

#[test]
fn every_scenario_comes_out_as_its_file_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 18, "scenarios are missing from {}", folder.display());
    let mut failures = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let scenario: Scenario = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        if let Err(reason) = check(&scenario) {
            failures.push(format!("{} ({}): {reason}", scenario.name, file.file_name().unwrap().to_string_lossy()));
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

fn check(scenario: &Scenario) -> Result<(), String> {
    let run = scenario.run();
    let estimate = estimate(&run);
    let skew_ns = if scenario.log.estimate_skew { estimate.skew_ns } else { 0 };
    if let Some(skew_ms) = scenario.expect.skew_ms {
        let error_ms = (skew_ns / 1_000_000 - skew_ms).abs();
        if error_ms > 90 {
            return Err(format!("estimated {estimate:?}"));
        }
    }
    let network_first = replay(scenario, &run, skew_ns, true);
    let http_first = replay(scenario, &run, skew_ns, false);
    same(&network_first, &http_first, "the order of the streams matters")?;
    let live = live(scenario, &run, skew_ns);
    if scenario.log.late_s == 0.0 {
        same(&network_first, &live, "live differs from replay")?;
    }
    for (how, rows) in [("replay", &network_first), ("live", &live)] {
        truth(scenario, &run, rows).map_err(|reason| format!("{how}: {reason}"))?;
        listed(&run, rows).map_err(|reason| format!("{how}: {reason}"))?;
    }
    Ok(())
}

fn estimate(run: &Run) -> SkewEstimate {
    let handshakes: Vec<_> = run.network.iter().filter_map(|item| HandshakeTime::of(&item.event)).collect();
    let requests: Vec<_> = run.http.iter().filter_map(|item| RequestTime::of(&item.event)).collect();
    estimate_skew(&handshakes, &requests)
}

fn replay(scenario: &Scenario, run: &Run, skew_ns: i64, network_first: bool) -> Vec<Joined> {
    let mut correlator = Correlator::new(scenario.config());
    correlator.set_skew(SourceId(0), skew_ns);
    for network in [network_first, !network_first] {
        if network {
            run.network.iter().for_each(|item| correlator.network(item.event.clone()));
        } else {
            run.http.iter().for_each(|item| correlator.http(item.event.clone(), SourceId(0)));
        }
    }
    correlator.finish();
    let mut joined = Vec::new();
    correlator.take_joined(&mut joined);
    joined
}

fn live(scenario: &Scenario, run: &Run, skew_ns: i64) -> Vec<Joined> {
    let mut correlator = Correlator::new(scenario.config());
    correlator.set_skew(SourceId(0), skew_ns);
    let mut arrivals: Vec<(i64, bool, usize)> = Vec::new();
    arrivals.extend(run.network.iter().enumerate().map(|(at, item)| (item.arrives_ns, true, at)));
    arrivals.extend(run.http.iter().enumerate().map(|(at, item)| (item.arrives_ns, false, at)));
    arrivals.sort_unstable();
    for (now_ns, network, at) in arrivals {
        if network {
            correlator.network(run.network[at].event.clone());
        } else {
            correlator.http(run.http[at].event.clone(), SourceId(0));
        }
        correlator.advance(now_ns);
    }
    correlator.finish();
    let mut joined = Vec::new();
    correlator.take_joined(&mut joined);
    joined
}

fn same(a: &[Joined], b: &[Joined], says: &str) -> Result<(), String> {
    match a.iter().zip(b).find(|(a, b)| a != b) {
        Some((a, b)) => Err(format!("{says}:\n  {a:?}\n  {b:?}")),
        None if a.len() != b.len() => Err(format!("{says}: {} and {} rows", a.len(), b.len())),
        None => Ok(()),
    }
}

/// Precision of what is given out as certain, recall of what was captured, by the truth of the generator.
fn truth(scenario: &Scenario, run: &Run, rows: &[Joined]) -> Result<(), String> {
    let truth: BTreeMap<&str, Option<i64>> = run.http.iter().map(|item| (item.id(), item.handshake_ns)).collect();
    let (mut sure, mut wrong, mut captured, mut found) = (0_u64, 0_u64, 0_u64, 0_u64);
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
    let mut examples = Vec::new();
    for row in rows {
        *kinds.entry(row.match_kind.as_str()).or_default() += 1;
        let is = row.handshake.as_ref().map(|handshake| handshake.ts_ns);
        let should = truth[row.http.path.as_deref().unwrap()];
        if matches!(row.match_kind, MatchKind::Exact | MatchKind::ReusedPort) {
            sure += 1;
            wrong += u64::from(is != should);
            if is != should && examples.len() < 5 {
                examples.push(format!("{} was {should:?}: {row:?}", row.http.path.as_deref().unwrap()));
            }
        }
        captured += u64::from(should.is_some());
        found += u64::from(should.is_some() && is == should);
    }
    if rows.len() != run.http.len() {
        return Err(format!("{} rows of {} requests", rows.len(), run.http.len()));
    }
    let share = |part: u64, whole: u64| if whole == 0 { 1.0 } else { part as f64 / whole as f64 };
    let (precision, recall) = (1.0 - share(wrong, sure.max(1)), share(found, captured));
    if precision < scenario.expect.precision || recall < scenario.expect.recall {
        return Err(format!(
            "precision {precision:.4} ({wrong} of {sure} wrong), recall {recall:.4} of {captured}, {kinds:?}\n{}",
            examples.join("\n")
        ));
    }
    match &scenario.expect.kinds {
        Some(expected) if expected.iter().any(|(kind, count)| kinds.get(kind.as_str()).copied().unwrap_or(0) != *count) => {
            Err(format!("kinds are {kinds:?}"))
        }
        _ => Ok(()),
    }
}

/// What the file expects of single requests.
fn listed(run: &Run, rows: &[Joined]) -> Result<(), String> {
    for item in &run.http {
        let Some(expected) = &item.expected else { continue };
        let row = rows.iter().find(|row| row.http.path.as_deref() == Some(item.id())).unwrap();
        let says = |what: &str| Err(format!("{} {what}: {row:?}", item.id()));
        if row.match_kind.as_str() != expected.kind {
            return says("is of another kind");
        }
        if expected.number.is_some_and(|number| row.handshake_request_no != Some(number)) {
            return says("has another number on its handshake");
        }
        if expected.candidates.is_some_and(|candidates| row.candidates != candidates) {
            return says("has another number of candidates");
        }
        let [least, most] = expected.confidence.unwrap_or([0.0, 1.0]);
        if row.confidence < least || row.confidence > most {
            return says("has another confidence");
        }
        if row.handshake.is_some() && row.handshake.as_ref().map(|handshake| handshake.ts_ns) != item.handshake_ns {
            return says("has the wrong handshake");
        }
    }
    Ok(())
}
