//! Clock skew between a log and a capture, estimated from the first requests on ports that one handshake alone used.
//!
//! Where every port is used again and again, no port qualifies; then all pairs are laid over each other, and a skew is believed only if
//! its cluster stands out (half as many again as any other).
//!
//! Promises: resolution-aware (a log by the second says `floor(t)`), robust against a long tail of think times and a minority of
//! wrong pairs, and conservative: a skew of zero is kept wherever it explains the data, because most captures are taken on the
//! machine that writes the log. Deterministic; equal inputs in any order give the same estimate.
//!
//! Read next: `engine.rs` (`set_skew`), `docs/JOIN.md` (the method and its error).

use ja4_event::{HttpEvent, NetworkEvent, Protocol};

use super::config::{MAX_RESOLUTION_NS, SECOND_NS};
use super::key::PeerKey;

/// Skews beyond this are not looked for.
pub const MAX_SKEW_NS: i64 = 120 * SECOND_NS;
/// Fewer pairs than this in agreement give no estimate.
pub const MIN_SUPPORT: usize = 3;
/// Events of each kind beyond this are not looked at: the first ones are evidence enough.
pub const MAX_SAMPLES: usize = 1 << 20;

/// Pairs in agreement from which ports used once are evidence enough by themselves, and which an overlay needs.
const ENOUGH_SUPPORT: usize = 20;
/// Requests laid over one handshake.
const MAX_PAIRS_OF_ONE: usize = 256;

/// Width of the cluster that is looked for, beside the resolution of the log.
const CLUSTER_NS: i64 = SECOND_NS / 5;
/// Fastest requests follow their hello within this; below it the smallest delay is no sign of skew.
const PLAUSIBLE_DELAY_NS: i64 = SECOND_NS / 4;
/// Requests this much before their hello are still no sign of skew.
const PLAUSIBLE_LEAD_NS: i64 = SECOND_NS / 50;

/// What the estimate needs of a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct HandshakeTime {
    /// Client address and port.
    pub key: PeerKey,
    /// Time of the hello, ns.
    pub ts_ns: i64,
}

/// What the estimate needs of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestTime {
    /// Client address and port.
    pub key: PeerKey,
    /// Time as logged, ns.
    pub ts_ns: i64,
    /// Resolution of the log, ns.
    pub resolution_ns: i64,
}

/// Clock skew of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SkewEstimate {
    /// The log's clock less the capture's, ns: what to subtract from logged times. 0 where zero explains the data.
    pub skew_ns: i64,
    /// The estimate before zero was preferred, ns; it includes the delay of the fastest client.
    pub raw_ns: i64,
    /// Distance between the quartiles of the pairs in agreement, ns.
    pub spread_ns: i64,
    /// Pairs in agreement.
    pub support: usize,
    /// Pairs of a handshake and a first request.
    pub pairs: usize,
    /// Whether the evidence sufficed. If not, the skew is 0 because nothing is known.
    pub is_estimate: bool,
}

impl HandshakeTime {
    /// The part of a handshake that counts.
    #[must_use]
    pub fn of(event: &NetworkEvent) -> Option<Self> {
        (event.protocol != Protocol::Dtls).then(|| Self { key: PeerKey::new(event.src_ip, event.src_port), ts_ns: event.ts_ns })
    }
}

impl RequestTime {
    /// The part of a request that counts; `None` if its log lacks the port.
    #[must_use]
    pub fn of(event: &HttpEvent) -> Option<Self> {
        let key = PeerKey::new(event.src_ip?, event.src_port?);
        Some(Self { key, ts_ns: event.ts_ns, resolution_ns: event.ts_resolution_ns.clamp(1, MAX_RESOLUTION_NS) })
    }
}

/// Estimates the skew of one log against the captures. The inputs may be in any order.
#[must_use]
pub fn estimate_skew(handshakes: &[HandshakeTime], requests: &[RequestTime]) -> SkewEstimate {
    let mut handshakes = earliest(handshakes);
    let mut requests = earliest(requests);
    handshakes.sort_unstable();
    handshakes.dedup();
    requests.sort_unstable();
    let resolution_ns = requests.iter().map(|request| request.resolution_ns).max().unwrap_or(1);
    let mut deltas_ns = deltas(&handshakes, &requests);
    deltas_ns.sort_unstable();
    let alone = estimate(&deltas_ns, resolution_ns, |support| support * 2 >= deltas_ns.len());
    if alone.support >= ENOUGH_SUPPORT && alone.support * 2 >= alone.pairs {
        return alone;
    }
    let mut all_ns = all_deltas(&handshakes, &requests);
    all_ns.sort_unstable();
    let width_ns = cluster_width_ns(resolution_ns);
    let (start, end) = densest(&all_ns, width_ns);
    let (before, after) = beside(&all_ns, start, end, width_ns);
    let runner_up =
        [before, after].map(|part| densest(part, width_ns)).map(|(start, end)| end - start).into_iter().max().unwrap_or(0);
    let overlaid = estimate(&all_ns, resolution_ns, |_| end - start >= ENOUGH_SUPPORT && (end - start) * 2 >= runner_up * 3);
    if overlaid.is_estimate { overlaid } else { alone }
}

/// Everything further than a cluster's width away from the cluster `start..end`.
fn beside(sorted_ns: &[i64], start: usize, end: usize, width_ns: i64) -> (&[i64], &[i64]) {
    let value = |at: usize| sorted_ns.get(at).copied().unwrap_or(0);
    let low = sorted_ns.partition_point(|delta_ns| *delta_ns < value(start).saturating_sub(width_ns));
    let high = sorted_ns.partition_point(|delta_ns| *delta_ns <= value(end.saturating_sub(1)).saturating_add(width_ns));
    (sorted_ns.get(..low).unwrap_or_default(), sorted_ns.get(high..).unwrap_or_default())
}

/// Times from each hello to every request on its key within reach, a bounded number each.
fn all_deltas(handshakes: &[HandshakeTime], requests: &[RequestTime]) -> Vec<i64> {
    let mut deltas_ns = Vec::new();
    for handshake in handshakes {
        let from_ns = handshake.ts_ns.saturating_sub(MAX_SKEW_NS);
        let start = requests.partition_point(|request| (request.key, request.ts_ns) < (handshake.key, from_ns));
        let of_key = requests.get(start..).unwrap_or_default().iter().take_while(|request| request.key == handshake.key);
        let in_reach =
            of_key.map(|request| request.ts_ns.saturating_sub(handshake.ts_ns)).take_while(|delta| *delta <= MAX_SKEW_NS);
        deltas_ns.extend(in_reach.take(MAX_PAIRS_OF_ONE));
        if deltas_ns.len() >= MAX_SAMPLES {
            break;
        }
    }
    deltas_ns
}

/// The first events by time, so that the choice does not depend on the order of the input.
fn earliest<T: Copy + Ord + Timed>(events: &[T]) -> Vec<T> {
    let mut events = events.to_vec();
    if events.len() > MAX_SAMPLES {
        events.select_nth_unstable_by_key(MAX_SAMPLES - 1, |event| (event.ts_ns(), *event));
        events.truncate(MAX_SAMPLES);
    }
    events
}

trait Timed {
    fn ts_ns(&self) -> i64;
}

impl Timed for HandshakeTime {
    fn ts_ns(&self) -> i64 {
        self.ts_ns
    }
}

impl Timed for RequestTime {
    fn ts_ns(&self) -> i64 {
        self.ts_ns
    }
}

/// Time from hello to first request for each handshake that is alone on its key within reach. Both inputs are sorted.
fn deltas(handshakes: &[HandshakeTime], requests: &[RequestTime]) -> Vec<i64> {
    let mut deltas_ns = Vec::new();
    let mut rest = requests;
    for (at, handshake) in handshakes.iter().enumerate() {
        let neighbour =
            |index: Option<usize>| index.and_then(|index| handshakes.get(index)).filter(|other| other.key == handshake.key);
        let gap = |other: Option<&HandshakeTime>| {
            other.map_or(i64::MAX, |other| other.ts_ns.saturating_sub(handshake.ts_ns).saturating_abs())
        };
        let alone_ns = gap(neighbour(at.checked_sub(1))).min(gap(neighbour(at.checked_add(1))));
        // Another handshake must be out of reach of every request that is in reach of this one.
        if alone_ns <= 2 * MAX_SKEW_NS {
            continue;
        }
        let from_ns = handshake.ts_ns.saturating_sub(MAX_SKEW_NS);
        let start = rest.partition_point(|request| (request.key, request.ts_ns) < (handshake.key, from_ns));
        rest = rest.get(start..).unwrap_or_default();
        let first = rest.first().filter(|request| request.key == handshake.key);
        if let Some(request) = first.filter(|request| request.ts_ns.saturating_sub(handshake.ts_ns) <= MAX_SKEW_NS) {
            deltas_ns.push(request.ts_ns.saturating_sub(handshake.ts_ns));
        }
    }
    deltas_ns
}

/// Lower edge of the densest cluster. With a log of resolution `r`, deltas of one delay spread evenly over `(delay − r, delay]`.
fn estimate(sorted_ns: &[i64], resolution_ns: i64, stands_out: impl Fn(usize) -> bool) -> SkewEstimate {
    let pairs = sorted_ns.len();
    let rounding_ns = if resolution_ns > 1 { resolution_ns } else { 0 };
    let width_ns = cluster_width_ns(resolution_ns);
    let (mut start, mut end) = densest(sorted_ns, width_ns);
    // A cluster found a little too high has dense neighbours just below.
    let value = |at: usize| sorted_ns.get(at).copied().unwrap_or(i64::MIN);
    while start > 0 && value(start).saturating_sub(value(start - 1)) <= width_ns / 16 {
        start -= 1;
    }
    end = end.max(start);
    let support = end - start;
    let none = SkewEstimate { pairs, support, ..SkewEstimate::default() };
    if support < MIN_SUPPORT || !stands_out(support) {
        return none;
    }
    let cluster = sorted_ns.get(start..end).unwrap_or_default();
    let quantile = |per_cent: usize| cluster.get((cluster.len() - 1) * per_cent / 100).copied().unwrap_or(0);
    let raw_ns = quantile(2).saturating_add(rounding_ns);
    // With n samples the smallest of an even spread lies r/(n+1) above its edge on average; allow twice that.
    let sampling_ns = 2 * rounding_ns / i64::try_from(support + 1).unwrap_or(i64::MAX);
    let zero_explains = raw_ns >= -PLAUSIBLE_LEAD_NS && raw_ns <= PLAUSIBLE_DELAY_NS + sampling_ns;
    let skew_ns = if zero_explains { 0 } else { raw_ns };
    SkewEstimate { skew_ns, raw_ns, spread_ns: quantile(75) - quantile(25), support, pairs, is_estimate: true }
}

fn cluster_width_ns(resolution_ns: i64) -> i64 {
    CLUSTER_NS.saturating_add(if resolution_ns > 1 { resolution_ns } else { 0 })
}

/// Range of indices of the window of this width that holds most values; the lowest of equals.
fn densest(sorted_ns: &[i64], width_ns: i64) -> (usize, usize) {
    let (mut best, mut end) = ((0, 0), 0);
    for (start, first) in sorted_ns.iter().enumerate() {
        while sorted_ns.get(end).is_some_and(|value| value.saturating_sub(*first) <= width_ns) {
            end += 1;
        }
        if end - start > best.1 - best.0 {
            best = (start, end);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(port: u16) -> PeerKey {
        PeerKey::new("192.0.2.1".parse().unwrap(), port)
    }

    /// `n` clients, delays from 5 to ~65 ms with every tenth a second or more, logged with this skew and resolution.
    fn run(n: u16, skew_ns: i64, resolution_ns: i64) -> SkewEstimate {
        let mut handshakes = Vec::new();
        let mut requests = Vec::new();
        for i in 0..n {
            let ts_ns = 1_700_000_000 * SECOND_NS + i64::from(i) * 137_000_003;
            let delay_ns = 5_000_000 + i64::from(i * 7 % 60) * 1_000_000 + if i % 10 == 9 { SECOND_NS } else { 0 };
            handshakes.push(HandshakeTime { key: key(i), ts_ns });
            for at_ns in [ts_ns + delay_ns, ts_ns + delay_ns + 3 * SECOND_NS] {
                let logged_ns = (at_ns + skew_ns).div_euclid(resolution_ns) * resolution_ns;
                requests.push(RequestTime { key: key(i), ts_ns: logged_ns, resolution_ns });
            }
        }
        requests.reverse();
        estimate_skew(&handshakes, &requests)
    }

    #[test]
    fn skews_of_seconds_are_found_to_within_the_tolerance_and_zero_stays_zero() {
        for (resolution_ns, error_ns) in [(1, 50_000_000), (1000, 50_000_000), (1_000_000, 50_000_000), (SECOND_NS, 90_000_000)] {
            for skew_ns in
                [-90 * SECOND_NS, -5 * SECOND_NS, -SECOND_NS * 6 / 10, 0, SECOND_NS * 6 / 10, 5 * SECOND_NS, 90 * SECOND_NS]
            {
                let found = run(200, skew_ns, resolution_ns);
                assert!((found.skew_ns - skew_ns).abs() <= error_ns, "skew {skew_ns} at {resolution_ns}: {found:?}");
                assert!(skew_ns != 0 || found.skew_ns == 0, "{found:?}");
                assert!(found.support >= 170 && found.pairs == 200, "{found:?}");
            }
        }
    }

    #[test]
    fn two_pairs_are_no_evidence_and_ports_used_twice_are_not_asked() {
        assert_eq!(run(2, 5 * SECOND_NS, 1).skew_ns, 0);
        let twice: Vec<_> = (0..10).flat_map(|p| [0, SECOND_NS].map(|ts_ns| HandshakeTime { key: key(p), ts_ns })).collect();
        let requests: Vec<_> = (0..10).map(|p| RequestTime { key: key(p), ts_ns: 9 * SECOND_NS, resolution_ns: 1 }).collect();
        assert_eq!(estimate_skew(&twice, &requests).pairs, 0);
        assert_eq!(estimate_skew(&[], &[]), SkewEstimate::default());
    }
}
