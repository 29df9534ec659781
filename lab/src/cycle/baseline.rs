//! Which sessions look like people: the ones models are fitted on and the threshold is taken from.
//!
//! Promises: the choice uses what the client claims against what it shows (TLS, TCP, headers, and whether it loads what a page
//! needs), never how fast or how much it asks, so that a fast reader is not excluded and a slow bot with a false name is; each
//! exclusion has its reason.
//!
//! Read next: `mod.rs`, `../labels/mod.rs` (what is known better), `sql/features.toml` (the columns used here).

use std::collections::BTreeMap;

use super::settings::Settings;
use crate::error::LabError;
use crate::frame::FeatureFrame;

/// Columns of the feature view whose value must be zero in a baseline session, with the reason told if it is not.
const CONTRADICTIONS: &[(&str, &str)] = &[
    ("ua_ja4_mismatch_rate", "its TLS stack is not that of the browser it claims"),
    ("h2_mismatch_rate", "its HTTP/2 settings are not those of the browser it claims"),
    ("hints_mismatch_rate", "its client hints contradict its User-Agent"),
    ("sni_mismatch_rate", "its server name differs from the host it asks for"),
];

/// Requests from which on a browser must have loaded something that a page needs.
const ENOUGH_REQUESTS: f64 = 3.0;
/// Share of a host's claimed browsers that load assets from it, below which its pages need none (or another host serves them).
const HOST_SERVES_ASSETS: f64 = 0.25;

/// Why a session is not baseline; `None` if it is.
pub type Exclusion = Option<&'static str>;

/// For every session of `frame`: is it baseline, and if not, why.
///
/// # Errors
/// A column the view lacks.
pub fn exclusions(frame: &FeatureFrame, settings: &Settings) -> Result<Vec<Exclusion>, LabError> {
    let class = frame.text("ua_class")?;
    let ja4_bot = frame.text("ja4_bot")?;
    let ip_bot = frame.text("ip_bot")?;
    let coherence = frame.number("coherence_score")?;
    let bare = if settings.resources { bare(frame, &class)? } else { Vec::new() };
    let mut contradictions = Vec::new();
    for (column, reason) in CONTRADICTIONS {
        contradictions.push((frame.number(column)?, *reason));
    }
    let judge = |row: usize| -> Exclusion {
        if class.get(row).is_none_or(|class| class != "browser") {
            return Some("it does not claim to be a browser");
        }
        if ip_bot.get(row).is_none_or(|name| !name.is_empty()) {
            return Some("its address is on a bot list");
        }
        if ja4_bot.get(row).is_none_or(|name| !name.is_empty()) {
            return Some("its TLS stack is that of a known tool");
        }
        let contradicted = contradictions.iter().find(|(values, _)| values.get(row).is_none_or(|rate| *rate > 0.0));
        if let Some((_, reason)) = contradicted {
            return Some(reason);
        }
        if bare.get(row).copied().unwrap_or(false) {
            return Some("it claims to be a browser and never loads what pages need");
        }
        coherence.get(row).is_none_or(|value| *value < settings.coherence).then_some("its layers do not fit together")
    };
    Ok((0..frame.sessions()).map(judge).collect())
}

/// True where a claimed browser asked often enough, over all sessions of its address and User-Agent, and never for an asset, on
/// a host where other claimed browsers do.
fn bare(frame: &FeatureFrame, class: &[String]) -> Result<Vec<bool>, LabError> {
    let (assets, hits, hosts) = (frame.number("agent_asset_share")?, frame.number("agent_hits")?, frame.text("host")?);
    let rows: Vec<(bool, bool, &str)> = class
        .iter()
        .zip(&hosts)
        .zip(assets.iter().zip(&hits))
        .map(|((class, host), (share, hits))| (class == "browser" && *hits >= ENOUGH_REQUESTS, *share > 0.0, host.as_str()))
        .collect();
    let mut by_host: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for (_, loads, host) in rows.iter().filter(|(asked, _, _)| *asked) {
        let (browsers, loading) = by_host.entry(host).or_default();
        *browsers += 1.0;
        *loading += f64::from(u8::from(*loads));
    }
    let serves = |host: &str| by_host.get(host).is_some_and(|(browsers, loading)| *loading >= browsers * HOST_SERVES_ASSETS);
    Ok(rows.iter().map(|(asked, loads, host)| *asked && !loads && serves(host)).collect())
}
