//! What went wrong without stopping: damaged records with their positions, and counted notes.
//!
//! Promises: bounded (the first [`HttpLogOptions::max_damage_kept`](super::HttpLogOptions) records are kept, all are counted);
//! reasons and names are escaped for a terminal; notes come out in alphabetical order.
//!
//! Read next: `log.rs`, which fills it.

use std::collections::BTreeMap;
use std::fmt;

use super::Reason;

/// Where a record begins in its (decompressed) input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Position {
    /// Number of the line, from 1.
    pub line: u64,
    /// Bytes before it.
    pub byte_offset: u64,
}

/// A record that was counted and dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedRecord {
    /// Name of the file, escaped.
    pub file: String,
    /// Where it begins.
    pub position: Position,
    /// Why, as a phrase.
    pub reason: Reason,
}

impl fmt::Display for DamagedRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, byte_offset } = self.position;
        write!(f, "{} line {line}, byte {byte_offset}: {}", self.file, self.reason)
    }
}

/// Collector of damaged records and of notes, of one log or of many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Damage {
    damaged: u64,
    kept_limit: usize,
    kept: Vec<DamagedRecord>,
    notes: BTreeMap<&'static str, u64>,
}

impl Damage {
    /// A collector that keeps the first `kept_limit` records and counts all.
    #[must_use]
    pub fn new(kept_limit: usize) -> Self {
        Self { kept_limit, ..Self::default() }
    }

    /// Counts a damaged record.
    pub fn record(&mut self, file: &str, position: Position, reason: Reason) {
        self.damaged = self.damaged.saturating_add(1);
        if self.kept.len() < self.kept_limit {
            self.kept.push(DamagedRecord { file: file.to_owned(), position, reason });
        }
    }

    /// Counts something about a record that was kept, e.g. an optional value that could not be used.
    pub fn note(&mut self, what: &'static str) {
        let count = self.notes.entry(what).or_default();
        *count = count.saturating_add(1);
    }

    /// Damaged records so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.damaged
    }

    /// The first damaged records, in the order met.
    #[must_use]
    pub fn first(&self) -> &[DamagedRecord] {
        &self.kept
    }

    /// Notes with their counts, alphabetically.
    pub fn notes(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.notes.iter().map(|(what, count)| (*what, *count))
    }

    /// Adds what another collector holds; its records come after ours.
    pub fn merge(&mut self, other: Self) {
        self.damaged = self.damaged.saturating_add(other.damaged);
        let room = self.kept_limit.saturating_sub(self.kept.len());
        self.kept.extend(other.kept.into_iter().take(room));
        for (what, count) in other.notes {
            let sum = self.notes.entry(what).or_default();
            *sum = sum.saturating_add(count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_all_and_keeps_the_first() {
        let mut damage = Damage::new(2);
        for line in 1..=5 {
            damage.record("a.log", Position { line, byte_offset: line * 10 }, "bad".into());
        }
        damage.note("odd");
        let mut total = Damage::new(3);
        total.record("z.log", Position { line: 9, byte_offset: 90 }, "first".into());
        total.merge(damage);
        assert_eq!(total.count(), 6);
        let lines: Vec<_> = total.first().iter().map(|r| r.position.line).collect();
        assert_eq!(lines, [9, 1, 2]);
        assert_eq!(total.notes().collect::<Vec<_>>(), [("odd", 1)]);
        assert_eq!(total.first().first().map(ToString::to_string).as_deref(), Some("z.log line 9, byte 90: first"));
    }
}
