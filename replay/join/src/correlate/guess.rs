//! Requests whose log lacks the client's port: the likeliest handshake of the address, never presented as more than a guess.
//!
//! Promises: at most [`MAX_EXAMINED`] handshakes are looked at for one request; where more than [`MAX_CANDIDATES`] fit nothing is
//! chosen. Confidence is the chosen candidate's share of all evidence, never above 0.9.
//!
//! Read next: `decide.rs` (requests with a port), `docs/JOIN.md` (the table of factors).

use super::config::CorrelatorConfig;
use super::decide::{MatchKind, Question, Verdict};
use super::evidence::Relation;
use super::handshake::Handshake;
use super::order::order_with_key;

/// Handshakes of an address looked at for one request.
pub const MAX_EXAMINED: usize = 128;
/// Candidates above which a guess would be worth nothing.
pub const MAX_CANDIDATES: usize = 32;
/// Confidence of a guess with a single candidate whose server name is the request's host.
const BEST: f64 = 0.9;
/// Weight below which a candidate is contradicted rather than merely unsupported.
const CONTRADICTED: f64 = 0.1;

/// Decides a request without port. `on_ip` yields the handshakes of its address, newest first, `None` for one already gone.
pub fn guess<'h>(
    question: &Question<'_>,
    on_ip: impl Iterator<Item = Option<(u32, &'h Handshake)>>,
    config: &CorrelatorConfig,
) -> Verdict {
    let mut candidates = 0_usize;
    let mut total = 0.0;
    let mut best: Option<(f64, u32, &Handshake)> = None;
    for (id, handshake) in on_ip.take(MAX_EXAMINED).flatten() {
        let active = question.ts_ns.saturating_sub(handshake.last_activity_ns) <= config.window_ns;
        if !active || handshake.superseded_ns <= question.lo_ns || !handshake.offer.can_carry(&question.usage) {
            continue;
        }
        candidates += 1;
        let weight = weight(question, handshake);
        total += weight;
        let better = best.is_none_or(|(most, _, chosen)| match weight.total_cmp(&most) {
            std::cmp::Ordering::Equal => newer(handshake, chosen),
            other => other.is_gt(),
        });
        if better {
            best = Some((weight, id, handshake));
        }
    }
    match best {
        Some((weight, id, _)) if candidates <= MAX_CANDIDATES && weight >= CONTRADICTED => Verdict {
            kind: MatchKind::TimeHostGuess,
            chosen: Some(id),
            confidence: BEST * weight * (weight / total),
            candidates: u32::try_from(candidates).unwrap_or(u32::MAX),
        },
        _ => Verdict::none(MatchKind::NoPort, candidates),
    }
}

fn weight(question: &Question<'_>, handshake: &Handshake) -> f64 {
    let name = match handshake.offer.sni(&question.usage) {
        Relation::Agrees => 1.0,
        Relation::Unknown => 0.5,
        Relation::Differs => 0.05,
    };
    if handshake.offer.alpn(&question.usage) == Relation::Differs { name * 0.1 } else { name }
}

fn newer(a: &Handshake, b: &Handshake) -> bool {
    order_with_key(&a.event, &b.event).is_gt()
}
