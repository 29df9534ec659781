//! Two threads: the calling one steps through the file and hands results out, the other is a sensor like that of a single thread.
//!
//! Promises: exactly the calls of the sink that one thread makes, also where a bound is reached. Packets of mapped files are handed
//! over as they lie there, others are copied; a plain TCP frame is decoded before, so that the sensor need not fetch the bytes of
//! connections that are finished. Who has to wait for the other sees to the pages of the mapped file, so that both have as much to
//! do on any machine (`pages.rs`). At most eight loads of 4,096 packets are on the way.
//!
//! Read next: `../shard.rs`, `pipe/load.rs`, `collect.rs`.

mod load;

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::flow::key::FlowKey;
use crate::run::{Progress, Summary};
use crate::sensor::{Sensor, SensorSink};
use crate::shard::collect::{Batch, Collector, Wants};
use crate::shard::pages::{Pages, place};
use crate::shard::pipe::load::{Frame, Kind, Load, Reader};
use crate::shard::{WAITING_BATCHES, close};
use crate::source::{Packet, PacketSource};

/// So many packets ahead, the sensor's thread fetches what it will read.
const FRAMES_AHEAD: usize = 6;

/// A load whose answer has not come yet.
#[derive(Default)]
struct OnTheWay {
    progress: Progress,
    /// Where its first packet lies in the mapped file.
    starts: usize,
}

/// Both ends of what connects the threads, as the calling one has them.
type Ends<'c, 'm> = (&'c SyncSender<Load<'m>>, &'c Receiver<(Batch, Load<'m>)>);

/// Runs over one source.
pub(super) fn run(
    source: &mut impl PacketSource,
    sensor: Sensor,
    wants: Wants,
    sink: &mut impl SensorSink,
    summary: &mut Summary,
    progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> ControlFlow<()> {
    // The maps outlive the thread that reads from them.
    let maps = source.maps();
    let pages = &Pages::new(&maps);
    std::thread::scope(|scope| {
        let (to_sensor, loads) = sync_channel(WAITING_BATCHES);
        let (answers, from_sensor) = sync_channel(WAITING_BATCHES);
        scope.spawn(move || work(sensor, wants, pages, &loads, &answers));
        pump(source, Reader::new(&maps), pages, (&to_sensor, &from_sensor), sink, summary, progress)
    })
}

fn pump<'m>(
    source: &mut impl PacketSource,
    mut reader: Reader<'m>,
    pages: &Pages<'_>,
    (to_sensor, from_sensor): Ends<'_, 'm>,
    sink: &mut impl SensorSink,
    summary: &mut Summary,
    progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let mut collector = Collector::default();
    let (mut spare, mut on_the_way) = (Vec::new(), VecDeque::<OnTheWay>::new());
    let (mut packets, mut first_ns, mut last_ns) = (0_u64, i64::MAX, i64::MIN);
    loop {
        let mut load = spare.pop().unwrap_or_default();
        let starts = place(source);
        let more = reader.fill(&mut load, source);
        (first_ns, last_ns) = (first_ns.min(load.first_ns), last_ns.max(load.last_ns));
        packets = packets.saturating_add(load.heads.len() as u64);
        let (bytes_read, total_bytes) = (source.bytes_read(), source.total_bytes());
        on_the_way.push_back(OnTheWay { progress: Progress { bytes_read, total_bytes, packets, watermark_ns: None }, starts });
        pages.moved(place(source), on_the_way.front().map_or(0, |load| load.starts));
        pages.keep_up();
        // A sensor that is gone is noticed when its answer is waited for.
        to_sensor.send(load).ok();
        while on_the_way.len() >= WAITING_BATCHES || (!more && !on_the_way.is_empty()) {
            let now = on_the_way.pop_front().unwrap_or_default().progress;
            let Some((batch, mut load)) = pages.receive(from_sensor) else { return ControlFlow::Break(()) };
            let mut batches = [batch];
            let watermark_ns = collector.batches(&mut batches, sink);
            progress(&Progress { watermark_ns, ..now })?;
            let [mut batch] = batches;
            let end = batch.end.take();
            load.spare = batch;
            spare.push(load);
            if let Some(end) = end {
                collector.finish(sink);
                summary.counters = end.counters;
                summary.policies = end.policies;
                summary.note_times(first_ns, last_ns);
                summary.note_damage(source.take_damage());
                return ControlFlow::Continue(());
            }
        }
    }
}

/// The sensor's thread: takes loads until none comes any more, and answers each.
fn work<'m>(
    mut sensor: Sensor,
    wants: Wants,
    pages: &Pages<'_>,
    loads: &Receiver<Load<'m>>,
    answers: &SyncSender<(Batch, Load<'m>)>,
) {
    let mut number = 0_u64;
    while let Some(mut load) = pages.receive(loads) {
        let mut batch = std::mem::take(&mut load.spare).again(wants);
        let mut secrets = std::mem::take(&mut load.secrets).into_iter().peekable();
        let mut keys = load.keys.iter();
        sensor.count_bytes(load.slim_bytes);
        for (place, head) in load.heads.iter().enumerate() {
            load.fetch(place.saturating_add(FRAMES_AHEAD));
            while let Some((_, text)) = secrets.next_if(|(before, _)| *before <= place) {
                sensor.add_secrets(&text);
            }
            number = number.saturating_add(1);
            batch.tag = number;
            let ts_ns = head.ts_ns;
            let slim = || match load.frames.get(place) {
                Some(Frame::Slim(slim)) => Some(slim),
                _ => None,
            };
            match head.kind {
                Kind::V4 { is_empty } => sensor.slim(ts_ns, FlowKey::V4(head.key), is_empty, slim, &mut batch),
                Kind::V6 { is_empty } => {
                    // A packet of this kind has its key.
                    if let Some(key) = keys.next() {
                        sensor.slim(ts_ns, FlowKey::V6(*key), is_empty, slim, &mut batch);
                    }
                }
                Kind::Other => {
                    let (link_type, data) = match load.frames.get(place) {
                        Some(Frame::Mapped(link_type, data)) => (*link_type, *data),
                        Some(Frame::Copied(link_type, range)) => (*link_type, load.bytes.get(range.clone()).unwrap_or_default()),
                        Some(Frame::Slim(_)) | None => continue,
                    };
                    let orig_len = u32::try_from(data.len()).unwrap_or(u32::MAX);
                    sensor.packet(&Packet { ts_ns, link_type, data, orig_len }, &mut batch);
                }
            }
        }
        pages.keep_up();
        close(&mut sensor, &mut batch, load.is_last);
        // A receiver that is gone wants no more.
        if answers.send((batch, load)).is_err() {
            return;
        }
    }
}
