//! Several threads over the same captures: the calling thread reads and decodes, the others keep the connections.
//!
//! Promises: the calls of the sink are the same, in the same order, as on one thread, as long as no bound is reached (each
//! worker has its share of every bound). The calling thread decodes each packet once, puts fragments together, and gives every
//! segment to the worker of its connection; bytes of mapped files are handed on as they lie there, others are copied. Workers
//! answer each batch of 4,096 packets with what they found, tagged with the number of the packet that caused it; the calling
//! thread puts that in order and calls the sink. At most eight batches are on the way. Who has to wait sees to the pages of a mapped
//! file (`shard/pages.rs`). With one worker nothing has to be shared
//! out, and the calling thread does not even decode: `shard/pipe.rs`.
//!
//! Read next: `shard/lanes.rs` (who gets what), `run.rs`, `sensor/mod.rs`.

mod collect;
mod lanes;
mod pages;
mod pipe;

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::decode::{decode, decode_carried};
use crate::limits::Limits;
use crate::run::{Progress, Summary};
use crate::sensor::{Sensor, SensorConfig, SensorSink};
use crate::shard::collect::{Batch, Collector, End, Wants};
use crate::shard::lanes::{Load, Reader, Work};
use crate::shard::pages::{Pages, place};
use crate::source::PacketSource;

const BATCH_PACKETS: u32 = 4096;
const WAITING_BATCHES: usize = 8;
/// Tag of what comes out after the last packet.
const AT_END: u64 = u64::MAX;

/// Runs over one source: the calling thread reads, `threads - 1` workers (at least one) keep the connections.
pub(crate) fn run<S: SensorSink>(
    source: &mut impl PacketSource,
    limits: &Limits,
    secrets: Option<&[u8]>,
    threads: usize,
    sink: &mut S,
    summary: &mut Summary,
    progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let wants =
        Wants { records: sink.wants_records(), renders: sink.renders(), events: sink.wants_events(), http: sink.wants_http() };
    let workers = threads.saturating_sub(1);
    if workers <= 1 {
        let sensor = sensor(limits.clone(), secrets);
        return pipe::run(source, sensor, wants, sink, summary, progress);
    }
    // The maps outlive the threads that read from them.
    let maps = source.maps();
    let pages = &Pages::new(&maps);
    std::thread::scope(|scope| {
        let mut lanes = Vec::new();
        for _ in 0..workers {
            let (to_worker, from_reader) = sync_channel(WAITING_BATCHES);
            let (to_reader, from_worker) = sync_channel(WAITING_BATCHES);
            let sensor = sensor(share(limits, workers), secrets);
            scope.spawn(move || work(sensor, wants, pages, &from_reader, &to_reader));
            lanes.push((to_worker, from_worker));
        }
        let reader = Reader::new(&maps, limits, workers, secrets.is_some());
        pump(source, reader, pages, &lanes, sink, summary, progress)
    })
}

fn sensor(limits: Limits, secrets: Option<&[u8]>) -> Sensor {
    let mut sensor = Sensor::new(SensorConfig { limits });
    if let Some(secrets) = secrets {
        sensor.add_secrets(secrets);
    }
    sensor
}

/// Each worker's part of the bounds that cost memory.
fn share(limits: &Limits, workers: usize) -> Limits {
    let part = |bound: usize| bound.div_ceil(workers.max(1));
    Limits {
        flows: part(limits.flows),
        finished_flows: part(limits.finished_flows),
        udp_flows: part(limits.udp_flows),
        total_bytes: part(limits.total_bytes),
        pending_events: part(limits.pending_events),
        ..limits.clone()
    }
}

/// Both ends of what connects the calling thread with one worker.
type Lane<'m> = (SyncSender<Load<'m>>, Receiver<(Batch, Load<'m>)>);

fn pump<'m>(
    source: &mut impl PacketSource,
    mut reader: Reader<'m>,
    pages: &Pages<'_>,
    lanes: &[Lane<'m>],
    sink: &mut impl SensorSink,
    summary: &mut Summary,
    progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let mut collector = Collector::default();
    let mut on_the_way = VecDeque::new();
    loop {
        let starts = place(source);
        let more = reader.fill(source, BATCH_PACKETS);
        let now = Progress {
            bytes_read: source.bytes_read(),
            total_bytes: source.total_bytes(),
            packets: reader.counters().packets,
            watermark_ns: None,
        };
        for ((to_worker, _), load) in lanes.iter().zip(reader.take_loads(!more)) {
            // A worker that is gone is noticed when its answer is waited for.
            to_worker.send(load).ok();
        }
        on_the_way.push_back((now, starts));
        pages.moved(place(source), on_the_way.front().map_or(0, |(_, starts)| *starts));
        pages.keep_up();
        while on_the_way.len() >= WAITING_BATCHES || (!more && !on_the_way.is_empty()) {
            let (now, _) = on_the_way.pop_front().unwrap_or_default();
            let mut batches = Vec::with_capacity(lanes.len());
            for (_, from_worker) in lanes {
                let Some((batch, load)) = pages.receive(from_worker) else { return ControlFlow::Break(()) };
                batches.push(batch);
                reader.use_again(load);
            }
            let watermark_ns = collector.batches(&mut batches, sink);
            progress(&Progress { watermark_ns, ..now })?;
            let ends = batches.into_iter().filter_map(|batch| batch.end.map(|end| *end)).collect::<Vec<_>>();
            if !ends.is_empty() {
                collector.finish(sink);
                reader.close(ends, summary);
                summary.note_damage(source.take_damage());
                return ControlFlow::Continue(());
            }
        }
    }
}

/// A worker: takes loads until none comes any more, and answers each.
fn work<'m>(
    mut sensor: Sensor,
    wants: Wants,
    pages: &Pages<'_>,
    loads: &Receiver<Load<'m>>,
    answers: &SyncSender<(Batch, Load<'m>)>,
) {
    let limits = sensor.limits().clone();
    while let Some(load) = pages.receive(loads) {
        let mut batch = Batch::new(wants);
        for item in &load.items {
            batch.tag = item.number;
            let decoded = match &item.work {
                Work::Decoded(decoded) => *decoded,
                Work::Frame { link_type, bytes } => decode(*link_type, load.bytes_of(bytes), &limits),
                Work::Carried { ip, protocol, depth, bytes } => {
                    decode_carried(*ip, *protocol, load.bytes_of(bytes), *depth, &limits)
                }
                Work::Secrets(secrets) => {
                    sensor.add_secrets(secrets);
                    continue;
                }
            };
            sensor.take_decoded(item.number, item.latest_ns, item.ts_ns, decoded, &mut batch);
        }
        batch.tag = load.last_number;
        sensor.pass_time(load.last_number, load.latest_ns, load.now_ns, &mut batch);
        close(&mut sensor, &mut batch, load.is_last);
        // A receiver that is gone wants no more.
        if answers.send((batch, load)).is_err() {
            return;
        }
    }
}

/// A sensor has taken a batch of packets; after the last one everything it still holds goes out.
fn close(sensor: &mut Sensor, batch: &mut Batch, is_last: bool) {
    batch.watermark_ns = sensor.watermark_ns();
    batch.events_from = sensor.next_event_number();
    if is_last {
        batch.tag = AT_END;
        sensor.finish(batch);
        batch.events_from = AT_END;
        batch.end = Some(Box::new(End { counters: sensor.counters(), policies: sensor.policies() }));
    }
}
