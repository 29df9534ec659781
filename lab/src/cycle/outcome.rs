//! What is kept of a run: scores, models, the baseline, campaigns, fleets, in this order.
//!
//! Promises: each is written whole or not at all, one after the other, over the one connection; campaigns are found on another thread while
//! scores are written, and what they are does not depend on which of the two is faster. A grouping that fails is a sentence among the
//! notes: the scores stand. Where scores cannot be written, no campaign is.
//!
//! Read next: `write.rs` (scores), `crate::campaigns`, `crate::fleets`.

use std::ops::Range;
use std::panic::resume_unwind;

use ja4_replay::store::Store;

use super::baseline::Exclusion;
use super::watch::{BESIDE, DONE, RUN};
use super::{CyclePlan, Verdict, kept, write};
use crate::campaigns::{Anomalous, Cycle, Grouped};
use crate::catalogue::ModelKind;
use crate::error::LabError;
use crate::fleets::{self, Sight};
use crate::frame::FeatureFrame;
use crate::rescore;

/// How far back fleets are looked for, ms (7 days): in one hour a fleet may show a single address.
const FLEETS_SEEN_MS: i64 = 7 * 86_400_000;

/// A run whose verdicts are known.
pub(super) struct Outcome<'a> {
    pub plan: &'a CyclePlan,
    pub frame: &'a FeatureFrame,
    /// Ids of the sessions, in the order of the frame.
    pub ids: &'a [String],
    pub exclusions: &'a [Exclusion],
    pub models: &'a [kept::Packed],
    pub run_id: &'a str,
}

impl Outcome<'_> {
    /// Writes it.
    ///
    /// # Errors
    /// Scores, models or baseline cannot be written.
    pub(super) fn keep(&self, store: &dyn Store, verdicts: Vec<Verdict>, notes: &mut Vec<String>) -> Result<(), LabError> {
        let Some(hours) = self.hours()? else { return Ok(()) };
        // Read before anything is written, so that grouping needs the store no more.
        let cycle = Anomalous::of(self.frame, self.ids, &verdicts).and_then(|anomalous| Cycle::begin(store, anomalous));
        let find = || cycle.and_then(|cycle| self.grouped(cycle));
        let (groups, sight) = if rayon::current_num_threads() == 1 {
            // One thread was asked for.
            (find(), self.scores(store, verdicts, hours)?)
        } else {
            std::thread::scope(|scope| {
                let groups = scope.spawn(find);
                let sight = self.scores(store, verdicts, hours)?;
                Ok::<_, LabError>((groups.join().unwrap_or_else(|panic| resume_unwind(panic)), sight))
            })?
        };
        if let Err(error) = groups.and_then(|groups| self.groups(store, groups, sight)) {
            notes.push(format!("scores are written, but grouping them failed: {error}"));
        }
        Ok(())
    }

    /// Finds the campaigns; the store is not asked.
    fn grouped(&self, cycle: Cycle) -> Result<Grouped, LabError> {
        self.plan.watch.begins(BESIDE, "campaigns found");
        let most = usize::try_from(self.plan.settings.cluster_max).unwrap_or(usize::MAX);
        let grouped = cycle.grouped(self.frame, self.run_id, most);
        self.plan.watch.begins(BESIDE, DONE);
        grouped
    }

    /// Writes scores, models and baseline, and asks what fleets will need of them: an answer that fails counts when it is needed.
    fn scores(&self, store: &dyn Store, verdicts: Vec<Verdict>, hours: Range<i64>) -> Result<Result<Sight, LabError>, LabError> {
        let begins = |part| self.plan.watch.begins(RUN, part);
        begins("scores written");
        write::write(store, self.frame, self.ids, verdicts, self.run_id)?;
        begins("models and baseline remembered");
        if self.plan.settings.without.is_empty() {
            kept::remember(store, self.models)?;
        } else {
            // A model without features would meet them again when it is used.
            kept::forget(store, &ModelKind::ALL)?;
        }
        rescore::remember(store, self.frame, self.exclusions)?;
        begins("fleets: who showed as what");
        Ok(Sight::of(store, hours))
    }

    /// Writes campaigns, then finds and writes fleets.
    fn groups(&self, store: &dyn Store, groups: Grouped, sight: Result<Sight, LabError>) -> Result<(), LabError> {
        let begins = |part| self.plan.watch.begins(RUN, part);
        begins("campaigns written");
        groups.write(store)?;
        begins("fleets");
        fleets::update(store, sight?, self.run_id)?;
        Ok(())
    }

    /// The hours that fleets are looked for in, end excluded.
    fn hours(&self) -> Result<Option<Range<i64>>, LabError> {
        let hours = self.frame.int("win_ms")?;
        let span = hours.iter().min().zip(hours.iter().max());
        Ok(span.map(|(first, last)| last.saturating_sub(FLEETS_SEEN_MS).min(*first)..last.saturating_add(1)))
    }
}
