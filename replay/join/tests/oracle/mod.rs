//! The rules of `docs/JOIN.md` a second time, as plainly as possible: every request looks at every handshake.
//!
//! Promises: shares no code with the correlator but the event types and the relations between one handshake and one request; has no
//! bounds, no watermark and no expiry, so agreement with it shows that those change nothing.
//!
//! Read next: `correlate_properties.rs`.

use std::cmp::Ordering;

use ja4_event::{HttpEvent, NetworkEvent};
use ja4_join::correlate::evidence::{
    HttpVersion, Relation, alpn_relation, can_carry, http_version, scheme_relation, sni_relation,
};
use ja4_join::correlate::{CorrelatorConfig, MatchKind, RowKey, RowKeyer, SourceId};

/// What the rules say of one request.
#[derive(Debug, Clone, PartialEq)]
pub struct Expected {
    pub request: HttpEvent,
    pub kind: MatchKind,
    pub handshake: Option<NetworkEvent>,
    pub candidates: u32,
    pub confidence: f64,
    pub number: Option<u32>,
}

#[derive(Clone)]
struct State {
    event: NetworkEvent,
    superseded_ns: i64,
    reused: bool,
    last_ns: i64,
    joined: u32,
    source: Option<SourceId>,
    conn: Option<String>,
    last_no: Option<u32>,
    saw_zero: bool,
    maybe: Option<(SourceId, String)>,
}

struct Ask {
    http: HttpEvent,
    source: SourceId,
    /// Place in its log; between logs the row key decides.
    sequence: (usize, RowKey),
    lo: i64,
    hi: i64,
}

/// Decides all requests; the order of `requests` within a source is that of its log.
pub fn join(
    handshakes: &[NetworkEvent],
    requests: &[(HttpEvent, SourceId)],
    config: &CorrelatorConfig,
) -> (Vec<Expected>, Vec<NetworkEvent>) {
    let mut states = states(handshakes, config);
    let mut asks = asks(requests, config);
    asks.sort_by(|a, b| order_of(a).partial_cmp(&order_of(b)).unwrap_or(Ordering::Equal));
    let mut out = Vec::new();
    for at in 0..asks.len() {
        let ask = &asks[at];
        let run: Vec<&Ask> = asks.iter().filter(|other| same_run(ask, other)).collect();
        let (kind, chosen, confidence, candidates) = match (ask.http.src_ip, ask.http.src_port) {
            (Some(_), Some(_)) => {
                let after: Vec<&Ask> = asks.iter().filter(|other| follows(ask, other, config)).collect();
                with_port(ask, &run, &after, &states, config)
            }
            (Some(_), None) => without_port(ask, &states, config),
            _ => (MatchKind::NoPort, None, 0.0, 0),
        };
        let number = chosen.map(|id| {
            let state = &mut states[id];
            let number = state.joined;
            state.joined += 1;
            let busy = ask.http.duration_us.map_or(0, |us| us as i64 * 1000).min(config.keepalive_max_ns);
            state.last_ns = state.last_ns.max(ask.http.ts_ns + busy);
            if matches!(kind, MatchKind::Exact | MatchKind::ReusedPort) && trusted(&ask.http) {
                if state.source != Some(ask.source) {
                    (state.conn, state.last_no, state.saw_zero) = (None, None, false);
                }
                state.source = Some(ask.source);
                state.conn = ask.http.conn_id.clone().or(state.conn.take());
                state.last_no = state.last_no.max(ask.http.request_no);
                state.saw_zero |= ask.http.request_no == Some(0);
            } else if kind == MatchKind::Ambiguous && trusted(&ask.http) && ask.http.conn_id.is_some() {
                state.maybe = Some(ask.source).zip(ask.http.conn_id.clone());
            }
            number
        });
        let handshake = chosen.map(|id| states[id].event.clone());
        out.push(Expected { request: ask.http.clone(), kind, handshake, candidates: candidates as u32, confidence, number });
    }
    let unused = states.into_iter().filter(|state| state.joined == 0).map(|state| state.event).collect();
    (out, unused)
}

fn states(handshakes: &[NetworkEvent], config: &CorrelatorConfig) -> Vec<State> {
    let mut events: Vec<NetworkEvent> = Vec::new();
    for event in handshakes {
        if !events.contains(event) {
            events.push(event.clone());
        }
    }
    events.sort_by_key(|event| (event.ts_ns, event.ja4.clone()));
    let ends = |e: &NetworkEvent| (e.src_ip.to_canonical(), e.src_port, e.dst_ip.to_canonical(), e.dst_port, e.transport);
    (0..events.len())
        .map(|at| {
            let event = events[at].clone();
            let mut later = events[at + 1..].iter().filter(|other| ends(other) == ends(&event));
            let mut earlier = events[..at].iter().filter(|other| ends(other) == ends(&event));
            State {
                superseded_ns: later.next().map_or(i64::MAX, |other| other.ts_ns),
                reused: earlier.any(|other| event.ts_ns - other.ts_ns <= config.keepalive_max_ns),
                last_ns: event.ts_ns,
                event,
                joined: 0,
                source: None,
                conn: None,
                last_no: None,
                saw_zero: false,
                maybe: None,
            }
        })
        .collect()
}

fn asks(requests: &[(HttpEvent, SourceId)], config: &CorrelatorConfig) -> Vec<Ask> {
    let mut keyers = std::collections::BTreeMap::<SourceId, (RowKeyer, usize)>::new();
    requests
        .iter()
        .map(|(http, source)| {
            let (keyer, count) = keyers.entry(*source).or_default();
            *count += 1;
            let lo = http.ts_ns - config.tolerance_ns;
            let hi = http.ts_ns + http.ts_resolution_ns - 1 + config.tolerance_ns;
            Ask { http: http.clone(), source: *source, sequence: (*count, keyer.key(http, 1000).0), lo, hi }
        })
        .collect()
}

fn order_of(ask: &Ask) -> (i64, i64, u128, u32, (usize, RowKey)) {
    let ip = ask.http.src_ip.map_or(0, ja4_join::correlate::key::ip_number);
    let port = ask.http.src_port.filter(|_| ask.http.src_ip.is_some()).map_or(u32::MAX, u32::from);
    (ask.hi, ask.http.ts_ns, ip, port, ask.sequence)
}

fn same_run(a: &Ask, b: &Ask) -> bool {
    let (a, b) = (order_of(a), order_of(b));
    (a.0, a.1, a.2, a.3) == (b.0, b.1, b.2, b.3)
}

/// Requests that may bear witness: on the same port and log, to the same server, up to twice the tolerance later, finely stamped.
fn follows(ask: &Ask, other: &Ask, config: &CorrelatorConfig) -> bool {
    let server = |a: &Ask| (a.http.dst_ip.map(|ip| ip.to_canonical()), a.http.dst_port);
    let (a, b) = (order_of(ask), order_of(other));
    (a.2, a.3) == (b.2, b.3)
        && ask.source == other.source
        && server(ask) == server(other)
        && other.hi > ask.hi
        && other.hi <= ask.hi + 2 * config.tolerance_ns
        && other.http.ts_resolution_ns <= config.tolerance_ns / 10
        && trusted(&other.http)
        && other.http.conn_id.is_some()
}

fn trusted(http: &HttpEvent) -> bool {
    (http_version(http.http_version.as_deref()) == Some(HttpVersion::One) || http.headers_complete)
        && (http.conn_id.is_some() || http.request_no.is_some())
}

type Decision = (MatchKind, Option<usize>, f64, usize);

fn with_port(ask: &Ask, run: &[&Ask], after: &[&Ask], states: &[State], config: &CorrelatorConfig) -> Decision {
    let http = &ask.http;
    let on_key: Vec<usize> = (0..states.len())
        .filter(|id| Some(states[*id].event.src_ip.to_canonical()) == http.src_ip.map(|ip| ip.to_canonical()))
        .filter(|id| Some(states[*id].event.src_port) == http.src_port)
        .collect();
    let fits = |id: &usize| states[*id].event.ts_ns <= ask.hi && can_carry(&states[*id].event, http);
    let within: Vec<usize> = on_key.iter().copied().filter(fits).filter(|id| states[*id].event.ts_ns > ask.lo).collect();
    let mut last_before: Vec<usize> = on_key
        .iter()
        .copied()
        .filter(fits)
        .filter(|id| states[*id].event.ts_ns <= ask.lo && states[*id].superseded_ns > ask.lo)
        .filter(|id| http.ts_ns - states[*id].last_ns <= config.keepalive_max_ns)
        .collect();
    if last_before.len() > 1 {
        let newest = last_before.iter().map(|id| states[*id].last_ns).max().unwrap();
        last_before.retain(|id| states[*id].last_ns >= newest.min(http.ts_ns - config.window_ns));
    }
    let mut possible: Vec<usize> = within.into_iter().chain(last_before).collect();
    let count = possible.len();
    // The correlator lays candidates out oldest first, those before the interval leading.
    possible.sort_by_key(|id| (states[*id].event.ts_ns > ask.lo, *id));
    let of_other = |id: usize| trusted(http) && states[id].source == Some(ask.source) && other_connection(http, &states[id]);
    if let Some(newest) =
        possible.iter().copied().filter(|id| of_other(*id)).max_by_key(|id| (states[*id].event.ts_ns > ask.lo, *id))
    {
        let n = &states[newest].event;
        possible.retain(|id| {
            let e = &states[*id].event;
            let same = (e.dst_ip.to_canonical(), e.dst_port, e.transport) == (n.dst_ip.to_canonical(), n.dst_port, n.transport);
            !(of_other(*id) || (same && e.ts_ns <= n.ts_ns))
        });
    }
    let bound = |id: usize| {
        trusted(http) && states[id].source == Some(ask.source) && http.conn_id.is_some() && states[id].conn == http.conn_id
    };
    match possible.len() {
        0 => (MatchKind::NoHandshake, None, 0.0, count),
        1 => {
            let (id, state) = (possible[0], &states[possible[0]]);
            let early = state.event.ts_ns > http.ts_ns + http.ts_resolution_ns - 1;
            if early && !bound(id) && http.ts_resolution_ns <= config.tolerance_ns / 10 {
                let others = witnesses(ask, after, &on_key, states).iter().any(|other| other.http.conn_id != http.conn_id);
                let doubted = readings(ask, after, &possible, &on_key, states, config);
                if others && doubted.0 != MatchKind::ReusedPort {
                    return doubted;
                }
            }
            let kind = if count == 1 && !state.reused { MatchKind::Exact } else { MatchKind::ReusedPort };
            let mut confidence = 1.0;
            if state.event.ts_ns > http.ts_ns + http.ts_resolution_ns - 1 {
                confidence *= 0.9;
            }
            if !bound(id) && http.ts_ns - state.last_ns > config.idle_doubt_ns {
                confidence *= 0.9;
            }
            if state.reused && !trusted(http) {
                confidence *= 0.95;
            }
            if !bound(id) && sni_relation(&state.event, http) == Relation::Differs {
                confidence *= 0.8;
            }
            if alpn_relation(&state.event, http) == Relation::Differs {
                confidence *= 0.5;
            }
            if !bound(id) && doubtful(ask, state) {
                return (MatchKind::Ambiguous, Some(id), confidence * 0.5, 1);
            }
            (kind, Some(id), confidence, 1)
        }
        several => {
            if let Some(id) = possible.iter().rev().copied().find(|id| bound(*id)) {
                return (MatchKind::ReusedPort, Some(id), 1.0, several);
            }
            if let Some(id) = by_order(ask, run, &on_key, &possible, states) {
                return (MatchKind::ReusedPort, Some(id), 0.95, several);
            }
            let ends = |id: usize| {
                let e = &states[id].event;
                (e.dst_ip.to_canonical(), e.dst_port, e.transport)
            };
            let fine = http.ts_resolution_ns <= config.tolerance_ns / 10;
            if fine && possible.iter().all(|id| ends(*id) == ends(possible[0])) {
                return readings(ask, after, &possible, &on_key, states, config);
            }
            by_share(ask, &possible, states)
        }
    }
}

fn other_connection(http: &HttpEvent, state: &State) -> bool {
    let one = http_version(http.http_version.as_deref()) == Some(HttpVersion::One);
    let one = one && http.ts_ns - state.last_ns > 5_000_000;
    let restarts = one && http.request_no == Some(0) && state.saw_zero;
    match (&http.conn_id, &state.conn) {
        (Some(asked), Some(held)) => asked != held || restarts,
        _ => restarts || (one && http.request_no.zip(state.last_no).is_some_and(|(no, last)| no <= last)),
    }
}

fn by_order(ask: &Ask, run: &[&Ask], on_key: &[usize], possible: &[usize], states: &[State]) -> Option<usize> {
    if !trusted(&ask.http) || run.len() < 2 {
        return None;
    }
    let mut connections: Vec<String> = Vec::new();
    for other in run {
        if !trusted(&other.http) || other.source != ask.source {
            return None;
        }
        let conn = other.http.conn_id.clone()?;
        if !connections.contains(&conn) {
            connections.push(conn);
        }
    }
    connections.retain(|conn| {
        !on_key.iter().any(|id| states[*id].source == Some(ask.source) && states[*id].conn.as_ref() == Some(conn))
    });
    let free: Vec<usize> = possible.iter().copied().filter(|id| states[*id].joined == 0).collect();
    let at = connections.iter().position(|conn| Some(conn) == ask.http.conn_id.as_ref())?;
    (free.len() == connections.len()).then(|| free[at])
}

/// One for a request that fits a handshake, less for everything that speaks against it.
fn fit(e: &NetworkEvent, http: &HttpEvent) -> f64 {
    let name = if trusted(http) && http.request_no == Some(0) { 0.005 } else { 0.02 };
    let mut fit = 1.0;
    for (relation, factor) in [(sni_relation(e, http), name), (alpn_relation(e, http), 0.02), (scheme_relation(e, http), 0.1)] {
        if relation == Relation::Differs {
            fit *= factor;
        }
    }
    fit
}

/// Who bears witness, and on which handshakes.
fn readings(
    ask: &Ask,
    after: &[&Ask],
    possible: &[usize],
    on_key: &[usize],
    states: &[State],
    config: &CorrelatorConfig,
) -> Decision {
    let ends = |id: usize| {
        let e = &states[id].event;
        (e.dst_ip.to_canonical(), e.dst_port, e.transport)
    };
    let next = |id: &usize| {
        let e = &states[*id].event;
        e.ts_ns > ask.hi && e.ts_ns <= ask.hi + 2 * config.tolerance_ns && ends(*id) == ends(possible[0])
    };
    let later = on_key.iter().copied().filter(next).filter(|id| can_carry(&states[*id].event, &ask.http));
    let line: Vec<usize> = possible.iter().copied().chain(later).collect();
    by_readings(ask, possible, &line, &witnesses(ask, after, on_key, states), states, config)
}

/// Of the requests that follow those whose connection is not known yet.
fn witnesses<'a>(ask: &Ask, after: &[&'a Ask], on_key: &[usize], states: &[State]) -> Vec<&'a Ask> {
    let known =
        |other: &Ask| on_key.iter().any(|id| states[*id].source == Some(ask.source) && states[*id].conn == other.http.conn_id);
    let with_connection = trusted(&ask.http) && ask.http.conn_id.is_some();
    after.iter().filter(|other| with_connection && !known(other)).copied().collect()
}

/// Whether a handshake was given to another connection before, though not for certain.
fn doubtful(ask: &Ask, state: &State) -> bool {
    let own = Some(ask.source).zip(ask.http.conn_id.clone());
    trusted(&ask.http) && own.is_some() && state.maybe.is_some() && state.maybe != own
}

/// Every error that the clocks may have, a piece within which nothing changes at a time: who would have carried what, and how odd is that?
fn by_readings(
    ask: &Ask,
    possible: &[usize],
    line: &[usize],
    after: &[&Ask],
    states: &[State],
    config: &CorrelatorConfig,
) -> Decision {
    let t = config.tolerance_ns;
    let hello = |id: usize| states[id].event.ts_ns;
    // Connections in the order in which they are first heard of, each with its requests.
    let mut connections: Vec<(Option<String>, Vec<&Ask>)> = vec![(ask.http.conn_id.clone(), vec![ask])];
    for other in after {
        match connections.iter_mut().find(|(conn, _)| *conn == other.http.conn_id) {
            Some((_, requests)) => requests.push(other),
            None => connections.push((other.http.conn_id.clone(), vec![other])),
        }
    }
    let mut cuts = vec![-t, t];
    for (_, requests) in &connections {
        for request in [requests[0], requests[requests.len() - 1]] {
            cuts.extend(line.iter().map(|id| request.http.ts_ns - hello(*id)).filter(|cut| -t < *cut && *cut < t));
        }
    }
    cuts.sort_unstable();
    cuts.dedup();
    let below = |error: i64| {
        let even = |t: i64| ((error as f64 + t as f64) / (2.0 * t as f64)).clamp(0.0, 1.0);
        (1.0 - 0.9) * even(t) + 0.9 * even(t / 10)
    };
    let (mut weights, mut lost) = (vec![0.0; possible.len()], 0.0);
    for cut in cuts.windows(2) {
        let on = |request: &Ask| line.iter().rposition(|id| hello(*id) <= request.http.ts_ns - cut[1]);
        let mut worth = below(cut[1]) - below(cut[0]);
        let mut busy: Vec<usize> = Vec::new();
        for (_, requests) in &connections {
            let (first, last) = (on(requests[0]), on(requests[requests.len() - 1]));
            let Some(first) = first else {
                worth *= 0.05;
                continue;
            };
            worth *= fit(&states[line[first]].event, &requests[0].http);
            if last != Some(first) {
                worth *= 0.05;
            }
            if busy.contains(&first) {
                worth *= 0.05;
            }
            busy.push(first);
        }
        match on(ask) {
            Some(own) => {
                let silence = (ask.http.ts_ns - states[line[own]].last_ns).max(50_000_000);
                let doubt = if doubtful(ask, &states[line[own]]) { 0.05 } else { 1.0 };
                weights[own] += worth * doubt * 50_000_000.0 / silence as f64;
            }
            None => lost += worth,
        }
    }
    let total: f64 = weights.iter().sum::<f64>() + lost;
    let best = (0..weights.len()).max_by(|a, b| weights[*a].total_cmp(&weights[*b])).unwrap();
    if lost > weights[best] {
        return (MatchKind::NoHandshake, None, 0.0, possible.len());
    }
    let confidence = weights[best] / total;
    let kind = if confidence >= 0.95 { MatchKind::ReusedPort } else { MatchKind::Ambiguous };
    (kind, Some(possible[best]), confidence, possible.len())
}

fn by_share(ask: &Ask, possible: &[usize], states: &[State]) -> Decision {
    let mut weights = Vec::new();
    for (place, id) in possible.iter().enumerate() {
        let e = &states[*id].event;
        let next = possible[place + 1..]
            .iter()
            .map(|other| &states[*other].event)
            .find(|o| (o.dst_ip.to_canonical(), o.dst_port, o.transport) == (e.dst_ip.to_canonical(), e.dst_port, e.transport));
        let share = (next.map_or(ask.hi + 1, |next| next.ts_ns) - e.ts_ns.max(ask.lo)).max(1);
        let silence = (e.ts_ns.max(ask.lo) - states[*id].last_ns).max(50_000_000);
        weights.push(share as f64 / (share as f64 + silence as f64) * fit(e, &ask.http));
    }
    let total: f64 = weights.iter().sum();
    let best = (0..weights.len()).rev().max_by(|a, b| weights[*a].total_cmp(&weights[*b]).then(a.cmp(b))).unwrap();
    let confidence = weights[best] / total;
    let kind = if confidence >= 0.95 { MatchKind::ReusedPort } else { MatchKind::Ambiguous };
    (kind, Some(possible[best]), confidence, possible.len())
}

fn without_port(ask: &Ask, states: &[State], config: &CorrelatorConfig) -> Decision {
    let http = &ask.http;
    let candidates: Vec<usize> = (0..states.len())
        .filter(|id| Some(states[*id].event.src_ip.to_canonical()) == http.src_ip.map(|ip| ip.to_canonical()))
        .filter(|id| {
            let state = &states[*id];
            state.event.ts_ns <= ask.hi
                && state.event.ts_ns >= http.ts_ns - config.guess_lookback_ns
                && http.ts_ns - state.last_ns <= config.window_ns
                && state.superseded_ns > ask.lo
                && can_carry(&state.event, http)
        })
        .collect();
    let weight = |id: usize| -> f64 {
        let name = match sni_relation(&states[id].event, http) {
            Relation::Agrees => 1.0,
            Relation::Unknown => 0.5,
            Relation::Differs => 0.05,
        };
        if alpn_relation(&states[id].event, http) == Relation::Differs { name * 0.1 } else { name }
    };
    let newest = |id: usize| (states[id].event.ts_ns, states[id].event.src_port, id);
    let best = candidates.iter().copied().max_by(|a, b| weight(*a).total_cmp(&weight(*b)).then(newest(*a).cmp(&newest(*b))));
    match best {
        Some(id) if weight(id) >= 0.1 && candidates.len() <= 32 => {
            // Summed newest first, as the correlator meets them.
            let mut by_age = candidates.clone();
            by_age.sort_by_key(|id| std::cmp::Reverse(newest(*id)));
            let total: f64 = by_age.iter().map(|id| weight(*id)).sum();
            (MatchKind::TimeHostGuess, Some(id), 0.9 * weight(id) * (weight(id) / total), candidates.len())
        }
        _ => (MatchKind::NoPort, None, 0.0, candidates.len()),
    }
}
