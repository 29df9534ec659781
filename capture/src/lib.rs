//! Packets to fingerprints and network events: captures, decapsulation, reassembly, TLS, QUIC and DTLS handshakes, HTTP, SSH.
//!
//! Promises: no I/O but in [`source`], [`run`], `live` and `privilege`, no clock anywhere (time comes with the packets), every table
//! bounded ([`limits`]), no panic on any input, output that depends on the packets alone. `unsafe` lives in `source/map.rs` only.
//!
//! Read next: [`run`] (whole files in one call), [`sensor`] (packet by packet), `docs/LIMITS.md`.

pub mod bytes;
pub mod decode;
pub mod dtls;
pub mod error;
pub mod fingerprint;
pub mod flow;
pub mod http;
pub mod jsonl;
pub mod keylog;
pub mod limits;
#[cfg(feature = "live")]
pub mod live;
mod order;
#[cfg(feature = "ja4plus")]
pub mod plus;
#[cfg(feature = "live")]
pub mod privilege;
pub mod quic;
pub mod record;
pub mod run;
pub mod sensor;
mod shard;
pub mod source;
pub mod tls;

pub use error::{CaptureError, Damage};
pub use ja4_event as event;
pub use limits::{Limits, PolicyReport};
pub use record::ConnectionRecord;
pub use run::{Options, Progress, Summary, fingerprint_files, fingerprint_lines, run_files, sense_files};
pub use sensor::{Counters, Sensor, SensorConfig, SensorSink};
