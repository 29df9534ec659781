//! Help texts and usage errors are snapshots, so that a flag never changes unseen.

use crate::support::{lab, lab_ok};

const COMMANDS: &[&str] = &[
    "demo",
    "fingerprint",
    "replay",
    "live",
    "score",
    "sessions",
    "explain",
    "compare",
    "rehearse",
    "export",
    "sql",
    "features",
    "anomaly",
    "evaluate",
    "rules",
    "detect",
    "blocklist",
    "packets",
    "db",
    "dataset",
    "experiment",
    "report",
    "synth",
    "completions",
    "man",
];

#[test]
fn help_texts() {
    insta::assert_snapshot!("help", lab_ok(&["--help"]));
    for command in COMMANDS {
        insta::assert_snapshot!(format!("help-{command}"), lab_ok(&[command, "--help"]));
    }
}

#[test]
fn wrong_usage_is_status_2() {
    for arguments in [&["no-such-command"][..], &["replay"], &["sessions"], &["replay", "x", "--db", "y", "--window", "ten"], &[]]
    {
        assert_eq!(lab(arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn completions_and_man_pages_are_made() {
    assert!(lab_ok(&["completions", "bash"]).contains("ja4-lab"));
    let folder = tempfile::tempdir().unwrap();
    lab_ok(&["man", "--output", folder.path().to_str().unwrap()]);
    assert!(std::fs::read_to_string(folder.path().join("ja4-lab-replay.1")).unwrap().contains("http\\-log"));
}

#[test]
fn a_closed_pipe_is_success() {
    use std::process::{Command, Stdio};
    let (capture, _) = crate::support::site_small();
    let mut child = Command::new(crate::support::LAB).arg("fingerprint").arg(capture).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}
