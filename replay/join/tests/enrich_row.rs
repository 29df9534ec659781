//! Rows as a user sees them: the module's complete record, a LogFormat that names few headers, and a join that is only a guess.
//!
//! Promises: unknown is told from absent; claims are judged only where both sides are known; a warm cache gives the same row.
//!
//! Read next: `src/enrich/enricher.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use ja4_event::{HttpEvent, NetworkEvent};
use ja4_join::correlate::{Correlator, CorrelatorConfig, Joined, SourceId};
use ja4_join::enrich::{Enricher, HttpSourceInfo};
use ja4_join::row::{ColumnVisitor, HttpLogRow, Text};

const CHROME: &str =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36";

fn handshake(ja4: &str, alpn: &[&str]) -> NetworkEvent {
    let json = serde_json::json!({
        "v": 1, "ts_ns": 1_000_000_000_i64, "src_ip": "66.249.66.1", "src_port": 40000, "dst_ip": "192.0.2.80", "dst_port": 443,
        "sni": "WWW.Example", "alpn": alpn, "ja4": ja4, "ja4l_c": "1500_58", "grease": true, "tls_version": 772,
    });
    serde_json::from_value(json).unwrap()
}

fn request(user_agent: &str, version: &str) -> HttpEvent {
    let json = serde_json::json!({
        "v": 1, "ts_ns": 1_020_000_000_i64, "src_ip": "::ffff:66.249.66.1", "src_port": 40000, "dst_port": 443, "scheme": "https",
        "method": "GET", "host": "www.example:443", "path": "/Shop/login.php", "query": "a=1&b=&&c", "http_version": version, "status": 200,
        "headers": [["Host", "www.example:443"], ["User-Agent", user_agent], ["Cookie", "57"], ["Accept", "*/*"]],
    });
    serde_json::from_value(json).unwrap()
}

fn join(network: Vec<NetworkEvent>, http: HttpEvent) -> Joined {
    let mut correlator = Correlator::new(CorrelatorConfig::default());
    network.into_iter().for_each(|event| correlator.network(event));
    correlator.http(http, SourceId(0));
    correlator.finish();
    let mut joined = Vec::new();
    correlator.take_joined(&mut joined);
    joined.pop().unwrap()
}

fn row(joined: &Joined, named: &[&str]) -> HttpLogRow {
    let named: Vec<String> = named.iter().map(|name| (*name).to_owned()).collect();
    Enricher::embedded().unwrap().row(joined, &HttpSourceInfo { named_headers: &named })
}

#[test]
fn a_complete_record_fills_what_it_says_and_what_its_handshake_shows() {
    let row = row(
        &join(vec![handshake("t13d1516h2_8daaf6152771_02713d6af862", &["h2", "http/1.1"])], request(CHROME, "HTTP/2.0")),
        &[],
    );
    let texts = [
        &row.src_ip,
        &row.client_ip,
        &row.dst_ip,
        &row.host,
        &row.path,
        &row.ua_family,
        &row.ja4_browser,
        &row.match_kind,
        &row.alpn,
    ];
    let expected = [
        "66.249.66.1",
        "66.249.66.1",
        "192.0.2.80",
        "www.example",
        "/Shop/login.php",
        "chrome",
        "chromium",
        "exact",
        "h2,http/1.1",
    ];
    assert_eq!(texts.map(|text| &**text), expected);
    assert_eq!((row.asn, &*row.country, &*row.ip_bot), (15169, "US", "googlebot"));
    assert_eq!((row.is_login, row.is_page, row.is_asset, row.path_depth, row.query_params), (1, 1, 0, 2, 3));
    assert_eq!((row.headers_known, row.header_count, &*row.header_names), (2, 4, "Host,User-Agent,Cookie,Accept"));
    assert_eq!((row.has_cookie, row.cookie_bytes, row.has_referer, row.authorization_bytes), (1, 57, 0, 0));
    assert_eq!((row.hello_to_request_us, row.ja4l_us, row.grease, row.ech, row.tls_version), (20_000, 1500, 1, -1, 772));
    assert_eq!((row.ua_ja4_mismatch, row.alpn_mismatch, row.sni_mismatch, row.h2_mismatch, row.hints_mismatch), (0, 0, 0, -1, 1));
}

#[test]
fn a_log_that_names_few_headers_leaves_the_others_unknown() {
    let mut http = request(CHROME, "HTTP/1.1");
    http.headers_complete = false;
    http.headers.retain(|(name, _)| name == "User-Agent");
    let row = row(&join(Vec::new(), http), &["user-agent", "Referer"]);
    assert_eq!((row.headers_known, row.header_count, &*row.header_names, &*row.header_order), (1, -1, "", ""));
    assert_eq!((row.has_user_agent, row.has_referer, row.has_accept, row.has_cookie, row.cookie_bytes), (1, 0, -1, -1, -1));
    assert_eq!((row.has_sec_fetch, row.has_client_hints, row.hints_mismatch), (-1, -1, -1));
    assert_eq!(
        (&*row.match_kind, &*row.ja4, &*row.protocol, row.hello_ts_ns, row.match_confidence),
        ("no_handshake", "", "", -1, 0.0)
    );
    assert_eq!((row.ua_ja4_mismatch, row.alpn_mismatch, row.sni_mismatch), (-1, -1, -1));
}

#[test]
fn contradictions_are_told_and_only_where_the_join_is_sure() {
    let go = handshake("t13d190900_9dc949149365_97f8aa674fd9", &["h2", "http/1.1"]);
    let sure = row(&join(vec![go.clone()], request(CHROME, "HTTP/1.1")), &[]);
    assert_eq!((sure.ua_ja4_mismatch, sure.alpn_mismatch, &*sure.ja4_bot), (1, 1, "sliver|go"));
    let mut unsure = request(CHROME, "HTTP/1.1");
    unsure.src_port = None;
    let other = NetworkEvent { src_port: 40001, ..go.clone() };
    let guessed = row(&join(vec![go, other], unsure), &[]);
    assert_eq!((&*guessed.match_kind, guessed.match_candidates, &*guessed.ja4_bot), ("time_host_guess", 2, "sliver|go"));
    assert_eq!((guessed.ua_ja4_mismatch, guessed.alpn_mismatch, guessed.sni_mismatch), (-1, -1, -1));
}

#[test]
fn a_record_that_says_nothing_is_unknown_throughout() {
    struct Unknown(Vec<String>);
    impl ColumnVisitor for Unknown {
        fn int(&mut self, value: i64) {
            self.0.push(value.to_string());
        }
        fn float(&mut self, value: f64) {
            self.0.push(value.to_string());
        }
        fn text(&mut self, value: &Text) {
            self.0.push(value.to_string());
        }
    }
    let http = HttpEvent { headers_complete: false, ts_resolution_ns: 1, ..HttpEvent::default() };
    let mut row = row(&join(Vec::new(), http), &[]);
    (row.row_hi, row.row_lo, row.ts_ns) = (-1, -1, -1);
    let mut unknown = HttpLogRow::unknown();
    // Facts even then: how it was joined, that no header is known, that no AS is.
    (unknown.match_kind, unknown.match_candidates, unknown.headers_known, unknown.asn) = ("no_port".into(), 0, 0, 0);
    let (mut found, mut expected) = (Unknown(Vec::new()), Unknown(Vec::new()));
    row.visit(&mut found);
    unknown.visit(&mut expected);
    for ((column, found), expected) in ja4_join::row::COLUMNS.iter().zip(found.0).zip(expected.0) {
        assert_eq!(found, expected, "{}", column.name);
    }
}

#[test]
fn a_warm_cache_gives_the_same_row() {
    let mut warm = Enricher::embedded().unwrap();
    let source = HttpSourceInfo::default();
    for n in 0..40_000_u32 {
        let mut http = request(&format!("curl/{}", n % 20_000), "HTTP/1.1");
        http.path = Some(format!("/{n}"));
        http.client_ip = Some(std::net::IpAddr::V4((n * 7919).into()));
        warm.row(&join(Vec::new(), http), &source);
    }
    let joined = join(vec![handshake("t13d1516h2_8daaf6152771_02713d6af862", &["h2"])], request(CHROME, "HTTP/2.0"));
    assert_eq!(warm.row(&joined, &source), row(&joined, &[]));
    assert_eq!(warm.row(&joined, &source), warm.clone().row(&joined, &source));
}
