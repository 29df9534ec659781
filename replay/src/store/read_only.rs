//! Whether a statement that a person typed only reads: the first of two nets, the engine's own read-only mode is the second.
//!
//! Promises: more than one statement is refused, so is anything that does not begin with a reading word.
//!
//! Read next: `duckdb/query.rs`, `clickhouse/mod.rs`.

use crate::ReplayError;

/// First words of statements that only read.
const READERS: &[&str] = &["select", "with", "describe", "show", "explain", "summarize", "from", "values", "table"];

/// Refuses what is not a single reading statement.
///
/// # Errors
/// A sentence about what was found.
pub(super) fn check(sql: &str) -> Result<(), ReplayError> {
    let text = skip_comments(sql);
    let word: String = text.chars().take_while(|c| c.is_ascii_alphabetic()).collect::<String>().to_ascii_lowercase();
    if second_statement(text) {
        return Err(ReplayError::NotReadOnly { detail: "more than one statement was given".to_owned() });
    }
    if READERS.contains(&word.as_str()) || text.starts_with('(') {
        return Ok(());
    }
    let detail = if word.is_empty() { "no statement was given".to_owned() } else { format!("this one begins with {word:?}") };
    Err(ReplayError::NotReadOnly { detail })
}

/// Whether anything but blanks and comments follows a semicolon that stands outside quotes and comments.
fn second_statement(sql: &str) -> bool {
    let mut rest = sql;
    while let Some(at) = rest.find(['\'', '"', ';', '-', '/']) {
        let (_, found) = rest.split_at_checked(at).unwrap_or(("", ""));
        let mut after = found.chars();
        let first = after.next();
        rest = match first {
            Some(quote @ ('\'' | '"')) => after.as_str().split_once(quote).map_or("", |(_, rest)| rest),
            Some(';') => {
                let next = skip_comments(after.as_str());
                if !next.is_empty() && !next.starts_with(';') {
                    return true;
                }
                next
            }
            _ if found.starts_with("--") || found.starts_with("/*") => skip_comments(found),
            _ => after.as_str(),
        };
    }
    false
}

fn skip_comments(sql: &str) -> &str {
    let mut text = sql.trim_start();
    loop {
        let rest = if let Some(line) = text.strip_prefix("--") {
            line.split_once('\n').map_or("", |(_, rest)| rest)
        } else if let Some(block) = text.strip_prefix("/*") {
            block.split_once("*/").map_or("", |(_, rest)| rest)
        } else {
            return text;
        };
        text = rest.trim_start();
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn only_statements_that_read_pass() {
        for good in [
            "select 1",
            "  WITH a AS (select 1) FROM a",
            "-- why\nselect 1",
            "/* x */ (select 1)",
            "DESCRIBE t",
            "select ';a' ; -- end",
            "select 1 -- ; drop",
        ] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "-- nothing",
            "delete from t",
            "COPY t TO 'x'",
            "attach 'x'",
            "pragma x",
            "; select 1",
            "select 1; drop table t",
            "select ';' ; /* ; */ drop table t",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
