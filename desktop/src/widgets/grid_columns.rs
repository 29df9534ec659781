//! Columns of tables: headings for people, and how wide a column is at first.
//!
//! Promises: a column that is not known has its own name as heading and a usual width.
//!
//! Read next: `grid.rs`.

/// A column's name as a heading.
#[must_use]
pub fn title(name: &str) -> String {
    match name {
        "src_ip" => "address".to_owned(),
        "ja4" => "JA4".to_owned(),
        "ua_family" => "claims".to_owned(),
        "as_name" => "network".to_owned(),
        "first_ns" => "first seen".to_owned(),
        "last_ns" => "last seen".to_owned(),
        "ts_ns" => "time".to_owned(),
        "addresses_then" => "then".to_owned(),
        "addresses_now" => "now".to_owned(),
        "score_eif" => "forest".to_owned(),
        "score_autoencoder" => "autoencoder".to_owned(),
        "score_boosted" => "trees".to_owned(),
        name => name.trim_end_matches("_ns").trim_end_matches("_us").replace('_', " "),
    }
}

/// Width in points, until a person chooses another.
#[must_use]
pub(super) fn width(name: &str) -> f32 {
    match name {
        "reason" | "why" | "detail" | "config" | "counters" | "pattern" | "traits" => 420.0,
        "user_agent" | "path" | "referer" | "entity" | "note" => 260.0,
        "ja4" | "ja4_example" | "ja4_other_example" => 288.0,
        "first_ns" | "last_ns" | "ts_ns" | "started_ns" | "finished_ns" | "win_ms" | "hello_ts_ns" => 178.0,
        "src_ip" | "client_ip" | "host" | "as_name" | "name" | "session_id" | "campaign_id" | "feature" | "label" => 150.0,
        "change" | "addresses_then" | "addresses_now" => 58.0,
        "severity" | "ua_family" | "match_kind" | "family" | "kind" => 92.0,
        "score_autoencoder" | "user_agents" | "clients_on_path" | "attempts_per_minute" => 104.0,
        _ => 78.0,
    }
}
