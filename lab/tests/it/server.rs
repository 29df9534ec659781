//! A ClickHouse for tests: the server that `JA4_CLICKHOUSE_URL` names, or the real engine from PyPI behind `sql/testing/chdb_http.py`.
//!
//! Promises: an engine of one's own is empty at first and gone at the end; where there is neither, a test says so and passes.

use std::io::Write as _;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// A named server is one for all tests, so they use it one after the other.
static NAMED: Mutex<()> = Mutex::new(());

/// A server, empty when it is given.
pub struct Server {
    pub address: PathBuf,
    child: Option<Child>,
    folder: tempfile::TempDir,
    _turn: Option<std::sync::MutexGuard<'static, ()>>,
}

impl Server {
    /// A server without tables of ours, or none with the reason printed.
    pub fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        if let Ok(address) = std::env::var("JA4_CLICKHOUSE_URL") {
            let turn = NAMED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let server = Self { address: address.into(), child: None, folder, _turn: Some(turn) };
            // What an earlier test left there; the server is for tests only.
            for database in ["ja4_logs", "ja4_processing"] {
                server.statement(&format!("DROP DATABASE IF EXISTS {database} SYNC"));
            }
            return Some(server);
        }
        let python = python()?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sql/testing/chdb_http.py");
        let port_file = folder.path().join("port");
        let mut child = Command::new(python)
            .arg(script)
            .args(["--port", "0", "--until-stdin-closes"])
            .arg("--path")
            .arg(folder.path().join("data"))
            .arg("--port-file")
            .arg(&port_file)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let patience = Instant::now() + Duration::from_secs(120);
        while !port_file.exists() {
            assert!(Instant::now() < patience, "the test engine does not start");
            assert!(child.try_wait().unwrap().is_none(), "the test engine ended at once");
            std::thread::sleep(Duration::from_millis(20));
        }
        let port = std::fs::read_to_string(&port_file).unwrap();
        let address = PathBuf::from(format!("clickhouse://default@127.0.0.1:{}", port.trim()));
        Some(Self { address, child: Some(child), folder, _turn: None })
    }

    /// A folder that lives as long as the server.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// `host:port`.
    pub fn host_port(&self) -> String {
        let text = self.address.to_str().unwrap();
        text.rsplit_once('@').unwrap().1.split(['/', '?']).next().unwrap().to_owned()
    }

    /// Runs one statement over plain HTTP, as a shipper or an administrator would; gives the answer.
    pub fn statement(&self, text: &str) -> String {
        let mut stream = TcpStream::connect(self.host_port()).unwrap();
        let password = std::env::var("JA4_CLICKHOUSE_PASSWORD").unwrap_or_default();
        let user = self.address.to_str().unwrap().split("//").nth(1).unwrap().split('@').next().unwrap().to_owned();
        write!(
            stream,
            "POST / HTTP/1.1\r\nHost: test\r\nX-ClickHouse-User: {user}\r\nX-ClickHouse-Key: {password}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{text}",
            text.len()
        )
        .unwrap();
        let mut answer = String::new();
        std::io::Read::read_to_string(&mut stream, &mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{text}: {body}");
        body.to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn python() -> Option<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let venv = std::env::var_os("JA4_VENV").map_or_else(|| home.join(".cache/ja4-venv"), PathBuf::from);
    let python = venv.join("bin/python");
    let ready =
        Command::new(&python).args(["-c", "import chdb"]).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    if !ready {
        eprintln!("skipped: no ClickHouse engine; scripts/sql_engines.sh installs one, or JA4_CLICKHOUSE_URL names a server");
    }
    ready.then_some(python)
}
