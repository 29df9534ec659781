//! The lab in operation, as an analyst meets it: campaigns, feedback, models kept, re-ranking, detections, drift.

use std::path::Path;

use crate::support::{lab_fails, lab_ok, query, replay_site, text};

/// A scored database of the recorded set.
fn site(folder: &Path) -> std::path::PathBuf {
    let db = folder.join("site.duckdb");
    replay_site(&db, &[]);
    db
}

fn rows(db: &Path, command: &[&str]) -> Vec<serde_json::Value> {
    let arguments = [command, &["--db", text(db), "--format", "jsonl"]].concat();
    lab_ok(&arguments).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn verdicts(db: &Path) -> Vec<serde_json::Value> {
    query(db, "SELECT session_id, score, threshold, anomaly, severity FROM ja4_processing.ml_all_scores ORDER BY session_id")
}

#[test]
fn campaigns_keep_their_names_over_cycles_and_analysts_have_the_last_word() {
    let folder = tempfile::tempdir().unwrap();
    let db = site(folder.path());
    let members = || query(&db, "SELECT campaign_id, session_id FROM ja4_processing.campaign_members ORDER BY session_id");
    let before = members();
    assert!(before.len() > 50, "{} members", before.len());
    lab_ok(&["score", "--db", text(&db)]);
    assert_eq!(members(), before, "the same sessions scored again are the same campaigns");

    let campaigns = rows(&db, &["campaigns", "list"]);
    let id = |place: usize| campaigns[place]["campaign_id"].as_str().unwrap().to_owned();
    let host_of = |campaign: &str| {
        query(&db, &format!("SELECT count(DISTINCT host) AS n, min(host) AS host, count(*) AS all_n FROM ja4_processing.campaign_members WHERE campaign_id = '{campaign}'"))[0].clone()
    };
    let mixed = (0..campaigns.len()).map(id).find(|id| host_of(id)["n"].as_i64().unwrap() > 1).expect("a campaign of two hosts");
    let host = host_of(&mixed)["host"].as_str().unwrap().to_owned();
    let said = lab_ok(&["campaigns", "split", "--db", text(&db), &mixed, "--by", &format!("host={host}"), "--analyst", "ann"]);
    let part = said.split("show ").nth(1).unwrap().trim().trim_end_matches('`').to_owned();
    let others: Vec<String> = (0..campaigns.len()).map(id).filter(|other| *other != mixed).take(2).collect();
    lab_ok(&["campaigns", "merge", "--db", text(&db), &others[0], &others[1], "--analyst", "ann"]);
    lab_ok(&["campaigns", "rename", "--db", text(&db), &others[0], "the two of them", "--analyst", "ann"]);
    let decided = members();
    lab_ok(&["score", "--db", text(&db)]);
    assert_eq!(members(), decided, "a later grouping keeps what was decided");
    assert_eq!(host_of(&part)["n"], 1);
    let merged = query(
        &db,
        &format!(
            "SELECT state, name FROM ja4_processing.campaigns WHERE campaign_id IN ('{}', '{}') ORDER BY state",
            others[0], others[1]
        ),
    );
    assert_eq!((merged[0]["name"].as_str(), merged[1]["state"].as_str()), (Some("the two of them"), Some("merged")));
    let audit =
        query(&db, "SELECT count(*) AS n FROM ja4_processing.audit_logs WHERE actor = 'ann' AND action LIKE 'campaigns %'");
    assert_eq!(audit[0]["n"], 3);
    for bad in
        [["split", "nobody", "--by", "host=x"], ["split", &mixed, "--by", "colour=x"], ["split", &mixed, "--by", "host=nowhere"]]
    {
        lab_fails(&[&["campaigns"], &bad[..], &["--db", text(&db)]].concat());
    }
}

#[test]
fn feedback_is_kept_audited_exported_and_held_against_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let db = site(folder.path());
    let worst = query(&db, "SELECT session_id, src_ip FROM ja4_processing.ml_all_scores ORDER BY score DESC, session_id LIMIT 1")
        [0]
    .clone();
    let id = worst["session_id"].as_str().unwrap();
    let add = |verdict: &str| {
        lab_ok(&[
            "feedback",
            "add",
            "--db",
            text(&db),
            "--session",
            id,
            "--verdict",
            verdict,
            "--note",
            "=cmd",
            "--analyst",
            "ann",
        ])
    };
    add("human");
    let review = rows(&db, &["feedback", "review"]);
    assert_eq!((review.len(), review[0]["session_id"].as_str()), (1, Some(id)));
    let truth = lab_ok(&["feedback", "export", "--db", text(&db)]);
    assert!(truth.lines().nth(1).unwrap().starts_with(id) && truth.contains(",0,human,ann"), "{truth}");
    add("bot");
    assert!(rows(&db, &["feedback", "review"]).is_empty(), "the newest decision counts");
    add("withdrawn");
    assert_eq!(lab_ok(&["feedback", "export", "--db", text(&db)]).lines().count(), 1, "nothing stands");
    assert_eq!(rows(&db, &["feedback", "list"]).len(), 3, "nothing is ever removed");
    assert_eq!(query(&db, "SELECT count(*) AS n FROM ja4_processing.audit_logs WHERE action = 'feedback add'")[0]["n"], 3);
    let message = lab_fails(&["feedback", "add", "--db", text(&db), "--session", "0000", "--verdict", "bot"]);
    assert!(message.contains("no scored session has the id"), "{message}");
}

#[test]
fn re_ranking_is_what_a_full_run_gives_and_a_kept_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let db = site(folder.path());
    let before = verdicts(&db);
    let kept = lab_ok(&["score", "--db", text(&db), "--set", "threshold=0.9", "--keep-as", "strict"]);
    assert!(kept.contains("verdicts in force are unchanged"), "{kept}");
    assert_eq!(verdicts(&db), before);
    let counted = query(&db, "SELECT count(*) AS n, sum(anomaly) AS a FROM ja4_processing.kept_scores WHERE name = 'strict'");
    assert_eq!(counted[0]["n"].as_u64(), Some(before.len() as u64));

    lab_ok(&["score", "--db", text(&db), "--set", "threshold=0.9"]);
    let fast = verdicts(&db);
    lab_ok(&["score", "--db", text(&db), "--set", "threshold=0.9", "--set", "seed=1"]);
    assert_eq!(verdicts(&db), fast, "a full run with the same threshold says the same");
    let anomalies =
        |table: &str| query(&db, &format!("SELECT count(*) AS n FROM ja4_processing.{table} WHERE anomaly = 1"))[0]["n"].clone();
    assert_eq!(anomalies("ml_detected_anomalies"), anomalies("ml_all_scores"));

    let address =
        query(&db, "SELECT src_ip FROM ja4_processing.ml_all_scores WHERE anomaly = 1 ORDER BY score DESC, session_id LIMIT 1")
            [0]["src_ip"]
            .as_str()
            .unwrap()
            .to_owned();
    lab_ok(&["score", "--db", text(&db), "--set", &format!("allow+={address}")]);
    let left = query(
        &db,
        &format!("SELECT sum(anomaly) AS n, min(severity) AS s FROM ja4_processing.ml_all_scores WHERE src_ip = '{address}'"),
    );
    assert_eq!(left[0]["s"], "allowed");
    lab_ok(&[
        "score",
        "--db",
        text(&db),
        "--set",
        "weights.eif=1",
        "--set",
        "weights.autoencoder=0",
        "--set",
        "weights.boosted=0",
    ]);
    let off = query(&db, "SELECT max(abs(score - score_eif)) AS d FROM ja4_processing.ml_all_scores");
    assert!(off[0]["d"].as_f64().unwrap() < 1e-12, "{off:?}");
}

#[test]
fn another_forest_and_fewer_features_are_fitted_anew_and_kept_beside_the_verdicts() {
    let folder = tempfile::tempdir().unwrap();
    let db = site(folder.path());
    let before = verdicts(&db);
    let kept = |name: &str, settings: &[&str]| {
        let settings: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
        lab_ok(&[&["score", "--db", text(&db), "--keep-as", name], &settings[..]].concat());
        let of = format!("SELECT session_id, score FROM ja4_processing.kept_scores WHERE name = '{name}' ORDER BY session_id");
        query(&db, &of)
    };
    let small = kept("small", &["trees=5"]);
    let blind = kept("blind", &["features-=coherence_score", "features-=ja4_browser_known"]);
    assert_eq!((small.len(), blind.len()), (before.len(), before.len()));
    assert_ne!(small, blind);
    assert_eq!(verdicts(&db), before, "no verdict changed");
    let noted = query(&db, "SELECT name, sessions, settings FROM ja4_processing.kept_rankings ORDER BY name");
    assert_eq!(noted.len(), 2);
    assert!(noted[0]["settings"].as_str().unwrap().contains("coherence_score"), "{noted:?}");
    assert_eq!(kept("small", &["trees=5"]), small, "the same again replaces itself");
    lab_fails(&["score", "--db", text(&db), "--set", "features-=nothing", "--keep-as", "x"]);
    lab_fails(&["score", "--db", text(&db), "--set", "trees=5", "--keep-as", ""]);
}

#[test]
fn models_are_kept_compared_carried_away_and_taken_into_use() {
    let folder = tempfile::tempdir().unwrap();
    let db = site(folder.path());
    let models = folder.path().join("models");
    let model = |arguments: &[&str]| lab_ok(&[&["model"], arguments, &["--models", text(&models)]].concat());
    let fit = |seed: &str| {
        let said = model(&["fit", "--db", text(&db), "--set", seed, "--name", seed]);
        said.split_whitespace().nth(1).unwrap().to_owned()
    };
    let (a, b) = (fit("seed=1"), fit("seed=2"));
    assert_ne!(a, b);
    model(&["promote", &a]);
    model(&["promote", &b]);
    assert!(model(&["rollback"]).contains(&a));
    assert!(model(&["show"]).contains("\"features_hash\""));
    let list: Vec<serde_json::Value> =
        model(&["list", "--format", "jsonl"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(list.iter().filter(|version| version["in_use"] == "yes").count(), 1);
    let diff: Vec<serde_json::Value> = model(&["diff", &a, &b, "--db", text(&db), "--format", "jsonl"])
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(!diff.is_empty() && diff.iter().all(|change| change["rank_a"] != change["rank_b"] && change["feature"] != ""));
    let bundle = folder.path().join("a.ja4bundle");
    model(&["export", &a, "-o", text(&bundle)]);
    let there = folder.path().join("there");
    lab_ok(&["model", "import", text(&bundle), "--models", text(&there)]);
    let scored = lab_ok(&["score", "--db", text(&db), "--model", text(&there.join("versions").join(&a)), "--summary", "json"]);
    assert!(scored.contains("\"sessions\""));
    let contest = lab_fails(&[
        "model",
        "promote",
        &b,
        "--models",
        text(&models),
        "--db",
        text(&db),
        "--holdout-from",
        "2026-11-20T19:00:00Z",
    ]);
    assert!(contest.contains("may have learned from the held-out sessions"), "{contest}");
}

#[test]
fn detections_come_with_evidence_and_fleets_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let db = site(folder.path());
    for kind in ["brute-force", "rotation", "probing", "contradiction"] {
        let found = rows(&db, &["detections", "--kind", kind]);
        assert!(!found.is_empty(), "{kind}");
        assert!(found.iter().all(|line| line["kind"] == kind && !line["evidence"].as_str().unwrap().is_empty()), "{kind}");
    }
    // One host answers on this site, so nobody can scan across hosts; the list says so instead of failing.
    rows(&db, &["detections", "--kind", "scanning"]);
    let fleets = rows(&db, &["fleets"]);
    assert!(!fleets.is_empty());
    assert!(
        fleets.iter().all(|fleet| fleet["ips"].as_i64().unwrap() >= 3 && fleet["reason"].as_str().unwrap().contains("addresses"))
    );
}

#[test]
fn drift_of_a_single_hour_is_a_sentence_and_halves_of_one_hour_can_be_compared() {
    let folder = tempfile::tempdir().unwrap();
    let db = site(folder.path());
    let message = lab_fails(&["drift", "--db", text(&db)]);
    assert!(message.contains("only one hour is scored"), "{message}");
    let hour = "2026-11-20T19:00:00Z..2026-11-20T20:00:00Z";
    let said = lab_ok(&["drift", "--db", text(&db), "--reference", hour, "--now", hour]);
    assert!(said.trim_end().lines().last().unwrap().starts_with("keep: "), "{said}");
    let written = query(&db, "SELECT count(*) AS n FROM ja4_processing.ml_performance_metrics WHERE metric LIKE 'drift_ks:%'");
    assert!(written[0]["n"].as_i64().unwrap() > 50);
    let all = || query(&db, "SELECT count(*) AS n FROM ja4_processing.ml_performance_metrics")[0]["n"].as_i64().unwrap();
    let before = all();
    lab_ok(&["drift", "--db", text(&db), "--reference", hour, "--now", hour]);
    assert_eq!(all(), before, "the same comparison is recorded once");
    lab_fails(&["drift", "--db", text(&db), "--reference", "yesterday", "--now", hour]);
}
