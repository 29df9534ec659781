//! Extended Isolation Forest: anomalies are isolated by few random cuts.
//!
//! Liu, Ting, Zhou, "Isolation Forest", ICDM 2008; Hariri, Carrasco Kind, Brunner, "Extended Isolation Forest",
//! IEEE TKDE 2019 (cuts along random hyperplanes instead of axes); cuts are drawn over columns standardised within the
//! node, as isotree does (Cortes 2019–). A row's score is 2^(−E[h]/c(ψ)) in (0, 1): E[h] the mean path length over the
//! trees, c(ψ) that of an unsuccessful search in a binary search tree of ψ rows; about 0.5 is ordinary, near 1 anomalous.
//! Read next: `hyperparams.rs` → `algorithm.rs` (fit) → `forest.rs` (layout and scoring) → `explain.rs` (ExIFFI).

mod algorithm;
mod explain;
mod forest;
mod hyperparams;
mod masks;
mod model;
mod scaler;

pub use forest::average_path_length;
pub use hyperparams::{Eif, EifParams};
pub use model::EifModel;
