//! The answering side: what workers found in one batch, and how the calling thread puts it in order.
//!
//! Promises: records and requests go out by the number of their packet; an event goes out once no worker can still have an
//! earlier one.
//!
//! Read next: `../shard.rs`.

use std::collections::BTreeMap;
use std::ops::Range;

use ja4_event::{HttpEvent, NetworkEvent, Transport};

use crate::limits::PolicyReport;
use crate::record::ConnectionRecord;
use crate::sensor::{Counters, RenderRecord, SensorSink};
use crate::shard::AT_END;

/// What a worker found within one batch of packets.
#[derive(Debug, Default)]
pub(super) struct Batch {
    wants: Wants,
    /// Number of the present packet.
    pub tag: u64,
    records: Vec<(u64, ConnectionRecord)>,
    lines: Vec<Line>,
    /// Text of the lines.
    text: Vec<u8>,
    requests: Vec<(u64, HttpEvent)>,
    /// By number of the packet that completed the ClientHello, ascending.
    events: Vec<(u64, NetworkEvent)>,
    /// No event of this worker still to come has a lower number.
    pub events_from: u64,
    pub watermark_ns: Option<i64>,
    pub end: Option<Box<End>>,
}

/// A record that was made text.
#[derive(Debug)]
struct Line {
    tag: u64,
    transport: Transport,
    start_ns: i64,
    number: u64,
    text: Range<usize>,
}

/// What the caller's sink wants.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Wants {
    pub records: bool,
    pub renders: Option<RenderRecord>,
    pub events: bool,
    pub http: bool,
}

/// What a worker tells when it is through.
#[derive(Debug)]
pub(super) struct End {
    pub counters: Counters,
    pub policies: Vec<PolicyReport>,
}

impl Batch {
    pub fn new(wants: Wants) -> Self {
        Self { wants, ..Self::default() }
    }

    /// An empty one in the memory of one whose results were handed on.
    pub fn again(self, wants: Wants) -> Self {
        let Self { mut lines, mut text, .. } = self;
        lines.clear();
        text.clear();
        Self { wants, lines, text, ..Self::default() }
    }
}

impl SensorSink for Batch {
    fn wants_records(&self) -> bool {
        self.wants.records
    }

    fn wants_events(&self) -> bool {
        self.wants.events
    }

    fn wants_http(&self) -> bool {
        self.wants.http
    }

    fn http(&mut self, request: HttpEvent) {
        self.requests.push((self.tag, request));
    }

    fn record(&mut self, record: ConnectionRecord) {
        let Some(render) = self.wants.renders else {
            self.records.push((self.tag, record));
            return;
        };
        let start = self.text.len();
        render(&mut self.text, &record);
        let ConnectionRecord { transport, start_ns, number, .. } = record;
        self.lines.push(Line { tag: self.tag, transport, start_ns, number, text: start..self.text.len() });
    }

    fn event(&mut self, event: NetworkEvent) {
        self.events.push((self.tag, event));
    }

    fn numbered_event(&mut self, number: u64, event: NetworkEvent) {
        self.events.push((number, event));
    }
}

/// Events that wait for those of slower workers.
#[derive(Debug, Default)]
pub(super) struct Collector {
    events: BTreeMap<u64, NetworkEvent>,
}

impl Collector {
    /// Hands on what all workers found in the same batch; gives the watermark of all of them.
    pub fn batches(&mut self, batches: &mut [Batch], sink: &mut impl SensorSink) -> Option<i64> {
        let mut records = merged(batches, |batch| &mut batch.records);
        if batches.len() > 1 {
            records.sort_by_key(|(tag, record)| place(*tag, record.transport, record.number));
        }
        let mut requests = merged(batches, |batch| &mut batch.requests);
        requests.sort_by_key(|(tag, _)| *tag);
        self.events.extend(merged(batches, |batch| &mut batch.events));
        for (_, request) in requests {
            sink.http(request);
        }
        Self::lines(batches, sink);
        for (_, record) in records {
            sink.record(record);
        }
        let safe = batches.iter().map(|batch| batch.events_from).min().unwrap_or(AT_END);
        let later = self.events.split_off(&safe);
        for (number, event) in std::mem::replace(&mut self.events, later) {
            sink.numbered_event(number, event);
        }
        batches.iter().map(|batch| batch.watermark_ns).min().flatten()
    }

    fn lines(batches: &[Batch], sink: &mut impl SensorSink) {
        let all = batches.iter().flat_map(|batch| batch.lines.iter().map(move |line| (line, batch.text.as_slice())));
        let mut all = all.collect::<Vec<_>>();
        if batches.len() > 1 {
            all.sort_by_key(|(line, _)| place(line.tag, line.transport, line.number));
        }
        for (line, text) in all {
            sink.line(line.start_ns, line.number, text.get(line.text.clone()).unwrap_or_default());
        }
    }

    /// No batch follows.
    pub fn finish(&mut self, sink: &mut impl SensorSink) {
        for (_, event) in std::mem::take(&mut self.events) {
            sink.event(event);
        }
    }
}

/// Where a record belongs among those of all workers: at the end of the capture each sensor hands out its TCP connections, then
/// its UDP conversations, in order of their first packets; before, no packet ends connections of two workers.
fn place(tag: u64, transport: Transport, number: u64) -> (u64, (Transport, u64)) {
    (tag, if tag == AT_END { (transport, number) } else { Default::default() })
}

/// One list of all workers, taken out.
fn merged<T>(batches: &mut [Batch], list: impl Fn(&mut Batch) -> &mut Vec<T>) -> Vec<T> {
    let mut all = Vec::new();
    for batch in batches {
        if all.is_empty() {
            all = std::mem::take(list(batch));
        } else {
            all.append(list(batch));
        }
    }
    all
}
