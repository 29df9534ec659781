//! Opening a spool of an earlier life: what is whole, what is lost, and where.
//!
//! Promises: every whole frame whose place is plausible counts; the rest is reported as ranges of bytes with the number of records that
//! stood there, which the sequence numbers on both sides tell. A group that the crash cut off at the very end was never acknowledged: it is
//! taken away and told as `unfinished`. Segments are read one after the other, so memory is one segment.
//!
//! Read next: `frame.rs`, `store.rs`.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::error::SpoolError;
use super::frame::{self, FLAG_FIRST, FLAG_LAST, Frame, SEGMENT_HEADER_BYTES, Scan};

/// Payloads up to this long are remembered by kind ([`Recovery::last`]).
const SMALL_BYTES: usize = 256;

/// What opening found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovery {
    /// Segments of earlier lives.
    pub segments: usize,
    /// Whole records in them.
    pub records: u64,
    /// Records behind the last acknowledgement that the crash cut off, and their bytes; nobody was promised anything about them.
    pub unfinished: Option<Lost>,
    /// What is gone.
    pub lost: Vec<Lost>,
    /// Consumers whose cursor could not be read: they get everything again.
    pub damaged_cursors: Vec<String>,
    /// The last payload of each kind that is at most 256 bytes long.
    pub last: BTreeMap<u8, Vec<u8>>,
}

impl Recovery {
    /// Records that are gone, as far as the sequence numbers tell.
    #[must_use]
    pub fn lost_records(&self) -> u64 {
        self.lost.iter().map(|lost| lost.records).fold(0, u64::saturating_add)
    }

    /// Whether there is anything to tell.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.lost.is_empty() && self.unfinished.is_none() && self.damaged_cursors.is_empty()
    }
}

/// A range of bytes that gave no records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The segment.
    pub segment: PathBuf,
    /// Bytes in it; empty where a whole segment or its end is missing.
    pub bytes: Range<u64>,
    /// Places in the spool that stood there.
    pub seqs: Range<u64>,
    /// Their number.
    pub records: u64,
    /// Whether only the header of the segment is damaged, which costs nothing.
    pub header_only: bool,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.segment.display();
        if self.header_only {
            return write!(f, "spool segment {name}: its header is damaged; no record was lost");
        }
        write!(f, "spool segment {name}, bytes {} to {}: ", self.bytes.start, self.bytes.end)?;
        match self.records {
            0 => write!(f, "damaged, but no record is missing"),
            1 => write!(f, "1 record was lost (number {})", self.seqs.start),
            n => write!(f, "{n} records were lost (numbers {} to {})", self.seqs.start, self.seqs.end.saturating_sub(1)),
        }
    }
}

/// A segment of an earlier life, or a full one of this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    pub path: PathBuf,
    /// By its name.
    pub first_seq: u64,
    /// Last whole record; `first_seq − 1` if there is none.
    pub last_seq: u64,
    pub bytes: u64,
}

/// The segments of a folder by their names, in order.
pub fn list(folder: &Path) -> Result<Vec<(u64, PathBuf)>, SpoolError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(SpoolError::io("list spool", folder))? {
        let path = entry.map_err(SpoolError::io("list spool", folder))?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).filter(|stem| stem.len() == 20);
        if path.extension().is_some_and(|extension| extension == "seg")
            && let Some(first_seq) = stem.and_then(|stem| stem.parse().ok())
        {
            found.push((first_seq, path));
        }
    }
    found.sort();
    Ok(found)
}

/// Looks through all segments. `acknowledged` is the last place that is known to have been promised, 0 if unknown.
pub fn recover(folder: &Path, acknowledged: u64) -> Result<(Vec<Closed>, Recovery), SpoolError> {
    let listed = list(folder)?;
    let mut recovery = Recovery { segments: listed.len(), ..Recovery::default() };
    let mut closed: Vec<Closed> = Vec::with_capacity(listed.len());
    for (place, (first_seq, path)) in listed.iter().enumerate() {
        let next_first = listed.get(place.saturating_add(1)).map(|(first, _)| *first);
        if let Some(before) = closed.last()
            && before.last_seq.saturating_add(1) < *first_seq
        {
            // The end of the segment before, or segments between, are missing.
            let seqs = before.last_seq.saturating_add(1)..*first_seq;
            recovery.lost.push(lost(&before.path, before.bytes..before.bytes, seqs));
        }
        closed.push(Looking { path, first_seq: *first_seq, next_first, recovery: &mut recovery }.look()?);
    }
    let last_seq = closed.last().map_or(0, |last| last.last_seq);
    if acknowledged > last_seq
        && let Some(last) = closed.last_mut()
    {
        let seqs = last_seq.saturating_add(1)..acknowledged.saturating_add(1);
        // What the crash seemed to cut off had been promised: the file was cut afterwards.
        let bytes = recovery.unfinished.take().map_or(last.bytes..last.bytes, |unfinished| unfinished.bytes);
        recovery.lost.push(lost(&last.path, bytes, seqs));
        last.last_seq = acknowledged;
    }
    if let Some(last) = closed.pop_if(|last| last.last_seq < last.first_seq) {
        // Nothing whole and nothing promised is in it, and its name is needed again.
        fs::remove_file(&last.path).map_err(SpoolError::io("remove empty segment", &last.path))?;
    }
    Ok((closed, recovery))
}

struct Looking<'a> {
    path: &'a PathBuf,
    first_seq: u64,
    /// First place of the next segment; none for the last one.
    next_first: Option<u64>,
    recovery: &'a mut Recovery,
}

impl Looking<'_> {
    fn look(mut self) -> Result<Closed, SpoolError> {
        let bytes = fs::read(self.path).map_err(SpoolError::io("read segment", self.path))?;
        let has_header = frame::is_segment_header(&bytes, self.first_seq);
        let begin = if has_header { SEGMENT_HEADER_BYTES } else { 0 };
        let mut scan = Scan::new(&bytes, begin);
        let mut expected = self.first_seq;
        let mut end = begin;
        // Where the group at hand began, if its last record was not met.
        let mut open_group: Option<(usize, u64)> = None;
        let mut records = 0_u64;
        while let Some(frame) = scan.next_frame() {
            if !self.is_plausible(&frame, expected) {
                continue;
            }
            self.gap(end, frame.at.start, expected..frame.seq, has_header);
            if frame.flags & FLAG_FIRST != 0 || open_group.is_none() {
                open_group = Some((frame.at.start, frame.seq));
            }
            if frame.flags & FLAG_LAST != 0 {
                open_group = None;
            }
            records = records.saturating_add(1);
            if let Some(payload) = bytes.get(frame.payload.clone()).filter(|payload| payload.len() <= SMALL_BYTES) {
                self.recovery.last.insert(frame.kind, payload.to_vec());
            }
            expected = frame.seq.saturating_add(1);
            end = frame.at.end;
        }
        if end == begin && !has_header && !bytes.is_empty() && bytes.len() <= SEGMENT_HEADER_BYTES {
            end = bytes.len();
        }
        let mut length = bytes.len();
        if self.next_first.is_none() {
            if let Some((group_at, group_seq)) = open_group {
                records = records.saturating_sub(expected.saturating_sub(group_seq));
                (end, expected) = (group_at, group_seq);
            }
            if end < bytes.len() {
                self.recovery.unfinished = Some(lost(self.path, offset(end)..offset(bytes.len()), expected..expected));
                // Failing to cut costs nothing: the same bytes are passed over at the next start.
                if fs::OpenOptions::new().write(true).open(self.path).and_then(|file| file.set_len(offset(end))).is_ok() {
                    length = end;
                }
            }
        } else if end < bytes.len() {
            let next = self.next_first.unwrap_or(expected);
            self.recovery.lost.push(lost(self.path, offset(end)..offset(bytes.len()), expected..next.max(expected)));
            expected = next.max(expected);
        }
        self.recovery.records = self.recovery.records.saturating_add(records);
        Ok(Closed {
            path: self.path.clone(),
            first_seq: self.first_seq,
            last_seq: expected.saturating_sub(1),
            bytes: offset(length),
        })
    }

    /// Frames that were copied from elsewhere, or whose place was passed, are no part of this segment.
    fn is_plausible(&self, frame: &Frame, expected: u64) -> bool {
        frame.seq >= expected && self.next_first.is_none_or(|next| frame.seq < next)
    }

    fn gap(&mut self, from: usize, to: usize, seqs: Range<u64>, has_header: bool) {
        if from == to && seqs.is_empty() {
            return;
        }
        let header_only = !has_header && from == 0 && to == SEGMENT_HEADER_BYTES && seqs.is_empty();
        self.recovery.lost.push(Lost { header_only, ..lost(self.path, offset(from)..offset(to), seqs) });
    }
}

fn lost(segment: &Path, bytes: Range<u64>, seqs: Range<u64>) -> Lost {
    Lost { segment: segment.to_path_buf(), bytes, records: seqs.end.saturating_sub(seqs.start), seqs, header_only: false }
}

fn offset(at: usize) -> u64 {
    u64::try_from(at).unwrap_or(u64::MAX)
}
