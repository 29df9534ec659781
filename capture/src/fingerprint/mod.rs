//! Fingerprints of hellos that are free to use: JA3/JA3S (BSD 3-Clause, Salesforce) and JA4 of TLS clients (BSD 3-Clause, FoxIO).
//!
//! Promises: parts and hashes come from one pass over the parsed hello; the written specifications win over any implementation
//! (`docs/DEVIATIONS.md` names the cases). Methods under the FoxIO licence are in `../plus/`, behind a feature.
//!
//! Read next: `ja4.rs`, `ja3.rs`, `facts.rs` (all values of one hello).

pub mod facts;
pub mod ja3;
pub mod ja4;
mod memo;
pub mod text;

pub use facts::{ClientFacts, ServerFacts};
pub use memo::{ClientTexts, ServerTexts};
