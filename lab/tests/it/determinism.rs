//! Same input, same digests: on any thread count, in any order of files, and when asked twice.

use crate::support::{digests, lab_ok, query, replay_site, site_small, text};

#[test]
fn thread_count_and_file_order_do_not_change_a_digest() {
    let folder = tempfile::tempdir().unwrap();
    let one = replay_site(&folder.path().join("one.duckdb"), &["--threads", "1"]);
    let two = replay_site(&folder.path().join("two.duckdb"), &["--threads", "2"]);
    assert_eq!(digests(&one), digests(&two));
    assert!(one["rows"].as_u64().unwrap() > 1000, "the demo set is too small to mean anything: {one}");

    // The capture cut in two files, named in the wrong order, with the log in two pieces.
    let (capture, log) = site_small();
    let split = split_capture(&capture, folder.path());
    let logs = split_log(&log, folder.path());
    let db = folder.path().join("split.duckdb");
    let arguments = [
        "replay",
        text(&split[1]),
        text(&split[0]),
        "--http-log",
        text(&logs[1]),
        "--http-log",
        text(&logs[0]),
        "--db",
        text(&db),
        "--summary",
        "json",
    ];
    let split: serde_json::Value = serde_json::from_str(&lab_ok(&arguments)).unwrap();
    assert_eq!(digests(&one), digests(&split));

    // What is kept of each file: records and times, and in pieces as much as in whole.
    let whole = inputs(&folder.path().join("one.duckdb"));
    assert_eq!(whole, inputs(&db));
    assert_eq!(whole[0]["records"], one["packets"]);
    assert_eq!(whole[1]["records"], one["rows"]);
    let stored = "SELECT min(ts_ns) AS first_ns, max(ts_ns) AS last_ns FROM ja4_logs.http_logs";
    let stored = &query(&db, stored)[0];
    assert_eq!((&whole[1]["first_ns"], &whole[1]["last_ns"]), (&stored["first_ns"], &stored["last_ns"]));
    assert!(whole[0]["first_ns"].as_i64() < whole[1]["first_ns"].as_i64(), "a handshake comes before its request: {whole:?}");
}

/// Records and times of the inputs, captures first.
fn inputs(db: &std::path::Path) -> Vec<serde_json::Value> {
    let sql = "SELECT kind, CAST(sum(records) AS BIGINT) AS records, min(first_ns) AS first_ns, max(last_ns) AS last_ns \
               FROM ja4_processing.inputs GROUP BY kind ORDER BY kind";
    query(db, sql)
}

#[test]
fn replaying_twice_adds_nothing_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("twice.duckdb");
    let first = replay_site(&db, &[]);
    let second = replay_site(&db, &[]);
    assert_eq!(digests(&first), digests(&second));
    assert_eq!(second["rows_added"], 0);
    assert_eq!(first["rows"], second["rows"]);
    assert!(second["notes"].to_string().contains("nothing new"), "{second}");
    // With another setting the files are read again, and every row is recognised.
    let third = replay_site(&db, &["--window", "11s"]);
    assert_eq!(third["rows_added"], 0);
    assert_eq!(third["duplicates_skipped"], first["rows"]);
}

#[test]
fn scoring_again_changes_nothing_and_a_setting_re_ranks_without_import() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("score.duckdb");
    let imported = replay_site(&db, &["--no-score"]);
    assert_eq!(imported["scores_digest"], "");
    let score = |more: &[&str]| -> serde_json::Value {
        let mut arguments = vec!["score", "--db", text(&db), "--summary", "json"];
        arguments.extend_from_slice(more);
        serde_json::from_str(&lab_ok(&arguments)).unwrap()
    };
    let first = score(&[]);
    assert_eq!(first["scores_digest"], score(&["--threads", "1"])["scores_digest"]);
    let none = score(&["--set", "threshold=1"]);
    assert_ne!(first["scores_digest"], none["scores_digest"]);
    assert_eq!(query(&db, "SELECT count(*) AS n FROM ja4_processing.ml_detected_anomalies")[0]["n"], none["anomalies"]);

    // A fit on a bounded sample is another model, the same one on any number of threads.
    let few = ["--set", "learn_max=50"];
    let bounded = score(&few);
    assert_eq!(bounded["scores_digest"], score(&["--threads", "1", few[0], few[1]])["scores_digest"]);
    assert_ne!(bounded["scores_digest"], first["scores_digest"]);
    assert_eq!(bounded["models"][0]["fitted_on"], 50, "{bounded}");
    assert!(bounded["notes"].to_string().contains("learned from 50 of"), "{bounded}");

    // A kept model scores as the fit did.
    let models = folder.path().join("models");
    let kept = score(&["--save-model", text(&models)]);
    assert_eq!(kept["scores_digest"], score(&["--model", text(&models)])["scores_digest"]);
}

#[test]
fn ranks_ascend_and_scores_descend_in_the_list() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("ranks.duckdb");
    replay_site(&db, &[]);
    let listed = lab_ok(&["sessions", "--db", text(&db), "--top", "400", "--format", "jsonl"]);
    let rows: Vec<serde_json::Value> = listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(rows.len() > 300, "{} sessions", rows.len());
    for (place, pair) in rows.windows(2).enumerate() {
        assert_eq!(pair[0]["rank"], place as u64 + 1);
        assert!(pair[0]["score"].as_f64() >= pair[1]["score"].as_f64(), "{pair:?}");
        assert!(!pair[0]["reason"].as_str().unwrap().is_empty());
    }
}

fn split_capture(capture: &std::path::Path, folder: &std::path::Path) -> [std::path::PathBuf; 2] {
    let bytes = unpacked(capture);
    assert_eq!(&bytes[..4], &0xa1b2_c3d4_u32.to_le_bytes(), "the recorded capture is a little-endian microsecond pcap");
    let mut at = 24;
    while at < bytes.len() / 2 {
        at += 16 + u32::from_le_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize;
    }
    let parts = [folder.join("b-first.pcap"), folder.join("a-second.pcap")];
    std::fs::write(&parts[0], &bytes[..at]).unwrap();
    std::fs::write(&parts[1], [&bytes[..24], &bytes[at..]].concat()).unwrap();
    parts
}

fn split_log(log: &std::path::Path, folder: &std::path::Path) -> [std::path::PathBuf; 2] {
    let bytes = unpacked(log);
    let middle = bytes.len() / 2 + bytes[bytes.len() / 2..].iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let parts = [folder.join("b-first.log"), folder.join("a-second.log")];
    std::fs::write(&parts[0], &bytes[..middle]).unwrap();
    std::fs::write(&parts[1], &bytes[middle..]).unwrap();
    parts
}

fn unpacked(path: &std::path::Path) -> Vec<u8> {
    use std::io::Read as _;
    let file = std::fs::File::open(path).unwrap();
    let mut bytes = Vec::new();
    match path.extension().and_then(|ext| ext.to_str()) {
        Some("gz") => flate2::read::MultiGzDecoder::new(file).read_to_end(&mut bytes).unwrap(),
        Some("zst") => zstd::stream::read::Decoder::new(file).unwrap().read_to_end(&mut bytes).unwrap(),
        _ => { file }.read_to_end(&mut bytes).unwrap(),
    };
    bytes
}
