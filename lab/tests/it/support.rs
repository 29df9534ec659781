//! What the tests share: the recorded data set, running the program, small captures and logs made by hand.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The program under test.
pub const LAB: &str = env!("CARGO_BIN_EXE_ja4-lab");

/// A folder below the recorded data sets.
pub fn dataset(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets/recorded").join(name)
}

/// The capture and the log of the demo set.
pub fn site_small() -> (PathBuf, PathBuf) {
    let set = ja4_lab::dataset::Dataset::open(&dataset("site-small")).unwrap();
    (set.files(ja4_lab::dataset::Role::Capture).remove(0), set.files(ja4_lab::dataset::Role::HttpLog).remove(0))
}

/// Runs the program and gives what it said.
pub fn lab(arguments: &[&str]) -> Output {
    Command::new(LAB).args(arguments).env("NO_COLOR", "1").output().unwrap()
}

/// Runs the program, which must succeed; gives its stdout.
pub fn lab_ok(arguments: &[&str]) -> String {
    let output = lab(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs the program, which must fail with status 1 and one sentence; gives the sentence.
pub fn lab_fails(arguments: &[&str]) -> String {
    let output = lab(arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    let last = stderr.lines().last().unwrap_or_default().to_owned();
    assert!(last.starts_with("ja4-lab: "), "{stderr}");
    last
}

/// `path` as text.
pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Replays the demo set into `db`; gives the JSON summary.
pub fn replay_site(db: &Path, more: &[&str]) -> serde_json::Value {
    let (capture, log) = site_small();
    let mut arguments = vec!["replay", text(&capture), "--http-log", text(&log), "--db", text(db), "--summary", "json"];
    arguments.extend_from_slice(more);
    serde_json::from_str(&lab_ok(&arguments)).unwrap()
}

/// The three digests of a summary.
pub fn digests(summary: &serde_json::Value) -> [String; 3] {
    ["rows_digest", "features_digest", "scores_digest"].map(|name| summary[name].as_str().unwrap().to_owned())
}

/// Rows of a query as JSON objects.
pub fn query(db: &Path, sql: &str) -> Vec<serde_json::Value> {
    lab_ok(&["sql", "--db", text(db), "--format", "jsonl", sql]).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
