//! A rehearsal against the scores in the store: unchanged it says what was stored, the nearest change passes, wrong changes are sentences.
//!
//! Read next: `ja4_lab::rehearse`.

use serde_json::Value;

use crate::support::{lab_fails, lab_ok, query, replay_site, text};

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&lab_ok(&[&["rehearse"], arguments, &["--summary", "json"]].concat())).unwrap()
}

#[test]
fn a_session_is_changed_until_it_passes() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("rehearse.duckdb");
    replay_site(&db, &[]);
    // Anomalous, with a known change; the least so, because it is told from the most sessions.
    let found = "SELECT session_id, model_id, score, threshold, score_eif, score_autoencoder, score_boosted FROM ja4_processing.ml_detected_anomalies a \
                 WHERE explanation LIKE '%would_pass_at%' AND model_kind = 'complete' ORDER BY score, session_id LIMIT 1";
    let stored = query(&db, found).remove(0);
    let id = stored["session_id"].as_str().unwrap();
    let same = json(&[id, "--db", text(&db)]);
    assert_eq!(same["model_id"], stored["model_id"], "the model asked is the one that scored");
    for (place, column) in ["score_eif", "score_autoencoder", "score_boosted", "score"].into_iter().enumerate() {
        assert_eq!(same["voices"][place]["measured"], stored[column], "{column}");
        assert_eq!(same["voices"][place]["changed"], stored[column], "{column}");
    }
    // The models came with the scores; a setting that was given has them fitted anew, and all answers are those.
    let anew = json(&[id, "--db", text(&db), "--setting", "changes=7"]);
    assert_eq!(same, anew);
    let told = lab_ok(&["rehearse", id, "--db", text(&db), "--no-nearest"]);
    assert!(told.contains("it gave the stored score"), "{told}");
    // From here on with the models kept in a folder, which need no fit.
    let kept = folder.path().join("kept");
    lab_ok(&["score", "--db", text(&db), "--save-model", text(&kept)]);
    let nearest = same["nearest"].as_array().unwrap();
    assert!(!nearest.is_empty(), "{same}");
    // What is offered does flip the verdict, and leaving one of it out does not.
    let sets: Vec<String> =
        nearest.iter().map(|change| format!("--set={}={}", change["feature"].as_str().unwrap(), change["to"])).collect();
    let with = |sets: &[String]| {
        let all: Vec<&str> = [id, "--db", text(&db), "--no-nearest", "--model", text(&kept)]
            .into_iter()
            .chain(sets.iter().map(String::as_str))
            .collect();
        json(&all)
    };
    let passed = with(&sets);
    assert_eq!(passed["anomalous"]["measured"], true);
    assert_eq!(passed["anomalous"]["changed"], false, "{passed}");
    assert_eq!(with(&sets[1..])["anomalous"]["changed"], true);
    let told = lab_ok(
        &[&["rehearse", id, "--db", text(&db), "--model", text(&kept)], &sets.iter().map(String::as_str).collect::<Vec<_>>()[..]]
            .concat(),
    );
    assert!(told.contains("It passes as it is.") && told.contains(nearest[0]["feature"].as_str().unwrap()), "{told}");
    // A control moves the features it names.
    let slow = with(&["--set=rate=0.5".to_owned(), "--set=alpn=http1".to_owned()]);
    let moved: Vec<&str> = slow["moved"].as_array().unwrap().iter().map(|change| change["feature"].as_str().unwrap()).collect();
    assert!(moved.contains(&"gap_mean_ms") || moved.contains(&"duration_ms"), "{moved:?}");
    // A threshold moved since is the one that counts, here as in the list of sessions.
    lab_ok(&["score", "--db", text(&db), "--set", "threshold=0.9999"]);
    let moved = json(&[id, "--db", text(&db), "--no-nearest"]);
    assert_eq!((moved["threshold"].as_f64(), moved["anomalous"]["measured"].as_bool()), (Some(0.9999), Some(false)), "{moved}");
    assert_eq!(moved["severity"]["measured"], "none");
    lab_ok(&["score", "--db", text(&db)]);
    // A feature that is switched off is one that no voice hears.
    let off = json(&[id, "--db", text(&db), "--setting", "without+=hits", "--set", "hits=100000", "--no-nearest"]);
    assert_ne!(off["model_id"], stored["model_id"]);
    for (change, means) in [
        ("hits", "write FEATURE=VALUE"),
        ("hitz=3", "is no feature of the complete model"),
        ("hits=many", "is no number"),
        ("alpn=h9", "alpn can be h2, http1"),
        ("rate=0", "from 0.001 to 1000"),
    ] {
        let message = lab_fails(&["rehearse", id, "--db", text(&db), "--model", text(&kept), "--set", change]);
        assert!(message.contains(means), "{change}: {message}");
    }
    assert!(lab_fails(&["rehearse", "0000000000000000", "--db", text(&db)]).contains("no stored session has the id"));
    let other = folder.path().join("other");
    let refused = lab_fails(&["score", "--db", text(&db), "--set", "without+=hits", "--save-model", text(&other)]);
    assert!(refused.contains("without+"), "{refused}");
}
