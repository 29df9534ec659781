//! How often the join is right, measured: requests that a key log opened name their connection, and joined log rows are held against them.
//!
//! Promises: only counted, never used for joining; a log row stands for the first decrypted request of the same client, method and
//! target (and port, where the log has one) within [`PAIR_NS`] that no earlier row stood for; keys are not seen here.
//!
//! Read next: `network.rs` and `rows.rs` (who fill it), `docs/JOIN.md`.

use std::collections::BTreeMap;
use std::hash::BuildHasher as _;
use std::net::IpAddr;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use ja4_event::{HttpEvent, NetworkEvent};
use ja4_join::row::HttpLogRow;
use serde::Serialize;

/// How far apart the log and the capture may place one request. A log that counts in seconds needs most of it.
const PAIR_NS: i64 = 3_000_000_000;

/// Requests kept on each side; beyond it nothing more is measured, which the result says.
const REQUESTS_MAX: usize = 4_000_000;

/// What the measurement found; part of the replay's summary.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct JoinTruth {
    /// Requests read from inside the connections.
    pub decrypted: u64,
    /// Of those, found in the log.
    pub logged: u64,
    /// Log rows joined to their own connection.
    pub right: u64,
    /// Log rows joined to another connection.
    pub wrong: u64,
    /// Log rows joined to none, though their handshake was captured.
    pub missed: u64,
    /// The same by how the row was joined: right, wrong, missed.
    pub by_kind: BTreeMap<String, [u64; 3]>,
    /// Requests beyond the bound, not measured.
    pub beyond_bound: u64,
}

impl JoinTruth {
    /// Of the rows that were joined, the share joined to their own connection; `None` when none was.
    #[must_use]
    pub fn precision(&self) -> Option<f64> {
        ratio(self.right, self.right.saturating_add(self.wrong))
    }

    /// Of the rows whose handshake was captured, the share joined to it; `None` when there is none.
    #[must_use]
    pub fn recall(&self) -> Option<f64> {
        ratio(self.right, self.right.saturating_add(self.wrong).saturating_add(self.missed))
    }
}

#[allow(clippy::cast_precision_loss, reason = "a share for people")]
fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// What the capture says: requests with their connections, and when each connection said hello.
#[derive(Debug, Default)]
pub(super) struct Truth {
    requests: Vec<Sent>,
    hellos: HashMap<u64, Vec<i64>, FixedState>,
    beyond_bound: u64,
}

#[derive(Debug)]
struct Sent {
    what: u64,
    port: u16,
    ts_ns: i64,
    connection: u64,
}

impl Truth {
    pub(super) fn request(&mut self, request: &HttpEvent) {
        let (Some(ip), Some(port)) = (request.src_ip, request.src_port) else { return };
        if self.requests.len() >= REQUESTS_MAX {
            self.beyond_bound = self.beyond_bound.saturating_add(1);
            return;
        }
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        self.requests.push(Sent {
            what: what(ip, &text(&request.method), &text(&request.path), &text(&request.query)),
            port,
            ts_ns: request.ts_ns,
            connection: connection(ip, port),
        });
    }

    pub(super) fn hello(&mut self, event: &NetworkEvent) {
        let hellos = self.hellos.entry(connection(event.src_ip, event.src_port)).or_default();
        hellos.push(event.ts_ns);
    }

    /// When the connection that carried a request said hello.
    fn hello_of(&self, sent: &Sent) -> Option<i64> {
        self.hellos.get(&sent.connection)?.iter().copied().filter(|hello_ns| *hello_ns <= sent.ts_ns).max()
    }
}

/// What the join says: one entry a log row.
#[derive(Debug, Default)]
pub(super) struct Claims {
    rows: Vec<Claim>,
    beyond_bound: u64,
}

#[derive(Debug)]
struct Claim {
    what: u64,
    /// -1 where the log lacks it.
    port: i64,
    ts_ns: i64,
    /// -1 for none.
    hello_ns: i64,
    kind: std::sync::Arc<str>,
}

impl Claims {
    pub(super) fn row(&mut self, row: &HttpLogRow) {
        let Ok(ip) = row.src_ip.parse::<IpAddr>() else { return };
        if self.rows.len() >= REQUESTS_MAX {
            self.beyond_bound = self.beyond_bound.saturating_add(1);
            return;
        }
        self.rows.push(Claim {
            what: what(ip, &row.method, &row.path, &row.query),
            port: row.src_port,
            ts_ns: row.ts_ns,
            hello_ns: row.hello_ts_ns,
            kind: row.match_kind.clone(),
        });
    }
}

/// Holds the rows against the truth.
pub(super) fn compare(truth: &Truth, mut claims: Claims) -> JoinTruth {
    let mut result = JoinTruth {
        decrypted: count(truth.requests.len()).saturating_add(truth.beyond_bound),
        beyond_bound: truth.beyond_bound.max(claims.beyond_bound),
        ..JoinTruth::default()
    };
    let mut open: HashMap<u64, Vec<(&Sent, bool)>, FixedState> = HashMap::default();
    for sent in &truth.requests {
        open.entry(sent.what).or_default().push((sent, false));
    }
    #[allow(clippy::iter_over_hash_type, reason = "each list is sorted by itself")]
    for list in open.values_mut() {
        list.sort_by_key(|(sent, _)| (sent.ts_ns, sent.port));
    }
    claims.rows.sort_by_key(|claim| (claim.ts_ns, claim.port));
    for claim in &claims.rows {
        let Some(list) = open.get_mut(&claim.what) else { continue };
        let begin = list.partition_point(|(sent, _)| sent.ts_ns < claim.ts_ns.saturating_sub(PAIR_NS));
        let near = list.iter_mut().skip(begin).take_while(|(sent, _)| sent.ts_ns <= claim.ts_ns.saturating_add(PAIR_NS));
        let mut fits = near.filter(|(sent, taken)| !taken && (claim.port < 0 || claim.port == i64::from(sent.port)));
        let Some((sent, taken)) = fits.next() else { continue };
        *taken = true;
        result.logged = result.logged.saturating_add(1);
        // A request whose handshake is not in the capture can be joined to nothing.
        let Some(hello_ns) = truth.hello_of(sent) else { continue };
        let outcome = match claim.hello_ns {
            -1 => 2,
            claimed if claimed == hello_ns => 0,
            _ => 1,
        };
        let [right, wrong, missed] = result.by_kind.entry(claim.kind.to_string()).or_default();
        let counters = [(right, &mut result.right), (wrong, &mut result.wrong), (missed, &mut result.missed)];
        if let Some((of_kind, of_all)) = counters.into_iter().nth(outcome) {
            *of_kind = of_kind.saturating_add(1);
            *of_all = of_all.saturating_add(1);
        }
    }
    result
}

fn what(ip: IpAddr, method: &str, path: &str, query: &str) -> u64 {
    hashed(&(ip.to_canonical(), method, path, query))
}

fn connection(ip: IpAddr, port: u16) -> u64 {
    hashed(&(ip.to_canonical(), port))
}

fn hashed(value: &impl std::hash::Hash) -> u64 {
    FixedState::with_seed(0x6a61_3400).hash_one(value)
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(port: u16, ts_ns: i64) -> HttpEvent {
        serde_json::from_value(serde_json::json!({
            "v": 1, "ts_ns": ts_ns, "src_ip": "192.0.2.7", "src_port": port, "method": "GET", "path": "/a", "query": ""
        }))
        .unwrap()
    }

    fn row(port: i64, ts_ns: i64, hello_ns: i64) -> HttpLogRow {
        HttpLogRow {
            src_ip: "192.0.2.7".into(),
            src_port: port,
            method: "GET".into(),
            path: "/a".into(),
            ts_ns,
            hello_ts_ns: hello_ns,
            match_kind: "exact".into(),
            ..HttpLogRow::unknown()
        }
    }

    fn truth(requests: &[(u16, i64)], hellos: &[(u16, i64)]) -> Truth {
        let mut truth = Truth::default();
        requests.iter().for_each(|(port, ts_ns)| truth.request(&sent(*port, *ts_ns)));
        for (port, ts_ns) in hellos {
            truth.hellos.entry(connection("192.0.2.7".parse().unwrap(), *port)).or_default().push(*ts_ns);
        }
        truth
    }

    #[test]
    fn right_wrong_and_missed_are_told_apart_also_on_a_reused_port() {
        let truth = truth(&[(1, 100), (1, 2_000), (2, 300), (3, 50)], &[(1, 90), (1, 1_990), (2, 290)]);
        let mut claims = Claims::default();
        claims.row(&row(1, 110, 90));
        // The second use of port 1, joined to the first.
        claims.row(&row(1, 2_010, 90));
        claims.row(&row(2, 310, -1));
        // Its handshake is not in the capture.
        claims.row(&row(3, 55, -1));
        // Never decrypted.
        claims.row(&row(9, 55, 40));
        let found = compare(&truth, claims);
        assert_eq!((found.decrypted, found.logged), (4, 4));
        assert_eq!((found.right, found.wrong, found.missed), (1, 1, 1));
        assert_eq!(found.by_kind.get("exact"), Some(&[1, 1, 1]));
        assert_eq!(found.precision(), Some(0.5));
    }

    #[test]
    fn a_log_without_ports_is_paired_by_time_and_target_once_each() {
        let truth = truth(&[(1, 100), (2, 200)], &[(1, 90), (2, 190)]);
        let mut claims = Claims::default();
        claims.row(&row(-1, 0, 90));
        claims.row(&row(-1, 0, 190));
        claims.row(&row(-1, 0, 190));
        let found = compare(&truth, claims);
        assert_eq!((found.logged, found.right, found.wrong), (2, 2, 0));
    }
}
