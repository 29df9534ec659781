//! A campaign in figures, traits and one English sentence.
//!
//! Promises: every figure is counted over the members; a trait is told with the share of members that have it.
//!
//! Read next: `identity.rs` (which traits are common).

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::Session;
use super::identity::common;

/// What is written of a campaign.
#[derive(Debug, Default)]
pub(super) struct Summary {
    pub first_ns: i64,
    pub last_ns: i64,
    pub sessions: i64,
    pub ips: i64,
    pub ja4s: i64,
    pub hosts: i64,
    pub hits: i64,
    pub score: f64,
    pub severity: &'static str,
    pub reason: String,
    pub traits: String,
}

pub(super) fn summary<'a>(members: impl Iterator<Item = &'a Session> + Clone) -> Summary {
    let distinct = |of: fn(&Session) -> &str| size(members.clone().map(of).collect::<BTreeSet<_>>().len());
    let count = members.clone().count();
    if count == 0 {
        return Summary { severity: "none", traits: "[]".to_owned(), ..Summary::default() };
    }
    let traits = common(members.clone());
    let networks = members.clone().map(Session::network).collect::<BTreeSet<_>>().len();
    let mut summary = Summary {
        first_ns: members.clone().map(|member| member.first_ns).min().unwrap_or_default(),
        last_ns: members.clone().map(|member| member.last_ns).max().unwrap_or_default(),
        sessions: size(count),
        ips: distinct(|member| &member.src_ip),
        ja4s: distinct(|member| &member.ja4),
        hosts: distinct(|member| &member.host),
        hits: members.clone().map(|member| member.hits).fold(0, i64::saturating_add),
        score: members.clone().map(|member| member.score).fold(0.0, f64::max),
        severity: members.clone().map(|member| severity(&member.severity)).max_by_key(|word| rank(word)).unwrap_or("none"),
        ..Summary::default()
    };
    summary.reason = sentence(&summary, networks, &traits);
    let list: Vec<serde_json::Value> =
        traits.iter().map(|(name, value, share)| serde_json::json!({"trait": name, "value": value, "share": share})).collect();
    summary.traits = serde_json::to_string(&list).unwrap_or_default();
    summary
}

fn sentence(summary: &Summary, networks: usize, traits: &[(&'static str, String, f64)]) -> String {
    let many = |count: i64, one: &str, more: &str| format!("{count} {}", if count == 1 { one } else { more });
    let mut text = format!(
        "{} of {} in {}",
        many(summary.sessions, "session", "sessions"),
        many(summary.ips, "address", "addresses"),
        many(size(networks), "network", "networks")
    );
    for (name, value, share) in traits {
        let who = if *share >= 1.0 { "all".to_owned() } else { format!("{:.0} %", share * 100.0) };
        let value = if value.is_empty() { "none".to_owned() } else { value.chars().take(100).collect() };
        let _ = write!(text, "; {who} with {name} {value}");
    }
    let _ = write!(text, "; {}, worst score {:.3}", many(summary.hits, "request", "requests"), summary.score);
    text
}

/// What a new campaign is called until an analyst renames it: its software and its day.
pub(super) fn name(members: &[Session]) -> String {
    let traits = common(members.iter());
    let value = |wanted: &str| {
        traits.iter().find(|(name, ..)| *name == wanted).map(|(_, value, _)| value.as_str()).filter(|v| !v.is_empty())
    };
    let family = members
        .first()
        .map(|member| member.ua_family.as_str())
        .filter(|family| !family.is_empty() && members.iter().all(|member| member.ua_family == *family));
    let software = family.or_else(|| value("User-Agent")).or_else(|| value("JA4")).unwrap_or("mixed software");
    let first = members.iter().map(|member| member.first_ns).min().unwrap_or_default();
    let day = jiff::Timestamp::from_nanosecond(i128::from(first)).map(|time| time.strftime("%Y-%m-%d").to_string());
    let host = value("host").map(|host| format!(" on {host}")).unwrap_or_default();
    format!("{}{host}, {}", software.chars().take(60).collect::<String>(), day.unwrap_or_default())
}

/// The constant behind a stored state.
pub(super) fn state(text: &str) -> &'static str {
    ["active", "quiet", "merged", "closed"].into_iter().find(|known| *known == text).unwrap_or("active")
}

fn severity(text: &str) -> &'static str {
    ["none", "low", "medium", "high", "critical"].into_iter().find(|known| *known == text).unwrap_or("none")
}

fn rank(word: &str) -> usize {
    ["none", "low", "medium", "high", "critical"].iter().position(|known| *known == word).unwrap_or_default()
}

fn size(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
