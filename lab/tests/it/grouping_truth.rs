//! Campaigns and fleets against what truly made the sessions: the labels of the recorded set and of generated ones.
//!
//! Truth of a session is the program that made it: client name in the recording, population and client in a generated set. Figures are the
//! adjusted Rand index and purity over what was grouped, with the share of programs' anomalous sessions that were. They are printed
//! (`--nocapture`) and stand in docs/SCIENCE.md, section "Campaigns and fleets".
//!
//! Read next: `ja4_lab::campaigns`, `ja4_lab::fleets`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use ja4_models::metrics::{adjusted_rand, purity};
use serde_json::Value;

use crate::support::{dataset, lab_ok, query, replay_site, text};

/// Hour, address, JA4, host.
type Key = (i64, String, String, String);

fn generated(folder: &Path, name: &str, more: &[&str]) -> (PathBuf, PathBuf) {
    let made = folder.join(name);
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets/scenarios").join(name);
    lab_ok(&["synth", text(&scenario), "--seed", "1", "-o", text(&made)]);
    let db = folder.join(format!("{name}.duckdb"));
    let (capture, log) = (made.join("capture.pcap"), made.join("access.jsonl"));
    lab_ok(&[&["replay", text(&capture), "--http-log", text(&log), "--db", text(&db), "--quiet", "--top", "0"], more].concat());
    (db, made.join("labels.csv"))
}

fn field(row: &Value, name: &str) -> String {
    row[name].as_str().unwrap_or_default().to_owned()
}

/// The program behind each session, by columns of the labels: of most of its requests; empty for people.
fn truth(db: &Path, labels: &Path, columns: &[&str]) -> BTreeMap<Key, String> {
    let text = std::fs::read_to_string(labels).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().unwrap();
    let column = |line: &[&str], name: &str| {
        header
            .iter()
            .position(|column| *column == name)
            .and_then(|place| line.get(place))
            .map_or(String::new(), |text| (*text).to_owned())
    };
    let mut by_id: BTreeMap<String, String> = BTreeMap::new();
    let mut by_end: BTreeMap<(String, i64), Vec<(i64, i64, String)>> = BTreeMap::new();
    for line in lines {
        let of = |name: &str| column(&line, name);
        let named = || columns.iter().map(|name| of(name)).collect::<Vec<_>>().join("/");
        let program = if of("class") == "human" { String::new() } else { named() };
        let number = |name: &str| of(name).parse::<i64>().unwrap();
        by_id.insert(of("conn_id"), program.clone());
        let end = (of("src_ip"), number("src_port"));
        by_end.entry(end).or_default().push((number("first_ns"), number("last_ns"), program));
    }
    let mut counts: BTreeMap<Key, BTreeMap<String, usize>> = BTreeMap::new();
    for row in query(db, "SELECT ts_ns, src_ip, src_port, conn_id, ja4, host FROM ja4_logs.http_logs") {
        let (ts, id) = (row["ts_ns"].as_i64().unwrap(), field(&row, "conn_id"));
        let carrier = by_id.get(&id).filter(|_| !id.is_empty()).cloned().or_else(|| {
            let open = by_end.get(&(field(&row, "src_ip"), row["src_port"].as_i64().unwrap()))?;
            let slack = 200_000_000;
            let open = open.iter().filter(|(first, last, _)| *first - slack <= ts && ts <= *last + slack);
            open.max_by_key(|(first, ..)| *first).map(|(.., program)| program.clone())
        });
        let key = (ts / 3_600_000_000_000 * 3_600_000, field(&row, "src_ip"), field(&row, "ja4"), field(&row, "host"));
        if let Some(program) = carrier {
            *counts.entry(key).or_default().entry(program).or_default() += 1;
        }
    }
    let most = |counts: BTreeMap<String, usize>| counts.into_iter().max_by_key(|(_, count)| *count).unwrap().0;
    counts.into_iter().map(|(key, counts)| (key, most(counts))).collect()
}

/// Adjusted Rand, purity and size of a grouping, over pairs of group and truth.
fn measured(what: &str, pairs: &[(String, String)]) -> (f64, f64) {
    let number = |texts: BTreeSet<&String>| -> BTreeMap<String, u32> { texts.into_iter().cloned().zip(0..).collect() };
    let groups = number(pairs.iter().map(|(group, _)| group).collect());
    let classes = number(pairs.iter().map(|(_, class)| class).collect());
    let found: Vec<Option<u32>> = pairs.iter().map(|(group, _)| Some(groups[group])).collect();
    let known: Vec<u32> = pairs.iter().map(|(_, class)| classes[class]).collect();
    let (rand, pure) = (adjusted_rand(&found, &known).unwrap(), purity(&found, &known).unwrap());
    eprintln!(
        "{what}: {} sessions, {} groups of {} programs, adjusted Rand {rand:.3}, purity {pure:.3}",
        pairs.len(),
        groups.len(),
        classes.len()
    );
    (rand, pure)
}

/// Figures of campaigns, of fleets, and the share of programs' anomalous sessions in a campaign.
fn figures(name: &str, db: &Path, labels: &Path) -> ((f64, f64), (f64, f64), f64) {
    let truths = [&["population", "client_name"][..], &["client_version"]].map(|columns| truth(db, labels, columns));
    let [truth, software] = &truths;
    let sessions = query(
        db,
        "SELECT s.win_ms, s.src_ip, s.ja4, s.host, s.user_agent, coalesce(m.campaign_id, '') AS campaign_id FROM ja4_processing.ml_all_scores AS s \
         LEFT JOIN ja4_processing.campaign_members AS m ON m.session_id = s.session_id WHERE s.anomaly = 1",
    );
    let mut by_fleet: BTreeMap<(String, String, String), String> = BTreeMap::new();
    for fleet in query(db, "SELECT fleet_id FROM ja4_processing.fleet_detections ORDER BY fleet_id") {
        let id = field(&fleet, "fleet_id");
        for member in lab_ok(&["fleets", &id, "--db", text(db), "--format", "jsonl"]).lines() {
            let member: Value = serde_json::from_str(member).unwrap();
            by_fleet.insert((field(&member, "src_ip"), field(&member, "ja4"), field(&member, "user_agent")), id.clone());
        }
    }
    let (mut campaigns, mut fleets, mut programs) = (Vec::new(), [Vec::new(), Vec::new()], Vec::new());
    for row in sessions {
        let key = (row["win_ms"].as_i64().unwrap(), field(&row, "src_ip"), field(&row, "ja4"), field(&row, "host"));
        let (Some(program), key_of) = (truth.get(&key), key.clone()) else { continue };
        let campaign = field(&row, "campaign_id");
        if !program.is_empty() {
            programs.push(!campaign.is_empty());
        }
        if !campaign.is_empty() {
            campaigns.push((campaign, program.clone()));
        }
        if let Some(fleet) = by_fleet.get(&(key.1, key.2, field(&row, "user_agent"))) {
            fleets[0].push((fleet.clone(), program.clone()));
            fleets[1].push((fleet.clone(), software.get(&key_of).cloned().unwrap_or_default()));
        }
    }
    let count = |count: usize| f64::from(u32::try_from(count).unwrap());
    let grouped = count(programs.iter().filter(|grouped| **grouped).count()) / count(programs.len());
    eprintln!("{name}: {:.3} of {} anomalous sessions of programs stand in a campaign", grouped, programs.len());
    let fleets = match name {
        // The recording names what a program was used for (`curl-keepalive-http1`), and its version says which program it is. No grouping by
        // identity parts two uses of one program, so purity is asked by program; that a fleet is one use as far as identity can tell, by name.
        "recorded" => {
            let by_name = measured("recorded, fleets by name", &fleets[0]);
            (by_name.0, measured("recorded, fleets by program", &fleets[1]).1)
        }
        _ => measured(&format!("{name}, fleets"), &fleets[0]),
    };
    (measured(&format!("{name}, campaigns"), &campaigns), fleets, grouped)
}

#[test]
fn campaigns_and_fleets_are_what_the_labels_say() {
    let folder = tempfile::tempdir().unwrap();
    let recorded = folder.path().join("site.duckdb");
    replay_site(&recorded, &[]);
    let (fleet, fleet_labels) = generated(folder.path(), "fleet.toml", &[]);
    let (campaign, campaign_labels) = generated(folder.path(), "campaign.toml", &[]);
    let sets = [
        ("recorded", recorded, dataset("site-small").join("labels.csv")),
        ("generated fleets", fleet, fleet_labels),
        ("generated campaigns", campaign, campaign_labels),
    ];
    for (name, db, labels) in sets {
        let (campaigns, fleets, grouped) = figures(name, &db, &labels);
        assert!(campaigns.0 >= 0.8 && campaigns.1 >= 0.95, "{name}: campaigns {campaigns:?}");
        assert!(fleets.0 >= 0.8 && fleets.1 >= 0.95, "{name}: fleets {fleets:?}");
        assert!(grouped >= 0.8, "{name}: {grouped}");
    }
}

#[test]
fn groups_are_as_pure_where_some_sessions_stand_for_the_others() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["fleet.toml", "campaign.toml"] {
        // Scored once, with the bound: nothing is known from a grouping without it.
        let (db, labels) = generated(folder.path(), name, &["--no-score"]);
        lab_ok(&["score", "--db", text(&db), "--quiet", "--set", "cluster_max=60"]);
        let (campaigns, _, grouped) = figures(&format!("{name}, 60 clustered"), &db, &labels);
        assert!(campaigns.0 >= 0.65 && campaigns.1 >= 0.95, "{name}: campaigns {campaigns:?}");
        assert!(grouped >= 0.85, "{name}: {grouped}");
    }
}
