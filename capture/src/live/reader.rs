//! The thread that empties the kernel's ring of one interface.
//!
//! Promises: looks into no packet; waits when the caller does not keep up, so that the kernel drops and counts; after
//! [`Shared::ask_to_stop`] delivers what the kernel had captured, at most one ring, and ends.
//!
//! Read next: `batch.rs`, `mod.rs`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use pcap::{Active, BreakLoop, Capture, Stat};

use crate::error::CaptureError;
use crate::live::InterfaceStats;
use crate::live::batch::{Batch, Message};

/// Packets taken from the ring in one call.
const DISPATCH_PACKETS: usize = 256;
/// The kernel's counters have 32 bits: they are read often enough to notice each wrap.
const STATS_ROUNDS: u32 = 4096;

/// Calls in a row that end without packets and without a reason before the interface counts as failed.
const MAX_WAKES: u32 = 100;

/// What a reader and the caller's side have in common.
pub struct Shared {
    stop: AtomicBool,
    wake: BreakLoop,
    stats: Mutex<Stats>,
    answered: Condvar,
}

#[derive(Debug, Default)]
struct Stats {
    sums: InterfaceStats,
    last: [u32; 3],
    /// The caller waits for fresh figures.
    wanted: bool,
    ended: bool,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("stats", &self.stats).finish_non_exhaustive()
    }
}

impl Shared {
    /// For an interface whose blocking read `wake` ends.
    #[must_use]
    pub fn new(interface: String, wake: BreakLoop) -> Self {
        let sums = InterfaceStats { interface, ..InterfaceStats::default() };
        let stats = Mutex::new(Stats { sums, ..Stats::default() });
        Self { stop: AtomicBool::new(false), wake, stats, answered: Condvar::new() }
    }

    /// Asks the reader to deliver what is there and to end.
    pub fn ask_to_stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
        self.wake.breakloop();
    }

    /// Figures as of now; as of the last look if the reader does not answer in time.
    pub fn fresh_stats(&self, wait: Duration) -> InterfaceStats {
        let mut stats = self.lock();
        if !stats.ended {
            stats.wanted = true;
            drop(stats);
            self.wake.breakloop();
            let waiting = self.answered.wait_timeout_while(self.lock(), wait, |stats| stats.wanted && !stats.ended);
            stats = waiting.unwrap_or_else(PoisonError::into_inner).0;
        }
        stats.sums.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Stats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_wanted(&self) -> bool {
        self.lock().wanted
    }

    fn note(&self, now: Option<Stat>, delivered: u64) {
        let mut stats = self.lock();
        if let Some(now) = now {
            let now = [now.received, now.dropped, now.if_dropped];
            let last = std::mem::replace(&mut stats.last, now);
            let sums = &mut stats.sums;
            let sums = [&mut sums.kernel_received, &mut sums.kernel_dropped, &mut sums.interface_dropped];
            for ((sum, now), last) in sums.into_iter().zip(now).zip(last) {
                *sum = sum.saturating_add(now.wrapping_sub(last).into());
            }
        }
        stats.sums.delivered = delivered;
        stats.wanted = false;
        self.answered.notify_all();
    }

    fn end(&self) {
        self.lock().ended = true;
        self.answered.notify_all();
    }
}

/// One interface's thread.
#[derive(Debug)]
pub struct Reader {
    /// Its place among the interfaces.
    pub place: usize,
    /// Its link-layer type.
    pub link_type: u32,
    /// Where packets go.
    pub sender: SyncSender<Message>,
    /// What is shared with the caller's side.
    pub shared: Arc<Shared>,
    /// After a stop, how long to wait until the kernel hands out the block it was filling.
    pub drain_wait: Duration,
    /// After a stop, how many bytes to take at most.
    pub drain_bytes: u64,
}

/// The caller's side is gone.
struct Gone;

impl Reader {
    /// Reads until asked to stop, until the interface fails, or until nobody listens.
    pub fn run(self, mut capture: Capture<Active>) {
        let mut delivered = 0;
        let failure = match self.read(&mut capture, &mut delivered) {
            Ok(()) => self.drain(capture, &mut delivered).err().flatten(),
            Err(failure) => {
                self.shared.note(capture.stats().ok(), delivered);
                failure
            }
        };
        self.shared.end();
        // If nobody listens, there is nobody to tell.
        let _ = self.sender.send(Message::Ended { place: self.place, failure });
    }

    /// `Ok` when asked to stop.
    fn read(&self, capture: &mut Capture<Active>, delivered: &mut u64) -> Result<(), Option<CaptureError>> {
        let (mut rounds, mut wakes) = (0_u32, 0_u32);
        loop {
            let outcome = self.round(capture, delivered).map_err(|Gone| None)?;
            if self.shared.stop.load(Ordering::SeqCst) {
                return Ok(());
            }
            rounds = rounds.wrapping_add(1);
            let wanted = self.shared.is_wanted();
            if wanted || rounds.is_multiple_of(STATS_ROUNDS) {
                self.shared.note(capture.stats().ok(), *delivered);
            }
            match outcome {
                Ok(_) => wakes = 0,
                // A call that was woken up on purpose looks like a failed one.
                Err(_) if wanted => wakes = 0,
                Err(error) => {
                    let reason = super::reason(&error);
                    wakes = wakes.saturating_add(1);
                    // libpcap gives no text when its call was ended from outside: the request was answered a round before.
                    if reason.is_empty() && wakes < MAX_WAKES {
                        continue;
                    }
                    let interface = self.shared.lock().sums.interface.clone();
                    return Err(Some(CaptureError::Interface { operation: "read", interface, reason }));
                }
            }
        }
    }

    /// Takes what the kernel captured before the stop.
    fn drain(&self, capture: Capture<Active>, delivered: &mut u64) -> Result<(), Option<CaptureError>> {
        std::thread::sleep(self.drain_wait);
        let refused = |error: pcap::Error| {
            let interface = self.shared.lock().sums.interface.clone();
            Some(CaptureError::Interface { operation: "read the last packets of", interface, reason: super::reason(&error) })
        };
        let mut capture = capture.setnonblock().map_err(refused)?;
        let mut bytes = 0_u64;
        let mut broken = 0;
        while bytes < self.drain_bytes && broken < 2 {
            match self.round(&mut capture, delivered).map_err(|Gone| None)? {
                Ok((0, _)) => break,
                Ok((_, taken)) => bytes = bytes.saturating_add(taken),
                // The call to stop may reach this loop instead of the one before.
                Err(_) => broken += 1,
            }
        }
        self.shared.note(capture.stats().ok(), *delivered);
        Ok(())
    }

    /// Takes packets that are there, or waits for some. Gives packets and bytes.
    fn round(&self, capture: &mut Capture<Active>, delivered: &mut u64) -> Result<Result<(u64, u64), pcap::Error>, Gone> {
        let mut batch = Batch::new(self.place, self.link_type);
        let (mut packets, mut bytes, mut gone) = (0_u64, 0_u64, false);
        let outcome = capture.dispatch(Some(DISPATCH_PACKETS), |packet| {
            let header = packet.header;
            batch.push(time_ns(header.ts.tv_sec, header.ts.tv_usec), header.len, packet.data);
            packets = packets.saturating_add(1);
            bytes = bytes.saturating_add(packet.data.len() as u64);
            if batch.is_full() && !gone {
                gone = self.send(&mut batch).is_err();
            }
        });
        if batch.len() > 0 && !gone {
            gone = self.send(&mut batch).is_err();
        }
        *delivered = delivered.saturating_add(packets);
        if gone { Err(Gone) } else { Ok(outcome.map(|_| (packets, bytes))) }
    }

    fn send(&self, batch: &mut Batch) -> Result<(), Gone> {
        self.sender.send(Message::Packets(batch.take())).map_err(|_| Gone)
    }
}

/// With the precision asked for, libpcap puts nanoseconds where the type says microseconds.
fn time_ns(seconds: i64, nanoseconds: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}
