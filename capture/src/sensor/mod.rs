//! The sensor: packets in, one record per connection and one event per handshake out.
//!
//! Promises: everything follows the packets alone (no clock, no hash order, no batching): the same packets in the same order give
//! the same calls of the sink. Every table is bounded (`../limits.rs`). A packet of a finished connection costs one look-up.
//! Records are handed out when a connection can add nothing more, is evicted, or at [`Sensor::finish`]; events in the order of
//! their ClientHellos.
//!
//! Read next: `tcp.rs`, `udp.rs`, `events.rs`.

pub mod api;
pub mod app;
pub mod build;
pub mod clock;
mod datagrams;
pub mod decrypt;
pub mod events;
pub mod http3;
pub mod openvpn;
mod outlet;
pub(crate) mod slim;
pub mod tcp;
pub mod udp;

use crate::decode::frag::FragmentTable;
use crate::decode::{Decoded, Segment, decode, decode_carried, flag, plain_tcp};
use crate::flow::key::{FlowKey, Side};
use crate::flow::stream::SynFit;
use crate::flow::table::{FlowTable, Found};
use crate::http::Request;
use crate::keylog::KeyLog;
use crate::limits::{Gauge, Limits, PolicyReport};
use crate::record::ConnectionRecord;
pub use crate::sensor::api::{Counters, RenderRecord, SensorConfig, SensorSink};
use crate::sensor::clock::EventClock;
use crate::sensor::events::{EventQueue, Owner, WAIT_NS};
use crate::sensor::tcp::{Context, News, TcpFlow};
use crate::sensor::udp::UdpFlow;
use crate::source::Packet;

/// Bounded state of everything on the wire. `Send`; one per thread.
#[derive(Debug, Default)]
pub struct Sensor {
    limits: Limits,
    /// Boxed: connections come and go much more often than they are moved through the slab.
    tcp: FlowTable<Box<TcpFlow>>,
    udp: FlowTable<Box<UdpFlow>>,
    fragments: FragmentTable,
    clock: EventClock,
    events: EventQueue,
    counters: Counters,
    held: Gauge,
    held_bytes: usize,
    keys: KeyLog,
}

impl Sensor {
    /// A sensor that has seen nothing.
    #[must_use]
    pub fn new(config: SensorConfig) -> Self {
        Self { limits: config.limits, ..Self::default() }
    }

    /// No event still to come has a lower number (see [`SensorSink::numbered_event`]).
    #[must_use]
    pub fn next_event_number(&self) -> u64 {
        self.events.front_packet().unwrap_or_else(|| self.counters.packets.saturating_add(1))
    }

    /// Adds secrets in NSS key-log format. They serve connections whose ServerHello comes later; they are never logged.
    pub fn add_secrets(&mut self, key_log: &[u8]) {
        self.keys.add_text(key_log);
    }

    /// Takes one packet.
    #[inline]
    pub fn packet(&mut self, packet: &Packet<'_>, sink: &mut impl SensorSink) {
        match plain_tcp(packet.link_type, packet.data) {
            Some(segment) => {
                self.arrived(packet.ts_ns, packet.data.len(), sink);
                self.tcp(&segment, packet.ts_ns, sink);
                if sink.wants_events() {
                    self.let_out_ready(sink);
                }
            }
            None => {
                self.arrived(packet.ts_ns, packet.data.len(), sink);
                self.decoded(decode(packet.link_type, packet.data, &self.limits), packet.ts_ns, sink);
                if sink.wants_events() {
                    self.let_out_ready(sink);
                }
            }
        }
    }

    #[inline]
    fn arrived(&mut self, ts_ns: i64, bytes: usize, sink: &mut impl SensorSink) {
        self.counters.packets = self.counters.packets.wrapping_add(1);
        self.counters.bytes = self.counters.bytes.wrapping_add(bytes as u64);
        let now_ns = self.clock.observe(ts_ns);
        if sink.wants_events() {
            self.let_out_overdue(now_ns, sink);
        }
    }

    /// Takes what another thread decoded: packet `number`, with the latest event time since the call before.
    #[inline]
    pub(crate) fn take_decoded(
        &mut self,
        number: u64,
        latest_ns: i64,
        ts_ns: i64,
        decoded: Decoded<'_>,
        sink: &mut impl SensorSink,
    ) {
        self.counters.packets = number;
        if sink.wants_events() {
            self.let_out_overdue(latest_ns, sink);
        }
        match &decoded {
            Decoded::Tcp(segment) => self.tcp(segment, ts_ns, sink),
            _ => self.decoded(decoded, ts_ns, sink),
        }
        if sink.wants_events() {
            self.let_out_ready(sink);
        }
    }

    /// Packets up to `number` were none of this sensor's; the latest event time among them, and the present one.
    pub(crate) fn pass_time(&mut self, number: u64, latest_ns: i64, now_ns: i64, sink: &mut impl SensorSink) {
        self.counters.packets = number;
        self.clock.set(now_ns);
        self.let_out_overdue(latest_ns, sink);
        self.let_out_ready(sink);
    }

    /// Its bounds.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Lets event time pass without a packet, for a driver whose interfaces are idle: handshakes that waited long enough for their
    /// ServerHello go out and the watermark moves. `now_ns` must lie so far in the past that no earlier packet is still to come
    /// (a second is enough on one machine); a time before the present one is ignored.
    pub fn tick(&mut self, now_ns: i64, sink: &mut impl SensorSink) {
        let now_ns = self.clock.pass(now_ns);
        self.let_out_overdue(now_ns, sink);
        self.let_out_ready(sink);
    }

    /// Ends everything, in order of start: records and events still waiting are handed out.
    pub fn finish(&mut self, sink: &mut impl SensorSink) {
        for slot in self.tcp.all_slots(|flow| flow.number) {
            if let Some((key, flow)) = self.tcp.take(slot) {
                self.hand_out_tcp(&key, flow, sink);
            }
        }
        for slot in self.udp.all_slots(|flow| flow.number) {
            if let Some((key, flow)) = self.udp.take(slot) {
                self.hand_out_udp(&key, flow, sink);
            }
        }
        self.let_out_ready(sink);
        while self.events.oldest_ns().is_some() {
            self.events.drop_front();
            self.let_out_ready(sink);
        }
    }

    /// What was seen so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// A line for each bounded table.
    #[must_use]
    pub fn policies(&self) -> Vec<PolicyReport> {
        let limits = &self.limits;
        let mut lines = self.tcp.policies("tcp connections", limits.flows, limits.finished_flows);
        lines.extend(self.udp.policies("udp conversations", limits.udp_flows, limits.finished_flows));
        lines.push(PolicyReport::new(
            "reassembly bytes",
            limits.total_bytes,
            self.held,
            "give up the connection that began first",
        ));
        lines.extend(self.fragments.policies(limits));
        lines.push(self.events.policy(limits));
        lines
    }

    /// No future event will be older than this, unless the capture's own clock runs backwards by more than a second
    /// (`Counters::late_events`). `None` before the first packet.
    pub fn watermark_ns(&mut self) -> Option<i64> {
        let pending = self.events.oldest_ns();
        self.clock.watermark_ns(pending)
    }

    #[inline(never)]
    fn decoded(&mut self, decoded: Decoded<'_>, ts_ns: i64, sink: &mut impl SensorSink) {
        match decoded {
            Decoded::Tcp(segment) => self.tcp(&segment, ts_ns, sink),
            Decoded::Udp(datagram) => self.udp(&datagram, ts_ns, sink),
            Decoded::Fragment(fragment) => {
                self.counters.fragments = self.counters.fragments.wrapping_add(1);
                if let Some(whole) = self.fragments.add(&fragment, ts_ns, &self.limits) {
                    // A datagram may hold a tunnel whose packets are fragments again; each round is one level deeper.
                    let decoded = decode_carried(fragment.ip, fragment.protocol, &whole, fragment.depth, &self.limits);
                    self.decoded(decoded, ts_ns, sink);
                }
            }
            Decoded::Other => {}
            Decoded::Damaged => self.counters.damaged_packets = self.counters.damaged_packets.wrapping_add(1),
        }
    }

    #[inline]
    fn tcp(&mut self, segment: &Segment<'_>, ts_ns: i64, sink: &mut impl SensorSink) {
        self.counters.tcp_segments = self.counters.tcp_segments.wrapping_add(1);
        let (key, side) = FlowKey::new(segment.ip.addresses, segment.src_port, segment.dst_port);
        let found = self.tcp.find(&key, ts_ns, &self.limits);
        self.found_tcp(found, key, side, segment, ts_ns, sink);
    }

    #[inline]
    fn found_tcp(
        &mut self,
        found: Found,
        key: FlowKey,
        side: Side,
        segment: &Segment<'_>,
        ts_ns: i64,
        sink: &mut impl SensorSink,
    ) {
        let opens = segment.flags & (flag::SYN | flag::ACK | flag::RST) == flag::SYN;
        let slot = match found {
            Found::Watched(slot) => Some(slot),
            Found::Finished(mark) if !opens || mark == mark_of(segment.seq) => return,
            Found::Unknown if segment.payload.is_empty() && segment.flags & flag::SYN == 0 => return,
            Found::Finished(_) | Found::Unknown => None,
        };
        let slot = match slot {
            Some(slot) if self.belongs(slot, side, segment) => slot,
            Some(slot) => {
                self.end_tcp(slot, sink);
                self.open_tcp(key, side, segment, ts_ns, sink)
            }
            None => self.open_tcp(key, side, segment, ts_ns, sink),
        };
        self.watched_tcp(slot, side, segment, ts_ns, sink);
    }

    /// Whether a segment continues the connection of this slot. A SYN with another sequence number begins a new one on the same
    /// addresses and ports.
    #[inline]
    fn belongs(&mut self, slot: u32, side: Side, segment: &Segment<'_>) -> bool {
        if segment.flags & flag::SYN == 0 || segment.flags & flag::RST != 0 {
            return true;
        }
        let Some(flow) = self.tcp.get_mut(slot) else { return true };
        let opens = segment.flags & flag::ACK == 0;
        if let Some((_, isn)) = if opens { &flow.syn } else { &flow.syn_ack } {
            return !opens || *isn == segment.seq;
        }
        match flow.streams.get_mut(side.index()).map(|stream| stream.syn(segment.seq)) {
            Some(SynFit::Begins) | None => true,
            Some(SynFit::Restarts) => {
                flow.restart(side);
                true
            }
            // An answer that fits nothing is not let end a connection: anyone can send one.
            Some(SynFit::Foreign) => !opens,
        }
    }

    fn open_tcp(&mut self, key: FlowKey, side: Side, segment: &Segment<'_>, ts_ns: i64, sink: &mut impl SensorSink) -> u32 {
        while self.tcp.watched() >= self.limits.flows.max(1) {
            let Some(oldest) = self.tcp.oldest() else { break };
            self.evict_tcp(oldest, sink);
        }
        self.counters.connections = self.counters.connections.wrapping_add(1);
        let answers = segment.flags & (flag::SYN | flag::ACK) == flag::SYN | flag::ACK;
        let client_side = if answers { side.other() } else { side };
        let mut flow = Box::new(TcpFlow::new(self.counters.packets, ts_ns, client_side));
        if segment.flags & flag::SYN != 0
            && let Some(stream) = flow.streams.get_mut(side.index())
        {
            stream.syn(segment.seq);
        }
        self.tcp.insert(key, flow, segment.payload.is_empty())
    }

    #[inline(never)]
    fn watched_tcp(&mut self, slot: u32, side: Side, segment: &Segment<'_>, ts_ns: i64, sink: &mut impl SensorSink) {
        let limits = &self.limits;
        let keys = Some(&self.keys).filter(|keys| !keys.is_empty());
        let cx = Context { ts_ns, limits, keys, wants_http: sink.wants_http() };
        let Some(flow) = self.tcp.get_mut(slot) else { return };
        if let Some(first @ None) = flow.first_ip.get_mut(side.index()) {
            *first = Some((segment.ip.ttl, segment.ip.dont_fragment));
        }
        if segment.flags & flag::SYN != 0 {
            flow.note_syn(side, segment, ts_ns);
        } else if flow.ack.is_none()
            && segment.flags & (flag::ACK | flag::RST) == flag::ACK
            && side == flow.client_side
            && flow.syn_ack.is_some()
        {
            flow.ack = Some((ts_ns, segment.ip.ttl));
        }
        let mut news = News::default();
        if !segment.payload.is_empty() || segment.missing_bytes > 0 {
            if flow.app.is_ssh() {
                flow.count_ssh(side, segment, limits);
            }
            let ignored = flow.streams.get(side.index()).is_some_and(|stream| stream.is_ignored());
            if !ignored {
                let fresh_ssh = !flow.app.is_ssh();
                news = flow.payload(side, segment, cx);
                if fresh_ssh && flow.app.is_ssh() {
                    flow.begin_ssh(limits);
                    flow.count_ssh(side, segment, limits);
                }
            }
        } else {
            flow.without_payload(side, segment, limits);
            if segment.flags & flag::SYN != 0 {
                flow.drain(side, cx, &mut news);
            }
        }
        if segment.flags & flag::FIN != 0
            && let Some(stream) = flow.streams.get_mut(side.index())
        {
            let length = u32::try_from(segment.payload.len()).unwrap_or(u32::MAX);
            stream.set_fin(segment.seq.wrapping_add(length).wrapping_add(segment.missing_bytes));
        }
        let reset = segment.flags & flag::RST != 0 && !flow.streams.iter().any(|stream| stream.waits());
        let finished = flow.streams.iter().all(|stream| stream.is_finished());
        let ended = reset || finished || flow.is_complete();
        let talks = !segment.payload.is_empty();
        let held = flow.held_bytes();
        let before = std::mem::replace(&mut flow.accounted_bytes, held);
        self.held_bytes = self.held_bytes.saturating_add(held).saturating_sub(before);
        let event_waits = flow.event_number.is_some() && flow.server.is_some() && talks;
        let requests = std::mem::take(&mut flow.app.requests);
        if talks {
            self.tcp.talks(slot);
        }
        if !requests.is_empty() {
            self.requests(slot, requests, sink);
        }
        if news != News::default() || event_waits {
            self.tcp_news(slot, news, ts_ns, sink);
        }
        if ended {
            self.end_tcp(slot, sink);
        } else if held != before {
            self.keep_total(sink);
        }
    }

    fn tcp_news(&mut self, slot: u32, news: News, ts_ns: i64, sink: &mut impl SensorSink) {
        if news.client_hello {
            self.counters.tls_handshakes = self.counters.tls_handshakes.wrapping_add(1);
        }
        if news.http {
            self.counters.http_connections = self.counters.http_connections.wrapping_add(1);
        }
        if !sink.wants_events() {
            return;
        }
        if news.client_hello || news.http {
            let number = self.events.open(ts_ns, self.counters.packets, Owner::Tcp(slot));
            if news.client_hello
                && let Some(flow) = self.tcp.get_mut(slot)
            {
                flow.event_number = Some(number);
            }
            if news.http && !news.client_hello {
                let event = self.tcp.get(slot).and_then(|(key, flow)| build::tcp_event(key, flow, None));
                match event {
                    Some(event) => self.events.ready(number, event),
                    None => debug_assert!(false, "an HTTP connection always has an event"),
                }
            }
        }
        let Some((key, flow)) = self.tcp.get(slot) else { return };
        let (Some(client), Some(server), Some(number)) = (&flow.client, &flow.server, flow.event_number) else { return };
        // A ServerHello that comes after the wait is left out, whenever the queue was looked at.
        let in_time = ts_ns.saturating_sub(client.ts_ns) < WAIT_NS;
        if in_time && flow.event_may_grow() {
            return;
        }
        if let Some(event) = build::tcp_event(key, flow, Some(&**server).filter(|_| in_time)) {
            self.events.ready(number, event);
        }
        if let Some(flow) = self.tcp.get_mut(slot) {
            flow.event_number = None;
        }
    }

    /// The connection can add nothing more, or was replaced: its results go out and its key is remembered.
    fn end_tcp(&mut self, slot: u32, sink: &mut impl SensorSink) {
        let mark = self.tcp.get(slot).and_then(|(_, flow)| flow.syn.as_ref().map(|(_, isn)| mark_of(*isn)));
        if let Some((key, flow)) = self.tcp.finish(slot, mark.unwrap_or(0), &self.limits) {
            self.hand_out_tcp(&key, flow, sink);
        }
    }

    fn evict_tcp(&mut self, slot: u32, sink: &mut impl SensorSink) {
        if let Some((key, flow)) = self.tcp.evict(slot) {
            self.hand_out_tcp(&key, flow, sink);
        }
    }

    fn hand_out_tcp(&mut self, key: &FlowKey, mut flow: Box<TcpFlow>, sink: &mut impl SensorSink) {
        self.held_bytes = self.held_bytes.saturating_sub(flow.accounted_bytes);
        if let Some(number) = flow.event_number
            && let Some(event) = build::tcp_event(key, &flow, flow.server.as_deref())
        {
            self.events.ready(number, event);
        }
        self.counters.decrypted_connections = self.counters.decrypted_connections.wrapping_add(u64::from(flow.was_decrypted));
        if sink.wants_records() {
            self.hand_out(build::tcp_record(key, &mut flow), sink);
        }
    }

    fn requests(&mut self, slot: u32, requests: Vec<(i64, Request)>, sink: &mut impl SensorSink) {
        for (ts_ns, request) in requests {
            let Some(flow) = self.tcp.get_mut(slot) else { return };
            let number = flow.app.request_count;
            flow.app.request_count = number.saturating_add(1);
            if let Some((key, flow)) = self.tcp.get(slot) {
                self.counters.http_requests = self.counters.http_requests.wrapping_add(1);
                let over = build::Over { is_tls: flow.client.is_some(), h2: flow.app.values.h2.first() };
                sink.http(build::http_event(key, flow.client_side, over, ts_ns, number, &request));
            }
        }
    }

    fn hand_out(&mut self, record: ConnectionRecord, sink: &mut impl SensorSink) {
        if record.has_fingerprint() {
            self.counters.records = self.counters.records.wrapping_add(1);
            sink.record(record);
        }
    }

    /// Keeps the bytes held for all connections within their bound: those that began to talk first are given up.
    fn keep_total(&mut self, sink: &mut impl SensorSink) {
        self.held.set(self.held_bytes);
        let mut tries = 0;
        while self.held_bytes > self.limits.total_bytes && tries < 64 {
            tries += 1;
            let Some(slot) = self.tcp.rotate_talking() else { break };
            if self.tcp.get(slot).is_some_and(|(_, flow)| flow.accounted_bytes > 0) {
                self.held.evict();
                self.evict_tcp(slot, sink);
            }
        }
        if self.held_bytes > self.limits.total_bytes
            && let Some(slot) = self.udp.oldest()
        {
            self.held.evict();
            self.evict_udp(slot, sink);
        }
    }
}

/// What is remembered of a finished connection's SYN, so that its repetition is not taken for a new one. Never 0, which means
/// that no SYN was seen.
fn mark_of(isn: u32) -> u32 {
    isn | 1
}
