//! Follows a growing log through its rotations. The caller drives it: each `poll` reads what is there and returns.
//!
//! Promises: no clock, no thread, no waiting; a line is given once it has its end; after rename-and-create the old file is
//! read until [`OLD_FILE_IDLE_POLLS`] polls brought nothing more (graceful restarts write to it for a while); copy-and-truncate
//! is seen by the length or by the first KiB; memory is bounded by the longest line and [`MAX_OLD_FILES`] old files.
//! A log that rotates twice between two polls loses what was in the file between.
//!
//! Read next: `follow.rs` (one file), `log.rs` (files at rest).

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use ja4_event::HttpEvent;
use serde::{Deserialize, Serialize};

use super::detect::{SAMPLE_LINES, parser};
use super::follow::{FileState, Follow};
use super::headers::NamedHeaders;
use super::input::file_name;
use super::log::{HttpLogOptions, read_line};
use super::{Damage, Format, Line, Parser};
use crate::error::JoinError;

/// Polls without new bytes after which a rotated file is closed.
pub const OLD_FILE_IDLE_POLLS: u32 = 10;

/// Rotated files still read; of more the oldest is closed early and noted.
pub const MAX_OLD_FILES: usize = 4;

/// What to keep to go on after a restart: the files being read, the current one last.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TailState {
    /// Oldest first.
    pub files: Vec<FileState>,
}

/// What a poll did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TailReport {
    /// Bytes read.
    pub bytes: u64,
    /// Events given.
    pub events: u64,
    /// A new file took the log's name.
    pub rotated: bool,
    /// The file was cut and written anew.
    pub truncated: bool,
    /// There is no file of this name now.
    pub missing: bool,
    /// The limit was reached: poll again without waiting.
    pub more: bool,
}

/// A growing log.
#[derive(Debug)]
pub struct HttpTail {
    path: PathBuf,
    name: String,
    options: HttpLogOptions,
    current: Option<Follow>,
    old: VecDeque<Follow>,
    parser: Option<Parser>,
    damage: Damage,
}

impl HttpTail {
    /// Begins at the beginning of the file, or where `state` says if the file (or one rotated to `.1` … `.4`) is still the
    /// same. The file need not exist yet.
    ///
    /// # Errors
    /// [`JoinError::LogFormat`], [`JoinError::Setting`], [`JoinError::OpenLog`].
    pub fn open(path: &Path, options: &HttpLogOptions, state: Option<&TailState>) -> Result<Self, JoinError> {
        options.check()?;
        let name = file_name(path);
        let mut damage = Damage::new(options.max_damage_kept);
        let parser = match &options.format {
            Format::Auto => None,
            format => Some(parser(format, &name, &[], &mut damage)?),
        };
        let mut tail =
            Self { path: path.to_owned(), name, options: options.clone(), current: None, old: VecDeque::new(), parser, damage };
        if let Some(state) = state {
            tail.resume(state)?;
        }
        Ok(tail)
    }

    /// Reads up to about `max_bytes` and gives each event to `sink`.
    ///
    /// # Errors
    /// [`JoinError::ReadLog`] or [`JoinError::OpenLog`]; with `auto` also [`JoinError::UnknownFormat`] for the first lines,
    /// which are then counted as damaged. The next poll goes on after them.
    pub fn poll(&mut self, max_bytes: u64, sink: &mut dyn FnMut(HttpEvent)) -> Result<TailReport, JoinError> {
        let mut report = TailReport::default();
        self.poll_old(max_bytes, sink, &mut report)?;
        if self.current.is_none() {
            self.current = self.open_current(0)?;
        }
        let Some(mut current) = self.current.take() else {
            report.missing = self.old.is_empty();
            return Ok(report);
        };
        let result = self.poll_current(&mut current, max_bytes, sink, &mut report);
        self.current = Some(current);
        result?;
        if !report.more {
            self.follow_rotation(max_bytes, sink, &mut report)?;
        }
        Ok(report)
    }

    /// What to keep to go on here after a restart. Lines that had no end yet will be read again.
    #[must_use]
    pub fn state(&self) -> TailState {
        TailState { files: self.old.iter().chain(&self.current).map(Follow::state).collect() }
    }

    /// Damaged records and notes so far.
    #[must_use]
    pub fn damage(&self) -> &Damage {
        &self.damage
    }

    /// Headers of which this log would show the absence.
    #[must_use]
    pub fn named_headers(&self) -> NamedHeaders {
        self.parser.as_ref().map(|parser| parser.named_headers().clone()).unwrap_or_default()
    }

    fn poll_old(&mut self, max_bytes: u64, sink: &mut dyn FnMut(HttpEvent), report: &mut TailReport) -> Result<(), JoinError> {
        for _ in 0..self.old.len() {
            let Some(mut file) = self.old.pop_front() else { break };
            let before = report.bytes;
            self.read(&mut file, max_bytes, sink, report)?;
            file.idle_polls = if report.bytes == before && !report.more { file.idle_polls.saturating_add(1) } else { 0 };
            if file.idle_polls < OLD_FILE_IDLE_POLLS {
                self.old.push_back(file);
            } else {
                self.give_lines(&mut file, true, sink, report)?;
            }
        }
        Ok(())
    }

    fn poll_current(
        &mut self,
        current: &mut Follow,
        max_bytes: u64,
        sink: &mut dyn FnMut(HttpEvent),
        report: &mut TailReport,
    ) -> Result<(), JoinError> {
        if current.was_rewritten().map_err(|source| current.read_error(source, &self.name))? {
            report.truncated = true;
            if !current.lines.pending().is_empty() {
                self.damage.record(&self.name, current.lines.position(), "was cut off when the log was truncated".into());
            }
            current.restart(self.options.max_line_bytes);
        }
        self.read(current, max_bytes, sink, report)
    }

    /// Reads on in the file that has the log's name now, if it is another one.
    fn follow_rotation(
        &mut self,
        max_bytes: u64,
        sink: &mut dyn FnMut(HttpEvent),
        report: &mut TailReport,
    ) -> Result<(), JoinError> {
        let Some(mut next) = self.open_current(0)? else {
            report.missing = true;
            return Ok(());
        };
        if self.current.as_ref().is_some_and(|current| current.is_same_file(&next)) {
            return Ok(());
        }
        report.rotated = true;
        if self.old.len() >= MAX_OLD_FILES
            && let Some(mut oldest) = self.old.pop_front()
        {
            self.damage.note("a rotated log was closed early: too many rotations");
            self.give_lines(&mut oldest, true, sink, report)?;
        }
        self.old.extend(self.current.take());
        let result = self.read(&mut next, max_bytes, sink, report);
        self.current = Some(next);
        result
    }

    fn read(
        &mut self,
        file: &mut Follow,
        max_bytes: u64,
        sink: &mut dyn FnMut(HttpEvent),
        report: &mut TailReport,
    ) -> Result<(), JoinError> {
        loop {
            if report.bytes >= max_bytes {
                report.more = true;
                return Ok(());
            }
            let n = file.fill().map_err(|source| file.read_error(source, &self.name))?;
            if n == 0 {
                return Ok(());
            }
            report.bytes = report.bytes.saturating_add(n as u64);
            self.give_lines(file, false, sink, report)?;
        }
    }

    fn give_lines(
        &mut self,
        file: &mut Follow,
        at_end: bool,
        sink: &mut dyn FnMut(HttpEvent),
        report: &mut TailReport,
    ) -> Result<(), JoinError> {
        if self.parser.is_none() {
            let sample = file.peek_lines(SAMPLE_LINES);
            if !sample.is_empty() {
                let found = parser(&Format::Auto, &self.name, &sample, &mut self.damage);
                if let Err(error) = found {
                    while let Some(line) = file.next_line(at_end) {
                        if let Line::Record(position, _) = line {
                            self.damage.record(&self.name, position, "has an unknown format".into());
                        }
                    }
                    return Err(error);
                }
                self.parser = found.ok();
            }
        }
        while let Some(line) = file.next_line(at_end) {
            if let Some(event) = read_line(line, &self.name, self.parser.as_mut(), &mut self.damage) {
                report.events = report.events.saturating_add(1);
                sink(event);
            }
        }
        Ok(())
    }

    fn open_current(&self, byte_offset: u64) -> Result<Option<Follow>, JoinError> {
        open_if_there(&self.path, byte_offset, self.options.max_line_bytes)
            .map_err(|source| JoinError::OpenLog { file: self.name.clone(), source })
    }

    fn resume(&mut self, state: &TailState) -> Result<(), JoinError> {
        let mut candidates = Vec::new();
        for generation in 0..=MAX_OLD_FILES {
            let mut path = self.path.clone().into_os_string();
            if generation > 0 {
                path.push(format!(".{generation}"));
            }
            let opened = open_if_there(Path::new(&path), 0, self.options.max_line_bytes);
            candidates.push(opened.map_err(|source| JoinError::OpenLog { file: file_name(Path::new(&path)), source })?);
        }
        for wanted in state.files.iter().take(MAX_OLD_FILES + 1) {
            let found = candidates.iter_mut().enumerate().find(|(_, file)| file.as_ref().is_some_and(|f| f.matches(wanted)));
            let Some((generation, slot)) = found else {
                self.damage.note("a log that was being read is gone or was rewritten: what it held further is lost");
                continue;
            };
            let Some(mut file) = slot.take() else { continue };
            file.resume(wanted, self.options.max_line_bytes);
            if generation == 0 { self.current = Some(file) } else { self.old.push_back(file) }
        }
        Ok(())
    }
}

fn open_if_there(path: &Path, byte_offset: u64, max_line_bytes: usize) -> io::Result<Option<Follow>> {
    match Follow::open(path, byte_offset, max_line_bytes) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
