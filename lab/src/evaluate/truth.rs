//! What made each session, read from the labels file of a recorded or generated data set.
//!
//! Promises: a session's truth is that of the connections its requests came on; a session with connections of people and of
//! programs has none and is counted; what the file lacks is a sentence.
//!
//! Read next: `mod.rs`, `datasets/README.md` (columns of `labels.csv`).

use std::collections::BTreeMap;
use std::path::Path;

use duckdb::arrow::array::RecordBatch;
use ja4_replay::store::{Statement, Store};
use polars::prelude::{CsvReadOptions, DataFrame, SerReader as _};

use crate::error::LabError;
use crate::frame::{FeatureFrame, to_polars};

const CONNECTIONS: Statement = Statement::shared(include_str!("../../../sql/shared/queries/evaluate_connections.sql"));

/// A connection whose first packet is this much later than a request cannot have carried it, ns; clocks differ by less.
const CLOCK_NS: i64 = 1_000_000_000;

/// The class of people in a labels file.
const PEOPLE: &str = "human";

/// What made a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truth {
    /// True for any program, good or bad.
    pub bot: bool,
    /// What is held out together: the kind of client, or its name.
    pub kind: String,
}

/// What is left out of training together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldOut {
    /// `client_kind`: all impersonators, all scanners.
    Kind,
    /// `client_name`: one tool at a time.
    Name,
}

impl HoldOut {
    fn column(self) -> &'static str {
        match self {
            Self::Kind => "client_kind",
            Self::Name => "client_name",
        }
    }
}

/// The truth of every session of a frame.
#[derive(Debug, Clone, Default)]
pub struct Truths {
    /// By session, in the order of the frame; `None` where the file knows nothing or the session is mixed.
    pub sessions: Vec<Option<Truth>>,
    /// Sessions with connections of people and of programs.
    pub mixed: usize,
}

type Key = (i64, String, String, String);

/// Requests by truth: (program, kind).
type Seen = BTreeMap<(bool, String), u64>;

/// Spans of one address and port, by first packet: (first, last, truth).
type Spans = Vec<(i64, Truth)>;

impl Truths {
    /// Reads `labels` and joins it with the stored requests.
    ///
    /// # Errors
    /// A file that cannot be read or lacks a column, or the engine's refusal.
    pub fn read(store: &dyn Store, frame: &FeatureFrame, labels: &Path, by: HoldOut) -> Result<Self, LabError> {
        let spans = spans(labels, by)?;
        let seen = seen(&store.ask(&CONNECTIONS, &[])?, &spans)?;
        let keys = keys(frame.data())?;
        let mut truths = Self::default();
        for key in keys {
            let Some(counts) = seen.get(&key) else {
                truths.sessions.push(None);
                continue;
            };
            let mixed = counts.keys().any(|truth| truth.0) && counts.keys().any(|truth| !truth.0);
            truths.mixed += usize::from(mixed);
            // Of equals the first by name, so that the order of a map has no say.
            let most = counts.iter().max_by(|a, b| a.1.cmp(b.1).then(b.0.cmp(a.0))).map(|(truth, _)| truth.clone());
            truths.sessions.push(most.filter(|_| !mixed).map(|(bot, kind)| Truth { bot, kind }));
        }
        Ok(truths)
    }
}

fn spans(path: &Path, by: HoldOut) -> Result<BTreeMap<(String, i64), Spans>, LabError> {
    let fail = |detail: String| LabError::Table { path: path.to_path_buf(), detail };
    let options = CsvReadOptions::default().with_has_header(true).with_infer_schema_length(None);
    let reader = options.try_into_reader_with_file_path(Some(path.to_path_buf()));
    let frame = reader.and_then(|reader| reader.finish()).map_err(|error| {
        let line = error.to_string().lines().next().unwrap_or_default().to_owned();
        fail(format!("{line}; a labels.csv with the columns src_ip, src_port, first_ns, class and {} is needed", by.column()))
    })?;
    let frame = FeatureFrame::from_frame(frame);
    let column = |name: &str| {
        fail(format!(
            "there is no usable column {name:?}; a labels file has src_ip, src_port, first_ns, class, client_kind, client_name"
        ))
    };
    let text = |name: &str| frame.text(name).map_err(|_| column(name));
    let int = |name: &str| frame.int(name).map_err(|_| column(name));
    let (ips, ports, firsts) = (text("src_ip")?, int("src_port")?, int("first_ns")?);
    let (classes, kinds) = (text("class")?, text(by.column())?);
    let mut found: BTreeMap<(String, i64), Spans> = BTreeMap::new();
    for (((ip, port), first), (class, kind)) in ips.into_iter().zip(ports).zip(firsts).zip(classes.into_iter().zip(kinds)) {
        found.entry((ip, port)).or_default().push((first, Truth { bot: class != PEOPLE, kind }));
    }
    for spans in found.values_mut() {
        spans.sort_by_key(|(first, _)| *first);
    }
    Ok(found)
}

/// Requests by session and truth (bot, kind).
fn seen(batches: &[RecordBatch], spans: &BTreeMap<(String, i64), Spans>) -> Result<BTreeMap<Key, Seen>, LabError> {
    let requests = FeatureFrame::from_batches(batches)?;
    let (ports, times) = (requests.int("src_port")?, requests.int("ts_ns")?);
    let mut seen: BTreeMap<Key, Seen> = BTreeMap::new();
    for ((key, port), ts_ns) in keys(requests.data())?.into_iter().zip(ports).zip(times) {
        let Some(spans) = spans.get(&(key.1.clone(), port)) else { continue };
        // The last connection that had begun; the first if none had.
        let begun = spans.partition_point(|(first, _)| *first <= ts_ns.saturating_add(CLOCK_NS));
        if let Some((_, truth)) = spans.get(begun.saturating_sub(1)) {
            *seen.entry(key).or_default().entry((truth.bot, truth.kind.clone())).or_default() += 1;
        }
    }
    Ok(seen)
}

/// The key of every row: hour, address, JA4, host.
pub(super) fn keys(frame: &DataFrame) -> Result<Vec<Key>, LabError> {
    let frame = FeatureFrame::from_frame(frame.clone());
    let (windows, ips) = (frame.int("win_ms")?, frame.text("src_ip")?);
    let (ja4s, hosts) = (frame.text("ja4")?, frame.text("host")?);
    let rest = ja4s.into_iter().zip(hosts);
    Ok(windows.into_iter().zip(ips).zip(rest).map(|((window, ip), (ja4, host))| (window, ip, ja4, host)).collect())
}

/// The batches of a query that begins with the columns of a session's key, by key.
pub(super) fn by_key(batches: &[RecordBatch]) -> Result<(DataFrame, BTreeMap<Key, usize>), LabError> {
    let frame = to_polars(batches)?;
    let places = if frame.height() == 0 { Vec::new() } else { keys(&frame)? };
    let places = places.into_iter().enumerate().map(|(row, key)| (key, row)).collect();
    Ok((frame, places))
}
