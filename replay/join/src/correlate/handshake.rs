//! One handshake as the join remembers it, and when it may be forgotten.
//!
//! Promises: what the rules ask of the event stands beside it, so that deciding a request reads one place of memory; the event itself is
//! shared with every row it gives.
//!
//! Read next: `handshakes.rs` (the table of them), `decide.rs` (what is asked).

use std::sync::Arc;

use ja4_event::NetworkEvent;

use super::config::{CorrelatorConfig, SourceId};
use super::evidence::Offer;
use super::key::PeerKey;

/// What is known of the server's side of a handshake: the connection to which its requests belonged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// Source whose numbering this is.
    pub source: SourceId,
    /// Hash of the connection's identity, where the log has one.
    pub connection: Option<u64>,
    /// Highest request number joined.
    pub last_request_no: Option<u32>,
    /// Whether request 0 was joined.
    pub saw_first: bool,
}

/// A handshake and what the join knows of it.
#[derive(Debug)]
pub struct Handshake {
    /// The event, shared with every row it gives.
    pub event: Arc<NetworkEvent>,
    /// Time of the hello.
    pub ts_ns: i64,
    /// What the rules ask of the event.
    pub offer: Offer,
    /// Time of the hello or of the end of the last request joined.
    pub last_activity_ns: i64,
    /// Time of the next handshake between the same two endpoints; `i64::MAX` if there is none.
    pub superseded_ns: i64,
    /// Whether an earlier handshake used the same endpoints within the longest keep-alive.
    pub reused: bool,
    /// Requests joined.
    pub joined: u32,
    /// Connection to which they belong.
    pub binding: Option<Binding>,
    /// Connection to which it was given last without certainty.
    pub maybe: Option<(SourceId, u64)>,
    pub(super) key: PeerKey,
    /// Next older handshake on the key.
    pub(super) older: u32,
    /// Under which time it stands in `fresh` or `used`; never after its true due time unless passed over by an eviction.
    pub(super) scheduled_ns: i64,
    pub(super) bytes: usize,
}

impl Handshake {
    /// Whether `other`, of the same client, goes to the same server over the same transport.
    #[must_use]
    pub fn same_endpoints(&self, other: &Offer) -> bool {
        self.offer.transport == other.transport && self.offer.server == other.server
    }

    /// Whether it was given to another connection than this one before, though not for certain.
    #[must_use]
    pub fn is_doubtful(&self, source: SourceId, connection: Option<u64>) -> bool {
        connection.is_some_and(|own| self.maybe.is_some_and(|maybe| maybe != (source, own)))
    }
}

/// When nothing that arrives on time can ask for the handshake any more.
pub(super) fn due_ns(handshake: &Handshake, config: &CorrelatorConfig) -> i64 {
    let idle_ns = handshake.last_activity_ns.saturating_add(config.keepalive_max_ns).saturating_add(config.slack_ns());
    if handshake.superseded_ns == i64::MAX {
        return idle_ns;
    }
    // The index by address looks back as far as `guess_lookback`, but only at handshakes not superseded.
    idle_ns.min(handshake.superseded_ns.saturating_add(config.slack_ns()).saturating_add(config.late_grace_ns))
}

/// Approximate heap and inline bytes of an event.
pub(super) fn event_bytes(e: &NetworkEvent) -> usize {
    let texts = [
        &e.tcp_options,
        &e.sni,
        &e.ja3,
        &e.ja3_raw,
        &e.ja3s,
        &e.ja4,
        &e.ja4_r,
        &e.ja4_o,
        &e.ja4s,
        &e.ja4t,
        &e.ja4ts,
        &e.ja4l_c,
        &e.h2,
    ];
    let heap: usize = texts.into_iter().flatten().map(|text| text.capacity()).sum();
    let alpn: usize = e.alpn.iter().map(|name| name.capacity() + size_of::<String>()).sum();
    // The slot, the two index entries and the key's entry stand for about as much again as the inline part of a small map.
    size_of::<NetworkEvent>() + size_of::<Handshake>() + 128 + heap + alpn
}
