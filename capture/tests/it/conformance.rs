//! Every value that the shared corpus publishes, compared as its own script does; and the same answers whatever way it is read.

#[cfg(feature = "ja4plus")]
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use ja4_capture::{Options, fingerprint_files};
use serde_json::Value;

use crate::support::{corpus, corpus_captures};

fn output(path: &Path) -> Vec<Value> {
    let mut rows = Vec::new();
    let read = fingerprint_files(&[path.to_owned()], &Options::default(), &mut |record| {
        rows.push(serde_json::to_value(&record).expect("a record is JSON"));
    });
    // A few captures of the corpus are broken on purpose: then there is a sentence, and no row.
    if let Err(error) = read {
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
    rows
}

type Ends = ((IpAddr, u64), (IpAddr, u64), String);

fn ends(row: &Value) -> Ends {
    let end = |ip: &str, port: &str| {
        (row[ip].as_str().and_then(|s| s.parse().ok()).expect("an address"), row[port].as_u64().expect("a port"))
    };
    let (a, b) = (end("src", "sport"), end("dst", "dport"));
    (a.min(b), a.max(b), row["transport"].as_str().unwrap_or("tcp").to_owned())
}

const NOT_COMPARED: [&str; 9] = ["src", "sport", "dst", "dport", "transport", "source", "note", "tags", "count"];

fn agrees(field: &str, want: &Value, got: Option<&Value>) -> bool {
    let empty = Value::Null;
    let got = got.unwrap_or(&empty);
    let first_two = |value: &Value| value.as_str().map(|s| s.split('_').take(2).collect::<Vec<_>>().join("_"));
    match field {
        "sni" => want.as_str().map(str::to_lowercase) == got.as_str().map(str::to_lowercase),
        "ja4l_c" | "ja4l_s" => first_two(want) == first_two(got),
        "ja4ssh" => {
            let (want, got) = (want.as_array().cloned().unwrap_or_default(), got.as_array().cloned().unwrap_or_default());
            got.starts_with(&want)
        }
        _ => want == got || (want.as_array().is_some_and(Vec::is_empty) && got.is_null()),
    }
}

/// Whether this build knows a field: the methods under the FoxIO licence can be left out.
fn is_built(field: &str) -> bool {
    cfg!(feature = "ja4plus") || !["ja4s", "ja4h", "ja4t", "ja4l", "ja4x"].iter().any(|prefix| field.starts_with(prefix))
}

fn mismatches(path: &Path, expected: &[Value]) -> Vec<String> {
    let rows = output(path);
    let mut wrong = Vec::new();
    let mut free = (0..rows.len()).collect::<Vec<_>>();
    for want in expected {
        if let Some(counts) = want.get("count").and_then(Value::as_object) {
            for (field, number) in counts.iter().filter(|(field, _)| is_built(field)) {
                let got = rows.iter().filter(|row| row.get(field).is_some()).count() as u64;
                if Some(got) != number.as_u64() {
                    wrong.push(format!("{}: {got} flows with {field}, expected {number}", path.display()));
                }
            }
            continue;
        }
        let fields = want.as_object().expect("an object").iter().filter(|(field, _)| !NOT_COMPARED.contains(&field.as_str()));
        let fields = fields.filter(|(field, _)| is_built(field)).collect::<Vec<_>>();
        let score = |row: &Value| fields.iter().filter(|(field, value)| agrees(field, value, row.get(field))).count();
        let same_ends = free.iter().copied().filter(|at| ends(&rows[*at]) == ends(want));
        let best = same_ends.max_by_key(|at| (score(&rows[*at]), std::cmp::Reverse(*at)));
        let empty = Value::Null;
        let got = best.map_or(&empty, |at| &rows[at]);
        for (field, value) in &fields {
            if !agrees(field, value, got.get(field)) {
                wrong.push(format!("{} {:?}: {field}: expected {value}, got {:?}", path.display(), ends(want), got.get(field)));
            }
        }
        free.retain(|at| Some(*at) != best);
    }
    wrong
}

#[test]
fn every_published_value_matches() {
    let (mut compared, mut wrong) = (0, Vec::new());
    for capture in corpus_captures() {
        let mut name = capture.clone().into_os_string();
        name.push(".expected.jsonl");
        let text = std::fs::read_to_string(PathBuf::from(name)).expect("expected values");
        let expected =
            text.lines().filter(|l| !l.trim().is_empty()).map(|l| serde_json::from_str(l).expect("JSON")).collect::<Vec<_>>();
        compared += expected.len();
        wrong.extend(mismatches(&capture, &expected));
    }
    assert!(wrong.is_empty(), "{} values differ:\n{}", wrong.len(), wrong.join("\n"));
    if corpus().is_some() {
        assert!(compared > 800, "only {compared} rows were compared");
    }
}

#[test]
fn a_folder_gives_the_same_whatever_the_order_of_its_files() {
    let captures = corpus_captures().into_iter().step_by(7).collect::<Vec<_>>();
    if captures.is_empty() {
        return;
    }
    let lines = |paths: &[PathBuf]| {
        let mut lines = Vec::new();
        let summary = fingerprint_files(paths, &Options::default(), &mut |record| {
            lines.push(serde_json::to_string(&record).expect("JSON"));
        });
        assert!(summary.expect("captures").counters.packets > 0);
        lines
    };
    let forward = lines(&captures);
    let reversed = captures.into_iter().rev().collect::<Vec<_>>();
    assert_eq!(forward, lines(&reversed));
    assert!(forward.len() > 50);
}

#[test]
fn threads_change_nothing() {
    let captures = corpus_captures();
    if captures.is_empty() {
        return;
    }
    let told = |threads| {
        let mut sink = crate::support::Everything::default();
        let options = Options { threads, ..Options::default() };
        let progress = &mut |_: &ja4_capture::Progress| std::ops::ControlFlow::Continue(());
        let summary = ja4_capture::run_files(&captures, &options, &mut sink, progress).expect("captures");
        (sink.records, sink.events, sink.requests, summary.counters, summary.damage, summary.first_ns)
    };
    let one = told(1);
    assert!(one.0.len() > 500 && one.1.len() > 500 && !one.2.is_empty());
    for threads in [2, 3, 8] {
        let several = told(threads);
        assert_eq!(one.3, several.3, "{threads} threads");
        assert!(one == several, "{threads} threads give other results");
    }
}

#[cfg(feature = "ja4plus")]
#[test]
fn a_capture_with_keys_opens_its_requests() {
    let Some(folder) = corpus() else { return };
    let path = folder.join("foxio/http2-with-cookies.pcapng");
    let mut sink = crate::support::Everything::default();
    let progress = &mut |_: &ja4_capture::Progress| std::ops::ControlFlow::Continue(());
    let summary = ja4_capture::run_files(&[path], &Options::default(), &mut sink, progress).expect("a capture");
    assert_eq!(summary.counters.decrypted_connections, 1);
    let record = sink.records.iter().find(|r| r.ja4().is_some()).expect("a handshake");
    assert!(!record.ja4h.is_empty() && record.ja4h.len() == sink.requests.len());
    assert_eq!(record.ja4x.len(), 3);
    let by_host = sink.requests.iter().fold(BTreeMap::<&str, usize>::new(), |mut hosts, request| {
        *hosts.entry(request.host.as_deref().unwrap_or_default()).or_default() += 1;
        hosts
    });
    assert!(by_host.keys().any(|host| host.contains("youtube.com")), "{by_host:?}");
    for request in &sink.requests {
        assert_eq!(request.scheme.as_deref(), Some("https"));
        let cookie = request.header("cookie").unwrap_or("0");
        assert!(cookie.parse::<usize>().is_ok(), "a cookie's value is not kept: {cookie}");
    }
    let event = sink.events.first().expect("an event");
    assert_eq!(event.h2.as_ref(), record.h2.first());
    assert!(event.h2.is_some());
}

/// A connection of QUIC version 2 that resumes: its first request is sent as 0-RTT data, two more follow. The server clears the bit
/// that every QUIC packet had set before RFC 9287.
#[cfg(feature = "ja4plus")]
#[test]
fn a_capture_with_keys_opens_its_http3_requests() {
    let Some(folder) = corpus() else { return };
    let path = folder.join("ndpi/quic-v2.pcapng");
    for threads in [1, 2, 3] {
        let mut sink = crate::support::Everything::default();
        let progress = &mut |_: &ja4_capture::Progress| std::ops::ControlFlow::Continue(());
        let options = Options { threads, ..Options::default() };
        let summary = ja4_capture::run_files(std::slice::from_ref(&path), &options, &mut sink, progress).expect("a capture");
        assert_eq!((summary.counters.decrypted_connections, summary.counters.http_requests), (1, 3));
        let record = sink.records.iter().find(|r| r.ja4().is_some()).expect("a handshake");
        assert_eq!(record.ja4h.len(), 3);
        assert!(record.ja4h.iter().all(|ja4h| ja4h.starts_with("ge30")), "{:?}", record.ja4h);
        for (number, request) in sink.requests.iter().enumerate() {
            assert_eq!((request.method.as_deref(), request.scheme.as_deref()), (Some("GET"), Some("https")));
            assert_eq!((request.http_version.as_deref(), request.request_no), (Some("HTTP/3.0"), Some(number as u32)));
            assert!(request.header("user-agent").is_some(), "{request:?}");
        }
    }
}
