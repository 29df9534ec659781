//! A full run kept beside the verdicts in force: other features, another size of forest, other seeds, under a name.
//!
//! Promises: no verdict, campaign or fleet changes; a name kept again is replaced. Read next: `mod.rs` (what needs no full run).

use std::collections::BTreeSet;

use ja4_replay::store::{Statement, Store};

use super::{KEPT_SCORES, RescoreReport, note_ranking};
use crate::cycle::settings::Settings;
use crate::cycle::{Verdict, session_id};
use crate::error::LabError;
use crate::frame::FeatureFrame;
use crate::rows::{Columns, Rows};

const ANOMALOUS: Statement = Statement::shared(include_str!("../../../sql/shared/queries/stored_anomalies.sql"));

/// Keeps `verdicts` over `frame` under a name, noted at the driver's clock (ns since 1970).
pub(crate) fn keep_run(
    store: &dyn Store,
    frame: &FeatureFrame,
    verdicts: &[Verdict],
    (name, clock_ns): (&str, i64),
    settings: &Settings,
) -> Result<(), LabError> {
    crate::audit::check_name("--keep-as", name)?;
    let hours = frame.int("win_ms")?;
    let (ips, ja4s, hosts) = (frame.text("src_ip")?, frame.text("ja4")?, frame.text("host")?);
    let text = |column: &[String], row: usize| column.get(row).cloned().unwrap_or_default();
    let hour = |row: usize| hours.get(row).copied().unwrap_or_default();
    let id = |row: usize| session_id(hour(row), &text(&ips, row), &text(&ja4s, row), &text(&hosts, row));
    let ids: Vec<String> = verdicts.iter().map(|verdict| id(verdict.row)).collect();
    let ends = (hours.iter().min().copied().unwrap_or(0), hours.iter().max().copied().unwrap_or(0).saturating_add(1));
    let before = Rows::ask(store, &ANOMALOUS, &[&ends.0.to_string(), &ends.1.to_string()])?;
    let before: BTreeSet<String> = before.text("session_id")?.into_iter().collect();
    let count = |wanted: fn(bool, bool) -> bool| {
        let pairs = verdicts.iter().zip(&ids).filter(|(verdict, id)| wanted(before.contains(*id), verdict.anomaly));
        i64::try_from(pairs.count()).unwrap_or(i64::MAX)
    };
    let report = RescoreReport {
        sessions: count(|_, _| true),
        anomalies: count(|_, now| now),
        became_anomalous: count(|then, now| now && !then),
        became_ordinary: count(|then, now| then && !now),
        ..RescoreReport::default()
    };
    let batch = Columns::new()
        .text("name", verdicts.iter().map(|_| name))
        .int("win_ms", verdicts.iter().map(|verdict| hour(verdict.row)))
        .text("session_id", &ids)
        .float("score", verdicts.iter().map(|verdict| verdict.score))
        .float("threshold", verdicts.iter().map(|verdict| verdict.threshold))
        .int("anomaly", verdicts.iter().map(|verdict| i64::from(verdict.anomaly)))
        .batch()?;
    store.replace(KEPT_SCORES, "name", &[name], Some(batch))?;
    note_ranking(store, name, settings, &report, clock_ns)
}
