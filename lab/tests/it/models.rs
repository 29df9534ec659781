//! The models on the recorded set: how well kinds they never saw are found, what they must not see, labels, and bad input.
//!
//! Read next: `docs/SCIENCE.md` (the same figures with their meaning), `oracle.rs` (the features).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use duckdb::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use ja4_join::row::HttpLogRow;
use ja4_lab::catalogue::{Catalogue, ModelKind};
use ja4_lab::cycle::settings::Settings;
use ja4_lab::cycle::{self, CyclePlan, read_frame};
use ja4_lab::evaluate::{self, HoldOut, Truths};
use ja4_lab::frame::FeatureFrame;
use ja4_models::anomaly::{StratifiedFolds, out_of_fold_scores};
use ja4_models::{BoostedParams, FeatureSet, Matrix, metrics};
use ja4_replay::pipeline::{ReplayPlan, Silent, replay};
use ja4_replay::store::{self, OpenOptions, Store, TableName};

use crate::oracle::joined_rows;
use crate::support::{dataset, lab_fails, lab_ok, query, replay_site, site_small, text};

/// A fresh store. It is never opened a second time in this process: the check of a database that exists runs the program again,
/// and here that is the tests.
fn fresh(folder: &Path) -> Box<dyn Store> {
    let mut store = store::open(&folder.join("fresh.duckdb"), &OpenOptions::default()).unwrap();
    store.migrate().unwrap();
    store
}

/// The recorded set in a fresh store.
pub fn recorded(folder: &Path) -> Box<dyn Store> {
    let mut store = fresh(folder);
    let (capture, log) = site_small();
    let plan = ReplayPlan { captures: vec![capture], http_logs: vec![log], ..ReplayPlan::default() };
    replay(&plan, &mut *store, &Silent).unwrap();
    store
}

fn frame_of(store: &dyn Store) -> FeatureFrame {
    read_frame(store, &CyclePlan::default()).unwrap()
}

fn truths(store: &dyn Store, frame: &FeatureFrame) -> Truths {
    Truths::read(store, frame, &labels_file(), HoldOut::Kind).unwrap()
}

fn labels_file() -> PathBuf {
    dataset("site-small").join("labels.csv")
}

#[test]
fn kinds_that_no_model_saw_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let store = recorded(folder.path());
    let frame = frame_of(&*store);
    let report = evaluate::leave_one_out(&frame, &truths(&*store, &frame), &Settings::default()).unwrap();
    eprintln!("{}", report.text());
    let together = report.all.voices[3].unwrap();
    assert!(together.auroc >= 0.95, "{}", together.auroc);
    // On the same sessions: a voice that was not asked about the hard ones is not the better for it.
    let lead = report.all.lead.as_ref().unwrap();
    assert!(lead.difference >= 0.0, "{lead:?}");
    assert!(together.recall_at_1pct_fpr >= 0.8, "{}", together.recall_at_1pct_fpr);
    // On no kind does a single voice do better than this sample can show; on browsers driven by programs together they do well.
    for kind in &report.kinds {
        let below = kind.lead.as_ref().is_some_and(|lead| lead.word == "below");
        assert!(!below, "{}: {:?}", kind.kind, kind.lead);
    }
    assert!(report.kind("automated_browser").unwrap().voices[3].unwrap().auroc >= 0.85);
    for (kind, least) in [("impersonator", 0.95), ("fleet", 0.95), ("rotation", 0.95), ("scraper", 0.9)] {
        let found = report.kind(kind).unwrap().voices[3].unwrap().auroc;
        assert!(found >= least, "{kind}: {found}");
    }
}

#[test]
fn without_any_label_most_programs_stand_above_people() {
    let folder = tempfile::tempdir().unwrap();
    let store = recorded(folder.path());
    let frame = frame_of(&*store);
    let truths = truths(&*store, &frame);
    assert!(evaluate::as_stored(&*store, &frame, &truths).unwrap_err().to_string().contains("nothing is scored yet"));
    cycle::run(&*store, &CyclePlan::default()).unwrap();
    let report = evaluate::as_stored(&*store, &frame, &truths).unwrap();
    eprintln!("{}", report.text());
    assert!(report.all.voices[3].unwrap().auroc >= 0.95);
    assert!(report.kind("impersonator").unwrap().voices[3].unwrap().auroc >= 0.9);
}

/// Addresses, ports, time and order alone tell people from programs in this recording, so they must have no way into a model.
#[test]
fn what_leaks_the_label_is_not_in_the_matrix() {
    let folder = tempfile::tempdir().unwrap();
    let store = recorded(folder.path());
    let frame = frame_of(&*store);
    let truths = truths(&*store, &frame);
    let rows = joined_rows();
    let ports = ports(&rows);
    let mut values = Vec::new();
    let mut labels = Vec::new();
    let (windows, firsts, ips) =
        (frame.number("win_ms").unwrap(), frame.number("first_ns").unwrap(), frame.text("src_ip").unwrap());
    for (row, truth) in truths.sessions.iter().enumerate().filter_map(|(row, truth)| truth.as_ref().map(|truth| (row, truth))) {
        let address: std::net::IpAddr = ips[row].parse().unwrap();
        let number = match address {
            std::net::IpAddr::V4(four) => f64::from(four.to_bits() & 0xffff),
            std::net::IpAddr::V6(six) => -((six.to_bits() & 0xffff_ffff) as f64),
        };
        values.extend([windows[row], firsts[row], number, ports[&ips[row]], row as f64]);
        labels.push(truth.bot);
    }
    let matrix = Matrix::new(FeatureSet::new(["hour", "first request", "address", "port", "order"]).unwrap(), values).unwrap();
    let folds = StratifiedFolds::new(&labels, 5, 1);
    let boosted = BoostedParams::default().check().unwrap();
    let scores = out_of_fold_scores(&boosted, &matrix, &labels, &folds, 1).unwrap();
    let auroc = metrics::auroc(&scores, &labels).unwrap();
    eprintln!("boosted trees on hour, time, address, port and order alone: AUROC {auroc:.4}");
    assert!(auroc > 0.7, "{auroc}: if nothing leaks here, this test shows nothing");

    // The same requests from other addresses and ports, a day later, stored in another order: the same matrix.
    let elsewhere_folder = tempfile::tempdir().unwrap();
    let mut moved = fresh(elsewhere_folder.path());
    let addresses: BTreeMap<String, String> = addresses(&rows);
    let mut other: Vec<HttpLogRow> = rows.iter().map(|row| elsewhere(row, &addresses)).collect();
    other.reverse();
    moved.append(&other).unwrap();
    let there = frame_of(&*moved);
    let (here, there) = (sessions(&frame, &addresses, DAY_MS), sessions(&there, &BTreeMap::new(), 0));
    assert_eq!(here.len(), there.len());
    for (key, features) in &here {
        assert_eq!(there.get(key), Some(features), "{key:?}");
    }
}

const DAY_MS: i64 = 86_400_000;

type Sessions = BTreeMap<(i64, String, String, String), Vec<(String, u64)>>;

/// The bits of every model feature by session; the key is told as it would be elsewhere.
fn sessions(frame: &FeatureFrame, addresses: &BTreeMap<String, String>, later_ms: i64) -> Sessions {
    let catalogue = Catalogue::load().unwrap();
    let columns: Vec<(String, Vec<f64>)> = catalogue
        .for_model(ModelKind::Complete)
        .map(|feature| (feature.name.clone(), frame.number(&feature.name).unwrap()))
        .collect();
    let (windows, ips) = (frame.int("win_ms").unwrap(), frame.text("src_ip").unwrap());
    let (ja4s, hosts) = (frame.text("ja4").unwrap(), frame.text("host").unwrap());
    let keys = windows
        .iter()
        .zip(ips)
        .zip(ja4s)
        .zip(hosts)
        .map(|(((window, ip), ja4), host)| (window + later_ms, addresses.get(&ip).cloned().unwrap_or(ip), ja4, host));
    let bits = |row: usize| columns.iter().map(|(name, values)| (name.clone(), values[row].to_bits())).collect();
    keys.enumerate().map(|(row, key)| (key, bits(row))).collect()
}

/// Every address becomes another, and their order is reversed.
fn addresses(rows: &[HttpLogRow]) -> BTreeMap<String, String> {
    let all: std::collections::BTreeSet<String> = rows.iter().map(|row| row.src_ip.to_string()).collect();
    let count = all.len();
    all.into_iter().enumerate().map(|(place, ip)| (ip, format!("198.51.100.{}", 100 + count - place))).collect()
}

fn elsewhere(row: &HttpLogRow, addresses: &BTreeMap<String, String>) -> HttpLogRow {
    let mut other = row.clone();
    let later_ns = DAY_MS * 1_000_000;
    other.ts_ns += later_ns;
    other.src_ip = addresses[&row.src_ip.to_string()].as_str().into();
    other.client_ip = other.src_ip.clone();
    other.src_port = if row.src_port < 0 { -1 } else { 65_535 - row.src_port };
    other.hello_ts_ns = if row.hello_ts_ns < 0 { -1 } else { row.hello_ts_ns + later_ns };
    other
}

/// The smallest port of each address.
fn ports(rows: &[HttpLogRow]) -> BTreeMap<String, f64> {
    let mut ports: BTreeMap<String, f64> = BTreeMap::new();
    for row in rows {
        let least = ports.entry(row.src_ip.to_string()).or_insert(f64::INFINITY);
        *least = least.min(row.src_port as f64);
    }
    ports
}

#[test]
fn an_analysts_word_becomes_a_label_and_leaves_the_baseline() {
    let folder = tempfile::tempdir().unwrap();
    let store = recorded(folder.path());
    let baseline = || cycle::run(&*store, &CyclePlan::default()).unwrap().baseline;
    let before = baseline();
    let table = |sql: &str| FeatureFrame::from_batches(&store.query(sql).unwrap()).unwrap();
    let best =
        table("SELECT src_ip, session_id FROM ja4_processing.ml_all_scores WHERE label = 0 ORDER BY score, session_id LIMIT 1");
    let (ip, id) = (best.text("src_ip").unwrap().remove(0), best.text("session_id").unwrap().remove(0));
    let labelled = || {
        let found = table(&format!("SELECT label, label_source FROM ja4_processing.ml_all_scores WHERE session_id = '{id}'"));
        (found.int("label").unwrap()[0], found.text("label_source").unwrap().remove(0))
    };
    assert_eq!(labelled(), (0, "verified".to_owned()));
    classify(&*store, 1, "ip", &ip, 1);
    assert!(baseline() < before);
    assert_eq!(labelled(), (1, "analyst".to_owned()));
    let told = ja4_lab::explain::explain(&*store, Some(&id), None).unwrap();
    assert!(told.contains("label: a program (source: analyst)"), "{told}");
    classify(&*store, 2, "ip", &ip, -1);
    assert_eq!(baseline(), before);
    assert_eq!(labelled(), (0, "verified".to_owned()));
    let sources = table("SELECT DISTINCT label, label_source FROM ja4_processing.ml_all_scores ORDER BY label, label_source");
    assert_eq!(sources.text("label_source").unwrap(), ["", "verified", "known_bot"]);
}

fn score(db: &Path) -> serde_json::Value {
    serde_json::from_str(&lab_ok(&["score", "--db", text(db), "--summary", "json"])).unwrap()
}

fn classify(store: &dyn Store, ts_ns: i64, kind: &str, ip: &str, label: i64) {
    let word = |value: &str| -> ArrayRef { std::sync::Arc::new(StringArray::from(vec![value])) };
    let int = |value: i64| -> ArrayRef { std::sync::Arc::new(Int64Array::from(vec![value])) };
    let columns = [
        ("ts_ns", int(ts_ns)),
        ("feedback_id", word(&format!("f{ts_ns}"))),
        ("target_kind", word(kind)),
        ("session_id", word("")),
        ("src_ip", word(ip)),
        ("ja4", word("")),
        ("host", word("")),
        ("user_agent", word("")),
        ("label", int(label)),
        ("verdict", word("")),
        ("note", word("")),
        ("analyst", word("test")),
    ];
    let table = TableName { schema: "ja4_processing", table: "soc_feedback" };
    store.insert(table, RecordBatch::try_from_iter(columns).unwrap()).unwrap();
}

#[test]
fn from_a_thousand_labels_on_a_meta_learner_combines_the_voices() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = fresh(folder.path());
    let rows = joined_rows();
    store.append(&rows).unwrap();
    // A single day has too few labels.
    let settings = Settings { changes: 0, ..Settings::default() };
    let plan = CyclePlan { settings, ..CyclePlan::default() };
    assert!(!cycle::run(&*store, &plan).unwrap().models[0].meta_learner);
    // The recording eight days in a row.
    for day in 1..8 {
        let mut copy = rows.clone();
        for row in &mut copy {
            row.ts_ns += day * DAY_MS * 1_000_000;
            row.row_hi ^= day;
            row.hello_ts_ns += if row.hello_ts_ns < 0 { 0 } else { day * DAY_MS * 1_000_000 };
        }
        store.append(&copy).unwrap();
    }
    let report = cycle::run(&*store, &plan).unwrap();
    assert!(report.labelled > 1000 && report.labelled < report.sessions, "{report:?}");
    assert!(report.models[0].meta_learner, "{report:?}");
}

#[test]
fn explain_tells_the_nearest_change_that_would_pass() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("change.duckdb");
    replay_site(&db, &[]);
    let found = "SELECT session_id FROM ja4_processing.ml_detected_anomalies WHERE explanation LIKE '%would_pass_at%' ORDER BY score, session_id";
    let found = query(&db, found);
    let all = query(&db, "SELECT session_id FROM ja4_processing.ml_detected_anomalies").len();
    assert!(found.len() * 2 > all, "a change is known of {} of {all} anomalous sessions", found.len());
    let told = lab_ok(&["explain", "--db", text(&db), "--session", found[0]["session_id"].as_str().unwrap()]);
    let change = told.split("Would pass if\n").nth(1).unwrap_or_else(|| panic!("{told}")).lines().next().unwrap();
    assert!(change.contains(" were ") && change.contains(" instead of "), "{told}");
    // An ordinary session needs no change.
    let ordinary = "SELECT session_id FROM ja4_processing.ml_all_scores WHERE anomaly = 0 ORDER BY score, session_id LIMIT 1";
    let id = query(&db, ordinary)[0]["session_id"].as_str().unwrap().to_owned();
    assert!(!lab_ok(&["explain", "--db", text(&db), "--session", &id]).contains("Would pass"));
}

#[test]
fn no_session_one_session_and_strange_models_end_well() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("fresh.duckdb");
    drop(fresh(folder.path()));
    let none = score(&empty);
    assert_eq!(none["sessions"], 0);
    assert!(none["notes"].to_string().contains("no sessions to score"), "{none}");
    let labels = labels_file();
    assert!(lab_fails(&["evaluate", "--db", text(&empty), "--labels", text(&labels)]).contains("holds no requests"));

    // One request with a handshake: one session, learnt from and compared with itself.
    let folder = tempfile::tempdir().unwrap();
    let one = folder.path().join("fresh.duckdb");
    let mut store = fresh(folder.path());
    let row = joined_rows().into_iter().find(|row| !row.ja4.is_empty()).unwrap();
    store.append(std::slice::from_ref(&row)).unwrap();
    drop(store);
    assert_eq!(score(&one)["sessions"], 1);
    let only = &query(&one, "SELECT score, anomaly FROM ja4_processing.ml_all_scores")[0];
    assert!(only["score"].as_f64().unwrap().is_finite());
    assert!(lab_fails(&["evaluate", "--db", text(&one), "--labels", text(&labels)]).contains("at least 10"));
    let other = folder.path().join("other.csv");
    std::fs::write(&other, "a,b\n1,2\n").unwrap();
    assert!(lab_fails(&["evaluate", "--db", text(&one), "--labels", text(&other)]).contains("no usable column \"src_ip\""));

    // Models: damaged, of other features, missing.
    let models = folder.path().join("models");
    lab_ok(&["score", "--db", text(&one), "--save-model", text(&models)]);
    let file = models.join("complete.ja4model");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    std::fs::write(&file, &bytes).unwrap();
    let said = lab_fails(&["score", "--db", text(&one), "--model", text(&models)]);
    assert!(said.contains("complete.ja4model"), "{said}");
    let table = Matrix::new(FeatureSet::numbered(3).unwrap(), (0..300).map(f64::from).collect()).unwrap();
    let ensemble = ja4_models::EnsembleParams::default().check().unwrap();
    let foreign = ja4_models::Fit::fit(&ensemble, &table, None, 1).unwrap();
    std::fs::write(&file, ja4_models::Voice::to_bytes(&foreign)).unwrap();
    let said = lab_fails(&["score", "--db", text(&one), "--model", text(&models)]);
    assert!(said.contains("complete.ja4model") && said.contains("feature"), "{said}");
    std::fs::remove_file(&file).unwrap();
    assert!(lab_fails(&["score", "--db", text(&one), "--model", text(&models)]).contains("complete.ja4model"));
}
