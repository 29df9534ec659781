//! The table of what is served: path, meaning, statement and columns of each list. The server, the OpenAPI description, the help of
//! an error and the tests all read this one table.
//!
//! Promises: a column named here is a column of the statement (a test asks the engine); filters and sort keys come from the file.
//!
//! Read next: `columns.rs` (what each column means), `sql/shared/queries/api_*.sql`.

use std::sync::LazyLock;

use super::statement::Shape;

/// What the time range of a request is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// The beginning of the session's hour.
    Hour,
    /// The time of the row itself.
    Instant,
}

/// One list.
#[derive(Debug)]
pub struct Endpoint {
    /// Last part of the path: `/api/v1/NAME`.
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// What `from` and `to` mean.
    pub time: Time,
    /// Columns in order.
    pub columns: &'static [&'static str],
    /// Filters, sort keys and text.
    pub shape: Shape,
}

macro_rules! sql {
    ($file:literal) => {
        include_str!(concat!("../../../../sql/shared/queries/api_", $file, ".sql"))
    };
}

/// Every list.
pub static ENDPOINTS: LazyLock<Vec<Endpoint>> = LazyLock::new(|| {
    use Time::{Hour, Instant};
    let list = |name, summary, time, text, columns| Endpoint { name, summary, time, columns, shape: Shape::read(text) };
    vec![
        list("overview", "Everything at a glance: one row over the scored sessions.", Hour, sql!("overview"), OVERVIEW),
        list("timeline", "Scored sessions by the hour.", Hour, sql!("timeline"), TIMELINE),
        list("detections", "Anomalous sessions with what made their score, worst first.", Hour, sql!("detections"), DETECTIONS),
        list("sessions", "Every scored session with its verdict and reason, worst first.", Hour, sql!("sessions"), SESSIONS),
        list("scores", "What each voice said of each session; -1 is a voice that was not asked.", Hour, sql!("scores"), SCORES),
        list("traffic", "Requests by hour and host.", Hour, sql!("traffic"), TRAFFIC),
        list("fingerprints", "JA4 fingerprints, each with who sent it.", Instant, sql!("fingerprints"), FINGERPRINTS),
        list("campaigns", "Groups of sessions with common traits.", Instant, sql!("campaigns"), CAMPAIGNS),
        list("campaign-members", "Sessions of campaigns.", Hour, sql!("campaign_members"), MEMBERS),
        list("fleets", "One client software behind many addresses.", Instant, sql!("fleets"), FLEETS),
        list("brute-force", "Brute force against forms, by hour, client and path.", Hour, sql!("brute_force"), BRUTE_FORCE),
        list("rotation", "Addresses that showed many identities within an hour.", Hour, sql!("rotation"), ROTATION),
        list("models", "Models by what they scored.", Hour, sql!("models"), MODELS),
        list("performance", "Quality and drift figures of the models.", Instant, sql!("performance"), PERFORMANCE),
        list("audit", "Who did what, newest first.", Instant, sql!("audit"), AUDIT),
        list("feedback", "What analysts decided, newest first.", Instant, sql!("feedback"), FEEDBACK),
    ]
});

/// The list called `name`.
#[must_use]
pub fn find(name: &str) -> Option<&'static Endpoint> {
    ENDPOINTS.iter().find(|endpoint| endpoint.name == name)
}

const OVERVIEW: &[&str] = &[
    "sessions",
    "requests",
    "anomalies",
    "critical",
    "high",
    "medium",
    "low",
    "addresses",
    "anomalous_addresses",
    "fingerprints",
    "hosts",
    "from_ns",
    "to_ns",
];
const TIMELINE: &[&str] = &["win_ms", "sessions", "requests", "anomalies", "severe", "addresses"];
const DETECTIONS: &[&str] = &[
    "session_id",
    "win_ms",
    "src_ip",
    "client_ip",
    "ja4",
    "host",
    "hits",
    "score",
    "threshold",
    "severity",
    "agreement",
    "reason",
    "explanation",
    "model_kind",
    "model_id",
    "ua_family",
    "user_agent",
    "asn",
    "as_name",
    "country",
    "first_ns",
    "last_ns",
    "scored_run",
];
const SESSIONS: &[&str] = &[
    "session_id",
    "win_ms",
    "src_ip",
    "client_ip",
    "ja4",
    "host",
    "hits",
    "score",
    "severity",
    "anomaly",
    "reason",
    "ua_family",
    "user_agent",
    "asn",
    "as_name",
    "country",
    "first_ns",
    "last_ns",
];
const SCORES: &[&str] = &[
    "session_id",
    "win_ms",
    "src_ip",
    "host",
    "model_name",
    "model_id",
    "model_kind",
    "hits",
    "score_eif",
    "score_autoencoder",
    "score_boosted",
    "score",
    "threshold",
    "anomaly",
    "severity",
    "agreement",
    "population_share",
    "label",
    "label_source",
    "scored_run",
];
const TRAFFIC: &[&str] = &[
    "win_ms",
    "host",
    "hits",
    "n_2xx",
    "n_3xx",
    "n_4xx",
    "n_5xx",
    "n_post",
    "n_page",
    "n_asset",
    "n_sensitive",
    "n_login_post",
    "n_joined",
    "n_mismatch",
    "request_bytes",
    "response_bytes",
    "first_ns",
    "last_ns",
];
const FINGERPRINTS: &[&str] = &[
    "ja4",
    "hits",
    "first_ns",
    "last_ns",
    "ips",
    "hosts",
    "user_agents",
    "mismatch_share",
    "known_tool",
    "known_browser",
    "user_agent_example",
];
const CAMPAIGNS: &[&str] = &[
    "campaign_id",
    "name",
    "first_ns",
    "last_ns",
    "sessions",
    "ips",
    "ja4s",
    "hosts",
    "hits",
    "score",
    "severity",
    "reason",
    "traits",
    "state",
    "scored_run",
];
const MEMBERS: &[&str] =
    &["campaign_id", "session_id", "win_ms", "src_ip", "ja4", "host", "hits", "score", "membership", "scored_run"];
const FLEETS: &[&str] = &[
    "fleet_id",
    "first_ns",
    "last_ns",
    "ja4",
    "header_order",
    "user_agent",
    "ips",
    "networks",
    "asns",
    "countries",
    "hosts",
    "sessions",
    "hits",
    "score",
    "severity",
    "reason",
    "traits",
    "scored_run",
];
const BRUTE_FORCE: &[&str] = &[
    "win_ms",
    "src_ip",
    "ja4",
    "host",
    "path",
    "attempts",
    "answers_2xx",
    "answers_3xx",
    "answers_4xx",
    "answers_429",
    "failed_share",
    "attempts_per_minute",
    "user_agents",
    "clients_on_path",
    "attempts_on_path",
    "first_ns",
    "last_ns",
    "user_agent",
    "ua_class",
    "severity",
    "kind",
];
const ROTATION: &[&str] = &[
    "win_ms",
    "host",
    "src_ip",
    "hits",
    "ja4s",
    "user_agents",
    "identities",
    "browser_families",
    "ja4s_per_request",
    "mismatch_share",
    "first_ns",
    "last_ns",
    "asn",
    "country",
    "ja4_example",
    "ja4_other_example",
    "kind",
];
const MODELS: &[&str] = &[
    "model_id",
    "model_kind",
    "model_name",
    "sessions",
    "anomalies",
    "threshold_low",
    "threshold_high",
    "first_win_ms",
    "last_win_ms",
    "scored_run",
];
const PERFORMANCE: &[&str] = &[
    "ts_ns",
    "scored_run",
    "model_name",
    "model_id",
    "model_kind",
    "voice",
    "metric",
    "value",
    "sessions",
    "labelled",
    "detail",
];
const AUDIT: &[&str] = &["ts_ns", "actor", "action", "target", "outcome", "detail"];
const FEEDBACK: &[&str] = &[
    "ts_ns",
    "feedback_id",
    "target_kind",
    "session_id",
    "src_ip",
    "ja4",
    "host",
    "user_agent",
    "label",
    "verdict",
    "note",
    "analyst",
];
