//! How far one consumer has come, in a file of its own that is replaced as a whole.
//!
//! Promises: after a crash the file holds the old state or the new one; a damaged file is told and read as "nothing was committed",
//! which delivers again and never loses.
//!
//! Read next: `store.rs`.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::error::SpoolError;
use super::segment::sync_folder;

const FIRST_WORD: &str = "ja4-cursor-1";

/// State of a consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cursor {
    /// Everything up to here was delivered.
    pub committed: u64,
    /// Last place of the batch that was handed out and not committed; 0 if there is none.
    pub pending: u64,
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// It reads well, or there never was one.
    Good(Cursor),
    /// It is not what was written.
    Damaged,
}

impl Cursor {
    /// The file of a consumer.
    pub fn path(folder: &Path, consumer: &str) -> PathBuf {
        folder.join(format!("{consumer}.cursor"))
    }

    /// Reads it.
    pub fn read(folder: &Path, consumer: &str) -> Result<Found, SpoolError> {
        let path = Self::path(folder, consumer);
        match fs::read(&path) {
            Ok(bytes) => Ok(std::str::from_utf8(&bytes).ok().and_then(parse).map_or(Found::Damaged, Found::Good)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Found::Good(Self::default())),
            Err(error) => Err(SpoolError::io("read cursor", &path)(error)),
        }
    }

    /// Replaces it, durably.
    pub fn write(self, folder: &Path, consumer: &str) -> Result<(), SpoolError> {
        let path = Self::path(folder, consumer);
        let fresh = path.with_extension("cursor.new");
        let io = |operation| SpoolError::io(operation, &path);
        let mut file = fs::File::create(&fresh).map_err(io("write cursor"))?;
        file.write_all(self.text().as_bytes()).map_err(io("write cursor"))?;
        file.sync_data().map_err(io("write cursor"))?;
        drop(file);
        fs::rename(&fresh, &path).map_err(io("replace cursor"))?;
        sync_folder(folder)
    }

    /// Overwrites it without making it durable: survives the end of this process, not that of the machine.
    pub fn write_in_place(self, folder: &Path, consumer: &str) -> std::io::Result<()> {
        fs::write(Self::path(folder, consumer), self.text())
    }

    fn text(self) -> String {
        let body = format!("{FIRST_WORD} {} {}", self.committed, self.pending);
        format!("{body} {:08x}\n", crc32fast::hash(body.as_bytes()))
    }
}

fn parse(text: &str) -> Option<Cursor> {
    let mut words = text.split(' ').skip(1);
    let cursor = Cursor { committed: words.next()?.parse().ok()?, pending: words.next()?.parse().ok()? };
    // Every byte counts, the checksum's too.
    (cursor.text() == text).then_some(cursor)
}
