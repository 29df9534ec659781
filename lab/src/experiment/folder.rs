//! The folder of a run: plan, manifest, metrics, predictions, figures, report.
//!
//! Promises: written beside its target and renamed, so that a folder is whole or not there; reading checks that it is what it says.
//!
//! Read next: `compare.rs` (two folders), `crate::report` (the page).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::outcome::{Outcome, Value, metrics_digest};
use super::plan::{Kind, Plan};
use crate::catalogue::{Catalogue, ModelKind};
use crate::checked_toml::TextFile;
use crate::error::LabError;
use crate::frame::write_parquet;

/// What a run was and what it came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Name of the experiment.
    pub name: String,
    /// What it asks.
    pub question: String,
    /// What was done.
    pub kind: Kind,
    /// SHA-256 of the plan's text.
    pub plan_sha256: String,
    /// Digests over the rows of the data used, by name.
    pub data: BTreeMap<String, String>,
    /// SHA-256 over every value that is not a time.
    pub metrics_digest: String,
    /// SHA-256 over every prediction.
    pub predictions_digest: String,
    /// Number of predictions.
    pub predictions: u64,
    /// Version of the program.
    pub version: String,
    /// SHA-256 of the program file.
    pub program_sha256: String,
    /// SHA-256 over the names of the features that models see.
    pub features_sha256: String,
    /// Seeds.
    pub seeds: Vec<u64>,
    /// Where it ran.
    pub machine: Machine,
    /// When it ended, RFC 3339.
    pub finished: String,
    /// How long it took.
    pub seconds: f64,
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// The machine of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Operating system and processor family.
    pub platform: String,
    /// Processor's own name.
    pub processor: String,
    /// Cores.
    pub cores: u64,
    /// Threads that were used.
    pub threads: u64,
}

impl Machine {
    /// This machine.
    #[must_use]
    pub fn here(threads: usize) -> Self {
        let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpuinfo.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split_once(':'));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            processor: model.map_or(String::new(), |(_, name)| name.trim().to_owned()),
            cores: cores as u64,
            threads: if threads == 0 { cores as u64 } else { threads as u64 },
        }
    }
}

/// A run that is read back.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Its folder.
    pub folder: PathBuf,
    /// What it was.
    pub manifest: Manifest,
    /// The plan as it was written.
    pub plan: String,
    /// What it found.
    pub values: Vec<Value>,
    /// Its figures by name.
    pub figures: BTreeMap<String, String>,
}

/// Facts of a run that only its driver knows.
#[derive(Debug, Clone)]
pub struct Circumstances {
    /// Threads asked for; 0 is one per core.
    pub threads: usize,
    /// When it ended, RFC 3339.
    pub finished: String,
    /// How long it took.
    pub seconds: f64,
}

/// Refuses early what [`write`] would refuse after the work.
///
/// # Errors
/// The folder exists.
pub fn must_be_new(target: &Path) -> Result<(), LabError> {
    if target.exists() {
        return Err(LabError::Ask(format!("experiment: {} exists; name a folder that does not, or remove it", target.display())));
    }
    Ok(())
}

/// Writes the folder `target`, which must not exist.
///
/// # Errors
/// The file system's refusal; then nothing is left.
pub fn write(target: &Path, plan: &Plan, text: &str, outcome: &Outcome, around: &Circumstances) -> Result<Manifest, LabError> {
    must_be_new(target)?;
    let mut temporary = target.as_os_str().to_owned();
    temporary.push(format!(".part-{}", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let write = || -> Result<Manifest, LabError> {
        let figures = temporary.join("figures");
        std::fs::create_dir_all(&figures).map_err(LabError::io("create folder", &figures))?;
        let file = |name: &str, text: &str| {
            let path = temporary.join(name);
            std::fs::write(&path, text).map_err(LabError::io("write", &path))
        };
        let manifest = manifest(plan, text, outcome, around)?;
        file("experiment.toml", text)?;
        file("manifest.json", &(pretty(&manifest) + "\n"))?;
        file("metrics.json", &(metrics_text(&outcome.values) + "\n"))?;
        write_parquet(outcome.table()?, &temporary.join("predictions.parquet"))?;
        for (name, svg) in &outcome.figures {
            file(&format!("figures/{name}.svg"), svg)?;
        }
        let kept = Kept {
            folder: target.to_path_buf(),
            manifest: manifest.clone(),
            plan: text.to_owned(),
            values: outcome.values.clone(),
            figures: outcome.figures.clone(),
        };
        file("report.html", &crate::report::of_experiment(&kept))?;
        std::fs::rename(&temporary, target).map_err(LabError::io("write", target))?;
        Ok(manifest)
    };
    let written = write();
    if written.is_err() {
        let _ = std::fs::remove_dir_all(&temporary);
    }
    written
}

/// Reads a folder that [`write`] made.
///
/// # Errors
/// A file is missing or not as written, or the values are not those that the manifest digests.
pub fn read(folder: &Path) -> Result<Kept, LabError> {
    let text = |name: &str| {
        let path = folder.join(name);
        std::fs::read_to_string(&path).map_err(LabError::io("read", &path))
    };
    let wrong = |name: &str, detail: String| LabError::Ask(format!("read {}: {detail}", folder.join(name).display()));
    let manifest: Manifest =
        serde_json::from_str(&text("manifest.json")?).map_err(|error| wrong("manifest.json", error.to_string()))?;
    let values: Vec<Value> =
        serde_json::from_str(&text("metrics.json")?).map_err(|error| wrong("metrics.json", error.to_string()))?;
    let digest = metrics_digest(&values);
    if digest != manifest.metrics_digest {
        let detail =
            format!("its values digest to {digest}, the manifest says {}; one of them was changed", manifest.metrics_digest);
        return Err(wrong("metrics.json", detail));
    }
    let mut figures = BTreeMap::new();
    if let Ok(entries) = std::fs::read_dir(folder.join("figures")) {
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().trim_end_matches(".svg").to_owned();
            figures.insert(name, std::fs::read_to_string(entry.path()).map_err(LabError::io("read", &entry.path()))?);
        }
    }
    // A folder without its plan can be read, but not repeated.
    let plan = text("experiment.toml").unwrap_or_default();
    Ok(Kept { folder: folder.to_path_buf(), manifest, plan, values, figures })
}

/// The plan that a folder was made by.
///
/// # Errors
/// It is missing, or not the one that the manifest digests.
pub fn plan_of(kept: &Kept) -> Result<(Plan, String), LabError> {
    let path = kept.folder.join("experiment.toml");
    let file = TextFile::read("experiment", &path)?;
    if ja4_replay::digest::hex(&Sha256::digest(&file.text)) != kept.manifest.plan_sha256 {
        return Err(LabError::Ask(format!("read {}: it is not the plan that the manifest digests", path.display())));
    }
    Ok((Plan::of(&file)?, file.text))
}

fn manifest(plan: &Plan, text: &str, outcome: &Outcome, around: &Circumstances) -> Result<Manifest, LabError> {
    let catalogue = Catalogue::load().map_err(|error| LabError::Features(error.to_string()))?;
    let program = std::env::current_exe().and_then(std::fs::read).map(|bytes| ja4_replay::digest::hex(&Sha256::digest(bytes)));
    Ok(Manifest {
        name: plan.name.clone(),
        question: plan.question.clone(),
        kind: plan.kind,
        plan_sha256: ja4_replay::digest::hex(&Sha256::digest(text)),
        data: outcome.data.clone(),
        metrics_digest: outcome.metrics_digest(),
        predictions_digest: outcome.predictions_digest(),
        predictions: outcome.predictions.len() as u64,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        program_sha256: program.unwrap_or_default(),
        features_sha256: catalogue.hash(ModelKind::Complete),
        seeds: plan.seeds.get_ref().clone(),
        machine: Machine::here(around.threads),
        finished: around.finished.clone(),
        seconds: around.seconds,
        notes: outcome.notes.clone(),
    })
}

/// One value a line, so that two files can be compared by eye.
#[must_use]
pub fn metrics_text(values: &[Value]) -> String {
    let lines: Vec<String> = values.iter().map(|value| serde_json::to_string(value).unwrap_or_default()).collect();
    format!("[\n{}\n]", lines.join(",\n"))
}

fn pretty(manifest: &Manifest) -> String {
    serde_json::to_string_pretty(manifest).unwrap_or_default()
}
