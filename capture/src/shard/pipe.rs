//! Two threads: the calling one steps through the file and hands results out, the other is a sensor like that of a single thread.
//!
//! Promises: exactly the calls of the sink that one thread makes, also where a bound is reached. Packets of mapped files are handed
//! over as they lie there, others are copied; a plain TCP frame is decoded before, so that the sensor need not fetch the bytes of
//! connections that are finished. At most eight batches of 4,096 packets are on the way.
//!
//! Read next: `../shard.rs`, `collect.rs`.

use std::collections::VecDeque;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::decode::{Segment, plain_tcp};
use crate::run::{Progress, Summary};
use crate::sensor::{Sensor, SensorSink};
use crate::shard::collect::{Batch, Collector, Wants};
use crate::shard::{BATCH_PACKETS, WAITING_BATCHES, close};
use crate::source::map::FileMap;
use crate::source::{Packet, PacketSource};

/// So many packets ahead, bytes are fetched before they are asked for. Their place is guessed: as if all were as long as the present
/// one, which is nearly always right where much is carried.
const PACKETS_AHEAD: usize = 8;
/// Bytes of a record header of the classic format.
const RECORD_BYTES: usize = 16;

/// Packets on their way to the sensor.
#[derive(Debug, Default)]
struct Load<'m> {
    frames: Vec<Frame<'m>>,
    /// Bytes of packets that do not lie in a mapped file.
    bytes: Vec<u8>,
    /// TLS secrets met in the capture, each with the number of frames before it.
    secrets: Vec<(usize, Vec<u8>)>,
    /// An earlier answer, for its memory.
    spare: Batch,
    first_ns: i64,
    last_ns: i64,
    is_last: bool,
}

#[derive(Debug)]
struct Frame<'m> {
    ts_ns: i64,
    data: Data<'m>,
}

#[derive(Debug)]
enum Data<'m> {
    /// A plain TCP frame of so many captured bytes.
    Plain(Segment<'m>, usize),
    /// Another frame: link type, bytes.
    Mapped(u32, &'m [u8]),
    /// The same, copied.
    Copied(u32, Range<usize>),
}

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
    std::thread::scope(|scope| {
        let (to_sensor, loads) = sync_channel(WAITING_BATCHES);
        let (answers, from_sensor) = sync_channel(WAITING_BATCHES);
        scope.spawn(move || work(sensor, wants, &loads, &answers));
        pump(source, &maps, (&to_sensor, &from_sensor), sink, summary, progress)
    })
}

fn pump<'m>(
    source: &mut impl PacketSource,
    maps: &'m [Option<Arc<FileMap>>],
    (to_sensor, from_sensor): (&SyncSender<Load<'m>>, &Receiver<(Batch, Load<'m>)>),
    sink: &mut impl SensorSink,
    summary: &mut Summary,
    progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let mut collector = Collector::default();
    let (mut spare, mut on_the_way) = (Vec::new(), VecDeque::new());
    let (mut packets, mut first_ns, mut last_ns) = (0_u64, i64::MAX, i64::MIN);
    loop {
        let mut load = spare.pop().unwrap_or_default();
        let more = fill(&mut load, source, maps);
        packets = packets.saturating_add(load.frames.len() as u64);
        (first_ns, last_ns) = (first_ns.min(load.first_ns), last_ns.max(load.last_ns));
        let (bytes_read, total_bytes) = (source.bytes_read(), source.total_bytes());
        on_the_way.push_back(Progress { bytes_read, total_bytes, packets, watermark_ns: None });
        // A sensor that is gone is noticed when its answer is waited for.
        to_sensor.send(load).ok();
        while on_the_way.len() >= WAITING_BATCHES || (!more && !on_the_way.is_empty()) {
            let now = on_the_way.pop_front().unwrap_or_default();
            let Ok((batch, mut load)) = from_sensor.recv() else { return ControlFlow::Break(()) };
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

/// Takes the next packets. `false` if the source ended.
fn fill<'m>(load: &mut Load<'m>, source: &mut impl PacketSource, maps: &'m [Option<Arc<FileMap>>]) -> bool {
    load.frames.clear();
    load.bytes.clear();
    load.secrets.clear();
    (load.first_ns, load.last_ns) = (i64::MAX, i64::MIN);
    for _ in 0..BATCH_PACKETS {
        if !source.advance() {
            load.is_last = true;
            return false;
        }
        if source.has_secrets() {
            let before = load.frames.len();
            load.secrets.extend(source.take_secrets().into_iter().map(|secrets| (before, secrets)));
        }
        let Packet { ts_ns, link_type, data, .. } = source.packet();
        load.first_ns = load.first_ns.min(ts_ns);
        load.last_ns = load.last_ns.max(ts_ns);
        let mapped = source.place_in_map().and_then(|(file, at)| {
            let map = maps.get(file)?.as_ref()?;
            map.fetch_ahead(at.saturating_add(data.len().saturating_add(RECORD_BYTES).saturating_mul(PACKETS_AHEAD)));
            map.get(at..)?.get(..data.len())
        });
        let data = match mapped {
            Some(data) => match plain_tcp(link_type, data) {
                Some(segment) => Data::Plain(segment, data.len()),
                None => Data::Mapped(link_type, data),
            },
            None => {
                let start = load.bytes.len();
                load.bytes.extend_from_slice(data);
                Data::Copied(link_type, start..load.bytes.len())
            }
        };
        load.frames.push(Frame { ts_ns, data });
    }
    true
}

/// The sensor's thread: takes loads until none comes any more, and answers each.
fn work<'m>(mut sensor: Sensor, wants: Wants, loads: &Receiver<Load<'m>>, answers: &SyncSender<(Batch, Load<'m>)>) {
    let mut number = 0_u64;
    for mut load in loads {
        let mut batch = std::mem::take(&mut load.spare).again(wants);
        let mut secrets = std::mem::take(&mut load.secrets).into_iter().peekable();
        for (place, frame) in load.frames.iter().enumerate() {
            while let Some((_, text)) = secrets.next_if(|(before, _)| *before <= place) {
                sensor.add_secrets(&text);
            }
            number = number.saturating_add(1);
            batch.tag = number;
            let ts_ns = frame.ts_ns;
            let (link_type, data) = match &frame.data {
                Data::Plain(segment, bytes) => {
                    sensor.plain(ts_ns, *bytes, segment, &mut batch);
                    continue;
                }
                Data::Mapped(link_type, data) => (*link_type, *data),
                Data::Copied(link_type, range) => (*link_type, load.bytes.get(range.clone()).unwrap_or_default()),
            };
            let orig_len = u32::try_from(data.len()).unwrap_or(u32::MAX);
            sensor.packet(&Packet { ts_ns, link_type, data, orig_len }, &mut batch);
        }
        close(&mut sensor, &mut batch, load.is_last);
        // A receiver that is gone wants no more.
        if answers.send((batch, load)).is_err() {
            return;
        }
    }
}
