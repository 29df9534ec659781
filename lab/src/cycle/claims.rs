//! What a session claims to be, held against what its connection shows, with how many who claim the same look like it.
//!
//! Promises: a contradiction is only told where both sides are known; the share is counted over the sessions at hand.
//!
//! Read next: `reason.rs` (how it is told).

use std::collections::BTreeMap;

use crate::error::LabError;
use crate::frame::FeatureFrame;

/// Claims and facts of every session of a frame.
#[derive(Debug)]
pub struct Claims {
    families: Vec<String>,
    classes: Vec<String>,
    ja4_browser: Vec<String>,
    ja4_bot: Vec<String>,
    ip_bot: Vec<String>,
    h2_browser: Vec<String>,
    rates: Vec<(&'static str, Vec<f64>)>,
    shares: Vec<f64>,
}

const MISMATCHES: &[&str] =
    &["ua_ja4_mismatch_rate", "h2_mismatch_rate", "hints_mismatch_rate", "alpn_mismatch_rate", "sni_mismatch_rate"];

impl Claims {
    /// Reads the columns it needs.
    ///
    /// # Errors
    /// A column the view lacks.
    pub fn new(frame: &FeatureFrame) -> Result<Self, LabError> {
        let families = frame.text("ua_family")?;
        let shares = shares(&families, &frame.text("ja4")?);
        let mut rates = Vec::new();
        for name in MISMATCHES {
            rates.push((*name, frame.number(name)?));
        }
        Ok(Self {
            families,
            classes: frame.text("ua_class")?,
            ja4_browser: frame.text("ja4_browser")?,
            ja4_bot: frame.text("ja4_bot")?,
            ip_bot: frame.text("ip_bot")?,
            h2_browser: frame.text("h2_browser")?,
            rates,
            shares,
        })
    }

    /// The family that the session's User-Agent names, if it names one.
    #[must_use]
    pub fn claimed(&self, row: usize) -> Option<&str> {
        self.families.get(row).map(String::as_str).filter(|family| !family.is_empty())
    }

    /// Share of the sessions with the claim of the one at `row` that also have its JA4; 0 to 1.
    #[must_use]
    pub fn share(&self, row: usize) -> f64 {
        self.shares.get(row).copied().unwrap_or_default()
    }

    /// What a session openly is, if it does not claim to be a browser.
    #[must_use]
    pub fn declared(&self, row: usize) -> Option<String> {
        let text = |column: &[String]| column.get(row).cloned().unwrap_or_default();
        let family = text(&self.families);
        match text(&self.classes).as_str() {
            "none" => Some("it sends no User-Agent".to_owned()),
            "tool" | "library" | "bot" if !family.is_empty() => Some(format!("calls itself {family}")),
            _ => None,
        }
    }

    /// The contradictions of a session, each a clause.
    #[must_use]
    pub fn contradictions(&self, row: usize) -> Vec<String> {
        let text = |column: &[String]| column.get(row).cloned().unwrap_or_default();
        let rate = |name: &str| {
            let column = self.rates.iter().find(|(column, _)| *column == name);
            column.and_then(|(_, values)| values.get(row).copied()).unwrap_or_default()
        };
        let family = text(&self.families);
        let (bot, browser) = (text(&self.ja4_bot), text(&self.ja4_browser));
        let mut clauses = Vec::new();
        if rate("ua_ja4_mismatch_rate") > 0.0 {
            let stack = if bot.is_empty() { &browser } else { &bot };
            let stack = if stack.is_empty() { "of something else".to_owned() } else { format!("of {stack}") };
            clauses.push(format!("claims {family} with the TLS stack {stack}"));
        } else if !bot.is_empty() && text(&self.classes) == "browser" {
            clauses.push(format!("claims {family} with the TLS stack of {bot}"));
        }
        if rate("h2_mismatch_rate") > 0.0 {
            clauses.push(format!("claims {family} with the HTTP/2 settings of {}", text(&self.h2_browser)));
        }
        if rate("hints_mismatch_rate") > 0.0 {
            clauses.push("its client hints contradict its User-Agent".to_owned());
        }
        if rate("alpn_mismatch_rate") > 0.0 {
            clauses.push("it speaks another HTTP version than its handshake offered or would lead to".to_owned());
        }
        if rate("sni_mismatch_rate") > 0.0 {
            clauses.push("the server name of its handshake is not the host it asks for".to_owned());
        }
        let listed = text(&self.ip_bot);
        if !listed.is_empty() {
            clauses.push(format!("its address is on the list {listed}"));
        }
        clauses
    }
}

/// For each session: sessions with its claim and its JA4 over sessions with its claim.
fn shares(families: &[String], ja4s: &[String]) -> Vec<f64> {
    let mut claims: BTreeMap<&str, u32> = BTreeMap::new();
    let mut pairs: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for (family, ja4) in families.iter().zip(ja4s) {
        *claims.entry(family).or_default() += 1;
        *pairs.entry((family, ja4)).or_default() += 1;
    }
    families
        .iter()
        .zip(ja4s)
        .map(|(family, ja4)| {
            let of = |count: Option<&u32>| f64::from(count.copied().unwrap_or_default());
            of(pairs.get(&(family.as_str(), ja4.as_str()))) / of(claims.get(family.as_str())).max(1.0)
        })
        .collect()
}
