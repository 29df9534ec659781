//! The read-only JSON interface: from a path and a query string to bytes. It knows nothing of sockets; `../http` does.
//!
//! Promises: what is served, described (`openapi.rs`) and tested comes from one table (`endpoints.rs`); nothing is ever written;
//! an answer holds at most [`params::LARGEST_LIMIT`] rows; rows come in a total order, so pages neither overlap nor leave out
//! anything while `page.generation` stays the same.
//!
//! Read next: `endpoints.rs`, `params.rs`, `statement.rs`, `address.rs`, `openapi.rs`.

pub mod address;
pub mod columns;
pub mod endpoints;
pub mod features;
pub mod openapi;
pub mod params;
pub mod problem;
pub mod statement;

use duckdb::arrow::array::RecordBatch;
use ja4_replay::store::{Statement, Store};

use self::endpoints::Endpoint;
use self::params::{Pairs, Question};
use self::problem::Problem;
use super::blocklist::{self, Format};
use crate::error::LabError;
use crate::render;

/// Bytes and what they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// Media type.
    pub media_type: &'static str,
    /// The answer.
    pub bytes: Vec<u8>,
}

impl Body {
    /// A JSON text.
    #[must_use]
    pub fn json(text: String) -> Self {
        Self { media_type: "application/json", bytes: text.into_bytes() }
    }
}

/// What a path stands for.
#[derive(Debug, Clone)]
pub enum Route {
    /// The process lives.
    Health,
    /// Store and model are there.
    Ready,
    /// Prometheus figures.
    Metrics,
    /// The description of all this.
    OpenApi,
    /// What the service knows of itself.
    Service,
    /// One of the lists.
    List(&'static Endpoint),
    /// One address in depth; still encoded.
    Address(String),
    /// The catalogue of features.
    Features,
    /// Addresses to block.
    Blocklist,
}

impl Route {
    /// The route of a path.
    #[must_use]
    pub fn of(path: &str) -> Option<Self> {
        Some(match path {
            "/health" => Self::Health,
            "/ready" => Self::Ready,
            "/metrics" => Self::Metrics,
            "/openapi.json" => Self::OpenApi,
            "/api/v1/health" => Self::Service,
            "/api/v1/features" => Self::Features,
            "/api/v1/blocklist" => Self::Blocklist,
            _ => {
                let name = path.strip_prefix("/api/v1/")?;
                match name.strip_prefix("address/") {
                    Some(address) => Self::Address(address.to_owned()),
                    None => Self::List(endpoints::find(name)?),
                }
            }
        })
    }

    /// Whether the answer comes from the store, and so may take a while and be kept.
    #[must_use]
    pub fn asks_store(&self) -> bool {
        matches!(self, Self::List(_) | Self::Address(_) | Self::Blocklist)
    }
}

/// A question that the store is to answer.
#[derive(Debug, Clone)]
pub enum Query {
    /// Rows of a list.
    List(&'static Endpoint, Question),
    /// One address, in the form that is stored.
    Address(String),
    /// Addresses to block.
    Blocklist(Format, blocklist::Wish),
}

/// Checks what was asked of `route`; `None` where the store is not needed.
///
/// # Errors
/// Status 400 with what is allowed.
pub fn check(route: &Route, pairs: &Pairs) -> Result<Option<Query>, Problem> {
    Ok(match route {
        Route::List(endpoint) => Some(Query::List(endpoint, params::parse(endpoint, pairs)?)),
        Route::Address(text) => {
            params::only(pairs, &[])?;
            Some(Query::Address(params::address("the address in the path", text)?.to_string()))
        }
        Route::Blocklist => {
            params::only(pairs, &["format", "min_severity", "from", "to"])?;
            Some(block_query(pairs)?)
        }
        Route::Features => None,
        Route::Health | Route::Ready | Route::Metrics | Route::OpenApi | Route::Service => {
            params::only(pairs, &[])?;
            None
        }
    })
}

fn block_query(pairs: &Pairs) -> Result<Query, Problem> {
    let format = params::value(pairs, "format").unwrap_or("plain");
    let format = Format::ALL.get(params::one_of("format", format, &Format::NAMES)?).copied().unwrap_or(Format::Plain);
    let severity = params::value(pairs, "min_severity").unwrap_or("high");
    let from = params::one_of("min_severity", severity, &super::alert::SEVERITIES)?;
    let time = |name| params::value(pairs, name).map(|value| params::time(name, value)).transpose();
    let range_ms = params::range(endpoints::Time::Hour, time("from")?, time("to")?)?;
    Ok(Query::Blocklist(format, blocklist::Wish { from, range_ms }))
}

/// Asks `store`.
///
/// # Errors
/// The engine's refusal.
pub fn answer(store: &dyn Store, query: &Query, generation: u64) -> Result<Body, LabError> {
    match query {
        Query::List(endpoint, question) => list(store, endpoint, question, generation),
        Query::Address(address) => address::answer(store, address),
        Query::Blocklist(format, wish) => {
            let list = blocklist::collect(store, wish)?;
            let media_type = if *format == Format::Crowdsec { "application/json" } else { "text/plain; charset=utf-8" };
            Ok(Body { media_type, bytes: list.render(*format).into_bytes() })
        }
    }
}

fn list(store: &dyn Store, endpoint: &Endpoint, question: &Question, generation: u64) -> Result<Body, LabError> {
    let places: Vec<usize> = question.filters.iter().map(|(place, _)| *place).collect();
    let text = endpoint.shape.statement(&places, question.sort, question.descending);
    let mut values = vec![question.range.0.to_string(), question.range.1.to_string()];
    for (place, value) in &question.filters {
        let uses = endpoint.shape.filters.get(*place).map_or(0, statement::Filter::uses);
        values.extend(std::iter::repeat_n(value.clone(), uses));
    }
    // One row more than wanted says whether there is a next page.
    values.push((question.limit + 1).to_string());
    values.push(question.offset.to_string());
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let rows = json_rows(&store.ask(&Statement::shared(&text), &values)?)?;
    Ok(Body::json(page(rows, question.limit, question.offset, generation)))
}

/// Each row as one JSON object.
///
/// # Errors
/// None that rows can cause.
pub fn json_rows(batches: &[RecordBatch]) -> Result<Vec<String>, LabError> {
    let mut lines = Vec::new();
    render::jsonl(&mut lines, batches).map_err(LabError::Output)?;
    Ok(String::from_utf8_lossy(&lines).lines().map(str::to_owned).collect())
}

/// Rows (one more than `limit` if there are more) and where the next page begins.
#[must_use]
pub fn page(mut rows: Vec<String>, limit: u64, offset: u64, generation: u64) -> String {
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > most;
    rows.truncate(most);
    let next = if more { (offset + limit).to_string() } else { "null".to_owned() };
    format!(
        "{{\"rows\":[{}],\"page\":{{\"limit\":{limit},\"offset\":{offset},\"returned\":{},\"next_offset\":{next},\"generation\":{generation}}}}}",
        rows.join(","),
        rows.len()
    )
}
