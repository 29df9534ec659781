//! What a sensor is given and what it gives: settings, the sink, counters.
//!
//! Promises: a sink says what it wants, and the rest is not built.
//!
//! Read next: `mod.rs`.

use ja4_event::{HttpEvent, NetworkEvent};
use serde::{Deserialize, Serialize};

use crate::limits::Limits;
use crate::record::ConnectionRecord;

/// Appends a record's text to a buffer.
pub type RenderRecord = fn(&mut Vec<u8>, &ConnectionRecord);

/// Where results go. The defaults make a sink that wants both.
pub trait SensorSink {
    /// Whether records are wanted; if not, they are not built.
    fn wants_records(&self) -> bool {
        true
    }

    /// Whether events are wanted; if not, they are not built.
    fn wants_events(&self) -> bool {
        true
    }

    /// Whether requests are wanted (clear-text ones, and those a key log opens); if not, they are not built.
    fn wants_http(&self) -> bool {
        false
    }

    /// One HTTP request, in the order their connections' packets came.
    fn http(&mut self, _request: HttpEvent) {}

    /// A connection that showed a fingerprint ended, or can add nothing more.
    fn record(&mut self, record: ConnectionRecord);

    /// How records are made text, if this sink wants them so: workers then render them and call [`SensorSink::line`] instead of
    /// [`SensorSink::record`].
    fn renders(&self) -> Option<RenderRecord> {
        None
    }

    /// A record as text, with its start (nanoseconds since 1970) and the number of its first packet.
    fn line(&mut self, _start_ns: i64, _number: u64, _text: &[u8]) {}

    /// A handshake or a clear-text HTTP connection.
    fn event(&mut self, event: NetworkEvent);

    /// The same, with the number (from 1) of the packet that completed the ClientHello; numbers ascend.
    fn numbered_event(&mut self, _number: u64, event: NetworkEvent) {
        self.event(event);
    }
}

/// Settings of a sensor.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SensorConfig {
    /// Bounds of all tables.
    pub limits: Limits,
}

/// What a sensor has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counters {
    /// Frames.
    pub packets: u64,
    /// Bytes captured.
    pub bytes: u64,
    /// Frames whose headers contradict themselves or are cut off.
    pub damaged_packets: u64,
    /// TCP segments, innermost.
    pub tcp_segments: u64,
    /// UDP datagrams, innermost.
    pub udp_datagrams: u64,
    /// IP fragments.
    pub fragments: u64,
    /// Connections begun to be watched.
    pub connections: u64,
    /// ClientHellos (TLS, QUIC, DTLS).
    pub tls_handshakes: u64,
    /// Clear-text HTTP connections.
    pub http_connections: u64,
    /// Records handed out.
    pub records: u64,
    /// Events handed out.
    pub events: u64,
    /// HTTP requests read on the wire, where they were wanted.
    pub http_requests: u64,
    /// Connections opened with a key log.
    pub decrypted_connections: u64,
    /// Events older than a watermark promised before (time stamps that ran backwards).
    pub late_events: u64,
}

impl Counters {
    /// Adds what another sharer counted of its own connections.
    pub fn add_own(&mut self, other: &Self) {
        let pairs = [
            (&mut self.connections, other.connections),
            (&mut self.tls_handshakes, other.tls_handshakes),
            (&mut self.http_connections, other.http_connections),
            (&mut self.records, other.records),
            (&mut self.events, other.events),
            (&mut self.http_requests, other.http_requests),
            (&mut self.decrypted_connections, other.decrypted_connections),
            (&mut self.late_events, other.late_events),
        ];
        for (sum, other) in pairs {
            *sum = sum.wrapping_add(other);
        }
    }
}
