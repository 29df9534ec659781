//! The live path: events from sockets, tailed logs and interfaces to joined rows in sinks, without losing what was acknowledged.
//!
//! ```text
//! sockets ─▶ queues ─▶ journal (spool, fsynced) ─▶ Correlator ─▶ Enricher ─▶ outbox (spool, fsynced) ─▶ store, file, stdout
//! ```
//!
//! Promises: an event is acknowledged when its journal segment is fsynced, and only then joined; a row leaves for a sink when its outbox
//! segment is fsynced. After any end, kill -9 included, the next start joins the journal again and goes on exactly behind the last row of
//! the outbox: nothing acknowledged is lost, nothing is doubled. The same events give the same rows as a replay, because watermarks are
//! part of the journal and results depend on event time alone. Every queue is bounded in bytes; a full one makes the sender wait, and
//! the senders (the Apache module, `ja4-sentinel`) never wait but count what they drop. The only clock read here is the monotonic one,
//! through [`clock::Ticker`], which a driver hands in.
//!
//! Read next: `clock.rs` (watermarks), `join.rs` (events to rows), `deliver.rs` (rows to sinks), `daemon.rs` (the threads), docs/CORRELATOR.md.

pub mod clock;
pub mod daemon;
pub mod deliver;
pub mod http;
pub mod join;
mod joining;
pub mod journal;
mod pace;
pub mod queue;
pub mod reload;
mod served;
pub mod sinks;
pub mod socket;
pub mod status;
mod worker;

/// Which stream an event belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stream {
    /// Requests.
    Http,
    /// Handshakes.
    Network,
}

impl Stream {
    /// The word in metrics and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Network => "network",
        }
    }
}

/// How much a line of the log matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something to do.
    Error,
    /// Something to know.
    Warn,
    /// Something to read when looking.
    Info,
}

/// Takes a line of the log: how much it matters, what it is about, a sentence. Texts from outside must be escaped before.
pub type Tell = std::sync::Arc<dyn Fn(Level, &'static str, &str) + Send + Sync>;
