//! Runs side by side: the same or different, value by value.
//!
//! Promises: values are compared bit for bit; times are told but never count as a difference; with several runs only what differs is given.
//!
//! Read next: `folder.rs`.

use std::collections::BTreeMap;

use super::folder::Kept;
use super::outcome::{Outcome, Value};

/// What a second run came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// One line for each value: `same` or `different`, with both.
    pub lines: Vec<String>,
    /// Values and digests that differ.
    pub different: usize,
}

/// Holds a new outcome against a kept run.
#[must_use]
pub fn repeated(kept: &Kept, again: &Outcome) -> Verdict {
    let mut verdict = Verdict { lines: Vec::new(), different: 0 };
    let mut tell = |same: bool, what: &str, before: &str, now: &str| {
        verdict.different += usize::from(!same);
        verdict.lines.push(if same {
            format!("same       {what}  {now}")
        } else {
            format!("different  {what}  {before} then, {now} now")
        });
    };
    let now: BTreeMap<(&str, &str), &Value> = again.values.iter().map(|value| (key(value), value)).collect();
    let then: BTreeMap<(&str, &str), &Value> = kept.values.iter().map(|value| (key(value), value)).collect();
    for value in kept.values.iter().filter(|value| !value.measured) {
        let found = now.get(&key(value));
        let same = found.is_some_and(|found| bits(found) == bits(value));
        tell(same, &name(value), &shown(value), &found.map_or_else(|| "missing".to_owned(), |found| shown(found)));
    }
    for value in again.values.iter().filter(|value| !value.measured && !then.contains_key(&key(value))) {
        tell(false, &name(value), "missing", &shown(value));
    }
    for (data, digest) in &kept.manifest.data {
        let found = again.data.get(data).map_or("missing", String::as_str);
        tell(found == digest, &format!("rows of {data}"), digest, found);
    }
    let (before, after) = (&kept.manifest.predictions_digest, again.predictions_digest());
    tell(*before == after, "predictions", before, &after);
    verdict
}

/// What differs between runs: a table with one column a run; rows that are alike everywhere are left out.
#[must_use]
pub fn differences(runs: &[Kept]) -> Vec<Vec<String>> {
    let mut keys: Vec<(&str, &str)> = Vec::new();
    let tables: Vec<BTreeMap<(&str, &str), &Value>> = runs
        .iter()
        .map(|run| run.values.iter().filter(|value| !value.measured).map(|value| (key(value), value)).collect())
        .collect();
    for value in runs.iter().flat_map(|run| &run.values).filter(|value| !value.measured) {
        if !keys.contains(&key(value)) {
            keys.push(key(value));
        }
    }
    let mut rows = Vec::new();
    let facts: [(&str, fn(&Kept) -> String); 4] = [
        ("plan", |run| run.manifest.plan_sha256.chars().take(12).collect()),
        ("version", |run| run.manifest.version.clone()),
        ("features", |run| run.manifest.features_sha256.chars().take(12).collect()),
        ("predictions", |run| run.manifest.predictions_digest.chars().take(12).collect()),
    ];
    for (name, fact) in facts {
        let cells: Vec<String> = runs.iter().map(fact).collect();
        push_if_different(&mut rows, name.to_owned(), cells);
    }
    for wanted in keys {
        let found: Vec<Option<&&Value>> = tables.iter().map(|table| table.get(&wanted)).collect();
        let first = found.first().and_then(|value| value.map(|value| bits(value)));
        if found.iter().all(|value| value.map(|value| bits(value)) == first) {
            continue;
        }
        let cells: Vec<String> = found.iter().map(|value| value.map_or_else(|| "-".to_owned(), |value| shown(value))).collect();
        rows.push(std::iter::once(format!("{} / {}", wanted.0, wanted.1)).chain(cells).collect());
    }
    rows
}

fn push_if_different(rows: &mut Vec<Vec<String>>, name: String, cells: Vec<String>) {
    if cells.iter().any(|cell| Some(cell) != cells.first()) {
        rows.push(std::iter::once(name).chain(cells).collect());
    }
}

fn key(value: &Value) -> (&str, &str) {
    (&value.arm, &value.metric)
}

fn name(value: &Value) -> String {
    format!("{} / {}", value.arm, value.metric)
}

fn bits(value: &Value) -> (u64, Option<[u64; 2]>, u64) {
    (value.value.to_bits(), value.interval.map(|ends| ends.map(f64::to_bits)), value.cases)
}

/// A value as people read it.
#[must_use]
pub fn shown(value: &Value) -> String {
    let interval = value.interval.map_or(String::new(), |[low, high]| format!(" [{low:.3}, {high:.3}]"));
    format!("{:.4}{interval}", value.value)
}
