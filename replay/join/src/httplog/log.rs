//! A log at rest or a pipe, record by record: the loop over lines, detection of the format, counting of damage.
//!
//! Promises: constant memory (the sample for detection is at most [`SAMPLE_LINES`] records); a bad record is counted with its
//! position and reading goes on; a log without events says why.
//!
//! Read next: `source.rs` (lines), `detect.rs` (formats), `reqin.rs` and `logformat/mod.rs` (records).

use std::collections::VecDeque;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use ja4_event::{HttpEvent, MAX_RECORD_BYTES};

use super::detect::{SAMPLE_LINES, parser};
use super::headers::NamedHeaders;
use super::{Damage, Format, HttpSource, Line, Parser, Position, shown};
use crate::error::JoinError;

/// Bytes after which a file without a single record is given up by `auto`.
const SAMPLE_BYTES: u64 = 16 * 1024 * 1024;

/// Settings of a reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpLogOptions {
    /// How to read the log.
    pub format: Format,
    /// A longer line is counted as damaged and skipped. Default 64 KiB ([`MAX_RECORD_BYTES`]); from 256 bytes to 64 MiB.
    pub max_line_bytes: usize,
    /// Damaged records kept for the summary, each under 1 KiB. All are counted. Default 20.
    pub max_damage_kept: usize,
}

impl Default for HttpLogOptions {
    fn default() -> Self {
        Self { format: Format::Auto, max_line_bytes: MAX_RECORD_BYTES, max_damage_kept: 20 }
    }
}

impl HttpLogOptions {
    pub(super) fn check(&self) -> Result<(), JoinError> {
        if (256..=64 * 1024 * 1024).contains(&self.max_line_bytes) {
            return Ok(());
        }
        let value = self.max_line_bytes.to_string();
        Err(JoinError::Setting { name: "max_line_bytes", value, expected: "from 256 to 67108864" })
    }
}

/// An open log. As an iterator it yields the events.
#[derive(Debug)]
pub struct HttpLog {
    name: Arc<str>,
    source: HttpSource,
    /// `None` for a log without any record.
    parser: Option<Parser>,
    /// Lines that detection has looked at and that are still to be read.
    sampled: VecDeque<Sampled>,
    damage: Damage,
    events: u64,
}

/// A line kept beyond the source's buffer.
#[derive(Debug)]
enum Sampled {
    Record(Position, Vec<u8>),
    TooLong(Position, u64),
    Broken(Position, String),
}

impl HttpLog {
    /// Opens a log by path; `-` is standard input. Gzip and zstd are recognised by their magic.
    ///
    /// # Errors
    /// [`JoinError::OpenLog`], [`JoinError::NotALog`], [`JoinError::UnknownFormat`], [`JoinError::LogFormat`] or
    /// [`JoinError::Setting`]. An empty file is no error.
    pub fn open(path: &Path, options: &HttpLogOptions) -> Result<Self, JoinError> {
        options.check()?;
        Self::new(HttpSource::open(path, options.max_line_bytes)?, options)
    }

    /// Reads from `reader`, which messages call `name`; `total_bytes` is its length where known.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn from_reader(
        name: &str,
        reader: Box<dyn Read + Send>,
        total_bytes: Option<u64>,
        options: &HttpLogOptions,
    ) -> Result<Self, JoinError> {
        options.check()?;
        Self::new(HttpSource::from_reader(name, reader, total_bytes, options.max_line_bytes)?, options)
    }

    fn new(mut source: HttpSource, options: &HttpLogOptions) -> Result<Self, JoinError> {
        let mut damage = Damage::new(options.max_damage_kept);
        let sampled = if options.format == Format::Auto { sample(&mut source) } else { VecDeque::new() };
        let records: Vec<&[u8]> = sampled.iter().filter_map(Sampled::record).collect();
        let parser = if options.format != Format::Auto || !records.is_empty() {
            Some(parser(&options.format, source.name(), &records, &mut damage)?)
        } else if source.position().byte_offset >= SAMPLE_BYTES {
            let what = "binary data or text without line ends".to_owned();
            return Err(JoinError::NotALog { what, advice: "give the server's access log", file: source.name().to_owned() });
        } else {
            None
        };
        Ok(Self { name: Arc::from(source.name()), source, parser, sampled, damage, events: 0 })
    }

    /// The next event; damaged records on the way are counted.
    pub fn next_event(&mut self) -> Option<HttpEvent> {
        loop {
            let line = match self.sampled.front() {
                Some(line) => line.line(),
                None => self.source.next_line()?,
            };
            let event = read_line(line, &self.name, self.parser.as_mut(), &mut self.damage);
            // Does nothing once the sample is used up.
            self.sampled.pop_front();
            if event.is_some() {
                self.events = self.events.saturating_add(1);
                return event;
            }
        }
    }

    /// Leaves out all records that begin before `byte_offset` of the decompressed log, to go on after an interruption. Use a
    /// value of [`Self::position`].
    pub fn skip_to(&mut self, byte_offset: u64) {
        while self.sampled.front().is_some_and(|line| line.position().byte_offset < byte_offset) {
            self.sampled.pop_front();
        }
        while self.sampled.is_empty() && self.source.position().byte_offset < byte_offset && self.source.next_line().is_some() {}
    }

    /// Where the next record begins, in decompressed bytes.
    #[must_use]
    pub fn position(&self) -> Position {
        self.sampled.front().map_or_else(|| self.source.position(), Sampled::position)
    }

    /// Stored (compressed) bytes read so far, for progress.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.source.bytes_read()
    }

    /// Stored bytes in total; `None` for a pipe.
    #[must_use]
    pub fn total_bytes(&self) -> Option<u64> {
        self.source.total_bytes()
    }

    /// Events so far.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Damaged records and notes so far.
    #[must_use]
    pub fn damage(&self) -> &Damage {
        &self.damage
    }

    /// Name for messages, escaped.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Headers of which this log would show the absence (see [`NamedHeaders::absence_is_known`]). For JSON it grows while
    /// reading; it covers each event by the time that event is returned.
    #[must_use]
    pub fn named_headers(&self) -> NamedHeaders {
        self.parser.as_ref().map(|parser| parser.named_headers().clone()).unwrap_or_default()
    }

    /// The format in use, for messages; `None` for a log without records.
    #[must_use]
    pub fn format(&self) -> Option<String> {
        self.parser.as_ref().map(Parser::describe)
    }

    /// After the last event: why there was none, as a sentence.
    #[must_use]
    pub fn zero_reason(&self) -> Option<String> {
        if self.events > 0 {
            return None;
        }
        Some(match (self.damage.first().first(), self.damage.count()) {
            (Some(first), count) => format!("no request could be read, all {count} records are damaged; the first: {first}"),
            (None, 0) if self.source.position().byte_offset == 0 => format!("the HTTP log is empty ({})", self.name),
            (None, 0) => format!("the HTTP log holds blank lines only ({})", self.name),
            (None, count) => format!("no request could be read, all {count} records are damaged ({})", self.name),
        })
    }
}

impl Iterator for HttpLog {
    type Item = HttpEvent;

    fn next(&mut self) -> Option<HttpEvent> {
        self.next_event()
    }
}

/// One line to an event, or to a count. Blank lines are neither.
pub(super) fn read_line(line: Line<'_>, name: &str, parser: Option<&mut Parser>, damage: &mut Damage) -> Option<HttpEvent> {
    let (position, reason) = match line {
        Line::Record(_, bytes) if bytes.trim_ascii().is_empty() => return None,
        Line::Record(position, bytes) => match parser?.parse(bytes, damage) {
            Ok(event) => return Some(event),
            Err(reason) => (position, reason),
        },
        Line::TooLong(position, bytes) => (position, format!("is {bytes} bytes long, more than a record may be").into()),
        Line::Broken(position, reason) => (position, shown(reason.as_bytes(), 300).into()),
    };
    damage.record(name, position, reason);
    None
}

fn sample(source: &mut HttpSource) -> VecDeque<Sampled> {
    let mut sampled = VecDeque::new();
    let mut records = 0;
    // Over-long lines take no memory here, but must not make the sample endless either.
    while records < SAMPLE_LINES && sampled.len() < 2 * SAMPLE_LINES {
        if records == 0 && source.position().byte_offset >= SAMPLE_BYTES {
            break;
        }
        match source.next_line() {
            None => break,
            Some(Line::Record(_, bytes)) if bytes.trim_ascii().is_empty() => {}
            Some(Line::Record(position, bytes)) => {
                records += 1;
                sampled.push_back(Sampled::Record(position, bytes.to_vec()));
            }
            Some(Line::TooLong(position, bytes)) => sampled.push_back(Sampled::TooLong(position, bytes)),
            Some(Line::Broken(position, reason)) => sampled.push_back(Sampled::Broken(position, reason)),
        }
    }
    sampled
}

impl Sampled {
    fn position(&self) -> Position {
        match self {
            Self::Record(position, _) | Self::TooLong(position, _) | Self::Broken(position, _) => *position,
        }
    }

    fn record(&self) -> Option<&[u8]> {
        if let Self::Record(_, bytes) = self { Some(bytes) } else { None }
    }

    fn line(&self) -> Line<'_> {
        match self {
            Self::Record(position, bytes) => Line::Record(*position, bytes),
            Self::TooLong(position, bytes) => Line::TooLong(*position, *bytes),
            Self::Broken(position, reason) => Line::Broken(*position, reason.clone()),
        }
    }
}
