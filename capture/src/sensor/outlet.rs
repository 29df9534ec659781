//! How events leave the sensor: those that waited long enough, then all that are ready, in order.
//!
//! Promises: an event that waited five seconds goes out without its ServerHello; none is handed out twice.
//!
//! Read next: `events.rs` (the queue), `build.rs`.

use crate::sensor::events::Owner;
use crate::sensor::{Sensor, SensorSink, build};

impl Sensor {
    #[inline]
    pub(super) fn let_out_overdue(&mut self, now_ns: i64, sink: &mut impl SensorSink) {
        while let Some((number, owner)) = self.events.overdue(now_ns, &self.limits) {
            let event = match owner {
                Owner::Tcp(slot) => self.tcp.get(slot).and_then(|(key, flow)| {
                    if flow.event_number == Some(number) { build::tcp_event(key, flow, None) } else { None }
                }),
                Owner::Udp(slot) => self.udp.get(slot).and_then(|(key, flow)| {
                    if flow.event_number == Some(number) { build::udp_event(key, flow, None) } else { None }
                }),
            };
            match event {
                Some(event) => self.events.ready(number, event),
                None => self.events.drop_front(),
            }
            match owner {
                Owner::Tcp(slot) => {
                    if let Some(flow) = self.tcp.get_mut(slot).filter(|flow| flow.event_number == Some(number)) {
                        flow.event_number = None;
                    }
                }
                Owner::Udp(slot) => {
                    if let Some(flow) = self.udp.get_mut(slot).filter(|flow| flow.event_number == Some(number)) {
                        flow.event_number = None;
                    }
                }
            }
            self.let_out_ready(sink);
        }
    }

    #[inline]
    pub(super) fn let_out_ready(&mut self, sink: &mut impl SensorSink) {
        while let Some((number, event)) = self.events.pop() {
            if self.clock.is_late(event.ts_ns) {
                self.counters.late_events = self.counters.late_events.wrapping_add(1);
            }
            self.counters.events = self.counters.events.wrapping_add(1);
            sink.numbered_event(number, event);
        }
    }
}
