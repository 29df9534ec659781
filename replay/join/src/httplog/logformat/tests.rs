//! Formats as people write them, lines as Apache writes them: what is read back, what is refused, and that a line rendered by
//! Apache's rules comes back as the event it was made of.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ja4_event::HttpEvent;
use proptest::prelude::*;

use super::super::detect::NAMED_FORMATS;
use super::super::escape::text_of;
use super::*;

/// `ap_escape_logitem` of httpd's server/util.c.
pub(crate) fn apache_escape(value: &[u8]) -> String {
    let mut out = String::new();
    for byte in value {
        match byte {
            0x08 => out.push_str("\\b"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x0b => out.push_str("\\v"),
            b'\\' | b'"' => out.extend(['\\', char::from(*byte)]),
            0x20..=0x7e => out.push(char::from(*byte)),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out
}

fn read(format: &str, line: &str) -> Result<HttpEvent, Reason> {
    read_with(format, line, &mut Damage::new(10))
}

fn read_with(format: &str, line: &str, damage: &mut Damage) -> Result<HttpEvent, Reason> {
    LogFormat::compile(format).unwrap_or_else(|e| panic!("{format}: {e}")).parse(line.as_bytes(), &mut Scratch::default(), damage)
}

fn named(name: &str) -> &'static str {
    NAMED_FORMATS.iter().find(|(n, _)| *n == name).unwrap().1
}

fn refusal(format: &str) -> String {
    LogFormat::compile(format).expect_err(format).to_string()
}

#[test]
fn combined_as_in_the_manual() {
    let line = r#"127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif?a=1 HTTP/1.0" 200 2326 "http://www.example.com/start.html" "Mozilla/4.08 [en] (Win98; I ;Nav)""#;
    let event = read(named("combined"), line).unwrap();
    assert_eq!(event.ts_ns, 971_211_336_000_000_000);
    assert_eq!(event.ts_resolution_ns, 1_000_000_000);
    assert_eq!(event.src_ip, Some("127.0.0.1".parse().unwrap()));
    assert_eq!((event.src_port, event.status, event.response_bytes), (None, Some(200), Some(2_326)));
    assert_eq!(
        (event.method.as_deref(), event.path.as_deref(), event.query.as_deref()),
        (Some("GET"), Some("/apache_pb.gif"), Some("a=1"))
    );
    assert_eq!(event.header("user-agent"), Some("Mozilla/4.08 [en] (Win98; I ;Nav)"));
    assert!(!event.headers_complete);
}

#[test]
fn absent_is_not_listed_and_the_names_are_known() {
    let format = LogFormat::compile(named("combined")).unwrap();
    let line = br#"::1 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.1" 304 - "-" """#;
    let event = format.parse(line, &mut Scratch::default(), &mut Damage::new(1)).unwrap();
    assert_eq!(event.headers, [("User-Agent".to_owned(), String::new())], "an empty value was sent, \"-\" was not");
    assert_eq!(event.response_bytes, None);
    assert!(format.named_headers().absence_is_known(&event, "referer"));
    assert!(!format.named_headers().absence_is_known(&event, "accept"));
}

#[test]
fn every_directive_of_the_list() {
    let format = r#"%h %a %{c}a %A %l "%u" %t %{usec}t %D %T %{ms}T %k %L %{c}L %p %{local}p %{remote}p %P %{tid}P %v %V %X "%r" %m "%U" %q %H %s %>s %<s %b %B %I %O %S "%f" "%{User-Agent}i" "%{Server}o" "%{VAR}e" "%{NOTE}n" "%{NAME}C" %{SSL_PROTOCOL}x "%{version}c" %R %^FB "%{X}^ti" 100%%"#;
    let line = r#"h.example 10.0.0.9 10.0.0.1 192.0.2.1 - "a b" [10/Oct/2000:13:55:36 -0700] 971211336123456 1500 0 1 3 - C8 8443 443 50000 77 12345 www.example alias.example + "GET /x%20y?q=\"1 HTTP/1.1" GET "/x y" ?q=\"1 HTTP/1.1 200 404 200 - 0 700 900 1600 "/srv/x y" "UA" "Apache" "-" "-" "-" TLSv1.3 "TLSv1.3" proxy-server 10 "-" 100%"#;
    let event = read(format, line).unwrap();
    assert_eq!((event.ts_ns, event.ts_resolution_ns), (971_211_336_123_456_000, 1_000));
    assert_eq!(event.src_ip, Some("10.0.0.1".parse().unwrap()));
    assert_eq!(event.client_ip, Some("10.0.0.9".parse().unwrap()));
    assert_eq!(event.dst_ip, Some("192.0.2.1".parse().unwrap()));
    assert_eq!(
        (event.src_port, event.dst_port, event.request_no, event.conn_id.as_deref()),
        (Some(50_000), Some(443), Some(3), Some("C8"))
    );
    assert_eq!(
        (event.server.as_deref(), event.host.as_deref(), event.scheme.as_deref()),
        (Some("www.example"), Some("alias.example"), Some("https"))
    );
    assert_eq!(
        (event.path.as_deref(), event.query.as_deref()),
        (Some("/x%20y"), Some("q=\"1")),
        "%r is preferred to the decoded %U"
    );
    assert_eq!(
        (event.status, event.duration_us, event.request_bytes, event.response_bytes),
        (Some(404), Some(1_500), Some(700), Some(900))
    );
}

#[test]
fn ambiguous_formats_are_refused_with_the_position() {
    assert_eq!(
        refusal("%a%h %t"),
        "cannot use this LogFormat: %a at position 1 is followed directly by %h at position 3; put a separator between them"
    );
    assert!(refusal("%t %{Referer}i %{User-Agent}i").contains("%{Referer}i at position 4 and %{User-Agent}i at position 16"));
    assert!(refusal("%t %D0").contains("%D at position 4 is a number and a digit follows"));
    assert!(refusal("%h %y %t").contains("%y at position 4 is no directive"));
    assert!(refusal("%h %r").contains("names no complete time"));
    assert!(refusal("%{%H:%M:%S}t").contains("names no complete time"));
    assert!(refusal("%{%c}t").contains("locale"));
    assert!(refusal("%t %i").contains("needs a name"));
    assert!(refusal("just text").contains("no directive"));
    // These look like it and are not.
    for fine in
        ["%t \"%{Referer}i\" \"%{User-Agent}i\"", "%t %m %U%q %H", "%t\t%{A}i\t%{B}i", "%{%F}t%{ %T}t %r", "%h %l %u %t %U %s"]
    {
        LogFormat::compile(fine).unwrap_or_else(|e| panic!("{fine}: {e}"));
    }
}

#[test]
fn text_outside_quotes_may_hold_its_terminator() {
    let event =
        read("%h %l %u %t \"%r\" %>s", r#"10.0.0.1 - a b [x] c [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.1" 200"#).unwrap();
    assert_eq!(event.status, Some(200));
    let event = read("%t %m %U%q %H %>s", "[10/Oct/2000:13:55:36 -0700] GET /a b c?x=1 HTTP/1.1 200").unwrap();
    assert_eq!((event.path.as_deref(), event.query.as_deref(), event.status), (Some("/a b c"), Some("x=1"), Some(200)));
    let event = read("%v:%p %a:%{remote}p %t", "[::1]:443 2001:10::1:50000 [10/Oct/2000:13:55:36 -0700]").unwrap();
    assert_eq!((event.src_ip, event.src_port, event.dst_port), (Some("2001:10::1".parse().unwrap()), Some(50_000), Some(443)));
    assert_eq!(event.server.as_deref(), Some("[::1]"));
}

#[test]
fn a_client_cannot_forge_fields() {
    let forged = br#"x" 200 1 "-" "Googlebot" 10.9.9.9 - - [01/Jan/2030:00:00:00 +0000] "GET /"#;
    let line = format!(r#"10.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.1" 404 5 "-" "{}""#, apache_escape(forged));
    let event = read(named("combined"), &line).unwrap();
    assert_eq!((event.status, event.src_ip), (Some(404), Some("10.0.0.1".parse().unwrap())));
    assert_eq!(event.header("user-agent").map(str::as_bytes), Some(forged.as_slice()));
}

#[test]
fn secrets_become_lengths() {
    let event =
        read("%t \"%{Cookie}i\" \"%{authorization}i\"", r#"[10/Oct/2000:13:55:36 -0700] "id=\"7\"" "Basic Zm9vOmJhcg==""#)
            .unwrap();
    assert_eq!(event.header("Cookie"), Some("6"));
    assert_eq!(event.header("Authorization"), Some("18"));
}

#[test]
fn times() {
    let at = |format: &str, line: &str| read(format, line).map(|e| (e.ts_ns, e.ts_resolution_ns));
    assert_eq!(
        at("%{%Y-%m-%dT%H:%M:%S}t.%{usec_frac}t%{%z}t", "2000-10-10T13:55:36.000042-0700"),
        Ok((971_211_336_000_042_000, 1_000))
    );
    assert_eq!(at("%{sec}t%{msec_frac}t", "0971211336042"), Ok((971_211_336_042_000_000, 1_000_000)));
    assert_eq!(at("%{sec}t.%{msec_frac}t", "971211336.042"), Ok((971_211_336_042_000_000, 1_000_000)));
    assert_eq!(at("%t %{usec_frac}t", "[10/Oct/2000:13:55:36 -0700] 000042"), Ok((971_211_336_000_042_000, 1_000)));
    assert_eq!(at("%{%d/%b/%y %I:%M:%S %p %Z}t", "10/Oct/00 08:55:36 PM UTC"), Ok((971_211_336_000_000_000, 1_000_000_000)));
    assert_eq!(at("%{%a %B %e %R %Y}t", "Tue October  1 00:00 2000"), Ok((970_358_400_000_000_000, 60_000_000_000)));
    assert_eq!(at("%{%Y-%j %H:%M:%S}t", "2000-284 20:55:36"), Ok((971_211_336_000_000_000, 1_000_000_000)));
    // The end of the response less its duration; whole seconds widen the interval.
    assert_eq!(at("%{end:usec}t %D", "971211336123456 456"), Ok((971_211_336_123_000_000, 1_000)));
    assert_eq!(at("%{end:sec}t %T", "971211336 5"), Ok((971_211_330_000_000_000, 2_000_000_000)));
    assert_eq!(at("%{begin:sec}t %{end:usec}t", "971211336 5"), Ok((971_211_336_000_000_000, 1_000_000_000)));
    let mut damage = Damage::new(1);
    assert!(read_with("%{end:sec}t", "971211336", &mut damage).is_ok());
    assert_eq!(damage.notes().next(), Some(("time is that of the end of the response", 1)));
}

#[test]
fn impossible_times_are_damage_and_no_panic() {
    for (format, line) in [
        ("%{usec}t", "-1"),
        ("%{usec}t", "9223372036854775807"),
        ("%{sec}t", "99999999999999999999999"),
        ("%{sec}t", "253402300799"),
        ("%t", "[31/Dec/9999:23:59:59 +0000]"),
        ("%t", "[31/Dec/1969:23:59:59 +0000]"),
        ("%t", "[00/Jan/2000:00:00:00 +0000]"),
        ("%{end:sec}t %T", "5 99999999999999"),
        ("%{%Y-%j %H:%M}t", "2000-000 00:00"),
        ("%!200t", "-"),
        ("%{usec}t", ""),
    ] {
        assert!(read(format, line).is_err(), "{format} {line}");
    }
}

#[test]
fn misfits_say_where() {
    let reason = read(named("combined"), r#"10.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.1" x"#).unwrap_err();
    assert_eq!(reason, r#"does not follow the LogFormat: %>s is expected at byte 59, where there is "x""#);
    let reason =
        read(named("common"), r#"10.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.1" 200 5 "extra""#).unwrap_err();
    assert!(reason.contains("the end of the record is expected"), "{reason}");
}

#[test]
fn host_names_and_http2() {
    let mut damage = Damage::new(1);
    let event = read_with("%h %t %k \"%r\"", r#"crawl.example.org [10/Oct/2000:13:55:36 -0700] 0 "GET / HTTP/2.0""#, &mut damage)
        .unwrap();
    assert_eq!((event.src_ip, event.request_no), (None, None), "Apache counts every HTTP/2 request as the first");
    assert!(damage.notes().any(|(note, _)| note.contains("HostnameLookups")));
}

/// A value as Apache would log it.
fn shown_value(value: Option<&[u8]>) -> String {
    value.map_or("-".to_owned(), apache_escape)
}

fn sent_bytes() -> impl Strategy<Value = Option<Vec<u8>>> {
    let byte = prop_oneof![4 => 0x20u8..0x7f, 1 => Just(b'"'), 1 => Just(b'\\'), 1 => Just(b' '), 2 => 1u8..=255];
    proptest::option::of(proptest::collection::vec(byte, 1..24)).prop_map(|v| v.filter(|v| v != b"-"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_apache_writes_comes_back(
        agent in sent_bytes(), referer in sent_bytes(), host in sent_bytes(), odd in sent_bytes(), tail in sent_bytes(),
        usec in 0i64..4_000_000_000_000_000, port in 1u16.., status in 100u16..600, bytes in any::<u64>(), us in any::<u64>(), no in any::<u32>(),
        peer in any::<std::net::Ipv6Addr>(), client in any::<std::net::Ipv4Addr>(),
        order in Just((0usize..12).collect::<Vec<_>>()).prop_shuffle(), used in 0usize..=12,
        separator in prop_oneof![Just(" "), Just("\t"), Just(" | "), Just("; "), Just(",\"k\":")],
    ) {
        let text = |v: &Option<Vec<u8>>| v.as_ref().map(|v| text_of(v).into_owned());
        let path = tail.as_ref().map(|t| [b"/".as_slice(), t].concat());
        let mut expected = HttpEvent { v: 1, ts_ns: usec * 1_000, ts_resolution_ns: 1_000, ..HttpEvent::default() };
        let (mut format, mut line) = ("%{usec}t".to_owned(), usec.to_string());
        let (mut src, mut cli) = (None, None);
        for which in order.into_iter().take(used) {
            let (directive, value) = match which {
                0 => { src = Some(std::net::IpAddr::V6(peer).to_canonical()); ("%{c}a".into(), peer.to_string()) }
                1 => { cli = Some(std::net::IpAddr::V4(client)); ("%a".into(), client.to_string()) }
                2 => { expected.src_port = Some(port); ("%{remote}p".into(), port.to_string()) }
                3 => { expected.status = Some(status); ("%>s".into(), status.to_string()) }
                4 => { expected.response_bytes = Some(bytes); ("%O".into(), bytes.to_string()) }
                5 => { expected.duration_us = Some(us); ("%D".into(), us.to_string()) }
                6 => { expected.request_no = Some(no); ("%k".into(), no.to_string()) }
                7 => { expected.path = text(&path); ("\"%U\"".into(), format!("\"{}\"", shown_value(path.as_deref()))) }
                n => {
                    let (name, value) = [("User-Agent", &agent), ("Referer", &referer), ("Host", &host), ("X-Odd", &odd)][n - 8];
                    expected.headers.extend(text(value).map(|v| (name.to_owned(), v)));
                    if name == "Host" { expected.host = text(value); }
                    (format!("\"%{{{name}}}i\""), format!("\"{}\"", shown_value(value.as_deref())))
                }
            };
            format.push_str(separator);
            format.push_str(&directive);
            line.push_str(separator);
            line.push_str(&value);
        }
        expected.src_ip = src.or(cli);
        expected.client_ip = cli.or(src);
        prop_assert_eq!(read(&format, &line), Ok(expected), "{} <- {}", format, line);
    }

    #[test]
    fn no_line_and_no_format_panics(line in proptest::collection::vec(any::<u8>(), 0..200), format in "([%{}<>!a-zA-Z0-9,:\" -]|%[a-zA-Z]| \"%r\"| %t){0,20}", cut in 0usize..200) {
        let valid = br#"10.0.0.1 - u v [10/Oct/2000:13:55:36 -0700] "GET /\xe9 HTTP/1.1" 200 5 "-" "\"x\\" 1 2"#;
        let spliced: Vec<u8> = valid.iter().take(cut).chain(&line).chain(valid.iter().skip(cut)).copied().collect();
        for format in NAMED_FORMATS.iter().map(|(_, f)| *f).chain([format.as_str()]) {
            if let Ok(format) = LogFormat::compile(format) {
                for line in [&line, &spliced, &valid[..cut.min(valid.len())].to_vec()] {
                    let _ = format.parse(line, &mut Scratch::default(), &mut Damage::new(1));
                }
            }
        }
    }
}
