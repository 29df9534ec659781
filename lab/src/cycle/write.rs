//! Verdicts to `ml_all_scores`: the one place that knows that table's columns.
//!
//! Promises: one row a session, in key order; the windows written are replaced as a whole.
//!
//! Read next: `sql/duckdb/0001_init.sql`.

use std::sync::Arc;

use duckdb::arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use ja4_replay::digest::hex;
use ja4_replay::store::Store;
use sha2::{Digest as _, Sha256};

use super::Verdict;
use crate::error::LabError;
use crate::frame::FeatureFrame;

/// Name stored with every score; the id beside it says which fit.
const MODEL_NAME: &str = "ja4-lab";

pub(super) fn write(
    store: &dyn Store,
    frame: &FeatureFrame,
    ids: &[String],
    verdicts: &[Verdict],
    run_id: &str,
) -> Result<(), LabError> {
    let windows = frame.int("win_ms")?;
    let (Some(first), Some(last)) = (windows.iter().min(), windows.iter().max()) else { return Ok(()) };
    let batch = batch(frame, ids, verdicts, run_id)?;
    Ok(store.replace_scores(*first, *last, vec![batch])?)
}

/// Stable name of a session: 16 hex digits of SHA-256 over its key.
#[must_use]
pub fn session_id(win_ms: i64, src_ip: &str, ja4: &str, host: &str) -> String {
    let digest = Sha256::digest(format!("{win_ms}\n{src_ip}\n{ja4}\n{host}"));
    hex(&digest).get(..16).unwrap_or_default().to_owned()
}

/// Ids of all sessions, in the order of the frame.
pub(super) fn session_ids(frame: &FeatureFrame) -> Result<Vec<String>, LabError> {
    let (ips, ja4s, hosts) = (frame.text("src_ip")?, frame.text("ja4")?, frame.text("host")?);
    let keys = frame.int("win_ms")?.into_iter().zip(ips).zip(ja4s.into_iter().zip(hosts));
    Ok(keys.map(|((win_ms, src_ip), (ja4, host))| session_id(win_ms, &src_ip, &ja4, &host)).collect())
}

fn batch(frame: &FeatureFrame, ids: &[String], verdicts: &[Verdict], run_id: &str) -> Result<RecordBatch, LabError> {
    let windows = frame.int("win_ms")?;
    let (src_ip, ja4, host) = (frame.text("src_ip")?, frame.text("ja4")?, frame.text("host")?);
    let ints = |values: &[i64]| int(verdicts.iter().map(|verdict| values.get(verdict.row).copied().unwrap_or_default()));
    let texts = |values: &[String]| text(verdicts.iter().map(|verdict| values.get(verdict.row).map_or("", String::as_str)));
    let own = |f: fn(&Verdict) -> &str| text(verdicts.iter().map(f));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("win_ms", ints(&windows)),
        ("src_ip", texts(&src_ip)),
        ("ja4", texts(&ja4)),
        ("host", texts(&host)),
        ("session_id", texts(ids)),
        ("model_name", text(verdicts.iter().map(|_| MODEL_NAME))),
        ("model_id", own(|verdict| &verdict.model_id)),
        ("model_kind", own(|verdict| verdict.kind.as_str())),
        ("hits", ints(&frame.int("hits")?)),
        ("score_eif", float(verdicts.iter().map(|verdict| verdict.voices.eif))),
        ("score_autoencoder", float(verdicts.iter().map(|verdict| verdict.voices.autoencoder))),
        ("score_boosted", float(verdicts.iter().map(|verdict| verdict.voices.boosted))),
        ("score", float(verdicts.iter().map(|verdict| verdict.score))),
        ("threshold", float(verdicts.iter().map(|verdict| verdict.threshold))),
        ("anomaly", int(verdicts.iter().map(|verdict| i64::from(verdict.anomaly)))),
        ("severity", own(|verdict| verdict.severity)),
        ("agreement", float(verdicts.iter().map(|verdict| verdict.agreement))),
        ("reason", own(|verdict| &verdict.reason)),
        ("explanation", own(|verdict| &verdict.explanation)),
        ("population_share", float(verdicts.iter().map(|verdict| verdict.population_share))),
        ("label", int(verdicts.iter().map(|verdict| verdict.label.map_or(-1, |label| i64::from(label.bot))))),
        ("label_source", text(verdicts.iter().map(|verdict| verdict.label.map_or("", |label| label.source.as_str())))),
        ("user_agent", texts(&frame.text("user_agent")?)),
        ("ua_family", texts(&frame.text("ua_family")?)),
        ("client_ip", texts(&frame.text("client_ip")?)),
        ("asn", ints(&frame.int("asn")?)),
        ("as_name", texts(&frame.text("as_name")?)),
        ("country", texts(&frame.text("country")?)),
        ("scored_run", text(verdicts.iter().map(|_| run_id))),
        ("first_ns", ints(&frame.int("first_ns")?)),
        ("last_ns", ints(&frame.int("last_ns")?)),
    ];
    RecordBatch::try_from_iter(columns).map_err(|error| LabError::Features(error.to_string()))
}

fn int(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(values.collect::<Int64Array>())
}

fn float(values: impl Iterator<Item = f64>) -> ArrayRef {
    Arc::new(values.collect::<Float64Array>())
}

fn text<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(values.map(Some).collect::<StringArray>())
}
