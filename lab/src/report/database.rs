//! What a database tells in a report: how it was joined, what was found, by whom, and with which digests.
//!
//! Promises: only reading statements; the same store gives the same page.
//!
//! Read next: `sql/shared/queries/report_*.sql`.

use duckdb::arrow::array::RecordBatch;
use duckdb::arrow::util::display::{ArrayFormatter, FormatOptions};
use ja4_replay::store::{Contents, Statement, Store};

use super::html::Page;
use super::svg::{Bar, Line, bars, lines};
use crate::error::LabError;
use crate::frame::FeatureFrame;

const SEVERITIES: Statement = Statement::shared(include_str!("../../../sql/shared/queries/report_severities.sql"));
const SESSIONS: Statement = Statement::shared(include_str!("../../../sql/shared/queries/report_sessions.sql"));
const JA4: Statement = Statement::shared(include_str!("../../../sql/shared/queries/report_ja4.sql"));
const JOINS: Statement = Statement::shared(include_str!("../../../sql/shared/queries/report_joins.sql"));
const HOURS: Statement = Statement::shared(include_str!("../../../sql/shared/queries/report_hours.sql"));
const CAMPAIGNS: Statement = Statement::shared(include_str!("../../../sql/shared/queries/report_campaigns.sql"));
const INPUTS: Statement = Statement::shared(include_str!("../../../sql/shared/queries/report_inputs.sql"));
const SPAN: Statement = Statement::shared(include_str!("../../../sql/shared/queries/report_span.sql"));
const TOTALS: Statement = Statement::shared(include_str!("../../../sql/shared/queries/totals.sql"));
const RUNS: Statement = Statement::shared(include_str!("../../../sql/shared/queries/report_runs.sql"));

/// The page of a database.
///
/// # Errors
/// The engine's refusal.
pub fn of_database(store: &dyn Store) -> Result<String, LabError> {
    let mut page = Page::new(&format!("Report of {}", store.label()));
    page.paragraph("Handshakes joined with requests, sessions scored by three voices, ranked with a reason each.");
    page.section("What it is made from");
    inputs(&mut page, store)?;
    page.section("Sessions by severity");
    let unscored = "No session is scored: run ja4-lab score --db DB.";
    table(&mut page, store, &SEVERITIES, &["severity", "sessions", "addresses", "requests"], unscored)?;
    let hours = FeatureFrame::from_batches(&store.ask(&HOURS, &[])?)?;
    if hours.sessions() > 1 {
        page.figure(&by_hour(&hours)?);
    }
    page.section("Most anomalous sessions");
    let header = ["session", "score", "severity", "address", "host", "requests", "claims", "JA4", "reason"];
    table(&mut page, store, &SESSIONS, &header, unscored)?;
    page.section("Campaigns");
    let header = ["name", "severity", "score", "sessions", "addresses", "requests", "reason"];
    table(&mut page, store, &CAMPAIGNS, &header, "No campaign is stored.")?;
    page.section("Fingerprints");
    table(&mut page, store, &JA4, &["JA4", "sessions", "addresses", "claims", "mean score"], unscored)?;
    page.section("How requests were joined");
    let joins = FeatureFrame::from_batches(&store.ask(&JOINS, &[])?)?;
    if joins.sessions() > 0 {
        let counts = joins.number("requests")?;
        let shown: Vec<Bar> = joins
            .text("match_kind")?
            .iter()
            .zip(&counts)
            .map(|(name, value)| Bar { name: name.clone(), value: *value, interval: None })
            .collect();
        page.figure(&bars(
            "Requests by how they were joined",
            "requests",
            (0.0, counts.iter().copied().fold(1.0, f64::max)),
            &shown,
        ));
    } else {
        page.paragraph("No request is stored.");
    }
    page.section("Methods");
    page.paragraph(
        "A request belongs to the handshake that its address, port, time and connection number allow (docs/JOIN.md). A session is an hour of \
         one address, JA4 and host. Forest and autoencoder learn from sessions that look like people, boosted trees from labels; the score \
         is their weighted, calibrated sum (docs/SCIENCE.md). Features are listed in docs/FEATURES.md.",
    );
    page.section("Digests");
    let digests = [("rows", Contents::Rows), ("features", Contents::Features), ("scores", Contents::Scores)];
    let mut rows = Vec::new();
    for (name, contents) in digests {
        rows.push(vec![name.to_owned(), store.digest(contents)?]);
    }
    page.table(&["of", "SHA-256"], &rows, "");
    table(&mut page, store, &RUNS, &["run", "command", "version", "rows", "features", "scores"], "No run is recorded.")?;
    Ok(page.finish())
}

/// Span of time, totals, and each input with its digest.
fn inputs(page: &mut Page, store: &dyn Store) -> Result<(), LabError> {
    let span = FeatureFrame::from_batches(&store.ask(&SPAN, &[])?)?;
    let end = |name: &str| Ok::<_, LabError>(span.int(name)?.first().copied().and_then(utc));
    if let (Some(first), Some(last)) = (end("first_ns")?, end("last_ns")?) {
        page.paragraph(&format!("Requests from {first} to {last} (UTC)."));
    }
    table(
        page,
        store,
        &TOTALS,
        &["requests", "handshakes without a request", "sessions", "anomalous sessions"],
        "Nothing is stored.",
    )?;
    let empty = "No input is recorded: its rows came over a socket or from another store.";
    table(page, store, &INPUTS, &["kind", "name", "records", "damaged", "digest"], empty)
}

/// To the second; nothing where no time is known.
fn utc(at_ns: i64) -> Option<String> {
    let at = (at_ns > 0).then(|| jiff::Timestamp::from_nanosecond(i128::from(at_ns)).ok()).flatten()?;
    Some(at.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

fn by_hour(hours: &FeatureFrame) -> Result<String, LabError> {
    let (windows, all, anomalous) = (hours.number("win_ms")?, hours.number("sessions")?, hours.number("anomalous")?);
    let first = windows.first().copied().unwrap_or_default();
    let line = |name: &str, values: &[f64]| Line {
        name: name.to_owned(),
        points: windows.iter().zip(values).map(|(win, value)| ((win - first) / 3_600_000.0, *value, None)).collect(),
    };
    let most = all.iter().copied().fold(1.0, f64::max);
    let shown = [line("all", &all), line("anomalous", &anomalous)];
    Ok(lines("Sessions by hour", "hours since the first", "sessions", (0.0, most), &shown))
}

fn table(page: &mut Page, store: &dyn Store, statement: &Statement, header: &[&str], empty: &str) -> Result<(), LabError> {
    let batches = store.ask(statement, &[])?;
    page.table(header, &cells(&batches), empty);
    Ok(())
}

fn cells(batches: &[RecordBatch]) -> Vec<Vec<String>> {
    let options = FormatOptions::default();
    let mut rows = Vec::new();
    for batch in batches {
        let columns: Vec<_> =
            batch.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options).ok()).collect();
        for row in 0..batch.num_rows() {
            let cell = |column: &Option<ArrayFormatter<'_>>| {
                let text = column.as_ref().map_or(String::new(), |column| column.value(row).to_string());
                // Scores to four digits, counts as they are.
                match text.parse::<f64>() {
                    Ok(number) if text.contains('.') => format!("{number:.4}"),
                    _ => text,
                }
            };
            rows.push(columns.iter().map(cell).collect());
        }
    }
    rows
}
