//! What the live path counts: one place that names every metric.
//!
//! Promises: for each stage `received = sent + dropped` once what is on its way has arrived; names and labels are those of
//! docs/CORRELATOR.md.
//!
//! Read next: `crate::metrics`, `http.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ja4_join::correlate::{CorrelatorStats, MatchKind};

use super::Stream;
use crate::metrics::{Counter, Gauge, Registry};

const EVENTS: &str = "ja4_events_total";
const EVENTS_HELP: &str = "Events by stream, stage and fate; for each stage received = sent + the sum of the dropped ones.";
const ROWS: &str = "ja4_rows_total";
const ROWS_HELP: &str = "Rows by sink and fate; received = sent + dropped + what the outbox still holds.";

/// What a socket did.
#[derive(Debug, Clone)]
pub struct SocketFigures {
    /// Datagrams taken from the kernel.
    pub received: Counter,
    /// Of those, from a sender that is not allowed.
    pub refused: Counter,
    /// Of those, too long.
    pub too_long: Counter,
}

impl SocketFigures {
    /// For a stream.
    #[must_use]
    pub fn new(registry: &Registry, stream: Stream) -> Self {
        let count =
            |fate| registry.counter(EVENTS, EVENTS_HELP, &[("stream", stream.as_str()), ("stage", "socket"), ("fate", fate)]);
        Self { received: count("received"), refused: count("dropped_peer"), too_long: count("dropped_too_long") }
    }
}

/// What became of a stream's events behind the socket.
#[derive(Debug, Clone)]
pub struct JoinFigures {
    /// Handed to the journal.
    pub received: Counter,
    /// Durable in the journal.
    pub acknowledged: Counter,
    /// Unreadable.
    pub damaged: Counter,
    /// Refused because the journal could not be written.
    pub refused: Counter,
    /// Lost by the sender before, as it says itself.
    pub lost_before: Counter,
}

impl JoinFigures {
    /// For a stream.
    #[must_use]
    pub fn new(registry: &Registry, stream: Stream) -> Self {
        let count =
            |stage, fate| registry.counter(EVENTS, EVENTS_HELP, &[("stream", stream.as_str()), ("stage", stage), ("fate", fate)]);
        Self {
            received: count("join", "received"),
            acknowledged: count("join", "sent"),
            damaged: count("join", "dropped_damaged"),
            refused: count("join", "dropped_journal"),
            lost_before: registry.counter(
                "ja4_sender_dropped_total",
                "Records that the sender says it lost before they reached us.",
                &[("stream", stream.as_str())],
            ),
        }
    }
}

/// What a sink did.
#[derive(Debug, Clone)]
pub struct SinkFigures {
    /// Rows offered.
    pub received: Counter,
    /// Rows delivered.
    pub sent: Counter,
    /// Rows given up.
    pub dropped: Counter,
    /// Attempts that failed and are tried again.
    pub failures: Counter,
    /// 1 while the last attempt failed.
    pub failing: Gauge,
}

impl SinkFigures {
    /// For a sink.
    #[must_use]
    pub fn new(registry: &Registry, sink: &str) -> Self {
        let count = |fate| registry.counter(ROWS, ROWS_HELP, &[("sink", sink), ("fate", fate)]);
        Self {
            received: count("received"),
            sent: count("sent"),
            dropped: count("dropped"),
            failures: registry.counter(
                "ja4_sink_failures_total",
                "Deliveries that failed and are tried again.",
                &[("sink", sink)],
            ),
            failing: registry.gauge("ja4_sink_failing", "1 while the last delivery failed.", &[("sink", sink)]),
        }
    }
}

/// Everything, shared by the threads.
#[derive(Debug, Clone)]
pub struct Status {
    /// Where it is shown.
    pub registry: Registry,
    /// Requests.
    pub http: JoinFigures,
    /// Handshakes.
    pub network: JoinFigures,
    lag_seconds: Gauge,
    pending: Gauge,
    handshakes: Gauge,
    queue_bytes: Gauge,
    spool_bytes: [Gauge; 2],
    beats: Arc<AtomicU64>,
    ready: Arc<AtomicBool>,
}

impl Status {
    /// All zero.
    #[must_use]
    pub fn new(registry: Registry) -> Self {
        let gauge = |name: &str, help: &str, labels: &[(&str, &str)]| registry.gauge(name, help, labels);
        let spool = |name| gauge("ja4_spool_bytes", "Bytes on disk.", &[("spool", name)]);
        Self {
            http: JoinFigures::new(&registry, Stream::Http),
            network: JoinFigures::new(&registry, Stream::Network),
            lag_seconds: gauge("ja4_lag_seconds", "Newest event seen less the time up to which requests are decided.", &[]),
            pending: gauge("ja4_pending_requests", "Requests waiting for their handshake.", &[]),
            handshakes: gauge("ja4_handshakes", "Handshakes remembered.", &[]),
            queue_bytes: gauge("ja4_queue_bytes", "Bytes between the sockets and the journal.", &[]),
            spool_bytes: [spool("journal"), spool("outbox")],
            beats: Arc::default(),
            ready: Arc::default(),
            registry,
        }
    }

    /// The figures of a stream.
    #[must_use]
    pub fn stream(&self, stream: Stream) -> &JoinFigures {
        match stream {
            Stream::Http => &self.http,
            Stream::Network => &self.network,
        }
    }

    /// How the join goes.
    pub fn joined(&self, stats: &CorrelatorStats, held: (usize, usize), lag_ns: i64) {
        for (kind, requests) in MatchKind::ALL.iter().zip(stats.by_kind) {
            let name = "ja4_requests_joined_total";
            self.registry.counter(name, "Requests by how they were joined.", &[("match_kind", kind.as_str())]).raise_to(requests);
        }
        let late = "Events that came later than the watermark allows.";
        for (stream, count) in [(Stream::Http, stats.late_requests), (Stream::Network, stats.late_handshakes)] {
            self.registry.counter("ja4_late_total", late, &[("stream", stream.as_str())]).raise_to(count);
        }
        self.registry.counter("ja4_tls_only_total", "Handshakes that carried no request.", &[]).raise_to(stats.tls_only);
        self.pending.set_int(u64::try_from(held.0).unwrap_or(u64::MAX));
        self.handshakes.set_int(u64::try_from(held.1).unwrap_or(u64::MAX));
        #[allow(clippy::cast_precision_loss, reason = "seconds for people")]
        self.lag_seconds.set(lag_ns as f64 / 1e9);
    }

    /// How full the queue and the journal are.
    pub fn levels(&self, queue_bytes: usize, journal_bytes: u64) {
        self.queue_bytes.set_int(u64::try_from(queue_bytes).unwrap_or(u64::MAX));
        let [journal, _] = &self.spool_bytes;
        journal.set_int(journal_bytes);
    }

    /// How full the outbox is.
    pub fn outbox_bytes(&self, bytes: u64) {
        let [_, outbox] = &self.spool_bytes;
        outbox.set_int(bytes);
    }

    /// The join thread is alive.
    pub fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// Beats so far: if they stop, the join hangs.
    #[must_use]
    pub fn beats(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }

    /// The journal was joined again and events are taken.
    pub fn set_ready(&self) {
        self.ready.store(true, Ordering::Relaxed);
    }

    /// Whether events are taken.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }
}
