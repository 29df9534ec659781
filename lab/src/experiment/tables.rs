//! The tables of docs/SCIENCE.md: written from committed metrics, so that a figure in the text is the figure of a run.
//!
//! Promises: a table is a function of the values and their digest; a test compares the page with what is written here.
//!
//! Read next: `datasets/experiments/results/*.json`, `docs/SCIENCE.md`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::folder::Manifest;
use super::outcome::{Value, metrics_digest};

/// What is committed of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Committed {
    /// The experiment.
    pub name: String,
    /// What it asks.
    pub question: String,
    /// Digests over the rows of its data.
    pub data: BTreeMap<String, String>,
    /// SHA-256 over its values.
    pub metrics_digest: String,
    /// SHA-256 over its predictions.
    pub predictions_digest: String,
    /// What a reader should know.
    pub notes: Vec<String>,
    /// Its values, without times.
    pub values: Vec<Value>,
}

impl Committed {
    /// What is kept of a run: everything that another run repeats.
    #[must_use]
    pub fn of(manifest: &Manifest, values: &[Value]) -> Self {
        Self {
            name: manifest.name.clone(),
            question: manifest.question.clone(),
            data: manifest.data.clone(),
            metrics_digest: manifest.metrics_digest.clone(),
            predictions_digest: manifest.predictions_digest.clone(),
            notes: manifest.notes.clone(),
            values: values.iter().filter(|value| !value.measured).cloned().collect(),
        }
    }

    /// Whether the values are those of the digest.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        metrics_digest(&self.values) == self.metrics_digest
    }

    /// The table of the page: arms as rows, metrics as columns, with the digest it comes from.
    #[must_use]
    pub fn markdown(&self) -> String {
        let (mut arms, mut metrics): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
        for value in &self.values {
            if !arms.contains(&value.arm.as_str()) {
                arms.push(&value.arm);
            }
            if !metrics.contains(&value.metric.as_str()) {
                metrics.push(&value.metric);
            }
        }
        let short = |digest: &str| digest.chars().take(12).collect::<String>();
        let data: Vec<String> = self.data.iter().map(|(name, digest)| format!("{name} `{}`", short(digest))).collect();
        let mut out = format!(
            "*{}* Experiment `{}`, metrics digest `{}`; rows of {}.\n\n",
            self.question,
            self.name,
            short(&self.metrics_digest),
            data.join(", ")
        );
        out += &format!("| | {} |\n|---|{}\n", metrics.join(" | "), "---|".repeat(metrics.len()));
        for arm in arms {
            let cell = |metric: &&str| {
                let found = self.values.iter().find(|value| value.arm == arm && value.metric == **metric);
                found.map_or_else(String::new, |value| match value.interval {
                    Some([low, high]) => format!("{:.3} ({low:.3}–{high:.3})", value.value),
                    None => format!("{:.3}", value.value).trim_end_matches(".000").to_owned(),
                })
            };
            out += &format!("| {arm} | {} |\n", metrics.iter().map(cell).collect::<Vec<_>>().join(" | "));
        }
        out
    }
}

/// The page with every table between `<!-- experiment: NAME -->` and `<!-- end -->` written anew.
///
/// # Errors
/// The name of an experiment that `committed` lacks, or a table that has no end.
pub fn rewritten(page: &str, committed: &BTreeMap<String, Committed>) -> Result<String, String> {
    let mut out = String::with_capacity(page.len());
    let mut rest = page;
    while let Some((before, after)) = rest.split_once("<!-- experiment: ") {
        let (name, after) = after.split_once(" -->").ok_or("a marker `<!-- experiment: ` has no end")?;
        let (_, after) = after.split_once("<!-- end -->").ok_or_else(|| format!("the table of {name} has no <!-- end -->"))?;
        let found = committed.get(name).ok_or_else(|| format!("no results of {name} are committed"))?;
        out += before;
        out += &format!("<!-- experiment: {name} -->\n{}<!-- end -->", found.markdown());
        rest = after;
    }
    Ok(out + rest)
}
