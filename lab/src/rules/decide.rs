//! Rules over requests: which of them meets a request, what becomes of it, and what that makes of its session.
//!
//! Promises: the first rule that allows, denies or challenges decides, weights of those before it add up; a session is denied or
//! challenged if one request of it is, and allowed only if all are.
//!
//! Read next: `mod.rs`, `sql/shared/queries/rule_requests.sql`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ja4_replay::store::{Statement, Store};
use regex::{Regex, RegexBuilder};

use super::{Action, HEADERS, Rule};
use crate::cycle::span_ns;
use crate::error::LabError;
use crate::frame::FeatureFrame;

const REQUESTS: Statement = Statement::shared(include_str!("../../../sql/shared/queries/rule_requests.sql"));

/// A compiled pattern may take this many bytes; a hostile one is refused instead of filling memory.
const PATTERN_BYTES: usize = 1 << 20;

/// Compiles a pattern; matching takes time linear in the text whatever the pattern.
pub(super) fn pattern(text: &str) -> Result<Regex, String> {
    RegexBuilder::new(text).size_limit(PATTERN_BYTES).build().map_err(|error| {
        let last = error.to_string();
        last.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
    })
}

/// A range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    base: IpAddr,
    bits: u32,
}

impl Range {
    /// `192.0.2.0/24`, or one address.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (base, bits) = text.split_once('/').map_or((text, None), |(base, bits)| (base, Some(bits)));
        let base: IpAddr = base.trim().parse().ok()?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Some(most), |bits| bits.trim().parse::<u32>().ok())?;
        (bits <= most).then_some(Self { base, bits })
    }

    fn holds(self, address: IpAddr) -> bool {
        let masked = |value: u128, width: u32| if self.bits == 0 { 0 } else { value >> (width - self.bits) };
        match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(other)) => {
                masked(u128::from(base.to_bits()), 32) == masked(u128::from(other.to_bits()), 32)
            }
            (IpAddr::V6(base), IpAddr::V6(other)) => masked(base.to_bits(), 128) == masked(other.to_bits(), 128),
            _ => false,
        }
    }
}

/// What rules look at in a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    pub path: String,
    pub ip: Option<IpAddr>,
    pub asn: i64,
    pub country: String,
    /// Values in the order of [`HEADERS`].
    pub headers: Vec<String>,
}

enum Test {
    Text(Regex),
    Ip(Range),
    Asn(i64),
    Country(String),
}

/// Where a test looks: the kind, and for headers which one.
type Place = (&'static str, usize);

struct Compiled {
    action: Action,
    weight: i64,
    /// Every place must have one test that holds.
    places: BTreeMap<Place, Vec<Test>>,
}

/// Rules made ready.
pub struct Decider {
    rules: Vec<Compiled>,
    names: Vec<String>,
}

impl std::fmt::Debug for Decider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decider").field("rules", &self.names).finish()
    }
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Decision {
    /// What the deciding rule does.
    pub action: Option<Action>,
    /// Place of the rule that decided.
    pub by: Option<usize>,
    /// Sum of the weights on the way.
    pub weight: i64,
    /// Rules that added weight.
    pub weighed: Vec<usize>,
}

impl Decider {
    /// Compiles `rules`.
    ///
    /// # Errors
    /// A pattern or range that cannot be used, which import would have refused.
    pub fn new(rules: &[Rule]) -> Result<Self, LabError> {
        let mut compiled = Vec::with_capacity(rules.len());
        for rule in rules {
            let mut places: BTreeMap<Place, Vec<Test>> = BTreeMap::new();
            for condition in &rule.conditions {
                let fail = || {
                    LabError::Ask(format!("rules: the pattern {:?} of rule {:?} cannot be used", condition.pattern, rule.name))
                };
                let test = match condition.kind {
                    "ip" => Test::Ip(Range::parse(&condition.pattern).ok_or_else(fail)?),
                    "asn" => Test::Asn(condition.pattern.parse().map_err(|_| fail())?),
                    "country" => Test::Country(condition.pattern.clone()),
                    _ => Test::Text(pattern(&condition.pattern).map_err(|_| fail())?),
                };
                let field = match condition.kind {
                    "header" => HEADERS.iter().position(|name| *name == condition.field).ok_or_else(fail)?,
                    _ => 0,
                };
                places.entry((condition.kind, field)).or_default().push(test);
            }
            compiled.push(Compiled { action: rule.action, weight: rule.weight, places });
        }
        Ok(Self { rules: compiled, names: rules.iter().map(|rule| rule.name.clone()).collect() })
    }

    /// What becomes of `request`.
    pub(crate) fn decide(&self, request: &Request) -> Decision {
        let mut decision = Decision::default();
        for (place, rule) in self.rules.iter().enumerate() {
            if !rule.places.iter().all(|(at, tests)| tests.iter().any(|test| holds(*at, test, request))) {
                continue;
            }
            if rule.action == Action::Weigh {
                decision.weight = decision.weight.saturating_add(rule.weight);
                decision.weighed.push(place);
            } else {
                decision.action = Some(rule.action);
                decision.by = Some(place);
                break;
            }
        }
        decision
    }
}

fn holds(place: Place, test: &Test, request: &Request) -> bool {
    match test {
        Test::Ip(range) => request.ip.is_some_and(|address| range.holds(address)),
        Test::Asn(number) => request.asn == *number,
        Test::Country(code) => request.country == *code,
        Test::Text(pattern) if place.0 == "path" => pattern.is_match(&request.path),
        // The User-Agent is the first header.
        Test::Text(pattern) => request.headers.get(place.1).is_some_and(|value| pattern.is_match(value)),
    }
}

/// What rules make of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionVerdict {
    /// The strongest of its requests' verdicts; `None` if no rule met it.
    pub action: Option<Action>,
    /// The rule that decided so.
    pub rule: String,
    /// The largest sum of weights of a request.
    pub weight: i64,
}

/// How often a rule met something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleCount {
    /// The rule.
    pub name: String,
    /// What it does.
    pub action: Action,
    /// Requests it decided or weighed.
    pub requests: u64,
    /// Sessions with such a request.
    pub sessions: u64,
}

/// What rules would have done with everything stored.
#[derive(Debug, Clone, Default)]
pub struct Tested {
    /// By (hour, address, JA4, host).
    pub sessions: BTreeMap<(i64, String, String, String), SessionVerdict>,
    /// By rule, in order.
    pub rules: Vec<RuleCount>,
    /// Requests looked at.
    pub requests: u64,
}

/// Asks `rules` about every stored request of the hours `from_ms..to_ms`. Weights of `challenge_at` and more challenge.
///
/// # Errors
/// The engine's refusal, or a stored rule that cannot be used.
pub fn sessions(store: &dyn Store, rules: &[Rule], from_ms: i64, to_ms: i64, challenge_at: i64) -> Result<Tested, LabError> {
    let decider = Decider::new(rules)?;
    let count = |rule: &Rule| RuleCount { name: rule.name.clone(), action: rule.action, requests: 0, sessions: 0 };
    let mut tested = Tested { rules: rules.iter().map(count).collect(), ..Tested::default() };
    let mut met: Vec<Option<(i64, String, String, String)>> = vec![None; rules.len()];
    let (from_ns, to_ns) = span_ns(from_ms, to_ms);
    for batch in store.ask(&REQUESTS, &[&from_ns.to_string(), &to_ns.to_string()])? {
        let rows = FeatureFrame::from_batches(std::slice::from_ref(&batch))?;
        let columns = Columns::read(&rows)?;
        for row in 0..rows.sessions() {
            let (key, hits) = columns.key(row);
            let decision = decider.decide(&columns.request(row));
            tested.requests = tested.requests.saturating_add(hits);
            for place in decision.by.iter().chain(&decision.weighed) {
                let (Some(rule), Some(last)) = (tested.rules.get_mut(*place), met.get_mut(*place)) else { continue };
                rule.requests = rule.requests.saturating_add(hits);
                if last.as_ref() != Some(&key) {
                    rule.sessions += 1;
                    *last = Some(key.clone());
                }
            }
            add(&mut tested.sessions, key, &decision, &decider.names, challenge_at);
        }
    }
    Ok(tested)
}

type Sessions = BTreeMap<(i64, String, String, String), SessionVerdict>;

fn add(sessions: &mut Sessions, key: (i64, String, String, String), decision: &Decision, names: &[String], challenge_at: i64) {
    let named = |place: Option<&usize>| place.and_then(|place| names.get(*place)).cloned().unwrap_or_default();
    let heavy = decision.weight >= challenge_at && decision.action.is_none();
    let (action, rule) = if heavy {
        (Some(Action::Challenge), named(decision.weighed.last()))
    } else {
        (decision.action, named(decision.by.as_ref()))
    };
    match sessions.entry(key) {
        std::collections::btree_map::Entry::Vacant(slot) => {
            slot.insert(SessionVerdict { action, rule, weight: decision.weight });
        }
        std::collections::btree_map::Entry::Occupied(mut slot) => {
            let verdict = slot.get_mut();
            verdict.weight = verdict.weight.max(decision.weight);
            // Allowed only if every request is; nothing (None) beats allowed, and a challenge or denial beats both.
            let rank = |action: Option<Action>| match action {
                Some(Action::Allow) => 0,
                None | Some(Action::Weigh) => 1,
                Some(Action::Challenge) => 2,
                Some(Action::Deny) => 3,
            };
            if rank(action) > rank(verdict.action) {
                (verdict.action, verdict.rule) = (action, rule);
            }
        }
    }
}

/// The columns of the query, as vectors.
struct Columns {
    windows: Vec<i64>,
    keys: [Vec<String>; 3],
    ips: Vec<String>,
    asns: Vec<i64>,
    countries: Vec<String>,
    paths: Vec<String>,
    headers: Vec<Vec<String>>,
    hits: Vec<i64>,
}

impl Columns {
    fn read(rows: &FeatureFrame) -> Result<Self, LabError> {
        let mut headers = Vec::with_capacity(HEADERS.len());
        for name in HEADERS {
            headers.push(rows.text(&name.replace('-', "_"))?);
        }
        Ok(Self {
            windows: rows.int("win_ms")?,
            keys: [rows.text("src_ip")?, rows.text("ja4")?, rows.text("host")?],
            ips: rows.text("client_ip")?,
            asns: rows.int("asn")?,
            countries: rows.text("country")?,
            paths: rows.text("path")?,
            headers,
            hits: rows.int("hits")?,
        })
    }

    fn key(&self, row: usize) -> ((i64, String, String, String), u64) {
        let [ip, ja4, host] = &self.keys;
        let text = |column: &[String]| column.get(row).cloned().unwrap_or_default();
        let hits = self.hits.get(row).copied().and_then(|hits| u64::try_from(hits).ok()).unwrap_or_default();
        ((self.windows.get(row).copied().unwrap_or_default(), text(ip), text(ja4), text(host)), hits)
    }

    fn request(&self, row: usize) -> Request {
        let text = |column: &[String]| column.get(row).cloned().unwrap_or_default();
        let ip = text(&self.ips);
        let ip = if ip.is_empty() { self.keys.first().map(|column| text(column)).unwrap_or_default() } else { ip };
        Request {
            path: text(&self.paths),
            ip: ip.parse().ok(),
            asn: self.asns.get(row).copied().unwrap_or_default(),
            country: text(&self.countries),
            headers: self.headers.iter().map(|column| text(column)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::parse;

    fn request(user_agent: &str, path: &str, ip: &str) -> Request {
        let mut headers = vec![String::new(); HEADERS.len()];
        headers[0] = user_agent.to_owned();
        Request { path: path.to_owned(), ip: ip.parse().ok(), asn: 64_500, country: "BR".to_owned(), headers }
    }

    #[test]
    fn conditions_of_a_rule_all_hold_and_values_of_one_are_alternatives() {
        let rules = parse(
            "bots:\n- {name: reader, user_agent_regex: Feed, remote_addresses: [192.0.2.0/24, '2001:db8::/32'], action: ALLOW}\n\
             - {name: far, asns: {match: [1, 64500]}, action: WEIGH, weight: {adjust: 6}}\n\
             - {name: brazil, geoip: {countries: [BR]}, action: WEIGH, weight: {adjust: 5}}\n\
             - {name: probe, path_regex: '^/[.]', action: DENY}\n",
        )
        .unwrap()
        .rules;
        let decider = Decider::new(&rules).unwrap();
        let by = |request: &Request| decider.decide(request).by;
        assert_eq!(by(&request("FeedReader/1", "/", "192.0.2.200")), Some(0));
        assert_eq!(by(&request("FeedReader/1", "/", "2001:db8:1::1")), Some(0));
        assert_eq!(by(&request("FeedReader/1", "/", "198.51.100.1")), None);
        let probe = decider.decide(&request("x", "/.env", "198.51.100.1"));
        assert_eq!((probe.action, probe.weight, probe.weighed), (Some(Action::Deny), 11, vec![1, 2]));
    }

    #[test]
    fn a_session_is_as_bad_as_its_worst_request_and_allowed_only_whole() {
        let names = vec!["a".to_owned(), "d".to_owned(), "w".to_owned()];
        let key = || (0, "ip".to_owned(), String::new(), String::new());
        let of = |decisions: &[Decision]| {
            let mut sessions = BTreeMap::new();
            decisions.iter().for_each(|decision| add(&mut sessions, key(), decision, &names, 10));
            sessions.remove(&key()).unwrap()
        };
        let allow = Decision { action: Some(Action::Allow), by: Some(0), ..Decision::default() };
        let deny = Decision { action: Some(Action::Deny), by: Some(1), ..Decision::default() };
        let none = Decision::default();
        let heavy = Decision { weight: 12, weighed: vec![2], ..Decision::default() };
        assert_eq!(of(&[allow.clone(), allow.clone()]).action, Some(Action::Allow));
        assert_eq!(of(&[allow.clone(), none.clone()]).action, None);
        assert_eq!(of(&[none, deny, allow]), SessionVerdict { action: Some(Action::Deny), rule: "d".to_owned(), weight: 0 });
        assert_eq!(of(&[heavy]), SessionVerdict { action: Some(Action::Challenge), rule: "w".to_owned(), weight: 12 });
    }

    #[test]
    fn ranges_are_checked_and_a_monstrous_pattern_is_refused() {
        for bad in ["", "192.0.2.0/33", "2001:db8::/129", "host", "1.2.3.4/-1", "1.2.3.4/x"] {
            assert_eq!(Range::parse(bad), None, "{bad}");
        }
        assert!(Range::parse("0.0.0.0/0").unwrap().holds("203.0.113.9".parse().unwrap()));
        assert!(!Range::parse("0.0.0.0/0").unwrap().holds("::1".parse().unwrap()));
        assert!(pattern("(a{1000}){1000}").is_err());
    }
}
