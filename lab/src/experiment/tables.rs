//! The tables and figures of docs/SCIENCE.md and docs/EXPERIMENTS.md: written from committed metrics, so that a figure in the text is the figure of a run.
//!
//! Promises: a table, and a figure in a sentence, is a function of the values and their digest; a test compares the pages with what is
//! written here.
//!
//! Read next: `datasets/experiments/results/*.json`, `docs/SCIENCE.md`, `docs/EXPERIMENTS.md`.

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

    /// The value of an arm.
    fn value(&self, arm: &str, metric: &str) -> Option<&Value> {
        self.values.iter().find(|value| value.arm == arm && value.metric == metric)
    }

    /// What was asked, and the digests that the figures come from.
    fn head(&self, of: &str) -> String {
        let data = self.data.iter().filter(|(name, _)| name.starts_with(of));
        let data: Vec<String> = data.map(|(name, digest)| format!("{name} `{}`", short(digest))).collect();
        let (question, name, digest) = (&self.question, &self.name, short(&self.metrics_digest));
        format!("*{question}* Experiment `{name}`, metrics digest `{digest}`; rows of {}.\n\n", data.join(", "))
    }

    /// Arms as rows, metrics as columns; the last column says how many cases of the rarer class a row rests on.
    fn table(&self, shown: &Shown<'_>) -> String {
        let (mut arms, mut metrics): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
        for value in self.values.iter().filter(|value| shown.takes(&value.arm)) {
            if !arms.contains(&value.arm.as_str()) {
                arms.push(&value.arm);
            }
            if !metrics.contains(&value.metric.as_str()) {
                metrics.push(&value.metric);
            }
        }
        let mut out = format!("| | {} | n |\n|---|{}---|\n", metrics.join(" | "), "---|".repeat(metrics.len()));
        for arm in arms {
            let found: Vec<Option<&Value>> = metrics.iter().map(|metric| self.value(arm, metric)).collect();
            out += &shown.line(arm, &found);
        }
        out
    }

    /// One metric, with the last part of an arm as the column.
    fn pivot(&self, shown: &Shown<'_>, metric: &str) -> String {
        let (mut rows, mut columns): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
        for value in self.values.iter().filter(|value| shown.takes(&value.arm) && value.metric == metric) {
            let Some((row, column)) = value.arm.rsplit_once(" / ") else { continue };
            if !rows.contains(&row) {
                rows.push(row);
            }
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
        let mut out = format!("| {metric} | {} | n |\n|---|{}---|\n", columns.join(" | "), "---|".repeat(columns.len()));
        for row in rows {
            let found: Vec<Option<&Value>> =
                columns.iter().map(|column| self.value(&format!("{row} / {column}"), metric)).collect();
            out += &shown.line(row, &found);
        }
        out
    }
}

/// The part of an experiment that a table shows.
#[derive(Debug, Default)]
struct Shown<'m> {
    /// Arms of this data set only, whose name then need not be repeated.
    of: &'m str,
    /// Arms with this in their name only.
    arms: &'m str,
    /// Values without their intervals, where a table would grow too wide.
    plain: bool,
}

impl Shown<'_> {
    fn takes(&self, arm: &str) -> bool {
        arm.starts_with(self.of) && arm.contains(self.arms)
    }

    fn line(&self, name: &str, found: &[Option<&Value>]) -> String {
        let cell = |value: &&Value| if self.plain { number(value.value) } else { cell(value) };
        let cells: Vec<String> = found.iter().map(|value| value.as_ref().map_or_else(String::new, cell)).collect();
        let cases = || found.iter().flatten().map(|value| value.cases);
        let cases = match (cases().min(), cases().max()) {
            (Some(least), Some(most)) if least < most => format!("{least} to {most}"),
            (Some(all), _) => all.to_string(),
            _ => String::new(),
        };
        format!("| {} | {} | {cases} |\n", self.name(name), cells.join(" | "))
    }

    fn name<'a>(&self, arm: &'a str) -> &'a str {
        arm.strip_prefix(self.of).and_then(|rest| rest.strip_prefix(" / ")).unwrap_or(arm)
    }
}

fn cell(value: &Value) -> String {
    match value.interval {
        Some([low, high]) => format!("{} ({} to {})", fixed(value.value), fixed(low), fixed(high)),
        None => number(value.value),
    }
}

/// Three digits, and no zero below zero.
fn fixed(value: f64) -> String {
    let text = format!("{value:.3}");
    if text == "-0.000" { "0.000".to_owned() } else { text }
}

/// The same, and counts without digits.
fn number(value: f64) -> String {
    let text = fixed(value);
    text.strip_suffix(".000").unwrap_or(&text).to_owned()
}

fn short(digest: &str) -> String {
    digest.chars().take(12).collect()
}

/// The page with everything between a mark and `<!-- end -->` written anew. Marks are
///
/// - `<!-- experiment: NAME -->`: the table of all values; after the name `; of: DATA` (one data set), `; arms: TEXT` (arms with that text)
///   or `; pivot: METRIC` (one metric, the last part of an arm as the column), `; intervals: no` (bare values),
/// - `<!-- value: NAME; ARM; METRIC -->`: one value with its interval, inside a sentence or a table,
/// - `<!-- digest: NAME -->`: the first digits of the digest over the values.
///
/// # Errors
/// A mark that names what `committed` lacks or is written otherwise, or that has no end.
pub fn rewritten(page: &str, committed: &BTreeMap<String, Committed>) -> Result<String, String> {
    let mut out = String::with_capacity(page.len());
    let mut rest = page;
    while let Some((before, after)) = rest.split_once("<!-- ") {
        out += before;
        let Some((mark, after)) = after.split_once(" -->") else { return Err(format!("a mark has no end: {}", short(after))) };
        out += &format!("<!-- {mark} -->");
        rest = after;
        let Some((kind, asked)) = mark.split_once(": ").filter(|(kind, _)| ["experiment", "value", "digest"].contains(kind))
        else {
            continue;
        };
        let (_, after) = after.split_once("<!-- end -->").ok_or_else(|| format!("<!-- {mark} --> has no <!-- end -->"))?;
        out += &format!("{}<!-- end -->", written(kind, asked, committed).map_err(|why| format!("<!-- {mark} -->: {why}"))?);
        rest = after;
    }
    Ok(out + rest)
}

/// What stands behind one mark.
fn written(kind: &str, asked: &str, committed: &BTreeMap<String, Committed>) -> Result<String, String> {
    let mut parts = asked.split("; ");
    let name = parts.next().unwrap_or_default();
    let found = committed.get(name).ok_or_else(|| format!("no results of {name} are committed"))?;
    let parts: Vec<&str> = parts.collect();
    match (kind, parts.as_slice()) {
        ("digest", []) => Ok(format!("`{}`", short(&found.metrics_digest))),
        ("value", [arm, metric]) => found.value(arm, metric).map(cell).ok_or_else(|| "there is no such value".to_owned()),
        ("experiment", keys) => {
            let (mut shown, mut pivot) = (Shown::default(), None);
            for key in keys {
                match key.split_once(": ") {
                    Some(("of", data)) => shown.of = data,
                    Some(("arms", text)) => shown.arms = text,
                    Some(("pivot", metric)) => pivot = Some(metric),
                    Some(("intervals", "no")) => shown.plain = true,
                    _ => return Err(format!("{key:?} is none of: of: DATA, arms: TEXT, pivot: METRIC, intervals: no")),
                }
            }
            let table = pivot.map_or_else(|| found.table(&shown), |metric| found.pivot(&shown, metric));
            if table.lines().count() < 3 {
                return Err("the table would be empty".to_owned());
            }
            Ok(format!("\n{}{table}", found.head(shown.of)))
        }
        _ => Err("write value: NAME; ARM; METRIC, digest: NAME, or experiment: NAME; of: …; arms: …; pivot: …".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_written_and_slips_are_told() {
        let value = |arm: &str, value: f64, cases| Value {
            arm: arm.to_owned(),
            metric: "auroc".to_owned(),
            value,
            interval: Some([value - 0.1, value]),
            cases,
            measured: false,
        };
        let of = Committed {
            name: "x".to_owned(),
            question: "Why?".to_owned(),
            data: BTreeMap::from([("a".to_owned(), "11".repeat(32)), ("b".to_owned(), "22".repeat(32))]),
            metrics_digest: "33".repeat(32),
            predictions_digest: String::new(),
            notes: Vec::new(),
            values: vec![value("a / one / left", 0.5, 7), value("a / one / right", 0.75, 9), value("b / one / left", 0.9, 3)],
        };
        let committed = BTreeMap::from([("x".to_owned(), of)]);
        let write = |mark: &str| rewritten(&format!("a <!-- other --> <!-- {mark} -->old<!-- end --> z"), &committed);
        assert!(write("value: x; a / one / right; auroc").unwrap().contains("-->0.750 (0.650 to 0.750)<!-- end --> z"));
        assert!(write("digest: x").unwrap().contains("-->`333333333333`<!--"));
        let pivot = write("experiment: x; of: a; pivot: auroc").unwrap();
        let wanted = "rows of a `111111111111`.\n\n| auroc | left | right | n |\n|---|---|---|---|\n\
                      | one | 0.500 (0.400 to 0.500) | 0.750 (0.650 to 0.750) | 7 to 9 |\n<!-- end -->";
        assert!(pivot.contains(wanted), "{pivot}");
        let bare = write("experiment: x; of: b; pivot: auroc; intervals: no").unwrap();
        assert!(bare.contains("| one | 0.900 | 3 |"), "{bare}");
        let all = write("experiment: x; arms: left").unwrap();
        assert!(all.contains("| b / one / left | 0.900 (0.800 to 0.900) | 3 |\n") && !all.contains("right"), "{all}");
        assert_eq!(rewritten(&all, &committed).unwrap(), all, "what is written stays as it is");
        for (mark, part) in [
            ("value: x; a; auroc", "there is no such value"),
            ("value: y; a; auroc", "no results of y"),
            ("experiment: x; off: a", "is none of"),
            ("experiment: x; of: c", "empty"),
            ("digest: x; y", "write value"),
        ] {
            let error = write(mark).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        assert!(rewritten("<!-- digest: x -->", &committed).unwrap_err().contains("has no <!-- end -->"));
    }
}
