//! The whole program on real input: what a user would notice, asserted from outside.
//!
//! Promises: each test makes its own folder; nothing outside the repository is needed.
//!
//! Read next: `support.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "tests: they may fail, talk, and wait for other programs"
)]

mod bad_input;
mod bad_network;
mod bad_network_live;
mod clickhouse;
mod clickhouse_cluster;
mod clickhouse_detect;
mod clickhouse_stop;
mod compare;
mod dataset_update;
mod determinism;
mod experiment;
mod grouping_truth;
mod help;
mod join_truth;
mod keylog;
mod kill;
mod live;
mod live_replay;
mod models;
mod operation;
mod oracle;
mod outcome;
mod rehearse;
mod rules;
mod server;
mod service;
mod service_api;
mod service_blocklist;
mod service_http;
mod service_lease;
mod service_packaging;
mod service_retrain;
mod stranger;
mod support;
mod synth;
