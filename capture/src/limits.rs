//! Every bound of the sensor in one place: default, what happens when it is reached, and the counters that tell.
//!
//! Promises: no table or buffer of this crate grows beyond a number written here; each has a [`PolicyReport`] line.
//! The table for readers is `docs/LIMITS.md`; a test compares the two.
//!
//! Read next: `flow/table.rs`, `decode/frag.rs`.

use serde::{Deserialize, Serialize};

/// The bounds. Shrink any of them to force its policy in a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// TCP connections being watched (before their fingerprints are complete).
    pub flows: usize,
    /// TCP connections that are done and only remembered, so that later packets cost one look-up.
    pub finished_flows: usize,
    /// Silence after which a connection that is done is no longer remembered, seconds of packet time (in steps of half a minute).
    pub finished_idle_secs: u32,
    /// UDP conversations (QUIC, DTLS) being watched.
    pub udp_flows: usize,
    /// Bytes held for one connection: out-of-order segments, half hellos, half certificates.
    pub flow_bytes: usize,
    /// Bytes held for all connections together.
    pub total_bytes: usize,
    /// Out-of-order segments held per direction.
    pub segments: usize,
    /// Longest handshake message assembled, bytes.
    pub handshake_bytes: usize,
    /// How far into a direction a TLS start is looked for, segments (behind STARTTLS, proxies).
    pub scan_segments: u16,
    /// The same in bytes.
    pub scan_bytes: u32,
    /// IP datagrams being put together from fragments.
    pub datagrams: usize,
    /// Bytes of all fragments held.
    pub fragment_bytes: usize,
    /// Fragments per datagram.
    pub fragments: usize,
    /// Encapsulations peeled off one packet.
    pub tunnel_depth: u8,
    /// IPv6 extension headers (and MPLS labels, VLAN tags) stepped over per level.
    pub header_chain: u8,
    /// Handshakes whose event waits for the ServerHello.
    pub pending_events: usize,
    /// HTTP requests (JA4H values) and SSH windows kept per connection.
    pub values_per_flow: usize,
    /// Finished records held back to print them in order of their start.
    pub reorder_records: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            flows: 100_000,
            finished_flows: 500_000,
            finished_idle_secs: 3600,
            udp_flows: 50_000,
            flow_bytes: 256 * 1024,
            total_bytes: 64 * 1024 * 1024,
            segments: 2048,
            handshake_bytes: 128 * 1024,
            scan_segments: 64,
            scan_bytes: 64 * 1024,
            datagrams: 8192,
            fragment_bytes: 16 * 1024 * 1024,
            fragments: 128,
            tunnel_depth: 8,
            header_chain: 8,
            pending_events: 65_536,
            values_per_flow: 4096,
            reorder_records: 16_384,
        }
    }
}

/// How full a bounded table is, was, and what it cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Gauge {
    /// Now.
    pub now: u64,
    /// Most so far.
    pub peak: u64,
    /// Entries given up to stay within the bound.
    pub evictions: u64,
}

impl Gauge {
    /// Sets the present value and keeps the peak.
    pub fn set(&mut self, now: usize) {
        self.now = now as u64;
        self.peak = self.peak.max(self.now);
    }

    /// One more was given up.
    pub fn evict(&mut self) {
        self.evictions = self.evictions.saturating_add(1);
    }
}

/// One line of the limits report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyReport {
    /// The table.
    pub table: String,
    /// Its bound.
    pub limit: u64,
    /// Most entries (or bytes) at one time.
    pub peak: u64,
    /// Entries given up.
    pub evictions: u64,
    /// What happens at the bound.
    pub policy: String,
}

impl PolicyReport {
    /// Puts a line together.
    #[must_use]
    pub fn new(table: &str, limit: usize, gauge: Gauge, policy: &str) -> Self {
        Self { table: table.into(), limit: limit as u64, peak: gauge.peak, evictions: gauge.evictions, policy: policy.into() }
    }

    /// Adds the figures of the same table of another worker.
    pub fn merge(&mut self, other: &Self) {
        self.peak = self.peak.saturating_add(other.peak);
        self.evictions = self.evictions.saturating_add(other.evictions);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_lists_every_default() {
        let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/LIMITS.md");
        let text = std::fs::read_to_string(document).expect("docs/LIMITS.md");
        let limits = serde_json::to_value(Limits::default()).expect("JSON");
        for (name, value) in limits.as_object().expect("an object") {
            let line = text.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
            let line = line.unwrap_or_else(|| panic!("docs/LIMITS.md does not list {name}"));
            let number = line.split('|').nth(2).and_then(|cell| cell.split_whitespace().next()).expect("a default");
            assert_eq!(number.replace(',', ""), value.to_string(), "{name}");
        }
    }
}
