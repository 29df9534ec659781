//! A reference table as a file: comments on top, where its rows come from, rows in order; and what differs between two.
//!
//! Promises: rows of others are never touched; a row that only its date would change is left as it is; the order is that of the rows'
//! text, whoever answered first.
//!
//! Read next: `ja4_join::enrich::tables` (who reads it).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ja4_join::enrich::tables::embedded_text;

use super::upstreams::{Format, Upstream};
use crate::error::LabError;

/// A table of the folder, or the program's own where the folder has none.
#[derive(Debug, Clone, Default)]
pub struct Table {
    file: String,
    comments: Vec<String>,
    header: String,
    rows: Vec<String>,
}

/// Largest table that is read.
const MOST_BYTES: u64 = ja4_join::enrich::tables::MAX_TABLE_BYTES;

impl Table {
    /// Reads `file` of `folder`.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(folder: &Path, file: &str) -> Result<Self, LabError> {
        let path = folder.join(file);
        let text = match std::fs::metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => embedded_text(file).unwrap_or_default().to_owned(),
            Err(error) => return Err(LabError::io("read table", &path)(error)),
            Ok(facts) if facts.len() > MOST_BYTES => {
                return Err(LabError::Ask(format!(
                    "read table {}: it has {} bytes; at most {MOST_BYTES} are read",
                    path.display(),
                    facts.len()
                )));
            }
            Ok(_) => std::fs::read_to_string(&path).map_err(LabError::io("read table", &path))?,
        };
        let is_csv = file.ends_with(".csv");
        let mut table = Self { file: file.to_owned(), ..Self::default() };
        for line in text.lines() {
            let remark = line.starts_with('#') && (is_csv || table.header.is_empty());
            if remark && table.rows.is_empty() {
                table.comments.push(line.to_owned());
            } else if table.header.is_empty() {
                table.header = line.to_owned();
            } else if !line.is_empty() && !remark {
                table.rows.push(line.to_owned());
            }
        }
        if table.header.is_empty() {
            // Only the policy has no table of the program's own.
            table.header = "bots:".to_owned();
            table.comments.push("# Rules of Anubis, as published; take them with `ja4-lab rules import`.".to_owned());
        }
        Ok(table)
    }

    /// Its rows.
    #[must_use]
    pub fn rows(&self) -> &[String] {
        &self.rows
    }

    /// The file's text.
    #[must_use]
    pub fn text(&self) -> String {
        let lines = self.comments.iter().chain([&self.header]).chain(&self.rows);
        lines.flat_map(|line| [line.as_str(), "\n"]).collect()
    }

    /// How many rows are this upstream's.
    #[must_use]
    pub fn count_of(&self, upstream: &Upstream) -> usize {
        if !upstream.format.files().contains(&self.file.as_str()) {
            return 0;
        }
        self.owned(upstream).iter().filter(|own| **own).count()
    }

    /// Which rows are this upstream's.
    fn owned(&self, upstream: &Upstream) -> Vec<bool> {
        match upstream.format {
            // One publisher for the whole table: what was there before is replaced.
            Format::IplocateAsn => vec![true; self.rows.len()],
            Format::Anubis => {
                let (mut inside, mark) = (false, mark(upstream));
                let own = |row: &String| {
                    if row.starts_with("# from ") {
                        inside = *row == mark;
                        return false;
                    }
                    inside
                };
                self.rows.iter().map(own).collect()
            }
            Format::PrefixesJson | Format::Addresses | Format::Ja4db => {
                let column = self.header.split(',').position(|name| name == "source");
                let source = upstream.source();
                let own = |row: &String| column.and_then(|column| row.split(',').nth(column)) == Some(source.as_str());
                self.rows.iter().map(own).collect()
            }
        }
    }

    /// Puts `found` in the place of the upstream's rows; `from` is the comment that says where they come from.
    pub(super) fn replace(&mut self, upstream: &Upstream, found: &[Vec<String>], day: &str, from: &str) {
        let own = self.owned(upstream);
        let before: Vec<String> = self.rows.iter().zip(&own).filter(|(_, own)| **own).map(|(row, _)| row.clone()).collect();
        if upstream.format == Format::Anubis {
            self.replace_policy(upstream, &own, found);
        } else {
            let mut kept: BTreeSet<String> =
                self.rows.iter().zip(&own).filter(|(_, own)| !**own).map(|(row, _)| row.clone()).collect();
            let dated: BTreeMap<&str, &String> = before.iter().map(|row| (undated(&self.header, row), row)).collect();
            let taken: BTreeSet<String> = kept.iter().filter_map(|row| row.split(',').next().map(str::to_owned)).collect();
            for cells in found {
                let row = self.row(upstream, cells, day);
                // What was recorded or written by hand stands above what others publish of the same JA4.
                let stands = upstream.format == Format::Ja4db && cells.first().is_some_and(|ja4| taken.contains(ja4));
                if !stands {
                    kept.insert(dated.get(undated(&self.header, &row)).map_or(row, |same| (*same).clone()));
                }
            }
            self.rows = kept.into_iter().collect();
        }
        let after: Vec<&String> =
            self.rows.iter().zip(self.owned(upstream)).filter(|(_, own)| *own).map(|(row, _)| row).collect();
        if after != before.iter().collect::<Vec<_>>() {
            let line = format!("# upstream {}:", upstream.name);
            self.comments.retain(|comment| !comment.starts_with(&line));
            self.comments.push(from.to_owned());
        }
    }

    fn replace_policy(&mut self, upstream: &Upstream, own: &[bool], found: &[Vec<String>]) {
        let mark = mark(upstream);
        let mut rows: Vec<String> =
            self.rows.iter().zip(own).filter(|(row, own)| !**own && **row != mark).map(|(row, _)| row.clone()).collect();
        rows.push(mark);
        rows.extend(found.iter().filter_map(|cells| cells.first().cloned()));
        self.rows = rows;
    }

    /// A row in the order of the header; columns that the format does not fill say where it comes from.
    fn row(&self, upstream: &Upstream, cells: &[String], day: &str) -> String {
        let mut cells = cells.iter().cloned();
        let cell = |name: &str| match name {
            "source" => upstream.source(),
            "licence" => upstream.licence.clone(),
            "date" => day.to_owned(),
            _ => cells.next().unwrap_or_default(),
        };
        self.header.split(',').map(cell).collect::<Vec<_>>().join(",")
    }
}

/// The line that stands before an upstream's rules.
fn mark(upstream: &Upstream) -> String {
    format!("# from {}: {}", upstream.name, upstream.url)
}

/// A row without its date, which is the last column where there is one.
fn undated<'r>(header: &str, row: &'r str) -> &'r str {
    if header.ends_with(",date") { row.rsplit_once(',').map_or(row, |(row, _)| row) } else { row }
}

/// What differs between two states of a table, by the first column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// Rows that are new.
    pub added: Vec<String>,
    /// Rows that are gone.
    pub removed: Vec<String>,
    /// Rows whose first column stayed: before and after.
    pub changed: Vec<(String, String)>,
}

impl Difference {
    /// From `old` to `new`.
    #[must_use]
    pub fn between(old: &[String], new: &[String]) -> Self {
        let (before, after): (BTreeSet<&String>, BTreeSet<&String>) = (old.iter().collect(), new.iter().collect());
        let key = |row: &&String| row.split(',').next().unwrap_or_default().to_owned();
        let gone: Vec<&String> = before.difference(&after).copied().collect();
        let mut come: BTreeMap<String, &String> = BTreeMap::new();
        let mut difference = Self::default();
        for row in after.difference(&before).copied() {
            // Of several with one key the last stands for a change, the others are new.
            if let Some(other) = come.insert(key(&row), row) {
                difference.added.push(other.clone());
            }
        }
        for row in gone {
            match come.remove(&key(&row)) {
                Some(now) => difference.changed.push((row.clone(), now.clone())),
                None => difference.removed.push(row.clone()),
            }
        }
        difference.added.extend(come.into_values().cloned());
        difference.added.sort();
        difference
    }

    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_told_by_the_first_column() {
        let rows = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let found = Difference::between(&rows("a,1 b,1 c,1"), &rows("a,1 b,2 d,1"));
        assert_eq!(
            found,
            Difference { added: rows("d,1"), removed: rows("c,1"), changed: vec![("b,1".to_owned(), "b,2".to_owned())] }
        );
        assert!(Difference::between(&rows("a,1"), &rows("a,1")).is_empty());
    }
}
