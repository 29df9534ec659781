//! Growing logs: unfinished lines, both kinds of rotation, restarts.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::super::{HttpLogOptions, HttpTail, TailReport, TailState};
use super::{combined, combined_lines};

struct Bench {
    _folder: tempfile::TempDir,
    path: PathBuf,
    seen: Vec<String>,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        Self { _folder: folder, path, seen: Vec::new() }
    }

    fn append(&self, text: &str) {
        append(&self.path, text);
    }

    fn rotated(&self) -> PathBuf {
        self.path.with_file_name("access.log.1")
    }

    fn poll(&mut self, tail: &mut HttpTail) -> TailReport {
        tail.poll(1 << 20, &mut |event| self.seen.push(event.path.unwrap())).unwrap()
    }

    fn expect(&self, numbers: std::ops::Range<usize>) {
        assert_eq!(self.seen, numbers.map(|n| format!("/{n}")).collect::<Vec<_>>());
    }
}

fn append(path: &Path, text: &str) {
    OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

fn open(path: &Path, state: Option<&TailState>) -> HttpTail {
    HttpTail::open(path, &HttpLogOptions::default(), state).unwrap()
}

#[test]
fn lines_are_given_once_they_have_ended() {
    let mut bench = Bench::new();
    let mut tail = open(&bench.path, None);
    assert!(bench.poll(&mut tail).missing);
    let (begin, end) = (combined(0)[..30].to_owned(), combined(0)[30..].to_owned());
    bench.append(&begin);
    assert_eq!(bench.poll(&mut tail).events, 0);
    bench.append(&format!("{end}\n{}", combined_lines(1..3)));
    assert_eq!(bench.poll(&mut tail).events, 3);
    assert_eq!(bench.poll(&mut tail), TailReport::default());
    bench.expect(0..3);
    assert_eq!(tail.damage().count(), 0);
}

#[test]
fn rename_and_create_loses_nothing_and_doubles_nothing() {
    let mut bench = Bench::new();
    let mut tail = open(&bench.path, None);
    bench.append(&combined_lines(0..5));
    bench.poll(&mut tail);
    bench.append(&combined_lines(5..7));
    fs::rename(&bench.path, bench.rotated()).unwrap();
    assert!(bench.poll(&mut tail).missing, "renamed, not created yet: the old one is still read");
    bench.expect(0..7);
    bench.append(&combined_lines(8..9));
    // A worker that has not heard of the restart yet; its last line has no end.
    append(&bench.rotated(), &combined(7));
    assert!(bench.poll(&mut tail).rotated);
    for _ in 0..30 {
        bench.poll(&mut tail);
    }
    bench.seen.sort();
    bench.expect(0..9);
    assert_eq!(tail.state().files.len(), 1, "the old file is closed");
}

#[test]
fn copy_and_truncate_is_seen_by_length_and_by_content() {
    for regrown in [1, 400] {
        let mut bench = Bench::new();
        let mut tail = open(&bench.path, None);
        bench.append(&combined_lines(0..50));
        bench.append("10.0.0.1 - cut");
        bench.poll(&mut tail);
        let file = OpenOptions::new().write(true).open(&bench.path).unwrap();
        file.set_len(0).unwrap();
        bench.append(&combined_lines(50..50 + regrown));
        assert!(bench.poll(&mut tail).truncated, "regrown {regrown}");
        bench.expect(0..50 + regrown);
        assert_eq!(tail.damage().first()[0].reason, "was cut off when the log was truncated");
    }
}

#[test]
fn a_restart_goes_on_where_it_stopped_even_over_a_rotation() {
    let mut bench = Bench::new();
    let mut tail = open(&bench.path, None);
    bench.append(&combined_lines(0..3));
    bench.append(&combined(3)[..10]);
    bench.poll(&mut tail);
    let state: TailState = serde_json::from_str(&serde_json::to_string(&tail.state()).unwrap()).unwrap();
    drop(tail);

    bench.append(&format!("{}\n", &combined(3)[10..]));
    let mut tail = open(&bench.path, Some(&state));
    bench.poll(&mut tail);
    bench.expect(0..4);
    let state = tail.state();
    drop(tail);

    bench.append(&combined_lines(4..6));
    fs::rename(&bench.path, bench.rotated()).unwrap();
    bench.append(&combined_lines(6..8));
    let mut tail = open(&bench.path, Some(&state));
    bench.poll(&mut tail);
    bench.expect(0..8);
}

#[test]
fn a_log_that_is_gone_is_begun_anew_and_said() {
    let mut bench = Bench::new();
    let mut tail = open(&bench.path, None);
    bench.append(&combined_lines(0..3));
    bench.poll(&mut tail);
    let state = tail.state();
    fs::remove_file(&bench.path).unwrap();
    bench.append(&combined_lines(3..4));
    let mut tail = open(&bench.path, Some(&state));
    bench.poll(&mut tail);
    bench.expect(0..4);
    assert!(tail.damage().notes().any(|(note, _)| note.contains("is gone or was rewritten")));
}

#[test]
fn a_poll_is_bounded_and_an_unknown_format_is_an_error_once() {
    let mut bench = Bench::new();
    let mut tail = open(&bench.path, None);
    bench.append("hello\n");
    assert!(tail.poll(1 << 20, &mut |_| ()).unwrap_err().to_string().contains("hello"));
    bench.append(&combined_lines(0..4_000));
    let mut polls = 0;
    loop {
        polls += 1;
        if !tail.poll(1_000, &mut |event| bench.seen.push(event.path.unwrap())).unwrap().more {
            break;
        }
    }
    assert!(polls > 2, "{polls}");
    bench.expect(0..4_000);
    assert_eq!(tail.damage().count(), 1);
}
