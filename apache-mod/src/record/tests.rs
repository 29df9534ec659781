//! Tests of `record.rs`: every record is read back with the schema that the collector uses.

use ja4_event::HttpEvent;
use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;

type Headers<'a> = Vec<(&'a [u8], Value<'a>)>;

fn record<'a>(headers: &'a Headers<'a>) -> Record<'a, impl Iterator<Item = (&'a [u8], Value<'a>)> + Clone> {
    Record {
        ts_us: 1_764_000_000_123_456,
        src: Some("192.0.2.7:54321".parse().expect("address")),
        dst: Some("[2001:db8::1]:443".parse().expect("address")),
        client_ip: Some("198.51.100.9".parse().expect("address")),
        server: Some(b"www.example.org"),
        conn_id: Some(ConnId { pid: 0x1f, child_start_us: 0xab, number: 2 }),
        request_no: Some(3),
        scheme: Some(b"https"),
        method: Some(b"GET"),
        host: Some(b"example.org"),
        path: Some(b"/a%20b"),
        query: Some(b"q=1"),
        http_version: Some(b"HTTP/2.0"),
        status: Some(200),
        request_bytes: Some(512),
        response_bytes: Some(1024),
        duration_us: Some(99),
        headers: headers.iter().copied(),
        lower_names: false,
        h2: Some("3:100|00|0|m,a,s,p"),
        dropped: 0,
        sample: 1,
    }
}

fn write<'a>(
    record: &Record<'a, impl Iterator<Item = (&'a [u8], Value<'a>)> + Clone>,
    max_bytes: usize,
) -> (HttpEvent, Json, usize) {
    let plan = record.plan(max_bytes);
    let mut buffer = vec![0; plan.len];
    let len = record.write(&plan, &mut buffer).expect("the plan holds");
    assert_eq!(len, plan.len);
    assert!(len <= max_bytes, "{len} bytes exceed {max_bytes}");
    (serde_json::from_slice(&buffer).expect("an HTTP event"), serde_json::from_slice(&buffer).expect("JSON"), len)
}

#[test]
fn every_field_reaches_the_collector() {
    let headers: Headers<'_> = vec![
        (b"User-Agent", Value::Text(b"x\"\xff\\")),
        (b"cOOkie", Value::LengthOf(42)),
        (b"Accept", Value::Withheld),
        (b"User-Agent", Value::Text(b"again")),
    ];
    let (event, json, _) = write(&record(&headers), 4096);
    assert_eq!(event.ts_ns, 1_764_000_000_123_456_000);
    assert_eq!(event.ts_resolution_ns, 1000);
    assert_eq!((event.src_ip, event.src_port), (Some("192.0.2.7".parse().expect("address")), Some(54321)));
    assert_eq!((event.dst_ip, event.dst_port), (Some("2001:db8::1".parse().expect("address")), Some(443)));
    assert_eq!(event.client_ip, Some("198.51.100.9".parse().expect("address")));
    assert_eq!((event.conn_id.as_deref(), event.request_no), (Some("1f-ab-2"), Some(3)));
    assert_eq!((event.server.as_deref(), event.scheme.as_deref()), (Some("www.example.org"), Some("https")));
    assert_eq!((event.method.as_deref(), event.host.as_deref()), (Some("GET"), Some("example.org")));
    assert_eq!((event.path.as_deref(), event.query.as_deref()), (Some("/a%20b"), Some("q=1")));
    assert_eq!((event.http_version.as_deref(), event.status), (Some("HTTP/2.0"), Some(200)));
    assert_eq!((event.request_bytes, event.response_bytes, event.duration_us), (Some(512), Some(1024), Some(99)));
    assert_eq!(event.h2.as_deref(), Some("3:100|00|0|m,a,s,p"));
    let expected = [("User-Agent", "x\"\\xff\\"), ("cOOkie", "42"), ("Accept", ""), ("User-Agent", "again")];
    assert_eq!(event.headers, expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
    assert!(event.headers_complete);
    assert_eq!(json["invalid_utf8"], 1);
    for absent in ["dropped", "sample", "truncated", "headers_dropped", "headers_complete"] {
        assert!(json.get(absent).is_none(), "{absent}");
    }
}

#[test]
fn a_request_that_never_became_one_is_still_an_event() {
    let headers = Vec::new();
    let mut bare = record(&headers);
    (bare.src, bare.dst, bare.client_ip, bare.conn_id, bare.request_no) = (None, None, None, None, None);
    (bare.method, bare.host, bare.path, bare.query, bare.h2) = (None, None, None, None, None);
    (bare.dropped, bare.sample) = (17, 10);
    let (event, json, _) = write(&bare, 4096);
    assert_eq!((event.src_ip, event.method, event.status), (None, None, Some(200)));
    assert_eq!((&json["dropped"], &json["sample"]), (&Json::from(17), &Json::from(10)));
}

#[test]
fn names_of_http2_are_written_in_lower_case() {
    let headers: Headers<'_> = vec![(b"Sec-Fetch-Mode", Value::Text(b"Navigate"))];
    let mut lowered = record(&headers);
    lowered.lower_names = true;
    assert_eq!(write(&lowered, 4096).0.headers, [("sec-fetch-mode".to_owned(), "Navigate".to_owned())]);
}

#[test]
fn the_longest_values_are_cut_first_and_the_record_is_used_up() {
    let (long, longer) = ([b'a'; 3000], [b'b'; 9000]);
    let headers: Headers<'_> =
        vec![(b"Short", Value::Text(b"whole")), (b"Long", Value::Text(&long)), (b"Longer", Value::Text(&longer))];
    let (event, json, len) = write(&record(&headers), 8192);
    assert_eq!(event.header("short"), Some("whole"));
    assert_eq!(event.header("long").map(str::len), Some(3000));
    let cut = event.header("longer").expect("kept").len();
    assert!((4000..5000).contains(&cut), "{cut}");
    assert!(len > 8192 - TAIL_BYTES - 32, "{len} of 8192 bytes used");
    assert_eq!(json["truncated"], 1);
    assert!(event.headers_complete);
}

#[test]
fn too_many_headers_leave_out_the_last_ones_and_say_how_many() {
    let names: Vec<String> = (0..5000).map(|n| format!("X-{n}")).collect();
    let headers: Headers<'_> = names.iter().map(|name| (name.as_bytes(), Value::Text(&[b'v'; 200]))).collect();
    let (event, json, _) = write(&record(&headers), 16 * 1024);
    assert!(!event.headers_complete);
    assert_eq!(event.headers.len() as u64 + json["headers_dropped"].as_u64().expect("a count"), 5000);
    assert!(event.headers.len() > 150);
    assert_eq!(event.headers[0].0, "X-0");
}

#[test]
fn a_path_of_invalid_bytes_is_cut_like_any_other_text() {
    let headers: Headers<'_> = vec![(b"User-Agent", Value::Text(b"short"))];
    let path = [0xfe; 8000];
    let mut hostile = record(&headers);
    hostile.path = Some(&path);
    let (event, json, _) = write(&hostile, 2048);
    assert_eq!(event.header("user-agent"), Some("short"));
    assert_eq!(json["truncated"], 1);
    assert!(event.path.expect("kept").starts_with("\\xfe\\xfe"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn no_request_exceeds_its_limit_or_breaks_the_schema(
        texts in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..40), proptest::collection::vec(any::<u8>(), 0..40), 1usize..60, any::<bool>()), 0..60),
        path in proptest::collection::vec(any::<u8>(), 0..30),
        repeat in 1usize..200,
        max_bytes in crate::policy::MIN_RECORD_BYTES..9000,
    ) {
        let texts: Vec<_> = texts.into_iter().map(|(name, value, times, secret)| (name, value.repeat(times), secret)).collect();
        let headers: Headers<'_> = texts.iter().map(|(name, value, secret)| {
            (name.as_slice(), if *secret { Value::LengthOf(value.len()) } else { Value::Text(value) })
        }).collect();
        let path = path.repeat(repeat);
        let mut request = record(&headers);
        request.path = Some(&path);
        request.server = Some(&path);
        let (event, json, _) = write(&request, max_bytes);
        prop_assert_eq!(event.headers.len() as u64 + json["headers_dropped"].as_u64().unwrap_or(0), headers.len() as u64);
    }
}
