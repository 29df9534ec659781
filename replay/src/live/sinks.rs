//! Where rows end: a store, a file of JSON lines, standard output.
//!
//! Promises: a batch that comes again after a crash is recognised by the store and the file. In JSON lines, texts are written as they were sent; what would act on a terminal
//! (controls, bidirectional overrides) is escaped as JSON allows, so that reading the line back gives the same text.
//!
//! Read next: `deliver.rs` (who delivers), `sinks/store.rs`, `sinks/file.rs`, `sinks/stdout.rs`.

mod file;
mod stdout;
mod store;

use std::fmt::Write as _;

use ja4_join::row::{COLUMNS, ColumnVisitor, HttpLogRow, Text};

pub use self::file::{FileConfig, FileSink};
pub use self::stdout::StdoutSink;
pub use self::store::StoreSink;
use super::reload::Tunable;
use crate::store::TlsOnlyRow;
use crate::visible::push_json_text;

/// What a sink says to a batch.
#[derive(Debug)]
pub enum Refusal {
    /// Try again later; why.
    Later(String),
    /// What was delivered before is not there any more, so everything that the segments still hold should come again; why. Said once.
    Again(String),
    /// Nobody takes any more: a closed pipe.
    Gone,
}

/// Rows that are delivered together. They are read a few at a time, because a row in memory is ten times as long as in its record.
pub trait Rows {
    /// Hands requests to `each`, in order, a few at a time.
    fn requests(&self, each: &mut dyn FnMut(&[HttpLogRow]));

    /// Hands handshakes that carried no request to `each`, as above.
    fn handshakes(&self, each: &mut dyn FnMut(&[TlsOnlyRow]));

    /// How many requests there are, by what their records say of themselves.
    fn count(&self) -> usize;

    /// Tells a batch that comes again.
    fn last_seq(&self) -> u64;
}

/// A place where rows end.
pub trait Sink: Send {
    /// The word in metrics, and its cursor in the outbox.
    fn name(&self) -> &'static str;

    /// Takes a batch for good, or not at all.
    ///
    /// # Errors
    /// See [`Refusal`].
    fn deliver(&mut self, batch: &dyn Rows) -> Result<(), Refusal>;

    /// How long rows may be gathered before they are delivered together, ns.
    fn gather_ns(&self) -> i64 {
        0
    }

    /// Opens what is written to, before there are rows, so that a mistake shows at once.
    ///
    /// # Errors
    /// As [`Sink::deliver`]; the next batch tries again.
    fn begin(&mut self) -> Result<(), Refusal> {
        Ok(())
    }

    /// The configuration was read again, or a rotation from outside happened.
    fn reload(&mut self, _settings: &Tunable) {}

    /// Nothing follows.
    fn finish(&mut self) {}
}

/// Appends a row as one JSON object and a line end.
pub fn json_line(row: &HttpLogRow, out: &mut Vec<u8>) {
    struct Line {
        text: String,
        columns: std::slice::Iter<'static, ja4_join::row::Column>,
    }
    impl Line {
        fn name(&mut self) {
            let separator = if self.text.is_empty() { '{' } else { ',' };
            let name = self.columns.next().map_or("", |column| column.name);
            let _ = write!(self.text, "{separator}\"{name}\":");
        }
    }
    impl ColumnVisitor for Line {
        fn int(&mut self, value: i64) {
            self.name();
            let _ = write!(self.text, "{value}");
        }

        fn float(&mut self, value: f64) {
            self.name();
            let _ = if value.is_finite() { write!(self.text, "{value}") } else { write!(self.text, "null") };
        }

        fn text(&mut self, value: &Text) {
            self.name();
            push_json_text(value, &mut self.text);
        }
    }
    let mut line = Line { text: String::with_capacity(3000), columns: COLUMNS.iter() };
    row.visit(&mut line);
    out.extend_from_slice(line.text.as_bytes());
    out.extend_from_slice(b"}\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Requests, and the number of the batch.
    pub struct Given<'a>(pub &'a [HttpLogRow], pub u64);

    impl Rows for Given<'_> {
        fn requests(&self, each: &mut dyn FnMut(&[HttpLogRow])) {
            self.0.chunks(2).for_each(each);
        }

        fn handshakes(&self, _each: &mut dyn FnMut(&[TlsOnlyRow])) {}

        fn count(&self) -> usize {
            self.0.len()
        }

        fn last_seq(&self) -> u64 {
            self.1
        }
    }

    pub fn row(path: &str) -> HttpLogRow {
        HttpLogRow { path: path.into(), ..HttpLogRow::unknown() }
    }

    #[test]
    fn a_line_reads_back_as_it_was_and_nothing_in_it_acts() {
        let hostile = "\"a'\0\u{1b}]0;x\u{7}\u{202e}\u{9b}31m\\\n\u{feff}\u{e0041}ü";
        let mut line = Vec::new();
        json_line(&row(hostile), &mut line);
        let text = String::from_utf8(line).unwrap();
        assert!(!text.trim_end().chars().any(crate::visible::acts), "{text:?}");
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["path"], hostile);
        assert_eq!(value.as_object().unwrap().len(), COLUMNS.len());
    }
}
