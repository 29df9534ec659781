//! `compare`: what an analyst sees of a tool that came or went, and what is said where there is nothing to compare.
//!
//! Read next: `crate::compare` of the lab, `clickhouse.rs` (the same answer from the other engine).

use std::path::Path;

use serde_json::Value;

use crate::server::Server;
use crate::support::{lab, lab_fails, lab_ok, query, replay_site, text};

fn changes(arguments: &[&str]) -> Vec<Value> {
    let all = [&["compare", "--format", "jsonl", "--top", "0"], arguments].concat();
    lab_ok(&all).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Everything from one address of `db`: what its user agents are called.
fn agents(db: &Path, address: &str) -> Vec<String> {
    let sql = format!(
        "SELECT DISTINCT user_agent FROM ja4_logs.http_logs WHERE src_ip = '{address}' AND NOT user_agent IN (SELECT user_agent FROM ja4_logs.http_logs WHERE src_ip <> '{address}') ORDER BY user_agent"
    );
    query(db, &sql).iter().map(|row| row["user_agent"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_went_is_gone_one_way_and_new_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let [before, after] = ["before", "after"].map(|name| folder.path().join(format!("{name}.duckdb")));
    replay_site(&before, &[]);
    std::fs::copy(&before, &after).unwrap();
    // The address with most user agents that nobody else has.
    let sql = "SELECT src_ip, count(DISTINCT user_agent) AS n FROM ja4_logs.http_logs WHERE ua_family = 'sqlmap' GROUP BY src_ip ORDER BY n DESC, src_ip LIMIT 1";
    let address = query(&before, sql)[0]["src_ip"].as_str().unwrap().to_owned();
    let only_there = agents(&before, &address);
    assert!(!only_there.is_empty());
    lab_ok(&["db", "purge", "--db", text(&after), "--address", &address]);

    let gone = changes(&["--db", text(&after), "--against", text(&before), "--kind", "user-agent"]);
    let values = |all: &[Value], kind: &str| {
        let mut found: Vec<_> =
            all.iter().filter(|row| row["change"] == kind).map(|row| row["entity"].as_str().unwrap().to_owned()).collect();
        found.sort();
        found
    };
    assert_eq!(values(&gone, "gone"), only_there);
    assert!(values(&gone, "new").is_empty(), "{gone:?}");
    let new = changes(&["--db", text(&before), "--against", text(&after), "--kind", "user-agent"]);
    assert_eq!(values(&new, "new"), only_there);
    let row = new.iter().find(|row| row["entity"] == only_there[0].as_str()).unwrap();
    assert_eq!((row["addresses_then"].as_i64(), row["addresses_now"].as_i64()), (Some(0), Some(1)));
    assert_eq!(row["by_chance"], 1.0, "one address is no evidence");
    // The table says the same in its own way.
    let table = lab_ok(&["compare", "--db", text(&after), "--against", text(&before), "--kind", "user-agent"]);
    assert!(table.contains("1 → 0") && table.contains("gone"), "{table}");
}

#[test]
fn a_store_against_itself_differs_in_nothing_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("site.duckdb");
    replay_site(&db, &["--no-score"]);
    let same = lab(&["compare", "--db", text(&db), "--against", text(&db), "--format", "jsonl"]);
    let said = String::from_utf8(same.stderr).unwrap();
    assert!(same.status.success() && same.stdout.is_empty() && said.contains("nothing differs: of "), "{said}");
    assert!(said.contains("h2 is not compared: no request tells it on either side"), "{said}");
    let all = changes(&["--db", text(&db), "--against", text(&db), "--all", "--kind", "host,status"]);
    assert!(all.len() > 5 && all.iter().all(|row| row["change"] == "same" && row["requests_then"] == row["requests_now"]));
}

#[test]
fn where_there_is_nothing_to_compare_a_sentence_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("site.duckdb");
    replay_site(&db, &["--no-score"]);
    let says = |arguments: &[&str], words: &str| {
        let said = lab_fails(&[&["compare", "--db", text(&db)], arguments].concat());
        assert!(said.contains(words), "{said}");
    };
    says(&[], "lies within one hour");
    let (early, hour) = ("2020-01-01T00:00:00Z..2020-01-02T00:00:00Z", "2026-11-20T19:00:00Z..2026-11-20T20:00:00Z");
    says(
        &["--reference", early, "--now", hour],
        "holds no requests from 2020-01-01T00:00:00Z to 2020-01-02T00:00:00Z, the span of --reference",
    );
    says(&["--reference", hour, "--now", early], "the span of --now; it holds requests from 2026-11-20T19:25:");
    says(&["--reference", "yesterday"], "is no span");
    assert_eq!(lab(&["compare", "--db", text(&db), "--kind", "colour"]).status.code(), Some(2));
}

#[test]
fn both_engines_give_one_answer_and_may_be_mixed() {
    let Some(server) = Server::start() else { return };
    let duck = server.folder().join("site.duckdb");
    let click = server.address.as_path();
    for db in [duck.as_path(), click] {
        replay_site(db, &[]);
    }
    let (first, second) = ("2026-11-20T19:00:00Z..2026-11-20T19:30:00Z", "2026-11-20T19:30:00Z..2026-11-20T20:00:00Z");
    let halves = |db: &Path| changes(&["--db", text(db), "--reference", first, "--now", second, "--all"]);
    let of_duck = halves(&duck);
    assert!(of_duck.len() > 100 && of_duck.iter().any(|row| row["anomalous_now"].as_i64() > Some(3)));
    assert_eq!(halves(click), of_duck);
    assert!(changes(&["--db", text(click), "--against", text(&duck)]).is_empty());
}
