//! What storing rows promises: once each, all or none, again after a failure, the same on two connections as on one.

use ja4_join::row::HttpLogRow;

use super::{DuckDb, DuckDbOptions};
use crate::store::chunk::{CHUNK_ROWS, Chunk, TRANSACTION_ROWS};
use crate::store::{Appended, Contents, Store as _};

fn fresh(folder: &tempfile::TempDir, name: &str) -> DuckDb {
    let mut store = DuckDb::open(&folder.path().join(name), &DuckDbOptions::default()).unwrap();
    store.migrate().unwrap();
    store
}

/// A row of its own for each number.
fn row(number: i64, ts_ns: i64) -> HttpLogRow {
    HttpLogRow { row_hi: number, row_lo: number * 7, ts_ns, src_ip: "192.0.2.1".into(), ..HttpLogRow::unknown() }
}

fn chunks(rows: &[HttpLogRow]) -> Vec<Chunk> {
    rows.chunks(CHUNK_ROWS).map(|rows| Chunk::of_requests(rows).unwrap()).collect()
}

/// A chunk that the engine refuses.
fn broken() -> Chunk {
    let mut chunk = Chunk::of_requests(&[row(-5, 5)]).unwrap();
    chunk.columns = chunk.columns.project(&[0, 1]).unwrap();
    chunk
}

#[test]
fn an_append_that_failed_can_be_tried_again_and_another_connection_can_append() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = DuckDb::open(&folder.path().join("x.duckdb"), &DuckDbOptions::default()).unwrap();
    let row = |n: i64| HttpLogRow { row_lo: n, ts_ns: n, ..HttpLogRow::unknown() };
    // There is no table yet, which is found out only when rows are stored.
    (store.known.requests, store.known.handshakes) = (Some(0), Some(0));
    for _ in 0..2 {
        let refused = store.append(&[row(1)]).unwrap_err().to_string();
        assert!(refused.contains("http_logs"), "{refused}");
    }
    store.migrate().unwrap();
    assert_eq!(store.append(&[row(1)]).unwrap().added, 1);
    let mut other = store.sibling().unwrap();
    assert_eq!(other.append(&[row(1), row(2)]).unwrap().added, 1);
    assert_eq!(store.append(&[row(3)]).unwrap().added, 1);
}

#[test]
fn rows_that_come_in_no_order_and_twice_are_stored_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = DuckDb::open(&folder.path().join("x.duckdb"), &DuckDbOptions::default()).unwrap();
    store.migrate().unwrap();
    // Enough chunks that some wait for others, and more than one look is taken.
    let rows: Vec<HttpLogRow> = (0..130_000_i64)
        .map(|n| HttpLogRow {
            row_hi: n,
            row_lo: n * 7,
            ts_ns: (n * 7_919) % 130_003,
            src_ip: "192.0.2.1".into(),
            ..HttpLogRow::unknown()
        })
        .collect();
    let first = rows.get(..20_000).unwrap();
    let added = |store: &mut DuckDb, rows: &[HttpLogRow]| {
        let done = store.append(rows).unwrap();
        (done.added, done.skipped)
    };
    assert_eq!(added(&mut store, first), (20_000, 0));
    assert_eq!(added(&mut store, &rows), (110_000, 20_000));
    assert_eq!(added(&mut store, &[first, first].concat()), (0, 40_000));
    let mut at_once = DuckDb::open(&folder.path().join("y.duckdb"), &DuckDbOptions::default()).unwrap();
    at_once.migrate().unwrap();
    assert_eq!(added(&mut at_once, &[&rows, first].concat()), (130_000, 20_000));
    assert_eq!(store.digest(Contents::Rows).unwrap(), at_once.digest(Contents::Rows).unwrap());
}

#[test]
fn what_an_append_that_failed_half_way_had_stored_is_gone_and_the_next_one_stores_all() {
    let folder = tempfile::tempdir().unwrap();
    let rows: Vec<HttpLogRow> = (0..10_000).map(|n| row(n, n)).collect();
    let mut store = fresh(&folder, "x.duckdb");
    let half = chunks(&rows[..5_000]).into_iter().chain([broken()]);
    let refused = store.append_chunks(&mut half.into_iter()).unwrap_err().to_string();
    assert!(refused.contains("columns"), "{refused}");
    assert_eq!(store.append(&rows[..8_000]).unwrap(), Appended { added: 8_000, skipped: 0 });
    assert_eq!(store.append(&rows).unwrap(), Appended { added: 2_000, skipped: 8_000 });
    let mut whole = fresh(&folder, "y.duckdb");
    whole.append(&rows).unwrap();
    // Another connection remembers nothing and reads what is there.
    assert_eq!(store.sibling().unwrap().digest(Contents::Rows).unwrap(), whole.digest(Contents::Rows).unwrap());
    assert_eq!(store.digest(Contents::Rows).unwrap(), whole.digest(Contents::Rows).unwrap());
}

#[test]
fn a_stream_on_two_connections_stores_what_one_transaction_stores() {
    let folder = tempfile::tempdir().unwrap();
    let many = i64::try_from(TRANSACTION_ROWS * 2 + 10_000).unwrap();
    let in_order: Vec<HttpLogRow> = (0..many).map(|n| row(n, n)).collect();
    let mut whole = fresh(&folder, "whole.duckdb");
    assert_eq!(whole.append(&in_order).unwrap().added, u64::try_from(many).unwrap());
    let wanted = whole.digest(Contents::Rows).unwrap();
    // Each chunk a second time right behind itself, so that what a transaction holds comes again while it is under way, and the
    // first ones once more at the end, when they are stored.
    let mut twice: Vec<Chunk> = chunks(&in_order).into_iter().flat_map(|chunk| [chunk.clone(), chunk]).collect();
    twice.extend(chunks(&in_order[..50_000]));
    // In no order at all: every transaction holds rows of all times.
    let mixed: Vec<HttpLogRow> = (0..many).map(|n| row(n * 7_919 % many, n * 7_919 % many)).collect();
    let once = Appended { added: u64::try_from(many).unwrap(), skipped: 0 };
    let skipped = Appended { skipped: once.added + 50_000, ..once };
    for (name, stream, expected) in [("twice.duckdb", twice, skipped), ("mixed.duckdb", chunks(&mixed), once)] {
        let mut store = fresh(&folder, name);
        assert_eq!(store.append_stream(&mut stream.into_iter()).unwrap(), expected, "{name}");
        assert_eq!(store.digest(Contents::Rows).unwrap(), wanted, "{name}");
        assert_eq!(store.sibling().unwrap().digest(Contents::Rows).unwrap(), wanted, "{name}");
    }
}

#[test]
fn a_stream_that_is_refused_keeps_whole_transactions_and_can_be_given_again() {
    let folder = tempfile::tempdir().unwrap();
    let kept = u64::try_from(TRANSACTION_ROWS).unwrap();
    let rows: Vec<HttpLogRow> = (0..i64::try_from(TRANSACTION_ROWS).unwrap() + 20_000).map(|n| row(n, n)).collect();
    let mut store = fresh(&folder, "x.duckdb");
    let mut stream = chunks(&rows);
    stream.insert(stream.len() - 1, broken());
    let refused = store.append_stream(&mut stream.into_iter()).unwrap_err().to_string();
    assert!(refused.contains("columns"), "{refused}");
    assert_eq!(store.append_stream(&mut chunks(&rows).into_iter()).unwrap(), Appended { added: 20_000, skipped: kept });
    let mut whole = fresh(&folder, "y.duckdb");
    whole.append_stream(&mut chunks(&rows).into_iter()).unwrap();
    assert_eq!(store.digest(Contents::Rows).unwrap(), whole.digest(Contents::Rows).unwrap());
}
