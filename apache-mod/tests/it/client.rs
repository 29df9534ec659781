//! Clients: raw bytes over TCP, and curl.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Mutex;
use std::time::Duration;

/// Held while a process is started and while a collector's socket is closed: a child between fork and exec holds copies of all
/// our descriptors, so a socket closed just then would go on taking datagrams that nobody reads.
pub static FORK: Mutex<()> = Mutex::new(());

/// Starts `command`; returns when it runs its program.
pub fn spawn(command: &mut Command) -> std::io::Result<Child> {
    let _held = FORK.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    command.spawn()
}

/// Runs `command` to its end and gives its output.
pub fn output(command: &mut Command) -> std::io::Result<Output> {
    spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()))?.wait_with_output()
}

/// Sends `bytes` on a connection of its own; gives our port and all that came back until the server closed.
pub fn raw(port: u16, bytes: &[u8]) -> (u16, Vec<u8>) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    let ours = stream.local_addr().expect("connected").port();
    // A server that refuses may close before all was written: what it answered still counts.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    (ours, answer)
}

/// `GET` on a connection of its own; `true` if the answer is a whole 200.
pub fn get(port: u16, target: &str) -> bool {
    let (_, answer) = raw(port, format!("GET {target} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n").as_bytes());
    answer.starts_with(b"HTTP/1.1 200 ") && answer.ends_with(b"hello\n")
}

/// Runs curl quietly and gives its output.
pub fn curl(arguments: &[&str]) -> String {
    let run =
        output(Command::new("curl").args(["-sk", "--noproxy", "*", "--max-time", "10"]).args(arguments)).expect("curl runs");
    assert!(run.status.success(), "curl {arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8_lossy(&run.stdout).into_owned()
}
