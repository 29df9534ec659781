//! Verdicts to `ml_all_scores`: the one place that knows that table's columns.
//!
//! Promises: one row a session, in key order; the windows written are replaced as a whole.
//!
//! Read next: `sql/duckdb/0001_init.sql`.

use std::collections::BTreeMap;
use std::sync::Arc;

use duckdb::arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use ja4_replay::digest::hex;
use ja4_replay::store::Store;
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};

use super::Verdict;
use crate::error::LabError;
use crate::frame::FeatureFrame;

/// Name stored with every score; the id beside it says which fit.
const MODEL_NAME: &str = "ja4-lab";

/// Rows put together at a time.
const BATCH_ROWS: usize = 32_768;

pub(super) fn write(
    store: &dyn Store,
    frame: &FeatureFrame,
    ids: &[String],
    mut verdicts: Vec<Verdict>,
    run_id: &str,
) -> Result<(), LabError> {
    let windows = frame.int("win_ms")?;
    let (Some(first), Some(last)) = (windows.iter().min(), windows.iter().max()) else { return Ok(()) };
    let sessions = Sessions::of(frame, ids)?;
    let mut pieces = Vec::new();
    while !verdicts.is_empty() {
        pieces.push(verdicts.split_off(verdicts.len().saturating_sub(BATCH_ROWS)));
    }
    // A verdict is dropped when its columns are made: the texts of a million would otherwise be there twice.
    let batches: Result<Vec<RecordBatch>, LabError> =
        pieces.into_par_iter().rev().map(|piece| sessions.batch(&piece, run_id)).collect();
    Ok(store.replace_scores(*first, *last, batches?)?)
}

/// Stable name of a session: 16 hex digits of SHA-256 over its key.
#[must_use]
pub fn session_id(win_ms: i64, src_ip: &str, ja4: &str, host: &str) -> String {
    let digest = Sha256::digest(format!("{win_ms}\n{src_ip}\n{ja4}\n{host}"));
    hex(&digest).get(..16).unwrap_or_default().to_owned()
}

/// Ids of all sessions, in the order of the frame.
pub(super) fn session_ids(frame: &FeatureFrame) -> Result<Vec<String>, LabError> {
    let (ips, ja4s, hosts) = (frame.texts("src_ip")?, frame.texts("ja4")?, frame.texts("host")?);
    let keys = frame.int("win_ms")?.into_par_iter().zip(ips).zip(ja4s.into_par_iter().zip(hosts));
    Ok(keys.map(|((win_ms, src_ip), (ja4, host))| session_id(win_ms, src_ip, ja4, host)).collect())
}

/// What of the frame is written beside a verdict, by the names of the table's columns.
struct Sessions<'a> {
    ids: &'a [String],
    ints: BTreeMap<&'static str, Vec<i64>>,
    texts: BTreeMap<&'static str, Vec<&'a str>>,
}

impl<'a> Sessions<'a> {
    fn of(frame: &'a FeatureFrame, ids: &'a [String]) -> Result<Self, LabError> {
        let ints = ["win_ms", "hits", "asn", "first_ns", "last_ns"];
        let texts = ["src_ip", "ja4", "host", "user_agent", "ua_family", "client_ip", "as_name", "country"];
        Ok(Self {
            ids,
            ints: ints.into_iter().map(|name| Ok((name, frame.int(name)?))).collect::<Result<_, LabError>>()?,
            texts: texts.into_iter().map(|name| Ok((name, frame.texts(name)?))).collect::<Result<_, LabError>>()?,
        })
    }

    fn batch(&self, verdicts: &[Verdict], run_id: &str) -> Result<RecordBatch, LabError> {
        let ints = |name: &'static str| {
            let values = self.ints.get(name).map_or(&[][..], Vec::as_slice);
            (name, int(verdicts.iter().map(|verdict| values.get(verdict.row).copied().unwrap_or_default())))
        };
        let texts = |name: &'static str| {
            let values = self.texts.get(name).map_or(&[][..], Vec::as_slice);
            (name, text(verdicts.iter().map(|verdict| values.get(verdict.row).copied().unwrap_or_default())))
        };
        let id = |verdict: &Verdict| self.ids.get(verdict.row).map_or("", String::as_str);
        let own = |f: fn(&Verdict) -> &str| text(verdicts.iter().map(f));
        let columns: Vec<(&str, ArrayRef)> = vec![
            ints("win_ms"),
            texts("src_ip"),
            texts("ja4"),
            texts("host"),
            ("session_id", text(verdicts.iter().map(id))),
            ("model_name", text(verdicts.iter().map(|_| MODEL_NAME))),
            ("model_id", own(|verdict| &verdict.model_id)),
            ("model_kind", own(|verdict| verdict.kind.as_str())),
            ints("hits"),
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
            texts("user_agent"),
            texts("ua_family"),
            texts("client_ip"),
            ints("asn"),
            texts("as_name"),
            texts("country"),
            ("scored_run", text(verdicts.iter().map(|_| run_id))),
            ints("first_ns"),
            ints("last_ns"),
        ];
        RecordBatch::try_from_iter(columns).map_err(|error| LabError::Features(error.to_string()))
    }
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
