//! Tests of `ja4-sentinel` as an administrator meets it: on a wire, with readers that come, go and stall, and with wrong settings.
//!
//! Those on a wire need root, `ip`, `tcpreplay` and `tcpdump` (Debian packages of the same names) and make network namespaces of their
//! own; where something is missing they say so and pass. `support.rs` holds the wire and the processes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod readers;
mod settings;
mod support;
mod wire;
