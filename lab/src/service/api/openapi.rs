//! The OpenAPI 3.0 description, made from the table that serves: it cannot describe anything else.
//!
//! Promises: every path, parameter, bound, column and status that the server knows; the same bytes on every call.
//!
//! Read next: `endpoints.rs`, `lab/tests/it/service_api.rs` (checks real answers against this).

use serde_json::{Map, Value, json};

use super::columns::{self, Type};
use super::endpoints::{ENDPOINTS, Endpoint, Time};
use super::features;
use super::params::{DEFAULT_LIMIT, FARTHEST_OFFSET, LARGEST_LIMIT, LONGEST_VALUE, SEVERITIES};
use super::statement::{Filter, Kind, MOST_FILTERS};
use crate::service::alert;
use crate::service::blocklist::Format;

/// The whole description.
#[must_use]
pub fn document() -> Value {
    let mut paths = Map::new();
    let object = json!({ "type": "object" });
    paths.insert("/health".to_owned(), get("Whether the process lives.", &[], ok_json(&status_schema()), &[], true));
    let ready = [("503", "the store is away, or no cycle has ended yet")];
    paths.insert("/ready".to_owned(), get("Whether store and scores are there.", &[], ok_json(&status_schema()), &ready, true));
    let text = json!({ "description": "figures", "content": { "text/plain": { "schema": { "type": "string" } } } });
    paths.insert("/metrics".to_owned(), get("Figures for Prometheus.", &[], text, &[], false));
    paths.insert("/openapi.json".to_owned(), get("This description.", &[], ok_json(&object), &[], false));
    paths.insert("/api/v1/health".to_owned(), get("What the service knows of itself.", &[], ok_json(&object), &[], false));
    for endpoint in ENDPOINTS.iter() {
        paths.insert(format!("/api/v1/{}", endpoint.name), list(endpoint));
    }
    paths.insert("/api/v1/features".to_owned(), feature_list());
    paths.insert("/api/v1/address/{address}".to_owned(), address());
    paths.insert("/api/v1/blocklist".to_owned(), blocklist());
    json!({
        "openapi": "3.0.3",
        "info": {
            "title": "ja4-lab detect",
            "version": env!("CARGO_PKG_VERSION"),
            "description": format!(
                "Read-only. Times are UTC; *_ns are integers of 64 bits, ns since 1970. A request combines at most {MOST_FILTERS} filters."
            ),
        },
        "security": [{ "token": [] }, {}],
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "schemas": { "Problem": {
                "type": "object", "required": ["status", "error"], "additionalProperties": false,
                "properties": { "status": { "type": "integer" }, "error": { "type": "string" } },
            } },
        },
    })
}

fn list(endpoint: &Endpoint) -> Value {
    let mut parameters = vec![
        query("from", &time_meaning(endpoint.time, "at or after"), json!({ "type": "string", "format": "date-time" })),
        query("to", &time_meaning(endpoint.time, "before"), json!({ "type": "string", "format": "date-time" })),
        limit(),
        offset(),
    ];
    if let Some(default) = endpoint.shape.sorts.first() {
        parameters.push(query(
            "sort",
            "column to sort by",
            json!({ "type": "string", "enum": endpoint.shape.sorts, "default": default }),
        ));
        let order = json!({ "type": "string", "enum": ["asc", "desc"], "default": "desc" });
        parameters.push(query("order", "direction", order));
    }
    parameters.extend(endpoint.shape.filters.iter().map(filter));
    let mut properties = Map::new();
    for name in endpoint.columns {
        let (kind, meaning) = columns::find(name).unwrap_or((Type::Text, ""));
        properties.insert((*name).to_owned(), column(kind, meaning));
    }
    get(endpoint.summary, &parameters, ok_json(&rows(&json!(endpoint.columns), &properties)), &STORE_AWAY, false)
}

fn feature_list() -> Value {
    let names: Vec<&str> = features::COLUMNS.iter().map(|(name, _, _)| *name).collect();
    let properties = features::COLUMNS
        .iter()
        .map(|(name, kind, meaning)| ((*name).to_owned(), json!({ "type": kind, "description": meaning })));
    let parameters = [limit(), offset(), query("family", "family of features", json!({ "type": "string" }))];
    let schema = rows(&json!(names), &properties.collect());
    get("The catalogue of features.", &parameters, ok_json(&schema), &[], false)
}

fn address() -> Value {
    let mut properties = Map::new();
    properties.insert("address".to_owned(), json!({ "type": "string" }));
    properties.insert("summary".to_owned(), json!({ "type": "object" }));
    for (name, _) in &super::address::PARTS {
        properties.insert((*name).to_owned(), json!({ "type": "array", "items": { "type": "object" } }));
    }
    let required: Vec<&String> = properties.keys().collect();
    let schema = json!({ "type": "object", "required": required, "additionalProperties": false, "properties": properties });
    let path = json!({
        "name": "address", "in": "path", "required": true, "description": "IPv4 or IPv6 address",
        "schema": { "type": "string", "anyOf": [{ "format": "ipv4" }, { "format": "ipv6" }] },
    });
    get("One address in depth.", &[path], ok_json(&schema), &STORE_AWAY, false)
}

fn blocklist() -> Value {
    let text = |names: &[&str], default: &str| json!({ "type": "string", "enum": names, "default": default });
    let parameters = [
        query("format", "form of the answer; crowdsec is JSON, the others are text", text(&Format::NAMES, "plain")),
        query("min_severity", "the mildest severity listed", text(&alert::SEVERITIES, "high")),
        query("from", &time_meaning(Time::Hour, "at or after"), json!({ "type": "string", "format": "date-time" })),
        query("to", &time_meaning(Time::Hour, "before"), json!({ "type": "string", "format": "date-time" })),
    ];
    let answer = json!({ "description": "the list", "content": {
        "text/plain": { "schema": { "type": "string" } },
        "application/json": { "schema": { "type": "array", "items": { "type": "object" } } },
    } });
    get("Addresses to block.", &parameters, answer, &STORE_AWAY, false)
}

const STORE_AWAY: [(&str, &str); 1] = [("503", "the store is away or too busy")];

/// A GET operation; every path but the open ones may also answer 401 and 429.
fn get(summary: &str, parameters: &[Value], ok: Value, others: &[(&str, &str)], open: bool) -> Value {
    let problem = |meaning: &str| {
        let schema = json!({ "$ref": "#/components/schemas/Problem" });
        json!({ "description": meaning, "content": { "application/json": { "schema": schema } } })
    };
    let mut responses = Map::new();
    responses.insert("200".to_owned(), ok);
    responses.insert("400".to_owned(), problem("a parameter is unknown or out of range; the message lists what is allowed"));
    if !open {
        responses.insert("401".to_owned(), problem("the bearer token is missing or wrong"));
    }
    responses.insert("429".to_owned(), problem("too many requests; Retry-After says when"));
    for (status, meaning) in others {
        responses.insert((*status).to_owned(), problem(meaning));
    }
    json!({ "get": { "summary": summary, "parameters": parameters, "responses": responses } })
}

fn ok_json(schema: &Value) -> Value {
    json!({ "description": "done", "content": { "application/json": { "schema": schema } } })
}

fn status_schema() -> Value {
    json!({ "type": "object", "required": ["status"], "properties": { "status": { "type": "string" } } })
}

fn rows(required: &Value, properties: &Map<String, Value>) -> Value {
    let row = json!({ "type": "object", "required": required, "additionalProperties": false, "properties": properties });
    json!({
        "type": "object", "required": ["rows", "page"], "additionalProperties": false,
        "properties": {
            "rows": { "type": "array", "items": row, "maxItems": LARGEST_LIMIT },
            "page": {
                "type": "object", "required": ["limit", "offset", "returned", "next_offset", "generation"], "additionalProperties": false,
                "properties": {
                    "limit": { "type": "integer" }, "offset": { "type": "integer" }, "returned": { "type": "integer" },
                    "next_offset": { "type": "integer", "nullable": true, "description": "offset of the next page; null on the last" },
                    "generation": { "type": "integer", "description": "changes when what is stored may have changed" },
                },
            },
        },
    })
}

fn column(kind: Type, meaning: &str) -> Value {
    match kind {
        Type::Int => json!({ "type": "integer", "format": "int64", "description": meaning }),
        Type::Float => json!({ "type": "number", "format": "double", "nullable": true, "description": meaning }),
        Type::Text => json!({ "type": "string", "description": meaning }),
    }
}

fn filter(filter: &Filter) -> Value {
    let (meaning, schema) = match filter.kind {
        Kind::Address => ("this address", json!({ "type": "string", "anyOf": [{ "format": "ipv4" }, { "format": "ipv6" }] })),
        Kind::Text => ("exactly this text", json!({ "type": "string", "maxLength": LONGEST_VALUE, "pattern": "^[^\\u0000]*$" })),
        Kind::Severity => ("exactly this severity", json!({ "type": "string", "enum": SEVERITIES })),
        Kind::Share => ("at least this", json!({ "type": "number", "minimum": 0, "maximum": 1 })),
        Kind::Count => ("exactly this", json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX })),
        Kind::Flag => ("exactly this", json!({ "type": "integer", "minimum": 0, "maximum": 1 })),
    };
    query(filter.name, meaning, schema)
}

fn limit() -> Value {
    query(
        "limit",
        "rows of a page",
        json!({ "type": "integer", "minimum": 1, "maximum": LARGEST_LIMIT, "default": DEFAULT_LIMIT }),
    )
}

fn offset() -> Value {
    query("offset", "rows to skip", json!({ "type": "integer", "minimum": 0, "maximum": FARTHEST_OFFSET, "default": 0 }))
}

fn query(name: &str, meaning: &str, schema: Value) -> Value {
    json!({ "name": name, "in": "query", "required": false, "description": meaning, "schema": schema })
}

fn time_meaning(time: Time, relation: &str) -> String {
    match time {
        Time::Hour => format!("hours that begin {relation} this time"),
        Time::Instant => format!("what happened {relation} this time"),
    }
}
