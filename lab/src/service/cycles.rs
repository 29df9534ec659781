//! The loop: wait for the store, hold the lease, score, the steps after it, alerts; then wait for the next turn.
//!
//! Promises: a store that is away is tried again after 1, 2, 4 … 60 s; a cycle that fails is counted with its reason and the next
//! goes on; a request to stop is obeyed within 100 ms between cycles, and within the plan's grace during one; a step after scoring
//! that fails stops neither the others nor the alerts.
//!
//! Read next: `steps.rs` (what follows scoring), `lease.rs`, `../cycle/mod.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use ja4_replay::store::{Engine, Store};

use super::alert::Outlet;
use super::http::App;
use super::lease::{self, Claimant, Outcome};
use super::link::Link;
use super::state::State;
use super::steps::Steps;
use super::{Clock, Plan, Say};
use crate::audit::{self, Entry};
use crate::cycle::{self, CyclePlan, CycleReport};
use crate::error::LabError;

const TICK: Duration = Duration::from_millis(100);
const BACK_OFF_MAX_NS: i64 = 60_000_000_000;
const HOUR_MS: i64 = 3_600_000;

/// The loop and all it needs.
pub struct Cycles<'a> {
    /// What to do.
    pub plan: &'a Plan,
    /// The driver's clocks.
    pub clock: Clock,
    /// Where sentences go.
    pub say: &'a Say,
    /// Set when the service is to end.
    pub stop: &'a Arc<AtomicBool>,
    /// What `/health` shows.
    pub state: &'a Arc<State>,
    /// The store.
    pub link: &'a Arc<Link>,
    /// Where alerts go.
    pub outlet: &'a Outlet,
    /// Who is asked between cycles; then the store stays open.
    pub app: Option<&'a Arc<App>>,
}

impl std::fmt::Debug for Cycles<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cycles").field("plan", self.plan).finish_non_exhaustive()
    }
}

impl Cycles<'_> {
    /// Runs until told to stop, or once.
    ///
    /// # Errors
    /// With `once`, what the cycle failed with.
    pub fn run(&self) -> Result<(), LabError> {
        let mut claimant = Claimant::new("detect", self.clock);
        let mut back_off_ns = 1_000_000_000;
        while !self.stopping() {
            let begun_ns = (self.clock.steady_ns)();
            if let Err(error) = self.open() {
                self.tell_trouble("store", &error);
                self.state.store_is_away((self.clock.wall_ns)(), error.to_string());
                if self.plan.once {
                    return Err(error);
                }
                (self.say)(&format!("{error}; next try in {} s", back_off_ns / 1_000_000_000));
                self.wait_until(begun_ns.saturating_add(back_off_ns));
                back_off_ns = back_off_ns.saturating_mul(2).min(BACK_OFF_MAX_NS);
                continue;
            }
            back_off_ns = 1_000_000_000;
            let result = self.turn(&mut claimant);
            if let Err(error) = &result {
                self.tell_trouble("cycle", error);
                self.state.failed((self.clock.wall_ns)(), error.to_string());
                (self.say)(&format!("cycle failed: {error}"));
                self.check();
            }
            if self.plan.once {
                return result;
            }
            if self.app.is_none() {
                // Another program may have the file between the cycles.
                self.link.close();
            }
            self.wait_until(begun_ns.saturating_add(self.plan.every_ns));
        }
        Ok(())
    }

    /// Alerts once for each outage: what goes on failing was told.
    fn tell_trouble(&self, what: &'static str, error: &LabError) {
        if self.state.is_troubled() || self.stopping() {
            return;
        }
        let store = self.link.borrow().ok();
        let store = store.as_ref().map(|(store, _)| &**store);
        self.outlet.trouble(store, what, &error.to_string(), (self.clock.wall_ns)());
    }

    fn open(&self) -> Result<(), LabError> {
        if self.link.is_open() {
            self.check();
        }
        if let Some(note) = self.link.open()? {
            (self.say)(&note);
        }
        Ok(())
    }

    /// Gives the store up if it is no longer the one that was opened, or does not answer.
    fn check(&self) {
        if self.link.is_open()
            && let Err(error) = self.link.ping()
        {
            self.state.store_is_away((self.clock.wall_ns)(), error.to_string());
            (self.say)(&error.to_string());
            self.link.close();
        }
    }

    /// One turn: with the lease, a cycle on a thread of its own, watched from here.
    fn turn(&self, claimant: &mut Claimant) -> Result<(), LabError> {
        let (store, _) = self.link.borrow()?;
        match claimant.take(&*store, store.engine() == Engine::DuckDb)? {
            Outcome::Busy(who) => {
                self.state.skipped();
                (self.say)(&format!("cycle left out: {who} is at work on this store"));
                return Ok(());
            }
            Outcome::Held(Some(whose)) => {
                self.state.took_over(&whose);
                (self.say)(&format!("took the lease over from {whose}"));
                let ts_ns = (self.clock.wall_ns)();
                let entry = Entry {
                    ts_ns,
                    actor: "detect",
                    action: "take lease over",
                    target: "detect",
                    outcome: "done",
                    detail: &whose,
                };
                audit::record(&*store, &entry)?;
            }
            Outcome::Held(None) => {}
        }
        self.state.is("working");
        let result = self.watched(claimant, &*store);
        let released = claimant.release(&*store);
        result?;
        self.state.is("waiting");
        released
    }

    fn watched(&self, claimant: &mut Claimant, store: &dyn Store) -> Result<(), LabError> {
        let (working, _) = self.link.borrow()?;
        let job = Job {
            store: working,
            plan: self.plan.clone(),
            clock: self.clock,
            state: Arc::clone(self.state),
            outlet: self.outlet.clone(),
            app: self.app.map(Arc::clone),
            say: Arc::clone(self.say),
        };
        let (send, done) = sync_channel(1);
        let worker = std::thread::Builder::new().name("cycle".to_owned()).spawn(move || {
            // Nobody is left to be told if the receiver is gone: the service has given this cycle up.
            let _ = send.send(job.run());
        });
        worker.map_err(|error| LabError::Ask(format!("start a thread for the cycle: {error}")))?;
        let mut renewed_ns = (self.clock.steady_ns)();
        let mut stop_ns = None;
        loop {
            match done.recv_timeout(TICK) {
                Ok(result) => return result,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(LabError::Ask("the cycle stopped unexpectedly; run with -vv and report it".to_owned()));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            let now_ns = (self.clock.steady_ns)();
            if self.stopping() && now_ns.saturating_sub(*stop_ns.get_or_insert(now_ns)) > self.plan.grace_ns {
                return Err(LabError::Ask(
                    "stopped on request before the cycle had ended; what it would have written is missing".to_owned(),
                ));
            }
            // A DuckDB file is locked by this process, so nobody else can look at the lease.
            if store.engine() != Engine::DuckDb && now_ns.saturating_sub(renewed_ns) > lease::LENGTH_NS / 3 {
                renewed_ns = now_ns;
                match claimant.renew(store) {
                    Ok(true) => {}
                    Ok(false) => (self.say)("the lease was taken over while a cycle ran; that cycle goes on to its end"),
                    Err(error) => (self.say)(&format!("renew the lease: {error}")),
                }
            }
        }
    }

    fn wait_until(&self, steady_ns: i64) {
        while !self.stopping() && (self.clock.steady_ns)() < steady_ns {
            std::thread::sleep(TICK);
        }
    }

    fn stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// One cycle, on its own thread with its own connection.
struct Job {
    store: Box<dyn Store>,
    plan: Plan,
    clock: Clock,
    state: Arc<State>,
    outlet: Outlet,
    app: Option<Arc<App>>,
    say: Say,
}

impl Job {
    fn run(self) -> Result<(), LabError> {
        let begun_ns = (self.clock.steady_ns)();
        let newest_ns = super::link::newest(&*self.store)?;
        let plan = CyclePlan {
            settings: self.plan.settings.clone(),
            load: self.plan.model.clone(),
            from_ms: window_start(newest_ns, self.plan.window_ns),
            ..CyclePlan::default()
        };
        let report = self.score(&plan, newest_ns)?;
        let news = Steps {
            store: &*self.store,
            plan: &self.plan,
            state: &self.state,
            say: &self.say,
            newest_ns,
            clock_ns: (self.clock.wall_ns)(),
        }
        .run();
        // Everything that is served has been written: the first answers are made before anybody waits for them.
        let ready = self.app.as_ref().map(|app| app.prepare(&*self.store));
        let took_ms = (self.clock.steady_ns)().saturating_sub(begun_ns) / 1_000_000;
        self.state.done((self.clock.wall_ns)(), took_ms, newest_ns, &report);
        if let (Some(app), Some(ready)) = (&self.app, ready) {
            app.keep(ready);
        }
        (self.say)(&format!("cycle: {} sessions, {} anomalous, {took_ms} ms", report.sessions, report.anomalies));
        for note in &report.notes {
            (self.say)(note);
        }
        match self.outlet.alert(&*self.store, plan.from_ms, (self.clock.wall_ns)(), news) {
            Ok(0) => {}
            Ok(count) => (self.say)(&format!("{count} new alerts")),
            Err(error) => {
                self.state.step("alerts", 0, Err(error.to_string()));
                (self.say)(&format!("alerts: {error}"));
            }
        }
        Ok(())
    }

    /// Scores with the version in use where versions are kept (fitting the first one), else as the plan says.
    fn score(&self, plan: &CyclePlan, newest_ns: i64) -> Result<CycleReport, LabError> {
        let Some(keeping) = &self.plan.keeping else { return cycle::run(&*self.store, plan) };
        match keeping.champion()? {
            Some((_, folder)) => {
                let plan = CyclePlan { load: Some(folder), fit_missing: true, ..plan.clone() };
                cycle::run(&*self.store, &plan)
            }
            None => {
                // What it learns from ends with the newest hour: only what comes later may judge it.
                let hour_ms = newest_ns.div_euclid(1_000_000 * HOUR_MS).saturating_mul(HOUR_MS);
                let plan = CyclePlan { to_ms: Some(hour_ms.saturating_add(HOUR_MS)), ..plan.clone() };
                keeping.begin(&*self.store, &plan, (self.clock.wall_ns)())
            }
        }
    }
}

/// The hour that lies `window_ns` before the newest request, ms since 1970: times of the data, so that a jumping clock or an old
/// recording changes nothing.
fn window_start(newest_ns: i64, window_ns: i64) -> Option<i64> {
    if window_ns <= 0 || newest_ns < 0 {
        return None;
    }
    let from_ms = newest_ns.saturating_sub(window_ns) / 1_000_000;
    Some(from_ms - from_ms.rem_euclid(HOUR_MS))
}

#[cfg(test)]
mod tests {
    use super::window_start;

    #[test]
    fn a_window_begins_with_its_hour() {
        let hour_ns = 3_600_000_000_000;
        assert_eq!(window_start(10 * hour_ns + 5, 2 * hour_ns), Some(8 * 3_600_000));
        assert_eq!(window_start(10 * hour_ns - 5, 2 * hour_ns), Some(7 * 3_600_000));
        assert_eq!(window_start(10 * hour_ns, 0), None);
        assert_eq!(window_start(-1, hour_ns), None);
    }
}
