//! Block-lists: who is on them, who never is, and whether the programs that read them accept them.
//!
//! Read next: `lab/src/service/blocklist.rs`.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;

use ja4_lab::rows::Columns;
use ja4_lab::service::blocklist::{Format, Wish, collect};

use ja4_replay::store::{self, OpenOptions, Store, TableName};
use serde_json::Value;

use crate::support::{lab, lab_fails, lab_ok, query, replay_site, text};

fn listed(db: &Path, severity: &str, window: &str) -> BTreeSet<String> {
    let text = lab_ok(&["blocklist", "--db", text(db), "--min-severity", severity, "--window", window]);
    text.lines().map(|line| line.split(" # ").next().unwrap().to_owned()).collect()
}

#[test]
fn anomalous_addresses_are_listed_and_allowed_ones_never() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("b.duckdb");
    replay_site(&db, &[]);
    let all: BTreeSet<String> = query(&db, "SELECT DISTINCT src_ip FROM ja4_processing.ml_detected_anomalies WHERE severity <> 'allowed' AND src_ip NOT IN (SELECT src_ip FROM ja4_processing.ml_all_scores WHERE label = 0)")
        .iter()
        .map(|row| row["src_ip"].as_str().unwrap().to_owned())
        .collect();
    let before = listed(&db, "low", "0");
    assert!(!before.is_empty());
    assert_eq!(before, all);
    assert!(listed(&db, "critical", "0").is_subset(&before));
    let spared = before.first().unwrap();
    lab_ok(&["score", "--db", text(&db), "--set", &format!("allow+={spared}")]);
    let after = listed(&db, "low", "0");
    assert!(!after.contains(spared) && after.len() + 1 >= before.len(), "{spared} is allowed but listed");
    // A file is replaced as a whole; where that fails the old one stays.
    let file = folder.path().join("block.txt");
    lab_ok(&["blocklist", "--db", text(&db), "--min-severity", "low", "-o", text(&file)]);
    let written = std::fs::read_to_string(&file).unwrap();
    assert_eq!(written.lines().count(), listed(&db, "low", "1d").len());
    assert_eq!(
        std::fs::read_dir(folder.path())
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains(".new-"))
            .count(),
        0
    );
    lab_fails(&["blocklist", "--db", text(&db), "-o", text(&folder.path().join("no/such/folder"))]);
    let json: Value =
        serde_json::from_str(&lab_ok(&["blocklist", "--db", text(&db), "--min-severity", "low", "--format", "crowdsec"]))
            .unwrap();
    assert!(
        json.as_array()
            .unwrap()
            .iter()
            .all(|decision| decision["type"] == "ban" && decision["value"].as_str().unwrap().parse::<IpAddr>().is_ok())
    );
    ipset_accepts(&lab_ok(&["blocklist", "--db", text(&db), "--min-severity", "low", "--format", "ipset"]), after.len());
    apache_accepts(folder.path(), &lab_ok(&["blocklist", "--db", text(&db), "--min-severity", "low", "--format", "apache"]));
}

/// Reads the text as `ipset restore` does: every line one of five commands, every set created before it is used.
fn ipset_accepts(text: &str, members: usize) {
    let mut sets: BTreeSet<&str> = BTreeSet::new();
    let mut added = 0;
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["create", set, "hash:ip", "family", "inet" | "inet6", "hashsize", size, "maxelem", most, "-exist"] => {
                assert!(set.len() < 32 && size.parse::<u32>().is_ok() && most.parse::<u32>().is_ok());
                sets.insert(set);
            }
            ["add", set, address] => {
                assert!(sets.contains(set), "{line}");
                let address: IpAddr = address.parse().unwrap();
                assert_eq!(address.is_ipv6(), set.contains("v6"), "{line}");
                added += 1;
            }
            ["flush", set] => assert!(sets.contains(set), "{line}"),
            ["swap", a, b] => assert!(sets.contains(a) && sets.contains(b), "{line}"),
            ["destroy", set] => assert!(sets.remove(set), "{line}"),
            _ => panic!("ipset knows no such line: {line}"),
        }
    }
    assert_eq!(added, members);
}

/// `apache2 -t` on a configuration that includes the text.
fn apache_accepts(folder: &Path, text: &str) {
    let (program, modules) = (Path::new("/usr/sbin/apache2"), Path::new("/usr/lib/apache2/modules"));
    if !program.exists() || !modules.exists() {
        eprintln!("skipped: apache2 is not installed, so its syntax check could not be asked");
        return;
    }
    let configure = |block: &str| {
        let load = ["mpm_event", "authz_core", "authz_host"]
            .map(|name| format!("LoadModule {name}_module {}/mod_{name}.so\n", modules.display()));
        let configuration = format!(
            "ServerRoot \"{0}\"\nServerName localhost\nListen 127.0.0.1:1\nErrorLog \"{0}/error.log\"\nPidFile \"{0}/pid\"\n{1}<Location \"/\">\n{block}</Location>\n",
            folder.display(),
            load.concat()
        );
        let path = folder.join("apache.conf");
        std::fs::write(&path, configuration).unwrap();
        Command::new(program).args(["-t", "-f"]).arg(path).output().unwrap()
    };
    let verdict = configure(text);
    assert!(verdict.status.success(), "{}\n{text}", String::from_utf8_lossy(&verdict.stderr));
    assert!(
        !configure(&text.replacen("Require not ip ", "Require not ip not-an-address-", 1)).status.success(),
        "the check notices nothing"
    );
}

const ANOMALIES: TableName = TableName { schema: "ja4_processing", table: "ml_detected_anomalies" };
const FEEDBACK: TableName = TableName { schema: "ja4_processing", table: "soc_feedback" };

/// One detected session of `src_ip`, seen by the web server as `client_ip`.
fn detect(store: &dyn Store, src_ip: &str, client_ip: &str) {
    let row = Columns::new()
        .int("win_ms", [3_600_000])
        .text("src_ip", [src_ip])
        .text("ja4", [""])
        .text("host", ["h"])
        .text("session_id", [src_ip])
        .text("model_name", ["m"])
        .text("model_id", ["i"])
        .text("model_kind", ["complete"])
        .int("hits", [9])
        .float("score_eif", [0.9])
        .float("score_autoencoder", [0.9])
        .float("score_boosted", [-1.0])
        .float("score", [0.9])
        .float("threshold", [0.7])
        .int("anomaly", [1])
        .text("severity", ["high"])
        .float("agreement", [1.0])
        .text("reason", ["because\n</RequireAll>"])
        .text("explanation", ["[]"])
        .float("population_share", [0.1])
        .int("label", [-1])
        .text("label_source", [""])
        .text("user_agent", [""])
        .text("ua_family", [""])
        .text("client_ip", [client_ip])
        .int("asn", [-1])
        .text("as_name", [""])
        .text("country", [""])
        .text("scored_run", ["r"])
        .int("first_ns", [1])
        .int("last_ns", [2])
        .batch();
    store.insert(ANOMALIES, row.unwrap()).unwrap();
}

fn judge(store: &dyn Store, ts_ns: i64, src_ip: &str, label: i64) {
    let row = Columns::new()
        .int("ts_ns", [ts_ns])
        .text("feedback_id", [ts_ns.to_string()])
        .text("target_kind", ["ip"])
        .text("session_id", [""])
        .text("src_ip", [src_ip])
        .text("ja4", [""])
        .text("host", [""])
        .text("user_agent", [""])
        .int("label", [label])
        .text("verdict", ["human"])
        .text("note", [""])
        .text("analyst", ["me"])
        .batch();
    store.insert(FEEDBACK, row.unwrap()).unwrap();
}

#[test]
fn what_an_analyst_calls_legitimate_is_never_listed_nor_is_what_would_hurt_the_site() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store::open(&folder.path().join("fresh.duckdb"), &OpenOptions::default()).unwrap();
    store.migrate().unwrap();
    let store = &*store;
    for address in ["192.0.2.1", "192.0.2.2", "192.0.2.3", "127.0.0.1", "::1", "2001:db8::1"] {
        detect(store, address, address);
    }
    detect(store, "198.51.100.1", "203.0.113.5");
    detect(store, "198.51.100.2", "");
    judge(store, 1, "192.0.2.1", 0);
    // Judged legitimate first and a bot later: the later word counts.
    judge(store, 2, "192.0.2.2", 0);
    judge(store, 3, "192.0.2.2", 1);
    let wish = Wish { from: 2, range_ms: (0, i64::MAX / 2) };
    let list = collect(store, &wish).unwrap();
    let found: Vec<String> = list.entries.keys().map(ToString::to_string).collect();
    assert_eq!(found, ["192.0.2.2", "192.0.2.3", "198.51.100.2", "203.0.113.5", "2001:db8::1"]);
    assert_eq!((list.trusted, list.unfit), (1, 2));
    assert!(!list.render(Format::Ipset).contains("203.0.113.5") && !list.render(Format::Plain).contains("198.51.100.1"));
    let apache = list.render(Format::Apache);
    assert_eq!(apache.lines().filter(|line| *line == "</RequireAll>").count(), 1, "{apache}");
    assert!(collect(store, &Wish { from: 3, ..wish }).unwrap().entries.is_empty(), "none of them is critical");
}

#[test]
fn a_missing_database_is_told() {
    assert_eq!(lab(&["blocklist", "--db", "/nonexistent/x.duckdb"]).status.code(), Some(1));
}
