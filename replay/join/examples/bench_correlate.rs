//! Measures the correlator and the enrichment from memory, on one core: `cargo run --release -p ja4-join --example bench_correlate
//! [CONNECTIONS [CONNECTIONS_PER_SECOND]]`.
//!
//! Promises: the traffic is the same in every run; making it is not measured; what is measured is time on the processor (Linux), so that
//! a busy machine does not change what a core can do. One handshake in five events, four requests on each.
//!
//! Read next: `docs/PERFORMANCE.md` for the figures.
#![allow(clippy::print_stdout, reason = "a benchmark prints")]

use std::net::{IpAddr, Ipv4Addr};

use ja4_event::{EVENT_VERSION, HttpEvent, NetworkEvent};
use ja4_join::correlate::{Correlator, CorrelatorConfig, Joined, SourceId};
use ja4_join::enrich::{Enricher, HttpSourceInfo};

enum Event {
    Network(NetworkEvent),
    Http(HttpEvent),
}

/// Events handed over at once.
const BATCH: usize = 1024;
const CHROME: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let connections: usize = std::env::args().nth(1).map_or(Ok(200_000), |text| text.parse())?;
    // How many connections begin in a second of event time: it decides how many requests wait at once.
    let rate: i64 = std::env::args().nth(2).map_or(Ok(4_000), |text| text.parse())?;
    let template: NetworkEvent = serde_json::from_value(serde_json::json!({
        "v": 1, "ts_ns": 0, "src_ip": "192.0.2.1", "src_port": 1, "dst_ip": "192.0.2.80", "dst_port": 443, "sni": "www.example",
        "alpn": ["h2", "http/1.1"], "tls_version": 772, "ja3": "cd08e31494f9531f560d64c695473da9",
        "ja4": "t13d1516h2_8daaf6152771_02713d6af862", "ja4t": "64240_2-4-8-1-3_1460_7", "tcp_options": "2-4-8-1-3",
    }))?;
    let mut correlator = Correlator::new(CorrelatorConfig::default());
    let mut enricher = Enricher::embedded()?;
    let source = HttpSourceInfo::default();
    let mut next = [0_usize; 5];
    let (mut count, mut rows, mut matched) = (0_usize, 0_usize, 0_usize);
    let (mut correlate_seconds, mut enrich_seconds) = (0.0, 0.0);
    let mut joined: Vec<Joined> = Vec::new();
    loop {
        // Made in small batches, as a reader would hand them over: fresh in the cache.
        let batch: Vec<(i64, Event)> =
            std::iter::from_fn(|| event(&mut next, connections, rate, &template)).take(BATCH).collect();
        let is_last = batch.len() < BATCH;
        count += batch.len();
        let start = cpu_seconds()?;
        let mut now_ns = 0;
        for (ts_ns, event) in batch {
            now_ns = ts_ns;
            match event {
                Event::Network(event) => correlator.network(event),
                Event::Http(event) => correlator.http(event, SourceId(0)),
            }
        }
        correlator.advance(now_ns);
        if is_last {
            correlator.finish();
        }
        correlator.take_joined(&mut joined);
        let between = cpu_seconds()?;
        for one in joined.drain(..) {
            rows += 1;
            matched += usize::from(enricher.row(&one, &source).hello_ts_ns > 0);
        }
        correlate_seconds += between - start;
        enrich_seconds += cpu_seconds()? - between;
        if is_last {
            break;
        }
    }
    println!("correlate: {count} events, {correlate_seconds:.2} s, {:.0} events/s", count as f64 / correlate_seconds);
    println!("enrich: {rows} rows, {matched} matched, {enrich_seconds:.2} s, {:.0} rows/s", rows as f64 / enrich_seconds);
    println!("{:?}", correlator.stats());
    for policy in correlator.policies() {
        println!("{policy:?}");
    }
    Ok(())
}

/// The earliest event not made yet: `next` counts hellos, then requests by their number on the connection.
fn event(next: &mut [usize; 5], connections: usize, rate: i64, template: &NetworkEvent) -> Option<(i64, Event)> {
    let time = |stream: usize, i: usize| {
        let hello_ns = 1_700_000_000_000_000_000 + i as i64 * 1_000_000_000 / rate.max(1);
        if stream == 0 { hello_ns } else { hello_ns + 40_000_000 + (stream as i64 - 1) * 700_000_000 }
    };
    let open = next.iter().enumerate().filter(|(_, i)| **i < connections);
    let (stream, i) = open.map(|(stream, i)| (stream, *i)).min_by_key(|(stream, i)| time(*stream, *i))?;
    if let Some(counter) = next.get_mut(stream) {
        *counter += 1;
    }
    let ts_ns = time(stream, i);
    let src_ip = IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + (i as u32).wrapping_mul(2_654_435_761) % 60_000));
    let src_port = 1024 + (i % 60_000) as u16;
    let made = match stream {
        0 => Event::Network(NetworkEvent { ts_ns, src_ip, src_port, ..template.clone() }),
        number => Event::Http(request(ts_ns, src_ip, src_port, i, number as u32 - 1)),
    };
    Some((ts_ns, made))
}

/// Time this process has spent on a processor, from `/proc/self/schedstat` (first number, ns).
fn cpu_seconds() -> Result<f64, Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string("/proc/self/schedstat")?;
    Ok(text.split_whitespace().next().unwrap_or("0").parse::<f64>()? / 1e9)
}

fn request(ts_ns: i64, src_ip: IpAddr, src_port: u16, connection: usize, number: u32) -> HttpEvent {
    let text = |text: &str| Some(text.to_owned());
    let headers = [
        ("Host", "www.example"),
        ("User-Agent", CHROME),
        ("Accept", "text/html,application/xhtml+xml"),
        ("Accept-Language", "en"),
        ("Accept-Encoding", "gzip, deflate, br"),
        ("Cookie", "120"),
        ("sec-ch-ua", "\"Chromium\";v=\"138\""),
        ("sec-fetch-site", "none"),
    ];
    HttpEvent {
        v: EVENT_VERSION,
        ts_ns,
        ts_resolution_ns: 1000,
        src_ip: Some(src_ip),
        src_port: Some(src_port),
        scheme: text("https"),
        method: text("GET"),
        host: text("www.example"),
        path: Some(format!("/articles/{}", connection % 5000)),
        query: Some(format!("page={number}&from={connection}")),
        http_version: text("HTTP/1.1"),
        status: Some(200),
        conn_id: Some(connection.to_string()),
        request_no: Some(number),
        response_bytes: Some(5000),
        duration_us: Some(900),
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        headers_complete: true,
        ..HttpEvent::default()
    }
}
