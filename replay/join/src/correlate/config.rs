//! Settings and bounds of the correlator, with their defaults, and the report each bounded table gives.
//!
//! Promises: every field carries its unit; every bound has a name under which its peak and evictions are reported.
//!
//! Read next: `engine.rs`; the table of bounds in `docs/JOIN.md`.

/// Nanoseconds in a second.
pub const SECOND_NS: i64 = 1_000_000_000;

/// The coarsest log resolution taken seriously: a log written by the minute. Coarser claims are clamped to it.
pub const MAX_RESOLUTION_NS: i64 = 60 * SECOND_NS;

/// One input of requests (a log file, a socket). Numbers are given by the driver and must be stable for equal inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct SourceId(pub u32);

/// Settings of a correlator. [`Default`] is what `docs/JOIN.md` states.
#[derive(Debug, Clone, PartialEq)]
pub struct CorrelatorConfig {
    /// How far behind the watermark an event may arrive and still be treated as on time, and how long an idle connection of an
    /// address remains a candidate for requests whose log lacks the port. Default 10 s.
    pub window_ns: i64,
    /// Residual clock skew between capture and log after correction. Default 100 ms.
    pub tolerance_ns: i64,
    /// A connection idle for longer carries no further request. Default 1 h.
    pub keepalive_max_ns: i64,
    /// Silence on a connection after which a match without connection evidence loses confidence. Default 5 min.
    pub idle_doubt_ns: i64,
    /// How long a handshake whose port was taken over stays available to log lines that arrive late. Default 2 min.
    pub late_grace_ns: i64,
    /// How far back a handshake is looked for when the log lacks the port. Default 5 min.
    pub guess_lookback_ns: i64,
    /// Whether requests without a port are guessed at all. `false` saves the index by address. Default `true`.
    pub guess_without_port: bool,
    /// Bound: requests waiting for their window to pass. Default 1,000,000.
    pub max_pending_requests: usize,
    /// Bound: bytes of the same. Default 256 MiB.
    pub max_pending_bytes: usize,
    /// Bound: handshakes remembered. Default 1,000,000.
    pub max_handshakes: usize,
    /// Bound: bytes of the same. Default 512 MiB.
    pub max_handshake_bytes: usize,
    /// Bound: handshakes remembered for one client address and port. Default 64.
    pub max_per_key: usize,
    /// Bound: entries in the index of one client address. Default 4096.
    pub max_per_ip: usize,
    /// Bound: records per source among which identical ones are told apart (two generations of this size). Default 65,536.
    pub ordinal_capacity: usize,
    /// Bound: sources whose counters are kept at once. Default 4096.
    pub max_sources: usize,
}

impl Default for CorrelatorConfig {
    fn default() -> Self {
        Self {
            window_ns: 10 * SECOND_NS,
            tolerance_ns: SECOND_NS / 10,
            keepalive_max_ns: 3600 * SECOND_NS,
            idle_doubt_ns: 300 * SECOND_NS,
            late_grace_ns: 120 * SECOND_NS,
            guess_lookback_ns: 300 * SECOND_NS,
            guess_without_port: true,
            max_pending_requests: 1_000_000,
            max_pending_bytes: 256 << 20,
            max_handshakes: 1_000_000,
            max_handshake_bytes: 512 << 20,
            max_per_key: 64,
            max_per_ip: 4096,
            ordinal_capacity: 65_536,
            max_sources: 4096,
        }
    }
}

impl CorrelatorConfig {
    /// The same settings with every span and bound made usable: no negative span, no bound of zero, tolerance within the window.
    #[must_use]
    pub fn clamped(mut self) -> Self {
        for span in [
            &mut self.window_ns,
            &mut self.tolerance_ns,
            &mut self.keepalive_max_ns,
            &mut self.idle_doubt_ns,
            &mut self.late_grace_ns,
            &mut self.guess_lookback_ns,
        ] {
            *span = (*span).clamp(0, 366 * 86_400 * SECOND_NS);
        }
        for bound in [
            &mut self.max_pending_requests,
            &mut self.max_pending_bytes,
            &mut self.max_handshakes,
            &mut self.max_handshake_bytes,
            &mut self.max_per_key,
            &mut self.max_per_ip,
            &mut self.ordinal_capacity,
            &mut self.max_sources,
        ] {
            *bound = (*bound).max(1);
        }
        self
    }

    /// Time after `ts` at which no request that is on time can still ask for a handshake superseded or idle since `ts`.
    #[must_use]
    pub(crate) fn slack_ns(&self) -> i64 {
        let tolerances_ns = self.tolerance_ns.saturating_mul(2).saturating_add(super::clock_error::lookahead_ns(self));
        self.window_ns.saturating_add(tolerances_ns).saturating_add(MAX_RESOLUTION_NS)
    }
}

/// What a bounded table did: its limit, how full it ever was, how often the bound acted and what it does when it acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicyReport {
    /// Name of the table, as in `docs/JOIN.md`.
    pub name: &'static str,
    /// Entries or bytes allowed.
    pub limit: u64,
    /// Most entries or bytes held.
    pub peak: u64,
    /// How often an entry had to go (or was decided early) because of the bound.
    pub evictions: u64,
    /// What happens at the bound.
    pub policy: &'static str,
}

/// A running bound: how full, how full at most, how often hit.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Gauge {
    peak: u64,
    pub(crate) evictions: u64,
}

impl Gauge {
    pub(crate) fn seen(&mut self, level: usize) {
        self.peak = self.peak.max(level as u64);
    }

    pub(crate) fn report(&self, name: &'static str, limit: usize, policy: &'static str) -> PolicyReport {
        PolicyReport { name, limit: limit as u64, peak: self.peak, evictions: self.evictions, policy }
    }
}
