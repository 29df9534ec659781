//! Anomaly voices for numeric tables: Extended Isolation Forest, boosted trees, autoencoder, and the ensemble over them.
//!
//! Promises: every result is a function of data, settings and seed alone (same model digest on any number of threads);
//! scores are never NaN; each voice explains each score by feature; a model file can be refused but neither crashes the
//! reader nor exhausts memory. No database, no clock, no files: tables come in as `Matrix`, models go out as bytes.
//! Read next: `matrix.rs` → `voice.rs` → `eif/mod.rs`; measured quality and speed are in `docs/SCIENCE.md`.

pub mod anomaly;
mod artifact;
pub mod autoencoder;
pub mod cluster;
pub mod drift;
pub mod eif;
pub mod ensemble;
mod error;
pub mod gbdt;
pub mod graph;
pub mod held_out;
mod matrix;
pub mod metrics;
mod rng;
pub mod stop;
mod voice;

pub use anomaly::{AnomalyReport, run_anomaly};
pub use artifact::{LAYOUT_VERSION, digest_hex};
pub use autoencoder::{Autoencoder, AutoencoderModel, AutoencoderParams};
pub use eif::{Eif, EifModel, EifParams};
pub use ensemble::{Ensemble, EnsembleModel, EnsembleParams, Severity, TrainingData, Verdict};
pub use error::{ModelError, Result};
pub use gbdt::{Boosted, BoostedModel, BoostedParams};
pub use matrix::{FeatureHash, FeatureSet, Matrix};
pub use rng::Rng;
pub use voice::{Explanation, Fit, Voice, VoiceKind, load};
