//! `export`: rows to a file, under pseudonyms where asked.
//!
//! Promises: the file is complete or not there; nothing is written that was not asked for. Read next: `crate::pseudonym`.

use std::path::{Path, PathBuf};

use duckdb::arrow::array::RecordBatch;

use super::args::export::{ExportArgs, What};
use super::ask::is_empty;
use super::console::Console;
use crate::error::LabError;
use crate::pseudonym::{Key, Pseudonyms};
use crate::{frame, render, sessions};

const WHOLE: &str = include_str!("../../../sql/shared/queries/whole_table.sql");

pub fn run(args: &ExportArgs, console: &Console) -> Result<(), LabError> {
    let write = form(&args.output)?;
    let key = if args.pseudonymise { Some(Key::open(&args.key)?) } else { None };
    let store = sessions::open_confined(&args.db)?;
    let table = match args.what {
        What::Sessions => "ja4_processing.ml_all_scores",
        What::Requests => "ja4_logs.http_logs",
    };
    let text = args.query.clone().unwrap_or_else(|| WHOLE.replace("/*table*/", table));
    let mut batches = store.query(&text)?;
    if is_empty(&batches) {
        console.note("there are no rows; the file has only its columns");
    }
    if let Some(key) = key {
        console.note(&format!("pseudonyms of the key {} in {}; keep that file to yourself", key.name(), args.key.display()));
        let mut names = Pseudonyms::new(key);
        batches = batches.iter().map(|batch| names.batch(batch)).collect::<Result<_, _>>()?;
    }
    write(&args.output, &batches)?;
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    console.line(&format!("wrote {rows} rows to {}", args.output.display()))
}

/// How a file of that name is written.
fn form(path: &Path) -> Result<fn(&Path, &[RecordBatch]) -> Result<(), LabError>, LabError> {
    match path.extension().and_then(|end| end.to_str()) {
        Some("csv") => Ok(|path, batches| whole(path, |out| render::csv(out, batches))),
        Some("jsonl") => Ok(|path, batches| whole(path, |out| render::jsonl(out, batches))),
        Some("parquet") => Ok(|path, batches| frame::write_parquet(frame::typed(batches)?, path)),
        _ => Err(LabError::Ask(format!("export: {} must end in .csv, .jsonl or .parquet", path.display()))),
    }
}

/// Writes beside and renames, so that a half-written file is never seen.
fn whole(path: &Path, fill: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> Result<(), LabError> {
    let mut bytes = Vec::new();
    fill(&mut bytes).map_err(LabError::io("write", path))?;
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let written = std::fs::write(&part, bytes).and_then(|()| std::fs::rename(&part, path));
    written.map_err(|error| {
        let _ = std::fs::remove_file(&part);
        LabError::io("write", path)(error)
    })
}
