//! Commands that only ask a database: sessions, explain, sql, features.
//!
//! Promises: the file is opened read-only and confined; an empty answer comes with its reason; Ctrl-C stops a typed
//! statement, also on a server.
//!
//! Read next: `crate::sessions`, `crate::explain`.

use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use duckdb::arrow::array::RecordBatch;
use ja4_replay::store::{self, OpenOptions, Store};
use signal_hook::consts::SIGINT;
use signal_hook::flag;

use super::args::{ExplainArgs, FeaturesArgs, QueryFormat, RowFormat, SessionsArgs, SqlArgs};
use super::console::Console;
use crate::cycle::{self, CyclePlan};
use crate::error::LabError;
use crate::{explain, frame, sessions};

pub fn sessions(args: &SessionsArgs, console: &Console) -> Result<(), LabError> {
    let store = sessions::open_confined(&args.db)?;
    let batches = sessions::ranked(&*store, args.top, args.condition.as_deref())?;
    if args.top == 0 {
        console.note("--top 0 asks for no session");
    } else if is_empty(&batches) {
        console.note(&sessions::why_empty(&*store, args.condition.as_deref())?);
    }
    console.rows(&batches, args.format)
}

pub fn explain(args: &ExplainArgs, console: &Console) -> Result<(), LabError> {
    let store = sessions::open_confined(&args.db)?;
    let text = explain::explain(&*store, args.session.as_deref(), args.ip.as_deref())?;
    console.bytes(text.as_bytes())
}

pub fn sql(args: &SqlArgs, console: &Console) -> Result<(), LabError> {
    let store = sessions::open_confined(&args.db)?;
    let batches = stoppable(&*store, || store.query(&args.query))??;
    if is_empty(&batches) {
        console.note("the query gave no rows");
    }
    match args.format {
        QueryFormat::Table => console.rows(&batches, RowFormat::Table),
        QueryFormat::Jsonl => console.rows(&batches, RowFormat::Jsonl),
        QueryFormat::Csv => console.rows(&batches, RowFormat::Csv),
        QueryFormat::Parquet => parquet(&batches, console),
    }
}

pub fn features(args: &FeaturesArgs, console: &Console) -> Result<(), LabError> {
    let store = sessions::open_confined(&args.db)?;
    let table = cycle::read_frame(&*store, &CyclePlan::default())?;
    if table.sessions() == 0 {
        console.note(&sessions::why_empty(&*store, None)?);
    }
    table.write_parquet(&args.output)?;
    console.note(&format!("wrote {} sessions to {}", table.sessions(), args.output.display()));
    Ok(())
}

/// Runs `work`; Ctrl-C meanwhile stops the statement that runs in `store`, on a server too. A second Ctrl-C, and one after the answer
/// (while it is being printed), ends this program as ever.
fn stoppable<T>(store: &dyn Store, work: impl FnOnce() -> T) -> Result<T, LabError> {
    let (asked, as_ever) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    // In this order, so that the first one does not end the program.
    flag::register_conditional_default(SIGINT, Arc::clone(&as_ever))
        .and_then(|_| flag::register(SIGINT, Arc::clone(&asked)))
        .and_then(|_| flag::register(SIGINT, Arc::clone(&as_ever)))
        .map_err(|error| LabError::Ask(format!("listen for Ctrl-C: {error}")))?;
    let stopper = store.interrupter();
    let (over, ended) = mpsc::sync_channel::<()>(0);
    let watch = std::thread::spawn(move || {
        while ended.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
            if asked.load(Ordering::Acquire) {
                stopper.interrupt();
            }
        }
    });
    let done = work();
    as_ever.store(true, Ordering::Release);
    drop(over);
    // It only looks at flags; it cannot fail.
    let _ = watch.join();
    Ok(done)
}

/// How long a Ctrl-C may go unseen.
const LOOK: Duration = Duration::from_millis(20);

/// Opens an existing database to change it, brought to this version's schema.
pub fn open_to_change(db: &Path, threads: usize) -> Result<Box<dyn Store>, LabError> {
    if !store::may_exist(db) {
        // Says that there is none, instead of making one.
        sessions::open_confined(db)?;
    }
    let mut store = store::open(db, &OpenOptions { threads, now_ns: Console::now_ns(), ..OpenOptions::default() })?;
    store.migrate()?;
    Ok(store)
}

/// The sentence about a damaged database that was put aside.
pub fn set_aside(db: &Path, old: &Path) -> String {
    format!("{} could not be opened; it was set aside as {} and a fresh one is being written", db.display(), old.display())
}

pub fn is_empty(batches: &[RecordBatch]) -> bool {
    batches.iter().all(|batch| batch.num_rows() == 0)
}

fn parquet(batches: &[RecordBatch], console: &Console) -> Result<(), LabError> {
    if std::io::stdout().is_terminal() {
        return Err(LabError::Ask("--format parquet writes binary data; send it to a file with > FILE.parquet".to_owned()));
    }
    let folder = std::env::temp_dir();
    let path = folder.join(format!("ja4-lab-{}.parquet", std::process::id()));
    frame::write_parquet(frame::typed(batches)?, &path)?;
    let bytes = std::fs::read(&path).map_err(LabError::io("read", &path));
    let _ = std::fs::remove_file(&path);
    console.bytes(&bytes?)
}
