//! The recorded data set and its `LogFormat`, read both ways: as JSON lines and by the compiled format string.

use std::path::{Path, PathBuf};

use super::super::{Format, HttpLog, HttpLogOptions, HttpSource, Line, LogFormat};
use super::read_all;

fn datasets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets")
}

/// The definitions in the configuration that the README gives to users.
fn definitions() -> Option<Vec<String>> {
    let path = datasets().join("record/logformat.conf");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: {} is absent", path.display());
        return None;
    };
    Some(text.lines().filter(|line| line.starts_with("LogFormat ")).map(str::to_owned).collect())
}

/// Logs of the recorded data set whose names hold `kind`, compressed or not.
fn recorded_logs(kind: &str) -> Vec<PathBuf> {
    let folder = datasets().join("recorded/site-small");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("skipped: {} is absent", folder.display());
        return Vec::new();
    };
    let mut paths: Vec<_> = entries.filter_map(|entry| entry.ok().map(|e| e.path())).collect();
    paths.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().contains(kind)));
    paths.sort();
    paths
}

/// Whether the first record has the keys of the definition, in its order.
fn same_keys(definition: &str, log: &Path) -> bool {
    let keys = |text: &str| {
        text.split('"')
            .skip(1)
            .step_by(2)
            .zip(text.split('"').skip(2).step_by(2))
            .filter(|(_, after)| after.starts_with(':'))
            .map(|(key, _)| key.to_owned())
            .collect::<Vec<_>>()
    };
    let mut source = HttpSource::open(log, 65_536).unwrap();
    let Some(Line::Record(_, first)) = source.next_line() else { return false };
    let first = String::from_utf8_lossy(first).replace("\\\"", "'");
    let template = definition.trim_start_matches("LogFormat \"").replace("\\\"", "\"");
    keys(&first) == keys(&template)
}

#[test]
fn the_shipped_log_formats_compile() {
    let Some(definitions) = definitions() else { return };
    assert!(definitions.len() >= 2);
    for definition in definitions {
        let format = LogFormat::compile(&definition).unwrap_or_else(|e| panic!("{definition}: {e}"));
        assert!(!format.caveats().iter().any(|caveat| caveat.contains("peer port")), "{:?}", format.caveats());
    }
}

#[test]
fn the_recorded_log_is_read_without_damage_and_alike_both_ways() {
    let json_definition = definitions().into_iter().flatten().find(|d| d.contains("ts_us"));
    for path in recorded_logs("access.json") {
        let (events, damage) = read_all(HttpLog::open(&path, &HttpLogOptions::default()).unwrap());
        assert_eq!(damage.count(), 0, "{:?}", damage.first());
        assert!(events.len() > 100, "{} events in {}", events.len(), path.display());
        assert!(
            events
                .iter()
                .all(|e| e.src_ip.is_some() && e.src_port.is_some() && e.ts_resolution_ns == 1_000 && !e.headers_complete)
        );
        let Some(definition) = json_definition.as_ref().filter(|definition| same_keys(definition, &path)) else {
            println!("skipped the second way: {} was recorded by another LogFormat than the shipped one", path.display());
            continue;
        };
        let options = HttpLogOptions { format: Format::LogFormat(definition.clone()), ..HttpLogOptions::default() };
        let (by_format, damage) = read_all(HttpLog::open(&path, &options).unwrap());
        assert_eq!(damage.count(), 0, "{:?}", damage.first());
        assert_eq!(by_format.len(), events.len());
        for (a, b) in events.iter().zip(&by_format) {
            let key = |e: &ja4_event::HttpEvent| {
                (e.ts_ns, e.src_ip, e.src_port, e.dst_ip, e.dst_port, e.client_ip, e.status, e.duration_us)
            };
            assert_eq!(key(a), key(b));
            assert_eq!(
                (&a.method, &a.path, &a.query, &a.host, &a.http_version),
                (&b.method, &b.path, &b.query, &b.host, &b.http_version)
            );
            for (name, value) in &b.headers {
                if name != "Host" {
                    assert_eq!(a.header(name), Some(value.as_str()), "{name}");
                }
            }
        }
        println!("{}: {} events read both ways", path.display(), events.len());
    }
}

#[test]
fn the_combined_log_with_ports_tells_of_the_same_requests() {
    let keys = |paths: Vec<PathBuf>| {
        let mut keys = Vec::new();
        for path in paths {
            let (events, damage) = read_all(HttpLog::open(&path, &HttpLogOptions::default()).unwrap());
            assert_eq!(damage.count(), 0, "{:?}", damage.first());
            keys.extend(events.iter().map(|e| {
                let second = e.ts_ns / 1_000_000_000;
                (second, e.src_ip, e.src_port, e.dst_port, e.status, e.response_bytes, e.header("user-agent").map(str::to_owned))
            }));
        }
        keys.sort();
        keys
    };
    assert_eq!(keys(recorded_logs("access_combined_ports")), keys(recorded_logs("access.json")));
}
