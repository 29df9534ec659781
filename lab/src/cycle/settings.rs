//! Settings of a scoring run: all of them inputs of scoring, none of import, so that a change re-ranks what is stored.
//!
//! Promises: an unknown key or a value out of range is a sentence that lists what is allowed.
//!
//! Read next: `mod.rs`.

use serde::Serialize;

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
    /// Share of baseline sessions that may be called anomalous; sets the threshold. Part of the baseline are programs that look like
    /// people. On the recorded set the default calls 7 of 93 sessions of people and 155 of 230 of bots anomalous.
    pub fpr: f64,
    /// Fixed threshold on the final score instead of `fpr`.
    pub threshold: Option<f64>,
    /// Coherence a session needs to count as baseline, 0 to 1.
    pub coherence: f64,
    /// Baseline sessions needed before models are fitted on them alone; below, on all.
    pub baseline_min: u64,
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
            weak_labels: true,
            weight_eif: 0.35,
            weight_autoencoder: 0.15,
            weight_boosted: 0.5,
            allow: Vec::new(),
        }
    }
}

const KEYS: &str = "seed, trees, sample, fpr, threshold, coherence, baseline_min, weak_labels, weights.eif, weights.autoencoder, weights.boosted, allow+";

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
        match key {
            "seed" => self.seed = count(0, u64::MAX)?,
            "trees" => self.trees = count(1, 10_000)?,
            "sample" => self.sample = count(2, 65_536)?,
            "fpr" => self.fpr = number(1e-6, 0.5)?,
            "threshold" => self.threshold = Some(number(0.0, 1.0)?),
            "coherence" => self.coherence = number(0.0, 1.0)?,
            "baseline_min" => self.baseline_min = count(2, u64::MAX)?,
            "weak_labels" => self.weak_labels = count(0, 1)? == 1,
            "weights.eif" => self.weight_eif = number(1e-6, 1000.0)?,
            "weights.autoencoder" => self.weight_autoencoder = number(0.0, 1000.0)?,
            "weights.boosted" => self.weight_boosted = number(0.0, 1000.0)?,
            "allow+" | "allow" => {
                let address: std::net::IpAddr = value.parse().map_err(|_| ask(format!("{value:?} is no IP address")))?;
                self.allow.push(address.to_string());
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
        for bad in ["threshold", "threshold=2", "trees=0", "fpr=NaN", "allow+=somebody", "tree=3"] {
            let message = parse(bad).unwrap_err().to_string();
            assert!(message.starts_with("setting "), "{message}");
        }
    }
}
