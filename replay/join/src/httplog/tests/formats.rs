//! `auto`: what is recognised, what is refused and with which sentence.

use super::super::{Format, HttpLog, HttpLogOptions, NAMED_FORMATS};
use super::{combined, open_bytes, read_all};

fn detected(line: &str) -> String {
    open_bytes(line).unwrap_or_else(|e| panic!("{line}: {e}")).format().unwrap()
}

#[test]
fn the_usual_formats_are_recognised() {
    let combined = combined(1);
    let common = combined.split(" \"-\"").next().unwrap().to_owned();
    let of = |format: &str| format!("LogFormat \"{}\"", super::super::shown(format.as_bytes(), 400));
    let named = |name: &str| of(NAMED_FORMATS.iter().find(|(n, _)| *n == name).unwrap().1);
    assert_eq!(detected(&combined), named("combined"));
    assert_eq!(detected(&common), named("common"));
    assert_eq!(detected(&format!("www.example:443 {combined}")), named("vhost_combined"));
    assert_eq!(detected(&format!("www.example {common}")), named("vhost_common"));
    assert_eq!(detected(&format!("{combined} 50000 443 10.0.0.1")), named("combined_ports"));
    assert!(detected(&format!("{combined} 50000 443")).contains("%{local}p"));
    assert_eq!(detected(&format!("{combined} 512 9876")), named("combinedio"));
    assert!(detected(&format!("{combined} 50000")).ends_with("%{remote}p\""));
    assert_eq!(detected(r#"{"v":1,"ts_ns":1,"src_ip":"10.0.0.1"}"#), "JSON lines of mod_reqin_log");
}

#[test]
fn what_was_guessed_is_said() {
    let notes = |line: String| open_bytes(line).unwrap().damage().notes().map(|(n, _)| n).collect::<Vec<_>>().join("\n");
    assert!(notes(format!("{} 50000 443", combined(1))).contains("were taken for %{remote}p %{local}p"));
    assert!(notes(combined(1)).contains("joined by time and host only"));
}

#[test]
fn damaged_first_lines_do_not_matter() {
    let (events, damage) =
        read_all(open_bytes(format!("13:55:36 -0700] \"GET / HT\n\n{}\n{}\n", combined(1), combined(2))).unwrap());
    assert_eq!((events.len(), damage.count()), (2, 1));
    let long = "x".repeat(1_000_000);
    let (events, damage) = read_all(open_bytes(format!("{long}\n{}\n", combined(1))).unwrap());
    assert_eq!((events.len(), damage.count()), (1, 1));
    assert!(damage.first()[0].reason.contains("1000000 bytes long"), "{}", damage.first()[0]);
}

#[test]
fn another_format_is_one_plain_sentence() {
    let error = open_bytes("2024-01-01 \x1b[31mnginx started\nsecond\n").unwrap_err().to_string();
    assert!(
        error.starts_with("cannot recognise the format of the HTTP log, which begins with \"2024-01-01 \\x1b[31mnginx started\""),
        "{error}"
    );
    assert!(error.contains("mod_reqin_log") && error.contains("(test.log)") && !error.contains('\n'), "{error}");
    let error = open_bytes("{\"level\":\"info\",\"msg\":\"started\"}\n").unwrap_err().to_string();
    assert!(error.contains("as a JSON record it has no version (v)"), "{error}");
}

#[test]
fn logs_of_other_programs_are_named_with_what_to_do() {
    for (line, what, advice) in [
        (
            r#"{"level":"info","ts":1.5,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":"::1"}}"#,
            "Caddy",
            "docs/JOIN.md",
        ),
        (r#"{"ClientHost":"10.0.0.1","ClientPort":"4711","RequestMethod":"GET"}"#, "Traefik", "docs/JOIN.md"),
        (r#"{"timestamp":"t","flow_id":1,"event_type":"http","src_ip":"10.0.0.1"}"#, "Suricata", "access log"),
        ("#separator \\x09", "Zeek", "access log"),
        (r#"{"time_local":"20/Nov/2026:19:26:07 +0000","remote_addr":"10.0.0.1"}"#, "nginx", "logformat-nginx.conf"),
        ("#Software: Microsoft Internet Information Services 10.0", "IIS", "c-port"),
        ("#Version: 1.0", "W3C extended", "docs/JOIN.md"),
        (
            r#"https 2018-07-02T22:23:00.1Z app/lb/50 192.168.131.39:2817 10.0.0.1:80 0 0 0 200 200 0 57 "GET https://a:443/ HTTP/1.1" "c" - - arn:aws:e"#,
            "Load Balancer",
            "combined",
        ),
        (
            r#"Feb  6 12:14:14 h haproxy[14389]: 10.0.1.2:33317 [06/Feb/2009:12:14:14.655] in s/1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 "GET / HTTP/1.1""#,
            "HAProxy",
            "log-format",
        ),
        ("2026/11/20 19:00:00 [error] 7#7: *1 open() failed, client: 10.0.0.1", "error log of nginx", "access log"),
        ("[Fri Nov 20 19:00:00.1 2026] [core:error] [pid 7] [client 10.0.0.1:1] no", "error log of Apache", "access log"),
    ] {
        let error = open_bytes(format!("{line}\n{line}\n")).unwrap_err().to_string();
        assert!(error.contains(what) && error.contains(advice) && error.contains("which is not read"), "{line}: {error}");
    }
}

#[test]
fn what_is_no_log_is_named() {
    for (bytes, what) in [
        (b"\xd4\xc3\xb2\xa1\x02\x00\x04\x00".as_slice(), "a packet capture (pcap)"),
        (b"\x0a\x0d\x0d\x0a\x1c\x00\x00\x00", "a packet capture (pcapng)"),
        (b"\xfd7zXZ\x00\x00", "compressed by xz"),
        (b"\x00\x01\x02\x00\x00\x07\n\x00\x00", "binary data"),
        (b"\xff\xfe{\x00", "text in UTF-16"),
    ] {
        let error = open_bytes(bytes).unwrap_err().to_string();
        assert!(error.starts_with(&format!("this is {what}, not an HTTP log; ")) && error.ends_with("(test.log)"), "{error}");
    }
    let error = HttpLog::open(std::path::Path::new("/"), &HttpLogOptions::default()).unwrap_err().to_string();
    assert!(error.contains("a folder"), "{error}");
    let error = HttpLog::open(std::path::Path::new("/no/such\x1b.log"), &HttpLogOptions::default()).unwrap_err().to_string();
    assert!(error.starts_with("cannot open the HTTP log: No such file") && error.ends_with("(/no/such\\x1b.log)"), "{error}");
}

#[test]
fn nothing_is_fine_and_says_why() {
    for (bytes, why) in [("", "the HTTP log is empty (test.log)"), ("\n \n", "the HTTP log holds blank lines only (test.log)")] {
        let mut log = open_bytes(bytes).unwrap();
        assert_eq!(log.next_event(), None);
        assert_eq!(log.zero_reason().as_deref(), Some(why));
    }
    let options = HttpLogOptions { format: "common".parse().unwrap(), ..HttpLogOptions::default() };
    let mut log = HttpLog::from_reader("x", Box::new("what\n".as_bytes()), None, &options).unwrap();
    assert_eq!(log.next_event(), None);
    assert!(
        log.zero_reason()
            .unwrap()
            .starts_with("no request could be read, all 1 records are damaged; the first: x line 1, byte 0: does not")
    );
}

#[test]
fn names_and_format_strings() {
    assert_eq!("auto".parse::<Format>().unwrap(), Format::Auto);
    assert_eq!("reqin".parse::<Format>().unwrap(), Format::Json);
    assert!(matches!("combined".parse::<Format>().unwrap(), Format::LogFormat(f) if f.contains("%{Referer}i")));
    assert!(matches!("LogFormat \"%h %t\" x".parse::<Format>().unwrap(), Format::LogFormat(_)));
    assert!("combinde".parse::<Format>().unwrap_err().to_string().contains("combinedio"));
    assert!("%h%a".parse::<Format>().is_err());
    for (name, _) in NAMED_FORMATS {
        name.parse::<Format>().unwrap();
    }
}
