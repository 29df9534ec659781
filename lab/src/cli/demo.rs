//! `demo` and `dataset`: the recorded data sets, replayed and verified.
//!
//! Promises: the demo writes one fresh database and says where; a file that is not the manifest's is told.
//!
//! Read next: `crate::dataset`, `replay.rs`.

use std::path::{Path, PathBuf};

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
    let folder = args.dataset.clone().unwrap_or_else(|| dataset::default_root().join(DEMO_SET));
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

pub fn list(folder: Option<&Path>, console: &Console) -> Result<(), LabError> {
    let sets = open_all(folder)?;
    for set in sets {
        console.line(&format!("{}\t{} files\t{}", set.manifest.name, set.manifest.files.len(), set.manifest.description))?;
    }
    Ok(())
}

pub fn verify(folder: Option<&Path>, console: &Console) -> Result<(), LabError> {
    let mut wrong = Vec::new();
    for set in open_all(folder)? {
        let found = set.verify();
        let verdict = if found.is_empty() { "every file is as recorded" } else { "files differ" };
        console.line(&format!("{}\t{verdict}", set.manifest.name))?;
        wrong.extend(found);
    }
    if wrong.is_empty() { Ok(()) } else { Err(LabError::Ask(format!("dataset verify: {}", wrong.join("; ")))) }
}

fn open_all(folder: Option<&Path>) -> Result<Vec<Dataset>, LabError> {
    let root = folder.map_or_else(dataset::default_root, Path::to_path_buf);
    let sets = dataset::list(&root)?;
    if sets.is_empty() {
        return Err(LabError::Ask(format!("dataset: {} holds no folder with a manifest.toml", root.display())));
    }
    Ok(sets)
}

fn fresh_path() -> PathBuf {
    let folder = std::env::temp_dir();
    (1..).map(|number| folder.join(format!("ja4-demo-{number}.duckdb"))).find(|path| !path.exists()).unwrap_or(folder)
}
