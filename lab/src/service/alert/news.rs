//! What there is to tell: rows of the store, decisions and failures as alerts.
//!
//! Promises: a session's alert is one for each address and hour, a campaign's or fleet's one for each day it was seen, a drift's and a model's one for
//! each hour of data, a failure's one for each outage and hour; every alert has a severity of [`super::SEVERITIES`].
//!
//! Read next: `mod.rs` (who is told, and what was told before).

use ja4_replay::store::{Statement, Store};

use super::{Alert, DAY_NS, rank};
use crate::drift::Decision;
use crate::error::LabError;
use crate::service::record::{Record, records};

const SESSIONS: Statement = Statement::shared(include_str!("../../../../sql/shared/queries/api_alert_sessions.sql"));
const CAMPAIGNS: Statement = Statement::shared(include_str!("../../../../sql/shared/queries/api_alert_campaigns.sql"));
const FLEETS: Statement = Statement::shared(include_str!("../../../../sql/shared/queries/api_alert_fleets.sql"));

const HOUR_NS: i64 = 3_600_000_000_000;
const MS_NS: i64 = 1_000_000;

/// Everything the store has to tell of the windows from `from_ms` on.
///
/// # Errors
/// The store's refusal.
pub(super) fn of_store(store: &dyn Store, from_ms: i64, now_ns: i64) -> Result<Vec<Alert>, LabError> {
    let from_ns = from_ms.saturating_mul(MS_NS).to_string();
    let mut all = of_sessions(&records(&store.ask(&SESSIONS, &[&from_ms.to_string()])?), now_ns);
    all.extend(records(&store.ask(&CAMPAIGNS, &[&from_ns])?).iter().map(|row| of_campaign(row, now_ns)));
    all.extend(records(&store.ask(&FLEETS, &[&from_ns])?).iter().map(|row| of_fleet(row, now_ns)));
    // A campaign or fleet of ordinary sessions has no severity.
    all.retain(|alert| rank(&alert.severity).is_some());
    Ok(all)
}

/// One alert for each address and hour, from sessions that come worst first.
fn of_sessions(rows: &[Record], now_ns: i64) -> Vec<Alert> {
    let mut alerts: Vec<Alert> = Vec::new();
    let mut places: std::collections::BTreeMap<(String, i64), usize> = std::collections::BTreeMap::new();
    for row in rows {
        if rank(row.text("severity")).is_none() {
            continue;
        }
        let key = (row.text("src_ip").to_owned(), row.int("win_ms"));
        if let Some(alert) = places.get(&key).and_then(|place| alerts.get_mut(*place)) {
            alert.sessions += 1;
            alert.hits = alert.hits.saturating_add(row.int("hits"));
            alert.first_ns = alert.first_ns.min(row.int("first_ns"));
            alert.last_ns = alert.last_ns.max(row.int("last_ns"));
            continue;
        }
        places.insert(key, alerts.len());
        alerts.push(Alert {
            subject: row.text("src_ip").to_owned(),
            window_ms: row.int("win_ms"),
            session_id: row.text("session_id").to_owned(),
            sessions: 1,
            host: row.text("host").to_owned(),
            ja4: row.text("ja4").to_owned(),
            claims: row.text("ua_family").to_owned(),
            client_ip: row.text("client_ip").to_owned(),
            asn: row.int("asn"),
            country: row.text("country").to_owned(),
            ..of_row("session", row, now_ns)
        });
    }
    alerts
}

fn of_campaign(row: &Record, now_ns: i64) -> Alert {
    let reason = format!("campaign {}: {}", row.text("name"), row.text("reason"));
    Alert { subject: row.text("campaign_id").to_owned(), reason, ..of_group("campaign", row, now_ns) }
}

fn of_fleet(row: &Record, now_ns: i64) -> Alert {
    Alert {
        subject: row.text("fleet_id").to_owned(),
        ja4: row.text("ja4").to_owned(),
        claims: row.text("user_agent").to_owned(),
        ..of_group("fleet", row, now_ns)
    }
}

/// What campaigns and fleets have in common: they are told once for the day they were last seen.
fn of_group(kind: &'static str, row: &Record, now_ns: i64) -> Alert {
    let last_ns = row.int("last_ns");
    Alert {
        window_ms: (last_ns - last_ns.rem_euclid(DAY_NS)) / MS_NS,
        sessions: u64::try_from(row.int("sessions")).unwrap_or_default(),
        ..of_row(kind, row, now_ns)
    }
}

fn of_row(kind: &'static str, row: &Record, now_ns: i64) -> Alert {
    Alert {
        severity: row.text("severity").to_owned(),
        score: row.float("score"),
        reason: row.text("reason").to_owned(),
        hits: row.int("hits"),
        first_ns: row.int("first_ns"),
        last_ns: row.int("last_ns"),
        ..of_kind(kind, now_ns)
    }
}

fn of_kind(kind: &'static str, now_ns: i64) -> Alert {
    Alert { v: 1, kind, asn: -1, first_ns: now_ns, last_ns: now_ns, sent_ns: now_ns, ..Alert::default() }
}

/// Drift that asks for something; `hour_ms` is the hour of data it was seen in. Features pushed one way are as grave as a world that changed.
pub(crate) fn of_drift(decision: Decision, pushed: bool, reason: &str, hour_ms: i64, now_ns: i64) -> Option<Alert> {
    let severity = match decision {
        Decision::Keep => return None,
        Decision::Warn if !pushed => "medium",
        Decision::Warn | Decision::Retrain => "high",
    };
    let (subject, reason) = (decision.as_str().to_owned(), reason.to_owned());
    Some(Alert { subject, window_ms: hour_ms, severity: severity.to_owned(), reason, ..of_kind("drift", now_ns) })
}

/// A challenger was fitted because of drift, and took over or did not.
pub(crate) fn of_model(promoted: bool, reason: &str, hour_ms: i64, now_ns: i64) -> Alert {
    let subject = if promoted { "promoted" } else { "kept" }.to_owned();
    let severity = "medium".to_owned();
    Alert { subject, window_ms: hour_ms, severity, reason: reason.to_owned(), ..of_kind("model", now_ns) }
}

/// A cycle failed, or the store is away: `what`. Detection stands still, which is as grave as anything.
pub(super) fn of_trouble(what: &'static str, reason: &str, now_ns: i64) -> Alert {
    let window_ms = (now_ns - now_ns.rem_euclid(HOUR_NS)) / MS_NS;
    let severity = "critical".to_owned();
    Alert { subject: what.to_owned(), window_ms, severity, reason: reason.to_owned(), ..of_kind("cycle", now_ns) }
}
