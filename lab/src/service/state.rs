//! What the service knows of itself: cycles, store, lease, alerts. `/health` shows it, `/metrics` counts it.
//!
//! Promises: reading it never waits for a cycle or the store; a reason is kept until a later success replaces it.
//!
//! Read next: `cycles.rs` (writes it), `metrics.rs` (renders it).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::cycle::CycleReport;

/// Everything, behind one lock that is held for moments.
#[derive(Debug)]
pub struct State {
    started_ns: i64,
    health: Mutex<Health>,
    /// Requests by status class (index 0 is 1xx … 4 is 5xx).
    answers: [AtomicU64; 5],
    answer_us: AtomicU64,
    rate_limited: AtomicU64,
    unauthorised: AtomicU64,
    cache_hits: AtomicU64,
}

/// What `/api/v1/health` shows.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Health {
    /// `starting`, `waiting`, `working`, `away` (the store does not answer), `busy` (another process works) or `failing`.
    pub state: &'static str,
    /// When the service began, ns since 1970.
    pub started_ns: i64,
    /// Cycles that ended well.
    pub cycles_done: u64,
    /// Cycles that failed.
    pub cycles_failed: u64,
    /// Cycles left out because another process held the lease.
    pub cycles_skipped: u64,
    /// Counts changes of what is served; part of every answer's page.
    pub generation: u64,
    /// The last cycle that ended well.
    pub last: Option<LastCycle>,
    /// Why the last cycle failed; absent after one that did not.
    pub failure: Option<Trouble>,
    /// Why the store is away; absent while it is there.
    pub store_away: Option<Trouble>,
    /// Attempts to open the store that failed, in all.
    pub store_failures: u64,
    /// Whose claim was taken over last.
    pub took_over: Option<String>,
    /// Steps after scoring: how often each was done and failed, and its last words.
    pub steps: BTreeMap<&'static str, Step>,
    /// Alert targets by their label.
    pub alerts: BTreeMap<String, AlertFigures>,
    /// Alerts held back because they were sent before.
    pub alerts_repeated: u64,
}

/// One successful cycle.
#[derive(Debug, Clone, Default, Serialize)]
pub struct LastCycle {
    /// When it ended, ns since 1970.
    pub ended_ns: i64,
    /// How long it took, ms.
    pub took_ms: i64,
    /// The newest request it could see, ns since 1970; -1 without any.
    pub newest_ns: i64,
    /// Sessions scored.
    pub sessions: u64,
    /// Of those, anomalous ones.
    pub anomalies: u64,
    /// What an analyst should read.
    pub notes: Vec<String>,
}

/// A reason and since when.
#[derive(Debug, Clone, Serialize)]
pub struct Trouble {
    /// ns since 1970.
    pub since_ns: i64,
    /// One sentence.
    pub reason: String,
}

/// One step after scoring.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Step {
    /// Times it ended well.
    pub done: u64,
    /// Times it failed.
    pub failed: u64,
    /// What it said last.
    pub last: String,
    /// The hour of data it was last done for, hours since 1970.
    pub hour: i64,
}

/// One alert target.
#[derive(Debug, Clone, Default, Serialize)]
pub struct AlertFigures {
    /// Alerts it took.
    pub sent: u64,
    /// Alerts given up after every try.
    pub failed: u64,
    /// Alerts given up because its queue was full.
    pub dropped: u64,
    /// Why the last one failed.
    pub last_error: String,
}

/// Figures of the HTTP interface.
#[derive(Debug, Clone, Copy, Default)]
pub struct HttpFigures {
    /// Answers by status class: 1xx, 2xx, 3xx, 4xx, 5xx.
    pub answers: [u64; 5],
    /// Time spent on them, microseconds.
    pub answer_us: u64,
    /// Refused by the rate limit.
    pub rate_limited: u64,
    /// Refused for want of the token.
    pub unauthorised: u64,
    /// Answered from what was asked before.
    pub cache_hits: u64,
}

impl State {
    /// A service that begins at `started_ns` (ns since 1970).
    #[must_use]
    pub fn new(started_ns: i64) -> Self {
        let health = Health { state: "starting", started_ns, ..Health::default() };
        Self {
            started_ns,
            health: Mutex::new(health),
            answers: Default::default(),
            answer_us: AtomicU64::new(0),
            rate_limited: AtomicU64::new(0),
            unauthorised: AtomicU64::new(0),
            cache_hits: AtomicU64::new(0),
        }
    }

    /// When the service began, ns since 1970.
    #[must_use]
    pub fn started_ns(&self) -> i64 {
        self.started_ns
    }

    /// As it is now.
    #[must_use]
    pub fn health(&self) -> Health {
        self.lock().clone()
    }

    /// Counts changes of what is served.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.lock().generation
    }

    /// Whether the store is there and a cycle has ended well since the start.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let health = self.lock();
        health.store_away.is_none() && health.last.is_some()
    }

    /// Why the store is away, as a clause.
    #[must_use]
    pub fn why_away(&self) -> String {
        self.lock().store_away.as_ref().map_or_else(|| "it is not open yet".to_owned(), |trouble| trouble.reason.clone())
    }

    /// Whether a cycle failed or the store went away, and nothing went well since.
    #[must_use]
    pub fn is_troubled(&self) -> bool {
        let health = self.lock();
        health.failure.is_some() || health.store_away.is_some()
    }

    /// The store answers again.
    pub fn store_is_back(&self) {
        let mut health = self.lock();
        health.store_away = None;
        health.generation += 1;
    }

    /// The store does not answer.
    pub fn store_is_away(&self, now_ns: i64, reason: String) {
        let mut health = self.lock();
        health.state = "away";
        health.store_failures += 1;
        let since_ns = health.store_away.as_ref().map_or(now_ns, |trouble| trouble.since_ns);
        health.store_away = Some(Trouble { since_ns, reason });
    }

    /// What the service does now.
    pub fn is(&self, state: &'static str) {
        self.lock().state = state;
    }

    /// Another process works.
    pub fn skipped(&self) {
        let mut health = self.lock();
        health.state = "busy";
        health.cycles_skipped += 1;
    }

    /// A dead claim was removed.
    pub fn took_over(&self, whose: &str) {
        self.lock().took_over = Some(whose.to_owned());
    }

    /// A cycle ended well.
    pub fn done(&self, ended_ns: i64, took_ms: i64, newest_ns: i64, report: &CycleReport) {
        let mut health = self.lock();
        health.cycles_done += 1;
        health.generation += 1;
        health.failure = None;
        health.last = Some(LastCycle {
            ended_ns,
            took_ms,
            newest_ns,
            sessions: report.sessions,
            anomalies: report.anomalies,
            notes: report.notes.clone(),
        });
    }

    /// A cycle failed.
    pub fn failed(&self, now_ns: i64, reason: String) {
        let mut health = self.lock();
        health.state = "failing";
        health.cycles_failed += 1;
        health.generation += 1;
        health.failure = Some(Trouble { since_ns: now_ns, reason });
    }

    /// A step after scoring ended; `hour` is the newest hour of data it saw, hours since 1970.
    pub fn step(&self, name: &'static str, hour: i64, result: Result<String, String>) {
        let mut health = self.lock();
        let step = health.steps.entry(name).or_default();
        match result {
            Ok(words) => {
                step.done += 1;
                step.hour = hour;
                step.last = words;
            }
            Err(reason) => {
                step.failed += 1;
                step.last = reason;
            }
        }
    }

    /// The hour of data that a step was last done for.
    #[must_use]
    pub fn step_hour(&self, name: &str) -> Option<i64> {
        self.lock().steps.get(name).filter(|step| step.done > 0).map(|step| step.hour)
    }

    /// Changes the figures of an alert target.
    pub fn alert(&self, label: &str, change: impl FnOnce(&mut AlertFigures)) {
        change(self.lock().alerts.entry(label.to_owned()).or_default());
    }

    /// Alerts that were sent before.
    pub fn alerts_repeated(&self, count: u64) {
        self.lock().alerts_repeated += count;
    }

    /// Counts an answer of the HTTP interface.
    pub fn answered(&self, status: u16, took_us: u64) {
        if let Some(class) = self.answers.get(usize::from(status / 100).saturating_sub(1)) {
            class.fetch_add(1, Ordering::Relaxed);
        }
        self.answer_us.fetch_add(took_us, Ordering::Relaxed);
    }

    /// Counts a refusal by the rate limit.
    pub fn rate_limited(&self) {
        self.rate_limited.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a refusal for want of the token.
    pub fn unauthorised(&self) {
        self.unauthorised.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an answer from the cache.
    pub fn cache_hit(&self) {
        self.cache_hits.fetch_add(1, Ordering::Relaxed);
    }

    /// Figures of the HTTP interface.
    #[must_use]
    pub fn http(&self) -> HttpFigures {
        HttpFigures {
            answers: self.answers.each_ref().map(|count| count.load(Ordering::Relaxed)),
            answer_us: self.answer_us.load(Ordering::Relaxed),
            rate_limited: self.rate_limited.load(Ordering::Relaxed),
            unauthorised: self.unauthorised.load(Ordering::Relaxed),
            cache_hits: self.cache_hits.load(Ordering::Relaxed),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
