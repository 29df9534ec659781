//! Everything between events and a store: HTTP log readers, the correlator, enrichment and the joined row.
//!
//! Promises: no clock is read, no database is known, nothing is guessed without saying so in the row.
//!
//! Read next: [`row`] (what comes out), `httplog` (requests in), `correlate` (the join), `enrich` (facts added).

pub mod correlate;
pub mod enrich;
pub mod error;
pub mod httplog;
pub mod row;
