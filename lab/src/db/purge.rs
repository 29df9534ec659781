//! Removing what must go: everything before a time, or everything of one address (a request for erasure).
//!
//! Promises: what is counted is what is removed; nothing is removed in a dry run; the removal is recorded, without the address
//! itself (its SHA-256 stands for it, so that an erased address does not live on in the record of its erasure).
//!
//! Read next: `sql/*/queries/purge_*.sql`.

use std::net::IpAddr;

use ja4_replay::digest::hex;
use ja4_replay::store::{Statement, Store};
use sha2::{Digest as _, Sha256};

use super::audit::{self, Action};
use super::{ints, texts};
use crate::error::LabError;

const COUNT_BEFORE: Statement = Statement::shared(include_str!("../../../sql/shared/queries/purge_before_count.sql"));
const COUNT_ADDRESS: Statement = Statement::shared(include_str!("../../../sql/shared/queries/purge_address_count.sql"));
const PURGE_BEFORE: Statement = Statement {
    duckdb: include_str!("../../../sql/duckdb/queries/purge_before.sql"),
    clickhouse: include_str!("../../../sql/clickhouse/queries/purge_before.sql"),
};
const PURGE_ADDRESS: Statement = Statement {
    duckdb: include_str!("../../../sql/duckdb/queries/purge_address.sql"),
    clickhouse: include_str!("../../../sql/clickhouse/queries/purge_address.sql"),
};

/// What is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Everything before this time, ns since 1970.
    Before(i64),
    /// Everything of this address.
    Address(IpAddr),
}

/// Rows by table that `what` would remove.
///
/// # Errors
/// The engine's refusal.
pub fn count(store: &dyn Store, what: What) -> Result<Vec<(String, i64)>, LabError> {
    let batches = match what {
        What::Before(before_ns) => store.ask(&COUNT_BEFORE, &[&before_ns.to_string()])?,
        What::Address(ip) => store.ask(&COUNT_ADDRESS, &[&ip.to_canonical().to_string()])?,
    };
    Ok(texts(&batches, 0).into_iter().zip(ints(&batches, 1)).collect())
}

/// Removes it, and records that it was removed.
///
/// # Errors
/// The engine's refusal.
pub fn purge(store: &dyn Store, what: What, counted: &[(String, i64)], now_ns: i64, actor: &str) -> Result<(), LabError> {
    let target = match what {
        What::Before(before_ns) => {
            store.change(&PURGE_BEFORE, &[&before_ns.to_string()])?;
            format!("before {before_ns}")
        }
        What::Address(ip) => {
            let text = ip.to_canonical().to_string();
            store.change(&PURGE_ADDRESS, &[&text, &text])?;
            format!("address with SHA-256 {}", hex(&Sha256::digest(text.as_bytes())))
        }
    };
    let figures: serde_json::Map<String, serde_json::Value> =
        counted.iter().map(|(table, rows)| (table.clone(), serde_json::Value::from(*rows))).collect();
    let detail = serde_json::Value::Object(figures).to_string();
    audit::record(store, &Action { ts_ns: now_ns, actor, action: "purge", target: &target, detail: &detail })?;
    Ok(store.checkpoint()?)
}
