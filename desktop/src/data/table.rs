//! An answer as typed columns: what every view, chart and export reads.
//!
//! Promises: integers and doubles stay numbers, everything else is text; a cell is found in constant time whatever the number of
//! rows; an order is total (ties keep their place), so the same rows sort the same on every machine.
//!
//! Read next: `worker.rs` (who makes tables), `../widgets/grid.rs` (who shows them).

use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::atomic::{AtomicBool, Ordering as AtomicOrdering};

use duckdb::arrow::array::{Array, Float64Array, Int64Array, RecordBatch, StringArray};
use duckdb::arrow::util::display::{ArrayFormatter, FormatOptions};

/// Texts of a column, one after the other in one piece of memory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Texts {
    bytes: String,
    ends: Vec<usize>,
}

impl Texts {
    /// Adds a text.
    pub fn push(&mut self, text: &str) {
        self.bytes.push_str(text);
        self.ends.push(self.bytes.len());
    }

    /// The text of `row`, empty past the end.
    #[must_use]
    pub fn get(&self, row: usize) -> &str {
        let Some(end) = self.ends.get(row) else { return "" };
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        self.bytes.get(start..*end).unwrap_or_default()
    }
}

impl<T: AsRef<str>> FromIterator<T> for Texts {
    fn from_iter<I: IntoIterator<Item = T>>(texts: I) -> Self {
        let mut all = Self::default();
        texts.into_iter().for_each(|text| all.push(text.as_ref()));
        all
    }
}

/// One column.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// BIGINT.
    Int(Vec<i64>),
    /// DOUBLE.
    Float(Vec<f64>),
    /// Anything else, as text.
    Text(Texts),
}

/// Rows with named, typed columns.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    names: Vec<String>,
    columns: Vec<Column>,
    rows: usize,
}

impl Table {
    /// A table of columns that are equally long.
    #[must_use]
    pub fn new(rows: usize, columns: Vec<(&str, Column)>) -> Self {
        let (names, columns) = columns.into_iter().map(|(name, column)| (name.to_owned(), column)).unzip();
        Self { names, columns, rows }
    }

    /// Takes what a store answered.
    #[must_use]
    pub fn from_batches(batches: &[RecordBatch]) -> Self {
        let Some(first) = batches.first() else { return Self::default() };
        let schema = first.schema();
        let rows = batches.iter().map(RecordBatch::num_rows).sum();
        let column = |index: usize| {
            let parts: Vec<&dyn Array> =
                batches.iter().filter_map(|batch| batch.columns().get(index)).map(AsRef::as_ref).collect();
            typed(&parts)
        };
        Self {
            names: schema.fields().iter().map(|field| field.name().clone()).collect(),
            columns: (0..schema.fields().len()).map(column).collect(),
            rows,
        }
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Names of the columns, in order.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The columns, in order.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Place of a column.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }

    /// A cell as people read it; empty where there is none.
    #[must_use]
    pub fn cell(&self, row: usize, column: usize) -> Cow<'_, str> {
        match self.columns.get(column) {
            Some(Column::Text(texts)) => Cow::Borrowed(texts.get(row)),
            Some(Column::Int(values)) => Cow::Owned(values.get(row).map(ToString::to_string).unwrap_or_default()),
            Some(Column::Float(values)) => Cow::Owned(values.get(row).map(|value| short(*value)).unwrap_or_default()),
            None => Cow::Borrowed(""),
        }
    }

    /// A cell by name as text; empty where there is none.
    #[must_use]
    pub fn text(&self, row: usize, name: &str) -> Cow<'_, str> {
        self.position(name).map_or(Cow::Borrowed(""), |column| self.cell(row, column))
    }

    /// A cell by name as a number; 0 where it is none.
    #[must_use]
    pub fn number(&self, row: usize, name: &str) -> f64 {
        self.position(name).map_or(0.0, |column| self.value(row, column).unwrap_or(0.0))
    }

    /// A cell by name as an integer; 0 where it is none.
    #[must_use]
    pub fn int(&self, row: usize, name: &str) -> i64 {
        match self.position(name).and_then(|column| self.columns.get(column)) {
            Some(Column::Int(values)) => values.get(row).copied().unwrap_or(0),
            Some(Column::Text(texts)) => texts.get(row).parse().unwrap_or(0),
            #[allow(clippy::cast_possible_truncation, reason = "a count that an engine gave as DOUBLE")]
            Some(Column::Float(values)) => values.get(row).copied().unwrap_or(0.0) as i64,
            None => 0,
        }
    }

    /// A cell as a number, where it is one.
    #[must_use]
    pub fn value(&self, row: usize, column: usize) -> Option<f64> {
        match self.columns.get(column)? {
            #[allow(clippy::cast_precision_loss, reason = "for charts; counts stay far below 2^53")]
            Column::Int(values) => values.get(row).map(|value| *value as f64),
            Column::Float(values) => values.get(row).copied(),
            Column::Text(_) => None,
        }
    }

    /// Whether a column holds numbers.
    #[must_use]
    pub fn is_number(&self, column: usize) -> bool {
        !matches!(self.columns.get(column), None | Some(Column::Text(_)))
    }

    /// Rows in the order of a column; ties keep the table's order, NaN comes last.
    #[must_use]
    pub fn sorted(&self, column: usize, descending: bool, rows: &[u32]) -> Vec<u32> {
        let mut order = rows.to_vec();
        let turn = |ordering: Ordering| if descending { ordering.reverse() } else { ordering };
        let at = |row: u32| row as usize;
        match self.columns.get(column) {
            Some(Column::Int(values)) => order.sort_by(|a, b| turn(values[at(*a)].cmp(&values[at(*b)]))),
            Some(Column::Float(values)) => order.sort_by(|a, b| {
                let (a, b) = (values[at(*a)], values[at(*b)]);
                a.is_nan().cmp(&b.is_nan()).then_with(|| turn(a.total_cmp(&b)))
            }),
            Some(Column::Text(texts)) => order.sort_by(|a, b| turn(texts.get(at(*a)).cmp(texts.get(at(*b))))),
            None => {}
        }
        order
    }

    /// Rows in which some cell contains `needle`, letters of either case; nothing once it is `stale`.
    #[must_use]
    pub fn matching(&self, needle: &str, stale: &AtomicBool) -> Option<Vec<u32>> {
        let all = 0..u32::try_from(self.rows).unwrap_or(u32::MAX);
        if needle.is_empty() {
            return Some(all.collect());
        }
        let needle = needle.to_ascii_lowercase();
        let mut found = Vec::new();
        for row in all {
            if row.is_multiple_of(4_096) && stale.load(AtomicOrdering::Relaxed) {
                return None;
            }
            if (0..self.columns.len()).any(|column| contains(&self.cell(row as usize, column), &needle)) {
                found.push(row);
            }
        }
        Some(found)
    }

    /// The rows given, in that order, as a table of its own.
    #[must_use]
    pub fn select(&self, rows: &[u32]) -> Self {
        let at = |row: &u32| *row as usize;
        let pick = |column: &Column| match column {
            Column::Int(values) => Column::Int(rows.iter().filter_map(|row| values.get(at(row)).copied()).collect()),
            Column::Float(values) => Column::Float(rows.iter().filter_map(|row| values.get(at(row)).copied()).collect()),
            Column::Text(texts) => Column::Text(rows.iter().map(|row| texts.get(at(row))).collect()),
        };
        Self { names: self.names.clone(), columns: self.columns.iter().map(pick).collect(), rows: rows.len() }
    }
}

fn contains(text: &str, lower_needle: &str) -> bool {
    let (hay, needle) = (text.as_bytes(), lower_needle.as_bytes());
    hay.len() >= needle.len() && hay.windows(needle.len()).any(|window| window.eq_ignore_ascii_case(needle))
}

fn typed(parts: &[&dyn Array]) -> Column {
    if let Some(arrays) = downcast::<Int64Array>(parts) {
        return Column::Int(arrays.iter().flat_map(|array| array.iter()).map(|value| value.unwrap_or(-1)).collect());
    }
    if let Some(arrays) = downcast::<Float64Array>(parts) {
        return Column::Float(arrays.iter().flat_map(|array| array.iter()).map(|value| value.unwrap_or(f64::NAN)).collect());
    }
    if let Some(arrays) = downcast::<StringArray>(parts) {
        return Column::Text(arrays.iter().flat_map(|array| array.iter()).map(Option::unwrap_or_default).collect());
    }
    let options = FormatOptions::default();
    let mut texts = Texts::default();
    for part in parts {
        let formatter = ArrayFormatter::try_new(*part, &options).ok();
        for row in 0..part.len() {
            let shown = formatter.as_ref().filter(|_| part.is_valid(row)).map(|formatter| formatter.value(row).to_string());
            texts.push(&shown.unwrap_or_default());
        }
    }
    Column::Text(texts)
}

fn downcast<'a, T: 'static>(parts: &[&'a dyn Array]) -> Option<Vec<&'a T>> {
    parts.iter().map(|part| part.as_any().downcast_ref::<T>()).collect()
}

/// A number with at most four decimals, none that say nothing.
#[must_use]
pub fn short(value: f64) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    let text = format!("{value:.4}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table::new(
            3,
            vec![
                ("host", Column::Text(["b", "a", "b"].into_iter().collect())),
                ("score", Column::Float(vec![0.5, f64::NAN, 0.25])),
                ("hits", Column::Int(vec![3, 1, 2])),
            ],
        )
    }

    #[test]
    fn an_order_is_total_and_nan_comes_last() {
        let table = table();
        assert_eq!(table.sorted(0, false, &[0, 1, 2]), [1, 0, 2]);
        assert_eq!(table.sorted(0, true, &[0, 1, 2]), [0, 2, 1]);
        assert_eq!(table.sorted(1, true, &[0, 1, 2]), [0, 2, 1]);
        assert_eq!(table.sorted(1, false, &[0, 1, 2]), [2, 0, 1]);
        assert_eq!(table.sorted(9, false, &[2, 0]), [2, 0]);
    }

    #[test]
    fn cells_are_found_and_missing_ones_are_empty() {
        let table = table();
        assert_eq!(table.text(0, "score"), "0.5");
        assert_eq!(table.text(7, "host"), "");
        assert_eq!(table.int(0, "hits"), 3);
        assert_eq!(table.matching("B", &AtomicBool::new(false)), Some(vec![0, 2]));
        assert_eq!(table.matching("B", &AtomicBool::new(true)), None);
        assert_eq!(table.select(&[2, 0]).text(0, "hits"), "2");
        assert_eq!((short(1.0), short(0.123_456), short(f64::NAN)), ("1".to_owned(), "0.1235".to_owned(), "-".to_owned()));
    }
}
