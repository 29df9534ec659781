//! Enrichment: what a joined request says, parsed once, beside facts from reference tables and contradictions between the two.
//!
//! Promises: every column of `row.rs` is filled or marked unknown; tables are data (`datasets/reference`), embedded and replaceable
//! by a directory; caches are bounded and change no result; a claim is called false only where both sides are known.
//!
//! Read next: [`enricher`] (joined request to row), [`tables`] (the reference files), [`claims`] (contradictions).

pub mod cache;
pub mod claims;
pub mod csv;
pub mod enricher;
pub mod handshake;
pub mod headers;
pub mod ip;
pub mod ja4_table;
pub mod path;
pub mod tables;
pub mod user_agent;

pub use enricher::{Enricher, HttpSourceInfo};
pub use tables::Tables;
