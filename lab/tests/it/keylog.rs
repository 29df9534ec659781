//! The key log of the recorded set: requests read from inside the connections, as the input and as the truth about the join.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::support::{dataset, lab_ok, query, replay_site, site_small, text};

/// The recorded key log, unpacked, because programs that write one do not compress it.
fn keys(folder: &Path) -> PathBuf {
    let packed = std::fs::File::open(dataset("site-small").join("keys.log.gz")).unwrap();
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(packed).read_to_end(&mut bytes).unwrap();
    let path = folder.join("keys.log");
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn keys_measure_the_join_and_change_nothing_about_it() {
    let folder = tempfile::tempdir().unwrap();
    let keys = keys(folder.path());
    let (plain_db, keyed_db) = (folder.path().join("plain.duckdb"), folder.path().join("keyed.duckdb"));
    let plain = replay_site(&plain_db, &["--no-score"]);
    let keyed = replay_site(&keyed_db, &["--no-score", "--keylog", text(&keys)]);
    let joined = "SELECT row_hi, row_lo, hello_ts_ns, match_kind, match_confidence FROM ja4_logs.http_logs ORDER BY ALL";
    assert_eq!(query(&plain_db, joined), query(&keyed_db, joined));
    // What is inside the connections is known beside: the HTTP/2 fingerprint, which no log of this set has.
    let h2 = "SELECT count(*) AS n FROM ja4_logs.http_logs WHERE h2 <> ''";
    assert_eq!(query(&plain_db, h2)[0]["n"], 0);
    assert!(query(&keyed_db, h2)[0]["n"].as_i64().unwrap() > 500);
    assert!(plain.get("join_truth").is_none());
    let truth = &keyed["join_truth"];
    let number = |name: &str| truth[name].as_u64().unwrap();
    assert!(number("decrypted") > 4000, "{truth}");
    assert!(number("logged") * 100 >= number("decrypted") * 95, "{truth}");
    let joined = number("right") + number("wrong");
    assert!(number("right") * 1000 >= joined * 995, "precision below 99.5 %: {truth}");
    assert!(number("right") * 100 >= (joined + number("missed")) * 98, "recall below 98 %: {truth}");
    eprintln!("join measured by keys: {truth}");
}

#[test]
fn with_keys_a_capture_needs_no_log() {
    let folder = tempfile::tempdir().unwrap();
    let keys = keys(folder.path());
    let (capture, _) = site_small();
    let replay = |db: &Path, more: &[&str]| -> serde_json::Value {
        let mut arguments = vec!["replay", text(&capture), "--db", text(db), "--no-score", "--summary", "json"];
        arguments.extend_from_slice(more);
        serde_json::from_str(&lab_ok(&arguments)).unwrap()
    };
    let db = folder.path().join("keys.duckdb");
    let summary = replay(&db, &["--keylog", text(&keys), "--threads", "1"]);
    let requests = summary["http_requests"].as_u64().unwrap();
    assert!(requests > 4000, "{summary}");
    assert_eq!(
        summary["matched"].as_u64().unwrap(),
        requests,
        "a request read from a connection belongs to it: {}",
        summary["match_kinds"]
    );
    let again = replay(&folder.path().join("again.duckdb"), &["--keylog", text(&keys), "--threads", "2"]);
    assert_eq!(summary["rows_digest"], again["rows_digest"]);
    // What the log says of these requests is what the wire says.
    let logged = folder.path().join("logged.duckdb");
    replay_site(&logged, &["--no-score"]);
    let agents = "SELECT DISTINCT user_agent FROM ja4_logs.http_logs WHERE ja4 <> '' ORDER BY user_agent";
    let (from_wire, from_log) = (query(&db, agents), query(&logged, agents));
    let missing = from_wire.iter().filter(|agent| !from_log.contains(agent)).count();
    assert!(missing * 20 <= from_wire.len(), "{missing} of {} User-Agents are not in the log", from_wire.len());
    // No secret reaches the database.
    let secret =
        std::fs::read_to_string(&keys).unwrap().lines().find_map(|line| line.split(' ').nth(2).map(str::to_owned)).unwrap();
    let stored = std::fs::read(&db).unwrap();
    assert!(!stored.windows(secret.len()).any(|window| window == secret.as_bytes()));
}
