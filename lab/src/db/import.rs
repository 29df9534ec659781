//! Requests from elsewhere: Parquet and JSON Lines exports, or another store; moved in time where a date is asked for.
//!
//! Promises: columns are found by name, a missing one is unknown in every row, a column of another type is converted or refused;
//! a file is streamed; a row that is moved in time is another row (its key says by how much), so that nothing is overwritten.
//!
//! Read next: `ahead.rs` (how), `copy.rs`, `replay/join/src/row.rs` (the columns).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use duckdb::arrow::array::{Array as _, ArrayRef, AsArray as _, Float64Array, Int64Array, RecordBatch, StringArray};
use duckdb::arrow::compute::kernels::cast::{CastOptions, cast_with_options};
use duckdb::arrow::datatypes::{DataType, Field, Int64Type};
use ja4_replay::ReplayError;
use ja4_replay::digest::row_hashes;
use ja4_replay::store::chunk::{CHUNK_ROWS, Chunk, ChunkTable, request_schema};
use ja4_replay::store::duckdb::files::{self, FileForm};
use ja4_replay::store::{self, Appended, OpenOptions, Statement, Store};

use super::copy::{Slices, chunks, pieces};
use super::{ahead, ints};
use crate::error::LabError;

const NEWEST_TIME: Statement = Statement::shared(include_str!("../../../sql/shared/queries/newest_time.sql"));
const REQUEST_MINUTES: Statement = Statement::shared(include_str!("../../../sql/shared/queries/request_minutes.sql"));
const REQUESTS_BETWEEN: Statement = Statement::shared(include_str!("../../../sql/shared/queries/requests_between.sql"));

/// Columns that hold a time, in ns since 1970.
const TIMES: &[&str] = &["ts_ns", "hello_ts_ns"];

/// Imports `sources` into `to`. With `newest_ns` the rows of all sources are moved so that the newest is at that time.
///
/// # Errors
/// A source that cannot be read or lacks what a row needs, or the engine's refusal.
pub fn import(sources: &[PathBuf], to: &mut dyn Store, newest_ns: Option<i64>) -> Result<Appended, LabError> {
    let shift_ns = match newest_ns {
        Some(wanted_ns) => wanted_ns.saturating_sub(newest(sources)?),
        None => 0,
    };
    to.importing(true)?;
    let done = sources.iter().try_fold(Appended::default(), |mut done, source| {
        done += match form(source)? {
            Some(form) => from_file(source, form, shift_ns, to)?,
            None => from_store(&*open(source)?, shift_ns, to)?,
        };
        Ok::<_, LabError>(done)
    });
    to.importing(false)?;
    let done = done?;
    to.checkpoint()?;
    Ok(done)
}

/// None for a store.
fn form(source: &Path) -> Result<Option<FileForm>, LabError> {
    let database = source.extension().is_some_and(|extension| extension == "duckdb");
    match FileForm::of(source) {
        None if store::is_server(source) || database => Ok(None),
        None => Err(LabError::Ask(format!(
            "import {}: the name does not tell what it is; accepted are .parquet, .jsonl, .ndjson (also .gz and .zst), .duckdb and clickhouse://…",
            source.display()
        ))),
        form => Ok(form),
    }
}

fn open(source: &Path) -> Result<Box<dyn Store>, LabError> {
    Ok(store::open(source, &OpenOptions { read_only: true, ..OpenOptions::default() })?)
}

/// Time of the newest row of all sources.
fn newest(sources: &[PathBuf]) -> Result<i64, LabError> {
    let mut newest = None;
    for source in sources {
        match form(source)? {
            Some(form) => files::read(source, form, &mut |batch| {
                let times = conform(&batch, 0, source)?;
                newest = newest.max(ints(&[times], 2).into_iter().max());
                Ok(())
            })?,
            None => newest = newest.max(ints(&open(source)?.ask(&NEWEST_TIME, &[])?, 0).first().copied()),
        }
    }
    newest.ok_or_else(|| LabError::Ask("import: the sources hold no rows, so there is nothing to move in time".to_owned()))
}

fn from_file(source: &Path, form: FileForm, shift_ns: i64, to: &mut dyn Store) -> Result<Appended, LabError> {
    ahead::stored(to, |put| {
        files::read(source, form, &mut |batch| {
            let pieces = pieces(&conform(&batch, shift_ns, source)?, CHUNK_ROWS);
            let chunks = pieces.into_iter().map(|piece| Chunk::of_columns(ChunkTable::Requests, piece));
            put(chunks.collect::<Result<_, _>>()?)
        })?;
        Ok(())
    })
}

fn from_store(from: &dyn Store, shift_ns: i64, to: &mut dyn Store) -> Result<Appended, LabError> {
    let spans = Slices::of(from, &REQUEST_MINUTES)?.spans;
    let label = from.label();
    ahead::stored(to, |put| {
        for (from_ns, to_ns) in spans {
            let found = chunks(from, &REQUESTS_BETWEEN, ChunkTable::Requests, from_ns, to_ns)?;
            let moved = found.into_iter().map(|chunk| match shift_ns {
                0 => Ok(chunk),
                _ => Chunk::of_columns(ChunkTable::Requests, conform(&chunk.columns, shift_ns, Path::new(&label))?),
            });
            put(moved.collect::<Result<_, ReplayError>>()?)?;
        }
        Ok(())
    })
}

/// The columns of `http_logs` in their order and types, moved by `shift_ns`.
fn conform(batch: &RecordBatch, shift_ns: i64, source: &Path) -> Result<RecordBatch, ReplayError> {
    let refuse = |detail: String| ReplayError::Engine { operation: "import rows", path: source.to_path_buf(), detail };
    for needed in ["ts_ns", "src_ip"] {
        if batch.column_by_name(needed).is_none() {
            return Err(refuse(format!("there is no column {needed}; rows need at least ts_ns (ns since 1970) and src_ip")));
        }
    }
    let schema = Arc::new(request_schema());
    let mut columns = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let given = batch.column_by_name(field.name());
        let column =
            column(field, given, batch.num_rows()).map_err(|detail| refuse(format!("column {}: {detail}", field.name())))?;
        columns.push(if TIMES.contains(&field.name().as_str()) { moved(&column, shift_ns) } else { column });
    }
    if batch.column_by_name("row_hi").is_none() || batch.column_by_name("row_lo").is_none() {
        own_keys(&schema, &mut columns).map_err(refuse)?;
    } else if shift_ns != 0 {
        // A row at another time is another row.
        if let Some(low) = columns.get_mut(1) {
            *low = other_keys(low, shift_ns);
        }
    }
    RecordBatch::try_new(schema, columns).map_err(|error| refuse(error.to_string()))
}

fn column(field: &Field, given: Option<&ArrayRef>, rows: usize) -> Result<ArrayRef, String> {
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    let given = given.map(|column| cast_with_options(column.as_ref(), field.data_type(), &strict)).transpose();
    let given = given.map_err(|error| error.to_string())?;
    // Almost always every value is there: then the column is taken as it is.
    if let Some(whole) = given.as_ref().filter(|column| is_whole(column)) {
        return Ok(Arc::clone(whole));
    }
    // What is not given is unknown, in the words of row.rs.
    Ok(match field.data_type() {
        DataType::Int64 => {
            let values = given.as_ref().and_then(|column| column.as_primitive_opt::<Int64Type>());
            let unknown = if matches!(field.name().as_str(), "asn" | "match_candidates") { 0 } else { -1 };
            Arc::new(match values {
                Some(values) => values.iter().map(|value| value.unwrap_or(unknown)).collect::<Int64Array>(),
                None => Int64Array::from(vec![unknown; rows]),
            })
        }
        DataType::Float64 => {
            let values = given.as_ref().and_then(|column| column.as_any().downcast_ref::<Float64Array>());
            Arc::new(match values {
                Some(values) => {
                    values.iter().map(|value| value.filter(|v| v.is_finite()).unwrap_or(0.0)).collect::<Float64Array>()
                }
                None => Float64Array::from(vec![0.0; rows]),
            })
        }
        _ => {
            let values = given.as_ref().and_then(|column| column.as_any().downcast_ref::<StringArray>());
            Arc::new(match values {
                Some(values) => StringArray::from_iter_values(values.iter().map(Option::unwrap_or_default)),
                None => StringArray::from(vec![""; rows]),
            })
        }
    })
}

/// Whether no value is missing, and none is a number that no store takes.
fn is_whole(column: &ArrayRef) -> bool {
    let numbers = column.as_any().downcast_ref::<Float64Array>();
    column.null_count() == 0 && numbers.is_none_or(|numbers| numbers.values().iter().all(|value| value.is_finite()))
}

fn moved(column: &ArrayRef, shift_ns: i64) -> ArrayRef {
    match column.as_primitive_opt::<Int64Type>() {
        // -1 is an unknown time, which stays unknown.
        Some(times) if shift_ns != 0 => Arc::new(
            times.values().iter().map(|ns| if *ns < 0 { *ns } else { ns.saturating_add(shift_ns) }).collect::<Int64Array>(),
        ),
        _ => Arc::clone(column),
    }
}

fn other_keys(column: &ArrayRef, shift_ns: i64) -> ArrayRef {
    match column.as_primitive_opt::<Int64Type>() {
        Some(keys) => Arc::new(keys.values().iter().map(|key| key ^ shift_ns).collect::<Int64Array>()),
        None => Arc::clone(column),
    }
}

/// Rows without a key are named by their content.
fn own_keys(schema: &Arc<duckdb::arrow::datatypes::Schema>, columns: &mut [ArrayRef]) -> Result<(), String> {
    let batch = RecordBatch::try_new(Arc::clone(schema), columns.to_vec()).map_err(|error| error.to_string())?;
    let hashes = row_hashes(&batch).map_err(|error| error.to_string())?;
    let half = |from: usize| -> ArrayRef {
        let bytes =
            |hash: &[u8; 32]| hash.get(from..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| i64::from_be_bytes(*bytes));
        Arc::new(hashes.iter().map(bytes).collect::<Int64Array>())
    };
    if let [high, low, ..] = columns {
        (*high, *low) = (half(0), half(8));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[test]
    fn columns_are_found_by_name_and_what_is_missing_is_unknown() {
        let given = batch(vec![
            ("src_ip", Arc::new(StringArray::from(vec![Some("192.0.2.1"), None])) as ArrayRef),
            ("ts_ns", Arc::new(Int64Array::from(vec![5, 7]))),
            ("status", Arc::new(StringArray::from(vec!["200", "404"]))),
        ]);
        let rows = conform(&given, 100, Path::new("x")).unwrap();
        let int = |name: &str| rows.column_by_name(name).unwrap().as_primitive::<Int64Type>().values().to_vec();
        assert_eq!(int("ts_ns"), [105, 107]);
        assert_eq!(int("hello_ts_ns"), [-1, -1]);
        assert_eq!(int("status"), [200, 404]);
        assert_eq!(int("asn"), [0, 0]);
        assert_ne!(int("row_lo")[0], int("row_lo")[1]);
        assert_eq!(rows.column_by_name("src_ip").unwrap().as_string::<i32>().value(1), "");
        let none = batch(vec![("ts_ns", Arc::new(Int64Array::from(vec![5])) as ArrayRef)]);
        assert!(conform(&none, 0, Path::new("x.parquet")).unwrap_err().to_string().contains("src_ip"));
        let wrong = batch(vec![
            ("src_ip", Arc::new(StringArray::from(vec!["a"])) as ArrayRef),
            ("ts_ns", Arc::new(StringArray::from(vec!["yesterday"]))),
        ]);
        assert!(conform(&wrong, 0, Path::new("x.parquet")).unwrap_err().to_string().contains("ts_ns"));
    }

    #[test]
    fn a_moved_row_is_another_row() {
        let given = batch(vec![
            ("row_hi", Arc::new(Int64Array::from(vec![1])) as ArrayRef),
            ("row_lo", Arc::new(Int64Array::from(vec![2]))),
            ("ts_ns", Arc::new(Int64Array::from(vec![5]))),
            ("src_ip", Arc::new(StringArray::from(vec!["a"]))),
        ]);
        let key = |shift_ns| ints(&[conform(&given, shift_ns, Path::new("x")).unwrap()], 1);
        assert_eq!(key(0), [2]);
        assert_ne!(key(3_600_000_000_000), [2]);
    }
}
