//! A wire in a namespace of its own, processes that end with the test, and the recorded capture.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

pub const SENTINEL: &str = env!("CARGO_BIN_EXE_ja4-sentinel");

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// A folder that another user may look into.
pub fn open_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// The recorded capture, unpacked into `folder`; none (and a word about it) where it is absent.
pub fn recorded(folder: &Path) -> Option<PathBuf> {
    let packed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets/recorded/site-small/capture.pcap.gz");
    let Ok(file) = std::fs::File::open(&packed) else {
        eprintln!("skipped: no recorded capture at {}", packed.display());
        return None;
    };
    let mut bytes = Vec::new();
    flate2::read::MultiGzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    let path = folder.join("recorded.pcap");
    std::fs::write(&path, bytes).unwrap();
    Some(path)
}

/// Runs the sentinel to its end.
pub fn run(args: &[&str]) -> Output {
    Command::new(SENTINEL).args(args).output().unwrap()
}

/// Events of a capture, as the sentinel reads it, and the figures.
pub fn events_of(capture: &Path) -> (Vec<Value>, Value) {
    let output = run(&["--read", capture.to_str().unwrap(), "--output", "stdout"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (json_lines(&output.stdout), figures(&String::from_utf8(output.stderr).unwrap()))
}

pub fn json_lines(text: &[u8]) -> Vec<Value> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(|line| serde_json::from_slice(line).unwrap()).collect()
}

/// The last line of figures on standard error.
pub fn figures(stderr: &str) -> Value {
    let line = stderr.lines().rfind(|line| line.starts_with('{')).unwrap_or_else(|| panic!("no figures in {stderr}"));
    serde_json::from_str(line).unwrap()
}

/// The events without what depends on when they were sent, sorted by content.
pub fn without_times(mut events: Vec<Value>) -> Vec<String> {
    for event in &mut events {
        let event = event.as_object_mut().unwrap();
        for key in ["ts_ns", "start_ns", "syn_to_hello_us", "ja4l_c"] {
            event.remove(key).unwrap_or_else(|| panic!("an event has no {key}"));
        }
    }
    let mut lines = events.iter().map(Value::to_string).collect::<Vec<_>>();
    lines.sort();
    lines
}

/// A namespace with a pair of interfaces, `va` and `vb`: what goes out at one comes in at the other.
pub struct Wire(String, #[allow(dead_code, reason = "held, not read")] MutexGuard<'static, ()>);

/// One wire at a time: what these tests measure is what a machine loses, and they would load it for each other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

impl Wire {
    /// None, and a word about it, where this cannot be done here.
    pub fn new() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        for tool in ["ip", "tcpreplay", "tcpdump"] {
            if Command::new(tool).arg("--version").output().is_err() && Command::new(tool).arg("-V").output().is_err() {
                eprintln!("skipped: {tool} is not installed");
                return None;
            }
        }
        // A test that failed while holding it has said so itself.
        let guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let wire = Self(format!("ja4-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed)), guard);
        if !quiet(Command::new("ip").args(["netns", "add", &wire.0])) {
            eprintln!("skipped: no network namespace can be made here (it needs root)");
            return None;
        }
        // The kernel of a namespace would speak on its own.
        for which in ["all", "default"] {
            // Where there is no IPv6 there is nothing to switch off.
            wire.exec(&["sh", "-c", &format!("echo 1 > /proc/sys/net/ipv6/conf/{which}/disable_ipv6")]);
        }
        assert!(wire.exec(&["ip", "link", "add", "va", "type", "veth", "peer", "name", "vb"]));
        for name in ["va", "vb"] {
            assert!(wire.exec(&["ip", "link", "set", name, "mtu", "9000", "up"]));
        }
        Some(wire)
    }

    pub fn exec(&self, command: &[&str]) -> bool {
        quiet(self.command(command[0]).args(&command[1..]))
    }

    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0, program]);
        command
    }

    /// Sends a capture at a rate, all of it.
    pub fn replay(&self, capture: &Path, rate: &str) {
        let output = self.command("tcpreplay").args(["-q", "-i", "va", rate]).arg(capture).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let failed = said.lines().find_map(|line| line.trim().strip_prefix("Failed packets:")).map(str::trim);
        assert!(output.status.success() && failed == Some("0"), "{said}");
    }

    pub fn sentinel(&self, args: &[&str]) -> Running {
        let mut command = self.command(SENTINEL);
        Running::start(command.args(args))
    }

    /// Writes what comes in at `vb`.
    pub fn tcpdump(&self, path: &Path) -> Running {
        let mut command = self.command("tcpdump");
        command.args(["-Z", "root", "-i", "vb", "--time-stamp-precision=nano", "-w"]).arg(path);
        Running::start(&mut command)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        quiet(Command::new("ip").args(["netns", "delete", &self.0]));
    }
}

fn quiet(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// A process whose output is read as it comes; killed when the test ends before it.
pub struct Running {
    pub child: Child,
    out: Receiver<String>,
    err: Receiver<String>,
    said: String,
}

impl Running {
    /// Starts it and waits until it listens.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = lines(child.stdout.take().unwrap());
        let err = lines(child.stderr.take().unwrap());
        let mut running = Self { child, out, err, said: String::new() };
        running.wait_until_said("listening on");
        running
    }

    /// The first line on standard error, from now, that contains `text`.
    pub fn wait_until_said(&mut self, text: &str) -> String {
        loop {
            match self.err.recv_timeout(PATIENCE) {
                Ok(line) => {
                    self.said.push_str(&line);
                    self.said.push('\n');
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(_) => panic!("never said {text:?}, only: {}", self.said),
            }
        }
    }

    /// The next line on standard output, if one comes in time.
    pub fn next_line(&self, wait: Duration) -> Option<String> {
        self.out.recv_timeout(wait).ok()
    }

    pub fn signal(&self, name: &str) {
        assert!(quiet(Command::new("sh").args(["-c", &format!("kill -{name} {}", self.child.id())])), "kill -{name}");
    }

    /// Waits for the end. Gives the exit status, standard output and standard error.
    pub fn end(mut self) -> (i32, Vec<u8>, String) {
        let mut out = Vec::new();
        loop {
            match self.out.recv_timeout(PATIENCE) {
                Ok(line) => out.extend_from_slice(format!("{line}\n").as_bytes()),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("does not end; said: {}", self.said),
            }
        }
        while let Ok(line) = self.err.recv_timeout(PATIENCE) {
            self.said.push_str(&line);
            self.said.push('\n');
        }
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        (code, out, std::mem::take(&mut self.said))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = sync_channel(100_000);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
