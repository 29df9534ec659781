//! Gradient-boosted trees for the probability that a row is an anomaly, with exact explanations and XGBoost import.
//!
//! Second-order boosting of logistic loss over histograms (Chen and Guestrin, "XGBoost", KDD 2016; Ke et al.,
//! "LightGBM", NeurIPS 2017). Own code, because one tree layout then serves fitting, imported XGBoost models and
//! TreeSHAP, and because sums are taken in a fixed order: the model is the same on any number of threads.
//! Why not a crate: `docs/SCIENCE.md`, section "Boosted trees".
//! Read next: `hyperparams.rs` → `algorithm.rs` (the loop) → `grow.rs` (one tree) → `trees.rs` (layout, scoring) → `shap.rs`.

mod algorithm;
mod bins;
mod grow;
mod hyperparams;
mod model;
mod partition;
mod shap;
mod split;
mod trees;
mod xgboost_json;

pub use hyperparams::{Boosted, BoostedParams};
pub use model::BoostedModel;
