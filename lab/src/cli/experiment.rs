//! `experiment` and `report`: run, repeat, list, compare; one HTML file.
//!
//! Promises: a folder is whole or not there; temporary files are removed however it ends; `repro` fails if anything differs.
//!
//! Read next: `crate::experiment`, `crate::report`.

use std::path::{Path, PathBuf};

use super::args::experiment::{ExperimentCommand, ReportArgs};
use super::console::Console;
use crate::error::LabError;
use crate::experiment::compare;
use crate::experiment::data::Places;
use crate::experiment::folder::{self, Circumstances, Kept};
use crate::experiment::kinds::{self, Run};
use crate::experiment::outcome::Outcome;
use crate::experiment::plan::Plan;
use crate::experiment::tables::Committed;
use crate::render::visible;
use crate::{report, sessions};

pub fn run(command: &ExperimentCommand, threads: usize, console: &Console) -> Result<(), LabError> {
    match command {
        ExperimentCommand::Run { experiment, output, results } => {
            run_one(experiment, output, results.as_deref(), threads, console)
        }
        ExperimentCommand::Repro { folder } => repro(folder, threads, console),
        ExperimentCommand::List { runs } => list(runs.as_deref(), console),
        ExperimentCommand::Compare { folders } => compare_all(folders, console),
    }
}

pub fn report(args: &ReportArgs, console: &Console) -> Result<(), LabError> {
    let page = match (&args.db, &args.experiment) {
        (Some(db), _) => report::of_database(&*sessions::open_confined(db)?)?,
        (None, Some(folder)) => report::of_experiment(&folder::read(folder)?),
        (None, None) => return Err(LabError::Ask("report: name --db or --experiment".to_owned())),
    };
    let mut temporary = args.output.as_os_str().to_owned();
    temporary.push(".part");
    let temporary = PathBuf::from(temporary);
    std::fs::write(&temporary, &page).map_err(LabError::io("write", &temporary))?;
    std::fs::rename(&temporary, &args.output).map_err(LabError::io("write", &args.output))?;
    console.line(&format!("written   {} ({} bytes)", args.output.display(), page.len()))
}

fn run_one(experiment: &Path, output: &Path, results: Option<&Path>, threads: usize, console: &Console) -> Result<(), LabError> {
    folder::must_be_new(output)?;
    let (plan, text) = Plan::read(&named(experiment))?;
    let begun = console.elapsed_secs();
    let outcome = made(&plan, threads, console)?;
    let finished = jiff::Timestamp::from_nanosecond(i128::from(Console::now_ns())).unwrap_or_default();
    let around = Circumstances { threads, finished: finished.to_string(), seconds: console.elapsed_secs() - begun };
    let manifest = folder::write(output, &plan, &text, &outcome, &around)?;
    if let Some(results) = results {
        let committed = Committed::of(&manifest, &outcome.values);
        let text = serde_json::to_string_pretty(&committed).unwrap_or_default();
        std::fs::write(results, text + "\n").map_err(LabError::io("write", results))?;
    }
    for note in &outcome.notes {
        console.note(note);
    }
    for value in &outcome.values {
        console.line(&format!("{} / {}  {}", visible(&value.arm), value.metric, compare::shown(value)))?;
    }
    console.line(&format!("digests   metrics {}", manifest.metrics_digest))?;
    console.line(&format!("          predictions {} ({})", manifest.predictions_digest, manifest.predictions))?;
    console.line(&format!("folder    {}, took {:.1} s", output.display(), around.seconds))
}

fn repro(path: &Path, threads: usize, console: &Console) -> Result<(), LabError> {
    let kept = folder::read(path)?;
    let (plan, _) = folder::plan_of(&kept)?;
    if kept.manifest.version != env!("CARGO_PKG_VERSION") {
        console.note(&format!("it was made by version {}, this is {}", kept.manifest.version, env!("CARGO_PKG_VERSION")));
    }
    let outcome = made(&plan, threads, console)?;
    let verdict = compare::repeated(&kept, &outcome);
    for line in &verdict.lines {
        console.line(&visible(line))?;
    }
    if verdict.different > 0 {
        return Err(LabError::Ask(format!(
            "experiment repro {}: {} of {} differ",
            path.display(),
            verdict.different,
            verdict.lines.len()
        )));
    }
    console.line(&format!("same      all {} values and digests", verdict.lines.len()))
}

fn list(runs: Option<&Path>, console: &Console) -> Result<(), LabError> {
    let folder = Places::datasets().join("experiments");
    for path in sorted(&folder, "toml")? {
        let (plan, _) = Plan::read(&path)?;
        console.line(&format!("{}\t{}", plan.name, visible(&plan.question)))?;
    }
    for path in runs.map_or(Ok(Vec::new()), |runs| sorted(runs, ""))? {
        // What is no run is not listed; a broken one is told.
        if path.join("manifest.json").is_file() {
            match folder::read(&path) {
                Ok(kept) => console.line(&format!(
                    "{}\t{}\tmetrics {}",
                    path.display(),
                    kept.manifest.finished,
                    kept.manifest.metrics_digest
                ))?,
                Err(error) => console.note(&error.to_string()),
            }
        }
    }
    Ok(())
}

fn compare_all(folders: &[PathBuf], console: &Console) -> Result<(), LabError> {
    let runs = folders.iter().map(|folder| folder::read(folder)).collect::<Result<Vec<Kept>, _>>()?;
    let rows = compare::differences(&runs);
    if rows.is_empty() {
        return console.line(&format!("same      {} runs do not differ in any value", runs.len()));
    }
    let mut table = crate::render::new_table(super::console::width());
    table.set_header(
        std::iter::once("what differs".to_owned()).chain(folders.iter().map(|folder| visible(&folder.display().to_string()))),
    );
    for row in rows {
        table.add_row(row.iter().map(|cell| visible(cell)));
    }
    console.line(&table.to_string())
}

/// Runs a plan in a temporary folder, which is removed however it ends.
fn made(plan: &Plan, threads: usize, console: &Console) -> Result<Outcome, LabError> {
    let work = Work::new()?;
    let places = Places { datasets: Places::datasets(), work: work.0.clone(), threads };
    let (clock, tell) = (|| console.elapsed_secs(), |what: &str| console.detail(what));
    kinds::run(&Run { plan, places: &places, clock: &clock, tell: &tell })
}

struct Work(PathBuf);

impl Work {
    fn new() -> Result<Self, LabError> {
        let path = std::env::temp_dir().join(format!("ja4-experiment-{}", std::process::id()));
        std::fs::create_dir(&path).map_err(LabError::io("create folder", &path))?;
        Ok(Self(path))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // A leftover in the temporary folder is no reason to fail.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A file as named, or the experiment of this name that comes with the project.
fn named(experiment: &Path) -> PathBuf {
    let shipped = Places::datasets().join("experiments").join(experiment).with_extension("toml");
    if !experiment.exists() && experiment.components().count() == 1 && shipped.is_file() {
        shipped
    } else {
        experiment.to_path_buf()
    }
}

/// Entries of a folder with this extension (any for none), by name.
fn sorted(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, LabError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(LabError::io("read folder", folder))? {
        let path = entry.map_err(LabError::io("read folder", folder))?.path();
        if extension.is_empty() || path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
