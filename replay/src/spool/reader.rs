//! Reading records back in order, from any place.
//!
//! Promises: only whole records up to the place asked for; damage that came after opening is passed over like damage found then; in
//! memory is a window of one segment, or one record where that is longer.
//!
//! Read next: `frame.rs`, `store.rs`.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::Stored;
use super::error::SpoolError;
use super::frame::{Found, Frame, SEGMENT_HEADER_BYTES, Scan};

/// Bytes of a segment that are read at once. Few in unit tests, so that each of them reads many windows.
const WINDOW_BYTES: usize = if cfg!(test) { 64 } else { 256 << 10 };

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
    /// None once all of it was read.
    file: Option<File>,
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
        Self { segments, current: none, file: None, bytes: Vec::new(), base: 0, at: 0, next_seq: first_seq, last_seq }
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
            if let Some(frame) = self.next_frame()? {
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

    /// The next whole frame of the segment that is open.
    fn next_frame(&mut self) -> Result<Option<Frame>, SpoolError> {
        loop {
            let mut scan = Scan::new(&self.bytes, self.at);
            let found =
                if self.file.is_some() { scan.next_or_more() } else { scan.next_frame().map_or(Found::More(0), Found::Frame) };
            match found {
                Found::Frame(frame) => {
                    self.at = frame.at.end;
                    return Ok(Some(frame));
                }
                Found::More(from) if self.file.is_some() => self.read_more(from)?,
                Found::More(_) => return Ok(None),
            }
        }
    }

    /// Opens a segment to be read from `offset` to its present end.
    fn load(&mut self, path: &Path, offset: u64) -> Result<(), SpoolError> {
        self.bytes.clear();
        (self.base, self.at) = (offset, 0);
        self.current = path.to_path_buf();
        self.file = None;
        let opened = File::open(path).and_then(|mut file| {
            file.seek(SeekFrom::Start(offset))?;
            Ok(file)
        });
        match opened {
            Ok(file) => self.file = Some(file),
            // Somebody removed it: told at the next start, passed over now.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(SpoolError::io("read segment", path)(error)),
        }
        Ok(())
    }

    /// Lets go of what stands before `from` and reads another window.
    fn read_more(&mut self, from: usize) -> Result<(), SpoolError> {
        let from = from.min(self.bytes.len());
        self.bytes.drain(..from);
        self.base = self.base.saturating_add(u64::try_from(from).unwrap_or_default());
        self.at = 0;
        let Some(file) = &mut self.file else { return Ok(()) };
        let window = u64::try_from(WINDOW_BYTES).unwrap_or(u64::MAX);
        let read = file.take(window).read_to_end(&mut self.bytes).map_err(SpoolError::io("read segment", &self.current))?;
        if read == 0 {
            self.file = None;
        }
        Ok(())
    }
}
