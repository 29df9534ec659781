//! Two threads: the calling one steps through the file and hands results out, the other is a sensor like that of a single thread.
//!
//! Promises: exactly the calls of the sink that one thread makes, also where a bound is reached. Packets of mapped files are handed
//! over as they lie there, others are copied; a plain TCP frame is decoded before, so that the sensor need not fetch
//! the bytes of connections that are finished. At most eight batches of 1,024 packets are on the way: what one thread wrote is still
//! in a cache when the other reads it.
//!
//! Read next: `../shard.rs`, `collect.rs`.

use std::collections::VecDeque;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::decode::plain_tcp;
use crate::flow::key::{FlowKey, Key4, Key6};
use crate::run::{Progress, Summary};
use crate::sensor::slim::Slim;
use crate::sensor::{Sensor, SensorSink};
use crate::shard::collect::{Batch, Collector, Wants};
use crate::shard::{WAITING_BATCHES, close};
use crate::source::map::{FileMap, fetch, touch};
use crate::source::{Packet, PacketSource};

const BATCH_PACKETS: u32 = 1024;
/// So many packets ahead, the calling thread fetches record headers before they are asked for. Their place is guessed: as if all were as long as the present
/// one, which is nearly always right where much is carried.
const PACKETS_AHEAD: usize = 8;
/// So many packets it steps over before it decodes the first of them, whose headers are there by then.
const STEPPED_AHEAD: usize = 12;
/// Ethernet, IPv6 and TCP with time stamps, and the first byte of the payload; beyond the second line of a cache.
const HEADER_BYTES: usize = 129;
/// So many packets ahead, the sensor's thread fetches what it will read.
const FRAMES_AHEAD: usize = 6;
/// So far ahead of the reader, the sensor's thread has the pages of a mapped file mapped in: that is a quarter of the reader's work
/// otherwise, and the reader is the slower one. More than the batches on the way hold of full-sized packets.
const TOUCHED_AHEAD: usize = 16 * 1024 * 1024;
/// Bytes of a record header of the classic format.
const RECORD_BYTES: usize = 16;

/// Packets on their way to the sensor.
#[derive(Debug, Default)]
struct Load<'m> {
    frames: Vec<Frame<'m>>,
    /// Keys of the frames over IPv6, which are so much larger than others that they would make every frame larger.
    keys: Vec<Key6>,
    /// Captured bytes of the slim ones.
    slim_bytes: u64,
    /// Bytes of packets that do not lie in a mapped file.
    bytes: Vec<u8>,
    /// TLS secrets met in the capture, each with the number of frames before it.
    secrets: Vec<(usize, Vec<u8>)>,
    /// Part of the file that will be read later.
    to_touch: &'m [u8],
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
    /// A plain TCP frame over IPv4.
    V4(Key4, Slim<'m>),
    /// The same over IPv6; its key is the next one of the load.
    V6(Slim<'m>),
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
        let reader = Reader { maps: &maps, touched: TOUCHED_AHEAD };
        scope.spawn(move || work(sensor, wants, &loads, &answers));
        pump(source, reader, (&to_sensor, &from_sensor), sink, summary, progress)
    })
}

/// What the calling thread needs to fill loads.
struct Reader<'m> {
    maps: &'m [Option<Arc<FileMap>>],
    /// So far into the file, the sensor's thread was asked to touch it.
    touched: usize,
}

fn pump<'m>(
    source: &mut impl PacketSource,
    mut reader: Reader<'m>,
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
        let more = reader.fill(&mut load, source);
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

impl<'m> Reader<'m> {
    /// Takes the next packets. `false` if the source ended.
    fn fill(&mut self, load: &mut Load<'m>, source: &mut impl PacketSource) -> bool {
        load.clear();
        let mut decoded = 0_usize;
        for _ in 0..BATCH_PACKETS {
            if !source.advance() {
                load.is_last = true;
                break;
            }
            if source.has_secrets() {
                let before = load.frames.len();
                load.secrets.extend(source.take_secrets().into_iter().map(|secrets| (before, secrets)));
            }
            let Packet { ts_ns, link_type, data, .. } = source.packet();
            load.first_ns = load.first_ns.min(ts_ns);
            load.last_ns = load.last_ns.max(ts_ns);
            let data = match self.mapped(source, data.len()) {
                Some(data) => Data::Mapped(link_type, data),
                None => {
                    let start = load.bytes.len();
                    load.bytes.extend_from_slice(data);
                    Data::Copied(link_type, start..load.bytes.len())
                }
            };
            load.frames.push(Frame { ts_ns, data });
            if load.frames.len().saturating_sub(decoded) > STEPPED_AHEAD {
                load.decode(decoded);
                decoded = decoded.saturating_add(1);
            }
        }
        (decoded..load.frames.len()).for_each(|place| load.decode(place));
        load.to_touch = self.next_to_touch(source);
        !load.is_last
    }

    /// What the sensor's thread shall touch next, where there is one file and it is mapped.
    fn next_to_touch(&mut self, source: &impl PacketSource) -> &'m [u8] {
        let (maps, place) = (self.maps, source.place_in_map());
        let ([Some(map)], Some((_, at))) = (maps, place) else { return &[] };
        let to = at.saturating_add(TOUCHED_AHEAD).min(map.len());
        let from = self.touched;
        self.touched = to.max(from);
        map.get(from..to).unwrap_or_default()
    }

    /// The present packet's bytes where they lie in a mapped file. Its headers are fetched, and where the head of a later one probably is.
    #[inline]
    fn mapped(&self, source: &impl PacketSource, bytes: usize) -> Option<&'m [u8]> {
        let (file, at) = source.place_in_map()?;
        let map: &'m FileMap = self.maps.get(file)?.as_ref()?;
        let ahead = bytes.saturating_add(RECORD_BYTES).saturating_mul(PACKETS_AHEAD);
        map.fetch_ahead(at.saturating_add(ahead).saturating_sub(RECORD_BYTES));
        let data = map.get(at..)?.get(..bytes)?;
        fetch(data.get(..HEADER_BYTES).unwrap_or(data));
        Some(data)
    }
}

impl Load<'_> {
    /// Decodes the frame at `place`, if it is a plain one.
    #[inline]
    fn decode(&mut self, place: usize) {
        let Some(frame) = self.frames.get_mut(place) else { return };
        let Data::Mapped(link_type, data) = frame.data else { return };
        let Some((key, slim)) = plain_tcp(link_type, data).and_then(|segment| Slim::new(&segment)) else { return };
        self.slim_bytes = self.slim_bytes.wrapping_add(data.len() as u64);
        frame.data = match key {
            FlowKey::V4(key) => Data::V4(key, slim),
            FlowKey::V6(key) => {
                self.keys.push(key);
                Data::V6(slim)
            }
        };
    }

    fn clear(&mut self) {
        self.frames.clear();
        self.keys.clear();
        self.bytes.clear();
        self.secrets.clear();
        self.slim_bytes = 0;
        (self.first_ns, self.last_ns) = (i64::MAX, i64::MIN);
    }

    /// Fetches what will be read of the frame at `place`: of a plain one the handshake it may carry, of others the headers.
    #[inline]
    fn fetch(&self, place: usize) {
        match self.frames.get(place).map(|frame| &frame.data) {
            Some(Data::V4(_, slim) | Data::V6(slim)) => slim.handshake_bytes().into_iter().for_each(fetch),
            Some(Data::Mapped(_, data)) => fetch(data.get(..HEADER_BYTES).unwrap_or(data)),
            Some(Data::Copied(..)) | None => {}
        }
    }
}

/// The sensor's thread: takes loads until none comes any more, and answers each.
fn work<'m>(mut sensor: Sensor, wants: Wants, loads: &Receiver<Load<'m>>, answers: &SyncSender<(Batch, Load<'m>)>) {
    let mut number = 0_u64;
    for mut load in loads {
        let mut batch = std::mem::take(&mut load.spare).again(wants);
        let mut secrets = std::mem::take(&mut load.secrets).into_iter().peekable();
        let mut keys = load.keys.iter();
        sensor.count_bytes(load.slim_bytes);
        touch(load.to_touch);
        for (place, frame) in load.frames.iter().enumerate() {
            load.fetch(place.saturating_add(FRAMES_AHEAD));
            while let Some((_, text)) = secrets.next_if(|(before, _)| *before <= place) {
                sensor.add_secrets(&text);
            }
            number = number.saturating_add(1);
            batch.tag = number;
            let ts_ns = frame.ts_ns;
            let (link_type, data) = match &frame.data {
                Data::V4(key, slim) => {
                    sensor.slim(ts_ns, FlowKey::V4(*key), slim, &mut batch);
                    continue;
                }
                Data::V6(slim) => {
                    // A frame of this kind has its key.
                    let Some(key) = keys.next() else { continue };
                    sensor.slim(ts_ns, FlowKey::V6(*key), slim, &mut batch);
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
