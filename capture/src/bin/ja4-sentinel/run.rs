//! The loop: open, give up privileges, read, send, end with a flush.
//!
//! Promises: the only clock of the program is asked here, and only to let event time pass on idle interfaces; nothing from outside is
//! parsed before the privileges are gone; after SIGTERM, SIGINT or SIGHUP what the kernel had captured and what the sensor held goes
//! out.
//!
//! Read next: `output.rs`, `capture/src/live/mod.rs`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use ja4_capture::event::NetworkEvent;
use ja4_capture::live::{LiveSource, OpenInterfaces, Step};
use ja4_capture::privilege::{Report, drop_privileges};
use ja4_capture::source::PacketSource;
use ja4_capture::source::merge::MergedSource;
use ja4_capture::source::open::{FileSource, expand, open};
use ja4_capture::{ConnectionRecord, Sensor, SensorConfig, SensorSink};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};

use crate::addresses::AddressFilter;
use crate::config::Config;
use crate::output::{OpenOutput, Output};
use crate::stats::Figures;

/// Packets between two looks at signals and buffers while packets keep coming.
const LOOK_PACKETS: u32 = 1024;
/// How far idle time stays behind the clock: the kernel may hold packets back for a moment.
const TICK_BEHIND_NS: i64 = 1_000_000_000;

/// Runs until asked to stop, or to the end of the captures. The error is one sentence.
pub fn run(config: &Config) -> Result<(), String> {
    let signals = Signals::register()?;
    let text = |error: &dyn std::error::Error| error.to_string();
    let output = OpenOutput::open(config)?;
    let input = if config.read.is_empty() {
        Opened::Wire(OpenInterfaces::open(&config.live).map_err(|e| text(&e))?)
    } else {
        open_captures(&config.read)?
    };
    let report = drop_privileges(&config.target).map_err(|e| text(&e))?;
    announce(&input, &report);
    let driver = Driver {
        sensor: Sensor::new(SensorConfig { limits: config.limits.clone() }),
        sink: Sink { filter: &config.filter, output: output.start(config)?, filtered: 0 },
        signals,
        until_look: LOOK_PACKETS,
    };
    match input {
        Opened::Wire(interfaces) => driver.listen(interfaces.start().map_err(|e| text(&e))?),
        Opened::Captures(sources) => driver.read(MergedSource::new(sources)),
    }
}

enum Opened {
    Wire(OpenInterfaces),
    Captures(Vec<FileSource>),
}

fn open_captures(paths: &[PathBuf]) -> Result<Opened, String> {
    let files = expand(paths).map_err(|error| error.to_string())?;
    let sources = files.iter().map(|file| open(file).map_err(|error| error.to_string()));
    sources.collect::<Result<_, _>>().map(Opened::Captures)
}

fn announce(input: &Opened, report: &Report) {
    let what = match input {
        Opened::Wire(interfaces) => {
            let names = interfaces.link_types().into_iter().map(|(name, link)| format!("{name} ({link})"));
            format!("listening on {}", names.collect::<Vec<_>>().join(", "))
        }
        Opened::Captures(sources) => format!("reading {} captures", sources.len()),
    };
    let state = |on| if on { "on" } else { "off" };
    eprintln!(
        "ja4-sentinel: {what} as {} (uid {}, gid {}), Landlock {}, seccomp {}",
        report.user,
        report.uid,
        report.gid,
        state(report.landlock),
        state(report.seccomp)
    );
}

struct Driver<'a> {
    sensor: Sensor,
    sink: Sink<'a>,
    signals: Signals,
    until_look: u32,
}

impl Driver<'_> {
    fn listen(mut self, mut source: LiveSource) -> Result<(), String> {
        let mut stopping = false;
        let mut outcome = Ok(());
        loop {
            let looks = match source.step() {
                Step::Packet(packet) => {
                    self.sensor.packet(&packet, &mut self.sink);
                    self.is_time_to_look()
                }
                Step::Idle => {
                    self.sensor.tick(now_ns().saturating_sub(TICK_BEHIND_NS), &mut self.sink);
                    true
                }
                Step::Ended => break,
            };
            if !looks {
                continue;
            }
            if self.signals.figures() {
                self.print_figures(Some(&source), 0);
            }
            if outcome.is_ok() {
                outcome = self.sink.output.flush();
            }
            if (self.signals.stop() || outcome.is_err()) && !std::mem::replace(&mut stopping, true) {
                source.stop();
            }
            tell_failures(&mut source);
        }
        let failed = tell_failures(&mut source);
        let outcome = self.finish(Some(&source), 0, outcome);
        match outcome {
            Ok(()) if !stopping => {
                Err(format!("no interface is left to listen on{}", failed.map(|e| format!(": {e}")).unwrap_or_default()))
            }
            outcome => outcome,
        }
    }

    fn read(mut self, mut source: MergedSource<FileSource>) -> Result<(), String> {
        let mut outcome = Ok(());
        while source.advance() {
            self.sensor.packet(&source.packet(), &mut self.sink);
            if self.is_time_to_look() {
                if self.signals.figures() {
                    self.print_figures(None, 0);
                }
                outcome = self.sink.output.flush();
                if self.signals.stop() || outcome.is_err() {
                    break;
                }
            }
        }
        let damage = source.take_damage();
        for damage in &damage {
            eprintln!("ja4-sentinel: {damage}");
        }
        self.finish(None, damage.len() as u64, outcome)
    }

    /// Lets everything out, writes it, and prints the figures.
    fn finish(&mut self, source: Option<&LiveSource>, damage: u64, outcome: Result<(), Option<String>>) -> Result<(), String> {
        self.sensor.finish(&mut self.sink);
        let (_, written) = self.sink.output.finish();
        self.print_figures(source, damage);
        match outcome.and(written) {
            Ok(()) | Err(None) => Ok(()),
            Err(Some(sentence)) => Err(sentence),
        }
    }

    fn print_figures(&self, source: Option<&LiveSource>, damage: u64) {
        let interfaces = source.map(LiveSource::stats).unwrap_or_default();
        Figures {
            counters: self.sensor.counters(),
            kernel_dropped: interfaces.iter().map(|figures| figures.kernel_dropped).fold(0, u64::saturating_add),
            interface_dropped: interfaces.iter().map(|figures| figures.interface_dropped).fold(0, u64::saturating_add),
            out_of_order: source.map_or(0, LiveSource::out_of_order),
            filtered: self.sink.filtered,
            sent: self.sink.output.figures(),
            interfaces,
            damage,
            policies: self.sensor.policies(),
        }
        .print();
    }

    fn is_time_to_look(&mut self) -> bool {
        self.until_look = self.until_look.wrapping_sub(1);
        let now = self.until_look == 0;
        if now {
            self.until_look = LOOK_PACKETS;
        }
        now
    }
}

/// Interfaces that went away are told once; gives the last one's reason.
fn tell_failures(source: &mut LiveSource) -> Option<String> {
    let failures = source.take_failures();
    for failure in &failures {
        eprintln!("ja4-sentinel: {failure}");
    }
    failures.last().map(ToString::to_string)
}

struct Sink<'a> {
    filter: &'a AddressFilter,
    output: Output,
    filtered: u64,
}

impl SensorSink for Sink<'_> {
    fn wants_records(&self) -> bool {
        false
    }

    fn record(&mut self, _: ConnectionRecord) {}

    fn event(&mut self, event: NetworkEvent) {
        if self.filter.lets_through(&event) {
            self.output.event(&event);
        } else {
            self.filtered = self.filtered.saturating_add(1);
        }
    }
}

struct Signals {
    stop: Arc<AtomicBool>,
    figures: Arc<AtomicBool>,
}

impl Signals {
    fn register() -> Result<Self, String> {
        let signals = Self { stop: Arc::default(), figures: Arc::default() };
        for signal in [SIGTERM, SIGINT, SIGHUP, SIGUSR1] {
            let flag = if signal == SIGUSR1 { &signals.figures } else { &signals.stop };
            signal_hook::flag::register(signal, Arc::clone(flag))
                .map_err(|error| format!("cannot listen for signals: {error}"))?;
        }
        Ok(signals)
    }

    fn stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn figures(&self) -> bool {
        self.figures.swap(false, Ordering::Relaxed)
    }
}

#[allow(clippy::disallowed_methods, reason = "the outermost program: on an idle interface no packet tells the time")]
fn now_ns() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_nanos()).unwrap_or(i64::MAX)
}
