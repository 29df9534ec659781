//! Exactly once through a bad network: a proxy that is down, slow, answers 500, cuts requests anywhere and resets after the commit.
//!
//! Promises: the oracle is the row keys themselves; the sums behind the views must agree too, since a retried block that is dropped
//! from the table and counted again in a view is a doubled row as well.
//!
//! Read next: `replay/src/store/clickhouse/append.rs`.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ja4_join::row::HttpLogRow;
use ja4_replay::spool::rows::{decode, encode};
use ja4_replay::spool::{Limits, Record, Spool};
use ja4_replay::store::{self, OpenOptions, Store};

use crate::server::Server;
use crate::support::query;

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fate {
    Passes,
    /// The connection is closed before anything is read.
    Refused,
    /// Nothing moves for a while.
    Slow,
    /// Something between answers in the server's place.
    Answers500,
    /// Only the first so many thousandths of the request arrive.
    Cut(u64),
    /// The server does it, and the answer is lost.
    ResetAfterCommit,
}

/// A repeatable choice: enough requests pass for the test to end.
pub fn fate(number: u64) -> Fate {
    let dice = dice(number);
    match dice % 10 {
        0 => Fate::Refused,
        1 => Fate::Slow,
        2 => Fate::Answers500,
        3 | 4 => Fate::Cut(dice / 10 % 1000),
        5 | 6 => Fate::ResetAfterCommit,
        _ => Fate::Passes,
    }
}

/// A number without pattern, the same every time.
pub fn dice(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17).wrapping_mul(0xd6e8_feb8_6659_fd93) >> 33
}

/// Stands between a program and the server.
pub struct Proxy {
    pub port: u16,
    pub requests: Arc<AtomicU64>,
    /// Requests that did not simply pass.
    pub troubles: Arc<AtomicU64>,
}

impl Proxy {
    /// `fate` decides by the number of the request, before anything of it is read.
    pub fn start(server: String, fate: impl Fn(u64) -> Fate + Send + Sync + 'static) -> Self {
        Self::serve(server, fate, |_| None)
    }

    /// `fate` decides by the bytes of the whole request.
    fn start_by_length(server: String, fate: impl Fn(usize) -> Fate + Send + Sync + 'static) -> Self {
        Self::serve(server, |_| Fate::Passes, move |bytes| Some(fate(bytes)))
    }

    fn serve(
        server: String,
        fate: impl Fn(u64) -> Fate + Send + Sync + 'static,
        by_length: impl Fn(usize) -> Option<Fate> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let proxy = Self { port, requests: Arc::default(), troubles: Arc::default() };
        let (requests, troubles, fate) = (Arc::clone(&proxy.requests), Arc::clone(&proxy.troubles), Arc::new(fate));
        let by_length = Arc::new(by_length);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (requests, troubles, fate, server) =
                    (Arc::clone(&requests), Arc::clone(&troubles), Arc::clone(&fate), server.clone());
                let by_length = Arc::clone(&by_length);
                std::thread::spawn(move || {
                    let fate = fate(requests.fetch_add(1, Ordering::Relaxed));
                    if fate != Fate::Passes {
                        troubles.fetch_add(1, Ordering::Relaxed);
                    }
                    // A broken connection is what this is about.
                    let _ = pass(client, &server, fate, &*by_length);
                });
            }
        });
        proxy
    }
}

/// One request of a connection, which is closed afterwards.
fn pass(mut client: TcpStream, server: &str, fate: Fate, by_length: &dyn Fn(usize) -> Option<Fate>) -> std::io::Result<()> {
    if fate == Fate::Refused {
        return client.shutdown(Shutdown::Both);
    }
    let request = read_request(&mut client)?;
    let fate = by_length(request.len()).unwrap_or(fate);
    match fate {
        Fate::Answers500 => {
            client.write_all(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\nConnection: close\r\n\r\noops")?;
            return client.shutdown(Shutdown::Both);
        }
        Fate::Slow => std::thread::sleep(Duration::from_millis(150)),
        _ => {}
    }
    let mut upstream = TcpStream::connect(server)?;
    if let Fate::Cut(thousandths) = fate {
        let end = request.len() * usize::try_from(thousandths).unwrap() / 1000;
        upstream.write_all(&request[..end])?;
        upstream.shutdown(Shutdown::Both)?;
        return client.shutdown(Shutdown::Both);
    }
    upstream.write_all(&request)?;
    let mut answer = Vec::new();
    upstream.read_to_end(&mut answer)?;
    if fate != Fate::ResetAfterCommit {
        client.write_all(&answer)?;
    }
    client.shutdown(Shutdown::Both)
}

/// A whole request, asked to be the last of its connection.
fn read_request(client: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        match client.read(&mut buffer)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            n => bytes.extend_from_slice(&buffer[..n]),
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    let complete = |bytes: &[u8]| match length {
        Some(length) => bytes.len() >= head + length,
        None => bytes.ends_with(b"\r\n0\r\n\r\n") || !text.contains("chunked"),
    };
    while !complete(&bytes) {
        match client.read(&mut buffer)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            n => bytes.extend_from_slice(&buffer[..n]),
        }
    }
    bytes.splice(head - 2..head - 2, *b"Connection: close\r\n");
    Ok(bytes)
}

#[test]
fn a_connection_cut_at_a_hundred_places_of_an_insert_loses_and_doubles_nothing() {
    let Some(server) = Server::start() else { return };
    store::open(&server.address, &OpenOptions::default()).unwrap().migrate().unwrap();
    // Only the insert itself is cut: of every three requests (keys, insert, keys of the repetition) none but a POST with rows is long.
    let cuts = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&cuts);
    let proxy = Proxy::start_by_length(server.host_port(), move |bytes| {
        if bytes < 4096 {
            return Fate::Passes;
        }
        let number = counted.fetch_add(1, Ordering::Relaxed);
        // Each insert is cut once and then let through.
        if number.is_multiple_of(2) { Fate::Cut(dice(number) % 1000) } else { Fate::Passes }
    });
    let address = PathBuf::from(format!("clickhouse://default@127.0.0.1:{}/?timeout=60", proxy.port));
    let mut store = store::open(&address, &OpenOptions::default()).unwrap();
    for insert in 0..100 {
        // One day, so one block.
        let rows: Vec<HttpLogRow> = (0..50).map(|row| row_of((insert * 50 + row) * 2)).collect();
        let ((), failures) = retried(|| store.append(&rows).map(drop));
        assert_eq!(failures, 1, "insert {insert} was not cut once");
    }
    assert_eq!(cuts.load(Ordering::Relaxed), 200);
    let counted =
        query(&server.address, "SELECT count(*) AS stored, count(DISTINCT row_lo) AS distinct_rows FROM ja4_logs.http_logs");
    assert_eq!(counted[0], serde_json::json!({ "stored": 5000, "distinct_rows": 5000 }));
    assert_eq!(query(&server.address, "SELECT sum(hits) AS n FROM ja4_processing.agg_path_1h")[0]["n"], 5000);
}

#[test]
fn nothing_is_lost_and_nothing_doubled_through_a_bad_network() {
    let Some(server) = Server::start() else { return };
    let mut direct = store::open(&server.address, &OpenOptions::default()).unwrap();
    direct.migrate().unwrap();
    let proxy = Proxy::start(server.host_port(), fate);
    let address = PathBuf::from(format!("clickhouse://default@127.0.0.1:{}/?timeout=60", proxy.port));
    // Only opening may fail here: then it is tried again, as a service does.
    let mut store = retried(|| store::open(&address, &OpenOptions::default())).0;
    let (batches, rows_each) = (30, 200_u64);
    let folder = server.folder().join("spool");
    let mut spool = open_spool(&folder);
    let mut failures = 0;
    for batch in 0..batches {
        // Every batch crosses midnight, so that it is two blocks of which only one may have been stored.
        let rows: Vec<HttpLogRow> = (0..rows_each).map(|row| row_of(batch * rows_each + row)).collect();
        spool.append(&[Record { kind: 1, payload: &encode(&rows) }]).unwrap();
        spool.sync().unwrap();
        // One try each time: what fails waits in the spool. Sometimes the process dies between the answer and its note of it.
        let dies = batch % 6 == 5;
        failures += u64::from(deliver(&mut spool, &mut *store, !dies) == Some(false));
        if dies {
            drop(spool);
            spool = open_spool(&folder);
        }
    }
    let drained = Instant::now();
    while let Some(done) = deliver(&mut spool, &mut *store, true) {
        failures += u64::from(!done);
        assert!(drained.elapsed() < Duration::from_secs(300), "the spool does not become empty");
    }
    eprintln!("drained in {:.1} s", drained.elapsed().as_secs_f64());
    let sent = batches * rows_each;
    let troubles = proxy.troubles.load(Ordering::Relaxed);
    eprintln!(
        "{sent} rows, {} requests, {troubles} of them in trouble, {failures} calls repeated",
        proxy.requests.load(Ordering::Relaxed)
    );
    assert!(troubles > batches / 2 && failures > batches / 3, "the network was not bad enough to mean anything");
    let counted = query(
        &server.address,
        "SELECT count(*) AS stored, count(DISTINCT row_lo) AS distinct_rows, min(row_lo) AS first, max(row_lo) AS last FROM ja4_logs.http_logs",
    );
    assert_eq!(counted[0], serde_json::json!({ "stored": sent, "distinct_rows": sent, "first": 0, "last": sent - 1 }));
    for view in ["agg_host_1h", "agg_src_ip_1h", "agg_session_1h", "agg_path_1h"] {
        assert_eq!(query(&server.address, &format!("SELECT sum(hits) AS n FROM ja4_processing.{view}"))[0]["n"], sent, "{view}");
    }
}

fn open_spool(folder: &Path) -> Spool {
    let limits = Limits { batch_records: 3, segment_bytes: 1 << 20, ..Limits::default() };
    let (spool, recovery) = Spool::open(folder, &limits, &["store"]).unwrap();
    assert_eq!(recovery.lost.len(), 0, "{recovery:?}");
    spool
}

/// Delivers the next batch once; none if there is none, else whether it was stored.
fn deliver(spool: &mut Spool, store: &mut dyn Store, commit: bool) -> Option<bool> {
    let batch = spool.next_batch("store").unwrap()?;
    let rows: Vec<HttpLogRow> = batch.records.iter().flat_map(|record| decode(&record.payload).unwrap()).collect();
    match store.append(&rows) {
        Ok(_) if commit => spool.commit("store", &batch).unwrap(),
        Ok(_) => {}
        Err(error) => {
            assert!(error.is_transient(), "{error} ({error:?}) is not worth repeating");
            return Some(false);
        }
    }
    Some(true)
}

/// Repeats what is worth repeating; gives the result and how often it failed.
fn retried<T>(mut call: impl FnMut() -> Result<T, ja4_replay::ReplayError>) -> (T, u64) {
    for failures in 0..200 {
        match call() {
            Ok(value) => return (value, failures),
            Err(error) => assert!(error.is_transient(), "{error} ({error:?}) is not worth repeating"),
        }
    }
    panic!("200 times in a row");
}

fn row_of(number: u64) -> HttpLogRow {
    const MIDNIGHT_NS: i64 = 1_790_035_200_000_000_000;
    let number = i64::try_from(number).unwrap();
    HttpLogRow {
        row_hi: number % 3,
        row_lo: number,
        // Even rows before midnight, odd ones after.
        ts_ns: MIDNIGHT_NS + if number % 2 == 0 { -1 - number } else { number },
        src_ip: format!("192.0.2.{}", number % 250).into(),
        host: "shop.example".into(),
        path: format!("/{}", number % 10).into(),
        user_agent: "x".repeat(100).into(),
        ..HttpLogRow::unknown()
    }
}
