//! Packets from interfaces to network events, inside the process that joins them.
//!
//! Promises: events go the way that a sentinel's datagrams go, so that the journal holds them alike; after a stop what the kernel had
//! captured still comes out.
//!
//! Read next: `ja4_capture::live`, `ja4_replay::live::daemon`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ja4_capture::live::{OpenInterfaces, Step};
use ja4_capture::{ConnectionRecord, Sensor, SensorConfig, SensorSink};
use ja4_event::NetworkEvent;
use ja4_replay::ReplayError;
use ja4_replay::live::daemon::{Input, SensorThread};
use ja4_replay::live::queue::Sender;
use ja4_replay::live::socket::Datagrams;
use ja4_replay::live::{Level, Stream, Tell};

/// Events handed over at once at most.
const BATCH: usize = 256;
/// How far idle time stays behind the clock: the kernel may hold packets back for a moment.
const TICK_BEHIND_NS: i64 = 1_000_000_000;
/// Packets between two looks at the end.
const LOOK_PACKETS: u32 = 1024;

struct Collect(Datagrams);

impl SensorSink for Collect {
    fn wants_records(&self) -> bool {
        false
    }

    fn record(&mut self, _: ConnectionRecord) {}

    fn event(&mut self, event: NetworkEvent) {
        self.0.push(&serde_json::to_vec(&event).unwrap_or_default());
    }
}

impl Collect {
    /// `false` when nobody takes any more.
    fn give(&mut self, out: &Sender<Input>, least: usize) -> bool {
        if self.0.len() < least.max(1) {
            return true;
        }
        let full = std::mem::replace(&mut self.0, Datagrams::new(Stream::Network));
        out.send(Input::Datagrams(full)).is_ok()
    }
}

/// The thread that listens; `now_ns` is the driver's wall clock, to let event time pass on idle interfaces.
#[must_use]
pub fn thread(interfaces: OpenInterfaces, stop: Arc<AtomicBool>, tell: Tell, now_ns: fn() -> i64) -> SensorThread {
    Box::new(move |out| {
        let mut source = interfaces.start()?;
        let mut sensor = Sensor::new(SensorConfig::default());
        let mut events = Collect(Datagrams::new(Stream::Network));
        let (mut stopping, mut until_look) = (false, LOOK_PACKETS);
        loop {
            let mut least = BATCH;
            match source.step() {
                Step::Packet(packet) => {
                    sensor.packet(&packet, &mut events);
                    until_look = until_look.saturating_sub(1);
                }
                Step::Idle => {
                    sensor.tick(now_ns().saturating_sub(TICK_BEHIND_NS), &mut events);
                    (until_look, least) = (0, 1);
                }
                Step::Ended => break,
            }
            let taken = events.give(&out, least);
            if until_look == 0 {
                until_look = LOOK_PACKETS;
                if (stop.load(Ordering::Relaxed) || !taken) && !std::mem::replace(&mut stopping, true) {
                    source.stop();
                }
                for failure in source.take_failures() {
                    tell(Level::Error, "sensor", &failure.to_string());
                }
            }
        }
        let last = source.take_failures().last().map_or(String::new(), |failure| format!(": {failure}"));
        sensor.finish(&mut events);
        events.give(&out, 1);
        let dropped: u64 = source.stats().iter().map(|figures| figures.kernel_dropped).sum();
        if dropped > 0 {
            tell(Level::Warn, "sensor", &format!("the kernel dropped {dropped} packets"));
        }
        if stopping { Ok(()) } else { Err(ReplayError::NoInterface { last }) }
    })
}
