//! One address in depth: its sessions, identities, latest requests, campaigns and what analysts said.
//!
//! Promises: each part is bounded by its statement; an address that was never seen gives empty parts and a summary of zeros, not
//! an error: that it was not seen is an answer.
//!
//! Read next: `sql/shared/queries/api_address_*.sql`.

use ja4_replay::store::{Statement, Store};

use super::{Body, json_rows};
use crate::error::LabError;
use crate::render::json_text;

macro_rules! part {
    ($name:literal) => {
        ($name, Statement::shared(include_str!(concat!("../../../../sql/shared/queries/api_address_", $name, ".sql"))))
    };
}

const SUMMARY: (&str, Statement) = part!("summary");

/// Parts that are lists, in the order of the answer.
pub const PARTS: [(&str, Statement); 5] =
    [part!("sessions"), part!("identities"), part!("requests"), part!("campaigns"), part!("feedback")];

/// Everything known of `address`, which is in the form that is stored.
///
/// # Errors
/// The engine's refusal.
pub fn answer(store: &dyn Store, address: &str) -> Result<Body, LabError> {
    let ask = |statement: &Statement| json_rows(&store.ask(statement, &[address, address])?);
    let summary = ask(&SUMMARY.1)?.into_iter().next().unwrap_or_else(|| "{}".to_owned());
    let mut text = format!("{{\"address\":{},\"summary\":{summary}", json_text(address));
    for (name, statement) in &PARTS {
        text.push_str(&format!(",\"{name}\":[{}]", ask(statement)?.join(",")));
    }
    text.push('}');
    Ok(Body::json(text))
}
