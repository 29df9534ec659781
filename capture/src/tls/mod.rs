//! TLS on the wire: records, handshake messages, certificates. No crypto, no state beyond one message.
//!
//! Promises: parsers borrow from the packet, never allocate by a declared length, and give the same answer however the bytes
//! were cut into segments and records.
//!
//! Read next: `record.rs` (bytes → handshake messages), `hello.rs` (message → fields), then `fingerprint/`.

pub mod certificate;
pub mod hello;
pub mod record;
