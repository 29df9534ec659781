//! The model file: one compact binary envelope for every voice, written by `ArtifactWriter`, read by `ArtifactReader`.
//!
//! ```text
//! "JA4MODEL" | layout version u32 | voice tag u8 | feature names | payload … | SHA-256 of all bytes before it
//! ```
//! Little-endian throughout; a list is its length (u32) and its items. The checksum finds accidents; it does not stop a
//! forger, so reading also checks every length against the bytes that are left *before* allocating, and each voice
//! checks every index and number. A model file can be refused, but can neither crash the reader nor exhaust memory.
//! Read next: `voice.rs` (`load`), and `model.rs` of each voice.

use sha2::{Digest, Sha256};

use crate::error::{ModelError, Result};
use crate::matrix::FeatureSet;

const MAGIC: &[u8; 8] = b"JA4MODEL";
const CHECKSUM_BYTES: usize = 32;

/// Layout version of every model file this build reads and writes. 2: an ensemble's numbers mean another combination than before.
pub const LAYOUT_VERSION: u32 = 2;

/// SHA-256 of a model file as hexadecimal text: equal digests mean equal models.
pub fn digest_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Builds a model file in memory.
pub(crate) struct ArtifactWriter(Vec<u8>);

impl ArtifactWriter {
    pub(crate) fn new(tag: u8, features: &FeatureSet) -> Self {
        let mut writer = Self(Vec::new());
        writer.0.extend_from_slice(MAGIC);
        writer.u32(LAYOUT_VERSION);
        writer.0.push(tag);
        writer.u32(features.len() as u32);
        for name in features.names() {
            writer.text(name);
        }
        writer
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn f64(&mut self, value: f64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn text(&mut self, value: &str) {
        self.u32(value.len() as u32);
        self.0.extend_from_slice(value.as_bytes());
    }

    pub(crate) fn u32s(&mut self, values: &[u32]) {
        self.u32(values.len() as u32);
        values.iter().for_each(|&value| self.u32(value));
    }

    pub(crate) fn f32s(&mut self, values: &[f32]) {
        self.u32(values.len() as u32);
        values.iter().for_each(|value| self.0.extend_from_slice(&value.to_le_bytes()));
    }

    pub(crate) fn f64s(&mut self, values: &[f64]) {
        self.u32(values.len() as u32);
        values.iter().for_each(|&value| self.f64(value));
    }

    /// A model inside a model (the ensemble holds its voices whole).
    pub(crate) fn blob(&mut self, bytes: &[u8]) {
        self.u32(bytes.len() as u32);
        self.0.extend_from_slice(bytes);
    }

    /// Appends the checksum.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let checksum: [u8; CHECKSUM_BYTES] = Sha256::digest(&self.0).into();
        self.0.extend_from_slice(&checksum);
        self.0
    }
}

/// Reads a model file; every getter checks what is left.
pub(crate) struct ArtifactReader<'a> {
    bytes: &'a [u8],
    offset: usize,
    /// Which voice wrote the file.
    pub(crate) tag: u8,
    /// The features it was fitted on.
    pub(crate) features: FeatureSet,
}

impl<'a> ArtifactReader<'a> {
    /// Checks magic, version and checksum, and reads the feature names.
    pub(crate) fn open(file: &'a [u8]) -> Result<Self> {
        let bad = |reason, offset| ModelError::BadModel { reason, offset };
        let body_bytes = file.len().checked_sub(CHECKSUM_BYTES).ok_or(bad("the file is too short to be a model", file.len()))?;
        let (bytes, checksum) = file.split_at(body_bytes);
        if bytes.get(..MAGIC.len()) != Some(MAGIC) {
            return Err(bad("the file does not begin with JA4MODEL", 0));
        }
        let features = FeatureSet::numbered(1)?;
        let mut reader = Self { bytes, offset: MAGIC.len(), tag: 0, features };
        let version = reader.u32()?;
        if version != LAYOUT_VERSION {
            return Err(ModelError::ModelVersion { found: version, expected: LAYOUT_VERSION });
        }
        if Sha256::digest(bytes).as_slice() != checksum {
            return Err(bad("the checksum does not match, the file is damaged", body_bytes));
        }
        reader.tag = reader.take(1)?.first().copied().unwrap_or(0);
        // A name takes at least the four bytes of its length, so the count is bounded by the bytes present.
        let count = reader.length(4)?;
        let mut names = Vec::with_capacity(count);
        for _ in 0..count {
            names.push(reader.text()?);
        }
        reader.features = FeatureSet::new(names).map_err(|_| reader.bad("the feature names are empty or repeat"))?;
        Ok(reader)
    }

    /// An error at the current position.
    pub(crate) fn bad(&self, reason: &'static str) -> ModelError {
        ModelError::BadModel { reason, offset: self.offset }
    }

    /// `Ok` when `condition` holds, else an error at the current position.
    pub(crate) fn require(&self, condition: bool, reason: &'static str) -> Result<()> {
        if condition { Ok(()) } else { Err(self.bad(reason)) }
    }

    pub(crate) fn u32(&mut self) -> Result<u32> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes(bytes.try_into().map_err(|_| self.bad("the file ends early"))?))
    }

    /// A finite number.
    pub(crate) fn f64(&mut self) -> Result<f64> {
        let bytes = self.take(8)?;
        let value = f64::from_le_bytes(bytes.try_into().map_err(|_| self.bad("the file ends early"))?);
        self.require(value.is_finite(), "a number is not finite")?;
        Ok(value)
    }

    pub(crate) fn text(&mut self) -> Result<String> {
        let count = self.length(1)?;
        let bytes = self.take(count)?;
        Ok(std::str::from_utf8(bytes).map_err(|_| self.bad("a name is not UTF-8"))?.to_owned())
    }

    pub(crate) fn u32s(&mut self) -> Result<Vec<u32>> {
        let count = self.length(4)?;
        let (chunks, _) = self.take(count * 4)?.as_chunks();
        Ok(chunks.iter().map(|&chunk| u32::from_le_bytes(chunk)).collect())
    }

    /// Numbers as they are: the voice decides which may be infinite.
    pub(crate) fn f32s(&mut self) -> Result<Vec<f32>> {
        let count = self.length(4)?;
        let (chunks, _) = self.take(count * 4)?.as_chunks();
        Ok(chunks.iter().map(|&chunk| f32::from_le_bytes(chunk)).collect())
    }

    /// Finite numbers.
    pub(crate) fn f64s(&mut self) -> Result<Vec<f64>> {
        let count = self.length(8)?;
        let (chunks, _) = self.take(count * 8)?.as_chunks();
        let values: Vec<f64> = chunks.iter().map(|&chunk| f64::from_le_bytes(chunk)).collect();
        self.require(values.iter().all(|value| value.is_finite()), "a number is not finite")?;
        Ok(values)
    }

    /// The bytes of a model inside this model.
    pub(crate) fn blob(&mut self) -> Result<&'a [u8]> {
        let count = self.length(1)?;
        self.take(count)
    }

    /// Refuses bytes after the end.
    pub(crate) fn finish(self) -> Result<FeatureSet> {
        self.require(self.offset == self.bytes.len(), "there are bytes after the end of the model")?;
        Ok(self.features)
    }

    /// A list length, refused when the list could not fit into what is left.
    fn length(&mut self, item_bytes: usize) -> Result<usize> {
        let count = self.u32()? as usize;
        let left = self.bytes.len().saturating_sub(self.offset);
        self.require(count <= left / item_bytes, "a list is longer than the file")?;
        Ok(count)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let end = self.offset.checked_add(count).ok_or_else(|| self.bad("a length overflows"))?;
        let bytes = self.bytes.get(self.offset..end).ok_or_else(|| self.bad("the file ends early"))?;
        self.offset = end;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        let mut writer = ArtifactWriter::new(9, &FeatureSet::new(["a", "ß"]).unwrap());
        writer.f64(1.5);
        writer.u32s(&[1, 2, 3]);
        writer.finish()
    }

    #[test]
    fn what_is_written_is_read() {
        let file = sample();
        let mut reader = ArtifactReader::open(&file).unwrap();
        assert_eq!((reader.tag, reader.f64().unwrap(), reader.u32s().unwrap()), (9, 1.5, vec![1, 2, 3]));
        assert_eq!(reader.finish().unwrap().names(), ["a", "ß"]);
    }

    #[test]
    fn every_flipped_byte_and_every_cut_is_refused() {
        let file = sample();
        for position in 0..file.len() {
            let mut damaged = file.clone();
            damaged[position] ^= 0x41;
            assert!(ArtifactReader::open(&damaged).is_err(), "byte {position}");
            assert!(ArtifactReader::open(&file[..position]).is_err(), "cut at {position}");
        }
    }

    #[test]
    fn a_list_that_claims_more_than_the_file_holds_is_refused_even_with_a_good_checksum() {
        let mut writer = ArtifactWriter::new(9, &FeatureSet::new(["a"]).unwrap());
        writer.u32(u32::MAX); // a list of four thousand million numbers, none of them present
        let file = writer.finish();
        assert!(matches!(ArtifactReader::open(&file).unwrap().f64s(), Err(ModelError::BadModel { .. })));
    }
}
