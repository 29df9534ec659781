//! The rules: which handshake carried a request, how sure that is, and why.
//!
//! Promises: pure functions of the request and of the handshakes on its key; every rule has a row in `docs/JOIN.md`. Exclusions
//! are facts (endpoints, transport, scheme, another connection of the same server); everything softer is a weight, and a weight
//! never hides that there was more than one candidate.
//!
//! Read next: `evidence.rs` (content), `guess.rs` (logs without port), `engine.rs` (in which order requests are decided).

use std::hash::BuildHasher;

use foldhash::quality::FixedState;
use ja4_event::HttpEvent;

use super::clock_error::{Following, by_clock_error, is_fine, lookahead_ns};
use super::config::{CorrelatorConfig, MAX_RESOLUTION_NS, SourceId};
use super::evidence::{HttpVersion, Relation, Usage, http_version};
use super::handshake::{Binding, Handshake};

/// A decision of at least this probability among several candidates is taken for certain enough to be no `ambiguous` one.
pub const DECIDED: f64 = 0.95;

/// A request this soon after the end of the one before was pipelined, so its number proves nothing.
pub const PIPELINED_NS: i64 = 5_000_000;

/// Within this time a connection is as good as busy. After a longer silence, the odds that a request comes within a span of time are those of
/// the span against the silence: who was silent for a minute will hardly speak in the very second in which the port is taken over.
pub const BURST_NS: i64 = 50_000_000;

/// How a request was joined. The texts are those of the column `match_kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MatchKind {
    /// The only handshake that used the port.
    Exact,
    /// The port was used by several handshakes, and one of them fits.
    ReusedPort,
    /// Several handshakes fit; the likeliest is given.
    Ambiguous,
    /// The log lacks the port; the likeliest handshake of the address is given.
    TimeHostGuess,
    /// The port is known, but no handshake that could have carried the request was seen.
    NoHandshake,
    /// The log lacks the port and nothing, or too much, could be guessed.
    NoPort,
}

impl MatchKind {
    /// All kinds, in the order of `docs/JOIN.md`.
    pub const ALL: [Self; 6] =
        [Self::Exact, Self::ReusedPort, Self::Ambiguous, Self::TimeHostGuess, Self::NoHandshake, Self::NoPort];

    /// Text of the column.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::ReusedPort => "reused_port",
            Self::Ambiguous => "ambiguous",
            Self::TimeHostGuess => "time_host_guess",
            Self::NoHandshake => "no_handshake",
            Self::NoPort => "no_port",
        }
    }
}

/// A request as the rules see it.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The request.
    pub http: &'a HttpEvent,
    /// Where it came from.
    pub source: SourceId,
    /// Its time, skew-corrected.
    pub ts_ns: i64,
    /// Earliest true time: `ts_ns` less the tolerance.
    pub lo_ns: i64,
    /// Latest true time: `ts_ns` plus the resolution and the tolerance.
    pub hi_ns: i64,
    /// Whether it came after its window had passed, so that later ones may have been decided before it.
    pub late: bool,
    /// What it says about its connection's content.
    pub usage: Usage,
    /// Connection evidence, where the log's numbering can be trusted.
    pub connection: Option<Connection>,
}

/// A request's place in the server's own numbering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection {
    /// Hash of the connection's identity.
    pub id: Option<u64>,
    /// Number of the request.
    pub request_no: Option<u32>,
    /// Whether requests follow one another (HTTP/1), so that numbers only grow.
    pub serial: bool,
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// How.
    pub kind: MatchKind,
    /// Handshake chosen.
    pub chosen: Option<u32>,
    /// 0 to 1.
    pub confidence: f64,
    /// Handshakes that could have carried the request.
    pub candidates: u32,
}

impl Verdict {
    pub(super) fn none(kind: MatchKind, candidates: usize) -> Self {
        Self { kind, chosen: None, confidence: 0.0, candidates: u32::try_from(candidates).unwrap_or(u32::MAX) }
    }
}

impl Question<'_> {
    /// Whether it is the first request of its connection by the server's own number.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.connection.is_some_and(|connection| connection.request_no == Some(0))
    }

    /// What joining this request tells about its handshake's connection.
    #[must_use]
    pub fn binding(&self) -> Option<Binding> {
        self.connection.map(|c| Binding {
            source: self.source,
            connection: c.id,
            last_request_no: c.request_no,
            saw_first: c.request_no == Some(0),
        })
    }
}

/// Earliest and latest true time of a request logged (and skew-corrected) at `ts_ns`.
#[must_use]
pub fn uncertainty(http: &HttpEvent, ts_ns: i64, config: &CorrelatorConfig) -> (i64, i64) {
    let resolution_ns = http.ts_resolution_ns.clamp(1, MAX_RESOLUTION_NS);
    (ts_ns.saturating_sub(config.tolerance_ns), ts_ns.saturating_add(resolution_ns - 1).saturating_add(config.tolerance_ns))
}

impl Connection {
    /// Connection evidence of a request. With HTTP/2 a log format numbers streams as if each were a connection; only the module
    /// (which sends all headers) reports the connection below them.
    #[must_use]
    pub fn of(http: &HttpEvent) -> Option<Self> {
        let serial = http_version(http.http_version.as_deref()) == Some(HttpVersion::One);
        if !serial && !http.headers_complete {
            return None;
        }
        let id = http.conn_id.as_deref().map(|id| FixedState::with_seed(0).hash_one(id));
        let request_no = http.request_no;
        (id.is_some() || request_no.is_some()).then_some(Self { id, request_no, serial })
    }
}

/// Decides a request whose port is known. `on_key` yields the handshakes on its key, newest first; `new_connections` are the
/// connections that the requests of the same instant and key belong to, in the order of the log (empty where not all are known);
/// `following` gives what requests of the same log tell that follow on the port, and is asked only where it can matter.
pub fn decide<'h>(
    question: &Question<'_>,
    on_key: impl Iterator<Item = (u32, &'h Handshake)> + Clone,
    new_connections: &[u64],
    following: impl FnOnce() -> Vec<Following>,
    config: &CorrelatorConfig,
) -> Verdict {
    let mut candidates = possible(question, on_key.clone(), config);
    let possible_count = candidates.len();
    // Oldest first, so that shares of the interval can be laid out.
    candidates.reverse();
    exclude_other_connections(question, &mut candidates);
    let together = is_fine(question.http.ts_resolution_ns, config) && of_one_pair(&candidates);
    match candidates.as_slice() {
        [] => Verdict::none(MatchKind::NoHandshake, possible_count),
        [only] => {
            // A hello that comes after the request may be that of a connection that follows, and this one's may be lost.
            let comes_after = only.1.ts_ns > question.hi_ns.saturating_sub(config.tolerance_ns);
            if together && comes_after && !is_bound(question, only.1) {
                let by_error = by_readings(question, &candidates, on_key, following(), config);
                if let Some(doubted) = by_error.filter(|verdict| verdict.kind != MatchKind::ReusedPort) {
                    return doubted;
                }
            }
            let mut kind = if possible_count == 1 && !only.1.reused { MatchKind::Exact } else { MatchKind::ReusedPort };
            let mut confidence = confidence_of_one(question, only.1, config);
            let own = question.connection.and_then(|connection| connection.id);
            if !is_bound(question, only.1) && only.1.is_doubtful(question.source, own) {
                (kind, confidence) = (MatchKind::Ambiguous, confidence * 0.5);
            }
            Verdict { kind, chosen: Some(only.0), confidence, candidates: 1 }
        }
        several => {
            if let Some(decided) = by_connection(question, several, on_key.clone(), new_connections) {
                return decided;
            }
            let by_error = if together { by_readings(question, several, on_key, following(), config) } else { None };
            by_error.unwrap_or_else(|| by_weight(question, several))
        }
    }
}

type Candidate<'h> = (u32, &'h Handshake);

/// Handshakes that time allows, newest first: of each pair of endpoints the last one before the request's uncertainty interval,
/// and all within it.
fn possible<'h>(
    question: &Question<'_>,
    on_key: impl Iterator<Item = Candidate<'h>>,
    config: &CorrelatorConfig,
) -> Vec<Candidate<'h>> {
    let mut found: Vec<Candidate<'h>> = Vec::with_capacity(2);
    let mut bases: Vec<Candidate<'h>> = Vec::new();
    for candidate in on_key {
        let (_, handshake) = candidate;
        if handshake.ts_ns > question.hi_ns || !handshake.offer.can_carry(&question.usage) {
            continue;
        }
        if handshake.ts_ns > question.lo_ns {
            found.push(candidate);
        } else if handshake.superseded_ns > question.lo_ns {
            bases.push(candidate);
        }
    }
    bases.retain(|(_, base)| question.ts_ns.saturating_sub(base.last_activity_ns) <= config.keepalive_max_ns);
    if bases.len() > 1 {
        // The log does not say which server address: a connection that was active within the window, else the last active one.
        let newest_ns = bases.iter().map(|(_, base)| base.last_activity_ns).max().unwrap_or(i64::MIN);
        let since_ns = newest_ns.min(question.ts_ns.saturating_sub(config.window_ns));
        bases.retain(|(_, base)| base.last_activity_ns >= since_ns);
    }
    found.extend(bases);
    found
}

/// Takes out handshakes known to carry another connection of the same server, and everything older than those: connections on one
/// port follow one another, and requests are decided in the order of time.
fn exclude_other_connections(question: &Question<'_>, oldest_first: &mut Vec<Candidate<'_>>) {
    let Some(connection) = question.connection else { return };
    let other = |handshake: &Handshake| {
        let Some(bound) = handshake.binding.filter(|bound| bound.source == question.source) else { return false };
        // Apache gives pipelined requests the number of the one before; a new connection takes longer than that to open.
        let since_last_ns = question.ts_ns.saturating_sub(handshake.last_activity_ns);
        let counts = connection.serial && !question.late && since_last_ns > PIPELINED_NS;
        let restarts = counts && connection.request_no == Some(0) && bound.saw_first;
        match (connection.id, bound.connection) {
            (Some(id), Some(bound_id)) => id != bound_id || restarts,
            _ => {
                restarts
                    || (counts && matches!((connection.request_no, bound.last_request_no), (Some(no), Some(last)) if no <= last))
            }
        }
    };
    let Some(newest) = oldest_first.iter().rev().map(|(_, handshake)| *handshake).find(|handshake| other(handshake)) else {
        return;
    };
    let before = |h: &Handshake| !question.late && h.ts_ns <= newest.ts_ns && h.same_endpoints(&newest.offer);
    oldest_first.retain(|(_, handshake)| !other(handshake) && !before(handshake));
}

fn confidence_of_one(question: &Question<'_>, only: &Handshake, config: &CorrelatorConfig) -> f64 {
    let bound = is_bound(question, only);
    let mut confidence = 1.0;
    if only.ts_ns > question.hi_ns.saturating_sub(config.tolerance_ns) {
        confidence *= 0.9;
    }
    if !bound && question.ts_ns.saturating_sub(only.last_activity_ns) > config.idle_doubt_ns {
        confidence *= 0.9;
    }
    if only.reused && question.connection.is_none() {
        // Connections are not numbered: had a newer handshake on this port been lost, nothing would show it.
        confidence *= 0.95;
    }
    if !bound && only.offer.sni(&question.usage) == Relation::Differs {
        confidence *= 0.8;
    }
    if only.offer.alpn(&question.usage) == Relation::Differs {
        confidence *= 0.5;
    }
    confidence
}

/// Whether earlier requests of the same connection were joined to the handshake.
fn is_bound(question: &Question<'_>, handshake: &Handshake) -> bool {
    let (Some(connection), Some(bound)) = (question.connection, handshake.binding) else { return false };
    bound.source == question.source && connection.id.is_some() && connection.id == bound.connection
}

fn by_connection<'h>(
    question: &Question<'_>,
    oldest_first: &[Candidate<'h>],
    on_key: impl Iterator<Item = Candidate<'h>> + Clone,
    new_connections: &[u64],
) -> Option<Verdict> {
    let candidates = u32::try_from(oldest_first.len()).unwrap_or(u32::MAX);
    let found = |id: u32, confidence: f64| Verdict { kind: MatchKind::ReusedPort, chosen: Some(id), confidence, candidates };
    if let Some((id, _)) = oldest_first.iter().rev().find(|(_, handshake)| is_bound(question, handshake)) {
        return Some(found(*id, 1.0));
    }
    // As many connections without handshake as handshakes without connection: they follow one another in the same order.
    let own = question.connection?.id?;
    let unbound: Vec<u64> = new_connections
        .iter()
        .copied()
        .filter(|id| {
            !on_key.clone().any(|(_, h)| h.binding.is_some_and(|b| b.source == question.source && b.connection == Some(*id)))
        })
        .collect();
    let at = unbound.iter().position(|id| *id == own)?;
    let mut free = oldest_first.iter().filter(|(_, handshake)| handshake.joined == 0);
    if free.clone().count() != unbound.len() {
        return None;
    }
    free.nth(at).map(|(id, _)| found(*id, DECIDED))
}

/// Whether all candidates stand for connections between the same two endpoints, which follow one another.
fn of_one_pair(candidates: &[Candidate<'_>]) -> bool {
    let Some(((_, first), others)) = candidates.split_first() else { return false };
    others.iter().all(|(_, other)| other.same_endpoints(&first.offer))
}

/// Puts the question to `clock_error.rs`, with the handshakes of the same endpoints that the requests which follow may belong to.
fn by_readings<'h>(
    question: &Question<'_>,
    oldest_first: &[Candidate<'h>],
    on_key: impl Iterator<Item = Candidate<'h>>,
    mut following: Vec<Following>,
    config: &CorrelatorConfig,
) -> Option<Verdict> {
    let (_, first) = oldest_first.first()?;
    let until_ns = question.hi_ns.saturating_add(lookahead_ns(config));
    let mut later: Vec<&Handshake> = Vec::new();
    for (_, handshake) in on_key {
        let bound = handshake.binding.filter(|bound| bound.source == question.source).and_then(|bound| bound.connection);
        // A connection whose handshake is known says nothing about another one's.
        following.retain(|other| Some(other.connection) != bound);
        let is_later = handshake.ts_ns > question.hi_ns && handshake.ts_ns <= until_ns;
        if is_later && handshake.same_endpoints(&first.offer) && handshake.offer.can_carry(&question.usage) {
            later.push(handshake);
        }
    }
    later.reverse();
    let own = question.connection.and_then(|connection| connection.id);
    if oldest_first.len() == 1 && following.iter().all(|other| Some(other.connection) == own) {
        return None;
    }
    by_clock_error(question, oldest_first, &later, &following, config)
}

fn by_weight(question: &Question<'_>, oldest_first: &[Candidate<'_>]) -> Verdict {
    let mut best: Option<(f64, u32)> = None;
    let mut total = 0.0;
    for (index, (id, handshake)) in oldest_first.iter().enumerate() {
        let until_ns = oldest_first
            .get(index + 1..)
            .and_then(|newer| newer.iter().find(|(_, next)| next.same_endpoints(&handshake.offer)))
            .map_or(question.hi_ns.saturating_add(1), |(_, next)| next.ts_ns);
        let from_ns = handshake.ts_ns.max(question.lo_ns);
        // The part of the interval in which this one was the last handshake. One nanosecond keeps a share of zero from hiding it.
        let share_ns = until_ns.saturating_sub(from_ns).max(1) as f64;
        let silence_ns = from_ns.saturating_sub(handshake.last_activity_ns).max(BURST_NS) as f64;
        let content = content_weight(&question.usage, question.is_first(), handshake);
        let weight = share_ns / (share_ns + silence_ns) * content;
        total += weight;
        if best.is_none_or(|(most, _)| weight >= most) {
            best = Some((weight, *id));
        }
    }
    let candidates = u32::try_from(oldest_first.len()).unwrap_or(u32::MAX);
    let Some((weight, id)) = best.filter(|_| total > 0.0) else {
        return Verdict::none(MatchKind::NoHandshake, oldest_first.len());
    };
    let confidence = weight / total;
    let kind = if confidence >= DECIDED { MatchKind::ReusedPort } else { MatchKind::Ambiguous };
    Verdict { kind, chosen: Some(id), confidence, candidates }
}

/// How well a request's content fits a handshake: 1, less for each contradiction. A connection begins with a request for the name it was
/// opened for; later ones may be for other names of the same certificate.
pub(super) fn content_weight(usage: &Usage, is_first: bool, handshake: &Handshake) -> f64 {
    let factor = |relation, differs: f64| if relation == Relation::Differs { differs } else { 1.0 };
    factor(handshake.offer.sni(usage), if is_first { 0.005 } else { 0.02 })
        * factor(handshake.offer.alpn(usage), 0.02)
        * factor(handshake.offer.scheme(usage), 0.1)
}
