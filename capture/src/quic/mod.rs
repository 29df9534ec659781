//! QUIC handshakes seen from outside: Initial packets to TLS ClientHello and ServerHello.
//!
//! Promises: pure (bytes in, values out), every table bounded, no panic on any input, no state kept once both hellos are
//! known. Initial packets are readable by anyone because their keys come from a public salt and the client's first
//! Destination Connection ID (RFC 9001 section 5.2). 0-RTT and 1-RTT packets open with a key log alone (`../keylog/quic.rs`);
//! `streams.rs` puts what they carry in order. Handshake packets are not opened.
//! Versions: 1 (RFC 9001), 2 (RFC 9369), drafts 22 to 34, mvfst, and Google's T050/T051 (which carry TLS).
//! Read next: `connection.rs` (the state machine), then `packet.rs` and `keys.rs`.

mod connection;
pub(crate) mod crypto_stream;
mod frames;
pub(crate) mod hkdf_label;
pub(crate) mod keys;
pub(crate) mod packet;
pub(crate) mod streams;
pub(crate) mod version;

pub use connection::{QuicConnection, QuicEvent, QuicLimits, QuicProgress};
pub use packet::{PacketKinds, version_of_long_header};
pub use version::is_supported;

#[cfg(test)]
mod tests;
