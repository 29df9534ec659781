//! QPACK decoding of request field sections (RFC 9204), bounded for an observer that trusts neither end.
//!
//! Promises: no panic, memory within `QpackLimits`, time linear in the bytes; encoder instructions may be cut anywhere; a section that
//! refers to entries not yet inserted is told as blocked and changes nothing. Integers, strings and the Huffman code are those of
//! HPACK (RFC 9204 section 4.1). The tests follow the RFC's appendix B.
//! Read next: `static_table.rs`, `mod.rs`.

mod static_table;

use std::collections::VecDeque;

use crate::http::h2::hpack::{HpackError, entry_bytes, integer, string};
use static_table::STATIC_TABLE;

/// Bounds of one connection's decoder.
#[derive(Clone, Copy, Debug)]
pub(super) struct QpackLimits {
    /// Largest dynamic table that an encoder may ask for, in bytes as RFC 9204 section 3.2.1 counts them.
    pub table_bytes: usize,
    /// Longest instruction of the encoder stream.
    pub instruction_bytes: usize,
    /// Decoded names and values of one section.
    pub list_bytes: usize,
    /// Fields of one section.
    pub fields: usize,
}

/// Why a section was not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum QpackError {
    /// It refers to entries that the encoder stream has not brought yet; ask again when it has brought more.
    Blocked,
    /// Malformed, or refers to an entry that was evicted or never existed.
    Malformed,
    /// A bound was exceeded.
    TooLarge,
}

impl From<HpackError> for QpackError {
    fn from(error: HpackError) -> Self {
        match error {
            HpackError::Malformed => Self::Malformed,
            HpackError::TooLarge => Self::TooLarge,
        }
    }
}

/// Decoder state: the dynamic table and what of an instruction has come so far.
#[derive(Debug)]
pub(super) struct Decoder {
    limits: QpackLimits,
    /// Oldest first. The newest has absolute index `inserted - 1`.
    table: VecDeque<(Vec<u8>, Vec<u8>)>,
    table_bytes: usize,
    capacity: usize,
    /// Entries inserted since the connection began ("Insert Count").
    inserted: usize,
    /// SETTINGS_QPACK_MAX_TABLE_CAPACITY of the server, which the client's encoder computes with.
    announced: Option<usize>,
    /// Bytes of the encoder stream; up to `followed` they were followed.
    pending: Vec<u8>,
    followed: usize,
}

impl Decoder {
    pub fn new(limits: QpackLimits) -> Self {
        let (table, pending) = (VecDeque::new(), Vec::new());
        Self { limits, table, table_bytes: 0, capacity: 0, inserted: 0, announced: None, pending, followed: 0 }
    }

    /// The server told how large a table it allows (RFC 9204 section 5).
    pub fn announce(&mut self, max_table_capacity: u64) {
        self.announced = usize::try_from(max_table_capacity).ok();
    }

    /// Takes the next bytes of the encoder stream; [`Decoder::step`] reads them.
    pub fn push(&mut self, data: &[u8]) {
        self.pending.extend_from_slice(data);
    }

    /// Follows the next instruction (section 4.3). `false`: none has come whole.
    pub fn step(&mut self) -> Result<bool, QpackError> {
        let pending = std::mem::take(&mut self.pending);
        let mut rest = pending.get(self.followed..).unwrap_or_default();
        let left = rest.len();
        let done = self.instruction(&mut rest);
        self.followed = pending.len().saturating_sub(rest.len());
        self.pending = pending;
        match done {
            Ok(()) => Ok(true),
            // Malformed may mean cut off: what is left is kept until it is longer than any instruction may be.
            Err(QpackError::Malformed) if left <= self.limits.instruction_bytes => {
                self.pending.drain(..self.followed);
                self.followed = 0;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Decodes one whole field section (section 4.5) and calls `field` with each name and value, in order.
    pub fn decode(&self, section: &[u8], mut field: impl FnMut(&[u8], &[u8])) -> Result<(), QpackError> {
        let mut rest = section;
        let required = self.required_inserts(integer(&mut rest, 8)?)?;
        let below = rest.first().ok_or(QpackError::Malformed)? & 0x80 != 0;
        let delta = integer(&mut rest, 7)?;
        let base = if below { required.checked_sub(delta + 1) } else { required.checked_add(delta) };
        let base = base.ok_or(QpackError::Malformed)?;
        if required > self.inserted {
            return Err(QpackError::Blocked);
        }
        let (mut list_bytes, mut fields) = (0_usize, 0_usize);
        while !rest.is_empty() {
            let room = self.limits.list_bytes.saturating_sub(list_bytes);
            let used = self.field_line(&mut rest, base, room, &mut field)?;
            list_bytes = list_bytes.saturating_add(used);
            fields += 1;
            if list_bytes > self.limits.list_bytes || fields > self.limits.fields {
                return Err(QpackError::TooLarge);
            }
        }
        Ok(())
    }

    /// Bytes held on the heap, at least.
    pub fn heap_bytes(&self) -> usize {
        let entries = self.table.capacity().saturating_mul(size_of::<(Vec<u8>, Vec<u8>)>());
        entries.saturating_add(self.table_bytes).saturating_add(self.pending.capacity())
    }

    /// One field line (sections 4.5.2 to 4.5.6); gives the bytes of its name and value.
    fn field_line(
        &self,
        rest: &mut &[u8],
        base: usize,
        room: usize,
        field: &mut impl FnMut(&[u8], &[u8]),
    ) -> Result<usize, QpackError> {
        let first = *rest.first().ok_or(QpackError::Malformed)?;
        let before_base = |index: usize| base.checked_sub(index + 1).ok_or(QpackError::Malformed);
        // An indexed field line, or one whose name is referred to.
        let (name, value) = match first {
            0x80.. => {
                let index = integer(rest, 6)?;
                if first & 0x40 != 0 { fixed(index)? } else { self.entry(before_base(index)?)? }
            }
            0x10..0x20 => {
                let index = integer(rest, 4)?;
                self.entry(base.saturating_add(index))?
            }
            0x40.. => {
                let index = integer(rest, 4)?;
                let (name, _) = if first & 0x10 != 0 { fixed(index)? } else { self.entry(before_base(index)?)? };
                return literal(name, rest, room, field);
            }
            0x20.. => {
                let name = string(rest, 3, room)?;
                return literal(&name, rest, room, field);
            }
            _ => {
                let index = integer(rest, 3)?;
                let (name, _) = self.entry(base.saturating_add(index))?;
                return literal(name, rest, room, field);
            }
        };
        field(name, value);
        Ok(name.len().saturating_add(value.len()))
    }

    /// One instruction of the encoder; `rest` moves only over whole ones.
    fn instruction(&mut self, rest: &mut &[u8]) -> Result<(), QpackError> {
        let mut at = *rest;
        let first = *at.first().ok_or(QpackError::Malformed)?;
        let room = self.limits.instruction_bytes;
        match first {
            // Insert with Name Reference (4.3.2).
            0x80.. => {
                let index = integer(&mut at, 6)?;
                let name = if first & 0x40 != 0 { fixed(index)?.0 } else { self.newest(index)?.0 }.to_vec();
                let value = string(&mut at, 7, room)?;
                self.insert(name, value)?;
            }
            // Insert with Literal Name (4.3.3).
            0x40.. => {
                let name = string(&mut at, 5, room)?;
                let value = string(&mut at, 7, room)?;
                self.insert(name, value)?;
            }
            // Set Dynamic Table Capacity (4.3.1).
            0x20.. => {
                let capacity = integer(&mut at, 5)?;
                if capacity > self.limits.table_bytes {
                    return Err(QpackError::TooLarge);
                }
                self.capacity = capacity;
                self.evict_to(capacity);
            }
            // Duplicate (4.3.4).
            _ => {
                let index = integer(&mut at, 5)?;
                let (name, value) = self.newest(index)?;
                let (name, value) = (name.to_vec(), value.to_vec());
                self.insert(name, value)?;
            }
        }
        *rest = at;
        Ok(())
    }

    /// The Required Insert Count (section 4.5.1.1), which is sent modulo twice the number of entries that fit.
    fn required_inserts(&self, encoded: usize) -> Result<usize, QpackError> {
        if encoded == 0 {
            return Ok(0);
        }
        // A capture may lack the server's SETTINGS; encoders use the whole table they are allowed.
        let entries = self.announced.unwrap_or(self.capacity) / 32;
        let full_range = entries.checked_mul(2).filter(|range| encoded <= *range).ok_or(match self.announced {
            Some(_) => QpackError::Malformed,
            None => QpackError::Blocked,
        })?;
        let max_value = self.inserted.saturating_add(entries);
        let wrapped = max_value / full_range * full_range;
        let required = wrapped.saturating_add(encoded - 1);
        let required = if required > max_value { required.checked_sub(full_range) } else { Some(required) };
        required.filter(|required| *required > 0).ok_or(QpackError::Malformed)
    }

    /// The entry of this absolute index.
    fn entry(&self, absolute: usize) -> Result<(&[u8], &[u8]), QpackError> {
        let evicted = self.inserted.saturating_sub(self.table.len());
        let place = absolute.checked_sub(evicted).and_then(|at| self.table.get(at));
        place.map(|(name, value)| (name.as_slice(), value.as_slice())).ok_or(QpackError::Malformed)
    }

    /// The entry inserted so many before the newest, as instructions count.
    fn newest(&self, index: usize) -> Result<(&[u8], &[u8]), QpackError> {
        self.entry(self.inserted.checked_sub(index.saturating_add(1)).ok_or(QpackError::Malformed)?)
    }

    fn insert(&mut self, name: Vec<u8>, value: Vec<u8>) -> Result<(), QpackError> {
        let size = entry_bytes(&name, &value);
        // Unlike in HPACK, an entry that does not fit is an error (section 3.2.2).
        let left = self.capacity.checked_sub(size).ok_or(QpackError::TooLarge)?;
        self.evict_to(left);
        self.table_bytes = self.table_bytes.saturating_add(size);
        self.table.push_back((name, value));
        self.inserted = self.inserted.saturating_add(1);
        Ok(())
    }

    fn evict_to(&mut self, size: usize) {
        while self.table_bytes > size {
            let Some((name, value)) = self.table.pop_front() else { break };
            self.table_bytes = self.table_bytes.saturating_sub(entry_bytes(&name, &value));
        }
    }
}

/// An entry of the static table (section 3.1; from 0, unlike HPACK's).
fn fixed(index: usize) -> Result<(&'static [u8], &'static [u8]), QpackError> {
    STATIC_TABLE.get(index).map(|(name, value)| (name.as_bytes(), value.as_bytes())).ok_or(QpackError::Malformed)
}

/// The value of a literal field line, behind its name.
fn literal(name: &[u8], rest: &mut &[u8], room: usize, field: &mut impl FnMut(&[u8], &[u8])) -> Result<usize, QpackError> {
    let value = string(rest, 7, room.saturating_sub(name.len()))?;
    field(name, &value);
    Ok(name.len().saturating_add(value.len()))
}

#[cfg(test)]
mod tests;
