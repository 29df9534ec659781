//! The service from outside: it starts, answers, alerts, survives, and ends, on the replayed demo set.
//!
//! Read next: `service_api.rs` (every answer against the description), `service_http.rs` (tokens, limits), `service_lease.rs`.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use serde_json::Value;

use crate::support::{LAB, lab, lab_ok, query, replay_site, text};

/// A running service; killed when dropped.
pub struct Service {
    child: Child,
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    notes: Receiver<String>,
}

impl Service {
    /// Starts `detect` on a free port and waits until it listens.
    pub fn start(db: &Path, more: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(LAB);
        command.args(["detect", "--db", text(db), "--listen", "127.0.0.1:0"]).args(more);
        if !more.contains(&"--rate") {
            command.args(["--rate", "100000"]);
        }
        command.env("NO_COLOR", "1").envs(variables.iter().copied()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (send, notes) = sync_channel(10_000);
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        let mut service = Self { child, url: String::new(), notes };
        let line = service.wait_for("listening on ");
        service.url = line.split("listening on ").nth(1).unwrap().to_owned();
        service
    }

    /// The next note that holds `words`.
    pub fn wait_for(&mut self, words: &str) -> String {
        let mut seen = Vec::new();
        for _ in 0..600 {
            match self.notes.recv_timeout(Duration::from_millis(200)) {
                Ok(line) if line.contains(words) => return line,
                Ok(line) => seen.push(line),
                Err(_) if self.child.try_wait().unwrap().is_some() => break,
                Err(_) => {}
            }
        }
        panic!("the service never said {words:?}, but {seen:#?}");
    }

    /// Waits until `/ready` answers `status`.
    pub fn wait_ready(&self, status: u16) {
        for _ in 0..600 {
            if get(&format!("{}/ready", self.url)).0 == status {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("/ready never answered {status}, but {:?}", get(&format!("{}/ready", self.url)));
    }

    /// Status and JSON of a path.
    pub fn get(&self, path: &str) -> (u16, Value) {
        let (status, body) = get(&format!("{}{path}", self.url));
        (status, serde_json::from_str(&body).unwrap_or_else(|_| panic!("{path} is no JSON: {body}")))
    }

    /// JSON of a path that must answer 200.
    pub fn ok(&self, path: &str) -> Value {
        let (status, json) = self.get(path);
        assert_eq!(status, 200, "{path}: {json}");
        json
    }

    /// Sends SIGTERM and gives the exit status.
    pub fn terminate(mut self) -> Option<i32> {
        assert!(Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Status and text of a URL.
pub fn get(url: &str) -> (u16, String) {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(30))).build().into();
    let mut answer = agent.get(url).call().unwrap_or_else(|error| panic!("{url}: {error}"));
    (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
}

/// The demo set, stored but not scored.
pub fn stored(folder: &Path) -> PathBuf {
    let db = folder.join("service.duckdb");
    replay_site(&db, &["--no-score"]);
    db
}

fn scores(db: &Path) -> Vec<Value> {
    query(db, "SELECT session_id, score, anomaly, severity, reason FROM ja4_processing.ml_all_scores ORDER BY session_id")
}

#[test]
fn a_service_scores_answers_and_ends_on_sigterm() {
    let folder = tempfile::tempdir().unwrap();
    let db = stored(folder.path());
    let mut service = Service::start(&db, &["--every", "1s"], &[]);
    service.wait_for("cycle: ");
    service.wait_for("cycle: ");
    service.wait_ready(200);
    let health = service.ok("/api/v1/health");
    assert!(health["cycles_done"].as_u64().unwrap() >= 2 && health["failure"].is_null(), "{health}");
    assert_eq!(service.ok("/health")["status"], "ok");
    assert!(service.ok("/api/v1/overview")["rows"][0]["sessions"].as_i64().unwrap() > 100);
    assert_eq!(service.terminate(), Some(0));
    // Another process may have the file now, and nothing is left of the lease.
    assert!(query(&db, "SELECT * FROM ja4_processing.leases").is_empty());
    let by_service = scores(&db);
    lab_ok(&["score", "--db", text(&db)]);
    assert_eq!(scores(&db), by_service, "a cycle gives what `score` gives");
}

#[test]
fn killed_at_any_instant_the_next_cycle_finds_a_consistent_store() {
    let folder = tempfile::tempdir().unwrap();
    let db = stored(folder.path());
    let once = || lab_ok(&["detect", "--db", text(&db), "--once", "--alert-file", text(&folder.path().join("alerts.jsonl"))]);
    let whole = folder.path().join("whole.duckdb");
    std::fs::copy(&db, &whole).unwrap();
    lab_ok(&["detect", "--db", text(&whole), "--once"]);
    for round in 0..6_u64 {
        let mut child = Command::new(LAB)
            .args([
                "detect",
                "--db",
                text(&db),
                "--every",
                "1s",
                "--quiet",
                "--alert-file",
                text(&folder.path().join("alerts.jsonl")),
            ])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(150 + round * round * 130));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    once();
    assert_eq!(scores(&db), scores(&whole));
    let double = query(&db, "SELECT session_id FROM ja4_processing.ml_all_scores GROUP BY session_id HAVING count(*) > 1");
    assert!(double.is_empty(), "{double:?}");
    for table in ["campaign_members", "fleet_detections"] {
        let columns =
            if table == "fleet_detections" { "fleet_id AS group_id, ips" } else { "session_id, campaign_id AS group_id" };
        let rows = |db: &Path| query(db, &format!("SELECT {columns} FROM ja4_processing.{table} ORDER BY ALL"));
        assert_eq!(rows(&db), rows(&whole), "{table}: nothing half, nothing twice");
    }
    let alerts = std::fs::read_to_string(folder.path().join("alerts.jsonl")).unwrap_or_default();
    let mut keys: Vec<String> = alerts
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|alert| format!("{} {} {}", alert["kind"], alert["subject"], alert["window_ms"]))
        .collect();
    let count = keys.len();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), count, "an alert came twice");
}

#[test]
fn a_store_that_goes_away_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("late.duckdb");
    let mut service = Service::start(&db, &["--every", "1s"], &[]);
    service.wait_for("no such file");
    service.wait_ready(503);
    assert_eq!(service.ok("/health")["status"], "ok");
    assert_eq!(service.get("/api/v1/sessions").0, 503);
    let made = stored(folder.path());
    std::fs::rename(&made, &db).unwrap();
    service.wait_for("cycle: ");
    service.wait_ready(200);
    let aside = folder.path().join("aside.duckdb");
    std::fs::rename(&db, &aside).unwrap();
    service.wait_for("removed or replaced");
    service.wait_ready(503);
    assert!(service.ok("/api/v1/health")["store_away"]["reason"].as_str().unwrap().contains("late.duckdb"));
    std::fs::rename(&aside, &db).unwrap();
    service.wait_for("cycle: ");
    service.wait_ready(200);
    assert_eq!(service.terminate(), Some(0));
}

#[test]
fn a_cycle_that_fails_is_told_and_the_next_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let db = stored(folder.path());
    let model = folder.path().join("model");
    // No such model yet: every cycle fails until it is there.
    let mut service = Service::start(&db, &["--every", "1s", "--model", text(&model)], &[]);
    service.wait_for("cycle failed: ");
    let health = service.ok("/api/v1/health");
    assert!(health["cycles_failed"].as_u64().unwrap() >= 1, "{health}");
    assert!(!health["failure"]["reason"].as_str().unwrap().is_empty());
    service.wait_ready(503);
    let other = folder.path().join("other.duckdb");
    replay_site(&other, &["--no-score"]);
    let fresh = folder.path().join("fresh");
    lab_ok(&["score", "--db", text(&other), "--save-model", text(&fresh)]);
    std::fs::rename(&fresh, &model).unwrap();
    service.wait_for("cycle: ");
    service.wait_ready(200);
    assert!(service.ok("/api/v1/health")["failure"].is_null());
}

#[test]
fn an_alert_target_that_hangs_delays_no_cycle_and_alerts_come_once() {
    let folder = tempfile::tempdir().unwrap();
    let db = stored(folder.path());
    let file = folder.path().join("alerts.jsonl");
    // It takes connections and never answers.
    let hole = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/secret-path", hole.local_addr().unwrap());
    let syslog = folder.path().join("log.socket");
    let socket = std::os::unix::net::UnixDatagram::bind(&syslog).unwrap();
    let arguments = [
        "--every",
        "1s",
        "--alert-min",
        "low",
        "--alert-file",
        text(&file),
        "--alert-syslog",
        &format!("unix:{}", text(&syslog)),
    ];
    let mut service = Service::start(&db, &arguments, &[("JA4_ALERT_WEBHOOK", &url)]);
    let new = service.wait_for("new alerts");
    // Cycles go on while the webhook hangs (15 s for its three tries).
    service.wait_for("cycle: ");
    service.wait_for("cycle: ");
    let count: usize = new.split_whitespace().find_map(|word| word.parse().ok()).unwrap();
    // A socket that nobody reads takes ten datagrams by default; what it did not take is told as well.
    let mut told = service.wait_for("given up");
    while told.contains("syslog") {
        told = service.wait_for("given up");
    }
    assert!(told.contains("webhook 127.0.0.1") && !told.contains("secret-path"), "{told}");
    let alerts = std::fs::read_to_string(&file).unwrap();
    assert_eq!(alerts.lines().count(), count, "each alert once, over several cycles");
    let mut datagram = [0; 4096];
    let size = socket.recv(&mut datagram).unwrap();
    let message = String::from_utf8_lossy(&datagram[..size]).into_owned();
    assert!(message.contains(" CEF:0|ja4-platform|ja4-lab|") && message.contains(" src="), "{message}");
    let source = message.split(" src=").nth(1).unwrap().split(' ').next().unwrap();
    assert!(alerts.contains(&format!("\"subject\":\"{source}\"")), "{message}");
    let health = service.ok("/api/v1/health");
    assert!(health["alerts_repeated"].as_u64().unwrap() >= 1, "{health}");
    drop(service);
    // A new process remembers what was sent.
    lab_ok(&["detect", "--db", text(&db), "--once", "--alert-min", "low", "--alert-file", text(&file)]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), alerts);
}

#[test]
fn an_empty_store_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("empty.duckdb");
    lab_ok(&["db", "migrate", "--db", text(&db)]);
    let output = lab(&["detect", "--db", text(&db), "--once", "--alert-file", text(&folder.path().join("a"))]);
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("no sessions to score"), "{output:?}");
}
