//! Experiments: a plan in TOML to numbers with intervals, predictions and figures, kept with everything needed to make them again.
//!
//! Promises: the same plan, data and program give the same metrics and prediction digests on any number of threads; a folder is whole or
//! not there; times are kept apart from results.
//!
//! Read next: `plan.rs` (what is asked), `kinds/mod.rs` (what is done), `outcome.rs`, `folder.rs` (what is kept), `compare.rs`.

pub mod bench;
pub mod compare;
pub mod data;
pub mod folder;
pub mod kinds;
pub mod outcome;
pub mod plan;
pub mod tables;
pub mod truth;
