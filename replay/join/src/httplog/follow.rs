//! One growing file: reading on from an offset, knowing it again by its first KiB.
//!
//! Promises: reads by position only (the file's own offset is never used); a file that was cut and written anew is seen before
//! any of its new bytes are read as the continuation of the old ones.
//!
//! Read next: `tail.rs`, its one user.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::lines::{Cut, LineSplitter};
use super::source::without_bom;
use super::{Line, Position};
use crate::error::JoinError;

/// Bytes from the beginning by which a file is known again.
const HEAD_BYTES: usize = 1_024;

/// Where reading of a file stopped.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FileState {
    /// SHA-256 of the first `head_bytes`, hexadecimal.
    pub head_sha256: String,
    /// At most 1024.
    pub head_bytes: usize,
    /// Number of the next line, from 1.
    pub line: u64,
    /// Bytes before it.
    pub byte_offset: u64,
}

#[derive(Debug)]
pub(super) struct Follow {
    file: File,
    /// Device and inode.
    id: (u64, u64),
    head: Vec<u8>,
    read_offset: u64,
    pub lines: LineSplitter,
    /// Polls in a row that brought nothing.
    pub idle_polls: u32,
}

impl Follow {
    pub(super) fn open(path: &Path, byte_offset: u64, max_line_bytes: usize) -> io::Result<Self> {
        // Looked at before it is opened: opening a pipe would wait for its writer.
        let kind = fs::metadata(path)?.file_type();
        if kind.is_dir() {
            return Err(io::Error::other("it is a folder; name the files in it"));
        }
        if !kind.is_file() {
            return Err(io::Error::other("it is no regular file; only such can be followed"));
        }
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let head = read_head(&file)?;
        let lines = LineSplitter::new(max_line_bytes, Position { line: 1, byte_offset });
        Ok(Self { file, id: (metadata.dev(), metadata.ino()), head, read_offset: byte_offset, lines, idle_polls: 0 })
    }

    /// Reads once; 0 at the present end.
    pub(super) fn fill(&mut self) -> io::Result<usize> {
        let n = loop {
            match self.file.read_at(self.lines.space(), self.read_offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        self.lines.filled(n);
        self.read_offset = self.read_offset.saturating_add(n as u64);
        if n > 0 && self.head.len() < HEAD_BYTES {
            self.head = read_head(&self.file)?;
        }
        Ok(n)
    }

    pub(super) fn next_line(&mut self, at_end: bool) -> Option<Line<'_>> {
        Some(match self.lines.next(at_end)? {
            Cut::Line(position, range) => Line::Record(position, without_bom(position, self.lines.bytes(range))),
            Cut::TooLong(position, bytes) => Line::TooLong(position, bytes),
        })
    }

    /// Lines that have their end and are not blank, without taking them.
    pub(super) fn peek_lines(&self, limit: usize) -> Vec<&[u8]> {
        let pending = self.lines.pending();
        let whole = memchr::memrchr(b'\n', pending).and_then(|end| pending.get(..end)).unwrap_or_default();
        let lines = whole.split(|b| *b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        lines.filter(|line| !line.trim_ascii().is_empty()).take(limit).collect()
    }

    /// Whether it is shorter than what was read, or begins differently.
    pub(super) fn was_rewritten(&self) -> io::Result<bool> {
        if self.file.metadata()?.len() < self.read_offset {
            return Ok(true);
        }
        Ok(!read_head(&self.file)?.starts_with(&self.head))
    }

    /// Begins anew at the beginning.
    pub(super) fn restart(&mut self, max_line_bytes: usize) {
        self.read_offset = 0;
        self.head.clear();
        self.lines = LineSplitter::new(max_line_bytes, Position { line: 1, byte_offset: 0 });
    }

    pub(super) fn is_same_file(&self, other: &Self) -> bool {
        self.id == other.id
    }

    pub(super) fn state(&self) -> FileState {
        let Position { line, byte_offset } = self.lines.position();
        FileState { head_sha256: head_sha256(&self.head), head_bytes: self.head.len(), line, byte_offset }
    }

    /// Whether it is the file of `state`, grown or not.
    pub(super) fn matches(&self, state: &FileState) -> bool {
        let long_enough = self.file.metadata().is_ok_and(|metadata| metadata.len() >= state.byte_offset);
        long_enough && self.head.get(..state.head_bytes).is_some_and(|head| head_sha256(head) == state.head_sha256)
    }

    /// Goes on where `state` stopped.
    pub(super) fn resume(&mut self, state: &FileState, max_line_bytes: usize) {
        self.read_offset = state.byte_offset;
        self.lines = LineSplitter::new(max_line_bytes, Position { line: state.line, byte_offset: state.byte_offset });
    }

    pub(super) fn read_error(&self, source: io::Error, name: &str) -> JoinError {
        JoinError::ReadLog { file: name.to_owned(), byte_offset: self.read_offset, source }
    }
}

fn read_head(file: &File) -> io::Result<Vec<u8>> {
    let mut head = vec![0; HEAD_BYTES];
    let mut filled = 0usize;
    while let Some(space) = head.get_mut(filled..).filter(|space| !space.is_empty()) {
        match file.read_at(space, filled as u64) {
            Ok(0) => break,
            Ok(n) => filled = filled.saturating_add(n),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    head.truncate(filled);
    Ok(head)
}

fn head_sha256(head: &[u8]) -> String {
    Sha256::digest(head).iter().map(|byte| format!("{byte:02x}")).collect()
}
