//! A service that keeps its model: the first version, drift, the challenger, the contest, and who is told.
//!
//! Read next: `service.rs` (the loop), `operation.rs` (the same steps by hand).

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{lab, lab_ok, query, text};

/// Six generated hours with three fleets in them, stored and not scored.
fn six_hours(folder: &Path) -> PathBuf {
    let made = folder.join("made");
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets/scenarios/fleet.toml");
    lab_ok(&["synth", text(&scenario), "--seed", "1", "-o", text(&made)]);
    let db = folder.join("site.duckdb");
    let (capture, log) = (made.join("capture.pcap"), made.join("access.jsonl"));
    lab_ok(&["replay", text(&capture), "--http-log", text(&log), "--db", text(&db), "--no-score", "--quiet"]);
    db
}

fn metrics(db: &Path, like: &str) -> Vec<Value> {
    let text = "SELECT metric, model_id, value, labelled, detail FROM ja4_processing.ml_performance_metrics";
    query(db, &format!("{text} WHERE metric LIKE '{like}' ORDER BY metric, value, model_id"))
}

fn current(models: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(models.join("current.json")).unwrap()).unwrap()
}

/// Makes the version in use look as if it had been kept in 1970: drift asks for a new one by age, whatever the traffic does.
fn make_old(models: &Path) {
    let id = current(models)["current"].as_str().unwrap().to_owned();
    let path = models.join("versions").join(id).join("manifest.json");
    let mut manifest: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    manifest["created_ns"] = 1.into();
    std::fs::write(&path, manifest.to_string()).unwrap();
}

fn alerts(file: &Path) -> Vec<Value> {
    let lines = std::fs::read_to_string(file).unwrap_or_default();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_drifted_model_is_retrained_judged_on_hours_nobody_saw_and_everything_is_recorded_once() {
    let folder = tempfile::tempdir().unwrap();
    let db = six_hours(folder.path());
    let (models, told) = (folder.path().join("models"), folder.path().join("alerts.jsonl"));
    // A version of the first three hours is in use.
    let said = lab_ok(&["model", "fit", "--db", text(&db), "--models", text(&models), "--to", "2026-11-03T15:00:00Z"]);
    let first = said.split_whitespace().nth(1).unwrap().to_owned();
    lab_ok(&["model", "promote", &first, "--models", text(&models)]);
    make_old(&models);
    let cycle = || {
        let arguments =
            ["detect", "--db", text(&db), "--once", "--models", text(&models), "--holdout", "2h", "--alert-min", "low"];
        let output = lab(&[&arguments[..], &["--alert-file", text(&told)]].concat());
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let said = cycle();
    assert!(said.contains("retrain: "), "{said}");
    let attempt = metrics(&db, "retrain_promoted");
    assert_eq!(attempt.len(), 1, "{attempt:?}");
    let detail: Value = serde_json::from_str(attempt[0]["detail"].as_str().unwrap()).unwrap();
    assert_eq!(detail["champion"], first.as_str());
    // The challenger learned until the held-out two hours begin: its manifest says so.
    let challenger = detail["challenger"].as_str().unwrap();
    let manifest: Value = serde_json::from_str(&lab_ok(&["model", "show", challenger, "--models", text(&models)])).unwrap();
    assert_eq!(manifest["data"]["to_ms"], detail["holdout_from_ms"], "it learned from nothing that judged it");
    assert_eq!(detail["holdout_from_ms"].as_i64(), Some(1_793_725_200_000), "17:00: the last visits end after 18:00");
    let precision = metrics(&db, "retrain_ap");
    let of = |id: &str| precision.iter().find(|row| row["model_id"] == id).unwrap()["value"].as_f64().unwrap();
    let wins = of(challenger) >= of(&first) - 0.01;
    assert_eq!(attempt[0]["value"].as_f64(), Some(if wins { 1.0 } else { 0.0 }), "{detail}");
    assert_eq!(
        current(&models)["current"],
        if wins { challenger } else { first.as_str() },
        "it takes over only if it is not worse"
    );
    let scored =
        query(&db, "SELECT count(DISTINCT model_id) AS n FROM ja4_processing.ml_all_scores WHERE model_kind = 'complete'");
    assert_eq!(scored[0]["n"], 1, "the challenger's fit wrote no score");

    // The same hour again, by a new process: no second attempt, nothing doubled, nothing told twice.
    let (before, drift, sent) = (metrics(&db, "retrain%").len(), metrics(&db, "drift%").len(), alerts(&told));
    make_old(&models);
    cycle();
    assert_eq!(metrics(&db, "retrain%").len(), before);
    let reference = if wins { drift * 2 } else { drift };
    assert!(metrics(&db, "drift%").len() <= reference, "a comparison of the same hours is recorded once");
    let kinds = |kind: &str| sent.iter().filter(|alert| alert["kind"] == kind).count();
    assert!(kinds("session") > 0 && kinds("campaign") > 0 && kinds("fleet") > 0, "{sent:?}");
    assert_eq!((kinds("drift"), kinds("model")), (1, 1), "{sent:?}");
    let after = alerts(&told);
    let mut keys: Vec<String> =
        after.iter().map(|alert| format!("{} {} {}", alert["kind"], alert["subject"], alert["window_ms"])).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), after.len(), "an alert came twice");
}

#[test]
fn the_first_cycle_fits_the_version_that_the_next_ones_score_with() {
    let folder = tempfile::tempdir().unwrap();
    let db = six_hours(folder.path());
    let models = folder.path().join("models");
    let cycle = || {
        lab_ok(&["detect", "--db", text(&db), "--once", "--models", text(&models)]);
        query(&db, "SELECT session_id, score, model_id FROM ja4_processing.ml_all_scores ORDER BY session_id")
    };
    let first = cycle();
    let id = current(&models)["current"].clone();
    assert_eq!(cycle(), first, "a kept model gives the scores it was fitted with");
    assert_eq!(current(&models)["current"], id);
    // Another program's features: it cannot score here, so a new version takes its place instead of every cycle failing.
    let path = models.join("versions").join(id.as_str().unwrap()).join("manifest.json");
    let mut manifest: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    manifest["models"][0]["features"] = serde_json::json!(["a", "b"]);
    std::fs::write(&path, manifest.to_string()).unwrap();
    cycle();
    let deeds = query(&db, "SELECT target, detail FROM ja4_processing.audit_logs WHERE action = 'model promote' ORDER BY ts_ns");
    assert_eq!(deeds.len(), 2, "{deeds:?}");
    assert!(deeds[1]["detail"].as_str().unwrap().contains("other features"), "{deeds:?}");
}

#[test]
fn a_cycle_that_cannot_run_is_an_alert() {
    let folder = tempfile::tempdir().unwrap();
    let db = six_hours(folder.path());
    let told = folder.path().join("alerts.jsonl");
    let nowhere = folder.path().join("nowhere");
    for _ in 0..2 {
        let failed = lab(&["detect", "--db", text(&db), "--once", "--model", text(&nowhere), "--alert-file", text(&told)]);
        assert_eq!(failed.status.code(), Some(1));
    }
    let sent = alerts(&told);
    assert!(sent.iter().all(|alert| alert["kind"] == "cycle" && alert["severity"] == "critical"), "{sent:?}");
    assert!(sent[0]["reason"].as_str().unwrap().contains("nowhere"), "{sent:?}");
    // Within one hour it is one alert; the hour may have changed between the two.
    let hours: std::collections::BTreeSet<i64> = sent.iter().map(|alert| alert["window_ms"].as_i64().unwrap()).collect();
    assert_eq!(hours.len(), sent.len(), "{sent:?}");
}
