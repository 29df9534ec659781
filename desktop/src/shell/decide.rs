//! Decisions to the store, as `ja4-lab feedback add` writes them.
//!
//! Promises: nothing is overwritten: taking a decision back is a row of its own, and the newest of a target counts; every decision
//! leaves a line in the audit log.
//!
//! Read next: `ja4_lab::feedback`, `../views/classification`.

use ja4_lab::feedback::{self, Target, Verdict};
use ja4_replay::store::Store;

use super::action::Decision;

/// Writes a decision of `analyst` at `now_ns`.
///
/// # Errors
/// The store's refusal, or no session of that id, as a sentence.
pub fn write(store: &dyn Store, decision: &Decision, analyst: &str, now_ns: i64) -> Result<(), String> {
    let verdict = match decision.label {
        1 => Verdict::Bot,
        0 => Verdict::Human,
        _ => Verdict::Withdrawn,
    };
    let target = Target::Session(decision.session.clone());
    let decision = feedback::Decision { target, verdict, note: &decision.note, analyst, ts_ns: now_ns };
    feedback::add(store, &decision).map(|_| ()).map_err(|error| error.to_string())
}
