//! The sensor's work on UDP: QUIC and DTLS conversations in their table.
//!
//! Promises: as `mod.rs`; a datagram that is neither QUIC nor DTLS makes no state.
//!
//! Read next: `udp.rs`.

use crate::decode::Datagram;
use crate::flow::key::FlowKey;
use crate::flow::table::Found;
use crate::http::Request;
use crate::sensor::events::{Owner, WAIT_NS};
use crate::sensor::tcp::{Context, News};
use crate::sensor::udp::{self, UdpFlow};
use crate::sensor::{Sensor, SensorSink, build};

impl Sensor {
    pub(super) fn udp(&mut self, datagram: &Datagram<'_>, ts_ns: i64, sink: &mut impl SensorSink) {
        self.counters.udp_datagrams = self.counters.udp_datagrams.wrapping_add(1);
        let kind = udp::kind(datagram.payload);
        // What follows a QUIC handshake shows no form of its own; with a key log it is worth the look-up.
        if kind.is_none() && self.keys.is_empty() {
            return;
        }
        let (key, side) = FlowKey::new(datagram.ip.addresses, datagram.src_port, datagram.dst_port);
        let slot = match self.udp.find(&key, ts_ns, &self.limits) {
            Found::Watched(slot) => slot,
            Found::Finished(_) => return,
            Found::Unknown => {
                let Some(kind) = kind else { return };
                while self.udp.watched() >= self.limits.udp_flows.max(1) {
                    let Some(oldest) = self.udp.oldest() else { break };
                    self.evict_udp(oldest, sink);
                }
                self.counters.connections = self.counters.connections.wrapping_add(1);
                self.udp.insert(key, Box::new(UdpFlow::new(self.counters.packets, ts_ns, side, kind)), false)
            }
        };
        let limits = &self.limits;
        let keys = Some(&self.keys).filter(|keys| !keys.is_empty());
        let cx = Context { ts_ns, limits, keys, wants_http: sink.wants_http() };
        let Some(flow) = self.udp.get_mut(slot) else { return };
        if let Some(first @ None) = flow.first_ip.get_mut(side.index()) {
            *first = Some((datagram.ip.ttl, datagram.ip.dont_fragment));
        }
        let news = flow.datagram(side, datagram, cx);
        let held = flow.held_bytes();
        let before = std::mem::replace(&mut flow.accounted_bytes, held);
        let complete = flow.is_complete();
        let requests = std::mem::take(&mut flow.requests);
        self.held_bytes = self.held_bytes.saturating_add(held).saturating_sub(before);
        self.udp_news(slot, news, ts_ns, sink);
        self.udp_requests(slot, requests, sink);
        if complete && let Some((key, flow)) = self.udp.finish(slot, 0, &self.limits) {
            self.hand_out_udp(&key, flow, sink);
        }
        self.keep_total(sink);
    }

    fn udp_news(&mut self, slot: u32, news: News, ts_ns: i64, sink: &mut impl SensorSink) {
        if news.client_hello {
            self.counters.tls_handshakes = self.counters.tls_handshakes.wrapping_add(1);
        }
        if news == News::default() || !sink.wants_events() {
            return;
        }
        if news.client_hello {
            let number = self.events.open(ts_ns, self.counters.packets, Owner::Udp(slot));
            if let Some(flow) = self.udp.get_mut(slot) {
                flow.event_number = Some(number);
            }
        }
        let Some((key, flow)) = self.udp.get(slot) else { return };
        let (Some(client), Some(server), Some(number)) = (&flow.client, &flow.server, flow.event_number) else { return };
        let in_time = ts_ns.saturating_sub(client.ts_ns) < WAIT_NS;
        if let Some(event) = build::udp_event(key, flow, Some(&**server).filter(|_| in_time)) {
            self.events.ready(number, event);
        }
        if let Some(flow) = self.udp.get_mut(slot) {
            flow.event_number = None;
        }
    }

    fn udp_requests(&mut self, slot: u32, requests: Vec<(i64, Request)>, sink: &mut impl SensorSink) {
        for (ts_ns, request) in requests {
            let Some(flow) = self.udp.get_mut(slot) else { return };
            let number = flow.request_count;
            flow.request_count = number.saturating_add(1);
            if let Some((key, flow)) = self.udp.get(slot) {
                self.counters.http_requests = self.counters.http_requests.wrapping_add(1);
                let over = build::Over { is_tls: true, h2: None };
                sink.http(build::http_event(key, flow.client_side, over, ts_ns, number, &request));
            }
        }
    }

    pub(super) fn evict_udp(&mut self, slot: u32, sink: &mut impl SensorSink) {
        if let Some((key, flow)) = self.udp.evict(slot) {
            self.hand_out_udp(&key, flow, sink);
        }
    }

    pub(super) fn hand_out_udp(&mut self, key: &FlowKey, flow: Box<UdpFlow>, sink: &mut impl SensorSink) {
        self.held_bytes = self.held_bytes.saturating_sub(flow.accounted_bytes);
        if let Some(number) = flow.event_number
            && let Some(event) = build::udp_event(key, &flow, flow.server.as_deref())
        {
            self.events.ready(number, event);
        }
        self.counters.decrypted_connections = self.counters.decrypted_connections.wrapping_add(u64::from(flow.was_decrypted));
        if sink.wants_records() {
            self.hand_out(build::udp_record(key, *flow), sink);
        }
    }
}
