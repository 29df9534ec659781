//! What somebody new tries first: the examples of the help texts, odd files in place of the right ones, every form of an answer.
//!
//! Read next: `lab/src/cli/args/examples.rs`, `bad_input.rs` (damage).

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{dataset, lab, lab_fails, lab_ok, query, replay_site, site_small, text};

#[test]
fn examples_of_the_help_texts_run() {
    let folder = tempfile::tempdir().unwrap();
    let (capture, log) = site_small();
    for (from, to) in [(capture, "site.pcap"), (log, "access.jsonl"), (dataset("site-small").join("keys.log.gz"), "keys.log")] {
        let mut plain = Vec::new();
        let packed = std::fs::File::open(from).unwrap();
        std::io::copy(&mut flate2::read::MultiGzDecoder::new(packed), &mut plain).unwrap();
        std::fs::write(folder.path().join(to), plain).unwrap();
    }
    let program = Path::new(env!("CARGO_BIN_EXE_ja4-lab")).parent().unwrap();
    let paths = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
    let mut run = 0;
    for command in ["fingerprint", "replay", "score", "sessions", "explain", "sql"] {
        for line in lab_ok(&[command, "--help"]).lines().filter_map(|line| line.strip_prefix("  ja4-lab ")) {
            let line = format!("ja4-lab {line}");
            let shell = Command::new("sh").args(["-c", &line]).env("PATH", &paths).current_dir(folder.path()).output().unwrap();
            assert!(shell.status.success(), "{line}: {}", String::from_utf8_lossy(&shell.stderr));
            run += 1;
        }
    }
    assert!(run >= 17, "{run} examples");
    // What one of them wrote can be read again, with numbers as numbers.
    let frame = std::fs::read(folder.path().join("rows.parquet")).unwrap();
    assert!(frame.starts_with(b"PAR1") && frame.ends_with(b"PAR1"));
}

#[test]
fn every_form_of_an_answer_is_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("forms.duckdb");
    replay_site(&db, &["--no-score"]);
    let odd = "SELECT chr(27) || '[31m' AS escape, NULL AS nothing, [1, NULL] AS list, {'a': 'x\"y', 'b': [true]} AS record, MAP {'k': 1.5} AS map, \
               'NaN'::DOUBLE AS nan, 'inf'::FLOAT AS single, 200::UTINYINT AS small, sum(status) AS total, '=1+1' AS formula FROM ja4_logs.http_logs";
    let row = query(&db, odd).remove(0);
    assert_eq!(row["list"], serde_json::json!([1, null]));
    assert_eq!(row["record"], serde_json::json!({"a": "x\"y", "b": [true]}));
    assert_eq!(row["map"], serde_json::json!({"k": 1.5}));
    assert!(row["nothing"].is_null() && row["nan"].is_null() && row["total"].is_u64() && row["small"] == 200, "{row}");
    let csv = lab_ok(&["sql", "--db", text(&db), "--format", "csv", odd]);
    assert!(csv.contains("\"[1,null]\"") && csv.contains("'=1+1"), "{csv}");
    let table = lab_ok(&["sql", "--db", text(&db), odd]);
    assert!(table.contains("\\x1b[31m") || table.contains("\\u{1b}[31m"), "{table}");
    assert!(!table.contains('\u{1b}'));
    // Sums and small integers are numbers in Parquet, which the import reads again.
    let file = folder.path().join("sum.parquet");
    let export = "SELECT 1::UTINYINT AS small, sum(status) AS total, true AS flag, ['a'] AS list FROM ja4_logs.http_logs";
    lab_ok(&["export", "--db", text(&db), "--query", export, "-o", text(&file)]);
    let bytes = std::fs::read(&file).unwrap();
    let footer = String::from_utf8_lossy(&bytes);
    assert!(footer.contains("total") && !footer.contains("\"total\":\"text\""));
    let none = lab(&["sessions", "--db", text(&db), "--top", "0"]);
    assert!(String::from_utf8_lossy(&none.stderr).contains("--top 0 asks for no session"));
}

#[test]
fn a_database_of_another_program_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("other.duckdb");
    duckdb::Connection::open(&db).unwrap().execute_batch("CREATE TABLE accounts (name VARCHAR)").unwrap();
    let before = std::fs::read(&db).unwrap();
    for command in [&["sessions"][..], &["explain", "--ip", "192.0.2.1"], &["sql", "SELECT 1"], &["db", "info"], &["detections"]]
    {
        let message = lab_fails(&[command, &["--db", text(&db)]].concat());
        assert!(message.contains("none of ja4-lab") && message.contains("other.duckdb"), "{command:?}: {message}");
    }
    let (capture, log) = site_small();
    for command in [&["score"][..], &["replay", text(&capture), "--http-log", text(&log)], &["detect", "--once"]] {
        let output = lab(&[command, &["--db", text(&db)]].concat());
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && stderr.contains("none of ja4-lab"), "{command:?}: {stderr}");
    }
    assert_eq!(std::fs::read(&db).unwrap(), before, "not one byte was written");
}

#[test]
fn what_is_given_by_mistake_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let log = file("access.log", b"10.0.0.1 - - [20/Nov/2026:19:26:07 +0000] \"GET / HTTP/1.1\" 200 612 \"-\" \"curl\"\n");
    assert!(lab_fails(&["fingerprint", text(&log)]).contains("goes behind --http-log"));
    let snoop = file("old.snoop", b"snoop\0\0\0\0\0\0\x02\0\0\0\x04\0\0\0\0\0\0\0\0\0\0");
    assert!(lab_fails(&["fingerprint", text(&snoop)]).contains("editcap"));
    // A radiotap capture: sound, but of a link type that is not read.
    let mut radio = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 127, 0, 0, 0];
    radio.extend([1, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 0, 0, 4, 0]);
    let radio = file("radio.pcap", &radio);
    let told = String::from_utf8(lab(&["fingerprint", text(&radio)]).stderr).unwrap();
    assert!(told.contains("link type 127 (802.11 with radiotap)") && told.contains("nothing to show"), "{told}");
    let keys = file("keys.log", b"# nothing here\nhello\n");
    let (capture, _) = site_small();
    let told = String::from_utf8(lab(&["fingerprint", text(&capture), "--keylog", text(&keys)]).stderr).unwrap();
    assert!(told.contains("holds no secret"), "{told}");
    // A capture in a pipe.
    let mut piped = Command::new(env!("CARGO_BIN_EXE_ja4-lab"))
        .args(["fingerprint", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    piped.stdin.take().unwrap().write_all(&std::fs::read(&capture).unwrap()).unwrap();
    let piped = piped.wait_with_output().unwrap();
    assert!(piped.status.success());
    assert_eq!(String::from_utf8(piped.stdout).unwrap(), lab_ok(&["fingerprint", text(&capture)]));
}

#[test]
fn slips_of_the_command_line_are_told_with_what_to_write() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("slips.duckdb");
    replay_site(&db, &[]);
    let usage = |arguments: &[&str]| {
        let output = lab(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(usage(&["sessions", "--db", text(&db), "--threads", "100000"]).contains("from 0 to 1024"));
    assert!(usage(&["packets", "x.pcap", "--client", "10.0.0.1"]).contains("192.0.2.7:40000"));
    let message = lab_fails(&["sessions", "--db", text(&db), "--where", "sevrity = 'high'"]);
    assert!(message.contains("\"severity\""), "the name that was meant: {message}");
    assert!(lab_fails(&["score", "--db", text(&db), "--from", "yesterday"]).contains("2026-11-20 for midnight UTC"));
    let one_day = lab_ok(&["score", "--db", text(&db), "--from", "2026-11-20", "--to", "2026-11-21", "--summary", "json"]);
    let stored = query(&db, "SELECT count(*) AS n FROM ja4_processing.ml_all_scores").remove(0);
    let report: serde_json::Value = serde_json::from_str(&one_day).unwrap();
    assert_eq!(report["sessions"], stored["n"], "a date is its whole day");
}
