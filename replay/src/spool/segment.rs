//! One segment being written: frames appended in whole groups, made durable on demand.
//!
//! Promises: a group that could not be written whole is taken back (the file is cut to where it was); a segment whose cutting or fsync
//! failed is poisoned and never written again.
//!
//! Read next: `store.rs`.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::error::SpoolError;
use super::frame::{self, SEGMENT_HEADER_BYTES};
use super::segment_path;

/// The segment that is written.
#[derive(Debug)]
pub struct Writer {
    file: File,
    pub path: PathBuf,
    pub first_seq: u64,
    pub bytes: u64,
    /// Of those, bytes that are durable.
    synced_bytes: u64,
    poisoned: bool,
}

impl Writer {
    /// Makes a segment that is to begin with `first_seq`. Its name is durable when this returns.
    pub fn create(folder: &Path, first_seq: u64) -> Result<Self, SpoolError> {
        let path = segment_path(folder, first_seq);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let mut file = file.map_err(SpoolError::io("create segment", &path))?;
        let written = file.write_all(&frame::segment_header(first_seq));
        if let Err(error) = written {
            // An empty file would only be told of as damage at the next start.
            let _ = std::fs::remove_file(&path);
            return Err(SpoolError::io("create segment", &path)(error));
        }
        sync_folder(folder)?;
        let bytes = u64::try_from(SEGMENT_HEADER_BYTES).unwrap_or_default();
        Ok(Self { file, path, first_seq, bytes, synced_bytes: bytes, poisoned: false })
    }

    /// Whether nothing but its header is in it.
    pub fn is_empty(&self) -> bool {
        self.bytes <= u64::try_from(SEGMENT_HEADER_BYTES).unwrap_or_default()
    }

    /// Never to be written again.
    pub fn poison(&mut self) {
        self.poisoned = true;
    }

    /// Whether it can be written no more.
    pub fn is_poisoned(&self) -> bool {
        self.poisoned
    }

    /// Appends the frames of a group, all or none.
    pub fn append(&mut self, frames: &[u8]) -> Result<(), SpoolError> {
        if let Err(error) = self.file.write_all(frames) {
            self.poisoned |= self.file.set_len(self.bytes).is_err() || self.seek_end().is_err();
            return Err(SpoolError::io("append to segment", &self.path)(error));
        }
        self.bytes = self.bytes.saturating_add(u64::try_from(frames.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    /// Makes everything appended durable. After a failure nobody knows what is on the disk: the segment is not used any more.
    pub fn sync(&mut self) -> Result<(), SpoolError> {
        if let Err(error) = self.file.sync_data() {
            self.poisoned = true;
            return Err(SpoolError::io("make durable segment", &self.path)(error));
        }
        self.synced_bytes = self.bytes;
        Ok(())
    }

    /// Takes back what is not durable, because it will be written elsewhere. Gives the bytes that are left, none if the file is gone.
    pub fn give_up(self) -> Option<u64> {
        if self.synced_bytes <= u64::try_from(SEGMENT_HEADER_BYTES).unwrap_or_default() {
            // Failing leaves frames whose places the next segment has too; those are passed over.
            let _ = std::fs::remove_file(&self.path);
            return None;
        }
        let _ = self.file.set_len(self.synced_bytes);
        Some(self.synced_bytes)
    }

    fn seek_end(&mut self) -> std::io::Result<u64> {
        use std::io::Seek as _;
        self.file.seek(std::io::SeekFrom::Start(self.bytes))
    }
}

/// Makes names in a folder durable.
pub fn sync_folder(folder: &Path) -> Result<(), SpoolError> {
    let opened = File::open(folder).map_err(SpoolError::io("open folder", folder))?;
    opened.sync_all().map_err(SpoolError::io("make durable the names in", folder))
}
