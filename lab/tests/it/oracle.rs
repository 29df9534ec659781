//! A second implementation of the features, in one pass over the joined rows, held against the view bit for bit.
//!
//! Promises: written from the formulas of `sql/features.toml`, not from the SQL; no tolerance: sums are exact integers and there is
//! one division or root at the end, as `sql/README.md` demands; more than a third of the features are covered.
//!
//! Read next: `sql/testing/oracle.py` (the same on generated and hostile rows, in Python).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use ja4_join::correlate::{Correlator, CorrelatorConfig, HandshakeTime, RequestTime, SourceId, estimate_skew};
use ja4_join::enrich::{Enricher, HttpSourceInfo};
use ja4_join::httplog::{HttpLog, HttpLogOptions};
use ja4_join::row::HttpLogRow;
use ja4_lab::catalogue::Catalogue;
use ja4_lab::cycle::{CyclePlan, read_frame};

use crate::models::recorded;
use crate::support::site_small;

type Key = (i64, String, String, String);

#[test]
fn a_third_of_the_features_equal_a_second_implementation_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let store = recorded(folder.path());
    let frame = read_frame(&*store, &CyclePlan::default()).unwrap();
    let catalogue = Catalogue::load().unwrap();

    let rows = joined_rows();
    let mut sessions: BTreeMap<Key, Session> = BTreeMap::new();
    let mut agents: BTreeMap<(i64, String, String), (i64, i64)> = BTreeMap::new();
    for row in &rows {
        let window = row.ts_ns / 1_000_000 / 3_600_000 * 3_600_000;
        let key = (window, row.src_ip.to_string(), row.ja4.to_string(), row.host.to_string());
        sessions.entry(key).or_default().take(row);
        let agent = agents.entry((window, row.src_ip.to_string(), row.user_agent.to_string())).or_default();
        *agent = (agent.0 + 1, agent.1 + i64::from(row.is_asset == 1));
    }
    assert_eq!(frame.sessions(), sessions.len());

    let mut want: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    // The view is in key order, and so is the map.
    for (key, session) in &sessions {
        for (name, value) in session.finish() {
            want.entry(name).or_default().push(value);
        }
        let (hits, assets) = agents[&(key.0, key.1.clone(), session.main_agent())];
        want.entry("agent_hits").or_default().push(hits as f64);
        want.entry("agent_asset_share").or_default().push(assets as f64 / hits as f64);
        let mine: Vec<(&Key, &Session)> = sessions.iter().filter(|(other, _)| other.0 == key.0 && other.1 == key.1).collect();
        let distinct = |pick: fn(&Key) -> &String| mine.iter().map(|(key, _)| pick(key)).collect::<BTreeSet<_>>().len() as f64;
        let all: i64 = mine.iter().map(|(_, session)| session.hits).sum();
        want.entry("ja4s_per_ip").or_default().push(distinct(|key| &key.2));
        want.entry("hosts_per_ip").or_default().push(distinct(|key| &key.3));
        want.entry("ip_hits").or_default().push(all as f64);
        want.entry("session_share_of_ip").or_default().push(session.hits as f64 / all as f64);
    }
    let mut differing = Vec::new();
    for (name, values) in &want {
        let have = frame.number(name).unwrap();
        let odd = have.iter().zip(values).filter(|(a, b)| a.to_bits() != b.to_bits()).count();
        if odd > 0 {
            let first = have.iter().zip(values).position(|(a, b)| a.to_bits() != b.to_bits()).unwrap();
            differing.push(format!("{name}: {odd} sessions, first {} against {}", have[first], values[first]));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    let total = catalogue.features.len();
    assert!(want.len() * 3 >= total, "{} of {total} features are covered", want.len());
    assert!(want.keys().all(|name| catalogue.features.iter().any(|feature| feature.name == *name)));
}

/// The joined rows of the recorded set, without a store, in the order of the view.
pub fn joined_rows() -> Vec<HttpLogRow> {
    let (capture, log) = site_small();
    let mut events = Vec::new();
    let each = &mut |event| events.push(event);
    ja4_capture::sense_files(&[capture], &ja4_capture::Options::default(), each, &mut |_| ControlFlow::Continue(())).unwrap();
    let mut log = HttpLog::open(&log, &HttpLogOptions::default()).unwrap();
    let requests: Vec<_> = std::iter::from_fn(|| log.next_event()).collect();
    let handshakes: Vec<_> = events.iter().filter_map(HandshakeTime::of).collect();
    let times: Vec<_> = requests.iter().filter_map(RequestTime::of).collect();
    let mut correlator = Correlator::new(CorrelatorConfig::default());
    correlator.set_skew(SourceId(0), estimate_skew(&handshakes, &times).skew_ns);
    events.into_iter().for_each(|event| correlator.network(event));
    requests.into_iter().for_each(|request| correlator.http(request, SourceId(0)));
    correlator.finish();
    let mut joined = Vec::new();
    correlator.take_joined(&mut joined);
    let named = log.named_headers();
    let mut enricher = Enricher::embedded().unwrap();
    let info = HttpSourceInfo { named_headers: named.names() };
    let mut rows: Vec<HttpLogRow> = joined.iter().map(|joined| enricher.row(joined, &info)).collect();
    rows.sort_by_key(|row| (row.ts_ns, row.row_lo));
    rows
}

/// Count, sum and sum of squares of integers.
#[derive(Debug, Default, Clone, Copy)]
struct Sums {
    n: i128,
    s: i128,
    ss: i128,
}

impl Sums {
    fn take(&mut self, value: i64) {
        let value = i128::from(value);
        *self = Self { n: self.n + 1, s: self.s + value, ss: self.ss + value * value };
    }

    /// Takes a value of at least `low`; less is unknown.
    fn known(&mut self, value: i64, low: i64) {
        if value >= low {
            self.take(value);
        }
    }

    fn mean(self, neutral: f64) -> f64 {
        share(self.s, self.n, neutral)
    }

    fn std(self, neutral: f64) -> f64 {
        if self.n == 0 { neutral } else { ((self.n * self.ss - self.s * self.s) as f64).sqrt() / self.n as f64 }
    }
}

/// How often something was said, and how often yes.
#[derive(Debug, Default, Clone, Copy)]
struct Rate {
    yes: i128,
    known: i128,
}

impl Rate {
    fn take(&mut self, known: bool, yes: bool) {
        self.known += i128::from(known);
        self.yes += i128::from(yes);
    }

    fn flag(&mut self, value: i64) {
        self.take(value >= 0, value == 1);
    }

    fn share(self, neutral: f64) -> f64 {
        share(self.yes, self.known, neutral)
    }
}

fn share(a: i128, b: i128, neutral: f64) -> f64 {
    if b == 0 { neutral } else { a as f64 / b as f64 }
}

fn quantile(values: &[i64], q: f64, neutral: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    if sorted.is_empty() {
        return neutral;
    }
    let place = (sorted.len() - 1) as f64 * q;
    let low = place as usize;
    let high = (low + 1).min(sorted.len() - 1);
    sorted[low] as f64 + (place - low as f64) * (sorted[high] as f64 - sorted[low] as f64)
}

/// Everything one session needs, taken row by row in time order.
#[derive(Debug, Default)]
struct Session {
    hits: i64,
    first_ms: i64,
    last_ms: i64,
    gaps: Vec<i64>,
    minutes: BTreeSet<i64>,
    paths: BTreeMap<String, i64>,
    assets: BTreeMap<String, i64>,
    depth: Sums,
    path_bytes: Sums,
    request: Sums,
    response: Sums,
    responses: Vec<i64>,
    flags: [i128; 11],
    rates: [Rate; 13],
    page_gaps: Vec<i64>,
    last_page: Option<(i64, String, String)>,
    follows: Rate,
    repeats: Rate,
    own_referer: Rate,
    site_none: Rate,
    api_document: Rate,
    delays: Vec<i64>,
    good_pages: i128,
    after_good_page: bool,
    kinds: BTreeSet<String>,
    claims: BTreeMap<(String, String, String), i64>,
    languages: BTreeSet<String>,
    ttl: Sums,
    window: Sums,
    mss: i64,
}

impl Session {
    fn take(&mut self, row: &HttpLogRow) {
        let now = row.ts_ns / 1_000_000;
        self.rhythm(row, now);
        self.counts(row);
        self.headers(row);
        self.pages(row, now);
        self.ttl.known(row.ip_ttl, 1);
        self.window.known(row.tcp_window, 0);
        self.mss = if self.hits == 0 { row.tcp_mss } else { self.mss.max(row.tcp_mss) };
        self.last_ms = now;
        self.hits += 1;
    }

    fn rhythm(&mut self, row: &HttpLogRow, now: i64) {
        if self.hits == 0 {
            self.first_ms = now;
        } else {
            self.gaps.push(now - self.last_ms);
            if self.after_good_page && row.is_asset == 1 {
                self.delays.push(now - self.last_ms);
            }
        }
        self.minutes.insert(now / 60_000);
        self.after_good_page = row.is_page == 1 && ((200..300).contains(&row.status) || row.status == 304);
        self.good_pages += i128::from(self.after_good_page);
    }

    fn counts(&mut self, row: &HttpLogRow) {
        *self.paths.entry(row.path.to_string()).or_default() += 1;
        if row.is_asset == 1 && row.status != 304 {
            *self.assets.entry(row.path.to_string()).or_default() += 1;
        }
        self.depth.take(row.path_depth.max(0));
        self.path_bytes.take(row.path_bytes.max(0));
        self.request.known(row.request_bytes, 0);
        self.response.known(row.response_bytes, 0);
        self.responses.extend(Some(row.response_bytes).filter(|bytes| *bytes >= 0));
        let flags = [
            row.is_page == 1,
            row.is_api == 1,
            row.is_asset == 1,
            row.is_sensitive == 1,
            row.is_login == 1,
            &*row.method == "GET",
            &*row.method == "POST",
            (200..300).contains(&row.status),
            row.status == 304,
            (400..500).contains(&row.status),
            &*row.http_version == "HTTP/2.0" || &*row.http_version == "HTTP/3.0",
        ];
        self.flags.iter_mut().zip(flags).for_each(|(count, flag)| *count += i128::from(flag));
        if ["css", "js", "image", "font"].contains(&&*row.asset_kind) {
            self.kinds.insert(row.asset_kind.to_string());
        }
    }

    fn headers(&mut self, row: &HttpLogRow) {
        let said = [
            row.has_accept,
            row.has_accept_language,
            row.has_accept_encoding,
            row.has_referer,
            row.has_cookie,
            row.has_origin,
            row.has_sec_fetch,
            row.has_client_hints,
            row.ua_ja4_mismatch,
            row.alpn_mismatch,
            row.sni_mismatch,
            row.h2_mismatch,
            row.hints_mismatch,
        ];
        self.rates.iter_mut().zip(said).for_each(|(rate, flag)| rate.flag(flag));
        self.languages.extend(Some(row.accept_language.to_string()).filter(|language| !language.is_empty()));
        let claim = (row.user_agent.to_string(), row.header_order.to_string(), row.accept_language.to_string());
        *self.claims.entry(claim).or_default() += 1;
    }

    fn pages(&mut self, row: &HttpLogRow, now: i64) {
        let origin = format!("{}://{}", row.scheme, row.host);
        let referer = row.referer.to_string();
        let linked = !referer.is_empty();
        self.own_referer.take(linked, linked && format!("{referer}/").starts_with(&format!("{origin}/")));
        self.api_document
            .take(row.is_api == 1 && !row.sec_fetch_dest.is_empty(), row.is_api == 1 && &*row.sec_fetch_dest == "document");
        if row.is_page != 1 {
            return;
        }
        self.site_none.take(!row.sec_fetch_site.is_empty(), &*row.sec_fetch_site == "none");
        if let Some((then, path, earlier)) = &self.last_page {
            self.page_gaps.push(now - then);
            self.follows.take(linked, linked && referer.starts_with(&format!("{origin}{path}")));
            self.repeats.take(linked, linked && referer == *earlier);
        }
        self.last_page = Some((now, row.path.to_string(), referer));
    }

    /// The User-Agent of the most frequent combination of claims; of equals the first.
    fn main_agent(&self) -> String {
        let most = self.claims.iter().max_by(|a, b| a.1.cmp(b.1).then(b.0.cmp(a.0)));
        most.map(|((agent, _, _), _)| agent.clone()).unwrap()
    }

    fn finish(&self) -> Vec<(&'static str, f64)> {
        let (n, span) = (i128::from(self.hits), i128::from(self.last_ms - self.first_ms));
        let mut gaps = Sums::default();
        self.gaps.iter().for_each(|gap| gaps.take(*gap));
        let gaps_that = |wanted: fn(i64) -> bool| self.gaps.iter().filter(|gap| wanted(**gap)).count() as i128;
        let regular = self.gaps.windows(2).filter(|pair| pair[1] >= 50 && (pair[1] - pair[0]).abs() * 10 <= pair[1]).count();
        let (served, distinct) = (self.assets.values().sum::<i64>(), self.assets.len() as i64);
        let minutes = self.last_ms / 60_000 - self.first_ms / 60_000 + 1;
        let count = self.gaps.len() as i128;
        let mut out = vec![
            ("hits", n as f64),
            ("duration_ms", span as f64),
            ("requests_per_minute", share(n * 60_000, span + 1000, 0.0)),
            ("gap_mean_ms", gaps.mean(5000.0)),
            ("gap_std_ms", gaps.std(5000.0)),
            ("gap_median_ms", quantile(&self.gaps, 0.5, 1000.0)),
            ("gap_q875_ms", quantile(&self.gaps, 0.875, 10_000.0)),
            ("gap_min_ms", self.gaps.iter().min().map_or(50.0, |gap| *gap as f64)),
            ("gap_max_ms", self.gaps.iter().max().map_or(30_000.0, |gap| *gap as f64)),
            ("burst_share", share(gaps_that(|gap| gap < 100), count, 0.5)),
            ("pause_share", share(gaps_that(|gap| gap >= 10_000), count, 0.1)),
            ("gap_regular_share", share(regular as i128, (count - 1).max(0), 0.1)),
            ("page_gap_median_ms", quantile(&self.page_gaps, 0.5, 5000.0)),
            ("active_minutes_share", self.minutes.len() as f64 / minutes as f64),
            ("paths", self.paths.len() as f64),
            ("path_unique_share", share(self.paths.len() as i128, n, 1.0)),
            ("path_top_share", share(i128::from(*self.paths.values().max().unwrap()), n, 1.0)),
            ("path_depth_mean", self.depth.mean(1.0)),
            ("path_depth_std", self.depth.std(0.0)),
            ("path_bytes_mean", self.path_bytes.mean(20.0)),
            ("path_bytes_std", self.path_bytes.std(0.0)),
            ("request_bytes_mean", self.request.mean(700.0)),
            ("request_bytes_std", self.request.std(200.0)),
            ("response_bytes_mean", self.response.mean(10_000.0)),
            ("response_bytes_std", self.response.std(20_000.0)),
            ("response_bytes_median", quantile(&self.responses, 0.5, 3000.0)),
            ("fetch_site_none_page_share", self.site_none.share(0.3)),
            ("api_as_document_share", self.api_document.share(0.0)),
            ("referer_own_share", self.own_referer.share(0.9)),
            ("page_referer_follows_share", self.follows.share(0.6)),
            ("page_referer_repeat_share", self.repeats.share(0.1)),
            ("languages", if self.rates[1].known == 0 { 1.0 } else { self.languages.len() as f64 }),
            ("user_agents", self.claims.keys().map(|claim| &claim.0).collect::<BTreeSet<_>>().len() as f64),
            ("ttl_std", self.ttl.std(0.0)),
            ("tcp_window_mean", self.window.mean(64_240.0)),
            ("tcp_window_std", self.window.std(0.0)),
            ("tcp_mss", if self.mss < 0 { 1460.0 } else { self.mss as f64 }),
            ("assets_per_page", share(self.flags[2], self.flags[0], 5.0)),
            ("page_cascade_share", share((self.delays.len() as i128).min(self.good_pages), self.good_pages, 0.5)),
            ("cascade_delay_median_ms", quantile(&self.delays, 0.5, 200.0)),
            ("asset_kinds", self.kinds.len() as f64),
            ("asset_repeat_share", share(i128::from(served - distinct), i128::from(served), 0.0)),
        ];
        let shares = ["page_share", "api_share", "asset_share", "sensitive_share", "login_share", "get_share", "post_share"];
        let more = ["status_2xx_share", "status_304_share", "status_4xx_share", "http2_share"];
        let names = shares.into_iter().chain(more);
        out.extend(names.zip(self.flags).map(|(name, flag)| (name, share(flag, n, 0.0))));
        let rates = [
            ("accept_rate", 1.0),
            ("accept_language_rate", 1.0),
            ("accept_encoding_rate", 1.0),
            ("referer_rate", 0.8),
            ("cookie_rate", 0.5),
            ("origin_rate", 0.0),
            ("sec_fetch_rate", 1.0),
            ("client_hints_rate", 0.5),
            ("ua_ja4_mismatch_rate", 0.0),
            ("alpn_mismatch_rate", 0.0),
            ("sni_mismatch_rate", 0.0),
            ("h2_mismatch_rate", 0.0),
            ("hints_mismatch_rate", 0.0),
        ];
        out.extend(rates.into_iter().zip(self.rates).map(|((name, neutral), rate)| (name, rate.share(neutral))));
        out
    }
}
