//! Several voices, one verdict: calibration, combination, threshold, severity, agreement.
//!
//! Each voice's score is brought to a common scale (`calibrate.rs`); with at least 1,000 labels a logistic regression
//! learns how far to trust each (`logistic.rs`), below that fixed weights do; the threshold is set by the false-positive
//! rate an operator is willing to bear (`verdict.rs`). Voices are judged by scores of rows they have not seen (`unseen.rs`).
//! Read next: `hyperparams.rs` → `algorithm.rs` → `model.rs`.

mod algorithm;
mod calibrate;
mod hyperparams;
mod logistic;
mod model;
mod unseen;
mod verdict;

pub use algorithm::TrainingData;
pub use calibrate::{IsotonicCalibrator, PlattCalibrator, RankCalibrator};
pub use hyperparams::{Ensemble, EnsembleParams};
pub use logistic::LogisticRegression;
pub use model::EnsembleModel;
pub use verdict::{Severity, Verdict};
