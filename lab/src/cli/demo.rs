//! `demo`: the recorded data set, replayed and ranked.
//!
//! Promises: one fresh database is written, and where is said.
//!
//! Read next: `crate::dataset`, `replay.rs`.

use std::path::PathBuf;

use ja4_replay::pipeline::ReplayPlan;

use super::args::{DemoArgs, RowFormat};
use super::console::Console;
use super::replay::{Pace, import_and_score, text};
use crate::dataset::{self, Dataset, Role};
use crate::error::LabError;
use crate::sessions;

/// The set that ships with the project.
const DEMO_SET: &str = "site-small";

pub fn run(args: &DemoArgs, threads: usize, console: &Console) -> Result<(), LabError> {
    let folder = args.dataset.clone().map_or_else(|| dataset::recorded(DEMO_SET), Ok)?;
    let set = Dataset::open(&folder)?;
    let db = args.db.clone().unwrap_or_else(fresh_path);
    if db.exists() {
        return Err(LabError::Ask(format!("demo: {} exists; name a database that does not, or remove it", db.display())));
    }
    let captures = set.files(Role::Capture);
    let http_logs: Vec<PathBuf> = set.files(Role::HttpLog).into_iter().take(1).collect();
    console.note(&format!("replaying {} from {}", set.manifest.name, folder.display()));
    let plan = ReplayPlan { captures, http_logs, threads, ..ReplayPlan::default() };
    let summary = import_and_score(&plan, &db, true, Pace::Max, console)?;
    for note in &summary.notes {
        console.note(note);
    }
    for line in text(&summary) {
        console.line(&line)?;
    }
    let store = sessions::open_confined(&db)?;
    console.rows(&sessions::ranked(&*store, args.top, None)?, RowFormat::Table)?;
    console.line(&format!("database  {}", db.display()))?;
    console.line(&format!("next      ja4-lab explain --db {} --session ID, or ja4-desktop {}", db.display(), db.display()))
}

fn fresh_path() -> PathBuf {
    let folder = std::env::temp_dir();
    (1..).map(|number| folder.join(format!("ja4-demo-{number}.duckdb"))).find(|path| !path.exists()).unwrap_or(folder)
}
