//! Statements of the interface: what each SQL file says of its own filters and sort keys, and the texts made from those pieces.
//!
//! Promises: a text consists of pieces of files in `sql/` and of two words of ours (ASC, DESC): only `&'static str` can enter it,
//! never anything of a request; values reach it as parameters.
//!
//! Read next: `sql/shared/queries/api_*.sql`, `endpoints.rs`.

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
}

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
        Self { text, filters, sorts }
    }

    /// The statement with these filters (positions in [`Shape::filters`], ascending), sorted by the sort key at `sort`.
    #[must_use]
    pub fn statement(&self, filters: &[usize], sort: usize, descending: bool) -> String {
        let clauses: Vec<&'static str> =
            filters.iter().filter_map(|place| self.filters.get(*place)).map(|filter| filter.clause).collect();
        let text = self.text.replace("/*filters*/", &clauses.join(" "));
        let (Some(default), Some(key)) = (self.sorts.first(), self.sorts.get(sort)) else { return text };
        let direction = if descending { "DESC" } else { "ASC" };
        text.replace(&format!("/*sort*/ {default} DESC"), &format!("{key} {direction}"))
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
