//! An experiment as written: its question, its data, what is varied, and with which seeds. Only read and checked here.
//!
//! Promises: a plan that was read can be run: its data are named, its lists are not empty; else the message names line and key.
//!
//! Read next: `datasets/experiments/*.toml`, `kinds/mod.rs` (what each kind does).

use std::path::Path;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::catalogue::Catalogue;
use crate::checked_toml::{TextFile, whole};
use crate::error::LabError;

/// A whole experiment.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Name; that of its results.
    pub name: String,
    /// What it asks, in a sentence.
    pub question: String,
    /// What is done.
    pub kind: Kind,
    /// On which data.
    pub data: Vec<DataSource>,
    /// Seeds of models and folds; values are means over them.
    #[serde(default = "one_seed")]
    pub seeds: Spanned<Vec<u64>>,
    /// Parts that people are dealt into by address, and tools by name.
    #[serde(default = "five", deserialize_with = "whole::<2, 20, _>")]
    pub folds: u64,
    /// Samples of the bootstrap over sessions.
    #[serde(default = "two_hundred", deserialize_with = "whole::<20, 10_000, _>")]
    pub bootstrap: u64,
    /// Trees of the forest.
    #[serde(default = "hundred", deserialize_with = "whole::<10, 2_000, _>")]
    pub trees: u64,
    /// Families of features; all without it.
    #[serde(default)]
    pub families: Vec<Spanned<String>>,
    /// What is varied, where the kind varies a number (its page in docs/SCIENCE.md says which).
    #[serde(default)]
    pub levels: Vec<f64>,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// JA3 against JA4: how stable by client, how often shared between clients.
    Stability,
    /// Each family of features left out, and alone.
    Ablation,
    /// Each technique of the thesis left out, and alone.
    Techniques,
    /// Whether explanations name what a score rests on.
    Explanations,
    /// Each voice, the fixed weights, the meta-learner.
    Voices,
    /// Each kind of client left out of training.
    Unseen,
    /// Impersonators against people, by layer.
    Impersonators,
    /// Weeks of traffic with a model of the first week, and with one fitted each week.
    Drift,
    /// Groups found against the campaigns that made them.
    Groups,
    /// Join against truth over window, clock skew and capture loss.
    Join,
    /// Time against accuracy.
    Cost,
    /// Attack sessions among what counts as ordinary.
    Contamination,
}

/// Where data come from: one of the two.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSource {
    /// A recorded set below datasets/recorded.
    #[serde(default)]
    pub recorded: Option<String>,
    /// A scenario below datasets/scenarios.
    #[serde(default)]
    pub scenario: Option<String>,
    /// Seed of the scenario.
    #[serde(default = "one", deserialize_with = "whole::<0, 9_007_199_254_740_991, _>")]
    pub seed: u64,
    /// What its rows must digest to; not checked without it.
    #[serde(default)]
    pub rows_digest: Option<String>,
}

impl Plan {
    /// Reads and checks a plan.
    ///
    /// # Errors
    /// With file, line and key, what is wrong and what is allowed.
    pub fn read(path: &Path) -> Result<(Self, String), LabError> {
        let file = TextFile::read("experiment", path)?;
        let plan = Self::of(&file)?;
        Ok((plan, file.text))
    }

    /// The same from a text.
    ///
    /// # Errors
    /// As [`Plan::read`].
    pub fn of(file: &TextFile) -> Result<Self, LabError> {
        let plan: Self = file.parse()?;
        let plain = |detail: String| Err(LabError::Ask(format!("experiment {:?}: {detail}", plan.name)));
        if plan.name.is_empty() || !plan.name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)) {
            return plain("name must be letters, digits, dashes or underscores".to_owned());
        }
        if plan.data.is_empty() || plan.data.iter().any(|data| data.recorded.is_some() == data.scenario.is_some()) {
            return plain(
                "every entry of data must name either recorded (a set) or scenario (a file), and there must be one".to_owned(),
            );
        }
        let seeds = plan.seeds.get_ref();
        if seeds.is_empty() || seeds.len() > 100 {
            return Err(file.wrong(plan.seeds.span(), "must hold 1 to 100 seeds"));
        }
        let families = families()?;
        for family in &plan.families {
            if !families.contains(family.get_ref()) {
                let detail = format!("there is no family {:?}; there are {}", family.get_ref(), families.join(", "));
                return Err(file.wrong(family.span(), detail));
            }
        }
        if !plan.levels.iter().all(|level| level.is_finite() && *level >= 0.0) {
            return plain("levels must be numbers of 0 or more".to_owned());
        }
        Ok(plan)
    }
}

/// Families of features that models see, in the catalogue's order.
///
/// # Errors
/// Never in a build whose tests pass.
pub fn families() -> Result<Vec<String>, LabError> {
    let catalogue = Catalogue::load().map_err(|error| LabError::Features(error.to_string()))?;
    let mut families: Vec<String> = Vec::new();
    for feature in catalogue.features.iter().filter(|feature| feature.model) {
        if !families.contains(&feature.family) {
            families.push(feature.family.clone());
        }
    }
    Ok(families)
}

fn one_seed() -> Spanned<Vec<u64>> {
    Spanned::new(0..0, vec![1])
}

fn one() -> u64 {
    1
}

fn five() -> u64 {
    5
}

fn hundred() -> u64 {
    100
}

fn two_hundred() -> u64 {
    200
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_told() {
        let good = "name = \"x\"\nquestion = \"?\"\nkind = \"voices\"\ndata = [{ recorded = \"site-small\" }]\n";
        let parse = |text: &str| Plan::of(&TextFile::of("experiment", "x.toml", text));
        parse(good).unwrap();
        for (text, part) in [
            (good.replace("voices", "voice"), "line 3: kind: unknown variant `voice`, expected one of `stability`"),
            (format!("{good}folds = 1\n"), "line 5: folds: 1 is out of range; allowed are whole numbers from 2 to 20"),
            (format!("{good}families = [\"rythm\"]\n"), "line 5: families: there is no family \"rythm\"; there are rhythm"),
            (format!("{good}seeds = []\n"), "must hold 1 to 100 seeds"),
            (good.replace("recorded", "recording"), "line 4"),
            (good.replace("recorded = \"site-small\"", ""), "must name either recorded"),
        ] {
            let message = parse(&text).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }
}
