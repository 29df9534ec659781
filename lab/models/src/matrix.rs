//! `Matrix`: the numeric table every voice is fitted on and scores, and `FeatureSet`: its column names and their hash.
//!
//! Row-major `f64`. A value is a finite number or missing (NaN). Infinities are taken as missing on entry and counted:
//! they are failed divisions, not measurements. What a voice does with missing values is written at the voice:
//! the forest and the autoencoder impute the training median, the trees learn a direction.
//! A model remembers the hash of its feature names in order and refuses any other table.
//! Read next: `voice.rs`.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::error::{ModelError, Result};

/// SHA-256 over the feature names in order, each preceded by its length in bytes (little-endian `u64`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FeatureHash(pub [u8; 32]);

impl FeatureHash {
    /// First 12 hexadecimal digits: enough to tell two feature sets apart in a message.
    pub fn short(&self) -> String {
        self.0.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Display for FeatureHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for FeatureHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FeatureHash({self})")
    }
}

/// Ordered, distinct feature names with their hash. Cloning is cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureSet {
    names: Arc<[String]>,
    hash: FeatureHash,
}

impl FeatureSet {
    /// Takes the names in column order.
    ///
    /// # Errors
    /// [`ModelError::NoFeatures`] for an empty list, [`ModelError::DuplicateFeature`] for a repeated name.
    pub fn new<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Result<Self> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        if names.is_empty() {
            return Err(ModelError::NoFeatures);
        }
        let mut sorted: Vec<&String> = names.iter().collect();
        sorted.sort_unstable();
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(ModelError::DuplicateFeature { name: pair[0].clone() });
        }
        let mut hasher = Sha256::new();
        for name in &names {
            hasher.update((name.len() as u64).to_le_bytes());
            hasher.update(name.as_bytes());
        }
        Ok(Self { names: names.into(), hash: FeatureHash(hasher.finalize().into()) })
    }

    /// `f0, f1, …`: names for tables that have none.
    ///
    /// # Errors
    /// [`ModelError::NoFeatures`] for zero columns.
    pub fn numbered(columns: usize) -> Result<Self> {
        Self::new((0..columns).map(|column| format!("f{column}")))
    }

    /// Names in column order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Number of columns, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "a feature set is never empty")]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Hash of the names in order.
    pub fn hash(&self) -> FeatureHash {
        self.hash
    }

    /// Accepts `found` only when it holds the same names in the same order.
    ///
    /// # Errors
    /// [`ModelError::FeatureHash`] otherwise.
    pub fn require(&self, found: &Self) -> Result<()> {
        if self.hash == found.hash {
            Ok(())
        } else {
            Err(ModelError::FeatureHash { expected: self.hash.short(), found: found.hash.short() })
        }
    }
}

/// A table of `rows × columns` numbers; see the module head for what a value may be.
#[derive(Debug, Clone)]
pub struct Matrix {
    features: FeatureSet,
    values: Vec<f64>,
    infinities_replaced: usize,
}

impl Matrix {
    /// Takes row-major values; no rows is a valid matrix. Infinities become missing.
    ///
    /// # Errors
    /// [`ModelError::RaggedMatrix`] when the length is no multiple of the number of columns.
    pub fn new(features: FeatureSet, mut values: Vec<f64>) -> Result<Self> {
        if !values.len().is_multiple_of(features.len()) {
            return Err(ModelError::RaggedMatrix { values: values.len(), columns: features.len() });
        }
        let mut infinities_replaced = 0;
        for value in &mut values {
            if value.is_infinite() {
                *value = f64::NAN;
                infinities_replaced += 1;
            }
        }
        Ok(Self { features, values, infinities_replaced })
    }

    /// Builds a matrix from columns of equal length, in the order of the names.
    ///
    /// # Errors
    /// [`ModelError::LengthMismatch`] when columns differ in number or length.
    pub fn from_columns<C: AsRef<[f64]>>(features: FeatureSet, columns: &[C]) -> Result<Self> {
        let operation = "building a matrix from columns";
        if columns.len() != features.len() {
            return Err(ModelError::LengthMismatch { operation, expected: features.len(), found: columns.len() });
        }
        let rows = columns.first().map_or(0, |column| column.as_ref().len());
        if let Some(odd) = columns.iter().find(|column| column.as_ref().len() != rows) {
            return Err(ModelError::LengthMismatch { operation, expected: rows, found: odd.as_ref().len() });
        }
        let mut values = Vec::with_capacity(rows * columns.len());
        for row in 0..rows {
            values.extend(columns.iter().map(|column| column.as_ref()[row]));
        }
        Self::new(features, values)
    }

    /// Column names and hash.
    pub fn features(&self) -> &FeatureSet {
        &self.features
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.values.len() / self.features.len()
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.features.len()
    }

    /// Row-major values.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// One row.
    ///
    /// # Panics
    /// When `row` is not below [`Matrix::rows`], as slices do.
    pub fn row(&self, row: usize) -> &[f64] {
        let columns = self.columns();
        &self.values[row * columns..(row + 1) * columns]
    }

    /// Infinities taken as missing when the matrix was built.
    pub fn infinities_replaced(&self) -> usize {
        self.infinities_replaced
    }

    /// A matrix of the given rows, in the given order; a row may repeat.
    ///
    /// # Panics
    /// When a row number is out of range, as slices do.
    pub fn select_rows(&self, rows: &[usize]) -> Self {
        let mut values = Vec::with_capacity(rows.len() * self.columns());
        for &row in rows {
            values.extend_from_slice(self.row(row));
        }
        Self { features: self.features.clone(), values, infinities_replaced: 0 }
    }

    /// A matrix of the named columns, in the given order: how a table is fitted to a model's features.
    ///
    /// # Errors
    /// [`ModelError::UnknownFeature`] for a name that is not here.
    pub fn select_features(&self, wanted: &FeatureSet) -> Result<Self> {
        let mut picks = Vec::with_capacity(wanted.len());
        for name in wanted.names() {
            let found = self.features.names().iter().position(|have| have == name);
            picks.push(found.ok_or_else(|| ModelError::UnknownFeature { name: name.clone() })?);
        }
        let mut values = Vec::with_capacity(self.rows() * picks.len());
        for row in self.values.chunks_exact(self.columns()) {
            values.extend(picks.iter().map(|&column| row[column]));
        }
        Ok(Self { features: wanted.clone(), values, infinities_replaced: 0 })
    }
}

/// Checks that `labels` has one entry per row.
pub(crate) fn check_labels(operation: &'static str, matrix: &Matrix, labels: &[bool]) -> Result<()> {
    if labels.len() == matrix.rows() {
        Ok(())
    } else {
        Err(ModelError::LengthMismatch { operation, expected: matrix.rows(), found: labels.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_decide_the_hash_and_their_borders_count() {
        let hash = |names: &[&str]| FeatureSet::new(names.iter().copied()).unwrap().hash();
        assert_eq!(hash(&["a", "b"]), hash(&["a", "b"]));
        assert_ne!(hash(&["a", "b"]), hash(&["b", "a"]));
        assert_ne!(hash(&["ab", "c"]), hash(&["a", "bc"]));
        assert!(matches!(FeatureSet::new(["x", "x"]), Err(ModelError::DuplicateFeature { .. })));
        assert_eq!(FeatureSet::numbered(0), Err(ModelError::NoFeatures));
    }

    #[test]
    fn infinities_become_missing_and_are_counted() {
        let matrix =
            Matrix::new(FeatureSet::numbered(2).unwrap(), vec![1.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN]).unwrap();
        assert_eq!((matrix.rows(), matrix.infinities_replaced()), (2, 2));
        assert!(matrix.row(0)[1].is_nan() && matrix.row(1)[0].is_nan());
    }

    #[test]
    fn ragged_tables_are_refused_and_columns_can_be_picked_by_name() {
        let features = FeatureSet::new(["a", "b", "c"]).unwrap();
        assert!(matches!(Matrix::new(features.clone(), vec![0.0; 4]), Err(ModelError::RaggedMatrix { .. })));
        let matrix = Matrix::from_columns(features, &[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]).unwrap();
        let picked = matrix.select_features(&FeatureSet::new(["c", "a"]).unwrap()).unwrap();
        assert_eq!(picked.values(), &[5.0, 1.0, 6.0, 2.0]);
        assert!(matrix.select_features(&FeatureSet::new(["d"]).unwrap()).is_err());
    }
}
