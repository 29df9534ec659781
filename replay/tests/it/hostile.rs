//! Text as visitors send it reaches every sink as it was, and no terminal or log raw.

use serde_json::json;

use crate::support::{Site, acknowledged, handshake, metric, request};

#[test]
fn hostile_text_reaches_every_sink_as_sent_and_no_log_raw() {
    let site = Site::new();
    let (file, store) = (site.path("out/rows.jsonl"), site.path("out/rows.duckdb"));
    let settings = ["--file", file.to_str().unwrap(), "--store", store.to_str().unwrap(), "--stdout", "--sync-ms", "5"];
    let running = site.start(&settings);
    let nasty = "q\"'`;--\\ \0 \u{1b}[2J\u{1b}]0;x\u{7} \u{202e}rtl\u{2066} \u{9b}31m \r\n\u{feff}\u{e0041} ü漢";
    let long = "L".repeat(60_000);
    let mut texts = Vec::new();
    for (n, path) in (0..).zip([format!("/{nasty}"), format!("/{long}"), "/plain".to_owned()]) {
        let mut hello = handshake(n);
        hello["sni"] = json!(nasty);
        hello["alpn"] = json!(["h2", nasty]);
        let mut event = request(n);
        event["path"] = json!(path);
        event["host"] = json!(format!("{nasty}.example"));
        event["headers"] = json!([["User-Agent", nasty]]);
        texts.push(path);
        site.send("run/network", &hello);
        site.send("run/http", &event);
    }
    // Bytes that are no UTF-8, as no JSON writer sends them: each becomes the four characters \xHH.
    let raw = request(9).to_string().replace("/9", "/bad-\u{1}").into_bytes();
    let raw: Vec<u8> = raw.into_iter().flat_map(|byte| if byte == 1 { vec![0xff, 0xc3] } else { vec![byte] }).collect();
    site.send_bytes("run/http", &raw);
    texts.push("/bad-\\xff\\xc3".to_owned());
    // What is no event is counted, and its text told nowhere.
    for bad in [&b"\x1b[2J not json"[..], b"{\"v\":2}", b"", b"{\"v\":1,\"ts_ns\":1,\"src_ip\":\"1.2.3.4\",\"v\":1}"] {
        site.send_bytes("run/http", bad);
        site.send_bytes("run/network", bad);
    }
    running
        .wait_for("/metrics", |_, body| metric(body, &acknowledged("http")) >= 8 && metric(body, &acknowledged("network")) >= 7);
    let damaged = |stream: &str| {
        running.metric(&format!("ja4_events_total{{fate=\"dropped_damaged\",stage=\"join\",stream=\"{stream}\"}}"))
    };
    assert_eq!((damaged("http"), damaged("network")), (4, 4));
    running.stop();

    texts.sort();
    let paths = |rows: Vec<serde_json::Value>| {
        let mut paths: Vec<String> = rows.iter().map(|row| row["path"].as_str().unwrap().to_owned()).collect();
        paths.sort();
        paths
    };
    assert_eq!(paths(site.rows("out/rows.jsonl")), texts);
    assert_eq!(paths(site.rows("stdout")), texts);
    let row = site.rows("out/rows.jsonl").into_iter().find(|row| row["path"].as_str().unwrap().starts_with("/q")).unwrap();
    assert_eq!((&row["user_agent"], &row["sni"]), (&json!(nasty), &json!(nasty)));
    assert_eq!(row["alpn"], format!("h2,{nasty}"));
    let connection = duckdb::Connection::open(&store).unwrap();
    let mut statement = connection.prepare("SELECT path, user_agent, sni FROM ja4_logs.http_logs").unwrap();
    let stored =
        statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?)));
    let stored: Vec<_> = stored.unwrap().map(Result::unwrap).collect();
    let mut stored_paths: Vec<String> = stored.iter().map(|row| row.0.clone()).collect();
    stored_paths.sort();
    assert_eq!(stored_paths, texts);
    assert_eq!(stored.iter().filter(|row| row.1 == nasty && row.2 == nasty).count(), 3);
    for name in ["log", "stdout", "out/rows.jsonl"] {
        let text = std::fs::read_to_string(site.path(name)).unwrap();
        let acts = |c: &char| {
            c.is_control() && *c != '\n' || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
        };
        assert_eq!(text.chars().find(acts), None, "{name}");
    }
}
