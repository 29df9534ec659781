//! Packets from the wire through libpcap: one or several interfaces as one stream in order of time.
//!
//! Promises: opening and reading are two steps, so that privileges can be given up in between ([`OpenInterfaces::start`] is the
//! first moment a packet is looked at); every buffer is bounded and what does not fit is counted by the kernel; no clock is read:
//! an idle interface shows as [`Step::Idle`] and the caller decides what time it is; [`LiveSource::stop`] still delivers what the
//! kernel had captured.
//!
//! Read next: `reader.rs` (one thread per interface), `merge.rs` (order of time), `../privilege/mod.rs`.

mod batch;
mod merge;
mod reader;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use pcap::{Active, Capture, Linktype, Precision};
use serde::Serialize;

use crate::error::CaptureError;
use crate::live::batch::Message;
use crate::live::merge::Merger;
use crate::live::reader::{Reader, Shared};
use crate::source::Packet;

/// Most interfaces at once.
pub const MAX_INTERFACES: usize = 64;
/// After how long the kernel looks whether to deliver what it holds back, milliseconds. It does so at the second look.
const READ_TIMEOUT_MS: u16 = 25;
/// How long nothing has to come before [`Step::Idle`].
const IDLE: Duration = Duration::from_millis(100);
/// Batches between the readers and the caller, all interfaces together; a batch holds 64 KiB or one packet more.
const QUEUED_BATCHES: usize = 64;
/// How far packets of different interfaces may be out of order, beyond what the kernel holds back, milliseconds: as long as a
/// reader's thread may have to wait for a processor.
const REORDER_MS: u16 = 50;
/// How long [`LiveSource::stats`] waits for each interface's figures.
const STATS_WAIT: Duration = Duration::from_millis(200);

/// What to listen on and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveConfig {
    /// Names as the system has them; `any` stands for all.
    pub interfaces: Vec<String>,
    /// A filter in libpcap's language; the kernel applies it.
    pub filter: Option<String>,
    /// Bytes kept of each packet.
    pub snap_length_bytes: u32,
    /// Size of the kernel's ring for each interface, bytes.
    pub buffer_bytes: u32,
    /// Whether to take frames that are addressed to others.
    pub promiscuous: bool,
    /// Whether the kernel hands out each packet at once. Costs room in the ring, which then has slots of the snap length
    /// instead of packed blocks; without it, packets come up to 50 milliseconds later and keep their times.
    pub immediate: bool,
}

impl Default for LiveConfig {
    fn default() -> Self {
        Self {
            interfaces: Vec::new(),
            filter: None,
            snap_length_bytes: 262_144,
            buffer_bytes: 16 * 1024 * 1024,
            promiscuous: false,
            immediate: false,
        }
    }
}

/// What happened on one interface so far.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct InterfaceStats {
    /// Its name.
    pub interface: String,
    /// Packets that passed the filter, as the kernel counts them; those it dropped are among them.
    pub kernel_received: u64,
    /// Packets dropped because the ring was full.
    pub kernel_dropped: u64,
    /// Packets the interface or its driver dropped, where it tells.
    pub interface_dropped: u64,
    /// Packets handed to the caller's side.
    pub delivered: u64,
}

/// Interfaces that are open but not read.
pub struct OpenInterfaces {
    handles: Vec<(String, Capture<Active>)>,
    config: LiveConfig,
}

impl OpenInterfaces {
    /// Opens every interface and sets its filter. Needs root or `CAP_NET_RAW`.
    ///
    /// # Errors
    /// [`CaptureError::Interface`] with what libpcap says, [`CaptureError::Filter`], [`CaptureError::NothingToRead`].
    pub fn open(config: &LiveConfig) -> Result<Self, CaptureError> {
        if config.interfaces.is_empty() {
            return Err(CaptureError::NothingToRead);
        }
        let handles = config.interfaces.iter().take(MAX_INTERFACES).map(|name| Ok((name.clone(), open(name, config)?)));
        Ok(Self { handles: handles.collect::<Result<_, CaptureError>>()?, config: config.clone() })
    }

    /// Name and link-layer type of each interface.
    #[must_use]
    pub fn link_types(&self) -> Vec<(String, String)> {
        let name = |capture: &Capture<Active>| {
            let link = capture.get_datalink();
            link.get_name().unwrap_or_else(|_| link.0.to_string())
        };
        self.handles.iter().map(|(interface, capture)| (interface.clone(), name(capture))).collect()
    }

    /// Begins to read. Give up privileges before.
    ///
    /// # Errors
    /// [`CaptureError::Thread`] if the system refuses a thread.
    pub fn start(self) -> Result<LiveSource, CaptureError> {
        let hold_ms =
            if self.config.immediate { REORDER_MS } else { REORDER_MS.saturating_add(READ_TIMEOUT_MS.saturating_mul(2)) };
        let (sender, receiver) = sync_channel(QUEUED_BATCHES);
        let mut source = LiveSource {
            merger: Merger::new(self.handles.len(), i64::from(hold_ms).saturating_mul(1_000_000)),
            hold: Duration::from_millis(hold_ms.into()),
            receiver,
            told_idle: false,
            stopping: false,
            readers: Vec::new(),
            failures: Vec::new(),
        };
        for (place, (interface, mut capture)) in self.handles.into_iter().enumerate() {
            let shared = Arc::new(Shared::new(interface.clone(), capture.breakloop_handle()));
            let drain_wait = Duration::from_millis(READ_TIMEOUT_MS.saturating_mul(4).into());
            let reader = Reader {
                place,
                link_type: u32::try_from(capture.get_datalink().0).unwrap_or(0),
                sender: sender.clone(),
                shared: Arc::clone(&shared),
                drain_wait,
                drain_bytes: u64::from(self.config.buffer_bytes),
            };
            let thread = std::thread::Builder::new().name(format!("wire-{place}"));
            // Kept first: if a thread cannot be started, dropping the source stops those that run.
            source.readers.push(shared);
            thread.spawn(move || reader.run(capture)).map_err(|source| CaptureError::Thread { interface, source })?;
        }
        Ok(source)
    }
}

impl std::fmt::Debug for OpenInterfaces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenInterfaces").field("config", &self.config).finish_non_exhaustive()
    }
}

/// What came next.
#[derive(Debug)]
pub enum Step<'a> {
    /// A packet.
    Packet(Packet<'a>),
    /// Nothing more is there at the moment: once when everything was handed out, then every tenth of a second. Time to let event
    /// time pass (`Sensor::tick`), to write out what is buffered, and to look at signals.
    Idle,
    /// Every interface has ended: after [`LiveSource::stop`], or each failed (see [`LiveSource::take_failures`]).
    Ended,
}

/// Packets of all interfaces in order of time. Dropping it ends its threads.
#[derive(Debug)]
pub struct LiveSource {
    merger: Merger,
    /// How long packets of one interface wait for earlier ones of another.
    hold: Duration,
    receiver: Receiver<Message>,
    /// Since the last packet.
    told_idle: bool,
    /// The readers were asked to end.
    stopping: bool,
    readers: Vec<Arc<Shared>>,
    failures: Vec<CaptureError>,
}

impl LiveSource {
    /// Waits for what comes next, at most a tenth of a second.
    pub fn step(&mut self) -> Step<'_> {
        loop {
            if self.merger.advance() {
                self.told_idle = false;
                return Step::Packet(self.merger.packet());
            }
            if let Ok(message) = self.receiver.try_recv() {
                self.take(message);
                continue;
            }
            if !std::mem::replace(&mut self.told_idle, true) {
                return Step::Idle;
            }
            let holds = self.merger.holds();
            match self.receiver.recv_timeout(if holds { self.hold } else { IDLE }) {
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Timeout) if holds && !self.stopping => self.merger.release_held(),
                Err(RecvTimeoutError::Timeout) => return Step::Idle,
                // A reader closes its lane before it ends; one that could not must not keep packets from going out.
                Err(RecvTimeoutError::Disconnected) if holds => {
                    (0..self.readers.len()).for_each(|place| self.merger.close(place))
                }
                Err(RecvTimeoutError::Disconnected) => return Step::Ended,
            }
        }
    }

    /// Asks the readers to end. Go on calling [`LiveSource::step`] until [`Step::Ended`]: what the kernel has captured by now
    /// (at most one ring of it) is still delivered.
    pub fn stop(&mut self) {
        self.stopping = true;
        // A reader waits a tenth of a second for the kernel's last block: what another one delivers meanwhile must wait for it.
        self.merger.wait_for_all();
        for reader in &self.readers {
            reader.ask_to_stop();
        }
    }

    /// Figures of each interface, asked of the kernel now; after the end, the last ones.
    #[must_use]
    pub fn stats(&self) -> Vec<InterfaceStats> {
        self.readers.iter().map(|reader| reader.fresh_stats(STATS_WAIT)).collect()
    }

    /// Packets that were handed out after a later one of another interface.
    #[must_use]
    pub fn out_of_order(&self) -> u64 {
        self.merger.out_of_order()
    }

    /// Interfaces that ended by themselves since the last call; the others go on.
    pub fn take_failures(&mut self) -> Vec<CaptureError> {
        std::mem::take(&mut self.failures)
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Packets(batch) => self.merger.add(batch),
            Message::Ended { place, failure } => {
                self.merger.close(place);
                self.failures.extend(failure);
            }
        }
    }
}

impl Drop for LiveSource {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Whether libpcap understands a filter; needs no privilege and no interface.
///
/// # Errors
/// [`CaptureError::Filter`] with libpcap's reason.
pub fn check_filter(filter: &str) -> Result<(), CaptureError> {
    let compiled = Capture::dead(Linktype::ETHERNET).and_then(|capture| capture.compile(filter, true).map(drop));
    compiled.map_err(|error| CaptureError::Filter { filter: filter.to_owned(), reason: reason(&error) })
}

fn open(interface: &str, config: &LiveConfig) -> Result<Capture<Active>, CaptureError> {
    let failed = |operation, error: &pcap::Error| {
        let reason = match (reason(error), present()) {
            (reason, _) if reason.contains("permi") || reason.contains("Permi") => {
                format!("{reason}; it needs root or CAP_NET_RAW")
            }
            (reason, Some(names)) if !names.iter().any(|name| name == interface) => {
                format!("{reason}; interfaces here: {}", names.join(", "))
            }
            (reason, _) => reason,
        };
        CaptureError::Interface { operation, interface: interface.to_owned(), reason }
    };
    let inactive = Capture::from_device(interface).map_err(|error| failed("open", &error))?;
    let mut capture = inactive
        .snaplen(i32::try_from(config.snap_length_bytes).unwrap_or(i32::MAX))
        .buffer_size(i32::try_from(config.buffer_bytes).unwrap_or(i32::MAX))
        // libpcap takes this switch on `any` for a mistake.
        .promisc(config.promiscuous && interface != "any")
        .immediate_mode(config.immediate)
        .timeout(READ_TIMEOUT_MS.into())
        .precision(Precision::Nano)
        .open()
        .map_err(|error| failed("open", &error))?;
    if let Some(filter) = &config.filter {
        let refused = |error: pcap::Error| CaptureError::Filter { filter: filter.clone(), reason: reason(&error) };
        capture.filter(filter, true).map_err(refused)?;
    }
    Ok(capture)
}

/// Names of the interfaces, for messages.
fn present() -> Option<Vec<String>> {
    let mut names = std::fs::read_dir("/sys/class/net").ok()?;
    let mut names = names.by_ref().flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect::<Vec<_>>();
    names.sort();
    names.push("any".to_owned());
    Some(names)
}

/// libpcap's words without the decoration of its wrapper.
fn reason(error: &pcap::Error) -> String {
    match error {
        pcap::Error::PcapError(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_checked_without_an_interface() {
        check_filter("tcp port 443 or udp port 443").expect("a filter");
        let error = check_filter("tcp prt 443").expect_err("no filter").to_string();
        assert!(error.starts_with("the packet filter \"tcp prt 443\" is not one: "), "{error}");
    }

    #[test]
    fn an_interface_that_is_not_there_is_named_with_those_that_are() {
        let config = LiveConfig { interfaces: vec!["no-such-wire".into()], ..LiveConfig::default() };
        let error = OpenInterfaces::open(&config).expect_err("no interface").to_string();
        assert!(error.starts_with("cannot open interface no-such-wire: "), "{error}");
        assert!(error.contains("interfaces here: ") || error.contains("CAP_NET_RAW"), "{error}");
    }
}
