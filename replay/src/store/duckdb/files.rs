//! Reading tables from files: the engine as a reader of Parquet and JSON Lines, with no database behind it.
//!
//! Promises: a file is streamed, batch by batch; what is wrong with it is a sentence that names it.
//!
//! Read next: `sql/duckdb/queries/read_parquet.sql`, `read_jsonl.sql`.

use std::path::Path;

use duckdb::Connection;
use duckdb::arrow::array::RecordBatch;

use super::sql;
use crate::ReplayError;

/// Form of a file of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileForm {
    /// Apache Parquet.
    Parquet,
    /// One JSON object a line; compressed if the name ends with `.gz` or `.zst`.
    JsonLines,
}

impl FileForm {
    /// What the file's name says.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        let name = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
        match name.rsplit_once('.')?.1 {
            "parquet" => Some(Self::Parquet),
            "jsonl" | "ndjson" => Some(Self::JsonLines),
            _ => None,
        }
    }
}

/// Hands every batch of rows in `path` to `each`.
///
/// # Errors
/// The file cannot be read, is damaged, or `each` refuses.
pub fn read(
    path: &Path,
    form: FileForm,
    each: &mut dyn FnMut(RecordBatch) -> Result<(), ReplayError>,
) -> Result<(), ReplayError> {
    let fail = |error: duckdb::Error| ReplayError::engine("read rows", path, &error);
    // Told here as the system tells it; the engine would say that no file matches.
    std::fs::File::open(path).map_err(ReplayError::io("read", path))?;
    let name = path.to_str().ok_or_else(|| ReplayError::engine_text("read rows", path, "its name is not UTF-8"))?;
    let connection = Connection::open_in_memory().map_err(fail)?;
    let text = match form {
        FileForm::Parquet => sql::READ_PARQUET,
        FileForm::JsonLines => sql::READ_JSONL,
    };
    let mut statement = connection.prepare(text).map_err(fail)?;
    for batch in statement.stream_arrow([name]).map_err(fail)? {
        each(batch.map_err(fail)?)?;
    }
    Ok(())
}
