//! Connections: keys, the bounded table, TCP byte streams, SYNs.
//!
//! Promises: bounded in every direction by `../limits.rs`; no output depends on hash order; the first byte seen at a sequence
//! number wins, however the segments were cut, ordered, repeated or overlapped.
//!
//! Read next: `key.rs`, `table.rs`, `stream.rs`.

pub mod key;
pub mod stream;
pub mod syn;
pub mod table;
