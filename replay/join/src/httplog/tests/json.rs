//! JSON records: the module's, a template's, damaged ones.

use std::fmt::Write as _;

use ja4_event::HttpEvent;
use proptest::prelude::*;

use super::super::{Damage, JsonReader, Reason};

fn read(record: &str) -> Result<HttpEvent, Reason> {
    JsonReader::default().parse(record.as_bytes(), &mut Damage::new(1))
}

#[test]
fn a_record_of_the_module() {
    let event = read(
        r#"{"v":1,"ts_ns":1700000000123456789,"src_ip":"::ffff:10.0.0.1","src_port":40000,"dst_ip":"10.0.0.2","dst_port":443,"client_ip":"192.0.2.7",
            "server":"a","conn_id":"c1","request_no":0,"scheme":"https","method":"GET","host":"Ex.org","path":"/-","query":"?x","http_version":"HTTP/2.0",
            "status":200,"request_bytes":1,"response_bytes":18446744073709551615,"duration_us":5,"headers":[["Host","Ex.org"],["Cookie","43"]],
            "h2":"1:65536|0|0|m,a,s,p","new":{"a":[1,"]"]},"src_name":null}"#,
    )
    .unwrap();
    assert_eq!((event.ts_ns, event.ts_resolution_ns), (1_700_000_000_123_456_789, 1));
    assert_eq!(event.src_ip, Some("10.0.0.1".parse().unwrap()), "IPv4 inside IPv6 is IPv4, as on the wire");
    assert_eq!(event.query.as_deref(), Some("?x"), "the module sends no question mark of its own");
    assert_eq!((event.request_no, event.response_bytes), (Some(0), Some(u64::MAX)));
    assert_eq!(event.header("cookie"), Some("43"), "the module has replaced the value already");
    assert!(event.headers_complete);
}

#[test]
fn a_record_of_a_template() {
    let mut reader = JsonReader::default();
    let mut damage = Damage::new(1);
    let record = br#"{"v":1,"ts_us":1700000000123456,"src_ip":"10.0.0.1","src_port":"40000","dst_port":-,"status":"-","query":"?a=\"b\x5c","path":"/caf\xc3\xa9/\xff\v","http_version":"HTTP/1.1","request_no":3,"tls_protocol":"-","has_cookie":"1","has_authorization":"-","h":{"User-Agent":"a \"q\" \\ b","Accept":"-","Host":"ex.org","Proxy-Authorization":"abc"}}"#;
    let event = reader.parse(record, &mut damage).unwrap();
    assert_eq!((event.ts_ns, event.ts_resolution_ns), (1_700_000_000_123_456_000, 1_000));
    assert_eq!((event.src_port, event.dst_port, event.status, event.request_no), (Some(40_000), None, None, Some(3)));
    assert_eq!((event.path.as_deref(), event.query.as_deref()), (Some("/café/\\xff\u{b}"), Some("a=\"b\\")));
    assert_eq!((event.host.as_deref(), event.scheme.as_deref()), (Some("ex.org"), Some("http")));
    assert_eq!(event.header("user-agent"), Some("a \"q\" \\ b"));
    assert_eq!((event.header("cookie"), event.header("proxy-authorization")), (Some(""), Some("3")));
    assert!(!event.headers_complete);
    let known = |header| reader.named_headers().absence_is_known(&event, header);
    assert!(known("Accept") && known("Authorization") && !known("Referer"));
    assert_eq!(damage.notes().count(), 0);
}

#[test]
fn a_record_of_nginx() {
    // As nginx 1.22 wrote it by datasets/record/logformat-nginx.conf, shortened.
    let record = br#"{"v":1,"ts":"2026-11-21T02:02:11+00:00","src_ip":"127.0.0.1","src_port":"59052","dst_port":"18443","conn_id":"1","scheme":"https","host":"shop.example","request":"GET /\x22x\x5Cy?a=1 HTTP/2.0","status":"404","tls_protocol":"TLSv1.2","h":{"User-Agent":"Mozilla/5.0 \x22q\x22","Accept":"*/*","Referer":"-"}}"#;
    let mut reader = JsonReader::default();
    let event = reader.parse(record, &mut Damage::new(1)).unwrap();
    assert_eq!((event.ts_ns, event.ts_resolution_ns), (1_795_226_531_000_000_000, 1_000_000_000));
    assert_eq!((event.src_port, event.status, event.method.as_deref()), (Some(59_052), Some(404), Some("GET")));
    assert_eq!((event.path.as_deref(), event.query.as_deref()), (Some("/\"x\\y"), Some("a=1")));
    assert_eq!(event.header("user-agent"), Some("Mozilla/5.0 \"q\""));
    assert!(event.header("referer").is_none() && reader.named_headers().absence_is_known(&event, "Referer"));
}

#[test]
fn a_forged_record_is_damage_and_teaches_nothing() {
    let mut reader = JsonReader::default();
    // mod_ssl before 2.4.64 wrote the server name that the client sent without escapes.
    let record = br#"{"v":1,"ts_us":1,"src_ip":"10.0.0.1","tls_sni":"x","h":{"X-Made-Up":"-"},"y":"","h":{"User-Agent":"a"}}"#;
    assert_eq!(reader.parse(record, &mut Damage::new(1)), Err("gives the key h twice".into()));
    assert!(reader.named_headers().names().is_empty());
}

#[test]
fn raw_bytes_and_escaped_bytes_are_the_same() {
    let raw = b"{\"v\":1,\"ts\":\"12.5\",\"src_ip\":\"10.0.0.1\",\"path\":\"/\xff\xc3\xa9\"}";
    let event = JsonReader::default().parse(raw, &mut Damage::new(1)).unwrap();
    assert_eq!((event.path.as_deref(), event.ts_ns), (Some("/\\xffé"), 12_500_000_000));
    assert_eq!(read(r#"{"v":1,"ts":12.5,"src_ip":"10.0.0.1","path":"/\xff\xc3\xa9"}"#).unwrap(), event);
}

#[test]
fn bad_mandatory_keys_are_damage() {
    for (record, reason) in [
        (r#"{"ts_ns":1,"src_ip":"10.0.0.1"}"#, "has no version (v)"),
        (r#"{"v":2,"ts_ns":1,"src_ip":"10.0.0.1"}"#, "has version 2, known is 1"),
        (r#"{"v":1,"src_ip":"10.0.0.1"}"#, "has no time (ts_ns, ts_us, ts_ms or ts)"),
        (r#"{"v":1,"ts_ns":1}"#, "has no src_ip"),
        (r#"{"v":1,"ts_ns":1,"src_ip":null}"#, "has no address as src_ip"),
        (r#"{"v":1,"ts_ns":1,"src_ip":"10.0.0.256"}"#, "has no address as src_ip"),
        (r#"{"v":1,"ts_ns":-1,"src_ip":"10.0.0.1"}"#, "its time is before 1970 or after 2260"),
        (r#"{"v":1,"ts_us":9223372036854775,"src_ip":"10.0.0.1"}"#, "its time is before 1970 or after 2260"),
        (r#"{"v":1,"ts_ns":1e18,"src_ip":"10.0.0.1"}"#, "has no usable time"),
        (r#"{"v":1,"ts_ns":1,"src_ip":"10.0.0.1","src_ip":"10.0.0.2"}"#, "gives the key src_ip twice"),
        (r#"{"v":1,"ts_ns":1,"src_ip":"10.0.0.1"} x"#, "is not valid JSON: text follows the record at byte 38"),
        (r#"[1]"#, "is not valid JSON: \"{\" is missing at byte 0"),
        (r#"{"v":1,"ts_ns":1"#, "is cut off: \"}\" is missing at its end"),
    ] {
        assert_eq!(read(record), Err(reason.into()), "{record}");
    }
}

#[test]
fn a_record_over_64_kib_is_damage() {
    let of_length = |n: usize| {
        let record = r#"{"v":1,"ts_ns":1,"src_ip":"10.0.0.1","path":"/"}"#;
        record.replace("\"/\"", &format!("\"/{}\"", "a".repeat(n - record.len())))
    };
    assert!(read(&of_length(65_536)).is_ok());
    assert_eq!(read(&of_length(65_537)), Err("is 65537 bytes long, more than a record may be".into()));
}

#[test]
fn bad_optional_values_are_left_out_and_noted() {
    let mut damage = Damage::new(1);
    let record =
        br#"{"v":1,"ts_ns":1,"src_ip":"10.0.0.1","src_port":70000,"status":"x","dst_ip":[1],"server":{"a":1},"method":false}"#;
    let event = JsonReader::default().parse(record, &mut damage).unwrap();
    assert_eq!((event.src_port, event.status, event.dst_ip, event.server), (None, None, None, None));
    let notes: Vec<_> = damage.notes().map(|(note, _)| note).collect();
    assert_eq!(notes, ["dst_ip is no address: left out", "src_port is no port: left out", "status is no number: left out"]);
}

#[test]
fn without_a_header_key_nothing_is_known_of_headers() {
    let event = read(r#"{"v":1,"ts_ns":1,"src_ip":"10.0.0.1"}"#).unwrap();
    assert!(!event.headers_complete);
    assert!(read(r#"{"v":1,"ts_ns":1,"src_ip":"10.0.0.1","headers":[]}"#).unwrap().headers_complete);
}

fn json_escape(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, c| {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if u32::from(c) < 0x20 => write!(out, "\\u{:04x}", u32::from(c)).unwrap(),
            c => out.push(c),
        }
        out
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_the_schema_serialises_comes_back(
        ts_ns in 0i64..9_000_000_000_000_000_000, ip in any::<std::net::Ipv4Addr>(), port in proptest::option::of(1u16..),
        host in proptest::option::of("[^-]\\PC{0,20}"), path in proptest::option::of(any::<String>()), agent in any::<String>(), name in any::<String>(),
        bytes in proptest::option::of(any::<u64>()), status in proptest::option::of(any::<u16>()),
    ) {
        let event = HttpEvent {
            v: 1, ts_ns, ts_resolution_ns: 1, src_ip: Some(ip.into()), src_port: port, host, path, response_bytes: bytes, status,
            headers: vec![(name, agent.clone()), ("User-Agent".into(), agent)], headers_complete: true, ..HttpEvent::default()
        };
        prop_assert_eq!(read(&serde_json::to_string(&event).unwrap()), Ok(event));
    }

    #[test]
    fn any_unicode_in_a_string_survives(text in any::<String>()) {
        let record = format!("{{\"v\":1,\"ts_ns\":1,\"src_ip\":\"10.0.0.1\",\"path\":\"{}\"}}", json_escape(&text));
        prop_assert_eq!(read(&record).unwrap().path, Some(text));
    }

    #[test]
    fn any_bytes_end_in_an_event_or_a_reason(noise in proptest::collection::vec(any::<u8>(), 0..60), at in 0usize..150, drop in 0usize..40) {
        let valid = br#"{"v":1,"ts_us":1700000000123456,"src_ip":"10.0.0.1","h":{"User-Agent":"a\xff","B":"-"},"headers":[["a","b"]],"x":[{"y":[]}]}"#;
        let spliced: Vec<u8> = valid.iter().take(at).chain(&noise).chain(valid.iter().skip(at + drop)).copied().collect();
        for record in [&noise, &spliced] {
            if let Err(reason) = JsonReader::default().parse(record, &mut Damage::new(1)) {
                prop_assert!(!reason.is_empty());
            }
        }
    }
}
