//! The spool itself: append, sync, hand out batches, commit them, stay within the bound.
//!
//! Promises: those of `mod.rs`.
//!
//! Read next: `recover.rs`, `segment.rs`, `cursor.rs`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::cursor::{Cursor, Found};
use super::error::SpoolError;
use super::frame::{self, FLAG_FIRST, FLAG_LAST, FRAME_OVERHEAD_BYTES, MAX_PAYLOAD_BYTES};
use super::reader::{Records, Spot};
use super::recover::{self, Closed, Lost, Recovery};
use super::segment::Writer;
use super::{Batch, Limits, Record, Stored, WhenFull};
use crate::digest::hex;

/// Name of the cursor that says what was acknowledged, beside those of the consumers.
const ACKNOWLEDGED: &str = "acknowledged";

/// What a spool holds and did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpoolStats {
    /// Bytes of all segments.
    pub bytes: u64,
    /// Segments.
    pub segments: usize,
    /// Records given up because the bound was reached ([`WhenFull::DropOldest`]).
    pub dropped_records: u64,
    /// Last place appended.
    pub appended: u64,
    /// Last place acknowledged.
    pub acknowledged: u64,
}

/// See `mod.rs`.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    limits: Limits,
    closed: Vec<Closed>,
    writer: Option<Writer>,
    next_seq: u64,
    acknowledged: u64,
    consumers: BTreeMap<String, Cursor>,
    /// Where the last batch of each consumer ended.
    spots: BTreeMap<String, Spot>,
    dropped_records: u64,
    /// Frames that are not durable yet: they are written again elsewhere if making them durable fails.
    unsynced: Vec<u8>,
    /// Held for as long as the spool is open.
    _lock: File,
}

impl Spool {
    /// Opens the spool in `folder`, making it if needed, for these consumers. Tells what an earlier life left and lost.
    ///
    /// # Errors
    /// The folder cannot be made, locked or read. Damage is no error.
    pub fn open(folder: &Path, limits: &Limits, consumers: &[&str]) -> Result<(Self, Recovery), SpoolError> {
        fs::create_dir_all(folder).map_err(SpoolError::io("create spool", folder))?;
        let lock = lock(folder)?;
        let acknowledged = match Cursor::read(folder, ACKNOWLEDGED)? {
            Found::Good(cursor) => cursor.committed,
            Found::Damaged => 0,
        };
        let (closed, mut recovery) = recover::recover(folder, acknowledged)?;
        let mut known = BTreeMap::new();
        let mut furthest = closed.last().map_or(acknowledged, |last| last.last_seq.max(acknowledged));
        for consumer in consumers {
            let cursor = match Cursor::read(folder, consumer)? {
                Found::Good(cursor) => cursor,
                Found::Damaged => {
                    recovery.damaged_cursors.push((*consumer).to_owned());
                    Cursor::default()
                }
            };
            furthest = furthest.max(cursor.committed).max(cursor.pending);
            known.insert((*consumer).to_owned(), cursor);
        }
        never_delivered(&mut recovery, &known, closed.first(), furthest, folder);
        let spool = Self {
            folder: folder.to_path_buf(),
            limits: limits.clone(),
            closed,
            writer: None,
            next_seq: furthest.saturating_add(1),
            // What was whole at the start is as durable as it will ever be.
            acknowledged: furthest,
            consumers: known,
            spots: BTreeMap::new(),
            dropped_records: 0,
            unsynced: Vec::new(),
            _lock: lock,
        };
        Ok((spool, recovery))
    }

    /// Appends records as one group. They are not acknowledged before [`Spool::sync`]. Gives the last one's place.
    ///
    /// # Errors
    /// [`SpoolError::Full`], [`SpoolError::DiskFull`], [`SpoolError::ReadOnly`] and others; then none of them is kept.
    pub fn append(&mut self, records: &[Record<'_>]) -> Result<u64, SpoolError> {
        let last = records.len().saturating_sub(1);
        let mut frames = Vec::new();
        let mut seq = self.next_seq;
        for (place, record) in records.iter().enumerate() {
            if record.payload.len() > MAX_PAYLOAD_BYTES {
                return Err(SpoolError::TooLong { folder: self.folder.clone(), bytes: record.payload.len() });
            }
            let flags = if place == 0 { FLAG_FIRST } else { 0 } | if place == last { FLAG_LAST } else { 0 };
            frame::write_frame(&mut frames, seq, record.kind, flags, record.payload);
            seq = seq.saturating_add(1);
        }
        self.write(&frames)?;
        self.unsynced.append(&mut frames);
        self.next_seq = seq;
        Ok(seq.saturating_sub(1))
    }

    /// Makes everything appended durable and gives the last place that is.
    ///
    /// # Errors
    /// The system's refusal. What was appended since the last success is then not acknowledged; the next call writes it anew, to
    /// another segment, because nobody knows what a failed fsync left on the disk.
    pub fn sync(&mut self) -> Result<u64, SpoolError> {
        if self.unsynced.is_empty() {
            return Ok(self.acknowledged);
        }
        if self.writer.as_ref().is_none_or(Writer::is_poisoned) {
            self.begin_segment()?;
        }
        if let Some(writer) = &mut self.writer {
            writer.sync()?;
        }
        self.unsynced.clear();
        self.acknowledged = self.next_seq.saturating_sub(1);
        self.note_acknowledged();
        Ok(self.acknowledged)
    }

    /// What to deliver next to `consumer`, if there is anything: the batch that was not committed, or the next one.
    ///
    /// # Errors
    /// A segment cannot be read, or the batch cannot be written down.
    pub fn next_batch(&mut self, consumer: &str) -> Result<Option<Batch>, SpoolError> {
        self.next_batch_within(consumer, usize::MAX, |_| 0)
    }

    /// As [`Spool::next_batch`]; a batch that is not decided yet weighs at most `most`, but holds at least one record.
    ///
    /// # Errors
    /// As [`Spool::next_batch`].
    pub fn next_batch_within(
        &mut self,
        consumer: &str,
        most: usize,
        weigh: fn(&Stored) -> usize,
    ) -> Result<Option<Batch>, SpoolError> {
        let mut cursor = self.consumers.get(consumer).copied().unwrap_or_default();
        let first_seq = cursor.committed.saturating_add(1);
        let decided = (cursor.pending >= first_seq).then_some(cursor.pending);
        if decided.is_none() && first_seq > self.acknowledged {
            return Ok(None);
        }
        let mut reader = self.records(first_seq, decided.unwrap_or(u64::MAX)).begin_at(self.spots.get(consumer))?;
        let (records, last_seq, spot) = self.collect(&mut reader, decided, most, weigh)?;
        if decided.is_none() {
            cursor.pending = last_seq;
            cursor.write(&self.folder, consumer)?;
            self.consumers.insert(consumer.to_owned(), cursor);
        }
        self.spots.insert(consumer.to_owned(), spot);
        Ok(Some(Batch { first_seq, last_seq, token: token(first_seq, last_seq, &records), records }))
    }

    /// Says that a batch was delivered. It does not come again.
    ///
    /// # Errors
    /// The cursor cannot be written; the batch will come again.
    pub fn commit(&mut self, consumer: &str, batch: &Batch) -> Result<(), SpoolError> {
        self.commit_to(consumer, batch.last_seq)
    }

    /// Says that everything up to `seq` was delivered.
    ///
    /// # Errors
    /// As [`Spool::commit`].
    pub fn commit_to(&mut self, consumer: &str, seq: u64) -> Result<(), SpoolError> {
        let cursor = Cursor { committed: seq, pending: 0 };
        cursor.write(&self.folder, consumer)?;
        self.consumers.insert(consumer.to_owned(), cursor);
        self.remove_delivered(0)
    }

    /// Delivers everything that is still there to `consumer` again, from the oldest record on: to rebuild what it had. Gives the first place.
    ///
    /// # Errors
    /// The cursor cannot be written.
    pub fn rewind(&mut self, consumer: &str) -> Result<u64, SpoolError> {
        let first = self.first_seq();
        let cursor = Cursor { committed: first.saturating_sub(1), pending: 0 };
        cursor.write(&self.folder, consumer)?;
        self.consumers.insert(consumer.to_owned(), cursor);
        Ok(first)
    }

    /// Numbers go on behind `seq` at least: after segments were lost, so that no number is given twice.
    pub fn skip_to(&mut self, seq: u64) {
        if self.next_seq <= seq && self.unsynced.is_empty() {
            self.close_segment();
            self.next_seq = seq.saturating_add(1);
            self.acknowledged = seq;
        }
    }

    /// Place up to which `consumer` has committed.
    #[must_use]
    pub fn committed(&self, consumer: &str) -> u64 {
        self.consumers.get(consumer).map_or(0, |cursor| cursor.committed)
    }

    /// The oldest place that is still there (the next one to be written if there is none).
    #[must_use]
    pub fn first_seq(&self) -> u64 {
        let writing = self.writer.as_ref().map_or(self.next_seq, |writer| writer.first_seq);
        self.closed.first().map_or(writing, |segment| segment.first_seq)
    }

    /// Acknowledged records from `first_seq` to `last_seq`.
    #[must_use]
    pub fn records(&self, first_seq: u64, last_seq: u64) -> Records {
        let last_seq = last_seq.min(self.acknowledged);
        let mut paths: Vec<PathBuf> = self.closed.iter().filter(|s| s.last_seq >= first_seq).map(|s| s.path.clone()).collect();
        paths.extend(self.writer.as_ref().map(|writer| writer.path.clone()));
        Records::new(paths, first_seq, last_seq)
    }

    /// What it holds and did.
    #[must_use]
    pub fn stats(&self) -> SpoolStats {
        SpoolStats {
            bytes: self.bytes(),
            segments: self.closed.len().saturating_add(usize::from(self.writer.is_some())),
            dropped_records: self.dropped_records,
            appended: self.next_seq.saturating_sub(1),
            acknowledged: self.acknowledged,
        }
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Appends a group, in a new segment if need be.
    fn write(&mut self, group: &[u8]) -> Result<(), SpoolError> {
        if group.is_empty() {
            return Ok(());
        }
        let more = u64::try_from(group.len()).unwrap_or(u64::MAX);
        self.make_room(more)?;
        let limit = self.limits.segment_bytes;
        match &self.writer {
            Some(writer) if writer.is_poisoned() => self.begin_segment()?,
            Some(writer) if writer.bytes.saturating_add(more) > limit && !writer.is_empty() => {
                // The segment before is durable first, so that only the last one can end in the middle of a group.
                self.sync()?;
                self.close_segment();
                self.begin_segment()?;
            }
            Some(_) => {}
            None => self.begin_segment()?,
        }
        match &mut self.writer {
            Some(writer) => writer.append(group),
            None => Ok(()),
        }
    }

    /// A new segment that begins with what is not durable yet.
    fn begin_segment(&mut self) -> Result<(), SpoolError> {
        let first_seq = self.acknowledged.saturating_add(1);
        if let Some(poisoned) = self.writer.take() {
            let (path, begin) = (poisoned.path.clone(), poisoned.first_seq);
            if let Some(bytes) = poisoned.give_up() {
                self.closed.push(Closed { path, first_seq: begin, last_seq: self.acknowledged, bytes });
            }
        }
        let mut writer = Writer::create(&self.folder, first_seq)?;
        let written = writer.append(&self.unsynced);
        self.writer = Some(writer);
        if let Err(error) = written {
            if let Some(writer) = &mut self.writer {
                writer.poison();
            }
            return Err(error);
        }
        Ok(())
    }

    fn close_segment(&mut self) {
        if let Some(writer) = self.writer.take() {
            let last_seq = self.next_seq.saturating_sub(1);
            self.closed.push(Closed { path: writer.path, first_seq: writer.first_seq, last_seq, bytes: writer.bytes });
        }
    }

    fn make_room(&mut self, more: u64) -> Result<(), SpoolError> {
        let limit = self.limits.total_bytes;
        let over = |spool: &Self| spool.bytes().saturating_add(more) > limit;
        if !over(self) {
            return Ok(());
        }
        self.remove_delivered(more)?;
        let delivered = self.consumers.values().map(|cursor| cursor.committed).min().unwrap_or(0);
        if delivered >= self.acknowledged && self.unsynced.is_empty() {
            // Nobody will ever make more room: a group longer than the bound, or than what the open segment leaves of it, is taken.
            return Ok(());
        }
        while over(self) {
            if self.limits.when_full == WhenFull::Refuse || self.closed.is_empty() {
                return Err(SpoolError::Full { folder: self.folder.clone(), limit_bytes: limit });
            }
            let oldest = self.closed.remove(0);
            let needed_from =
                self.consumers.values().map(|cursor| cursor.committed).min().unwrap_or(0).max(oldest.first_seq.saturating_sub(1));
            self.dropped_records = self.dropped_records.saturating_add(oldest.last_seq.saturating_sub(needed_from));
            remove(&oldest.path)?;
        }
        Ok(())
    }

    /// Removes what every consumer has, oldest first, as far as it is not kept to rebuild from. The newest segment stays: a restart learns
    /// from it how far things were.
    fn remove_delivered(&mut self, more: u64) -> Result<(), SpoolError> {
        let delivered = self.consumers.values().map(|cursor| cursor.committed).min().unwrap_or(0);
        let allowed = self.limits.keep_bytes.min(self.limits.total_bytes.saturating_sub(more));
        let is_last = |spool: &Self| spool.closed.len() == 1 && spool.writer.is_none();
        while self.bytes() > allowed && !is_last(self) && self.closed.first().is_some_and(|oldest| oldest.last_seq <= delivered) {
            let oldest = self.closed.remove(0);
            remove(&oldest.path)?;
        }
        Ok(())
    }

    fn bytes(&self) -> u64 {
        let closed = self.closed.iter().map(|segment| segment.bytes).fold(0, u64::saturating_add);
        closed.saturating_add(self.writer.as_ref().map_or(0, |writer| writer.bytes))
    }

    /// Records of a batch up to its decided end, or else up to the bounds of a batch; with its last place and where it ends.
    fn collect(
        &self,
        reader: &mut Records,
        decided: Option<u64>,
        most: usize,
        weigh: fn(&Stored) -> usize,
    ) -> Result<(Vec<Stored>, u64, Spot), SpoolError> {
        let (mut records, mut bytes, mut weight) = (Vec::new(), 0_usize, 0_usize);
        let mut spot = reader.spot(0);
        while let Some(record) = reader.next_record()? {
            bytes = bytes.saturating_add(record.payload.len()).saturating_add(FRAME_OVERHEAD_BYTES);
            weight = weight.saturating_add(weigh(&record));
            let full = records.len() >= self.limits.batch_records || bytes > self.limits.batch_bytes || weight > most;
            if decided.is_none()
                && full
                && let Some(last) = records.last().map(|record: &Stored| record.seq)
            {
                return Ok((records, last, spot));
            }
            spot = reader.spot(record.seq.saturating_add(1));
            records.push(record);
        }
        // What is missing at the end was lost: it is passed over.
        Ok((records, decided.unwrap_or(self.acknowledged), spot))
    }

    /// Only to tell at the next start what was cut off the end; not needed for correctness, so it is neither fsynced nor checked.
    fn note_acknowledged(&self) {
        let _ = Cursor { committed: self.acknowledged, pending: 0 }.write_in_place(&self.folder, ACKNOWLEDGED);
    }
}

fn token(first_seq: u64, last_seq: u64, records: &[Stored]) -> String {
    let mut hash = Sha256::new();
    hash.update(first_seq.to_le_bytes());
    hash.update(last_seq.to_le_bytes());
    for record in records {
        hash.update(record.seq.to_le_bytes());
        hash.update([record.kind]);
        hash.update(u64::try_from(record.payload.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(&record.payload);
    }
    hex(&hash.finalize())
}

/// Segments that a consumer had not read and that are not there any more.
fn never_delivered(
    recovery: &mut Recovery,
    consumers: &BTreeMap<String, Cursor>,
    first: Option<&Closed>,
    furthest: u64,
    folder: &Path,
) {
    let there = first.map_or(furthest.saturating_add(1), |segment| segment.first_seq);
    // A consumer that never committed anything may be new: what was removed before it came was not meant for it.
    let known = consumers.values().map(|cursor| cursor.committed).filter(|committed| *committed > 0).min();
    if let Some(committed) = known.filter(|committed| committed.saturating_add(1) < there) {
        let from = committed.saturating_add(1);
        let segment = super::segment_path(folder, from);
        let records = there.saturating_sub(from);
        recovery.lost.push(Lost { segment, bytes: 0..0, seqs: from..there, records, header_only: false });
    }
}

fn remove(path: &Path) -> Result<(), SpoolError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(SpoolError::io("remove segment", path)(error)),
        _ => Ok(()),
    }
}

/// One process at a time; the lock goes with the process. A program that this process (or the one before it) has just started
/// holds every open file for the moment before it runs, the lock too, so a busy lock is asked for again for a second.
fn lock(folder: &Path) -> Result<File, SpoolError> {
    let path = folder.join("lock");
    let file = File::create(&path).map_err(SpoolError::io("lock spool", &path))?;
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(fs::TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            Err(fs::TryLockError::Error(error)) => return Err(SpoolError::io("lock spool", &path)(error)),
        }
    }
    Err(SpoolError::Locked { folder: folder.to_path_buf() })
}

/// How often, and how long apart, a lock that another process holds is asked for again.
const LOCK_TRIES: u32 = 200;
const LOCK_PAUSE: std::time::Duration = std::time::Duration::from_millis(5);
