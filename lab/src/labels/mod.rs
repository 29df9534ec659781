//! What is known of a session beyond its scores: a label with its source, for the voices that learn from labels.
//!
//! Promises: an analyst's word counts before a rule's, a rule's before a list's; the newest word on a target counts and a
//! withdrawn one does not; a session nothing is known of has no label, whatever it scores.
//!
//! Read next: `feedback.rs` (analysts), `../rules/mod.rs`, `../cycle/mod.rs` (who learns from labels).

mod feedback;

use ja4_replay::store::Store;

pub use self::feedback::{Feedback, read as read_feedback};
use crate::cycle::baseline::Exclusion;
use crate::cycle::session_id;
use crate::cycle::settings::{RuleUse, Settings};
use crate::error::LabError;
use crate::frame::FeatureFrame;
use crate::rules::{self, Action, SessionVerdict};

/// Who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// An analyst classified the session or something it belongs to.
    Analyst,
    /// A rule of the imported policy.
    Rule,
    /// It calls itself a program, its address is on a list of bots, or its TLS stack is that of a known tool.
    KnownBot,
    /// A browser by its handshake and all its claims, that loads what its pages need.
    Verified,
}

impl Source {
    /// The word in `label_source`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Analyst => "analyst",
            Self::Rule => "rule",
            Self::KnownBot => "known_bot",
            Self::Verified => "verified",
        }
    }
}

/// What is known of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// True for a program, false for a legitimate client.
    pub bot: bool,
    /// Who says so.
    pub source: Source,
}

/// Labels of every session, and who is baseline once they are known.
#[derive(Debug, Clone, Default)]
pub struct Labels {
    /// By session, in the order of the frame.
    pub labels: Vec<Option<Label>>,
    /// By session: why it is not baseline.
    pub exclusions: Vec<Exclusion>,
}

impl Labels {
    /// Number of labels of each class: (bots, legitimate).
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let of = |bot: bool| self.labels.iter().flatten().filter(|label| label.bot == bot).count();
        (of(true), of(false))
    }
}

/// Labels of the sessions of `frame`, whose exclusions by identity are `exclusions`, from all sources. Rules are asked about the
/// hours `from_ms..to_ms`.
///
/// # Errors
/// The engine's refusal, a stored rule that cannot be used, or a column the view lacks.
pub fn of_sessions(
    store: &dyn Store,
    frame: &FeatureFrame,
    exclusions: Vec<Exclusion>,
    settings: &Settings,
    (from_ms, to_ms): (i64, i64),
) -> Result<Labels, LabError> {
    let feedback = read_feedback(store)?;
    let policy = rules::load(store)?;
    let ruled = if policy.is_empty() {
        rules::Tested::default()
    } else {
        rules::sessions(store, &policy, from_ms, to_ms, settings.rules_weight)?
    };
    let identity = identity(frame, &exclusions)?;
    let (windows, agents) = (frame.int("win_ms")?, frame.text("user_agent")?);
    let keys = [frame.text("src_ip")?, frame.text("ja4")?, frame.text("host")?];
    let mut found = Labels { labels: Vec::with_capacity(identity.len()), exclusions };
    for (row, known) in identity.into_iter().enumerate() {
        let text = |index: usize| keys.get(index).and_then(|column| column.get(row)).cloned().unwrap_or_default();
        let key = (windows.get(row).copied().unwrap_or_default(), text(0), text(1), text(2));
        let id = session_id(key.0, &key.1, &key.2, &key.3);
        let agent = agents.get(row).map_or("", String::as_str);
        let verdict = ruled.sessions.get(&key);
        let said = feedback.of(&id, &key.1, &key.2, &key.3, agent).map(|bot| Label { bot, source: Source::Analyst });
        let label = said.or_else(|| rule_label(verdict, settings)).or(known);
        if let Some(slot) = found.exclusions.get_mut(row) {
            *slot = excluded(*slot, label, verdict, settings);
        }
        found.labels.push(label);
    }
    Ok(found)
}

/// What lists and claims alone say.
fn identity(frame: &FeatureFrame, exclusions: &[Exclusion]) -> Result<Vec<Option<Label>>, LabError> {
    let class = frame.text("ua_class")?;
    let (ja4_bot, ip_bot, browser) = (frame.text("ja4_bot")?, frame.text("ip_bot")?, frame.text("ja4_browser")?);
    let (coherence, resources) = (frame.number("coherence_score")?, frame.number("agent_asset_share")?);
    let rows = class.iter().zip(&ja4_bot).zip(&ip_bot).zip(&browser).zip(coherence.iter().zip(&resources)).zip(exclusions);
    Ok(rows
        .map(|(((((class, ja4_bot), ip_bot), browser), (coherence, resources)), excluded)| {
            if matches!(class.as_str(), "bot" | "tool" | "library") || !ip_bot.is_empty() || !ja4_bot.is_empty() {
                return Some(Label { bot: true, source: Source::KnownBot });
            }
            let verified = excluded.is_none() && !browser.is_empty() && *coherence >= VERIFIED_COHERENCE && *resources > 0.0;
            verified.then_some(Label { bot: false, source: Source::Verified })
        })
        .collect())
}

/// Coherence from which on a baseline session counts as verified.
const VERIFIED_COHERENCE: f64 = 0.9;

fn rule_use(verdict: Option<&SessionVerdict>, settings: &Settings) -> Option<(bool, RuleUse)> {
    match verdict?.action? {
        Action::Deny => Some((true, settings.rules_deny)),
        Action::Challenge => Some((true, settings.rules_challenge)),
        Action::Allow => Some((false, settings.rules_allow)),
        Action::Weigh => None,
    }
}

fn rule_label(verdict: Option<&SessionVerdict>, settings: &Settings) -> Option<Label> {
    let (bot, usage) = rule_use(verdict, settings)?;
    (usage == RuleUse::Label).then_some(Label { bot, source: Source::Rule })
}

/// Why a session is not baseline, with what is known of it.
fn excluded(before: Exclusion, label: Option<Label>, verdict: Option<&SessionVerdict>, settings: &Settings) -> Exclusion {
    match label {
        Some(Label { bot: true, source: Source::Analyst }) => return Some("an analyst calls it a bot"),
        Some(Label { bot: false, source: Source::Analyst }) => return None,
        Some(Label { bot: true, source: Source::Rule }) => return Some("a rule of the policy refuses it"),
        _ => {}
    }
    match rule_use(verdict, settings) {
        Some((_, RuleUse::Exclude)) => Some("a rule of the policy meets it"),
        _ => before,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(action: Action) -> SessionVerdict {
        SessionVerdict { action: Some(action), rule: "r".to_owned(), weight: 0 }
    }

    #[test]
    fn rules_are_used_as_the_settings_say() {
        let mut settings = Settings::default();
        let deny = verdict(Action::Deny);
        assert_eq!(rule_label(Some(&deny), &settings), Some(Label { bot: true, source: Source::Rule }));
        settings.rules_deny = RuleUse::Exclude;
        assert_eq!(rule_label(Some(&deny), &settings), None);
        assert_eq!(excluded(None, None, Some(&deny), &settings), Some("a rule of the policy meets it"));
        settings.rules_deny = RuleUse::Ignore;
        assert_eq!(excluded(None, None, Some(&deny), &settings), None);
        // Allowed is nothing by default: a policy lets programs through too.
        assert_eq!(rule_label(Some(&verdict(Action::Allow)), &settings), None);
    }

    #[test]
    fn an_analyst_decides_who_is_baseline() {
        let settings = Settings::default();
        let said = |bot| Some(Label { bot, source: Source::Analyst });
        assert_eq!(excluded(Some("its address is on a bot list"), said(false), None, &settings), None);
        assert_eq!(excluded(None, said(true), None, &settings), Some("an analyst calls it a bot"));
    }
}
