//! The catalogue of features as a list: what each column means and whether models see it.
//!
//! Promises: the same pages as every other list; the order is that of `sql/features.toml`.
//!
//! Read next: `../../catalogue.rs`.

use super::params::{self, DEFAULT_LIMIT, LARGEST_LIMIT, Pairs};
use super::problem::Problem;
use super::{Body, page};
use crate::catalogue::Catalogue;

/// Names that this list takes.
pub const PARAMETERS: [&str; 3] = ["limit", "offset", "family"];

/// Columns of an answer with their JSON types and meanings.
pub const COLUMNS: [(&str, &str, &str); 8] = [
    ("name", "string", "column of the feature view"),
    ("family", "string", "what it belongs to"),
    ("formula", "string", "how it is computed"),
    ("unit", "string", "unit of the value"),
    ("why", "string", "why it separates"),
    ("neutral", "number", "the value that means unknown"),
    ("model", "boolean", "whether models see it"),
    ("complete_only", "boolean", "whether it needs a handshake"),
];

/// A page of the catalogue.
///
/// # Errors
/// Status 400 with what is allowed.
pub fn answer(pairs: &Pairs, generation: u64) -> Result<Body, Problem> {
    params::only(pairs, &PARAMETERS)?;
    let catalogue =
        Catalogue::load().map_err(|error| Problem::new(500, format!("the catalogue of features is broken: {error}")))?;
    let limit = params::number_or(pairs, "limit", DEFAULT_LIMIT, 1, LARGEST_LIMIT)?;
    let offset = params::number_or(pairs, "offset", 0, 0, params::FARTHEST_OFFSET)?;
    let family = params::value(pairs, "family");
    let chosen = catalogue.features.iter().filter(|feature| family.is_none_or(|family| feature.family == family));
    let rows = chosen.skip(usize::try_from(offset).unwrap_or(usize::MAX)).take(usize::try_from(limit + 1).unwrap_or(usize::MAX));
    let rows = rows.map(|feature| {
        serde_json::json!({
            "name": feature.name, "family": feature.family, "formula": feature.formula, "unit": feature.unit, "why": feature.why,
            "neutral": feature.neutral, "model": feature.model, "complete_only": feature.complete_only,
        })
        .to_string()
    });
    Ok(Body::json(page(rows.collect(), limit, offset, generation)))
}
