//! SIGTERM while a sink is dead: the program ends all the same, and the next start delivers everything once.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use crate::support::{Running, Site, acknowledged, handshake, metric, request};

const REQUESTS: u32 = 400;

/// Waits for the end of a process that was asked to end; one that hangs fails the test.
#[allow(clippy::disallowed_methods, reason = "waits for a process")]
fn end(site: &Site, running: &mut Running) -> ExitStatus {
    running.signal("TERM");
    let deadline = Instant::now() + Duration::from_secs(90);
    loop {
        if let Some(status) = running.child.try_wait().unwrap() {
            return status;
        }
        let log = || std::fs::read_to_string(site.path("log")).unwrap_or_default();
        assert!(Instant::now() < deadline, "it hangs: {}", log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Sends requests with long paths, so that few of them fill an outbox.
fn visit(site: &Site, running: &Running, numbers: std::ops::Range<u32>) {
    for n in numbers.clone() {
        site.send("run/network", &handshake(n));
        let mut event = request(n);
        event["path"] = format!("/{n}/{}", "x".repeat(40_000)).into();
        site.send("run/http", &event);
    }
    running.wait_for("/metrics", |_, body| metric(body, &acknowledged("http")) == u64::from(numbers.end));
}

/// Waits until a thread of the program stands before a pipe that nobody reads from; where the kernel does not tell, for two seconds.
#[allow(clippy::disallowed_methods, reason = "waits for a process")]
fn wait_until_stuck(running: &Running) {
    running.wait_for("/metrics", |_, body| metric(body, "ja4_rows_total{fate=\"received\",sink=\"file\"}") > 0);
    let threads = format!("/proc/{}/task", running.child.id());
    let stuck = || {
        let mut threads = std::fs::read_dir(&threads).into_iter().flatten().flatten();
        threads.any(|thread| std::fs::read(thread.path().join("wchan")).is_ok_and(|place| place == b"wait_for_partner"))
    };
    let deadline = Instant::now() + Duration::from_secs(2);
    while !stuck() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Each request stands in the file once.
fn assert_complete(site: &Site, name: &str) {
    let mut numbers: Vec<u32> =
        site.rows(name).iter().map(|row| row["path"].as_str().unwrap().split('/').nth(1).unwrap().parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..REQUESTS).collect::<Vec<_>>());
}

#[test]
fn with_a_full_outbox_and_a_sink_that_fails_it_ends_and_the_next_start_delivers_all() {
    let site = Site::new();
    let file = site.path("out/absent/rows.jsonl");
    let settings =
        ["--file", file.to_str().unwrap(), "--outbox-mib", "8", "--journal-mib", "64", "--sync-ms", "5", "--stop-ms", "500"];
    let quick = ["--http-delay-ms", "0", "--network-delay-ms", "0", "--window-ms", "50"];
    let settings = [&settings[..], &quick].concat();
    let mut running = site.start(&settings);
    visit(&site, &running, 0..250);
    running.wait_for("/metrics", |_, body| metric(body, "ja4_rows_total{fate=\"received\",sink=\"file\"}") > 0);
    visit(&site, &running, 250..REQUESTS);
    let status = end(&site, &mut running);
    let log = std::fs::read_to_string(site.path("log")).unwrap();
    assert!(status.success(), "{status}: {log}");
    assert!(log.contains("the join waits"), "the outbox was not full, so nothing was tested: {log}");
    assert!(log.contains("the outbox is full of rows that a sink did not take"), "{log}");

    // The sink is well again: what was in the outbox comes, and what only the journal had.
    let folder = site.path("out/absent");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    let running = site.start(&settings);
    let all = u64::from(REQUESTS);
    running.wait_for("/metrics", |_, body| metric(body, "ja4_rows_total{fate=\"sent\",sink=\"file\"}") >= all);
    running.stop();
    assert_complete(&site, "out/absent/rows.jsonl");
}

#[test]
fn a_sink_that_never_returns_is_left_behind() {
    let site = Site::new();
    // Opening a pipe that nobody reads from does not return.
    let pipe = site.path("out/pipe");
    assert!(Command::new("mkfifo").args(["-m", "666"]).arg(&pipe).status().unwrap().success());
    let settings = ["--file", pipe.to_str().unwrap(), "--sync-ms", "5", "--http-delay-ms", "0"];
    let settings = [&settings[..], &["--network-delay-ms", "0", "--window-ms", "50"]].concat();
    let mut running = site.start(&[&settings[..], &["--stop-ms", "0"]].concat());
    visit(&site, &running, 0..REQUESTS);
    wait_until_stuck(&running);
    let status = end(&site, &mut running);
    let log = std::fs::read_to_string(site.path("log")).unwrap();
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("a sink does not return"), "{log}");

    std::fs::remove_file(&pipe).unwrap();
    let running = site.start(&[&settings[..], &["--stop-ms", "60000"]].concat());
    let all = u64::from(REQUESTS);
    running.wait_for("/metrics", |_, body| metric(body, "ja4_rows_total{fate=\"sent\",sink=\"file\"}") >= all);
    running.stop();
    assert_complete(&site, "out/pipe");
}

#[test]
fn a_store_that_never_answers_holds_up_neither_the_outbox_nor_the_file() {
    let site = Site::new();
    // As a server behind a firewall that drops what comes: connections open, and nothing follows.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let store = format!("clickhouse://default@127.0.0.1:{}/?timeout=600", silent.local_addr().unwrap().port());
    let file = site.path("out/rows.jsonl");
    let quick = ["--sync-ms", "5", "--http-delay-ms", "0", "--network-delay-ms", "0", "--window-ms", "50"];
    let settings = [&["--file", file.to_str().unwrap()][..], &quick].concat();
    let running = site.start(&[&settings[..], &["--store", &store]].concat());
    let taken = |body: &str, sink: &str| metric(body, &format!("ja4_rows_total{{fate=\"sent\",sink=\"{sink}\"}}"));
    visit(&site, &running, 0..REQUESTS / 2);
    running.wait_for("/metrics", |_, body| taken(body, "file") > 0);
    // The store is asked by now, and what comes while it does not answer goes on to the file all the same.
    visit(&site, &running, REQUESTS / 2..REQUESTS);
    running.wait_for("/metrics", |_, body| taken(body, "file") > u64::from(REQUESTS * 3 / 4) && taken(body, "store") == 0);
    drop(running);

    let running = site.start(&settings);
    running.stop();
    assert_complete(&site, "out/rows.jsonl");
}
