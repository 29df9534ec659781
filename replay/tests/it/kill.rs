//! kill -9 at any instant: what was acknowledged is in every sink once, joined as if nothing had happened.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use crate::support::{Site, acknowledged, handshake, request};

/// Instants in `make test`; `JA4_KILLS=50` for more.
fn kills() -> u32 {
    std::env::var("JA4_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(6)
}

#[test]
fn what_was_acknowledged_is_never_lost_or_doubled() {
    let site = Site::new();
    let (file, store) = (site.path("out/rows.jsonl"), site.path("out/rows.duckdb"));
    let settings = [
        "--file",
        file.to_str().unwrap(),
        "--store",
        store.to_str().unwrap(),
        "--sync-ms",
        "5",
        "--store-every-ms",
        "50",
        "--http-delay-ms",
        "100",
        "--network-delay-ms",
        "100",
        "--window-ms",
        "200",
    ];
    // Numbers of connections that were acknowledged, each life by itself.
    let mut promised = Vec::new();
    let mut next = 0;
    let mut seed = 0x9e37_79b9_u64;
    for _ in 0..kills() {
        let mut running = site.start(&settings);
        let (begin, sent, stop) = (next, AtomicU32::new(next), AtomicBool::new(false));
        let (mut http, mut network) = (0, 0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let socket = UnixDatagram::unbound().unwrap();
                for n in begin.. {
                    let events = [("run/network", handshake(n)), ("run/http", request(n))];
                    let gone =
                        events.iter().any(|(to, event)| socket.send_to(event.to_string().as_bytes(), site.path(to)).is_err());
                    if gone || stop.load(Ordering::Relaxed) {
                        break;
                    }
                    sent.store(n + 1, Ordering::Relaxed);
                    if n % 50 == 0 {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                }
            });
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            std::thread::sleep(Duration::from_millis(20 + (seed >> 33) % 700));
            http = running.metric(&acknowledged("http"));
            network = running.metric(&acknowledged("network"));
            running.child.kill().unwrap();
            running.child.wait().unwrap();
            stop.store(true, Ordering::Relaxed);
        });
        let both = u32::try_from(http.min(network)).unwrap();
        promised.extend((begin..begin + both).map(|n| (n, true)));
        promised.extend((begin + both..begin + u32::try_from(http).unwrap()).map(|n| (n, false)));
        // A number is never used again: the one being sent may have arrived.
        next = sent.load(Ordering::Relaxed) + 2;
    }
    site.start(&settings).stop();
    assert!(promised.len() > 100, "only {} events were acknowledged in all: nothing was tested", promised.len());

    let mut written: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in site.rows("out/rows.jsonl") {
        let text = |key: &str| row[key].as_str().unwrap().to_owned();
        written.entry(text("path")).or_default().push(text("match_kind"));
    }
    let connection = duckdb::Connection::open(&store).unwrap();
    let mut statement = connection.prepare("SELECT path, match_kind FROM ja4_logs.http_logs").unwrap();
    let mut stored: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))).unwrap() {
        let (path, kind) = row.unwrap();
        stored.entry(path).or_default().push(kind);
    }
    for (name, rows) in [("file", &written), ("store", &stored)] {
        let doubled: Vec<_> = rows.iter().filter(|(_, kinds)| kinds.len() != 1).take(5).collect();
        assert!(doubled.is_empty(), "{name}: {doubled:?}");
        for (n, with_handshake) in &promised {
            let kinds = rows.get(&format!("/{n}")).unwrap_or_else(|| panic!("{name}: /{n} was acknowledged and is lost"));
            assert!(!with_handshake || kinds[0] == "exact", "{name}: /{n} is {}", kinds[0]);
        }
    }
    assert_eq!(written, stored);
    eprintln!("{} kills, {} acknowledged requests, {} rows", kills(), promised.len(), stored.len());
}

#[test]
fn an_unreadable_database_is_filled_again_from_the_segments() {
    let site = Site::new();
    let store = site.path("out/rows.duckdb");
    let settings = ["--store", store.to_str().unwrap(), "--sync-ms", "5", "--store-every-ms", "0"];
    let running = site.start(&settings);
    for n in 0..500 {
        site.send("run/network", &handshake(n));
        site.send("run/http", &request(n));
    }
    running.wait_for("/metrics", |_, body| crate::support::metric(body, &acknowledged("http")) == 500);
    running.stop();
    let dump = |path: &std::path::Path| -> Vec<String> {
        let connection = duckdb::Connection::open(path).unwrap();
        let mut statement =
            connection.prepare("SELECT http_logs::VARCHAR FROM ja4_logs.http_logs ORDER BY row_hi, row_lo").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let before = dump(&store);
    assert_eq!(before.len(), 500);
    for harm in ["damaged", "deleted"] {
        if harm == "damaged" {
            let mut bytes = std::fs::read(&store).unwrap();
            bytes.iter_mut().skip(4096).step_by(37).for_each(|byte| *byte ^= 0x5a);
            std::fs::write(&store, bytes).unwrap();
        } else {
            std::fs::remove_file(&store).unwrap();
        }
        let running = site.start(&settings);
        running
            .wait_for("/metrics", |_, body| crate::support::metric(body, "ja4_rows_total{fate=\"sent\",sink=\"store\"}") >= 500);
        running.stop();
        assert_eq!(dump(&store), before, "{harm}");
    }
}

#[test]
fn a_database_that_is_another_one_when_it_comes_back_is_filled_again_too() {
    let site = Site::new();
    let folder = site.path("out/disk");
    let make = || {
        std::fs::create_dir(&folder).unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    };
    make();
    let store = folder.join("rows.duckdb");
    let settings = ["--store", store.to_str().unwrap(), "--sync-ms", "5", "--store-every-ms", "0"];
    let running = site.start(&settings);
    for n in 0..100 {
        site.send("run/http", &request(n));
    }
    running.wait_for("/metrics", |_, body| crate::support::metric(body, &acknowledged("http")) == 100);
    running.stop();
    // The disk is not mounted at the next start, and empty when it is.
    std::fs::remove_dir_all(&folder).unwrap();
    let running = site.start(&settings);
    running.wait_for("/metrics", |_, body| crate::support::metric(body, "ja4_sink_failing{sink=\"store\"}") == 1);
    make();
    site.send("run/http", &request(100));
    running.stop();
    let connection = duckdb::Connection::open(&store).unwrap();
    let rows: i64 = connection.query_row("SELECT count(*) FROM ja4_logs.http_logs", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 101, "{}", std::fs::read_to_string(site.path("log")).unwrap());
}
