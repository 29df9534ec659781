//! `ja4-lab live` fed through its sockets and a growing log: asked while it writes, killed, its database destroyed.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{LAB, text};

const T0: i64 = 1_760_000_000_000_000_000;

struct Site {
    folder: tempfile::TempDir,
    port: u16,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        mode(folder.path(), 0o755);
        for (name, bits) in [("run", 0o755), ("out", 0o777)] {
            fs::create_dir(folder.path().join(name)).unwrap();
            mode(&folder.path().join(name), bits);
        }
        // Who is not root any more must still be able to start the program, to check a database in a child.
        let program = folder.path().join("ja4-lab");
        if fs::hard_link(LAB, &program).is_err() {
            fs::copy(LAB, &program).unwrap();
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { folder, port }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    #[allow(clippy::disallowed_methods, reason = "waits for a process")]
    fn start(&self, more: &[&str]) -> Child {
        let mut command = Command::new(self.path("ja4-lab"));
        command.arg("live").arg("--network-socket").arg(self.path("run/network")).arg("--db").arg(self.path("out/live.duckdb"));
        command.args(["--listen", &format!("127.0.0.1:{}", self.port), "--summary", "json", "--http-delay", "100ms"]);
        command.args(["--network-delay", "100ms", "--window", "200ms", "--every", "1s"]).args(more);
        let log = fs::OpenOptions::new().append(true).create(true).open(self.path("log")).unwrap();
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.ask("SELECT 1 AS one").status.success() {
            assert!(Instant::now() < deadline, "{}", fs::read_to_string(self.path("log")).unwrap());
            std::thread::sleep(Duration::from_millis(50));
        }
        child
    }

    fn ask(&self, sql: &str) -> Output {
        self.ask_with(sql, "JA4_TOKEN_FILE", text(&self.path("out/live.duckdb.token")))
    }

    fn ask_with(&self, sql: &str, variable: &str, value: &str) -> Output {
        let url = format!("http://127.0.0.1:{}", self.port);
        Command::new(LAB).args(["sql", "--db", &url, "--format", "jsonl", sql]).env(variable, value).output().unwrap()
    }

    #[allow(clippy::disallowed_methods, reason = "waits for a process")]
    fn wait_for_rows(&self, rows: u64) {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let output = self.ask("SELECT count(*) AS n FROM ja4_logs.http_logs");
            let answer: Option<Value> = serde_json::from_slice(&output.stdout).ok();
            if answer.is_some_and(|answer| answer["n"] == rows) {
                return;
            }
            let log = fs::read_to_string(self.path("log")).unwrap();
            assert!(
                Instant::now() < deadline,
                "{}{}\n{log}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn send(&self, socket: &str, event: &Value) {
        UnixDatagram::unbound().unwrap().send_to(event.to_string().as_bytes(), self.path(socket)).unwrap();
    }

    fn visit(&self, n: u16) {
        self.send("run/network", &handshake(n));
        let event = json!({
            "v": 1, "ts_ns": T0 + i64::from(n) * 1_000_000 + 500_000, "src_ip": "192.0.2.7", "src_port": 1024 + n, "conn_id": n.to_string(),
            "request_no": 0, "scheme": "https", "method": "GET", "host": "www.example", "path": format!("/{n}"), "http_version": "HTTP/1.1",
            "status": 200, "headers": [["Host", "www.example"], ["User-Agent", "curl/8"]]
        });
        self.send("run/http", &event);
    }
}

fn handshake(n: u16) -> Value {
    json!({
        "v": 1, "ts_ns": T0 + i64::from(n) * 1_000_000, "src_ip": "192.0.2.7", "src_port": 1024 + n, "dst_ip": "192.0.2.80", "dst_port": 443,
        "sni": "www.example", "alpn": ["h2"], "ja4": "t13d1516h2_8daaf6152771_02713d6af862"
    })
}

fn end(mut child: Child, signal: &str) -> Option<Value> {
    Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap();
    let mut out = String::new();
    std::io::Read::read_to_string(&mut child.stdout.take().unwrap(), &mut out).unwrap();
    child.wait().unwrap();
    serde_json::from_str(&out).ok()
}

#[test]
fn it_is_asked_while_it_writes_and_survives_kill_and_a_destroyed_database() {
    let site = Site::new();
    let socket = site.path("run/http");
    let settings = ["--http-socket", text(&socket)];
    let child = site.start(&settings);
    (0..300).for_each(|n| site.visit(n));
    site.wait_for_rows(300);

    let refused = |output: Output, part: &str| {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(part), "{said}");
    };
    refused(site.ask_with("SELECT 1", "JA4_TOKEN", "not the token"), "the token is missing or wrong");
    refused(site.ask_with("SELECT 1", "NOTHING", ""), "no token");
    refused(site.ask("DELETE FROM ja4_logs.http_logs"), "only a single SELECT");
    refused(site.ask("SELECT * FROM read_text('/etc/hostname')"), "");
    refused(site.ask("COPY (SELECT 1) TO '/tmp/x.csv'"), "only a single SELECT");
    let kinds = site.ask("SELECT match_kind, count(*) AS n FROM ja4_logs.http_logs GROUP BY ALL");
    assert_eq!(String::from_utf8_lossy(&kinds.stdout).trim(), r#"{"match_kind":"exact","n":300}"#);

    // Killed with more on the way: what the metrics call acknowledged comes back.
    (300..400).for_each(|n| site.visit(n));
    site.wait_for_rows(400);
    assert_eq!(end(child, "KILL"), None);
    let child = site.start(&settings);
    site.wait_for_rows(400);
    let before = end(child, "TERM").expect("a summary");
    assert_eq!(before["sessions"], 1, "{before}");

    let db = site.path("out/live.duckdb");
    let mut bytes = fs::read(&db).unwrap();
    bytes.iter_mut().skip(4096).step_by(37).for_each(|byte| *byte ^= 0x5a);
    fs::write(&db, bytes).unwrap();
    let child = site.start(&settings);
    site.wait_for_rows(400);
    let after = end(child, "TERM").expect("a summary");
    assert_eq!(
        ["rows_digest", "features_digest", "scores_digest"].map(|key| &before[key]),
        ["rows_digest", "features_digest", "scores_digest"].map(|key| &after[key])
    );
    let log = fs::read_to_string(site.path("log")).unwrap();
    assert!(log.contains("filled again from the segments (all of it is there)"), "{log}");
}

#[test]
fn a_growing_log_is_followed_through_a_rotation_and_joined() {
    let site = Site::new();
    let log = site.path("out/access.log");
    let line = |n: u16| {
        let seconds = T0 / 1_000_000_000;
        format!("192.0.2.7 {} [{}.{:06}] \"GET /{n} HTTP/1.1\" 200 \"curl/8\"\n", 1024 + n, seconds, n * 100 + 500)
    };
    let append = |n: u16| {
        site.send("run/network", &json!({
            "v": 1, "ts_ns": T0 + i64::from(n) * 100_000, "src_ip": "192.0.2.7", "src_port": 1024 + n, "dst_ip": "192.0.2.80", "dst_port": 443,
            "sni": "www.example", "alpn": ["http/1.1"], "ja4": "t13d1516h1_8daaf6152771_02713d6af862"
        }));
        let mut file = fs::OpenOptions::new().append(true).create(true).open(&log).unwrap();
        file.write_all(line(n).as_bytes()).unwrap();
    };
    let format = "%a %{remote}p [%{sec}t.%{usec_frac}t] \"%r\" %>s \"%{User-Agent}i\"";
    let settings = ["--http-log", text(&log), "--http-format", format];
    let child = site.start(&settings);
    (0..50).for_each(append);
    site.wait_for_rows(50);
    fs::rename(&log, site.path("out/access.log.1")).unwrap();
    (50..80).for_each(append);
    site.wait_for_rows(80);
    assert_eq!(end(child, "KILL"), None);
    // Where it was left is known: nothing is read twice, nothing is left out.
    (80..100).for_each(|n| {
        let mut file = fs::OpenOptions::new().append(true).open(&log).unwrap();
        file.write_all(line(n).as_bytes()).unwrap();
    });
    let child = site.start(&settings);
    site.wait_for_rows(100);
    let kinds = site
        .ask("SELECT match_kind, count(*) AS n, count(DISTINCT path) AS paths FROM ja4_logs.http_logs GROUP BY ALL ORDER BY ALL");
    let kinds = String::from_utf8_lossy(&kinds.stdout).into_owned();
    assert_eq!(
        kinds.trim(),
        "{\"match_kind\":\"exact\",\"n\":80,\"paths\":80}\n{\"match_kind\":\"no_handshake\",\"n\":20,\"paths\":20}"
    );
    end(child, "TERM").expect("a summary");
}

#[test]
fn a_log_that_is_copied_and_truncated_loses_and_doubles_nothing_and_sighup_ends_nothing() {
    let site = Site::new();
    let log = site.path("out/access.log");
    let append = |numbers: std::ops::Range<u16>| {
        let mut file = fs::OpenOptions::new().append(true).create(true).open(&log).unwrap();
        for n in numbers {
            site.send("run/network", &handshake(n));
            let usec = u32::from(n) * 1000 + 500;
            let line =
                format!("192.0.2.7 {} [{}.{usec:06}] \"GET /{n} HTTP/1.1\" 200 \"curl/8\"\n", 1024 + n, T0 / 1_000_000_000);
            file.write_all(line.as_bytes()).unwrap();
        }
    };
    let format = "%a %{remote}p [%{sec}t.%{usec_frac}t] \"%r\" %>s \"%{User-Agent}i\"";
    let child = site.start(&["--http-log", text(&log), "--http-format", format]);
    append(0..50);
    site.wait_for_rows(50);
    // As logrotate's copytruncate does, twice; the second time the log grows past its old length before it is looked at again.
    for (round, numbers) in [(1, 50..80), (2, 80..200)] {
        fs::copy(&log, site.path(&format!("out/access.log.{round}"))).unwrap();
        fs::OpenOptions::new().write(true).open(&log).unwrap().set_len(0).unwrap();
        let rows = u64::from(numbers.end);
        append(numbers);
        site.wait_for_rows(rows);
    }
    if fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0) {
        assert_unprivileged(child.id());
    }
    Command::new("kill").args(["-HUP", &child.id().to_string()]).status().unwrap();
    append(200..210);
    site.wait_for_rows(210);
    let kinds = site.ask("SELECT match_kind, count(*) AS n, count(DISTINCT path) AS paths FROM ja4_logs.http_logs GROUP BY ALL");
    assert_eq!(String::from_utf8_lossy(&kinds.stdout).trim(), r#"{"match_kind":"exact","n":210,"paths":210}"#);
    end(child, "TERM").expect("a summary");
    let said = fs::read_to_string(site.path("log")).unwrap();
    assert!(said.contains("reload: reference tables are read again"), "{said}");
}

/// Every thread of a process that was started as root: another user, no capability, no way back.
fn assert_unprivileged(process: u32) {
    for task in fs::read_dir(format!("/proc/{process}/task")).unwrap() {
        let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        let values = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).unwrap();
            line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        assert!(["Uid", "Gid", "Groups"].iter().all(|key| values(key).iter().all(|id| id != "0")), "{status}");
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(values(set), ["0000000000000000"], "{set}");
        }
        assert_eq!(values("NoNewPrivs"), ["1"]);
    }
}
