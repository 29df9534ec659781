//! Every model that was ever kept: a folder of versions, which of them is in use, and what was in use before.
//!
//! ```text
//! models/
//!   current.json                 {"current": ID, "before": [ID, …]}
//!   versions/ID/manifest.json    what it is, what it learned from, how good it measured
//!   versions/ID/complete.ja4model, application.ja4model
//! ```
//! Promises: a version is whole or not there (written beside, then renamed); it is never changed; a file that is not what its
//! manifest says is refused with a sentence; names from outside never become paths.
//!
//! Read next: `manifest.rs` (what is known of a version), `fit.rs` (how it is made), `bundle.rs` (one file to carry it away), `diff.rs` (two versions compared).

mod bundle;
mod contest;
mod diff;
mod fit;
mod manifest;

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use self::contest::{Contest, Judges};
pub use self::diff::{RankChange, diff};
pub use self::manifest::{DataWindow, Manifest, ModelEntry};
use crate::catalogue::ModelKind;
use crate::error::LabError;

/// No model file is larger; a claim beyond it is a mistake or an attack.
pub const MODEL_BYTES_MAX: u64 = 1 << 30;
/// A manifest is a page of text.
const MANIFEST_BYTES_MAX: u64 = 4 << 20;
/// How many earlier versions `rollback` remembers.
const REMEMBERED: usize = 100;

/// Which version is in use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Current {
    /// The version in use; empty while none is.
    pub current: String,
    /// What was in use before, newest first.
    #[serde(default)]
    pub before: Vec<String>,
}

/// A model file by name, with its bytes.
pub type ModelFile = (&'static str, Vec<u8>);

/// A folder of versions.
#[derive(Debug, Clone)]
pub struct Registry {
    root: PathBuf,
}

impl Registry {
    /// The registry in `root`; nothing is read or made yet.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_path_buf() }
    }

    /// The registry that belongs to a database file: `site.duckdb` has its models in `site.models`.
    #[must_use]
    pub fn beside(db: &Path) -> Self {
        Self { root: db.with_extension("models") }
    }

    /// Its folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Keeps the model files as a new version; gives its id. The same files with the same data are the same version, kept once.
    ///
    /// # Errors
    /// Files that are no models of this program, or the file system's refusal.
    pub fn add(&self, mut manifest: Manifest, files: &[ModelFile]) -> Result<String, LabError> {
        manifest.describe(files)?;
        let id = manifest.id.clone();
        let folder = self.folder(&id)?;
        if folder.is_dir() {
            return Ok(id);
        }
        let versions = self.root.join("versions");
        fs::create_dir_all(&versions).map_err(LabError::io("create folder", &versions))?;
        let part = versions.join(format!("{id}.part-{}", std::process::id()));
        let _ = fs::remove_dir_all(&part);
        fs::create_dir(&part).map_err(LabError::io("create folder", &part))?;
        for (name, bytes) in files {
            write_whole(&part.join(name), bytes)?;
        }
        write_whole(&part.join("manifest.json"), manifest.to_json().as_bytes())?;
        // Somebody else may have kept the same version meanwhile; theirs is as good.
        if let Err(error) = fs::rename(&part, &folder) {
            let _ = fs::remove_dir_all(&part);
            if !folder.is_dir() {
                return Err(LabError::io("write model", &folder)(error));
            }
        }
        Ok(id)
    }

    /// Every version, oldest first. A folder that cannot be read is told in the second list, and the others still come.
    ///
    /// # Errors
    /// The folder of versions cannot be read.
    pub fn list(&self) -> Result<(Vec<Manifest>, Vec<String>), LabError> {
        let versions = self.root.join("versions");
        let mut found = Vec::new();
        let mut damaged = Vec::new();
        let entries = match fs::read_dir(&versions) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((found, damaged)),
            Err(error) => return Err(LabError::io("read folder", &versions)(error)),
        };
        for entry in entries {
            let name = entry.map_err(LabError::io("read folder", &versions))?.file_name();
            let name = name.to_string_lossy();
            if is_id(&name) {
                match self.show(&name) {
                    Ok(manifest) => found.push(manifest),
                    Err(error) => damaged.push(error.to_string()),
                }
            }
        }
        found.sort_by(|a, b| (a.created_ns, &a.id).cmp(&(b.created_ns, &b.id)));
        damaged.sort();
        Ok((found, damaged))
    }

    /// The manifest of a version.
    ///
    /// # Errors
    /// There is none of that id, or it cannot be read.
    pub fn show(&self, id: &str) -> Result<Manifest, LabError> {
        let path = self.folder(id)?.join("manifest.json");
        if !path.is_file() {
            let root = self.root.display();
            return Err(LabError::Ask(format!("there is no model {id} in {root}; `ja4-lab model list` names them")));
        }
        let manifest = Manifest::from_json(&read_bounded(&path, MANIFEST_BYTES_MAX)?, &path)?;
        if manifest.id != id {
            return Err(refuse(&path, "it describes another version than its folder is named for"));
        }
        Ok(manifest)
    }

    /// Reads the files of a version and compares every byte with the manifest.
    ///
    /// # Errors
    /// A file is missing, too large, or not the one that was kept.
    pub fn files(&self, id: &str) -> Result<(Manifest, Vec<ModelFile>), LabError> {
        let manifest = self.show(id)?;
        let folder = self.folder(id)?;
        let mut files = Vec::new();
        for entry in &manifest.models {
            let name = file_name(&entry.file).ok_or_else(|| refuse(&folder, "its manifest names a file that no model has"))?;
            let path = folder.join(name);
            let bytes = read_bounded(&path, MODEL_BYTES_MAX)?;
            if ja4_models::digest_hex(&bytes) != entry.sha256 {
                return Err(refuse(&path, "its SHA-256 is not the one in the manifest: the file was changed or damaged"));
            }
            files.push((name, bytes));
        }
        Ok((manifest, files))
    }

    /// The folder of a version, for `score --model`; its files are checked first.
    ///
    /// # Errors
    /// As [`Registry::files`].
    pub fn checked_folder(&self, id: &str) -> Result<PathBuf, LabError> {
        self.files(id)?;
        self.folder(id)
    }

    /// Which version is in use.
    ///
    /// # Errors
    /// The note of it cannot be read.
    pub fn current(&self) -> Result<Current, LabError> {
        let path = self.root.join("current.json");
        if !path.is_file() {
            return Ok(Current::default());
        }
        let bytes = read_bounded(&path, MANIFEST_BYTES_MAX)?;
        let current: Current =
            serde_json::from_slice(&bytes).map_err(|error| refuse(&path, &format!("it is no note of a version ({error})")))?;
        let sound = current.before.iter().chain([&current.current]).all(|id| id.is_empty() || is_id(id));
        if sound { Ok(current) } else { Err(refuse(&path, "it names something that is no version")) }
    }

    /// Takes a version into use, after checking its files.
    ///
    /// # Errors
    /// As [`Registry::files`], or the file system's refusal.
    pub fn promote(&self, id: &str) -> Result<Current, LabError> {
        self.files(id)?;
        let mut now = self.current()?;
        if now.current != id {
            let old = std::mem::replace(&mut now.current, id.to_owned());
            if !old.is_empty() {
                now.before.insert(0, old);
                now.before.truncate(REMEMBERED);
            }
            self.note(&now)?;
        }
        Ok(now)
    }

    /// Takes the version before the current one into use again.
    ///
    /// # Errors
    /// There was none before, or it is damaged.
    pub fn rollback(&self) -> Result<Current, LabError> {
        let mut now = self.current()?;
        if now.before.is_empty() {
            let text = "model rollback: no other model was in use before; `ja4-lab model promote ID` takes one";
            return Err(LabError::Ask(text.to_owned()));
        }
        let id = now.before.remove(0);
        self.files(&id)?;
        now.current = id;
        self.note(&now)?;
        Ok(now)
    }

    fn note(&self, current: &Current) -> Result<(), LabError> {
        let text = serde_json::to_string_pretty(current).unwrap_or_default();
        write_whole(&self.root.join("current.json"), text.as_bytes())
    }

    fn folder(&self, id: &str) -> Result<PathBuf, LabError> {
        if !is_id(id) {
            let shown = crate::render::visible(id);
            return Err(LabError::Ask(format!(
                "model {shown:?}: an id is 16 hexadecimal digits; `ja4-lab model list` names them"
            )));
        }
        Ok(self.root.join("versions").join(id))
    }
}

/// Model files in a folder that `score --save-model` wrote.
///
/// # Errors
/// There is none, or one cannot be read.
pub fn files_in(folder: &Path) -> Result<Vec<ModelFile>, LabError> {
    let mut files = Vec::new();
    for kind in ModelKind::ALL {
        let name = model_file(kind);
        let path = folder.join(name);
        if path.is_file() {
            files.push((name, read_bounded(&path, MODEL_BYTES_MAX)?));
        }
    }
    if files.is_empty() {
        return Err(refuse(folder, "it holds no *.ja4model; `ja4-lab score --save-model DIR` writes them"));
    }
    Ok(files)
}

/// Name of the file of one kind of model.
#[must_use]
pub fn model_file(kind: ModelKind) -> &'static str {
    match kind {
        ModelKind::Complete => "complete.ja4model",
        ModelKind::Application => "application.ja4model",
    }
}

/// The constant behind a name from outside, so that nothing else ever becomes a path.
fn file_name(name: &str) -> Option<&'static str> {
    ModelKind::ALL.map(model_file).into_iter().find(|known| *known == name)
}

fn is_id(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn refuse(path: &Path, why: &str) -> LabError {
    LabError::Ask(format!("read model {}: {why}", path.display()))
}

fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, LabError> {
    let size = fs::metadata(path).map_err(LabError::io("read model", path))?.len();
    if size > limit {
        return Err(refuse(path, &format!("it has {size} bytes; at most {limit} are accepted")));
    }
    fs::read(path).map_err(LabError::io("read model", path))
}

/// Writes beside and renames, so that a half-written file is never seen.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), LabError> {
    use std::io::Write as _;
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let mut file = fs::File::create(&part).map_err(LabError::io("create", &part))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(LabError::io("write", &part))?;
    fs::rename(&part, path).map_err(LabError::io("write", path))
}

#[cfg(test)]
mod tests;
