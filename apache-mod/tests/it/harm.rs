//! Apache unharmed: a collector that is absent or stopped, and graceful restarts under load, under all three MPMs.
//! The oracle knows every request by its number; counts alone would not show a loss beside a duplicate.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::apache::{ALL_MPMS, Apache, Extra, Mpm, available};
use crate::client::get;
use crate::collector::{Collector, Received, bind};

#[test]
fn an_absent_or_stopped_collector_costs_records_but_no_request_and_the_count_is_exact() {
    if !available() {
        return;
    }
    for mpm in ALL_MPMS {
        let apache = Apache::start(mpm, &Extra { config: "", single_child: true });
        let begin = Instant::now();
        load(&apache, 0..200); // nobody has bound the socket
        let socket = bind(&apache.socket()); // bound, but nothing reads: what a stopped process looks like
        load(&apache, 200..2000);
        assert!(begin.elapsed() < Duration::from_secs(20), "{mpm:?}: 2000 requests took {:?}", begin.elapsed());
        let collector = Collector::read(socket);
        collector.settle();
        load(&apache, 2000..2001); // the first record after the return tells what was lost since the last one
        let events = collector.settle();
        let numbers = numbers(&events);
        let lost = 2001 - numbers.len() as u64;
        assert!(numbers.values().all(|count| *count == 1), "{mpm:?}: a request was logged twice");
        assert!(lost >= 200, "{mpm:?}: {lost} lost");
        let told: u64 = events.iter().map(|received| received.count("dropped")).sum();
        assert_eq!(told, lost, "{mpm:?}: told in records");
        drop(collector);
        let log = apache.stop();
        let lines = dropped_lines(&log);
        assert_eq!(lines.iter().sum::<u64>(), lost, "{mpm:?}: told in the ErrorLog\n{log}");
        // One when the first was lost, one when the child ended: the test is shorter than a minute.
        assert_eq!(lines.len(), 2, "{mpm:?}:\n{log}");
        assert!(!log.contains("exit signal") && !log.contains("panicked"), "{log}");
    }
}

#[test]
fn twenty_graceful_restarts_under_load_fail_no_request_and_lose_no_record_untold() {
    if !available() {
        return;
    }
    for mpm in ALL_MPMS {
        let apache = Arc::new(Apache::start(mpm, &Extra::default()));
        let collector = Collector::start(&apache.socket());
        let (stop, next) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let clients: Vec<_> = (0..4)
            .map(|_| {
                let (apache, stop, next) = (Arc::clone(&apache), Arc::clone(&stop), Arc::clone(&next));
                thread::spawn(move || {
                    let mut failed = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if !get(apache.http, &format!("/?n={number}")) {
                            failed.push(number);
                        }
                        thread::sleep(Duration::from_millis(2));
                    }
                    failed
                })
            })
            .collect();
        for _ in 0..20 {
            apache.restart_gracefully();
        }
        stop.store(true, Ordering::Relaxed);
        let failed: Vec<u32> = clients.into_iter().flat_map(|client| client.join().expect("a client")).collect();
        assert!(failed.is_empty(), "{mpm:?}: requests {failed:?} got no answer\n{}", apache.error_log());
        let sent = next.load(Ordering::Relaxed);
        let numbers = numbers(&collector.settle());
        assert!(numbers.values().all(|count| *count == 1), "{mpm:?}: a request was logged twice");
        let log = Arc::into_inner(apache).expect("the clients have ended").stop();
        // A busy machine may leave the collector behind for ten datagrams; then each loss is told.
        let lost = sent as u64 - numbers.len() as u64;
        assert_eq!(dropped_lines(&log).iter().sum::<u64>(), lost, "{mpm:?}: {sent} sent\n{log}");
        assert!(lost < sent as u64 / 2, "{mpm:?}: {lost} of {sent} lost");
        assert!(!log.contains("exit signal") && !log.contains("panicked"), "{mpm:?}: {log}");
    }
}

#[test]
fn a_collector_that_comes_back_is_found_without_a_restart_of_apache() {
    if !available() {
        return;
    }
    let apache = Apache::start(Mpm::Event, &Extra { config: "", single_child: true });
    for round in 0..3 {
        let collector = Collector::start(&apache.socket());
        load(&apache, 0..10);
        let events = collector.wait_for(10);
        assert_eq!(events.len(), 10, "round {round}");
        let lost: u64 = events.iter().map(|received| received.count("dropped")).sum();
        assert_eq!(lost, if round == 0 { 0 } else { 5 }, "round {round}: {events:#?}\n{}", apache.error_log());
        drop(collector); // the path stays, nobody listens: connection refused
        load(&apache, 10..15);
    }
}

/// Requests `/?n=…` from four clients at once; each must be answered.
fn load(apache: &Apache, numbers: std::ops::Range<u32>) {
    let next = AtomicU32::new(numbers.start);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= numbers.end {
                        return;
                    }
                    assert!(get(apache.http, &format!("/?n={number}")), "request {number}\n{}", apache.error_log());
                }
            });
        }
    });
}

/// How often each request number was logged.
fn numbers(events: &[Received]) -> BTreeMap<u32, u32> {
    let mut counts = BTreeMap::new();
    for received in events {
        let query = received.event.query.as_deref().expect("each request has a number");
        *counts.entry(query.trim_start_matches("n=").parse().expect("a number")).or_default() += 1;
    }
    counts
}

fn dropped_lines(log: &str) -> Vec<u64> {
    let count = |line: &str| line.split("mod_reqin_log: ").nth(1)?.split(" records dropped").next()?.parse().ok();
    log.lines().filter_map(count).collect()
}
