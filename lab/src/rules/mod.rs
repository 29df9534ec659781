//! Policy rules of the reverse proxy Anubis over what is stored: imported once, then asked what they would have done.
//!
//! Promises: a rule is applied whole or not at all; what is not understood is named in a sentence; the first rule that allows,
//! denies or challenges a request decides it, weights add up on the way, as in Anubis.
//!
//! Read next: `policy.rs` (the YAML), `table.rs` (as stored), `decide.rs` (rules over requests and sessions).

mod decide;
mod policy;
mod table;

use serde::Serialize;

pub use self::decide::{Decider, RuleCount, SessionVerdict, Tested, sessions};
pub use self::policy::{Policy, parse};
pub use self::table::{load, save};

/// What a rule does with a request that meets all its conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Let through.
    Allow,
    /// Add to the request's weight and go on.
    Weigh,
    /// Ask for a proof of work.
    Challenge,
    /// Refuse.
    Deny,
}

impl Action {
    /// The word in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Weigh => "weigh",
            Self::Challenge => "challenge",
            Self::Deny => "deny",
        }
    }

    /// Reverse of [`Action::as_str`], in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Allow, Self::Weigh, Self::Challenge, Self::Deny]
            .into_iter()
            .find(|action| action.as_str().eq_ignore_ascii_case(name))
    }
}

/// One test of a rule. Tests of the same kind and field are alternatives; tests of different ones must all hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// `user_agent`, `path`, `header`, `ip`, `asn` or `country`.
    pub kind: &'static str,
    /// Name of the header, lower case; empty for the other kinds.
    pub field: String,
    /// Regular expression (`user_agent`, `path`, `header`), address range, number or country code.
    pub pattern: String,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its name in the file.
    pub name: String,
    /// What it does.
    pub action: Action,
    /// What `weigh` adds; 0 for the other actions.
    pub weight: i64,
    /// At least one.
    pub conditions: Vec<Condition>,
}

/// Kinds of conditions, as stored.
pub(crate) const KINDS: [&str; 6] = ["user_agent", "path", "header", "ip", "asn", "country"];

/// Headers whose value is stored, by the name of their column with `-` for `_`.
pub(crate) const HEADERS: [&str; 14] = [
    "user-agent",
    "accept",
    "accept-language",
    "accept-encoding",
    "content-type",
    "origin",
    "referer",
    "sec-ch-ua",
    "sec-ch-ua-mobile",
    "sec-ch-ua-platform",
    "sec-fetch-site",
    "sec-fetch-mode",
    "sec-fetch-dest",
    "x-requested-with",
];
