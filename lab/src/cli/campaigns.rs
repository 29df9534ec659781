//! `campaigns`, `fleets`, `detections`: what belongs together, and what needs no model to be seen.
//!
//! Promises: lists open the database read-only; a decision of an analyst is kept, audited and applied at once and ever after.
//!
//! Read next: `crate::campaigns`, `crate::fleets`, `crate::detections`.

use std::path::Path;

use super::args::RowFormat;
use super::args::operation::{CampaignsCommand, DecisionArgs, DetectionsArgs, FleetsArgs};
use super::ask::{is_empty, open_to_change};
use super::console::Console;
use crate::campaigns::{self, Decision, Field, Kind};
use crate::detections::{self, Detection};
use crate::error::LabError;
use crate::{fleets, sessions};

pub fn run(command: &CampaignsCommand, threads: usize, console: &Console) -> Result<(), LabError> {
    match command {
        CampaignsCommand::List { db, format } => list(db, *format, console),
        CampaignsCommand::Show { db, id, format } => show(db, id, *format, console),
        CampaignsCommand::Merge { decision, other } => decide(decision, Kind::Merge(other.clone()), threads, console),
        CampaignsCommand::Split { decision, by } => decide(decision, split(by)?, threads, console),
        CampaignsCommand::Rename { decision, name } => decide(decision, Kind::Rename(name.clone()), threads, console),
        CampaignsCommand::Close { decision } => decide(decision, Kind::Close, threads, console),
    }
}

fn list(db: &Path, format: RowFormat, console: &Console) -> Result<(), LabError> {
    let store = sessions::open_confined(db)?;
    let batches = campaigns::list(&*store)?;
    if is_empty(&batches) {
        console.note("no campaigns: they are made of at least two anomalous sessions alike, when `ja4-lab score` runs");
    }
    console.rows(&batches, format)
}

fn show(db: &Path, id: &str, format: RowFormat, console: &Console) -> Result<(), LabError> {
    let store = sessions::open_confined(db)?;
    let batches = campaigns::show(&*store, id)?;
    if is_empty(&batches) {
        return Err(LabError::Ask(format!("campaigns: {id:?} has no sessions; `ja4-lab campaigns list` names those that have")));
    }
    console.rows(&batches, format)
}

fn split(by: &str) -> Result<Kind, LabError> {
    let parts = by.split_once('=').and_then(|(field, value)| Some(Kind::Split(Field::from_name(field)?, value.to_owned())));
    parts.ok_or_else(|| LabError::Ask(format!("--by {by:?}: write FIELD=VALUE with src_ip, ja4, host, user_agent or network")))
}

fn decide(args: &DecisionArgs, kind: Kind, threads: usize, console: &Console) -> Result<(), LabError> {
    let store = open_to_change(&args.db, threads)?;
    let decision = Decision {
        campaign_id: args.id.clone(),
        kind,
        note: args.note.clone(),
        analyst: args.analyst.clone(),
        ts_ns: Console::now_ns(),
    };
    let id = campaigns::decide(&*store, &decision)?;
    store.checkpoint()?;
    console.line(&format!("kept; see `ja4-lab campaigns show {id}`"))
}

pub fn fleets(args: &FleetsArgs, console: &Console) -> Result<(), LabError> {
    let store = sessions::open_confined(&args.db)?;
    if let Some(id) = &args.id {
        return console.rows(&[fleets::show(&*store, id)?], args.format);
    }
    let batches = fleets::list(&*store)?;
    if is_empty(&batches) {
        console.note("no fleets: they are one client software at three or more addresses, when `ja4-lab score` runs");
    }
    console.rows(&batches, args.format)
}

pub fn detections(args: &DetectionsArgs, console: &Console) -> Result<(), LabError> {
    let store = sessions::open_confined(&args.db)?;
    let kinds = args.kind.map_or_else(|| Detection::ALL.to_vec(), |kind| vec![kind.into()]);
    let mut found = Vec::new();
    for kind in kinds {
        found.extend(detections::find(&*store, kind, args.top)?.into_iter().filter(|batch| batch.num_rows() > 0));
    }
    if found.is_empty() {
        console.note("nothing of that kind in what is stored");
    }
    console.rows(&found, args.format)
}
