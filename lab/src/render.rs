//! Arrow batches to what people and programs read: tables, JSON Lines, CSV.
//!
//! Promises: no control character, escape sequence or bidirectional override reaches a terminal raw; a CSV cell that a
//! spreadsheet would execute is neutralised; JSON is one object per line; the same rows give the same bytes.
//!
//! Read next: `render/table.rs` (tables for people), `render/json.rs` (values as JSON), `cli/mod.rs`, which chooses the form; `ja4_replay::visible` (which characters act).

mod json;
mod table;

use std::io::{self, Write};

use duckdb::arrow::array::{Array, RecordBatch, StringArray};
use duckdb::arrow::datatypes::DataType;
use duckdb::arrow::util::display::{ArrayFormatter, FormatOptions};
pub use ja4_replay::visible::{json_text, visible, visible_json};

pub(crate) use self::json::json_value;
pub use self::table::{new_table, table};

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

fn csv_value(column: &dyn Array, row: usize) -> String {
    if is_null(column, row) { String::new() } else { csv_cell(&plain_value(column, row)) }
}

/// A column that is nothing but NULL has a type of its own, without a mask.
fn is_null(column: &dyn Array, row: usize) -> bool {
    column.is_null(row) || *column.data_type() == DataType::Null
}

/// Lists and records are written as JSON in every form.
fn plain_value(column: &dyn Array, row: usize) -> String {
    if column.data_type().is_nested() {
        return if column.is_null(row) { String::new() } else { json_value(column, row) };
    }
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
    fn a_spreadsheet_executes_no_cell() {
        assert_eq!(csv_cell("=cmd|' /C calc'!A0"), "\"'=cmd|' /C calc'!A0\"");
        assert_eq!(csv_cell("-1.5"), "-1.5");
        assert_eq!(csv_cell("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(csv_cell("plain"), "plain");
    }
}
