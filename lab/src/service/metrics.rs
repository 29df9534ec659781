//! The service's figures in the text form of Prometheus.
//!
//! Promises: names begin with `ja4_lab_` and never change meaning; every name of [`NAMES`] is exported from the first request on
//! (`packaging/grafana.json` is tested against them).
//!
//! Read next: `state.rs`, `ja4_replay::metrics`, docs/API.md.

use ja4_replay::metrics::Registry;

use super::state::State;

const COUNTER: &str = "counter";
const GAUGE: &str = "gauge";

/// Every exported name with its type and meaning.
pub const NAMES: &[(&str, &str, &str)] = &[
    ("ja4_lab_up_seconds", GAUGE, "Seconds since the service began."),
    ("ja4_lab_ready", GAUGE, "1 if the store answers and a cycle has ended well, else 0."),
    ("ja4_lab_cycles_total", COUNTER, "Cycles by how they ended."),
    ("ja4_lab_cycle_seconds", GAUGE, "Duration of the last cycle that ended well."),
    ("ja4_lab_cycle_age_seconds", GAUGE, "Seconds since the last cycle that ended well; -1 before the first."),
    ("ja4_lab_data_age_seconds", GAUGE, "Seconds from the newest request the last cycle saw to now; -1 without any."),
    ("ja4_lab_sessions", GAUGE, "Sessions scored by the last cycle."),
    ("ja4_lab_anomalies", GAUGE, "Anomalous sessions of the last cycle."),
    ("ja4_lab_store_away", GAUGE, "1 while the store does not answer, else 0."),
    ("ja4_lab_store_failures_total", COUNTER, "Attempts to reach the store that failed."),
    ("ja4_lab_step_total", COUNTER, "Steps after scoring by how they ended."),
    ("ja4_lab_alerts_total", COUNTER, "Alerts by target and what became of them."),
    ("ja4_lab_alerts_repeated_total", COUNTER, "Alerts held back because they were sent before."),
    ("ja4_lab_http_answers_total", COUNTER, "Answers of the HTTP interface by status class."),
    ("ja4_lab_http_answer_microseconds_total", COUNTER, "Time spent on answers of the HTTP interface."),
    ("ja4_lab_http_refused_total", COUNTER, "Requests refused before they were looked at."),
    ("ja4_lab_http_cache_hits_total", COUNTER, "Answers that were kept from an earlier request."),
];

/// Everything, at `now_ns` (wall clock, ns since 1970).
#[must_use]
pub fn text(state: &State, now_ns: i64) -> String {
    let registry = Registry::new();
    for (name, kind, meaning) in NAMES {
        for (labels, value) in values(name, state, now_ns) {
            let labels: Vec<(&str, &str)> = labels.iter().map(|(label, value)| (*label, value.as_str())).collect();
            match (*kind, value) {
                (COUNTER, Value::Count(count)) => registry.counter(name, meaning, &labels).add(count),
                (_, Value::Count(count)) => registry.gauge(name, meaning, &labels).set_int(count),
                (_, Value::Number(number)) => registry.gauge(name, meaning, &labels).set(number),
            }
        }
    }
    registry.render()
}

/// A figure: counters are whole.
enum Value {
    Count(u64),
    Number(f64),
}

type Labels = Vec<(&'static str, String)>;

fn values(name: &str, state: &State, now_ns: i64) -> Vec<(Labels, Value)> {
    let health = state.health();
    let http = state.http();
    let last = health.last.clone().unwrap_or_default();
    let one = |value| vec![(Vec::new(), value)];
    let number = |value: f64| one(Value::Number(value));
    let count = |value: u64| one(Value::Count(value));
    let age = |then_ns: i64| if health.last.is_none() || then_ns < 0 { -1.0 } else { seconds(now_ns.saturating_sub(then_ns)) };
    match name {
        "ja4_lab_up_seconds" => number(seconds(now_ns.saturating_sub(state.started_ns()))),
        "ja4_lab_ready" => count(u64::from(state.is_ready())),
        "ja4_lab_cycles_total" => labelled(
            "outcome",
            [("done", health.cycles_done), ("failed", health.cycles_failed), ("skipped", health.cycles_skipped)],
        ),
        "ja4_lab_cycle_seconds" => number(seconds(last.took_ms.saturating_mul(1_000_000))),
        "ja4_lab_cycle_age_seconds" => number(age(last.ended_ns)),
        "ja4_lab_data_age_seconds" => number(age(last.newest_ns)),
        "ja4_lab_sessions" => count(last.sessions),
        "ja4_lab_anomalies" => count(last.anomalies),
        "ja4_lab_store_away" => count(u64::from(health.store_away.is_some())),
        "ja4_lab_store_failures_total" => count(health.store_failures),
        "ja4_lab_step_total" => {
            let outcomes = |(step, figures): (&&'static str, &super::state::Step)| {
                by_two("step", step, [("done", figures.done), ("failed", figures.failed)])
            };
            health.steps.iter().flat_map(outcomes).collect()
        }
        "ja4_lab_alerts_total" => {
            let outcomes = |(target, figures): (&String, &super::state::AlertFigures)| {
                by_two("target", target, [("sent", figures.sent), ("failed", figures.failed), ("dropped", figures.dropped)])
            };
            health.alerts.iter().flat_map(outcomes).collect()
        }
        "ja4_lab_alerts_repeated_total" => count(health.alerts_repeated),
        "ja4_lab_http_answers_total" => {
            let [_, ok, moved, refused, broken] = http.answers;
            labelled("class", [("2xx", ok), ("3xx", moved), ("4xx", refused), ("5xx", broken)])
        }
        "ja4_lab_http_answer_microseconds_total" => count(http.answer_us),
        "ja4_lab_http_refused_total" => labelled("why", [("rate", http.rate_limited), ("token", http.unauthorised)]),
        "ja4_lab_http_cache_hits_total" => count(http.cache_hits),
        _ => Vec::new(),
    }
}

fn labelled<const N: usize>(label: &'static str, values: [(&str, u64); N]) -> Vec<(Labels, Value)> {
    values.into_iter().map(|(name, count)| (vec![(label, name.to_owned())], Value::Count(count))).collect()
}

fn by_two<const N: usize>(label: &'static str, of: &str, outcomes: [(&str, u64); N]) -> Vec<(Labels, Value)> {
    let line =
        |(outcome, count): (&str, u64)| (vec![(label, of.to_owned()), ("outcome", outcome.to_owned())], Value::Count(count));
    outcomes.into_iter().map(line).collect()
}

#[allow(clippy::cast_precision_loss, reason = "figures for people and graphs")]
fn seconds(ns: i64) -> f64 {
    ns as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_line_from_the_start() {
        let state = State::new(0);
        state.alert("webhook x\"y", |figures| figures.sent = 3);
        state.step("drift", 0, Ok(String::new()));
        let text = text(&state, 5_000_000_000);
        for (name, _, _) in NAMES {
            assert!(text.lines().any(|line| line.starts_with(name) && !line.starts_with('#')), "{name}\n{text}");
        }
        assert!(
            text.contains("ja4_lab_up_seconds 5\n") && text.contains("{outcome=\"sent\",target=\"webhook x\\\"y\"} 3\n"),
            "{text}"
        );
        assert!(text.contains("ja4_lab_cycle_age_seconds -1\n"));
    }
}
