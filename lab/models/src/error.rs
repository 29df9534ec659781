//! The one error type of this crate.
//!
//! Every message is a plain sentence that says which operation failed and what to do; none carries a path, because
//! nothing here opens files: callers add the file name they read the bytes from.
//! Read next: `matrix.rs` (what a table must be), `artifact.rs` (what a model file must be).

use thiserror::Error;

/// Short form of this crate's results.
pub type Result<T, E = ModelError> = std::result::Result<T, E>;

/// Why a table, a setting or a model file was refused.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ModelError {
    /// A matrix must have at least one column.
    #[error("building a matrix: the table has no numeric columns; name at least one feature")]
    NoFeatures,
    /// Two columns carry one name, so a model could not tell them apart.
    #[error("building a matrix: the column name {name:?} occurs twice; rename one of them")]
    DuplicateFeature {
        /// The name in question.
        name: String,
    },
    /// The value buffer is not rows × columns long.
    #[error("building a matrix: {values} values do not divide into rows of {columns} columns")]
    RaggedMatrix {
        /// Length of the buffer handed over.
        values: usize,
        /// Number of feature names.
        columns: usize,
    },
    /// A column asked for by name does not exist.
    #[error("selecting columns: there is no column named {name:?}")]
    UnknownFeature {
        /// The name in question.
        name: String,
    },
    /// Fitting needs more rows.
    #[error("{operation}: needs at least {needed} rows, the table has {found}")]
    TooFewRows {
        /// What was attempted.
        operation: &'static str,
        /// Smallest number of rows accepted.
        needed: usize,
        /// Rows present.
        found: usize,
    },
    /// More columns than the layout can address.
    #[error("{operation}: handles at most {limit} columns, the table has {found}")]
    TooManyColumns {
        /// What was attempted.
        operation: &'static str,
        /// Largest number of columns accepted.
        limit: usize,
        /// Columns present.
        found: usize,
    },
    /// A supervised voice was fitted without labels.
    #[error("{operation}: needs a label for every row; choose an unsupervised voice or name the label column")]
    LabelsMissing {
        /// What was attempted.
        operation: &'static str,
    },
    /// Two arrays that belong together differ in length.
    #[error("{operation}: got {found} values for {expected} rows")]
    LengthMismatch {
        /// What was attempted.
        operation: &'static str,
        /// Rows expected.
        expected: usize,
        /// Values found.
        found: usize,
    },
    /// All labels are of one class, so nothing can be learnt or measured.
    #[error("{operation}: all {rows} labels are of one class; both normal rows and anomalies are needed")]
    OneClass {
        /// What was attempted.
        operation: &'static str,
        /// Rows looked at.
        rows: usize,
    },
    /// A score that is NaN or infinite was handed to a metric or calibrator.
    #[error("{operation}: the value at position {position} is not a finite number")]
    NotFinite {
        /// What was attempted.
        operation: &'static str,
        /// Index of the first such value.
        position: usize,
    },
    /// The matrix has other features than the model was fitted on.
    #[error(
        "scoring: the model was fitted on features {expected} and the table has features {found} (hash of the column names in \
         order); retrain, or select the model's columns by name"
    )]
    FeatureHash {
        /// First 12 hexadecimal digits of the model's feature hash.
        expected: String,
        /// The same of the matrix.
        found: String,
    },
    /// A setting is outside its range.
    #[error("{voice}: the setting {setting} is {value}, it must be {range}")]
    Setting {
        /// Which algorithm.
        voice: &'static str,
        /// Name of the setting.
        setting: &'static str,
        /// Value found, as text.
        value: String,
        /// Accepted range, as text.
        range: &'static str,
    },
    /// A model file is damaged, hostile or of another version.
    #[error("reading a model: {reason} (at byte {offset}); restore the file from the registry or retrain")]
    BadModel {
        /// What is wrong.
        reason: &'static str,
        /// Position in the file where it was noticed.
        offset: usize,
    },
    /// A model file of a newer or older layout.
    #[error("reading a model: the file has layout version {found}, this program reads version {expected}; retrain")]
    ModelVersion {
        /// Version found.
        found: u32,
        /// Version this build reads.
        expected: u32,
    },
    /// An XGBoost JSON file is not a model this crate can import.
    #[error("importing an XGBoost model: {reason} (at {place})")]
    XgboostImport {
        /// What is wrong.
        reason: String,
        /// Which tree or key.
        place: String,
    },
    /// Nobody wants the result any more.
    #[error("{operation}: stopped before its end; nothing was kept")]
    Stopped {
        /// What was attempted.
        operation: &'static str,
    },
    /// An optimiser left the range of numbers.
    #[error("{operation}: training diverged; lower the learning rate")]
    Diverged {
        /// What was attempted.
        operation: &'static str,
    },
}
