//! `feedback`: what analysts decide, listed, exported, and held against the model.
//!
//! Promises: the clock is read here; only `add` opens the database for writing. Read next: `crate::feedback`.

use std::path::Path;

use super::args::RowFormat;
use super::args::operation::{FeedbackAddArgs, FeedbackCommand};
use super::ask::{is_empty, open_to_change};
use super::console::Console;
use crate::error::LabError;
use crate::feedback::{self, Decision, Target};
use crate::sessions;

pub fn run(command: &FeedbackCommand, threads: usize, console: &Console) -> Result<(), LabError> {
    match command {
        FeedbackCommand::Add(args) => add(args, threads, console),
        FeedbackCommand::List { db, format } => list(db, *format, console),
        FeedbackCommand::Export { db, output } => export(db, output, console),
        FeedbackCommand::Review { db, format } => review(db, *format, console),
    }
}

fn add(args: &FeedbackAddArgs, threads: usize, console: &Console) -> Result<(), LabError> {
    let target = match (&args.session, args.ip) {
        (Some(session), _) => Target::Session(session.clone()),
        (None, Some(address)) => Target::Address(address),
        (None, None) => return Err(LabError::Ask("feedback add: name a session (--session) or an address (--ip)".to_owned())),
    };
    let store = open_to_change(&args.db, threads)?;
    let ts_ns = Console::now_ns();
    let decision = Decision { target, verdict: args.verdict.into(), note: &args.note, analyst: &args.analyst, ts_ns };
    let id = feedback::add(&*store, &decision)?;
    store.checkpoint()?;
    console.line(&format!("kept {id}; it is learned from at the next `ja4-lab score`"))
}

fn list(db: &Path, format: RowFormat, console: &Console) -> Result<(), LabError> {
    let store = sessions::open_confined(db)?;
    let batches = feedback::list(&*store)?;
    if is_empty(&batches) {
        console.note("no decisions yet: `ja4-lab feedback add` stores one");
    }
    console.rows(&batches, format)
}

fn export(db: &Path, output: &Path, console: &Console) -> Result<(), LabError> {
    let store = sessions::open_confined(db)?;
    let truth = feedback::truth(&*store)?;
    if truth.is_empty() {
        console.note("no scored session has a standing decision: `ja4-lab feedback add` stores one");
    }
    let text = feedback::csv(&truth);
    if output == Path::new("-") {
        return console.bytes(text.as_bytes());
    }
    std::fs::write(output, text).map_err(LabError::io("write", output))?;
    console.note(&format!("wrote {} sessions to {}", truth.len(), output.display()));
    Ok(())
}

fn review(db: &Path, format: RowFormat, console: &Console) -> Result<(), LabError> {
    let store = sessions::open_confined(db)?;
    let found = feedback::review(&*store)?;
    if found.is_empty() {
        console.note("model and analysts agree wherever analysts decided");
    }
    console.rows(&[feedback::review_batch(&found)?], format)
}
