//! The module inside a real httpd: Debian's Apache 2.4 with mod_ssl, mod_http2 and mod_remoteip, in a temporary ServerRoot on
//! loopback, under prefork, worker and event. What is asserted is what a collector receives and what the clients of the site notice.
//!
//! Skips, saying so, where `apache2`, its headers (then there is no module), `curl` or `openssl` are absent.
//! Read next: `apache.rs` (the server), `collector.rs`, then the tests: `fields.rs`, `http2.rs`, `harm.rs`, `sections.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod apache;
mod client;
mod collector;
mod fields;
mod harm;
mod http2;
mod sections;
