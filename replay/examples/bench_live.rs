//! Rates of the live path: `cargo run --release --workspace --example bench_live -- [CONNECTIONS]`.
//!
//! Each on the same events (one handshake in five, four requests on each): the correlator from memory against DuckDB's ASOF JOIN (both one
//! thread, time on the processor), once over everything at once and once as a live join has to answer, every 100 ms with half a million
//! handshakes remembered; the way from JSON datagrams in memory to rows; datagrams through a socket to the journal and the join (wall time;
//! the sender waits when the kernel's queue is full, so none is lost). Segments go to a folder in memory.
//!
//! Promises: making events is not measured; what is compared runs in one process, one after the other.
//!
//! Read next: docs/PERFORMANCE.md for the figures.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a benchmark prints and measures")]

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use duckdb::Connection;
use ja4_event::{HttpEvent, NetworkEvent};
use ja4_join::correlate::{Correlator, CorrelatorConfig, SourceId};
use ja4_join::enrich::Enricher;
use ja4_replay::live::Stream;
use ja4_replay::live::clock::Delays;
use ja4_replay::live::daemon::{self, Driver, LiveConfig, Parts};
use ja4_replay::live::join::Joiner;
use ja4_replay::live::sinks::{FileConfig, FileSink};
use ja4_replay::live::socket::SocketConfig;
use ja4_replay::live::status::Status;
use ja4_replay::metrics::Registry;
use ja4_replay::spool::{Limits, WhenFull};
use serde_json::json;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const TABLES: &str = include_str!("../../sql/testing/bench_asof_tables.sql");
const ASOF: &str = include_str!("../../sql/testing/bench_asof.sql");
const FORGET: &str = include_str!("../../sql/testing/bench_asof_step.sql");
const T0: i64 = 1_760_000_000_000_000_000;
const S: i64 = 1_000_000_000;
const RATE: i64 = 4_000;
/// Handshakes of earlier connections in the live comparison, and its steps of [`STEP_NS`].
const REMEMBERED: u32 = 500_000;
const STEPS: u32 = 20;
const STEP_NS: i64 = S / 10;

fn main() -> Outcome<()> {
    let connections: u32 = std::env::args().nth(1).map_or(Ok(100_000), |text| text.parse())?;
    let events = events(connections)?;
    println!("{} events of {connections} connections", events.len());
    let ours = correlate(&events)?;
    let theirs = asof(&events)?;
    println!("correlator from memory: {:.0} events/s", events.len() as f64 / ours);
    println!("DuckDB ASOF JOIN:       {:.0} events/s; ours / theirs = {:.2}", events.len() as f64 / theirs, theirs / ours);
    let (ours, theirs) = (live_correlate()?, live_asof()?);
    let live = f64::from(STEPS) * events_of_step() as f64;
    println!("live, answered every 100 ms, {REMEMBERED} handshakes remembered:");
    println!("  correlator:       {:.0} events/s", live / ours);
    println!("  DuckDB ASOF JOIN: {:.0} events/s; ours / theirs = {:.1}", live / theirs, theirs / ours);
    let texts = texts(&events)?;
    println!("JSON in memory to rows: {:.0} events/s", events.len() as f64 / rows(&texts)?);
    for cap in [None, Some(50_000.0)] {
        let (sent, seconds, joined) = sockets(&texts, cap)?;
        let limit = cap.map_or_else(|| "as fast as it goes".to_owned(), |rate| format!("at {rate:.0} a second"));
        println!("sockets, {limit}: {sent} datagrams sent, {:.0} a second, {joined} acknowledged", sent as f64 / seconds);
    }
    Ok(())
}

enum Event {
    Network(NetworkEvent),
    Http(HttpEvent),
}

/// In order of time.
fn events(connections: u32) -> Outcome<Vec<(i64, Event)>> {
    let mut all = Vec::new();
    for n in 0..connections {
        let hello_ns = T0 + i64::from(n) * S / RATE;
        all.push((hello_ns, handshake(n, hello_ns)?));
        for number in 0..4 {
            let ts_ns = hello_ns + 40_000_000 + number * 700_000_000;
            all.push((ts_ns, request(n, ts_ns, number)?));
        }
    }
    all.sort_by_key(|(ts_ns, _)| *ts_ns);
    Ok(all)
}

fn client(n: u32) -> (String, u32) {
    (format!("10.{}.{}.{}", n >> 16 & 255, n >> 8 & 255, n & 255), 1024 + n % 60_000)
}

fn handshake(n: u32, ts_ns: i64) -> Outcome<Event> {
    let (ip, port) = client(n);
    Ok(Event::Network(serde_json::from_value(json!({
        "v": 1, "ts_ns": ts_ns, "src_ip": ip, "src_port": port, "dst_ip": "192.0.2.80", "dst_port": 443, "sni": "www.example",
        "alpn": ["h2", "http/1.1"], "tls_version": 772, "ja3": "cd08e31494f9531f560d64c695473da9",
        "ja4": "t13d1516h2_8daaf6152771_02713d6af862", "ja4t": "64240_2-4-8-1-3_1460_7", "tcp_options": "2-4-8-1-3"
    }))?))
}

/// Request `number` of connection `n`.
fn request(n: u32, ts_ns: i64, number: i64) -> Outcome<Event> {
    let (ip, port) = client(n);
    Ok(Event::Http(serde_json::from_value(json!({
        "v": 1, "ts_ns": ts_ns, "ts_resolution_ns": 1000, "src_ip": ip, "src_port": port, "dst_ip": "192.0.2.80", "dst_port": 443,
        "conn_id": n.to_string(), "request_no": number, "scheme": "https", "method": "GET", "host": "www.example",
        "path": format!("/articles/{}", n % 5000), "query": format!("page={number}"), "http_version": "HTTP/1.1", "status": 200,
        "response_bytes": 5000, "duration_us": 900,
        "headers": [["Host", "www.example"], ["User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/138.0.0.0"],
            ["Accept", "text/html,application/xhtml+xml"], ["Accept-Language", "en"], ["Accept-Encoding", "gzip, deflate, br"], ["Cookie", "120"]]
    }))?))
}

/// Events of a step of the live comparison: new connections and, on connections of any age, four times as many requests.
fn step(number: u32) -> Outcome<Vec<(i64, Event)>> {
    let connections = u32::try_from(RATE * STEP_NS / S)?;
    let begin_ns = T0 + i64::from(number) * STEP_NS;
    let first = REMEMBERED + number * connections;
    let mut all = Vec::new();
    for n in first..first + connections {
        let ts_ns = begin_ns + i64::from(n - first) * S / RATE;
        all.push((ts_ns, handshake(n, ts_ns)?));
        for request_no in 0..4 {
            // A step through the remembered ones that meets few of them twice.
            let old = (n * 4 + u32::try_from(request_no)?).wrapping_mul(2_654_435_761) % REMEMBERED;
            all.push((ts_ns + 1 + request_no, request(old, ts_ns + 1 + request_no, request_no)?));
        }
    }
    Ok(all)
}

fn events_of_step() -> i64 {
    RATE * STEP_NS / S * 5
}

/// Processor time of all steps; what fills the memory before is not measured.
fn live_correlate() -> Outcome<f64> {
    let mut correlator = Correlator::new(CorrelatorConfig::default());
    for n in 0..REMEMBERED {
        if let Event::Network(event) = handshake(n, T0 - 300 * S + i64::from(n) * 1_000)? {
            correlator.network(event);
        }
    }
    let (mut joined, mut seconds) = (Vec::new(), 0.0);
    for number in 0..STEPS {
        let events = step(number)?;
        let begin = cpu_seconds()?;
        for (_, event) in events {
            match event {
                Event::Network(event) => correlator.network(event),
                Event::Http(event) => correlator.http(event, SourceId(0)),
            }
        }
        // Everything of this step may be decided: nothing follows it.
        correlator.advance(T0 + i64::from(number + 1) * STEP_NS + 10 * S + S / 10);
        correlator.take_joined(&mut joined);
        seconds += cpu_seconds()? - begin;
        joined.clear();
    }
    println!(
        "  joined live {} exact of {}",
        correlator.stats().by_kind.first().copied().unwrap_or(0),
        correlator.stats().requests
    );
    Ok(seconds)
}

/// The same with tables; loading them is not measured.
fn live_asof() -> Outcome<f64> {
    let connection = Connection::open_in_memory_with_flags(duckdb::Config::default().threads(1)?)?;
    connection.execute_batch(TABLES)?;
    let old: Outcome<Vec<_>> = (0..REMEMBERED).map(|n| Ok((0, handshake(n, T0 - 300 * S + i64::from(n) * 1_000)?))).collect();
    load(&connection, &old?)?;
    let mut seconds = 0.0;
    for number in 0..STEPS {
        connection.execute_batch(FORGET)?;
        load(&connection, &step(number)?)?;
        let begin = cpu_seconds_of_process()?;
        connection.execute_batch(ASOF)?;
        seconds += cpu_seconds_of_process()? - begin;
    }
    Ok(seconds)
}

fn correlate(events: &[(i64, Event)]) -> Outcome<f64> {
    let mut correlator = Correlator::new(CorrelatorConfig::default());
    let (mut joined, mut rows, mut seconds) = (Vec::new(), 0, 0.0);
    for batch in events.chunks(1024) {
        let copies: Vec<(i64, Event)> = batch.iter().map(|(ts_ns, event)| (*ts_ns, copy(event))).collect();
        let begin = cpu_seconds()?;
        let mut now_ns = 0;
        for (ts_ns, event) in copies {
            now_ns = ts_ns;
            match event {
                Event::Network(event) => correlator.network(event),
                Event::Http(event) => correlator.http(event, SourceId(0)),
            }
        }
        correlator.advance(now_ns);
        correlator.take_joined(&mut joined);
        rows += joined.len();
        seconds += cpu_seconds()? - begin;
        joined.clear();
    }
    let begin = cpu_seconds()?;
    correlator.finish();
    correlator.take_joined(&mut joined);
    seconds += cpu_seconds()? - begin;
    println!("  joined {} rows, {} exact", rows + joined.len(), correlator.stats().by_kind.first().copied().unwrap_or(0));
    Ok(seconds)
}

fn copy(event: &Event) -> Event {
    match event {
        Event::Network(event) => Event::Network(event.clone()),
        Event::Http(event) => Event::Http(event.clone()),
    }
}

/// Loading the tables is not measured. The best of three.
fn asof(events: &[(i64, Event)]) -> Outcome<f64> {
    let connection = Connection::open_in_memory_with_flags(duckdb::Config::default().threads(1)?)?;
    connection.execute_batch(TABLES)?;
    load(&connection, events)?;
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        let begin = cpu_seconds_of_process()?;
        connection.execute_batch(ASOF)?;
        best = best.min(cpu_seconds_of_process()? - begin);
    }
    Ok(best)
}

/// Into the tables of [`TABLES`].
fn load(connection: &Connection, events: &[(i64, Event)]) -> Outcome<()> {
    let (mut handshakes, mut requests) = (connection.appender("handshakes")?, connection.appender("requests")?);
    let number = |ip: std::net::IpAddr| if let std::net::IpAddr::V4(ip) = ip { ip.to_bits() } else { 0 };
    for (_, event) in events {
        match event {
            Event::Network(event) => {
                handshakes.append_row(duckdb::params![
                    event.ts_ns,
                    number(event.src_ip),
                    event.src_port,
                    event.sni,
                    event.ja4
                ])?;
            }
            Event::Http(event) => {
                let ip = event.src_ip.map(number);
                requests.append_row(duckdb::params![event.ts_ns, ip, event.src_port, event.host, event.path])?;
            }
        }
    }
    handshakes.flush()?;
    Ok(requests.flush()?)
}

fn texts(events: &[(i64, Event)]) -> Outcome<Vec<(Stream, Vec<u8>)>> {
    let text = |event: &Event| -> Outcome<(Stream, Vec<u8>)> {
        Ok(match event {
            Event::Network(event) => (Stream::Network, serde_json::to_vec(event)?),
            Event::Http(event) => (Stream::Http, serde_json::to_vec(event)?),
        })
    };
    events.iter().map(|(_, event)| text(event)).collect()
}

fn rows(texts: &[(Stream, Vec<u8>)]) -> Outcome<f64> {
    let status = Status::new(Registry::new());
    let mut joiner = Joiner::new(CorrelatorConfig::default(), Delays::default(), Enricher::embedded()?, &[], status);
    let mut rows = 0;
    let begin = cpu_seconds()?;
    for batch in texts.chunks(1024) {
        for (stream, text) in batch {
            match stream {
                Stream::Http => joiner.http(text, 0),
                Stream::Network => joiner.network(text, 0),
            }
        }
        if let Some(watermark_ns) = joiner.due(0) {
            joiner.advance(watermark_ns);
        }
        rows += joiner.take(0).rows.len();
    }
    joiner.finish();
    rows += joiner.take(0).rows.len();
    let seconds = cpu_seconds()? - begin;
    println!("  made {rows} rows");
    Ok(seconds)
}

/// Sends everything; gives how many were sent, in how many seconds, and how many were acknowledged at the end.
fn sockets(texts: &[(Stream, Vec<u8>)], rate: Option<f64>) -> Outcome<(usize, f64, u64)> {
    let memory = Path::new("/dev/shm");
    let folder = std::env::temp_dir().join(format!("ja4-bench-{}", std::process::id()));
    let folder = if memory.is_dir() { memory.join(folder.file_name().unwrap_or_default()) } else { folder };
    std::fs::create_dir_all(folder.join("run"))?;
    let socket = |name: &str| Some(SocketConfig { path: folder.join("run").join(name), group: None, users: Vec::new() });
    let limits = || Limits { total_bytes: 4 << 30, when_full: WhenFull::Refuse, ..Limits::default() };
    let config = LiveConfig {
        http: socket("http"),
        network: socket("network"),
        logs: Vec::new(),
        spool: folder.join("spool"),
        journal: limits(),
        outbox: limits(),
        queue_bytes: 64 << 20,
        sync_ns: 100_000_000,
        correlator: CorrelatorConfig::default(),
        delays: Delays::default(),
        reference: None,
        stop_ns: 60_000_000_000,
    };
    let daemon = daemon::open(config, None, None)?;
    let begin = Instant::now();
    let driver = Driver {
        ticker: Arc::new(move || i64::try_from(begin.elapsed().as_nanos()).unwrap_or(i64::MAX)),
        tell: Arc::new(|_, topic, text| println!("  {topic}: {text}")),
        status: Status::new(Registry::new()),
        stop: Arc::new(AtomicBool::new(false)),
        reload: Arc::default(),
    };
    let file = FileConfig { path: folder.join("rows.jsonl"), rotate_bytes: 256 << 20, keep: 1 };
    let sink = FileSink::new(file, &folder);
    let (sent, seconds) = std::thread::scope(|scope| -> Outcome<(usize, f64)> {
        let running = scope.spawn(|| daemon.run(Parts { sinks: vec![Box::new(sink)], ..Parts::default() }, &driver).map(drop));
        while !driver.status.is_ready() {
            std::thread::sleep(Duration::from_millis(5));
        }
        let client = UnixDatagram::unbound()?;
        let paths = [folder.join("run/http"), folder.join("run/network")];
        let begin = Instant::now();
        for (number, (stream, text)) in texts.iter().enumerate() {
            let [http, network] = &paths;
            client.send_to(text, if *stream == Stream::Http { http } else { network })?;
            if let Some(rate) = rate.filter(|_| number % 64 == 0) {
                let due = Duration::from_secs_f64(number as f64 / rate);
                std::thread::sleep(due.saturating_sub(begin.elapsed()));
            }
        }
        let seconds = begin.elapsed().as_secs_f64();
        driver.stop.store(true, Ordering::Relaxed);
        running.join().map_err(|_| "the live path panicked")??;
        Ok((texts.len(), seconds))
    })?;
    let acknowledged = driver.status.http.acknowledged.get() + driver.status.network.acknowledged.get();
    std::fs::remove_dir_all(&folder)?;
    Ok((sent, seconds, acknowledged))
}

/// Time this thread has spent on a processor (first number, ns).
fn cpu_seconds() -> Outcome<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split_whitespace().next().unwrap_or("0").parse::<f64>()? / 1e9)
}

/// The same for all threads, in clock ticks: DuckDB may use one of its own.
fn cpu_seconds_of_process() -> Outcome<f64> {
    let mut seconds = 0.0;
    for task in std::fs::read_dir("/proc/self/task")? {
        let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
        seconds += text.split_whitespace().next().unwrap_or("0").parse::<f64>()? / 1e9;
    }
    Ok(seconds)
}
