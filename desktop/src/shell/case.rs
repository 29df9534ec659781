//! A case: searches, notes, sessions of interest, and what the figures rest on, as one JSON file that opens elsewhere.
//!
//! Promises: the file names inputs by hash, models by id and runs by digest, so that opening it beside another database says what is
//! the same and what is missing; it holds no rows; the report is one HTML file that loads nothing.
//!
//! Read next: `../data/export.rs`.

use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::data::export::{self, html_table, html_text};
use crate::data::table::Table;

/// Version of the file.
const VERSION: u32 = 1;

/// A case.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// Version of the file's form.
    pub version: u32,
    /// Title.
    pub title: String,
    /// The database it was made with, as a hint.
    pub database: String,
    /// Lines that the analyst wrote.
    pub notes: Vec<String>,
    /// Searches.
    pub searches: Vec<CaseSearch>,
    /// Sessions of interest.
    pub sessions: Vec<String>,
    /// Inputs by hash.
    pub inputs: Vec<CaseInput>,
    /// Models by kind and id.
    pub models: Vec<String>,
    /// Digests of the runs.
    pub runs: Vec<CaseRun>,
    /// Name of the key under whose pseudonyms rows left; never the key.
    #[serde(default)]
    pub pseudonyms: String,
}

/// A search with its span.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseSearch {
    /// Text.
    pub text: String,
    /// Span, ns, end excluded.
    pub span: Option<(i64, i64)>,
}

/// An input.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseInput {
    /// `capture` or `http_log`.
    pub kind: String,
    /// Name.
    pub name: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
}

/// A run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseRun {
    /// Command.
    pub command: String,
    /// Settings, with seeds.
    pub config: String,
    /// Digest of the rows.
    pub rows: String,
    /// Digest of the scores.
    pub scores: String,
}

impl Case {
    /// Takes down what the figures rest on.
    pub fn record(&mut self, database: &str, inputs: Option<&Table>, models: Option<&Table>, runs: Option<&Table>) {
        self.version = VERSION;
        database.clone_into(&mut self.database);
        if let Some(table) = inputs {
            let input = |row: usize| CaseInput {
                kind: table.text(row, "kind").into_owned(),
                name: table.text(row, "name").into_owned(),
                sha256: table.text(row, "content_hash").into_owned(),
            };
            self.inputs = (0..table.rows()).map(input).collect();
        }
        if let Some(table) = models {
            self.models = (0..table.rows())
                .map(|row| format!("{} {}", table.text(row, "model_kind"), table.text(row, "model_id")))
                .collect();
        }
        if let Some(table) = runs {
            let run = |row: usize| CaseRun {
                command: table.text(row, "command").into_owned(),
                config: table.text(row, "config").into_owned(),
                rows: table.text(row, "rows_digest").into_owned(),
                scores: table.text(row, "scores_digest").into_owned(),
            };
            self.runs = (0..table.rows()).map(run).collect();
        }
    }

    /// What the open database lacks or has otherwise; empty where every figure can be made again.
    #[must_use]
    pub fn missing(&self, inputs: Option<&Table>, models: Option<&Table>, runs: Option<&Table>) -> Vec<String> {
        let mut missing = Vec::new();
        let known = |table: Option<&Table>, column: &str, value: &str| {
            table.is_some_and(|table| (0..table.rows()).any(|row| table.text(row, column) == value))
        };
        for input in &self.inputs {
            if !known(inputs, "content_hash", &input.sha256) {
                missing.push(format!("input {} ({}, SHA-256 {}) was not imported here", input.name, input.kind, input.sha256));
            }
        }
        for model in &self.models {
            let id = model.rsplit(' ').next().unwrap_or_default();
            if !known(models, "model_id", id) {
                missing.push(format!("model {model} did not score here; its scores may differ"));
            }
        }
        for run in self.runs.iter().filter(|run| !run.scores.is_empty()) {
            if !known(runs, "scores_digest", &run.scores) {
                let short = run.scores.get(..16).unwrap_or(&run.scores);
                missing.push(format!("no {} here gave the scores {short} (settings {})", run.command, run.config));
            }
        }
        missing
    }

    /// Reads a case file.
    ///
    /// # Errors
    /// It cannot be read, is no case, or from a newer version; a sentence.
    pub fn load(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("read case {}: {error}", path.display()))?;
        let case: Self =
            serde_json::from_str(&text).map_err(|error| format!("read case {}: {error}; it is no case file", path.display()))?;
        if case.version > VERSION {
            return Err(format!(
                "read case {}: version {} is newer than this program knows ({VERSION})",
                path.display(),
                case.version
            ));
        }
        Ok(case)
    }

    /// Writes it.
    ///
    /// # Errors
    /// The file system's refusal; a sentence.
    pub fn save(&self, path: &Path) -> Result<(), String> {
        export::write_whole(path, |out| serde_json::to_writer_pretty(out, self).map_err(std::io::Error::other))
    }

    /// The case as one page: notes, searches, sessions with their explanations, what it rests on.
    #[must_use]
    pub fn report(&self, sessions: Option<&Table>, explanation: Option<&str>, charts: &[String]) -> String {
        let mut out = String::from("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
        let title = if self.title.is_empty() { "Case" } else { &self.title };
        let _ = writeln!(
            out,
            "<title>{}</title>\n<style>{STYLE}</style></head><body>\n<h1>{}</h1>",
            html_text(title),
            html_text(title)
        );
        let _ = writeln!(out, "<p>Database {}</p>", html_text(&self.database));
        out.push_str("<h2>Notes</h2>\n");
        out.push_str(if self.notes.is_empty() { "<p>None.</p>\n" } else { "<ul>\n" });
        for note in &self.notes {
            let _ = writeln!(out, "<li>{}</li>", html_text(note));
        }
        out.push_str(if self.notes.is_empty() { "" } else { "</ul>\n" });
        out.push_str("<h2>Searches</h2>\n<ul>\n");
        for search in &self.searches {
            let span = search
                .span
                .map(|(from, to)| format!(", {} to {}", crate::widgets::text::time(from), crate::widgets::text::time(to)));
            let _ = writeln!(out, "<li><code>{}</code>{}</li>", html_text(&search.text), span.unwrap_or_default());
        }
        out.push_str("</ul>\n");
        for chart in charts {
            out.push_str(chart);
        }
        if let Some(table) = sessions {
            out.push_str("<h2>Sessions</h2>\n");
            out.push_str(&html_table(
                table,
                &["score", "severity", "src_ip", "host", "hits", "ua_family", "ja4", "reason", "session_id"],
                100,
            ));
        }
        if let Some(text) = explanation {
            let _ = writeln!(out, "<h2>Explanation</h2>\n<pre>{}</pre>", html_text(text));
        }
        out.push_str(
            "<h2>What it rests on</h2>\n<table><thead><tr><th>kind</th><th>name</th><th>SHA-256</th></tr></thead><tbody>\n",
        );
        for input in &self.inputs {
            let _ = writeln!(
                out,
                "<tr><td>{}</td><td>{}</td><td><code>{}</code></td></tr>",
                html_text(&input.kind),
                html_text(&input.name),
                html_text(&input.sha256)
            );
        }
        out.push_str("</tbody></table>\n<ul>\n");
        for model in &self.models {
            let _ = writeln!(out, "<li>model {}</li>", html_text(model));
        }
        for run in &self.runs {
            let _ = writeln!(
                out,
                "<li>run {}: rows {}, scores {}</li>",
                html_text(&run.command),
                html_text(&run.rows),
                html_text(&run.scores)
            );
        }
        out.push_str("</ul>\n</body></html>\n");
        out
    }
}

const STYLE: &str = "body{font:14px/1.45 sans-serif;max-width:75em;margin:2em auto;padding:0 1em;color:#1c2128}\
table{border-collapse:collapse;width:100%}td,th{border:1px solid #d0d5dc;padding:3px 6px;text-align:left;vertical-align:top;word-break:break-word}\
th{background:#f1f3f6}pre{background:#f1f3f6;padding:1em;overflow:auto}code{font-size:12px}svg{max-width:100%}";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::table::Column;

    fn inputs(hash: &str) -> Table {
        let text = |value: &str| Column::Text([value].into_iter().collect());
        Table::new(1, vec![("kind", text("capture")), ("name", text("a.pcap")), ("content_hash", text(hash))])
    }

    #[test]
    fn a_case_opens_elsewhere_and_says_what_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.case.json");
        let mut case = Case { notes: vec!["<b>it</b>".to_owned()], ..Case::default() };
        case.searches.push(CaseSearch { text: "score:>0.8".to_owned(), span: Some((1, 2)) });
        case.record("here.duckdb", Some(&inputs("aa")), None, None);
        case.save(&path).unwrap();
        let read = Case::load(&path).unwrap();
        assert_eq!(read, case);
        assert!(read.missing(Some(&inputs("aa")), None, None).is_empty());
        assert!(read.missing(Some(&inputs("bb")), None, None)[0].contains("a.pcap"));
        let html = read.report(Some(&inputs("aa")), Some("a < b"), &[]);
        assert!(html.contains("&lt;b&gt;it&lt;/b&gt;") && html.contains("a &lt; b") && !html.contains("http"));
    }

    #[test]
    fn what_is_no_case_is_refused_with_a_sentence() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        assert!(Case::load(&path).unwrap_err().contains("read case"));
        std::fs::write(&path, "{\"version\": 99, \"title\": \"\", \"database\": \"\", \"notes\": [], \"searches\": [], \"sessions\": [], \"inputs\": [], \"models\": [], \"runs\": []}").unwrap();
        assert!(Case::load(&path).unwrap_err().contains("newer"));
        std::fs::write(&path, "[]").unwrap();
        assert!(Case::load(&path).unwrap_err().contains("no case file"));
    }
}
