//! What follows the scoring of a cycle, once for each new hour of data: drift, and the new model it may ask for.
//!
//! Promises: a step that fails is counted with its reason and stops neither the cycle nor the alerts; a step repeated over the same hour
//! (after a restart) writes the same figures in the same place. Campaigns and fleets are part of the scoring itself.
//!
//! Read next: `cycles.rs` (who calls), `crate::drift`, `crate::retrain`.

use ja4_replay::store::Store;

use super::alert::{Alert, news};
use super::state::State;
use super::{Plan, Say};
use crate::drift::{self, Decision, DriftPlan, DriftReport};
use crate::error::LabError;

const HOUR_MS: i64 = 3_600_000;

/// The steps of one cycle.
pub(super) struct Steps<'a> {
    pub store: &'a dyn Store,
    pub plan: &'a Plan,
    pub state: &'a State,
    pub say: &'a Say,
    /// The newest stored request, ns since 1970.
    pub newest_ns: i64,
    /// The wall clock, ns since 1970.
    pub clock_ns: i64,
}

impl Steps<'_> {
    /// Does what the new hour asks for; gives what is to be told.
    pub(super) fn run(&self) -> Vec<Alert> {
        let mut news = Vec::new();
        let mut decision = Decision::Keep;
        self.step("drift", &mut news, |news| {
            let Some((plan, report)) = self.drift()? else { return Ok("fewer than two hours are scored".to_owned()) };
            let words = format!("{}: {}", report.decision.as_str(), report.reasons.join("; "));
            news.extend(news::of_drift(report.decision, report.adversarial(), &words, plan.now.0, self.clock_ns));
            decision = report.decision;
            Ok(words)
        });
        if decision == Decision::Retrain && self.plan.keeping.is_some() {
            self.step("retrain", &mut news, |news| self.retrain(news));
        }
        news
    }

    /// Runs `work` unless it was done for this hour of data already; keeps what it said.
    fn step(&self, name: &'static str, news: &mut Vec<Alert>, work: impl FnOnce(&mut Vec<Alert>) -> Result<String, LabError>) {
        let hour = self.newest_ns.div_euclid(1_000_000 * HOUR_MS);
        if self.state.step_hour(name) == Some(hour) {
            return;
        }
        let result = work(news);
        if let Err(error) = &result {
            (self.say)(&format!("{name}: {error}"));
        }
        self.state.step(name, hour, result.map_err(|error| error.to_string()));
    }

    /// The newest hour against the hours that the version in use learned from, else against the week before it. `None` where there
    /// is nothing to compare with.
    fn drift(&self) -> Result<Option<(DriftPlan, DriftReport)>, LabError> {
        let mut plan = match DriftPlan::newest(self.store, self.clock_ns) {
            Ok(plan) => plan,
            // Too few hours to compare is an answer.
            Err(LabError::Ask(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        if let Some(keeping) = &self.plan.keeping
            && let Some((champion, _)) = keeping.champion()?
        {
            plan = plan.since((champion.data.from_ms, champion.data.to_ms), champion.created_ns);
        }
        let report = drift::run(self.store, &plan)?;
        drift::record(self.store, &plan, &report)?;
        Ok(Some((plan, report)))
    }

    fn retrain(&self, news: &mut Vec<Alert>) -> Result<String, LabError> {
        let Some(keeping) = &self.plan.keeping else { return Ok(String::new()) };
        let hour_ms = self.newest_ns.div_euclid(1_000_000 * HOUR_MS).saturating_mul(HOUR_MS);
        let Some(attempt) = keeping.retrain(self.store, &self.plan.settings, hour_ms, self.clock_ns)? else {
            return Ok("drift asks for a new model; the last attempt is less than six hours of data ago".to_owned());
        };
        let words = format!("{}: {}", if attempt.promoted { "promoted" } else { "kept" }, attempt.reason);
        (self.say)(&format!("retrain: {words}"));
        news.push(news::of_model(attempt.promoted, &words, hour_ms, self.clock_ns));
        Ok(words)
    }
}
