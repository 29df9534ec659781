//! Bad input gets a plain sentence that names the file, and what stands before the damage is kept.

use std::path::{Path, PathBuf};

use crate::support::{lab, lab_fails, lab_ok, query, replay_site, site_small, text};

struct Bench {
    _folder: tempfile::TempDir,
    db: PathBuf,
    root: PathBuf,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_path_buf();
        Self { db: root.join("x.duckdb"), root, _folder: folder }
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.root.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

fn unpack(path: &Path) -> Vec<u8> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    flate2::read::MultiGzDecoder::new(std::fs::File::open(path).unwrap()).read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn captures_that_are_none() {
    let bench = Bench::new();
    std::fs::create_dir(bench.root.join("folder")).unwrap();
    let cases = [
        (bench.root.join("missing.pcap"), "missing.pcap"),
        (bench.file("empty.pcap", b""), "empty"),
        (bench.file("text.pcap", b"GET / HTTP/1.1\r\n\r\n, which is no capture"), "not a capture"),
        (bench.file("short.pcap", &0xa1b2_c3d4_u32.to_le_bytes()), "header"),
        (bench.root.join("folder"), "no captures"),
    ];
    for (path, part) in cases {
        for message in [
            lab_fails(&["fingerprint", text(&path)]),
            lab_fails(&["replay", text(&path), "--db", text(&bench.db), "--summary", "json"]),
        ] {
            assert!(message.contains(part), "{}: {message}", path.display());
        }
    }
}

#[test]
fn a_cut_capture_keeps_everything_before_the_cut() {
    let bench = Bench::new();
    let (capture, log) = site_small();
    let bytes = unpack(&capture);
    let cut = bench.file("cut.pcap", &bytes[..bytes.len() - 7]);
    let output = lab(&["replay", text(&cut), "--http-log", text(&log), "--db", text(&bench.db), "--summary", "json"]);
    assert_eq!(output.status.code(), Some(0), "damage that can be skipped is no failure");
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(summary["notes"].to_string().contains("cut.pcap"), "{summary}");
    let whole = replay_site(&bench.root.join("whole.duckdb"), &[]);
    assert!(summary["packets"].as_u64().unwrap() + 1 >= whole["packets"].as_u64().unwrap());
}

#[test]
fn logs_that_are_none_and_logs_with_damage() {
    let bench = Bench::new();
    let (capture, log) = site_small();
    let run =
        |log: &Path| lab(&["replay", text(&capture), "--http-log", text(log), "--db", text(&bench.db), "--summary", "json"]);
    let foreign = bench.file("foreign.log", b"Nov 20 18:00:00 host sshd[1]: Accepted publickey for somebody\n");
    let output = run(&foreign);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("foreign.log"));

    // Binary rubbish, a line of 1 MB and a jump of a year between good lines.
    let good = String::from_utf8(unpack(&log)).unwrap();
    let mut lines: Vec<Vec<u8>> = good.lines().take(200).map(|line| line.as_bytes().to_vec()).collect();
    lines.insert(50, vec![0, 159, 146, 150, b'{']);
    lines.insert(100, vec![b'a'; 1 << 20]);
    let damaged = bench.file("damaged.log", &lines.join(&b'\n'));
    let output = run(&damaged);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["damaged_http_records"], 2, "{summary}");
    assert_eq!(summary["http_requests"], 200, "{summary}");
    assert!(summary["notes"].to_string().contains("damaged.log"), "{summary}");

    let empty = bench.file("empty.log", b"");
    let output = lab(&["replay", "--http-log", text(&empty), "--db", text(&bench.root.join("e.duckdb")), "--summary", "json"]);
    assert_eq!(output.status.code(), Some(0));
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["rows"], 0);
    assert!(!summary["notes"].as_array().unwrap().is_empty(), "zero results come with a reason: {summary}");
}

#[test]
fn databases_that_cannot_be_used() {
    let bench = Bench::new();
    assert!(lab_fails(&["sessions", "--db", text(&bench.db)]).contains("no such file"));
    let other = bench.file("other.duckdb", b"this is some other file, which must not be touched");
    assert!(lab_fails(&["sessions", "--db", text(&other)]).contains("not a DuckDB database"));
    let (capture, log) = site_small();
    let replay = ["replay", text(&capture), "--http-log", text(&log), "--db", text(&other)];
    assert!(lab_fails(&replay).contains("not a DuckDB database"));
    assert!(std::fs::read(&other).unwrap().starts_with(b"this is some other file"));

    // From a newer version of the program.
    lab_ok(&["db", "migrate", "--db", text(&bench.db)]);
    let connection = duckdb::Connection::open(&bench.db).unwrap();
    connection.execute_batch("INSERT INTO ja4_processing.schema_migrations VALUES (999, 'later', '', 0); CHECKPOINT;").unwrap();
    // Held by another process, which this one is.
    assert!(lab_fails(&["sessions", "--db", text(&bench.db)]).contains("another process"));
    drop(connection);
    assert!(lab_fails(&["sessions", "--db", text(&bench.db)]).contains("newer version"));
}

#[test]
fn a_damaged_database_is_set_aside_and_rebuilt() {
    let bench = Bench::new();
    let whole = replay_site(&bench.db, &[]);
    let mut bytes = std::fs::read(&bench.db).unwrap();
    for byte in bytes.iter_mut().skip(4096).step_by(37) {
        *byte ^= 0x5a;
    }
    std::fs::write(&bench.db, &bytes).unwrap();
    let again = replay_site(&bench.db, &[]);
    assert_eq!(crate::support::digests(&whole), crate::support::digests(&again));
    assert_eq!(std::fs::read(bench.root.join("x.duckdb.damaged-1")).unwrap(), bytes, "nothing is deleted");

    // A write-ahead log that cannot be replayed.
    std::fs::write(bench.root.join("x.duckdb.wal"), vec![0x5a; 4096]).unwrap();
    let again = replay_site(&bench.db, &[]);
    assert_eq!(crate::support::digests(&whole), crate::support::digests(&again));
}

#[test]
fn a_full_disk_is_a_sentence() {
    let bench = Bench::new();
    let mount = bench.root.join("small");
    std::fs::create_dir(&mount).unwrap();
    let mounted = std::process::Command::new("mount").args(["-t", "tmpfs", "-o", "size=1500k", "tmpfs", text(&mount)]).status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("skipped: a small tmpfs cannot be mounted here (needs root)");
        return;
    }
    let (capture, log) = site_small();
    let db = mount.join("full.duckdb");
    let output = lab(&["replay", text(&capture), "--http-log", text(&log), "--db", text(&db)]);
    let unmounted = std::process::Command::new("umount").arg(&mount).status();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("disk is full"), "{stderr}");
    assert!(unmounted.unwrap().success());
}

#[test]
fn queries_only_read() {
    let bench = Bench::new();
    lab_ok(&["db", "migrate", "--db", text(&bench.db)]);
    let target = bench.root.join("stolen.csv");
    for bad in [
        "DELETE FROM ja4_logs.http_logs".to_owned(),
        "SELECT 1; DROP TABLE ja4_logs.http_logs".to_owned(),
        format!("COPY (SELECT 1) TO '{}'", target.display()),
        "SELECT * FROM read_text('/etc/hostname')".to_owned(),
        "WITH x AS (SELECT 1) SELECT * FROM nonsense".to_owned(),
    ] {
        lab_fails(&["sql", "--db", text(&bench.db), &bad]);
    }
    assert!(!target.exists());
    assert!(lab_fails(&["sessions", "--db", text(&bench.db), "--where", "1=1) ; DROP TABLE x; --"]).contains("query"));
    assert_eq!(query(&bench.db, "SELECT count(*) AS n FROM ja4_logs.http_logs")[0]["n"], 0);
    lab_fails(&["explain", "--db", text(&bench.db), "--ip", "not-an-address"]);
    lab_fails(&["explain", "--db", text(&bench.db), "--ip", "192.0.2.1"]);
    lab_fails(&["score", "--db", text(&bench.db), "--set", "threshold=9"]);
}
