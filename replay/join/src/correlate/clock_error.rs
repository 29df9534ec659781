//! Several handshakes of one port within the tolerance of the clocks: which of them carried a request, by what is known around it.
//!
//! The clocks of log and capture may differ by up to the tolerance. Every error they may have is one reading of the port: each request
//! belongs to the last handshake before its corrected time. A reading weighs as much as its error is likely, less by everything in it
//! that hardly happens: a name or an HTTP version that the handshake did not offer, words after a long silence, two connections on one
//! handshake, one connection on two. The requests that follow on the port, of the same log, are read with the same error, so they bear witness.
//!
//! Promises: pure functions; a bounded number of readings; what decides was known when the request was decided, whatever the order in
//! which events came. The rules are in `docs/JOIN.md`, "Within the tolerance".
//!
//! Read next: `decide.rs` (asks here), `pending.rs` (gives the requests that follow).

use std::collections::BTreeSet;

use super::config::CorrelatorConfig;
use super::decide::{BURST_NS, DECIDED, MatchKind, Question, Verdict, content_weight};
use super::evidence::Usage;
use super::handshake::Handshake;

/// A log whose stamps are finer than this part of the tolerance has one clock error; a coarser one has another for each line.
const FINE_PARTS: i64 = 10;
/// Nearly all of the doubt about the clocks lies within this part of the tolerance.
const LIKELY_PARTS: i64 = 10;
/// That much of it.
const LIKELY: f64 = 0.9;
/// Weight of what hardly happens: two connections on one handshake (another was lost), one connection on two, none before it.
const CONTRADICTION: f64 = 0.05;
/// Handshakes and connections beyond this are not read together.
const MAX_TOGETHER: usize = 16;

/// What the requests that follow on the port tell of one connection.
#[derive(Debug, Clone, Copy)]
pub struct Following {
    /// Hash of the connection's identity.
    pub connection: u64,
    /// Time of its first request among them.
    pub first_ns: i64,
    /// Time of its last one.
    pub last_ns: i64,
    /// What that one says about its connection's content.
    pub usage: Usage,
    /// Whether it is the first of its connection by the server's own number.
    pub is_first: bool,
}

/// How far after a request those are asked that follow it.
#[must_use]
pub fn lookahead_ns(config: &CorrelatorConfig) -> i64 {
    config.tolerance_ns.saturating_mul(2)
}

/// Whether a log's time stamps are fine enough to share one error.
#[must_use]
pub fn is_fine(resolution_ns: i64, config: &CorrelatorConfig) -> bool {
    resolution_ns <= config.tolerance_ns / FINE_PARTS
}

/// Decides between candidates of the same endpoints, given oldest first, and that the right one was lost; `later` are the handshakes of these endpoints up to
/// [`lookahead_ns`] after the request's interval. `None` where there are too many to be read together.
#[must_use]
pub fn by_clock_error(
    question: &Question<'_>,
    candidates: &[(u32, &Handshake)],
    later: &[&Handshake],
    following: &[Following],
    config: &CorrelatorConfig,
) -> Option<Verdict> {
    let handshakes: Vec<&Handshake> = candidates.iter().map(|(_, handshake)| *handshake).chain(later.iter().copied()).collect();
    if handshakes.len() > MAX_TOGETHER || following.len() > MAX_TOGETHER {
        return None;
    }
    let own_id = question.connection.and_then(|connection| connection.id);
    let last_ns = following.iter().filter(|other| Some(other.connection) == own_id).map(|other| other.last_ns).max();
    let others: Vec<&Following> = following.iter().filter(|other| Some(other.connection) != own_id).collect();
    let last_ns = last_ns.unwrap_or(question.ts_ns);

    let mut weights = vec![0.0; candidates.len()];
    let mut lost = 0.0;
    let times = others.iter().flat_map(|other| [other.first_ns, other.last_ns]).chain([question.ts_ns, last_ns]);
    let mut before = 0.0;
    for error_ns in errors(times, &handshakes, config.tolerance_ns) {
        let up_to = likelihood_up_to(error_ns, config.tolerance_ns);
        let likelihood = up_to - std::mem::replace(&mut before, up_to);
        let own = carrier(&handshakes, question.ts_ns, error_ns);
        let mut worth = likelihood;
        match own.and_then(|own| handshakes.get(own)) {
            Some(handshake) => {
                let silence_ns = question.ts_ns.saturating_sub(handshake.last_activity_ns).max(BURST_NS);
                worth *= BURST_NS as f64 / silence_ns as f64;
                worth *= content_weight(&question.usage, question.is_first(), handshake);
                if carrier(&handshakes, last_ns, error_ns) != own {
                    worth *= CONTRADICTION;
                }
                if handshake.is_doubtful(question.source, own_id) {
                    worth *= CONTRADICTION;
                }
            }
            None => worth *= CONTRADICTION,
        }
        let mut taken: Vec<usize> = own.into_iter().collect();
        for other in &others {
            worth *= worth_of(other, &handshakes, &mut taken, error_ns);
        }
        *own.and_then(|own| weights.get_mut(own)).unwrap_or(&mut lost) += worth;
    }

    let total = weights.iter().sum::<f64>() + lost;
    let (at, most) = weights.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1))?;
    let (id, _) = candidates.get(at)?;
    if total <= 0.0 {
        return None;
    }
    if lost > *most {
        return Some(Verdict::none(MatchKind::NoHandshake, candidates.len()));
    }
    let confidence = most / total;
    let kind = if confidence >= DECIDED { MatchKind::ReusedPort } else { MatchKind::Ambiguous };
    let candidates = u32::try_from(candidates.len()).unwrap_or(u32::MAX);
    Some(Verdict { kind, chosen: Some(*id), confidence, candidates })
}

/// Ends of the ranges of the clock error (log less capture) within which every request keeps its handshake, in rising order.
fn errors(times: impl Iterator<Item = i64>, handshakes: &[&Handshake], tolerance_ns: i64) -> BTreeSet<i64> {
    let mut ends = BTreeSet::from([tolerance_ns]);
    for time_ns in times {
        let between = handshakes.iter().map(|handshake| time_ns.saturating_sub(handshake.ts_ns));
        ends.extend(between.filter(|error_ns| error_ns.saturating_abs() < tolerance_ns));
    }
    ends
}

/// How likely an error of at most `error_ns` is: one part in ten evenly within the tolerance, the others within a tenth of it.
fn likelihood_up_to(error_ns: i64, tolerance_ns: i64) -> f64 {
    let evenly = |within_ns: i64| {
        let within = within_ns.max(1) as f64;
        ((error_ns as f64 + within) / (2.0 * within)).clamp(0.0, 1.0)
    };
    (1.0 - LIKELY) * evenly(tolerance_ns) + LIKELY * evenly(tolerance_ns / LIKELY_PARTS)
}

/// The last handshake at or before a logged time, read with this error.
fn carrier(handshakes: &[&Handshake], logged_ns: i64, error_ns: i64) -> Option<usize> {
    let true_ns = logged_ns.saturating_sub(error_ns);
    handshakes.partition_point(|handshake| handshake.ts_ns <= true_ns).checked_sub(1)
}

/// What one more connection makes of a reading; `taken` are the handshakes that carry one already.
fn worth_of(other: &Following, handshakes: &[&Handshake], taken: &mut Vec<usize>, error_ns: i64) -> f64 {
    let Some((at, handshake)) = carrier(handshakes, other.first_ns, error_ns).and_then(|at| Some((at, handshakes.get(at)?)))
    else {
        return CONTRADICTION;
    };
    let mut worth = content_weight(&other.usage, other.is_first, handshake);
    if carrier(handshakes, other.last_ns, error_ns) != Some(at) {
        worth *= CONTRADICTION;
    }
    if taken.contains(&at) {
        worth *= CONTRADICTION;
    }
    taken.push(at);
    worth
}
