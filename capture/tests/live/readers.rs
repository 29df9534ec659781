//! Readers of the socket: absent, late, slow, gone; a file; a closed pipe. Every event is accounted for.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::{SENTINEL, Wire, events_of, figures, json_lines, open_folder, recorded, run};

const EVENTS: u64 = 1618;

#[test]
fn without_a_reader_every_event_is_counted() {
    let folder = open_folder();
    let Some(capture) = recorded(folder.path()) else { return };
    let socket = folder.path().join("nobody.socket");
    let output = run(&["--read", capture.to_str().unwrap(), "--socket", socket.to_str().unwrap()]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert_eq!(accounts(&said), [EVENTS, 0, EVENTS, 0]);
    let told = said.lines().filter(|line| line.contains(&format!("cannot send to {}: No such file", socket.display())));
    assert_eq!(told.count(), 1, "once a minute: {said}");
}

#[test]
fn a_capture_waits_for_a_slow_reader() {
    let folder = open_folder();
    let Some(capture) = recorded(folder.path()) else { return };
    let path = folder.path().join("reader.socket");
    let reader = Reader::listen(&path, Duration::from_micros(200));
    let output = run(&["--read", capture.to_str().unwrap(), "--socket", path.to_str().unwrap(), "--queue-bytes", "65536"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(accounts(&said), [EVENTS, EVENTS, 0, 0], "{said}");
    let records = reader.end();
    assert_eq!(records, events_of(&capture).0, "all, in order, as written to standard output");
}

#[test]
fn on_a_wire_a_late_reader_gets_what_was_kept() {
    let folder = open_folder();
    let (Some(capture), Some(wire)) = (recorded(folder.path()), Wire::new()) else { return };
    let path = folder.path().join("late.socket");
    let sentinel = wire.sentinel(&["-i", "vb", "--socket", path.to_str().unwrap()]);
    wire.replay(&capture, "--mbps=100");
    let reader = Reader::listen(&path, Duration::ZERO);
    std::thread::sleep(Duration::from_millis(500));
    sentinel.signal("TERM");
    let (code, _, said) = sentinel.end();
    assert_eq!((code, accounts(&said)), (0, [EVENTS, EVENTS, 0, 0]), "{said}");
    assert_eq!(reader.end().len() as u64, EVENTS);
}

#[test]
fn on_a_wire_a_stalled_reader_costs_events_but_no_packets() {
    let folder = open_folder();
    let (Some(capture), Some(wire)) = (recorded(folder.path()), Wire::new()) else { return };
    let path = folder.path().join("stalled.socket");
    let socket = bind(&path);
    let sentinel = wire.sentinel(&["-i", "vb", "--socket", path.to_str().unwrap(), "--queue-bytes", "65536"]);
    wire.replay(&capture, "--mbps=100");
    sentinel.signal("TERM");
    let (code, _, said) = sentinel.end();
    socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut received = 0;
    while socket.recv(&mut [0; 65_536]).is_ok() {
        received += 1;
    }
    let [events, sent, absent, slow] = accounts(&said);
    assert_eq!((code, events, sent, absent, sent + slow), (0, EVENTS, received, 0, EVENTS), "{said}");
    assert!(slow > EVENTS / 2, "{said}");
    assert_eq!(figures(&said)["kernel_dropped"], 0);
}

#[test]
fn a_reader_that_went_and_came_back_is_found_again() {
    let folder = open_folder();
    let (Some(capture), Some(wire)) = (recorded(folder.path()), Wire::new()) else { return };
    let path = folder.path().join("again.socket");
    let sentinel = wire.sentinel(&["-i", "vb", "--socket", path.to_str().unwrap()]);
    let mut received = 0;
    for _ in 0..2 {
        let reader = Reader::listen(&path, Duration::ZERO);
        wire.replay(&capture, "--mbps=100");
        std::thread::sleep(Duration::from_millis(500));
        received += reader.end().len() as u64;
        std::fs::remove_file(&path).unwrap();
    }
    sentinel.signal("TERM");
    let (code, _, said) = sentinel.end();
    // Some of the first round's handshakes go out at the end.
    let [events, sent, absent, slow] = accounts(&said);
    assert_eq!((code, sent, events, slow), (0, received, sent + absent, 0), "{said}");
    assert!(received > EVENTS, "{received} of both rounds");
}

#[test]
fn a_file_is_appended_to_and_not_for_everyone_to_read() {
    let folder = open_folder();
    let Some(capture) = recorded(folder.path()) else { return };
    let file = folder.path().join("events.jsonl");
    for round in 1..=2 {
        let output = run(&["--read", capture.to_str().unwrap(), "--output", "file", "--file", file.to_str().unwrap()]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(json_lines(&std::fs::read(&file).unwrap()).len() as u64, round * EVENTS);
    }
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o007, 0, "{mode:o}");
}

#[test]
fn a_pipe_that_nobody_reads_is_told_and_not_waited_for() {
    let folder = open_folder();
    let Some(capture) = recorded(folder.path()) else { return };
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let output = run(&["--read", capture.to_str().unwrap(), "--output", "file", "--file", pipe.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.ends_with("it is a pipe, and nobody reads it; start its reader first\n"), "{told}");
}

#[test]
fn a_full_disk_is_told_and_a_closed_pipe_is_no_failure() {
    let folder = open_folder();
    let Some(capture) = recorded(folder.path()) else { return };
    let output = run(&["--read", capture.to_str().unwrap(), "--output", "file", "--file", "/dev/full"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("ja4-sentinel: cannot write to /dev/full: "), "{said}");
    let mut child = Command::new(SENTINEL)
        .args(["--read", capture.to_str().unwrap(), "--output", "stdout"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// Events, sent, dropped for want of a reader, dropped for a slow one. Nothing may be left over.
fn accounts(said: &str) -> [u64; 4] {
    let figures = figures(said);
    let of = |key: &str| figures[key].as_u64().unwrap_or_else(|| panic!("no {key} in {figures}"));
    let [events, sent, absent, slow] = ["events", "sent", "dropped_absent", "dropped_slow"].map(of);
    assert_eq!((events, 0), (sent + absent + slow + of("filtered") + of("dropped_too_long"), of("queued")), "{figures}");
    [events, sent, absent, slow]
}

/// A socket that any user may write to.
fn bind(path: &Path) -> UnixDatagram {
    let socket = UnixDatagram::bind(path).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666)).unwrap();
    socket
}

/// Reads datagrams until none came for a while after it was asked to end.
struct Reader {
    thread: std::thread::JoinHandle<Vec<Value>>,
}

impl Reader {
    fn listen(path: &Path, pause: Duration) -> Self {
        let socket = bind(path);
        socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        let thread = std::thread::spawn(move || {
            let mut records = Vec::new();
            let mut buffer = vec![0; 65_536];
            while let Ok(length) = socket.recv(&mut buffer) {
                records.push(serde_json::from_slice(&buffer[..length]).unwrap());
                std::thread::sleep(pause);
            }
            records
        });
        Self { thread }
    }

    fn end(self) -> Vec<Value> {
        self.thread.join().unwrap()
    }
}
