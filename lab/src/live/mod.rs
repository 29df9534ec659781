//! `ja4-lab live`: what runs inside the process beside the live path of `ja4-replay`: the sensor and the questions over HTTP.
//!
//! Promises: no clock is read here; packets are looked at on one thread, after privileges are gone.
//!
//! Read next: `sensor.rs`, `serve.rs`, `crate::cli::live`, docs/LIVE.md.

pub mod sensor;
pub mod serve;
