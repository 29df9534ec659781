//! Tables for people: as wide as the terminal, instants as UTC, numbers to the right.
//!
//! Promises: nothing is cut off. What is too wide for the terminal stands beneath its row, with its name; a row of very many columns
//! becomes a list. Without a terminal a table is as wide as it is.
//!
//! Read next: `../render.rs`.

use std::io::{self, Write};

use comfy_table::{Cell, CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use duckdb::arrow::array::{Array, Int64Array, RecordBatch};

use super::{plain_value, visible};

/// Columns that may stand beneath a row; with more of them a row is easier read as a list.
const BENEATH: usize = 6;
/// Columns that a table must keep beside each other to be one.
const BESIDE: usize = 2;
/// Decimals up to which a column's numbers are filled up with zeros; beyond, they are measurements of their own.
const ALIGNED: usize = 6;
/// Blanks between columns.
const GAP: usize = 3;

/// Writes `batches` as a table for people; `width` is the terminal's, where there is one. Instants (columns `…_ns` and `…_ms` that
/// hold a time since 1970) are written as UTC; the other forms keep the number.
///
/// # Errors
/// The writer's refusal.
pub fn table(out: &mut dyn Write, batches: &[RecordBatch], width: Option<u16>) -> io::Result<()> {
    let Some(first) = batches.first() else { return Ok(()) };
    let columns = (0..first.num_columns()).map(|index| Column::new(batches, index)).collect::<Vec<_>>();
    let rows = batches.iter().map(RecordBatch::num_rows).sum();
    let Some(width) = width.map(usize::from) else {
        return beside(columns.iter(), rows).lines().try_for_each(|line| writeln!(out, "{}", line.trim_end()));
    };
    let (mut kept, mut moved): (Vec<&Column>, Vec<&Column>) = (columns.iter().collect(), Vec::new());
    while kept.iter().map(|column| column.width + GAP).sum::<usize>() > width {
        let widest = kept.iter().enumerate().max_by_key(|(place, column)| (column.width, *place)).map(|(place, _)| place);
        moved.extend(widest.map(|place| kept.remove(place)));
    }
    if moved.len() > BENEATH || kept.len() < BESIDE {
        return list(out, &columns, rows, width);
    }
    moved.sort_by_key(|column| column.index);
    let table = beside(kept.iter().copied(), rows).to_string();
    let head = table.lines().count().saturating_sub(rows);
    for (place, line) in table.lines().enumerate() {
        writeln!(out, "{}", line.trim_end())?;
        if let Some(row) = place.checked_sub(head) {
            let indent = kept.first().map_or(0, |column| column.width) + GAP + 1;
            named(out, moved.iter().copied().filter(|column| !column.value(row).is_empty()), row, indent, width)?;
        }
    }
    Ok(())
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

/// A column as it is shown.
struct Column {
    index: usize,
    name: String,
    cells: Vec<String>,
    number: bool,
    /// Characters of the widest.
    width: usize,
}

impl Column {
    fn new(batches: &[RecordBatch], index: usize) -> Self {
        let field = batches.first().map(|batch| batch.schema().field(index).clone());
        let (name, number) =
            field.map_or((String::new(), false), |field| (visible(field.name()), field.data_type().is_numeric()));
        let mut cells = Vec::new();
        for column in batches.iter().filter_map(|batch| batch.columns().get(index)) {
            let cell = |row| instant(&name, column, row).unwrap_or_else(|| visible(&plain_value(column, row)));
            cells.extend((0..column.len()).map(cell));
        }
        if field_is_float(batches, index) {
            align(&mut cells);
        }
        let width = cells.iter().chain([&name]).map(|text| text.chars().count()).max().unwrap_or_default();
        Self { index, name, cells, number, width }
    }

    fn value(&self, row: usize) -> &str {
        self.cells.get(row).map_or("", String::as_str)
    }
}

fn beside<'a>(columns: impl Iterator<Item = &'a Column> + Clone, rows: usize) -> Table {
    let mut table = new_table(None);
    // What fits was chosen by the caller.
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(columns.clone().map(|column| Cell::new(&column.name)));
    for row in 0..rows {
        table.add_row(columns.clone().map(|column| {
            let cell = Cell::new(column.value(row));
            if column.number { cell.set_alignment(CellAlignment::Right) } else { cell }
        }));
    }
    table
}

fn field_is_float(batches: &[RecordBatch], index: usize) -> bool {
    batches.first().is_some_and(|batch| batch.schema().field(index).data_type().is_floating())
}

/// Points beneath each other: as many decimals as the cell with most of them has, where that is few.
fn align(cells: &mut [String]) {
    let decimals = |cell: &str| match cell.split_once('.') {
        Some((whole, behind)) if plain(whole) && plain(behind) => Some(behind.len()),
        None if cell.is_empty() => Some(0),
        _ => None,
    };
    let Some(most) = cells.iter().map(|cell| decimals(cell)).try_fold(0, |most, found| Some(most.max(found?))) else { return };
    if most > ALIGNED {
        return;
    }
    for cell in cells.iter_mut().filter(|cell| !cell.is_empty()) {
        let missing = most.saturating_sub(decimals(cell).unwrap_or(most));
        cell.extend(std::iter::repeat_n('0', missing));
    }
}

/// Digits, perhaps behind a sign; no exponent, and no word such as NaN.
fn plain(digits: &str) -> bool {
    digits.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit())
}

/// Every row as a list of names and values.
fn list(out: &mut dyn Write, columns: &[Column], rows: usize, width: usize) -> io::Result<()> {
    for row in 0..rows {
        let head = format!("── row {} ", row + 1);
        writeln!(out, "{head}{}", "─".repeat(width.saturating_sub(head.chars().count())))?;
        named(out, columns.iter(), row, 1, width)?;
    }
    Ok(())
}

/// One line for each of `columns`, more where the value is long.
fn named<'a>(
    out: &mut dyn Write,
    columns: impl Iterator<Item = &'a Column> + Clone,
    row: usize,
    indent: usize,
    width: usize,
) -> io::Result<()> {
    let names = columns.clone().map(|column| column.name.chars().count()).max().unwrap_or_default();
    let room = width.saturating_sub(indent + names + 2).max(20);
    for column in columns {
        let mut name = column.name.as_str();
        for line in wrapped(column.value(row), room) {
            writeln!(out, "{:indent$}{name:names$}  {line}", "")?;
            name = "";
        }
    }
    Ok(())
}

/// `text` in lines of at most `room` characters, broken at blanks where there are any.
fn wrapped(text: &str, room: usize) -> Vec<String> {
    let (mut lines, mut line, mut used) = (Vec::new(), String::new(), 0);
    for word in text.split(' ') {
        let mut letters: Vec<char> = word.chars().collect();
        if !line.is_empty() {
            if used + 1 + letters.len() <= room {
                line.push(' ');
                used += 1;
            } else {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
        }
        while used + letters.len() > room {
            let rest = letters.split_off(room - used);
            line.extend(letters);
            lines.push(std::mem::take(&mut line));
            (letters, used) = (rest, 0);
        }
        used += letters.len();
        line.extend(letters);
    }
    lines.push(line);
    lines
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use duckdb::arrow::array::{ArrayRef, StringArray};

    use super::*;

    fn shown(columns: &[(&str, &[&str])], width: Option<u16>) -> String {
        let columns = columns.iter().map(|(name, cells)| (*name, Arc::new(StringArray::from(cells.to_vec())) as ArrayRef));
        let mut out = Vec::new();
        table(&mut out, &[RecordBatch::try_from_iter(columns).unwrap()], width).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_too_wide_stands_beneath_its_row() {
        let reason = "never a Referer (people: 81 % to 100 %); 51 ms from page to page";
        let columns: [(&str, &[&str]); 3] =
            [("rank", &["1", "2"]), ("host", &["shop.example", "blog.example"]), ("reason", &[reason, ""])];
        assert_eq!(
            shown(&columns, Some(48)),
            " rank   host\n─────────────────────\n 1      shop.example\n        reason  never a Referer (people: 81 % to\n                \
             100 %); 51 ms from page to page\n 2      blog.example\n"
        );
        // A pipe gets everything in one line a row.
        assert_eq!(shown(&columns, None).lines().count(), 4);
    }

    #[test]
    fn a_row_of_very_many_columns_is_a_list() {
        let names: Vec<String> = (0..30).map(|number| format!("column_{number}")).collect();
        let columns: Vec<(&str, &[&str])> = names.iter().map(|name| (name.as_str(), &["value"][..])).collect();
        let text = shown(&columns, Some(60));
        assert_eq!(text.lines().count(), 31);
        assert!(text.starts_with("── row 1 ─") && text.contains("\n column_7   value\n"), "{text}");
    }

    #[test]
    fn points_stand_beneath_each_other() {
        let aligned = |cells: &[&str]| {
            let mut cells: Vec<String> = cells.iter().map(|cell| (*cell).to_owned()).collect();
            align(&mut cells);
            cells
        };
        assert_eq!(aligned(&["0.997", "-1.0", "", "0.9971"]), ["0.9970", "-1.0000", "", "0.9971"]);
        assert_eq!(aligned(&["0.1234567", "1.0"]), ["0.1234567", "1.0"]);
        assert_eq!(aligned(&["NaN", "1.0", "1e-9"]), ["NaN", "1.0", "1e-9"]);
    }

    #[test]
    fn a_long_word_is_broken_and_nothing_is_lost() {
        assert_eq!(wrapped("ab cdefghij k", 4), ["ab", "cdef", "ghij", "k"]);
        assert_eq!(wrapped("", 4), [""]);
        assert_eq!(wrapped("äöü ß", 5), ["äöü ß"]);
    }

    #[test]
    fn a_table_shows_instants_as_people_read_them_and_gaps_as_numbers() {
        let instant = |name: &str, value: i64| instant(name, &Int64Array::from(vec![value]), 0);
        assert_eq!(instant("first_ns", 1_795_203_233_663_251_000).as_deref(), Some("2026-11-20 19:33:53.663"));
        assert_eq!(instant("win_ms", 1_795_201_200_000).as_deref(), Some("2026-11-20 19:00:00.000"));
        assert_eq!((instant("gap_ns", 3_600_000_000_000), instant("bytes", 1_795_203_233_663_251_000)), (None, None));
        assert_eq!(super::instant("first_ns", &Int64Array::from(vec![None]), 0), None);
    }
}
