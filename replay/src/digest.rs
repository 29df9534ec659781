//! Digests that say whether two results are the same, whatever the store, the thread count or the way the data came in.
//!
//! Promises: every row is hashed by SHA-256 over a canonical form (Int: 8 bytes little-endian, Float: its 8 bits likewise,
//! Text: 4-byte length and UTF-8), the row hashes are put in key order, and the digest is SHA-256 over keys and hashes.
//! Equal digests mean equal rows; a digest of no rows is the SHA-256 of nothing.
//!
//! Read next: `store/mod.rs`, whose queries feed this.

use duckdb::arrow::array::{Array, Float64Array, Int64Array, RecordBatch, StringArray};
use duckdb::arrow::datatypes::DataType;
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};

/// Collects row hashes and gives the digest.
#[derive(Debug, Default)]
pub struct TableDigest {
    /// (canonical key, hash of the row); sorted at the end.
    rows: Vec<(Box<[u8]>, [u8; 32])>,
}

/// A column that no digest can be taken of.
#[derive(Debug, thiserror::Error)]
#[error("digest: column {name} has type {found}, expected BIGINT, DOUBLE or VARCHAR")]
pub struct DigestError {
    name: String,
    found: String,
}

impl TableDigest {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the rows of `batch`; the first `key_columns` columns are the key.
    ///
    /// # Errors
    /// A column that is neither BIGINT, DOUBLE nor VARCHAR.
    pub fn add(&mut self, batch: &RecordBatch, key_columns: usize) -> Result<(), DigestError> {
        let columns: Vec<Canonical<'_>> = batch
            .columns()
            .iter()
            .zip(batch.schema().fields())
            .map(|(array, field)| Canonical::new(array.as_ref()).ok_or_else(|| unsupported(field.name(), array.data_type())))
            .collect::<Result<_, _>>()?;
        let hashed: Vec<_> = (0..batch.num_rows())
            .into_par_iter()
            .with_min_len(512)
            .map_init(Vec::new, |buffer: &mut Vec<u8>, row| {
                buffer.clear();
                let mut key_end = 0;
                for (index, column) in columns.iter().enumerate() {
                    column.write(row, buffer);
                    if index + 1 == key_columns {
                        key_end = buffer.len();
                    }
                }
                let key: Box<[u8]> = buffer.get(..key_end).unwrap_or_default().into();
                (key, Sha256::digest(&buffer).into())
            })
            .collect();
        self.rows.extend(hashed);
        Ok(())
    }

    /// Number of rows added.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// The digest, 64 hex digits.
    #[must_use]
    pub fn finish(mut self) -> String {
        self.rows.par_sort_unstable();
        let mut all = Sha256::new();
        for (key, hash) in &self.rows {
            all.update(key);
            all.update(hash);
        }
        hex(&all.finalize())
    }
}

/// Lower-case hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

enum Canonical<'a> {
    Int(&'a Int64Array),
    Float(&'a Float64Array),
    Text(&'a StringArray),
}

impl<'a> Canonical<'a> {
    fn new(array: &'a dyn Array) -> Option<Self> {
        let any = array.as_any();
        any.downcast_ref()
            .map(Self::Int)
            .or_else(|| any.downcast_ref().map(Self::Float))
            .or_else(|| any.downcast_ref().map(Self::Text))
    }

    fn write(&self, row: usize, out: &mut Vec<u8>) {
        match self {
            Self::Int(array) => out.extend_from_slice(&array.value(row).to_le_bytes()),
            Self::Float(array) => out.extend_from_slice(&canonical_float(array.value(row))),
            Self::Text(array) => {
                canonical_text(array.value(row), out);
            }
        }
    }
}

/// One zero and one NaN, so that equal numbers have equal bits.
pub(crate) fn canonical_float(value: f64) -> [u8; 8] {
    let bits = if value == 0.0 {
        0
    } else if value.is_nan() {
        f64::NAN.to_bits()
    } else {
        value.to_bits()
    };
    bits.to_le_bytes()
}

/// Length and bytes.
pub(crate) fn canonical_text(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// The hash of each row of `batch`, as a [`TableDigest`] makes it.
///
/// # Errors
/// A column that is neither BIGINT, DOUBLE nor VARCHAR.
pub fn row_hashes(batch: &RecordBatch) -> Result<Vec<[u8; 32]>, DigestError> {
    let mut digest = TableDigest::new();
    digest.add(batch, 0)?;
    Ok(digest.rows.into_iter().map(|(_, hash)| hash).collect())
}

/// The digest of request rows as they are written, so that nothing need be read back: the same value as a [`TableDigest`] over the
/// stored rows gives.
#[derive(Debug, Default)]
pub struct WrittenDigest {
    rows: Vec<([u8; 16], [u8; 32])>,
}

/// Rows beyond which [`WrittenDigest`] gives up: 96 MiB of hashes.
const WRITTEN_ROWS_MAX: usize = 1 << 21;

impl WrittenDigest {
    /// Adds rows by key and hash; false when there are too many to keep, or rows came without hashes.
    pub fn add(&mut self, keys: &[(i64, i64)], hashes: &[[u8; 32]]) -> bool {
        if keys.len() != hashes.len() || self.rows.len().saturating_add(keys.len()) > WRITTEN_ROWS_MAX {
            return false;
        }
        self.rows.extend(keys.iter().zip(hashes).map(|((hi, lo), hash)| {
            let mut key = [0_u8; 16];
            let (upper, lower) = key.split_at_mut(8);
            upper.copy_from_slice(&hi.to_le_bytes());
            lower.copy_from_slice(&lo.to_le_bytes());
            (key, *hash)
        }));
        true
    }

    /// The digest so far, 64 hex digits.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut order: Vec<&([u8; 16], [u8; 32])> = self.rows.iter().collect();
        order.par_sort_unstable();
        let mut all = Sha256::new();
        for (key, hash) in order {
            all.update(key);
            all.update(hash);
        }
        hex(&all.finalize())
    }
}

fn unsupported(name: &str, found: &DataType) -> DigestError {
    DigestError { name: name.to_owned(), found: found.to_string() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use duckdb::arrow::datatypes::{Field, Schema};

    use super::*;

    fn batch(keys: &[i64], texts: &[&str]) -> RecordBatch {
        let schema = Schema::new(vec![Field::new("k", DataType::Int64, false), Field::new("t", DataType::Utf8, false)]);
        let columns: Vec<Arc<dyn Array>> =
            vec![Arc::new(Int64Array::from(keys.to_vec())), Arc::new(StringArray::from(texts.to_vec()))];
        RecordBatch::try_new(Arc::new(schema), columns).unwrap()
    }

    fn digest(batches: &[RecordBatch]) -> String {
        let mut table = TableDigest::new();
        for one in batches {
            table.add(one, 1).unwrap();
        }
        table.finish()
    }

    #[test]
    fn order_and_batching_do_not_matter_but_every_value_does() {
        let whole = digest(&[batch(&[1, 2, 3], &["a", "b", "c"])]);
        assert_eq!(whole, digest(&[batch(&[3], &["c"]), batch(&[2, 1], &["b", "a"])]));
        assert_ne!(whole, digest(&[batch(&[1, 2, 3], &["a", "b", "d"])]));
        assert_ne!(whole, digest(&[batch(&[1, 2], &["a", "b"])]));
    }

    #[test]
    fn rows_digested_while_written_have_the_digest_of_the_table() {
        let rows: Vec<ja4_join::row::HttpLogRow> = (0..50_i64)
            .map(|n| ja4_join::row::HttpLogRow {
                row_hi: n % 7,
                row_lo: -n,
                path: format!("/{n}").into(),
                match_confidence: if n == 3 { -0.0 } else { 0.25 },
                ..ja4_join::row::HttpLogRow::unknown()
            })
            .collect();
        let chunk = crate::store::chunk::Chunk::of_requests(&rows).unwrap();
        let mut table = TableDigest::new();
        table.add(&chunk.columns, 2).unwrap();
        let mut written = WrittenDigest::default();
        assert!(written.add(&chunk.keys, &chunk.hashes));
        assert_eq!(table.finish(), written.digest());
        assert!(!written.add(&chunk.keys, &[]), "rows without hashes have no digest");
    }

    #[test]
    fn text_boundaries_are_part_of_the_form() {
        assert_ne!(digest(&[batch(&[1, 1], &["ab", "c"])]), digest(&[batch(&[1, 1], &["a", "bc"])]));
    }
}
