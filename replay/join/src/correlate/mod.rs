//! The join: handshakes seen on the wire meet the requests a server logged, connection by connection.
//!
//! Promises: event time and watermarks only (no clock); results depend on the sets of events and their times, never on which
//! stream arrived first, as long as no bound is hit; every table has a bound and a counter; nothing is guessed silently: each
//! result says how it was matched, with what confidence and among how many candidates. The rules are in `docs/JOIN.md`.
//!
//! Read next: [`engine`] (the order of events), [`decide`] (the rules), [`handshakes`] (what is remembered), [`skew`] (clocks).

pub mod clock_error;
pub mod config;
pub mod decide;
pub mod engine;
pub mod evidence;
pub mod guess;
pub mod handshake;
pub mod handshakes;
pub mod key;
pub mod order;
pub mod pending;
pub mod row_key;
pub mod skew;

pub use config::{CorrelatorConfig, PolicyReport, SourceId};
pub use decide::MatchKind;
pub use engine::{Correlator, CorrelatorStats, Joined};
pub use key::PeerKey;
pub use row_key::{RowKey, RowKeyer};
pub use skew::{HandshakeTime, RequestTime, SkewEstimate, estimate_skew};
