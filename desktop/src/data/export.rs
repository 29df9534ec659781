//! Out of the app: tables as CSV, JSON Lines and Parquet; a case as JSON and as an HTML report.
//!
//! Promises: a CSV cell that a spreadsheet would run is neutralised; JSON and HTML escape whatever would act; a file is complete or
//! not there; the same rows give the same bytes.
//!
//! Read next: `table.rs`, `../shell/case.rs` (what a case is).

use std::fmt::Write as _;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use duckdb::arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use ja4_lab::frame;
use ja4_lab::pseudonym::{Key, Pseudonyms};
use ja4_lab::render;

use super::table::{Column, Table};

/// Forms a table can leave in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Comma-separated, safe for spreadsheets.
    Csv,
    /// One JSON object a line.
    JsonLines,
    /// Columns with their types.
    Parquet,
}

impl Form {
    /// All, in the order of the menu.
    pub const ALL: [Self; 3] = [Self::Csv, Self::JsonLines, Self::Parquet];

    /// Name in menus.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "CSV",
            Self::JsonLines => "JSON Lines",
            Self::Parquet => "Parquet",
        }
    }

    /// End of the file's name.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
            Self::Parquet => "parquet",
        }
    }
}

/// Writes `rows` of a table.
///
/// # Errors
/// The file system's refusal, as a sentence.
pub fn write_table(path: &Path, form: Form, table: &Table) -> Result<(), String> {
    match form {
        Form::Csv => write_whole(path, |out| csv(out, table)),
        Form::JsonLines => write_whole(path, |out| json_lines(out, table)),
        Form::Parquet => {
            let batch = batch(table)?;
            let polars = frame::typed(&[batch]).map_err(|error| error.to_string())?;
            frame::write_parquet(polars, path).map_err(|error| error.to_string())
        }
    }
}

/// Writes through a temporary file beside the target, so that a half-written one is never seen.
///
/// # Errors
/// The file system's refusal, as a sentence.
pub fn write_whole(path: &Path, fill: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<(), String> {
    let fail = |error: std::io::Error| format!("write {}: {error}; choose another folder or free some space", path.display());
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    let part = PathBuf::from(name);
    let mut out = BufWriter::new(std::fs::File::create(&part).map_err(fail)?);
    let done = fill(&mut out).and_then(|()| out.flush()).and_then(|()| std::fs::rename(&part, path));
    done.map_err(|error| {
        let _ = std::fs::remove_file(&part);
        fail(error)
    })
}

/// Writes CSV with a header line.
///
/// # Errors
/// The writer's refusal.
pub fn csv(out: &mut dyn Write, table: &Table) -> std::io::Result<()> {
    let names: Vec<String> = table.names().iter().map(|name| render::csv_cell(name)).collect();
    writeln!(out, "{}", names.join(","))?;
    for row in 0..table.rows() {
        let cells: Vec<String> = (0..names.len()).map(|column| csv_cell(table, row, column)).collect();
        writeln!(out, "{}", cells.join(","))?;
    }
    Ok(())
}

fn csv_cell(table: &Table, row: usize, column: usize) -> String {
    match table.columns().get(column) {
        Some(Column::Float(values)) => {
            values.get(row).filter(|value| value.is_finite()).map(ToString::to_string).unwrap_or_default()
        }
        _ => render::csv_cell(&table.cell(row, column)),
    }
}

/// Writes one JSON object a line.
///
/// # Errors
/// The writer's refusal.
pub fn json_lines(out: &mut dyn Write, table: &Table) -> std::io::Result<()> {
    for row in 0..table.rows() {
        let cell = |(name, column): (&String, &Column)| {
            let value = match column {
                Column::Int(values) => values.get(row).map_or_else(|| "null".to_owned(), ToString::to_string),
                Column::Float(values) => match values.get(row) {
                    Some(value) if value.is_finite() => serde_json::json!(value).to_string(),
                    _ => "null".to_owned(),
                },
                Column::Text(texts) => render::json_text(texts.get(row)),
            };
            format!("{}:{value}", render::json_text(name))
        };
        let cells: Vec<String> = table.names().iter().zip(table.columns()).map(cell).collect();
        writeln!(out, "{{{}}}", cells.join(","))?;
    }
    Ok(())
}

fn batch(table: &Table) -> Result<RecordBatch, String> {
    let column = |column: &Column| -> ArrayRef {
        match column {
            Column::Int(values) => Arc::new(Int64Array::from(values.clone())),
            Column::Float(values) => Arc::new(Float64Array::from(values.clone())),
            Column::Text(texts) => Arc::new((0..table.rows()).map(|row| Some(texts.get(row))).collect::<StringArray>()),
        }
    };
    let columns = table.names().iter().zip(table.columns()).map(|(name, values)| (name.as_str(), column(values)));
    RecordBatch::try_from_iter(columns).map_err(|error| format!("write Parquet: {error}"))
}

/// The same rows with everything that names somebody replaced; what is kept is said in `ja4_lab::pseudonym`.
///
/// # Errors
/// None that a table of ours causes.
pub fn pseudonymised(table: &Table, key: Key) -> Result<Table, String> {
    let replaced = Pseudonyms::new(key).batch(&batch(table)?).map_err(|error| error.to_string())?;
    Ok(Table::from_batches(&[replaced]))
}

/// Text as HTML shows it: nothing acts, and what cannot be seen is shown escaped.
#[must_use]
pub fn html_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split('\n') {
        if !out.is_empty() {
            out.push('\n');
        }
        for c in render::visible(line).chars() {
            match c {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '"' => out.push_str("&quot;"),
                c => out.push(c),
            }
        }
    }
    out
}

/// A table as HTML, at most `limit` rows, with what was left out said.
#[must_use]
pub fn html_table(table: &Table, columns: &[&str], limit: usize) -> String {
    let mut out = String::from("<table><thead><tr>");
    let places: Vec<(usize, &str)> = columns.iter().filter_map(|name| table.position(name).map(|place| (place, *name))).collect();
    for (_, name) in &places {
        let _ = write!(out, "<th>{}</th>", html_text(name));
    }
    out.push_str("</tr></thead><tbody>\n");
    for row in 0..table.rows().min(limit) {
        out.push_str("<tr>");
        for (place, _) in &places {
            let _ = write!(out, "<td>{}</td>", html_text(&table.cell(row, *place)));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table>\n");
    if table.rows() > limit {
        let _ = writeln!(out, "<p>{} more rows are not shown here.</p>", table.rows() - limit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hostile() -> Table {
        Table::new(
            2,
            vec![
                ("ua", Column::Text(["=HYPERLINK(\"x\")", "<script>\u{202e}a,b"].into_iter().collect())),
                ("hits", Column::Int(vec![1, -2])),
                ("score", Column::Float(vec![0.5, f64::NAN])),
            ],
        )
    }

    #[test]
    fn a_spreadsheet_runs_nothing_and_a_browser_neither() {
        let mut out = Vec::new();
        csv(&mut out, &hostile()).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "ua,hits,score\n\"'=HYPERLINK(\"\"x\"\")\",1,0.5\n\"<script>\u{202e}a,b\",-2,\n");
        let html = html_table(&hostile(), &["ua", "none"], 1);
        assert!(html.contains("=HYPERLINK(&quot;x&quot;)") && html.contains("1 more rows"));
        assert_eq!(html_text("<a>\u{202e}"), "&lt;a&gt;\\u{202e}");
    }

    #[test]
    fn json_lines_can_be_read_back() {
        let mut out = Vec::new();
        json_lines(&mut out, &hostile()).unwrap();
        let rows: Vec<serde_json::Value> =
            String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(rows[1]["ua"], "<script>\u{202e}a,b");
        assert_eq!(rows[1]["score"], serde_json::Value::Null);
        assert_eq!(rows[0]["hits"], 1);
    }

    #[test]
    fn a_file_is_whole_or_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        let failed = write_whole(&path, |_| Err(std::io::Error::other("no")));
        assert!(failed.unwrap_err().contains("a.csv"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        for form in Form::ALL {
            let path = folder.path().join(format!("a.{}", form.extension()));
            write_table(&path, form, &hostile()).unwrap();
            assert!(std::fs::metadata(&path).unwrap().len() > 20);
        }
    }
}
