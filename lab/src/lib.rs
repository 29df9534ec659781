//! The lab: stored requests to features, voices, verdicts and reasons, and the command line over all of it.
//!
//! Promises: scoring never imports and importing never scores behind anyone's back; the same store and settings give the
//! same scores, bit for bit; every ranked session carries its reason in plain English.
//!
//! Read next: [`catalogue`] (features), [`frame`] (their table), [`cycle`] (one detection run), [`cli`].

pub mod anomaly;
pub mod audit;
pub mod campaigns;
pub mod catalogue;
pub mod checked_toml;
pub mod cli;
pub mod compare;
pub mod cycle;
pub mod dataset;
pub mod db;
pub mod detections;
pub mod drift;
pub mod error;
pub mod evaluate;
pub mod experiment;
pub mod explain;
pub mod feedback;
pub mod fleets;
pub mod frame;
pub mod labels;
pub mod live;
pub mod packets;
pub mod pseudonym;
pub mod reference;
pub mod registry;
pub mod rehearse;
pub mod render;
pub mod report;
pub mod rescore;
pub mod retrain;
pub mod rows;
pub mod rules;
pub mod service;
pub mod sessions;
pub mod synth;
