//! Which sessions look like people: the ones models are fitted on and the threshold is taken from.
//!
//! Promises: the choice uses identity only (does the client's claim agree with its TLS, TCP and header facts), never how it
//! behaved, so that a fast reader is not excluded and a slow bot with a false name is; each exclusion has its reason.
//!
//! Read next: `mod.rs`, `sql/features.toml` (the columns used here).

use crate::error::LabError;
use crate::frame::FeatureFrame;

/// Columns of the feature view whose value must be zero in a baseline session, with the reason told if it is not.
const CONTRADICTIONS: &[(&str, &str)] = &[
    ("ua_ja4_mismatch_rate", "its TLS stack is not that of the browser it claims"),
    ("h2_mismatch_rate", "its HTTP/2 settings are not those of the browser it claims"),
    ("hints_mismatch_rate", "its client hints contradict its User-Agent"),
    ("sni_mismatch_rate", "its server name differs from the host it asks for"),
];

/// Why a session is not baseline; `None` if it is.
pub type Exclusion = Option<&'static str>;

/// For every session of `frame`: is it baseline, and if not, why.
///
/// # Errors
/// A column the view lacks.
pub fn exclusions(frame: &FeatureFrame, coherence_min: f64) -> Result<Vec<Exclusion>, LabError> {
    let class = frame.text("ua_class")?;
    let ja4_bot = frame.text("ja4_bot")?;
    let ip_bot = frame.text("ip_bot")?;
    let coherence = frame.number("coherence_score")?;
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
        coherence.get(row).is_none_or(|value| *value < coherence_min).then_some("its layers do not fit together")
    };
    Ok((0..frame.sessions()).map(judge).collect())
}
