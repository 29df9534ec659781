//! The reader of reference tables: comma-separated lines, `#` comments, one header line that must match.
//!
//! Promises: a damaged line is named with its file, number and what is allowed; nothing is skipped silently. No quoting: reference
//! values hold no commas.
//!
//! Read next: `tables.rs`.

use crate::error::JoinError;

/// A line of a table, with its number.
#[derive(Debug, Clone)]
pub struct Line<'a> {
    file: &'a str,
    /// Number of the line, from 1.
    pub number: usize,
    /// Values, as many as the header has names.
    pub values: Vec<&'a str>,
}

impl Line<'_> {
    /// Value of a column; empty beyond the last.
    #[must_use]
    pub fn value(&self, column: usize) -> &str {
        self.values.get(column).copied().unwrap_or("")
    }

    /// The error of this line.
    #[must_use]
    pub fn damaged(&self, reason: String) -> JoinError {
        JoinError::Reference { file: self.file.to_owned(), line: self.number, reason }
    }

    /// A number, or the error that says what is allowed.
    ///
    /// # Errors
    /// If the value is no number in the range of `T`.
    pub fn number<T: std::str::FromStr>(&self, column: usize, allowed: &str) -> Result<T, JoinError> {
        self.value(column).parse().map_err(|_| self.damaged(format!("{:?} is not {allowed}", self.value(column))))
    }
}

/// Lines of `text`, which must begin (after comments) with `header`.
///
/// # Errors
/// If the header differs, a line has another number of values, or its first value is empty.
pub fn lines<'a>(file: &'a str, text: &'a str, header: &str) -> Result<Vec<Line<'a>>, JoinError> {
    let names = header.split(',').count();
    let mut lines = Vec::new();
    let mut header_seen = false;
    for (index, raw) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let text = raw.trim_end();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let line = Line { file, number: index + 1, values: text.split(',').collect() };
        if !header_seen {
            if text != header {
                return Err(line.damaged(format!("the header must be {header:?}")));
            }
            header_seen = true;
            continue;
        }
        if line.values.len() != names {
            return Err(line.damaged(format!("{} values where {names} are needed: {header}", line.values.len())));
        }
        if line.value(0).is_empty() {
            return Err(line.damaged("the first value is empty".to_owned()));
        }
        lines.push(line);
    }
    if !header_seen {
        let reason = format!("the header {header:?} is missing");
        return Err(JoinError::Reference { file: file.to_owned(), line: 1, reason });
    }
    Ok(lines)
}
