//! Lines of a log at rest or of a pipe, with their positions.
//!
//! Promises: constant memory; a reader that fails or a compressed file that is cut off ends the lines with one
//! [`Line::Broken`], and everything before it has been given; a last line without line end counts unless the stream broke there.
//!
//! Read next: `lines.rs` (the cutting), `log.rs` (lines to events), `tail.rs` (growing files).

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::input::{self, Input};
use super::lines::{Cut, LineSplitter};
use super::{Position, shown};
use crate::error::JoinError;

/// One item of a source.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// A line without its end.
    Record(Position, &'a [u8]),
    /// A line over the limit, skipped; its length in bytes.
    TooLong(Position, u64),
    /// The stream cannot be read further; the reason. Always the last item.
    Broken(Position, String),
}

/// Reads lines of a file, a pipe or any reader.
pub struct HttpSource {
    name: String,
    reader: Box<dyn Read + Send>,
    bytes_read: Arc<AtomicU64>,
    total_bytes: Option<u64>,
    lines: LineSplitter,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Reading,
    /// All bytes are in `lines`.
    Ended,
    Broken,
}

impl std::fmt::Debug for HttpSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpSource").field("name", &self.name).field("position", &self.position()).finish_non_exhaustive()
    }
}

impl HttpSource {
    /// Opens a file by path; `-` is standard input. Gzip and zstd are recognised by their magic.
    ///
    /// # Errors
    /// [`JoinError::OpenLog`], or [`JoinError::NotALog`] for a folder, a capture, an archive and the like.
    pub fn open(path: &Path, max_line_bytes: usize) -> Result<Self, JoinError> {
        Ok(Self::new(input::open(path)?, max_line_bytes))
    }

    /// Reads from `reader`, which messages call `name`; `total_bytes` is its length where known.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn from_reader(
        name: &str,
        reader: Box<dyn Read + Send>,
        total_bytes: Option<u64>,
        max_line_bytes: usize,
    ) -> Result<Self, JoinError> {
        Ok(Self::new(input::from_reader(&shown(name.as_bytes(), 4_096), reader, total_bytes)?, max_line_bytes))
    }

    fn new(input: Input, max_line_bytes: usize) -> Self {
        let Input { name, reader, bytes_read, total_bytes } = input;
        let lines = LineSplitter::new(max_line_bytes, Position { line: 1, byte_offset: 0 });
        Self { name, reader, bytes_read, total_bytes, lines, state: State::Reading }
    }

    /// The next line.
    pub fn next_line(&mut self) -> Option<Line<'_>> {
        loop {
            if self.state == State::Broken {
                return None;
            }
            if let Some(cut) = self.lines.next(self.state == State::Ended) {
                return Some(match cut {
                    Cut::Line(position, range) => Line::Record(position, without_bom(position, self.lines.bytes(range))),
                    Cut::TooLong(position, bytes) => Line::TooLong(position, bytes),
                });
            }
            if self.state == State::Ended {
                return None;
            }
            match self.reader.read(self.lines.space()) {
                Ok(0) => self.state = State::Ended,
                Ok(n) => self.lines.filled(n),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.state = State::Broken;
                    return Some(Line::Broken(self.lines.position(), self.broken_reason(&error)));
                }
            }
        }
    }

    /// Name for messages, escaped.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the next line begins, in decompressed bytes.
    #[must_use]
    pub fn position(&self) -> Position {
        self.lines.position()
    }

    /// Stored (compressed) bytes read so far.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }

    /// Stored bytes in total; `None` for a pipe.
    #[must_use]
    pub fn total_bytes(&self) -> Option<u64> {
        self.total_bytes
    }

    fn broken_reason(&self, error: &io::Error) -> String {
        let cut_off = match self.lines.pending().len() {
            0 => String::new(),
            n => format!("; an unfinished record of {n} bytes is lost"),
        };
        match error.kind() {
            io::ErrorKind::UnexpectedEof => format!("the compressed file is cut off{cut_off}"),
            _ => format!("cannot be read further: {}{cut_off}", shown(error.to_string().as_bytes(), 200)),
        }
    }
}

/// Editors put a byte-order mark at the beginning of UTF-8 files.
pub(super) fn without_bom(position: Position, line: &[u8]) -> &[u8] {
    if position.byte_offset == 0 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) } else { line }
}
