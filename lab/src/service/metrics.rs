//! The service's figures in the text form of Prometheus.
//!
//! Promises: names begin with `ja4_lab_` and never change meaning; every name of [`NAMES`] is exported from the first request on
//! (`packaging/grafana.json` is tested against them).
//!
//! Read next: `state.rs`, docs/API.md.

use std::fmt::Write as _;

use super::state::State;

/// Every exported name with its type and meaning.
pub const NAMES: &[(&str, &str, &str)] = &[
    ("ja4_lab_up_seconds", "gauge", "Seconds since the service began."),
    ("ja4_lab_ready", "gauge", "1 if the store answers and a cycle has ended well, else 0."),
    ("ja4_lab_cycles_total", "counter", "Cycles by how they ended."),
    ("ja4_lab_cycle_seconds", "gauge", "Duration of the last cycle that ended well."),
    ("ja4_lab_cycle_age_seconds", "gauge", "Seconds since the last cycle that ended well; -1 before the first."),
    ("ja4_lab_data_age_seconds", "gauge", "Seconds from the newest request the last cycle saw to now; -1 without any."),
    ("ja4_lab_sessions", "gauge", "Sessions scored by the last cycle."),
    ("ja4_lab_anomalies", "gauge", "Anomalous sessions of the last cycle."),
    ("ja4_lab_store_away", "gauge", "1 while the store does not answer, else 0."),
    ("ja4_lab_store_failures_total", "counter", "Attempts to reach the store that failed."),
    ("ja4_lab_step_total", "counter", "Steps after scoring by how they ended."),
    ("ja4_lab_alerts_total", "counter", "Alerts by target and what became of them."),
    ("ja4_lab_alerts_repeated_total", "counter", "Alerts held back because they were sent before."),
    ("ja4_lab_http_answers_total", "counter", "Answers of the HTTP interface by status class."),
    ("ja4_lab_http_answer_seconds_total", "counter", "Time spent on answers of the HTTP interface."),
    ("ja4_lab_http_refused_total", "counter", "Requests refused before they were looked at."),
    ("ja4_lab_http_cache_hits_total", "counter", "Answers that were kept from an earlier request."),
];

/// Everything, at `now_ns` (wall clock, ns since 1970).
#[must_use]
pub fn text(state: &State, now_ns: i64) -> String {
    let mut out = String::with_capacity(4096);
    for (name, kind, meaning) in NAMES {
        let _ = writeln!(out, "# HELP {name} {meaning}\n# TYPE {name} {kind}");
        for (labels, value) in values(name, state, now_ns) {
            let _ = writeln!(out, "{name}{labels} {value}");
        }
    }
    out
}

fn values(name: &str, state: &State, now_ns: i64) -> Vec<(String, f64)> {
    let health = state.health();
    let http = state.http();
    let last = health.last.clone().unwrap_or_default();
    let one = |value: f64| vec![(String::new(), value)];
    let age = |then_ns: i64| if health.last.is_none() || then_ns < 0 { -1.0 } else { seconds(now_ns.saturating_sub(then_ns)) };
    match name {
        "ja4_lab_up_seconds" => one(seconds(now_ns.saturating_sub(state.started_ns()))),
        "ja4_lab_ready" => one(f64::from(u8::from(state.is_ready()))),
        "ja4_lab_cycles_total" => labelled(
            "outcome",
            [("done", health.cycles_done), ("failed", health.cycles_failed), ("skipped", health.cycles_skipped)],
        ),
        "ja4_lab_cycle_seconds" => one(seconds(last.took_ms.saturating_mul(1_000_000))),
        "ja4_lab_cycle_age_seconds" => one(age(last.ended_ns)),
        "ja4_lab_data_age_seconds" => one(age(last.newest_ns)),
        "ja4_lab_sessions" => one(number(last.sessions)),
        "ja4_lab_anomalies" => one(number(last.anomalies)),
        "ja4_lab_store_away" => one(f64::from(u8::from(health.store_away.is_some()))),
        "ja4_lab_store_failures_total" => one(number(health.store_failures)),
        "ja4_lab_step_total" => health
            .steps
            .iter()
            .flat_map(|(step, figures)| {
                [("done", figures.done), ("failed", figures.failed)]
                    .map(|(outcome, count)| (format!("{{step=\"{}\",outcome=\"{outcome}\"}}", escaped(step)), number(count)))
            })
            .collect(),
        "ja4_lab_alerts_total" => health
            .alerts
            .iter()
            .flat_map(|(target, figures)| {
                [("sent", figures.sent), ("failed", figures.failed), ("dropped", figures.dropped)]
                    .map(|(outcome, count)| (format!("{{target=\"{}\",outcome=\"{outcome}\"}}", escaped(target)), number(count)))
            })
            .collect(),
        "ja4_lab_alerts_repeated_total" => one(number(health.alerts_repeated)),
        "ja4_lab_http_answers_total" => {
            let [_, ok, moved, refused, broken] = http.answers;
            labelled("class", [("2xx", ok), ("3xx", moved), ("4xx", refused), ("5xx", broken)])
        }
        "ja4_lab_http_answer_seconds_total" => one(number(http.answer_us) / 1e6),
        "ja4_lab_http_refused_total" => labelled("why", [("rate", http.rate_limited), ("token", http.unauthorised)]),
        "ja4_lab_http_cache_hits_total" => one(number(http.cache_hits)),
        _ => Vec::new(),
    }
}

fn labelled<const N: usize>(label: &str, values: [(&str, u64); N]) -> Vec<(String, f64)> {
    values.into_iter().map(|(name, count)| (format!("{{{label}=\"{name}\"}}"), number(count))).collect()
}

#[allow(clippy::cast_precision_loss, reason = "figures for people and graphs")]
fn seconds(ns: i64) -> f64 {
    ns as f64 / 1e9
}

#[allow(clippy::cast_precision_loss, reason = "figures for people and graphs")]
fn number(count: u64) -> f64 {
    count as f64
}

/// A label's value: backslash, quote and line end escaped.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_line_from_the_start() {
        let state = State::new(0);
        state.alert("webhook x\"y", |figures| figures.sent = 3);
        state.step("drift", Ok(String::new()));
        let text = text(&state, 5_000_000_000);
        for (name, _, _) in NAMES {
            assert!(text.lines().any(|line| line.starts_with(name) && !line.starts_with('#')), "{name}\n{text}");
        }
        assert!(
            text.contains("ja4_lab_up_seconds 5\n") && text.contains("{target=\"webhook x\\\"y\",outcome=\"sent\"} 3\n"),
            "{text}"
        );
        assert!(text.contains("ja4_lab_cycle_age_seconds -1\n"));
    }
}
