//! The whole way of one session in text: handshake, join, claims, requests, features against people, each voice, verdict.
//!
//! Promises: every figure is read from the store; the text is the same on the command line and in the desktop; what is not
//! known is said to be unknown.
//!
//! Read next: `sql/shared/queries/explain_*.sql`, `cycle/reason.rs`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use duckdb::arrow::array::RecordBatch;
use duckdb::arrow::util::display::{ArrayFormatter, FormatOptions};
use ja4_replay::store::{Statement, Store};
use serde::Deserialize;

use crate::error::LabError;
use crate::render::{self, visible};

/// One text for both engines, or a twin for each.
macro_rules! query {
    (shared $name:literal) => {
        Statement::shared(include_str!(concat!("../../sql/shared/queries/", $name, ".sql")))
    };
    (twins $name:literal) => {
        Statement {
            duckdb: include_str!(concat!("../../sql/duckdb/queries/", $name, ".sql")),
            clickhouse: include_str!(concat!("../../sql/clickhouse/queries/", $name, ".sql")),
        }
    };
}

const WORST: Statement = query!(shared "explain_worst");
const SCORE: Statement = query!(twins "explain_score");
const HANDSHAKE: Statement = query!(shared "explain_handshake");
const JOIN: Statement = query!(shared "explain_join");
const CLAIMS: Statement = query!(shared "explain_claims");
const REQUESTS: Statement = query!(twins "explain_requests");

/// A row as names and texts.
type Row = BTreeMap<String, String>;

/// Explains a session by id, or the most anomalous one of an address.
///
/// # Errors
/// Nothing scored by that name, or the engine's refusal.
pub fn explain(store: &dyn Store, session: Option<&str>, ip: Option<&str>) -> Result<String, LabError> {
    let id = match (session, ip) {
        (Some(session), _) => session.to_owned(),
        (None, Some(ip)) => worst_of(store, ip)?,
        (None, None) => return Err(LabError::Ask("explain: name a session (--session) or an address (--ip)".to_owned())),
    };
    let score = rows(&store.ask(&SCORE, &[&id])?);
    let Some(score) = score.first() else {
        return Err(LabError::Ask(format!("explain: no scored session has the id {id:?}; `ja4-lab sessions` lists them")));
    };
    let mut text = String::new();
    let get = |name: &str| score.get(name).map_or("", String::as_str);
    // The window's start stands for both of its bounds.
    let key = [get("win_ms"), get("win_ms"), get("src_ip"), get("ja4"), get("host")];
    verdict(&mut text, &get);
    section(&mut text, "Handshake", &store.ask(&HANDSHAKE, &key)?, "no packet of this connection was captured");
    section(&mut text, "Join", &store.ask(&JOIN, &key)?, "no request is stored");
    section(&mut text, "Claims against facts (1 contradicts, 0 agrees, -1 unknown)", &store.ask(&CLAIMS, &key)?, "none");
    table(&mut text, "Requests (first 12)", &store.ask(&REQUESTS, &key)?);
    features(&mut text, get("explanation"), get("anomaly") == "1");
    voices(&mut text, &get);
    Ok(text)
}

fn worst_of(store: &dyn Store, ip: &str) -> Result<String, LabError> {
    let address: std::net::IpAddr = ip
        .parse()
        .map_err(|_| LabError::Ask(format!("explain: {ip:?} is no IP address; write one such as 192.0.2.7 or 2001:db8::7")))?;
    let address = address.to_canonical().to_string();
    let found = rows(&store.ask(&WORST, &[&address, &address])?);
    found
        .first()
        .and_then(|row| row.get("session_id").cloned())
        .ok_or_else(|| LabError::Ask(format!("explain: no scored session came from {address}; `ja4-lab sessions` lists them")))
}

fn verdict<'a>(text: &mut String, get: &impl Fn(&str) -> &'a str) {
    let anomalous = if get("anomaly") == "1" { "anomalous" } else { "not anomalous" };
    let _ = writeln!(text, "Session {} from {} to {}", get("session_id"), visible(get("src_ip")), visible(get("host")));
    let _ = writeln!(text, "  {} requests, {} to {} UTC", get("hits"), get("first_seen"), get("last_seen"));
    let _ = writeln!(
        text,
        "  verdict: {anomalous}, severity {}, score {} (threshold {})",
        get("severity"),
        short(get("score")),
        short(get("threshold"))
    );
    let _ = writeln!(text, "  reason: {}", visible(get("reason")));
    let label = match get("label") {
        "1" => "a program",
        "0" => "legitimate",
        _ => "",
    };
    if !label.is_empty() {
        let _ = writeln!(text, "  label: {label} (source: {})", visible(get("label_source")));
    }
    let place = [get("country"), get("as_name")].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
    if !place.is_empty() {
        let _ = writeln!(text, "  network: {}", visible(&place));
    }
}

fn section(text: &mut String, title: &str, batches: &[RecordBatch], nothing: &str) {
    let _ = writeln!(text, "\n{title}");
    let rows = rows(batches);
    if rows.is_empty() {
        let _ = writeln!(text, "  {nothing}");
    }
    let names: Vec<String> = batches
        .first()
        .map(|batch| batch.schema().fields().iter().map(|field| field.name().clone()).collect())
        .unwrap_or_default();
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        for name in &names {
            let value = row.get(name).map_or("", String::as_str);
            let value = if name == "tls_version" { tls_version(value) } else { value };
            if !value.is_empty() {
                let _ = writeln!(text, "  {name:<20} {}", visible(value));
            }
        }
    }
}

/// The protocol of a version's number (RFC 8446 §4.1.2, RFC 9147 §5.3); an unknown number as it is.
fn tls_version(code: &str) -> &str {
    match code {
        "768" => "SSL 3.0",
        "769" => "TLS 1.0",
        "770" => "TLS 1.1",
        "771" => "TLS 1.2",
        "772" => "TLS 1.3",
        "65279" => "DTLS 1.0",
        "65277" => "DTLS 1.2",
        "65276" => "DTLS 1.3",
        other => other,
    }
}

fn table(text: &mut String, title: &str, batches: &[RecordBatch]) {
    let _ = writeln!(text, "\n{title}");
    let mut out = Vec::new();
    if render::table(&mut out, batches, None).is_ok() {
        text.push_str(&String::from_utf8_lossy(&out));
    }
}

#[derive(Debug, Deserialize)]
struct Part {
    feature: String,
    value: f64,
    share: f64,
    position: String,
    baseline: Span,
    would_pass_at: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct Span {
    low: f64,
    median: f64,
    high: f64,
}

fn features(text: &mut String, explanation: &str, anomalous: bool) {
    let _ = writeln!(text, "\nFeatures that made the score (5 %, half, 95 % of the people on this site)");
    let parts: Vec<Part> = serde_json::from_str(explanation).unwrap_or_default();
    if parts.is_empty() {
        let _ = writeln!(text, "  none kept: an ordinary session beyond the number that setting explain_max says");
    }
    for part in &parts {
        let _ = writeln!(
            text,
            "  {:<28} {:>12.4}  {:>6.1} %  {:<7} [{:.4}, {:.4}, {:.4}]",
            part.feature,
            part.value,
            part.share * 100.0,
            part.position,
            part.baseline.low,
            part.baseline.median,
            part.baseline.high
        );
    }
    if anomalous {
        change(text, &parts);
    }
}

/// The nearest change that would have let the session pass.
fn change(text: &mut String, parts: &[Part]) {
    let moves: Vec<(&str, f64, f64)> =
        parts.iter().filter_map(|part| part.would_pass_at.map(|to| (part.feature.as_str(), to, part.value))).collect();
    if moves.is_empty() {
        let _ = writeln!(
            text,
            "\nWould pass if\n  no change of up to twelve features is known (setting changes says for how many sessions it is sought)"
        );
        return;
    }
    let _ = writeln!(text, "\nWould pass if");
    for (place, (feature, to, value)) in moves.iter().enumerate() {
        let and = if place == 0 { "" } else { "and " };
        let _ = writeln!(text, "  {and}{feature} were {to:.4} instead of {value:.4}");
    }
}

fn voices<'a>(text: &mut String, get: &impl Fn(&str) -> &'a str) {
    let _ = writeln!(text, "\nVoices (model {} {})", get("model_kind"), get("model_id"));
    for (name, column) in [("forest", "score_eif"), ("autoencoder", "score_autoencoder"), ("boosted trees", "score_boosted")] {
        let value = get(column);
        let shown = if value.starts_with('-') { "not asked".to_owned() } else { short(value) };
        let _ = writeln!(text, "  {name:<20} {shown}");
    }
    let _ = writeln!(text, "  {:<20} {}", "final", short(get("score")));
}

fn short(number: &str) -> String {
    number.parse::<f64>().map_or_else(|_| number.to_owned(), |value| format!("{value:.4}"))
}

fn rows(batches: &[RecordBatch]) -> Vec<Row> {
    let options = FormatOptions::default();
    let mut rows = Vec::new();
    for batch in batches {
        let schema = batch.schema();
        for index in 0..batch.num_rows() {
            let cells = schema.fields().iter().zip(batch.columns()).map(|(field, column)| {
                let value = ArrayFormatter::try_new(column.as_ref(), &options).map(|f| f.value(index).to_string());
                (field.name().clone(), value.unwrap_or_default())
            });
            rows.push(cells.collect());
        }
    }
    rows
}
