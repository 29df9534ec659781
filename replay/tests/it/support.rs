//! A running correlator with its sockets, events for it, and what it wrote.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// Folders of a test: `run` for sockets, `out` for what is written.
pub struct Site {
    folder: tempfile::TempDir,
    program: PathBuf,
}

impl Site {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        mode(folder.path(), 0o755);
        for (name, bits) in [("run", 0o755), ("out", 0o777)] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
            mode(&folder.path().join(name), bits);
        }
        // Who is not root any more must still be able to start the program, to check a database in a child.
        let program = folder.path().join("ja4-correlator");
        if std::fs::hard_link(env!("CARGO_BIN_EXE_ja4-correlator"), &program).is_err() {
            std::fs::copy(env!("CARGO_BIN_EXE_ja4-correlator"), &program).unwrap();
        }
        Self { folder, program }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn program(&self) -> Command {
        Command::new(&self.program)
    }

    /// Starts it and waits until it takes events.
    pub fn start(&self, more: &[&str]) -> Running {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let log = std::fs::OpenOptions::new().append(true).create(true).open(self.path("log")).unwrap();
        let out = std::fs::OpenOptions::new().append(true).create(true).open(self.path("stdout")).unwrap();
        let mut command = self.program();
        for (flag, name) in [("--http-socket", "run/http"), ("--network-socket", "run/network"), ("--spool", "out/spool")] {
            command.arg(flag).arg(self.path(name));
        }
        command.args(["--listen", &format!("127.0.0.1:{port}")]).args(more);
        let child = command.stdin(Stdio::null()).stdout(out).stderr(log).spawn().unwrap();
        let running = Running { child, port, log: self.path("log") };
        running.wait_for("/ready", |status, _| status == 200);
        running
    }

    pub fn send(&self, socket: &str, event: &Value) {
        self.send_bytes(socket, event.to_string().as_bytes());
    }

    pub fn send_bytes(&self, socket: &str, bytes: &[u8]) {
        UnixDatagram::unbound().unwrap().send_to(bytes, self.path(socket)).unwrap();
    }

    /// Rows of a file of JSON lines.
    pub fn rows(&self, name: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path(name)).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
    }
}

pub struct Running {
    pub child: Child,
    port: u16,
    log: PathBuf,
}

impl Running {
    /// Status and body of a path.
    pub fn get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let status = answer.split(' ').nth(1)?.parse().ok()?;
        Some((status, answer.split_once("\r\n\r\n")?.1.to_owned()))
    }

    pub fn wait_for(&self, path: &str, enough: impl Fn(u16, &str) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !self.get(path).is_some_and(|(status, body)| enough(status, &body)) {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            assert!(Instant::now() < deadline, "{path} never said so; {:?}; log: {log}", self.get(path));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Value of a metric by its whole name with labels.
    pub fn metric(&self, name: &str) -> u64 {
        self.get("/metrics").map_or(0, |(_, body)| metric(&body, name))
    }

    pub fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap().success());
    }

    /// Ends it in order.
    pub fn stop(mut self) {
        self.signal("TERM");
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {}", std::fs::read_to_string(&self.log).unwrap_or_default());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn metric(body: &str, name: &str) -> u64 {
    let value = body.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.map_or(0, |value| value.parse::<f64>().unwrap() as u64)
}

/// Taken by the journal and durable.
pub fn acknowledged(stream: &str) -> String {
    format!("ja4_events_total{{fate=\"sent\",stage=\"join\",stream=\"{stream}\"}}")
}

pub const T0: i64 = 1_760_000_000_000_000_000;

/// Connection number `n`, a millisecond after the one before.
pub fn handshake(n: u32) -> Value {
    json!({
        "v": 1, "ts_ns": T0 + i64::from(n) * 1_000_000, "src_ip": address(n), "src_port": 1024 + n % 60_000, "dst_ip": "192.0.2.80",
        "dst_port": 443, "sni": "www.example", "alpn": ["h2", "http/1.1"], "ja4": "t13d1516h2_8daaf6152771_02713d6af862"
    })
}

/// The request of connection number `n`.
pub fn request(n: u32) -> Value {
    json!({
        "v": 1, "ts_ns": T0 + i64::from(n) * 1_000_000 + 500_000, "ts_resolution_ns": 1000, "src_ip": address(n),
        "src_port": 1024 + n % 60_000, "dst_ip": "192.0.2.80", "dst_port": 443, "conn_id": format!("c{n}"), "request_no": 0,
        "scheme": "https", "method": "GET", "host": "www.example", "path": format!("/{n}"), "http_version": "HTTP/1.1", "status": 200,
        "headers": [["Host", "www.example"], ["User-Agent", "curl/8"]]
    })
}

fn address(n: u32) -> String {
    format!("10.{}.{}.{}", n >> 16 & 255, n >> 8 & 255, n & 255)
}
