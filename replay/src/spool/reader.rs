//! Reading records back in order, from any place.
//!
//! Promises: only whole records up to the place asked for; damage that came after opening is passed over like damage found then; one
//! segment is in memory at a time.
//!
//! Read next: `frame.rs`, `store.rs`.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::Stored;
use super::error::SpoolError;
use super::frame::{SEGMENT_HEADER_BYTES, Scan};

/// Where a record ends: reading goes on there without looking at what stands before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spot {
    /// Place of the next record.
    pub next_seq: u64,
    path: PathBuf,
    offset: u64,
}

/// Records from one place to another, as they were acknowledged when it was made.
#[derive(Debug)]
pub struct Records {
    /// Segments still to be read, the next one last.
    segments: Vec<PathBuf>,
    current: PathBuf,
    bytes: Vec<u8>,
    /// Offset of `bytes` in the segment.
    base: u64,
    at: usize,
    next_seq: u64,
    last_seq: u64,
}

impl Records {
    /// Records `first_seq..=last_seq` of these segments, which are in order.
    pub(super) fn new(mut segments: Vec<PathBuf>, first_seq: u64, last_seq: u64) -> Self {
        segments.reverse();
        let none = PathBuf::new();
        Self { segments, current: none, bytes: Vec::new(), base: 0, at: 0, next_seq: first_seq, last_seq }
    }

    /// Begins at `spot` if it is where the first record is looked for.
    pub(super) fn begin_at(mut self, spot: Option<&Spot>) -> Result<Self, SpoolError> {
        if let Some(spot) = spot.filter(|spot| spot.next_seq == self.next_seq)
            && let Some(place) = self.segments.iter().position(|path| *path == spot.path)
        {
            self.segments.truncate(place);
            self.load(&spot.path, spot.offset)?;
        }
        Ok(self)
    }

    /// Where the last record that was given ends.
    pub(super) fn spot(&self, next_seq: u64) -> Spot {
        let offset = self.base.saturating_add(u64::try_from(self.at).unwrap_or(u64::MAX));
        Spot { next_seq, path: self.current.clone(), offset }
    }

    /// The next record.
    ///
    /// # Errors
    /// A segment cannot be read.
    pub fn next_record(&mut self) -> Result<Option<Stored>, SpoolError> {
        loop {
            if self.next_seq > self.last_seq {
                return Ok(None);
            }
            let mut scan = Scan::new(&self.bytes, self.at);
            while let Some(frame) = scan.next_frame() {
                self.at = frame.at.end;
                if frame.seq < self.next_seq || frame.seq > self.last_seq {
                    continue;
                }
                self.next_seq = frame.seq.saturating_add(1);
                let payload = self.bytes.get(frame.payload).unwrap_or_default().to_vec();
                return Ok(Some(Stored { seq: frame.seq, kind: frame.kind, payload }));
            }
            let Some(path) = self.segments.pop() else {
                self.next_seq = u64::MAX;
                return Ok(None);
            };
            self.load(&path, u64::try_from(SEGMENT_HEADER_BYTES).unwrap_or_default())?;
        }
    }

    /// Reads a segment from `offset` to its present end.
    fn load(&mut self, path: &Path, offset: u64) -> Result<(), SpoolError> {
        self.bytes.clear();
        (self.base, self.at) = (offset, 0);
        self.current = path.to_path_buf();
        let read = File::open(path).and_then(|mut file| {
            file.seek(SeekFrom::Start(offset))?;
            file.read_to_end(&mut self.bytes)
        });
        match read {
            // Somebody removed it: told at the next start, passed over now.
            Err(error) if error.kind() != ErrorKind::NotFound => Err(SpoolError::io("read segment", path)(error)),
            _ => Ok(()),
        }
    }
}
