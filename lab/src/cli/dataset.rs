//! `dataset`: the recorded sets, listed and verified; the reference tables, brought up to date.
//!
//! Promises: a file that is not the manifest's is told; an update tells every row it adds, removes or changes (the first of many), and
//! fails if a publisher did, after it installed what the others say.
//!
//! Read next: `crate::dataset`, `crate::reference`.

use std::path::Path;

use super::args::{DatasetCommand, UpdateArgs};
use super::console::Console;
use crate::dataset::{self, Dataset};
use crate::error::LabError;
use crate::reference::{self, Changed, Request, Upstreams};
use crate::render::visible;

pub fn run(command: &DatasetCommand, console: &Console) -> Result<(), LabError> {
    match command {
        DatasetCommand::List { folder } => list(folder.as_deref(), console),
        DatasetCommand::Verify { folder } => verify(folder.as_deref(), console),
        DatasetCommand::Update(args) => update(args, console),
    }
}

fn list(folder: Option<&Path>, console: &Console) -> Result<(), LabError> {
    let sets = open_all(folder)?;
    for set in sets {
        console.line(&format!("{}\t{} files\t{}", set.manifest.name, set.manifest.files.len(), set.manifest.description))?;
    }
    Ok(())
}

fn verify(folder: Option<&Path>, console: &Console) -> Result<(), LabError> {
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

fn update(args: &UpdateArgs, console: &Console) -> Result<(), LabError> {
    let upstreams = Upstreams::read(args.upstreams.as_deref())?;
    let now = jiff::Timestamp::from_nanosecond(i128::from(Console::now_ns())).unwrap_or_default();
    let now = format!("{now:.0}");
    let request = Request { folder: &args.reference, only: &args.only, force: args.force, dry_run: args.dry_run, now: &now };
    let updated = reference::update(&upstreams, &request, &|text| console.note(text))?;
    for note in updated.notes.iter().chain(&updated.failed) {
        console.note(note);
    }
    for changed in &updated.changed {
        show(changed, args.show, console)?;
    }
    let done = if args.dry_run { "would change" } else { "changed" };
    console.line(&format!(
        "{} of {} publishers answered; {} tables {done} in {}",
        updated.asked.saturating_sub(updated.failed.len()),
        updated.asked,
        updated.changed.len(),
        args.reference.display()
    ))?;
    match updated.failed.as_slice() {
        [] => Ok(()),
        [only] => Err(LabError::Ask(format!("dataset update: {only}"))),
        failed => Err(LabError::Ask(format!(
            "dataset update: {} of {} publishers failed (see the notes above); their rows stay as they are",
            failed.len(),
            updated.asked
        ))),
    }
}

/// What differs in a table: counts, then the first rows of each kind.
fn show(changed: &Changed, most: usize, console: &Console) -> Result<(), LabError> {
    let (difference, [before, after]) = (&changed.difference, changed.rows);
    console.line(&format!(
        "{}: {} added, {} removed, {} changed; {before} rows before, {after} now",
        changed.file,
        difference.added.len(),
        difference.removed.len(),
        difference.changed.len()
    ))?;
    let plain =
        |sign: &str, rows: &[String]| -> Vec<String> { rows.iter().map(|row| format!("  {sign} {}", visible(row))).collect() };
    let pairs = difference.changed.iter().map(|(old, new)| format!("  ~ {} -> {}", visible(old), visible(new))).collect();
    for lines in [plain("+", &difference.added), plain("-", &difference.removed), pairs] {
        for line in lines.iter().take(most) {
            console.line(line)?;
        }
        if lines.len() > most {
            console.line(&format!("  … and {} more", lines.len() - most))?;
        }
    }
    Ok(())
}
