//! Rows as JSON lines on standard output.
//!
//! Promises: lines are whole and in order. A killed process may have shown its last batch, and shows it again. A reader that does not read holds up
//! this sink's thread and nothing else.
//!
//! Read next: `../worker.rs`.

use std::io::{self, ErrorKind};

use super::{Refusal, Rows, Sink, json_line};

/// Rows as JSON lines on standard output.
pub struct StdoutSink {
    out: Box<dyn io::Write + Send>,
}

impl StdoutSink {
    /// To `out`.
    #[must_use]
    pub fn new(out: Box<dyn io::Write + Send>) -> Self {
        Self { out }
    }
}

impl Sink for StdoutSink {
    fn name(&self) -> &'static str {
        "stdout"
    }

    fn deliver(&mut self, batch: &dyn Rows) -> Result<(), Refusal> {
        let mut text = Vec::new();
        batch.requests(&mut |rows| rows.iter().for_each(|row| json_line(row, &mut text)));
        self.out.write_all(&text).and_then(|()| self.out.flush()).map_err(|error| match error.kind() {
            ErrorKind::BrokenPipe => Refusal::Gone,
            _ => Refusal::Later(format!("write to standard output: {error}")),
        })
    }
}
