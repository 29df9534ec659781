//! Whole captures in one call: files in, records or events out.
//!
//! Promises: files are merged by time whatever the order of arguments; a file that cannot be read does not stop the others;
//! damage is listed with file and offset; records come in order of their start (within a window of
//! `Limits::reorder_records`), events in order of their ClientHellos; nothing depends on threads or batches.
//!
//! Read next: `sensor/mod.rs`, `source/open.rs`.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::path::PathBuf;

use ja4_event::NetworkEvent;
use serde::Serialize;

use crate::error::{CaptureError, Damage};
use crate::keylog::KeyLog;
use crate::limits::{Limits, PolicyReport};
use crate::order::InOrder;
use crate::record::ConnectionRecord;
use crate::sensor::{Counters, RenderRecord, Sensor, SensorConfig, SensorSink};
use crate::shard;
use crate::source::PacketSource;
use crate::source::merge::{MergedSource, Taken};
use crate::source::open::{FileSource, expand, open, open_streaming};

/// Packets between two looks at progress.
const PROGRESS_PACKETS: u32 = 4096;
/// Places of damage kept in a summary; the rest is counted.
const MAX_DAMAGE: usize = 1000;

/// How to run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// Bounds of all tables.
    pub limits: Limits,
    /// Threads; 0 and 1 both mean the calling thread alone. With more, it reads and puts results in order, the others keep the
    /// connections.
    pub threads: usize,
    /// An NSS key log for decryption.
    pub keylog: Option<PathBuf>,
}

/// What a run met.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Summary {
    /// What the sensor counted.
    pub counters: Counters,
    /// A line for each bounded table.
    pub policies: Vec<PolicyReport>,
    /// Captures read.
    pub files: usize,
    /// What was read of each of them, in the order of their names.
    pub captures: Vec<CaptureRead>,
    /// Captures that could not be read, each with a plain sentence.
    pub failed_files: Vec<String>,
    /// Places of damage, at most 1,000.
    pub damage: Vec<Damage>,
    /// Places of damage in all.
    pub damage_count: u64,
    /// Earliest packet, nanoseconds since 1970.
    pub first_ns: Option<i64>,
    /// Latest packet.
    pub last_ns: Option<i64>,
}

/// What was read of one capture.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct CaptureRead {
    /// The file, as named by the caller or found in a folder.
    pub path: PathBuf,
    /// Packets.
    pub packets: u64,
    /// Places of damage, of the first 1,000 of the run.
    pub damaged: u64,
    /// Earliest packet, nanoseconds since 1970; none without packets.
    pub first_ns: Option<i64>,
    /// Latest packet.
    pub last_ns: Option<i64>,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Input bytes taken (compressed ones, where the input is compressed).
    pub bytes_read: u64,
    /// Input bytes in all, where known.
    pub total_bytes: Option<u64>,
    /// Packets so far.
    pub packets: u64,
    /// No event still to come is older.
    pub watermark_ns: Option<i64>,
}

/// Fingerprints every connection of the captures (files, folders, `-` for standard input).
///
/// # Errors
/// No capture could be read at all, or a folder holds none. A file that fails among others is listed in the summary.
pub fn fingerprint_files(
    paths: &[PathBuf],
    options: &Options,
    receive: &mut dyn FnMut(ConnectionRecord),
) -> Result<Summary, CaptureError> {
    let mut sink = RecordSink { receive, held: InOrder::new(options.limits.reorder_records) };
    let mut summary = run_files(paths, options, &mut sink, &mut |_| ControlFlow::Continue(()))?;
    sink.held.release_all(|record| record.take().into_iter().for_each(&mut *sink.receive));
    summary.policies.push(sink.held.policy());
    Ok(summary)
}

/// The same as text: each record is written by `render` (see [`crate::jsonl`]) on the thread that found it, and its line handed
/// to `receive` in order. `receive` may stop the run.
///
/// # Errors
/// As [`fingerprint_files`], and [`CaptureError::Stopped`].
pub fn fingerprint_lines(
    paths: &[PathBuf],
    options: &Options,
    render: RenderRecord,
    receive: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<Summary, CaptureError> {
    let held = InOrder::new(options.limits.reorder_records);
    let stopped = Cell::new(false);
    let mut receive = |line: &[u8]| {
        if !stopped.get() {
            stopped.set(receive(line).is_break());
        }
    };
    let mut sink = LineSink { receive: &mut receive, render, held, scratch: Vec::new() };
    let go_on = || if stopped.get() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    let mut summary = run_files(paths, options, &mut sink, &mut |_| go_on())?;
    sink.held.release_all(|line| (sink.receive)(line));
    summary.policies.push(sink.held.policy());
    if stopped.get() { Err(CaptureError::Stopped) } else { Ok(summary) }
}

/// Gives the handshake events of the captures, and every 4,096 packets how far it is. `progress` may stop the run.
///
/// # Errors
/// As [`fingerprint_files`], and [`CaptureError::Stopped`].
pub fn sense_files(
    paths: &[PathBuf],
    options: &Options,
    receive: &mut dyn FnMut(NetworkEvent),
    progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Summary, CaptureError> {
    run_files(paths, options, &mut EventSink(receive), progress)
}

/// The same for any sink: records, events and HTTP requests, as it wants them.
///
/// # Errors
/// As [`sense_files`].
pub fn run_files<S: SensorSink>(
    paths: &[PathBuf],
    options: &Options,
    sink: &mut S,
    progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Summary, CaptureError> {
    let files = expand(paths)?;
    let mut summary = Summary::default();
    let mut sources = Vec::new();
    let mut first_error = None;
    for file in files {
        // Threads share mapped bytes; a single one is faster with large reads, which also leave the data in its cache.
        match if options.threads > 1 { open(&file) } else { open_streaming(&file) } {
            Ok(source) => {
                sources.push(source);
                summary.captures.push(CaptureRead { path: file, ..CaptureRead::default() });
            }
            Err(error) => {
                summary.failed_files.push(error.to_string());
                first_error.get_or_insert(error);
            }
        }
    }
    if let Some(error) = first_error.filter(|_| sources.is_empty()) {
        return Err(error);
    }
    summary.files = sources.len();
    let secrets = match &options.keylog {
        Some(path) => {
            let refused = |source| CaptureError::Io { operation: "read the key log", path: path.clone(), source };
            let text = std::fs::read(path).map_err(refused)?;
            if !KeyLog::holds_any(&text) {
                summary
                    .failed_files
                    .push(format!("the key log {} holds no secret (NSS format: LABEL RANDOM SECRET)", path.display()));
            }
            Some(text)
        }
        None => None,
    };
    let done = match <[FileSource; 1]>::try_from(sources) {
        Ok([FileSource::Pcap(mut only)]) => drive(&mut only, options, secrets.as_deref(), sink, &mut summary, progress),
        Ok([mut only]) => drive(&mut only, options, secrets.as_deref(), sink, &mut summary, progress),
        Err(several) => {
            let mut merged = MergedSource::new(several);
            let done = drive(&mut merged, options, secrets.as_deref(), sink, &mut summary, progress);
            summary.note_taken(merged.taken());
            done
        }
    };
    if done.is_break() {
        return Err(CaptureError::Stopped);
    }
    summary.note_captures();
    Ok(summary)
}

impl Summary {
    /// Keeps what a merge took of each of its files.
    fn note_taken(&mut self, taken: &[Taken]) {
        for (capture, taken) in self.captures.iter_mut().zip(taken) {
            capture.packets = taken.packets;
            if taken.packets > 0 {
                (capture.first_ns, capture.last_ns) = (Some(taken.first_ns), Some(taken.last_ns));
            }
        }
    }

    /// Gives each capture its damage, and a single one what the whole run met.
    fn note_captures(&mut self) {
        if let [only] = self.captures.as_mut_slice() {
            (only.packets, only.first_ns, only.last_ns) = (self.counters.packets, self.first_ns, self.last_ns);
        }
        for capture in &mut self.captures {
            let name = capture.path.display().to_string();
            let places = self.damage.iter().filter(|damage| damage.file == name).count();
            capture.damaged = u64::try_from(places).unwrap_or(u64::MAX);
        }
    }

    /// Keeps places of damage up to the bound, counts all.
    pub(crate) fn note_damage(&mut self, damage: Vec<Damage>) {
        for damage in damage {
            self.damage_count = self.damage_count.saturating_add(1);
            if self.damage.len() < MAX_DAMAGE {
                self.damage.push(damage);
            }
        }
    }

    /// Keeps the range of time; an empty one (no packet) is none.
    pub(crate) fn note_times(&mut self, first_ns: i64, last_ns: i64) {
        (self.first_ns, self.last_ns) = if first_ns <= last_ns { (Some(first_ns), Some(last_ns)) } else { (None, None) };
    }
}

fn drive(
    source: &mut impl PacketSource,
    options: &Options,
    secrets: Option<&[u8]>,
    sink: &mut impl SensorSink,
    summary: &mut Summary,
    progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> ControlFlow<()> {
    if options.threads > 1 {
        return shard::run(source, &options.limits, secrets, options.threads, sink, summary, progress);
    }
    let mut sensor = Sensor::new(SensorConfig { limits: options.limits.clone() });
    if let Some(secrets) = secrets {
        sensor.add_secrets(secrets);
    }
    let done = pump(source, &mut sensor, sink, summary, progress);
    if done.is_continue() {
        sensor.finish(sink);
    }
    summary.counters = sensor.counters();
    summary.policies = sensor.policies();
    done
}

fn pump(
    source: &mut impl PacketSource,
    sensor: &mut Sensor,
    sink: &mut impl SensorSink,
    summary: &mut Summary,
    progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let mut until_progress = PROGRESS_PACKETS;
    let (mut first_ns, mut last_ns) = (i64::MAX, i64::MIN);
    while source.advance() {
        if source.has_secrets() {
            for secrets in source.take_secrets() {
                sensor.add_secrets(&secrets);
            }
        }
        let packet = source.packet();
        first_ns = first_ns.min(packet.ts_ns);
        last_ns = last_ns.max(packet.ts_ns);
        sensor.packet(&packet, sink);
        until_progress = until_progress.wrapping_sub(1);
        if until_progress == 0 {
            until_progress = PROGRESS_PACKETS;
            report(source, sensor, progress)?;
        }
    }
    summary.note_times(first_ns, last_ns);
    summary.note_damage(source.take_damage());
    report(source, sensor, progress)
}

fn report(
    source: &impl PacketSource,
    sensor: &mut Sensor,
    progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> ControlFlow<()> {
    progress(&Progress {
        bytes_read: source.bytes_read(),
        total_bytes: source.total_bytes(),
        packets: sensor.counters().packets,
        watermark_ns: sensor.watermark_ns(),
    })
}

/// Hands records out in order.
struct RecordSink<'a> {
    receive: &'a mut dyn FnMut(ConnectionRecord),
    held: InOrder<Option<ConnectionRecord>>,
}

impl SensorSink for RecordSink<'_> {
    fn wants_events(&self) -> bool {
        false
    }

    fn record(&mut self, record: ConnectionRecord) {
        self.held.hold(record.start_ns, record.number, |place| *place = Some(record));
        self.held.release_over_bound(|record| record.take().into_iter().for_each(&mut *self.receive));
    }

    fn event(&mut self, _: NetworkEvent) {}
}

/// The same with records as text.
struct LineSink<'a> {
    receive: &'a mut dyn FnMut(&[u8]),
    render: RenderRecord,
    held: InOrder<Vec<u8>>,
    /// Where a record is rendered, so that its place is as large as its text.
    scratch: Vec<u8>,
}

impl SensorSink for LineSink<'_> {
    fn wants_events(&self) -> bool {
        false
    }

    fn renders(&self) -> Option<RenderRecord> {
        Some(self.render)
    }

    fn record(&mut self, record: ConnectionRecord) {
        let mut text = std::mem::take(&mut self.scratch);
        text.clear();
        (self.render)(&mut text, &record);
        self.line(record.start_ns, record.number, &text);
        self.scratch = text;
    }

    fn line(&mut self, start_ns: i64, number: u64, text: &[u8]) {
        self.held.hold(start_ns, number, |place| put_line(place, text));
        self.held.release_over_bound(|line| (self.receive)(line));
    }

    fn event(&mut self, _: NetworkEvent) {}
}

/// Writes a line to a place that held another. A place that is too small or much too large is given up: if each kept the largest size
/// it ever had, memory would grow with the length of the capture.
fn put_line(place: &mut Vec<u8>, text: &[u8]) {
    let roomy = text.len().saturating_add(text.len() / 4).saturating_add(64);
    if !(text.len()..=roomy).contains(&place.capacity()) {
        *place = Vec::with_capacity(text.len());
    }
    place.clear();
    place.extend_from_slice(text);
}

struct EventSink<'a>(&'a mut dyn FnMut(NetworkEvent));

impl SensorSink for EventSink<'_> {
    fn wants_records(&self) -> bool {
        false
    }

    fn record(&mut self, _: ConnectionRecord) {}

    fn event(&mut self, event: NetworkEvent) {
        (self.0)(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_about_as_large_as_its_line_whatever_it_held_before() {
        let mut place = Vec::new();
        for length in [300, 9_000, 1_300, 1_200, 1_400, 200, 1_300] {
            let line = vec![b'x'; length];
            put_line(&mut place, &line);
            assert_eq!(place, line);
            assert!(place.capacity() <= length + length / 4 + 64, "{} bytes for a line of {length}", place.capacity());
        }
    }
}
