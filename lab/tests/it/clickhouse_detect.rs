//! Detection on ClickHouse: a cycle, what follows it, an analyst's decisions and every answer of the interface are those of DuckDB.
//!
//! Read next: `clickhouse.rs` (rows, features and scores of both), `service.rs`, `sql/testing/shared_queries.py` (every statement).

use std::path::Path;

use ja4_replay::store::{self, OpenOptions};
use serde_json::Value;

use crate::server::Server;
use crate::service::Service;
use crate::service_lease::race;
use crate::support::{lab_ok, query, replay_site, text};

#[test]
fn a_cycle_and_the_decisions_about_it_say_the_same_on_both_stores() {
    let Some(server) = Server::start() else { return };
    let duck = server.folder().join("site.duckdb");
    let stores = [duck.as_path(), server.address.as_path()];
    let alerts = stores.map(|db| {
        replay_site(db, &["--no-score"]);
        let file = server.folder().join(format!("alerts-{}", db.starts_with(server.folder())));
        lab_ok(&["detect", "--db", text(db), "--once", "--window", "1d", "--alert-file", text(&file)]);
        let lines = std::fs::read_to_string(file).unwrap();
        lines.lines().map(without_times).collect::<Vec<_>>()
    });
    assert_eq!(alerts[0], alerts[1]);
    assert!(alerts[0].len() > 10, "{alerts:?}");

    let both = |arguments: &[&str]| {
        let [one, two] = stores.map(|db| lab_ok(&[arguments, &["--db", text(db)]].concat()));
        assert_eq!(one, two, "{arguments:?}");
        one
    };
    let json = ["--format", "jsonl"];
    let campaigns = both(&[&["campaigns", "list"], &json[..]].concat());
    assert!(campaigns.lines().count() > 10 && both(&[&["fleets"], &json[..]].concat()).lines().count() > 3);
    for kind in ["brute-force", "rotation", "probing", "contradiction"] {
        assert_ne!(both(&[&["detections", "--kind", kind], &json[..]].concat()), "", "{kind}");
    }
    let hour = "2026-11-20T19:00:00Z..2026-11-20T20:00:00Z";
    both(&["drift", "--reference", hour, "--now", hour]);
    assert!(both(&["blocklist", "--window", "0", "--output", "-"]).lines().count() > 5);

    // Decisions change what the next cycle says, and change it alike.
    let id = |line: &str, key: &str| serde_json::from_str::<Value>(line).unwrap()[key].as_str().unwrap().to_owned();
    let mut lines = campaigns.lines();
    let (first, second) = (id(lines.next().unwrap(), "campaign_id"), id(lines.next().unwrap(), "campaign_id"));
    both(&["campaigns", "rename", &first, "the \\ worst'", "--analyst", "ann"]);
    both(&["campaigns", "merge", &first, &second, "--analyst", "ann"]);
    let sessions = both(&["sessions", "--top", "1", "--format", "jsonl"]);
    let session = id(sessions.lines().next().unwrap(), "session_id");
    for db in stores {
        lab_ok(&[
            "feedback",
            "add",
            "--session",
            &session,
            "--verdict",
            "human",
            "--note",
            "it's",
            "--analyst",
            "ann",
            "--db",
            text(db),
        ]);
    }
    both(&[&["feedback", "review"], &json[..]].concat());
    both(&["feedback", "export"]);
    both(&["score", "--summary", "json"]);
    assert!(both(&[&["campaigns", "list"], &json[..]].concat()).contains("the \\\\ worst'"));
    both(&["campaigns", "show", &first]);
    answers_are_equal(stores);
    // Nothing is left of the leases of four cycles.
    assert!(query(stores[1], "SELECT * FROM ja4_processing.leases").is_empty());
}

#[test]
fn the_lease_holds_on_a_store_without_transactions() {
    let Some(server) = Server::start() else { return };
    let mut store = store::open(&server.address, &OpenOptions::default()).unwrap();
    store.migrate().unwrap();
    // Few, for the engine of the tests does one thing at a time.
    race(&*store, 3, 3);
}

/// Every path of the interface, in each of its orders.
fn answers_are_equal(stores: [&Path; 2]) {
    let services = stores.map(|db| {
        let mut service = Service::start(db, &["--every", "1h", "--window", "1d"], &[]);
        service.wait_for("cycle: ");
        service
    });
    let description = services[0].ok("/openapi.json");
    let mut compared = 0;
    for (path, described) in description["paths"].as_object().unwrap() {
        // Figures of the process itself, texts, and one address at a time.
        if path.ends_with("{address}") || path == "/metrics" || path.ends_with("/health") || path.ends_with("/blocklist") {
            continue;
        }
        let sorts =
            described["get"]["parameters"].as_array().into_iter().flatten().filter(|parameter| parameter["name"] == "sort");
        let keys: Vec<&Value> = sorts.flat_map(|sort| sort["schema"]["enum"].as_array().unwrap()).collect();
        let sorted = keys.iter().map(|key| format!("{path}?sort={}&order=asc&limit=200", key.as_str().unwrap()));
        for path in std::iter::once(path.clone()).chain(sorted) {
            // By the time of the run itself two stores need not agree.
            if path.contains("sort=ts_ns") {
                continue;
            }
            let [one, two] = [0, 1].map(|place: usize| without_times(&services[place].ok(&path).to_string()));
            assert_eq!(one, two, "{path}");
            compared += 1;
        }
    }
    assert!(compared > 50, "{compared}");
}

/// JSON without what each run writes of its own clock or chance.
fn without_times(text: &str) -> String {
    const OWN: &[&str] = &["sent_ns", "ts_ns", "scored_run", "feedback_id", "decision_id", "generated_ns"];
    fn strip(value: &mut Value) {
        match value {
            Value::Object(object) => {
                OWN.iter().for_each(|name| drop(object.remove(*name)));
                object.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut value: Value = serde_json::from_str(text).unwrap();
    strip(&mut value);
    value.to_string()
}
