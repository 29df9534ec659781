//! `db …`: migrate, info, copy, import, purge, on either engine.
//!
//! Promises: what is removed is said first and recorded; a copy says whether both sides are equal.
//!
//! Read next: `crate::db`, `args/db.rs`.

use std::path::Path;

use ja4_replay::store::{self, OpenOptions, Store};

use super::args::{CopyArgs, DbCommand, ImportArgs, PurgeArgs, RowFormat};
use super::ask::set_aside;
use super::console::Console;
use crate::db::purge::What;
use crate::db::{audit, copy, import, info, purge};
use crate::error::LabError;

pub fn run(command: &DbCommand, console: &Console) -> Result<(), LabError> {
    match command {
        DbCommand::Migrate { db } => migrate(db, console),
        DbCommand::Info { db, format } => tell(db, *format, console),
        DbCommand::Copy(args) => copy_all(args, console),
        DbCommand::Import(args) => import_all(args, console),
        DbCommand::Purge(args) => purge_some(args, console),
    }
}

/// Opens a database for writing and brings it to this version's schema.
fn writable(db: &Path, console: &Console) -> Result<(Box<dyn Store>, usize), LabError> {
    let mut store = store::open(db, &OpenOptions { now_ns: Console::now_ns(), ..OpenOptions::default() })?;
    if let Some(old) = store.set_aside() {
        console.note(&set_aside(db, old));
    }
    let applied = store.migrate()?;
    Ok((store, applied))
}

fn readable(db: &Path) -> Result<Box<dyn Store>, LabError> {
    Ok(store::open(db, &OpenOptions { read_only: true, ..OpenOptions::default() })?)
}

fn migrate(db: &Path, console: &Console) -> Result<(), LabError> {
    let (store, applied) = writable(db, console)?;
    let version = store::latest_version(store.engine());
    console.line(&format!("{}: {applied} migrations applied, schema version {version}", store.label()))
}

fn tell(db: &Path, format: RowFormat, console: &Console) -> Result<(), LabError> {
    let store = crate::sessions::open_confined(db)?;
    console.rows(&info::facts(&*store)?, format)?;
    if format == RowFormat::Table {
        for rows in info::details(&*store)? {
            console.rows(&rows, format)?;
        }
    }
    let problems = info::problems(&*store)?;
    for problem in &problems {
        console.note(problem);
    }
    if problems.is_empty() {
        console.note("health: nothing is wrong");
    }
    Ok(())
}

fn copy_all(args: &CopyArgs, console: &Console) -> Result<(), LabError> {
    if args.from == args.to {
        return Err(LabError::Ask("copy: --from and --to are the same database".to_owned()));
    }
    let from = readable(&args.from)?;
    let (mut to, _) = writable(&args.to, console)?;
    let bar = console.bar(0, "copying");
    let done = copy::copy(&*from, &mut *to, &|done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let done = done?;
    let detail = serde_json::json!({ "requests": done.requests.added, "skipped": done.requests.skipped, "others": done.others });
    record(&*to, "copy", &from.label(), &detail)?;
    console.line(&format!(
        "copied    {} requests ({} were there), {} other rows",
        done.requests.added, done.requests.skipped, done.others
    ))?;
    let mut equal = true;
    for (name, source, target) in &done.digests {
        equal &= source == target;
        console.line(&format!("{name:<9} {} {target}", if source == target { "equal " } else { "differs" }))?;
    }
    if !equal {
        console.note("the digests differ: the target holds rows of its own, or the source was written to meanwhile");
    }
    Ok(())
}

fn import_all(args: &ImportArgs, console: &Console) -> Result<(), LabError> {
    let newest_ns = match args.shift_to.as_deref() {
        None => None,
        Some("now") => Some(Console::now_ns()),
        Some(text) => Some(parse_time(text)?),
    };
    let (mut to, _) = writable(&args.db, console)?;
    let bar = console.bar(0, "importing");
    let done = import::import(&args.sources, &mut *to, newest_ns);
    bar.finish_and_clear();
    let done = done?;
    let names: Vec<String> = args.sources.iter().map(|source| source.display().to_string()).collect();
    let detail = serde_json::json!({ "added": done.added, "skipped": done.skipped });
    record(&*to, "import", &names.join(", "), &detail)?;
    if done.added == 0 && done.skipped == 0 {
        console.note("the sources hold no rows");
    }
    console.line(&format!("imported  {} requests ({} were there)", done.added, done.skipped))
}

fn purge_some(args: &PurgeArgs, console: &Console) -> Result<(), LabError> {
    let what = match (&args.before, args.address) {
        (Some(text), _) => What::Before(parse_time(text)?),
        (None, Some(ip)) => What::Address(ip),
        (None, None) => return Err(LabError::Ask("purge: name a time (--before) or an address (--address)".to_owned())),
    };
    let store = if args.dry_run { readable(&args.db)? } else { existing(&args.db, console)? };
    let counted = purge::count(&*store, what)?;
    let word = if args.dry_run { "would remove" } else { "removed" };
    if !args.dry_run {
        purge::purge(&*store, what, &counted, Console::now_ns(), &actor())?;
    }
    for (table, rows) in counted.iter().filter(|(_, rows)| *rows > 0) {
        console.line(&format!("{word} {rows} rows of {table}"))?;
    }
    if counted.iter().all(|(_, rows)| *rows == 0) {
        console.note("nothing of it is stored");
    }
    Ok(())
}

/// A purge must not make the database it is to purge.
fn existing(db: &Path, console: &Console) -> Result<Box<dyn Store>, LabError> {
    if !store::may_exist(db) {
        return readable(db);
    }
    Ok(writable(db, console)?.0)
}

fn record(store: &dyn Store, action: &str, target: &str, detail: &serde_json::Value) -> Result<(), LabError> {
    let (actor, detail) = (actor(), detail.to_string());
    audit::record(store, &audit::Action { ts_ns: Console::now_ns(), actor: &actor, action, target, detail: &detail })
}

/// Who is at the terminal, as far as the system says.
fn actor() -> String {
    std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| "unknown".to_owned())
}

fn parse_time(text: &str) -> Result<i64, LabError> {
    i64::try_from(super::score::parse_instant(text)?.as_nanosecond())
        .map_err(|_| LabError::Ask(format!("{text:?} is out of range")))
}
