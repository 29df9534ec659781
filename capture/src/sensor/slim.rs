//! A TCP segment as one thread hands it to another: half as large as a whole one.
//!
//! Promises: the same calls of the sink as for the packet it was made of. A segment of a finished connection, which most are where much
//! is carried, is settled without a look at its bytes, which lie in the other processor's cache.
//!
//! Read next: `mod.rs`; `../shard/pipe.rs` (hands them over).

use crate::decode::{IpHeader, Segment, flag};
use crate::flow::key::{FlowKey, Side};
use crate::flow::table::Found;
use crate::sensor::{Sensor, SensorSink};

/// First byte of a TLS record that carries a handshake.
const HANDSHAKE: u8 = 22;

/// All that the sensor asks of a segment without SYN that was captured whole.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slim<'a> {
    payload: &'a [u8],
    seq: u32,
    ttl: u8,
    dont_fragment: Option<bool>,
    flags: u8,
    side: Side,
    handshake: bool,
}

impl<'a> Slim<'a> {
    /// Of a segment that [`crate::decode::plain_tcp`] read; `None` for one with a SYN, whose options are wanted.
    #[inline]
    pub fn new(segment: &Segment<'a>) -> Option<(FlowKey, Self)> {
        let Segment { ip, payload, seq, flags, .. } = *segment;
        if flags & flag::SYN != 0 {
            return None;
        }
        let (key, side) = FlowKey::new(ip.addresses, segment.src_port, segment.dst_port);
        let handshake = payload.first() == Some(&HANDSHAKE);
        let IpHeader { ttl, dont_fragment, .. } = ip;
        Some((key, Self { payload, seq, ttl, dont_fragment, flags, side, handshake }))
    }

    /// Whether it carries nothing.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.payload.is_empty()
    }

    /// Whether its bytes will probably be read.
    #[inline]
    pub fn has_handshake(&self) -> bool {
        self.handshake
    }

    #[inline]
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// The segment again, but for what nobody asks: acknowledgement number and window, and the options.
    fn whole(&self, key: &FlowKey) -> Segment<'a> {
        let (addresses, src_port, dst_port) = key.from_side(self.side);
        let ip = IpHeader { addresses, ttl: self.ttl, dont_fragment: self.dont_fragment };
        let Self { payload, seq, flags, .. } = *self;
        Segment { ip, src_port, dst_port, seq, ack: 0, flags, window: 0, options: &[], payload, missing_bytes: 0 }
    }
}

impl Sensor {
    /// Takes one packet of that kind; its captured bytes are counted by [`Sensor::count_bytes`]. `slim` is asked for only if its connection
    /// is not finished.
    #[inline]
    pub(crate) fn slim<'a: 's, 's>(
        &mut self,
        ts_ns: i64,
        key: FlowKey,
        is_empty: bool,
        slim: impl FnOnce() -> Option<&'s Slim<'a>>,
        sink: &mut impl SensorSink,
    ) {
        self.arrived(ts_ns, 0, sink);
        self.counters.tcp_segments = self.counters.tcp_segments.wrapping_add(1);
        match self.tcp.find(&key, ts_ns, &self.limits) {
            Found::Finished(_) => {}
            Found::Unknown if is_empty => {}
            found => {
                if let Some(slim) = slim() {
                    self.found_tcp(found, key, slim.side, &slim.whole(&key), ts_ns, sink);
                }
            }
        }
        if sink.wants_events() {
            self.let_out_ready(sink);
        }
    }

    /// Counts captured bytes of packets that came as slim ones.
    pub(crate) fn count_bytes(&mut self, bytes: u64) {
        self.counters.bytes = self.counters.bytes.wrapping_add(bytes);
    }
}
