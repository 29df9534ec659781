//! The lease: claimants that race over one store, as on an engine without locks.
//!
//! Read next: `lab/src/service/lease.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use ja4_lab::service::Clock;
use ja4_lab::service::lease::{Claimant, LENGTH_NS, Outcome};
use ja4_replay::store::{self, OpenOptions, Store};

fn opened(folder: &std::path::Path) -> Box<dyn Store> {
    let mut store = store::open(&folder.join("lease.duckdb"), &OpenOptions::default()).unwrap();
    store.migrate().unwrap();
    store
}

static NOW: AtomicI64 = AtomicI64::new(1_000_000_000_000);
static STEADY: AtomicI64 = AtomicI64::new(0);

const CLOCK: Clock =
    Clock { wall_ns: || NOW.fetch_add(1, Ordering::Relaxed), steady_ns: || STEADY.fetch_add(1, Ordering::Relaxed) };

#[test]
fn never_two_at_once_and_never_none_for_long() {
    let folder = tempfile::tempdir().unwrap();
    race(&*opened(folder.path()), 6, 24);
}

/// Claimants over one store, until the lease was held so often.
pub fn race(store: &dyn Store, claimants: u64, turns: u32) {
    let (inside, worked) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let threads: Vec<_> = (0..claimants)
        .map(|number| {
            let (store, inside, worked) = (store.sibling().unwrap(), Arc::clone(&inside), Arc::clone(&worked));
            std::thread::spawn(move || {
                let mut claimant = Claimant::new("race", CLOCK);
                let started = Instant::now();
                while worked.load(Ordering::SeqCst) < turns && started.elapsed() < Duration::from_secs(300) {
                    // A conflict of two transactions is an error to try again after, as it is for the service.
                    if let Ok(Outcome::Held(_)) = claimant.take(&*store, false) {
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two at once");
                        std::thread::sleep(Duration::from_millis(5));
                        worked.fetch_add(1, Ordering::SeqCst);
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                    let _ = claimant.release(&*store);
                    // The service waits a second; here each claimant waits a time of its own, as two machines would.
                    std::thread::sleep(Duration::from_millis(1 + number));
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert!(worked.load(Ordering::SeqCst) >= turns, "{worked:?}");
}

#[test]
fn a_dead_claim_is_taken_over_and_a_living_one_is_not() {
    static WALL: AtomicI64 = AtomicI64::new(5_000_000_000_000);
    static PASSED: AtomicI64 = AtomicI64::new(0);
    let clock = Clock { wall_ns: || WALL.load(Ordering::Relaxed), steady_ns: || PASSED.load(Ordering::Relaxed) };
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path());
    let mut first = Claimant::new("work", clock);
    PASSED.store(1, Ordering::Relaxed);
    let mut second = Claimant::new("work", clock);
    assert_eq!(first.take(&*store, false).unwrap(), Outcome::Held(None));
    assert!(matches!(second.take(&*store, false).unwrap(), Outcome::Busy(_)));
    assert!(matches!(Claimant::new("other work", clock).take(&*store, false).unwrap(), Outcome::Held(None)));
    // Renewed in time: still the first one's.
    WALL.fetch_add(LENGTH_NS - 1, Ordering::Relaxed);
    assert!(first.renew(&*store).unwrap());
    WALL.fetch_add(LENGTH_NS - 1, Ordering::Relaxed);
    assert!(matches!(second.take(&*store, false).unwrap(), Outcome::Busy(_)));
    // Not renewed: expired, and said.
    WALL.fetch_add(2, Ordering::Relaxed);
    assert!(matches!(second.take(&*store, false).unwrap(), Outcome::Held(Some(whose)) if whose.contains("not renewed")));
    assert!(!first.renew(&*store).unwrap(), "the first one notices");
    second.release(&*store).unwrap();
    // The wall clock jumps back a year: the claim would hold for a year, but it does not change while it is watched.
    assert!(matches!(first.take(&*store, false).unwrap(), Outcome::Held(None)));
    WALL.fetch_sub(365 * 86_400 * 1_000_000_000, Ordering::Relaxed);
    assert!(matches!(second.take(&*store, false).unwrap(), Outcome::Busy(_)));
    PASSED.fetch_add(LENGTH_NS + 1, Ordering::Relaxed);
    assert!(matches!(second.take(&*store, false).unwrap(), Outcome::Held(Some(whose)) if whose.contains("watched")));
    second.release(&*store).unwrap();
    // Where the engine locks out every other process, any other claim is dead.
    assert!(matches!(first.take(&*store, false).unwrap(), Outcome::Held(None)));
    assert!(matches!(second.take(&*store, true).unwrap(), Outcome::Held(Some(_))));
}
