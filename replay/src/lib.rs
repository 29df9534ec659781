//! From events to a store: the pipeline that reads captures and logs, joins them, and keeps the rows.
//!
//! Promises: rows depend on inputs and settings alone; nothing is stored twice and nothing that was read is lost; no clock is
//! read here; memory is bounded at every stage.
//!
//! Read next: [`pipeline`] (the stages), [`live`] (the same as it happens), [`spool`] (segments on disk), [`store`] (where rows live), [`digest`] (how results are compared).

pub mod digest;
mod error;
pub mod live;
pub mod metrics;
pub mod pipeline;
pub mod spool;
pub mod store;
pub mod visible;

pub use error::ReplayError;
