//! The join against the labels of the recorded sets: which connection really carried each request.

use std::collections::HashMap;
use std::path::Path;

use ja4_lab::dataset::Role;

use crate::support::{dataset, lab_ok, query, text};

struct Connection {
    first_ns: i64,
    last_ns: i64,
    has_hello: bool,
}

#[test]
fn every_labelled_connection_is_joined_with_every_log_of_every_recording() {
    let folder = tempfile::tempdir().unwrap();
    let sets = ja4_lab::dataset::list(&dataset("")).unwrap();
    assert!(!sets.is_empty());
    for set in sets {
        let capture = set.files(Role::Capture).remove(0);
        let logs = set.files(Role::HttpLog);
        assert!(logs.len() >= 2, "{}: {logs:?}", set.manifest.name);
        for log in logs {
            let name = format!("{} {}", set.manifest.name, log.file_name().unwrap().to_str().unwrap());
            let db = folder.path().join(format!("{name}.duckdb"));
            lab_ok(&["replay", text(&capture), "--http-log", text(&log), "--db", text(&db), "--no-score"]);
            check(&db, &name, &labels(&set.folder.join("labels.csv")));
        }
    }
}

/// Precision at least 99.5 %, recall at least 98 %.
fn check(db: &Path, what: &str, labels: &HashMap<(String, i64), Vec<Connection>>) {
    let rows = query(
        db,
        "SELECT src_ip, src_port, ts_ns, hello_ts_ns, match_kind FROM ja4_logs.http_logs WHERE src_port >= 0 ORDER BY row_hi, row_lo",
    );
    let (mut joined, mut right, mut could) = (0_u32, 0_u32, 0_u32);
    let mut wrong = Vec::new();
    for row in &rows {
        let key = (row["src_ip"].as_str().unwrap().to_owned(), row["src_port"].as_i64().unwrap());
        let ts_ns = row["ts_ns"].as_i64().unwrap();
        // A log by the second says the start of the second.
        let slack_ns = 1_100_000_000;
        let connections = labels.get(&key).map_or(&[][..], Vec::as_slice);
        let truth: Vec<&Connection> = connections
            .iter()
            .filter(|c| c.has_hello && ts_ns >= c.first_ns - slack_ns && ts_ns <= c.last_ns + slack_ns)
            .collect();
        let hello_ns = row["hello_ts_ns"].as_i64().unwrap();
        let found = hello_ns >= 0 && row["match_kind"] != "no_handshake";
        could += u32::from(!truth.is_empty());
        if found {
            joined += 1;
            if truth.iter().any(|c| hello_ns >= c.first_ns && hello_ns <= c.last_ns)
                || truth.is_empty() && clear_text(connections, hello_ns)
            {
                right += 1;
            } else {
                wrong.push(row.clone());
            }
        }
    }
    let right_of_tls = right.min(could);
    let precision = f64::from(right) / f64::from(joined.max(1));
    let recall = f64::from(right_of_tls) / f64::from(could.max(1));
    eprintln!("{what}: {} rows, precision {precision:.5}, recall {recall:.5}", rows.len());
    assert!(could > 1000, "{what}: only {could} requests have a labelled handshake");
    assert!(precision >= 0.995, "{what}: precision {precision}; wrong: {:?}", wrong.first());
    assert!(recall >= 0.98, "{what}: recall {recall}");
}

/// A clear-text connection has no hello, but its first request is what the row points to.
fn clear_text(connections: &[Connection], hello_ns: i64) -> bool {
    connections.iter().any(|c| !c.has_hello && hello_ns >= c.first_ns && hello_ns <= c.last_ns)
}

fn labels(path: &Path) -> HashMap<(String, i64), Vec<Connection>> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let column = |name: &str| {
        header.iter().position(|column| *column == name).unwrap_or_else(|| panic!("labels.csv has no column {name}"))
    };
    let (ip, port, first, last, hello) =
        (column("src_ip"), column("src_port"), column("first_ns"), column("last_ns"), column("has_hello"));
    let mut labels: HashMap<_, Vec<Connection>> = HashMap::new();
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let connection = Connection {
            first_ns: cells[first].parse().unwrap(),
            last_ns: cells[last].parse().unwrap(),
            has_hello: cells[hello] == "1",
        };
        labels.entry((cells[ip].to_owned(), cells[port].parse().unwrap())).or_default().push(connection);
    }
    labels
}
