//! Autoencoder: a small neural network learns to reproduce ordinary rows; what it reproduces badly is anomalous.
//!
//! Hawkins, He, Williams, Baxter, "Outlier Detection Using Replicator Neural Networks", DaWaK 2002, with today's parts:
//! robust scaling, Huber's loss, Adam (Kingma and Ba 2015), early stopping on a held-out tenth. The network has a
//! few thousand weights, so it is plain dense layers over `ndarray`'s matrix product, not a framework; gradients are
//! added in a fixed order, so a model is the same on any number of threads. Why: `docs/SCIENCE.md`, "Autoencoder".
//! Read next: `hyperparams.rs` → `scaler.rs` → `network.rs` → `algorithm.rs` → `model.rs`.

mod algorithm;
mod hyperparams;
mod model;
mod network;
mod scaler;

pub use hyperparams::{Autoencoder, AutoencoderParams};
pub use model::AutoencoderModel;
