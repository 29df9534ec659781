//! The stage that reads logs: lines to requests, several logs merged by time, in batches, on a thread of its own.
//!
//! Promises: a damaged line is collected with file and position and never ends a log; a log in an unknown format is refused
//! before anything is stored.
//!
//! Read next: `ja4_join::httplog`.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;

use ja4_event::HttpEvent;
use ja4_join::correlate::SourceId;
use ja4_join::httplog::{Format, HttpLog, HttpLogOptions, NamedHeaders};

use super::plan::Input;
use super::{BATCH_EVENTS, Batch};
use crate::ReplayError;

/// A request and the log it came from.
pub(super) type SourcedRequest = (HttpEvent, SourceId);

/// One log that is open.
pub(super) struct OpenLog {
    log: HttpLog,
    source: SourceId,
    /// Its first request; reading it taught which headers the log names.
    head: Option<HttpEvent>,
}

/// What became of one log.
#[derive(Debug, Default)]
pub(super) struct LogReport {
    pub records: u64,
    pub damaged: u64,
    /// Times of its earliest and latest request.
    pub times_ns: Option<(i64, i64)>,
    pub format: String,
    pub first: Vec<String>,
    pub notes: Vec<String>,
}

/// Opens every log, which tells its format.
pub(super) fn open(logs: &[Input], format: &str) -> Result<Vec<OpenLog>, ReplayError> {
    let options = HttpLogOptions { format: format.parse::<Format>()?, ..HttpLogOptions::default() };
    let mut opened = Vec::with_capacity(logs.len());
    for (number, input) in logs.iter().enumerate() {
        let mut log = HttpLog::open(&input.path, &options)?;
        let head = log.next_event();
        opened.push(OpenLog { log, source: SourceId(u32::try_from(number).unwrap_or(u32::MAX)), head });
    }
    Ok(opened)
}

/// Header names that each log can know about, by source; a log names the same in every record, so the first one tells.
pub(super) fn named_headers(logs: &[OpenLog]) -> Vec<NamedHeaders> {
    logs.iter().map(|open| open.log.named_headers()).collect()
}

/// Reads `logs` to their ends, earliest first, and sends what they hold; `lateness_ns` is how far a line may stand behind.
pub(super) fn read(
    mut logs: Vec<OpenLog>,
    lateness_ns: i64,
    read: &AtomicU64,
    out: &SyncSender<Batch<SourcedRequest>>,
) -> Result<Vec<LogReport>, ReplayError> {
    let mut reports: Vec<LogReport> = logs.iter().map(|_| LogReport::default()).collect();
    let mut heads: Vec<Option<HttpEvent>> = logs.iter_mut().map(|open| open.head.take()).collect();
    let mut order: BinaryHeap<Reverse<(i64, usize)>> =
        heads.iter().enumerate().filter_map(|(place, head)| head.as_ref().map(|event| Reverse((event.ts_ns, place)))).collect();
    let mut batch = Vec::with_capacity(BATCH_EVENTS);
    let mut newest_ns = i64::MIN;
    while let Some(Reverse((ts_ns, place))) = order.pop() {
        let (Some(open), Some(head), Some(report)) = (logs.get_mut(place), heads.get_mut(place), reports.get_mut(place)) else {
            break;
        };
        newest_ns = newest_ns.max(ts_ns);
        if let Some(event) = head.take() {
            report.records = report.records.saturating_add(1);
            let (first_ns, last_ns) = report.times_ns.unwrap_or((ts_ns, ts_ns));
            report.times_ns = Some((first_ns.min(ts_ns), last_ns.max(ts_ns)));
            batch.push((event, open.source));
        }
        *head = open.log.next_event();
        if let Some(next) = head {
            order.push(Reverse((next.ts_ns, place)));
        }
        if batch.len() >= BATCH_EVENTS {
            read.store(logs.iter().map(|open| open.log.bytes_read()).sum(), Ordering::Relaxed);
            let full = Batch { events: std::mem::take(&mut batch), reached_ns: newest_ns.saturating_sub(lateness_ns) };
            if out.send(full).is_err() {
                return Ok(reports);
            }
        }
    }
    for (open, report) in logs.iter_mut().zip(&mut reports) {
        let damage = open.log.damage();
        report.damaged = damage.count();
        report.format = open.log.format().unwrap_or_default();
        report.first = damage.first().iter().map(ToString::to_string).collect();
        report.notes = open.log.zero_reason().into_iter().collect();
        report.notes.extend(damage.notes().map(|(what, times)| format!("{what} ({times} times)")));
    }
    // The receiver may have stopped on an error of its own, which it reports.
    let _ = out.send(Batch { events: batch, reached_ns: i64::MAX });
    Ok(reports)
}
