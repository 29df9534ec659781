//! Arrow batches to what people and programs read: tables, JSON Lines, CSV.
//!
//! Promises: no control character, escape sequence or bidirectional override reaches a terminal raw; a CSV cell that a
//! spreadsheet would execute is neutralised; JSON is one object per line; the same rows give the same bytes.
//!
//! Read next: `cli/mod.rs`, which chooses the form; `ja4_replay::visible` (which characters act).

use std::io::{self, Write};

use comfy_table::{Cell, CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use duckdb::arrow::array::{Array, Float64Array, Int64Array, RecordBatch, StringArray};
use duckdb::arrow::util::display::{ArrayFormatter, FormatOptions};
pub use ja4_replay::visible::{json_text, visible, visible_json};

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

/// Writes `batches` as a table for people; `width` is the terminal's, where there is one. Instants (columns `…_ns` and `…_ms` that
/// hold a time since 1970) are written as UTC; the other forms keep the number.
///
/// # Errors
/// The writer's refusal.
pub fn table(out: &mut dyn Write, batches: &[RecordBatch], width: Option<u16>) -> io::Result<()> {
    let Some(first) = batches.first() else { return Ok(()) };
    let mut table = new_table(width);
    table.set_header(first.schema().fields().iter().map(|field| Cell::new(visible(field.name()))));
    for batch in batches {
        let schema = batch.schema();
        for row in 0..batch.num_rows() {
            table.add_row(schema.fields().iter().zip(batch.columns()).map(|(field, column)| {
                if let Some(time) = instant(field.name(), column.as_ref(), row) {
                    return Cell::new(time);
                }
                let cell = Cell::new(visible(&plain_value(column.as_ref(), row)));
                if is_number(column.as_ref()) { cell.set_alignment(CellAlignment::Right) } else { cell }
            }));
        }
    }
    writeln!(out, "{table}")
}

/// The instant that a cell holds, as UTC to the millisecond. A gap or a latency has the same endings to its name, but is never
/// thirty years long.
fn instant(name: &str, column: &dyn Array, row: usize) -> Option<String> {
    let unit_ns: i64 = match name.rsplit_once('_') {
        Some((_, "ns")) => 1,
        Some((_, "ms")) => 1_000_000,
        _ => return None,
    };
    let values = column.as_any().downcast_ref::<Int64Array>().filter(|values| values.is_valid(row))?;
    let ns = values.value(row).checked_mul(unit_ns).filter(|ns| *ns > 1_000_000_000_000_000_000)?;
    let time = jiff::Timestamp::from_nanosecond(i128::from(ns)).ok()?;
    Some(time.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string())
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

/// As [`visible`], with line ends left as they are.
#[must_use]
pub fn visible_lines(text: &str) -> String {
    text.lines().map(visible).collect::<Vec<_>>().join("\n")
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
    fn a_table_shows_instants_as_people_read_them_and_gaps_as_numbers() {
        let instant = |name: &str, value: i64| instant(name, &Int64Array::from(vec![value]), 0);
        assert_eq!(instant("first_ns", 1_795_203_233_663_251_000).as_deref(), Some("2026-11-20 19:33:53.663"));
        assert_eq!(instant("win_ms", 1_795_201_200_000).as_deref(), Some("2026-11-20 19:00:00.000"));
        assert_eq!((instant("gap_ns", 3_600_000_000_000), instant("bytes", 1_795_203_233_663_251_000)), (None, None));
        assert_eq!(super::instant("first_ns", &Int64Array::from(vec![None]), 0), None);
    }

    #[test]
    fn a_spreadsheet_executes_no_cell() {
        assert_eq!(csv_cell("=cmd|' /C calc'!A0"), "\"'=cmd|' /C calc'!A0\"");
        assert_eq!(csv_cell("-1.5"), "-1.5");
        assert_eq!(csv_cell("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(csv_cell("plain"), "plain");
    }
}
