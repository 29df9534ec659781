//! Settings of a scoring run: all of them inputs of scoring, none of import, so that a change re-ranks what is stored.
//!
//! Promises: an unknown key or a value out of range is a sentence that lists what is allowed.
//!
//! Read next: `mod.rs`.

use serde::Serialize;

use crate::catalogue::{Catalogue, ModelKind};
use crate::error::LabError;

/// What a scoring run can be told by `--set KEY=VALUE`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Settings {
    /// Seed of everything random.
    pub seed: u64,
    /// Trees of the forest.
    pub trees: u64,
    /// Rows each tree sees.
    pub sample: u64,
    /// Share of baseline sessions that may be called anomalous; sets the threshold. On the recorded set the default calls 5 of 93
    /// sessions of people and 224 of 230 of programs anomalous.
    pub fpr: f64,
    /// Fixed threshold on the final score instead of `fpr`.
    pub threshold: Option<f64>,
    /// Coherence a session needs to count as baseline, 0 to 1.
    pub coherence: f64,
    /// Baseline sessions needed before models are fitted on them alone; below, on all.
    pub baseline_min: u64,
    /// Sessions a fit takes at most of those it may learn from (of labelled ones: of each side), chosen by a hash of their keys.
    pub learn_max: u64,
    /// Whether a claimed browser that never loads what pages need is kept out of the baseline, where the host serves such things.
    pub resources: bool,
    /// What a session that a rule of the imported policy denies counts as.
    #[serde(rename = "rules.deny")]
    pub rules_deny: RuleUse,
    /// The same for rules that challenge, and for weights that reach `rules.weight`.
    #[serde(rename = "rules.challenge")]
    pub rules_challenge: RuleUse,
    /// The same for sessions that rules let through whole.
    #[serde(rename = "rules.allow")]
    pub rules_allow: RuleUse,
    /// Sum of weights from which on a session counts as challenged.
    #[serde(rename = "rules.weight")]
    pub rules_weight: i64,
    /// Anomalous sessions, worst first, for which the nearest change that would pass is sought.
    pub changes: u64,
    /// Sessions explained feature by feature in each model: the anomalous always, of the others the worst until there are so many.
    pub explain_max: u64,
    /// Anomalous sessions compared with each other for campaigns; beyond, some stand for the others (`campaigns/dense.rs`).
    pub cluster_max: u64,
    /// Whether boosted trees learn from what identity alone says: programs by their own words, lists or contradictions against
    /// sessions that look like people.
    pub weak_labels: bool,
    /// Weight of the forest in the final score.
    #[serde(rename = "weights.eif")]
    pub weight_eif: f64,
    /// Weight of the autoencoder in the final score.
    #[serde(rename = "weights.autoencoder")]
    pub weight_autoencoder: f64,
    /// Weight of the boosted trees in the final score; they need labels.
    #[serde(rename = "weights.boosted")]
    pub weight_boosted: f64,
    /// Sessions of these addresses are never anomalous.
    pub allow: Vec<String>,
    /// Features switched off: every session has their neutral value, so no voice can use them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 1,
            trees: 300,
            sample: 256,
            fpr: 0.05,
            threshold: None,
            coherence: 0.25,
            baseline_min: 40,
            learn_max: 4_000,
            resources: true,
            rules_deny: RuleUse::Label,
            rules_challenge: RuleUse::Exclude,
            rules_allow: RuleUse::Ignore,
            rules_weight: 10,
            changes: 200,
            explain_max: 100_000,
            cluster_max: 10_000,
            weak_labels: true,
            weight_eif: 0.2,
            weight_autoencoder: 0.2,
            weight_boosted: 0.6,
            allow: Vec::new(),
            without: Vec::new(),
        }
    }
}

/// What the verdict of a policy rule is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleUse {
    /// A label: denied is a bot, allowed is legitimate.
    Label,
    /// The session is kept out of the baseline.
    Exclude,
    /// Nothing.
    Ignore,
}

impl RuleUse {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "label" => Some(Self::Label),
            "exclude" => Some(Self::Exclude),
            "ignore" => Some(Self::Ignore),
            _ => None,
        }
    }
}

const KEYS: &str = "seed, trees, sample, fpr, threshold, coherence, baseline_min, learn_max, resources, rules.deny, rules.challenge, rules.allow, rules.weight, changes, explain_max, cluster_max, weak_labels, weights.eif, weights.autoencoder, weights.boosted, allow+, features- (also written without+)";

impl Settings {
    /// The defaults, changed by `KEY=VALUE` texts in order.
    ///
    /// # Errors
    /// An unknown key, a value that is no number, or one out of range.
    pub fn parse(texts: &[String]) -> Result<Self, LabError> {
        let mut settings = Self::default();
        for text in texts {
            settings.set(text)?;
        }
        Ok(settings)
    }

    fn set(&mut self, text: &str) -> Result<(), LabError> {
        let ask = |detail: String| LabError::Ask(format!("setting {text:?}: {detail}"));
        let (key, value) = text.split_once('=').ok_or_else(|| ask(format!("write KEY=VALUE with one of {KEYS}")))?;
        let (key, value) = (key.trim(), value.trim());
        let number = |low: f64, high: f64| match value.parse::<f64>() {
            Ok(number) if (low..=high).contains(&number) => Ok(number),
            _ => Err(ask(format!("{value:?} must be a number from {low} to {high}"))),
        };
        let count = |low: u64, high: u64| match value.parse::<u64>() {
            Ok(number) if (low..=high).contains(&number) => Ok(number),
            _ => Err(ask(format!("{value:?} must be a whole number from {low} to {high}"))),
        };
        let rule_use = || RuleUse::parse(value).ok_or_else(|| ask(format!("{value:?} must be label, exclude or ignore")));
        match key {
            "seed" => self.seed = count(0, u64::MAX)?,
            "trees" => self.trees = count(1, 10_000)?,
            "sample" => self.sample = count(2, 65_536)?,
            "fpr" => self.fpr = number(1e-6, 0.5)?,
            "threshold" => self.threshold = Some(number(0.0, 1.0)?),
            "coherence" => self.coherence = number(0.0, 1.0)?,
            "baseline_min" => self.baseline_min = count(2, u64::MAX)?,
            "learn_max" => self.learn_max = count(20, 10_000_000)?,
            "resources" => self.resources = count(0, 1)? == 1,
            "rules.deny" => self.rules_deny = rule_use()?,
            "rules.challenge" => self.rules_challenge = rule_use()?,
            "rules.allow" => self.rules_allow = rule_use()?,
            "rules.weight" => self.rules_weight = i64::try_from(count(1, 1_000_000)?).unwrap_or(i64::MAX),
            "changes" => self.changes = count(0, 100_000)?,
            "explain_max" => self.explain_max = count(0, u64::MAX)?,
            "cluster_max" => self.cluster_max = count(2, 1_000_000)?,
            "weak_labels" => self.weak_labels = count(0, 1)? == 1,
            "weights.eif" => self.weight_eif = number(1e-6, 1000.0)?,
            "weights.autoencoder" => self.weight_autoencoder = number(0.0, 1000.0)?,
            "weights.boosted" => self.weight_boosted = number(0.0, 1000.0)?,
            "allow+" | "allow" => {
                let address: std::net::IpAddr = value.parse().map_err(|_| ask(format!("{value:?} is no IP address")))?;
                self.allow.push(address.to_string());
            }
            "features-" | "without+" | "without" => {
                let catalogue = Catalogue::load().map_err(|error| LabError::Features(error.to_string()))?;
                if !catalogue.for_model(ModelKind::Complete).any(|feature| feature.name == value) {
                    return Err(ask(format!("no model sees a feature {value:?}; docs/FEATURES.md lists them")));
                }
                self.without.push(value.to_owned());
            }
            _ => return Err(ask(format!("there is no such key; there are {KEYS}"))),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_checked() {
        let parse = |text: &str| Settings::parse(&[text.to_owned()]);
        assert_eq!(parse("threshold=0.7").unwrap().threshold, Some(0.7));
        assert_eq!(parse("allow+=::1").unwrap().allow, ["::1"]);
        assert_eq!(parse("features-=coherence_score").unwrap().without, ["coherence_score"]);
        assert_eq!(parse("rules.allow=label").unwrap().rules_allow, RuleUse::Label);
        assert_eq!(parse("without+=hits").unwrap().without, ["hits"]);
        for bad in [
            "rules.deny=yes",
            "threshold",
            "threshold=2",
            "trees=0",
            "fpr=NaN",
            "allow+=somebody",
            "tree=3",
            "learn_max=9",
            "without+=hit",
            "features-=src_ip",
        ] {
            let message = parse(bad).unwrap_err().to_string();
            assert!(message.starts_with("setting "), "{message}");
        }
    }
}
