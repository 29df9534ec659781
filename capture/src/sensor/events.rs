//! The queue that lets handshake events out in the order of their ClientHellos.
//!
//! Promises: each event is let out as soon as it and every earlier one are ready: the ServerHello is known, the connection ended,
//! or five seconds of event time passed. The order therefore follows the packets alone, never batches, threads or tables. Bounded:
//! when full, the oldest is let out as it is.
//!
//! Read next: `clock.rs`, `mod.rs`.

use std::collections::VecDeque;

use ja4_event::NetworkEvent;

use crate::limits::{Gauge, Limits, PolicyReport};

/// How long an event waits for its ServerHello.
pub const WAIT_NS: i64 = 5_000_000_000;

#[derive(Debug)]
struct Pending {
    /// Time of the ClientHello.
    ts_ns: i64,
    /// Number of the packet that completed it.
    packet: u64,
    /// Which connection builds it while it is not ready.
    owner: Owner,
    ready: Option<Box<NetworkEvent>>,
}

/// Whose state an event is built from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// A slot of the TCP table.
    Tcp(u32),
    /// A slot of the UDP table.
    Udp(u32),
}

/// Events in order of their ClientHellos.
#[derive(Debug, Default)]
pub struct EventQueue {
    pending: VecDeque<Pending>,
    /// Number of the front.
    first_number: u64,
    gauge: Gauge,
}

impl EventQueue {
    /// A ClientHello was completed; gives the number under which its event is to be handed in.
    pub fn open(&mut self, ts_ns: i64, packet: u64, owner: Owner) -> u64 {
        let number = self.first_number.saturating_add(self.pending.len() as u64);
        self.pending.push_back(Pending { ts_ns, packet, owner, ready: None });
        self.gauge.set(self.pending.len());
        number
    }

    /// Hands an event in. One that was let out already is ignored.
    pub fn ready(&mut self, number: u64, event: NetworkEvent) {
        let place = number.checked_sub(self.first_number).and_then(|at| self.pending.get_mut(usize::try_from(at).ok()?));
        if let Some(place) = place {
            place.ready = Some(Box::new(event));
        }
    }

    /// The next event to let out with the number of its packet, if it is ready.
    #[inline]
    pub fn pop(&mut self) -> Option<(u64, NetworkEvent)> {
        self.pending.front()?.ready.as_ref()?;
        self.first_number = self.first_number.saturating_add(1);
        let Pending { packet, ready, .. } = self.pending.pop_front()?;
        ready.map(|event| (packet, *event))
    }

    /// Packet number of the event at the front.
    #[must_use]
    pub fn front_packet(&self) -> Option<u64> {
        self.pending.front().map(|front| front.packet)
    }

    /// The connection whose event at the front has waited long enough, or must go because the queue is full.
    #[inline]
    pub fn overdue(&mut self, now_ns: i64, limits: &Limits) -> Option<(u64, Owner)> {
        let front = self.pending.front()?;
        if front.ready.is_some() {
            return None;
        }
        let full = self.pending.len() > limits.pending_events;
        if full {
            self.gauge.evict();
        }
        (full || now_ns.saturating_sub(front.ts_ns) >= WAIT_NS).then_some((self.first_number, front.owner))
    }

    /// Drops the front, whose connection has nothing to say any more.
    pub fn drop_front(&mut self) {
        if self.pending.pop_front().is_some() {
            self.first_number = self.first_number.saturating_add(1);
        }
    }

    /// Time of the event at the front: the oldest, but for time stamps that ran backwards.
    #[must_use]
    pub fn oldest_ns(&self) -> Option<i64> {
        self.pending.front().map(|front| front.ts_ns)
    }

    /// Line for the limits report.
    #[must_use]
    pub fn policy(&self, limits: &Limits) -> PolicyReport {
        PolicyReport::new(
            "pending handshake events",
            limits.pending_events,
            self.gauge,
            "let the oldest out without its ServerHello",
        )
    }
}
