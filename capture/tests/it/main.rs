//! Tests of the capture library as a user meets it: whole captures in, records and events out.
//!
//! `support.rs` builds packets in code; `conformance.rs` compares with the shared corpus (skipped where it is absent).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod conformance;
mod damage;
mod events;
mod flood;
mod fuzz_smoke;
mod golden;
mod segments;
mod slopes;
mod sources;
mod support;
