//! `ja4-correlator` as a program: killed at any instant, fed hostile text, looked at from outside.
//!
//! Promises: each test has its own folder, sockets and port; what needs root says so and is skipped without it.
//!
//! Read next: `support.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod hostile;
mod kill;
mod outside;
mod stop;
mod support;
