//! Statements of the interface: what each SQL file says of its own filters and sort keys, and the texts made from those pieces.
//!
//! Promises: a text consists of pieces of files in `sql/` and of two words of ours (ASC, DESC), never of a request; values reach it
//! as parameters. A text is made once and kept: the pieces allow a bounded number, because a request combines at most
//! [`MOST_FILTERS`] filters (about 5 MB if someone asked for all of them).
//!
//! Read next: `sql/shared/queries/api_*.sql`, `endpoints.rs`.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use ja4_replay::store::Statement;

/// Filters that one request may combine, beside the time range.
pub const MOST_FILTERS: usize = 4;

/// What the values of a filter may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An IP address, written in any form.
    Address,
    /// Any text up to [`super::params::LONGEST_VALUE`] characters.
    Text,
    /// A severity.
    Severity,
    /// 0 to 1.
    Share,
    /// A whole number from 0.
    Count,
    /// 0 or 1.
    Flag,
}

/// One filter.
#[derive(Debug, Clone, Copy)]
pub struct Filter {
    /// Name of the query parameter.
    pub name: &'static str,
    /// Its values.
    pub kind: Kind,
    clause: &'static str,
}

impl Filter {
    /// How often the value is given to the statement.
    #[must_use]
    pub fn uses(&self) -> usize {
        self.clause.matches('?').count()
    }
}

/// What a SQL file allows.
#[derive(Debug, Clone)]
pub struct Shape {
    text: &'static str,
    /// In the order of the file.
    pub filters: Vec<Filter>,
    /// Columns that answers may be sorted by; the first is the default, downwards.
    pub sorts: Vec<&'static str>,
    made: &'static Made,
}

/// Texts made so far, by filters (bits), sort key and direction.
type Made = Mutex<BTreeMap<(u32, usize, bool), &'static str>>;

impl Shape {
    /// Reads the head of a file.
    #[must_use]
    pub fn read(text: &'static str) -> Self {
        let mut filters = Vec::new();
        let mut sorts = Vec::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("-- filter ") {
                filters.extend(filter(rest));
            } else if let Some(rest) = line.strip_prefix("-- sort: ") {
                sorts = rest.split(", ").collect();
            }
        }
        Self { text, filters, sorts, made: Box::leak(Box::default()) }
    }

    /// The statement with these filters (positions in [`Shape::filters`]), sorted by the sort key at `sort`.
    #[must_use]
    pub fn statement(&self, filters: &[usize], sort: usize, descending: bool) -> Statement {
        let bits =
            filters.iter().fold(0_u32, |bits, place| bits | 1_u32.checked_shl(u32::try_from(*place).unwrap_or(31)).unwrap_or(0));
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let text =
            made.entry((bits, sort, descending)).or_insert_with(|| Box::leak(self.make(bits, sort, descending).into_boxed_str()));
        Statement::shared(text)
    }

    fn make(&self, bits: u32, sort: usize, descending: bool) -> String {
        let chosen = self.filters.iter().enumerate().filter(|(place, _)| bits >> place & 1 == 1);
        let clauses: Vec<&str> = chosen.map(|(_, filter)| filter.clause).collect();
        let mut text = self.text.replace("/*filters*/", &clauses.join(" "));
        if let (Some(default), Some(key)) = (self.sorts.first(), self.sorts.get(sort)) {
            let direction = if descending { "DESC" } else { "ASC" };
            text = text.replace(&format!("/*sort*/ {default} DESC"), &format!("{key} {direction}"));
        }
        text
    }
}

/// `NAME (KIND): AND …`
fn filter(line: &'static str) -> Option<Filter> {
    let (name, rest) = line.split_once(" (")?;
    let (kind, clause) = rest.split_once("): ")?;
    let kind = match kind {
        "address" => Kind::Address,
        "text" => Kind::Text,
        "severity" => Kind::Severity,
        "share" => Kind::Share,
        "count" => Kind::Count,
        "flag" => Kind::Flag,
        _ => return None,
    };
    Some(Filter { name, kind, clause })
}
