//! Arrow batches to what people and programs read: tables, JSON Lines, CSV.
//!
//! Promises: no control character, escape sequence or bidirectional override reaches a terminal raw; a CSV cell that a
//! spreadsheet would execute is neutralised; JSON is one object per line; the same rows give the same bytes.
//!
//! Read next: `cli/mod.rs`, which chooses the form.

use std::fmt::Write as _;
use std::io::{self, Write};

use comfy_table::{Cell, CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use duckdb::arrow::array::{Array, Float64Array, Int64Array, RecordBatch, StringArray};
use duckdb::arrow::util::display::{ArrayFormatter, FormatOptions};

/// Writes `batches` as JSON Lines.
///
/// # Errors
/// The writer's refusal.
pub fn jsonl(out: &mut dyn Write, batches: &[RecordBatch]) -> io::Result<()> {
    for batch in batches {
        let schema = batch.schema();
        for row in 0..batch.num_rows() {
            let mut line = String::from("{");
            for (index, (field, column)) in schema.fields().iter().zip(batch.columns()).enumerate() {
                if index > 0 {
                    line.push(',');
                }
                line.push_str(&json_text(field.name()));
                line.push(':');
                line.push_str(&json_value(column.as_ref(), row));
            }
            line.push_str("}\n");
            out.write_all(line.as_bytes())?;
        }
    }
    Ok(())
}

/// Writes `batches` as CSV with a header line.
///
/// # Errors
/// The writer's refusal.
pub fn csv(out: &mut dyn Write, batches: &[RecordBatch]) -> io::Result<()> {
    let Some(first) = batches.first() else { return Ok(()) };
    let names: Vec<String> = first.schema().fields().iter().map(|field| csv_cell(field.name())).collect();
    writeln!(out, "{}", names.join(","))?;
    for batch in batches {
        for row in 0..batch.num_rows() {
            let cells: Vec<String> = batch.columns().iter().map(|column| csv_value(column.as_ref(), row)).collect();
            writeln!(out, "{}", cells.join(","))?;
        }
    }
    Ok(())
}

/// Writes `batches` as a table for people; `width` is the terminal's, where there is one.
///
/// # Errors
/// The writer's refusal.
pub fn table(out: &mut dyn Write, batches: &[RecordBatch], width: Option<u16>) -> io::Result<()> {
    let Some(first) = batches.first() else { return Ok(()) };
    let mut table = new_table(width);
    table.set_header(first.schema().fields().iter().map(|field| Cell::new(visible(field.name()))));
    for batch in batches {
        for row in 0..batch.num_rows() {
            table.add_row(batch.columns().iter().map(|column| {
                let cell = Cell::new(visible(&plain_value(column.as_ref(), row)));
                if is_number(column.as_ref()) { cell.set_alignment(CellAlignment::Right) } else { cell }
            }));
        }
    }
    writeln!(out, "{table}")
}

/// An empty table in the house style.
#[must_use]
pub fn new_table(width: Option<u16>) -> Table {
    let style = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));
    let mut table = Table::new();
    table.load_style(style).set_content_arrangement(ContentArrangement::Dynamic);
    if let Some(width) = width {
        table.set_width(width);
    }
    table
}

/// `text` with everything that would act on a terminal shown as an escape.
#[must_use]
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if acts(c) {
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    shown
}

/// As [`visible`], with line ends left as they are.
#[must_use]
pub fn visible_lines(text: &str) -> String {
    text.lines().map(visible).collect::<Vec<_>>().join("\n")
}

/// Controls (C0, DEL, C1), line and paragraph separators, bidirectional controls, zero-width and tag characters.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
        || matches!(c, '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A JSON string in which acting characters are `\uXXXX`, so that printing it is harmless.
#[must_use]
pub fn json_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len().saturating_add(2));
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if acts(c) => {
                let mut units = [0_u16; 2];
                for unit in c.encode_utf16(&mut units) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// JSON that another writer made, with the acting characters inside its texts as `\uXXXX`.
#[must_use]
pub fn visible_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if acts(c) {
            let mut units = [0_u16; 2];
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// A CSV cell: quoted where needed, and with a leading apostrophe where a spreadsheet would run it.
#[must_use]
pub fn csv_cell(text: &str) -> String {
    let text: String = text.chars().filter(|c| *c != '\0').collect();
    let risky = text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.parse::<f64>().is_err();
    let text = if risky { format!("'{text}") } else { text };
    if text.contains([',', '"', '\n', '\r']) || risky { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

fn is_number(column: &dyn Array) -> bool {
    column.data_type().is_numeric()
}

fn json_value(column: &dyn Array, row: usize) -> String {
    if column.is_null(row) {
        return "null".to_owned();
    }
    let any = column.as_any();
    if let Some(values) = any.downcast_ref::<Int64Array>() {
        return values.value(row).to_string();
    }
    if let Some(values) = any.downcast_ref::<Float64Array>() {
        let value = values.value(row);
        return if value.is_finite() { serde_json::json!(value).to_string() } else { "null".to_owned() };
    }
    let text = plain_value(column, row);
    let bare = column.data_type().is_numeric() || matches!(text.as_str(), "true" | "false") && !is_text(column);
    if bare { text } else { json_text(&text) }
}

fn csv_value(column: &dyn Array, row: usize) -> String {
    if column.is_null(row) { String::new() } else { csv_cell(&plain_value(column, row)) }
}

fn is_text(column: &dyn Array) -> bool {
    column.as_any().is::<StringArray>()
}

fn plain_value(column: &dyn Array, row: usize) -> String {
    if let Some(values) = column.as_any().downcast_ref::<StringArray>() {
        return if values.is_null(row) { String::new() } else { values.value(row).to_owned() };
    }
    let options = FormatOptions::default();
    ArrayFormatter::try_new(column, &options).map(|formatter| formatter.value(row).to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_a_terminal_raw() {
        let hostile = "a\u{1b}]0;x\u{7}\r\n\u{202e}b\u{200b}\u{9b}31m";
        assert!(!visible(hostile).chars().any(acts));
        let json = json_text(hostile);
        assert!(!json.chars().any(acts));
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), hostile);
        let astral = "\u{e0041}";
        assert_eq!(serde_json::from_str::<String>(&json_text(astral)).unwrap(), astral);
    }

    #[test]
    fn a_spreadsheet_executes_no_cell() {
        assert_eq!(csv_cell("=cmd|' /C calc'!A0"), "\"'=cmd|' /C calc'!A0\"");
        assert_eq!(csv_cell("-1.5"), "-1.5");
        assert_eq!(csv_cell("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(csv_cell("plain"), "plain");
    }
}
