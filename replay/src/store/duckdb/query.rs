//! Reading: one statement in, Arrow batches out; and digests of whole tables, streamed.
//!
//! Promises: only statements that read are run; a digest never holds more than keys and hashes in memory.
//!
//! Read next: `../../digest.rs`.

use duckdb::arrow::array::RecordBatch;

use super::DuckDb;
use crate::ReplayError;
use crate::digest::TableDigest;

/// First words of statements that only read.
const READERS: &[&str] = &["select", "with", "describe", "show", "explain", "summarize", "from", "values", "table"];

pub(super) fn query(store: &DuckDb, sql: &str) -> Result<Vec<RecordBatch>, ReplayError> {
    only_reads(sql)?;
    let fail = |error: duckdb::Error| store.fail("query", &error);
    let mut statement = store.connection.prepare(sql).map_err(fail)?;
    let arrow = statement.stream_arrow([]).map_err(fail)?;
    let schema = arrow.get_schema();
    let mut batches = arrow.collect::<Result<Vec<RecordBatch>, _>>().map_err(fail)?;
    if batches.is_empty() {
        batches.push(RecordBatch::new_empty(schema));
    }
    Ok(batches)
}

pub(super) fn ask(store: &DuckDb, sql: &str, values: &[&str]) -> Result<Vec<RecordBatch>, ReplayError> {
    let fail = |error: duckdb::Error| store.fail("query", &error);
    let mut statement = store.connection.prepare(sql).map_err(fail)?;
    let arrow = statement.stream_arrow(duckdb::params_from_iter(values.iter())).map_err(fail)?;
    arrow.collect::<Result<_, _>>().map_err(fail)
}

impl DuckDb {
    /// Digest of the rows that `sql` (a text of ours) gives; its first `key_columns` columns are the key.
    ///
    /// # Errors
    /// The engine's refusal, or a column type that has no canonical form.
    pub(super) fn table_digest(&self, sql: &'static str, key_columns: usize) -> Result<String, ReplayError> {
        let fail = |error: duckdb::Error| self.fail("digest", &error);
        let mut statement = self.connection.prepare(sql).map_err(fail)?;
        let mut digest = TableDigest::new();
        for batch in statement.stream_arrow([]).map_err(fail)? {
            let batch = batch.map_err(fail)?;
            digest.add(&batch, key_columns).map_err(|error| ReplayError::Engine {
                operation: "digest",
                path: self.path.clone(),
                detail: error.to_string(),
            })?;
        }
        Ok(digest.finish())
    }
}

fn only_reads(sql: &str) -> Result<(), ReplayError> {
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
    use super::only_reads;

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
            assert!(only_reads(good).is_ok(), "{good}");
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
            assert!(only_reads(bad).is_err(), "{bad}");
        }
    }
}
