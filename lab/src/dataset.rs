//! The recorded data sets: where they are, what they hold, and whether every byte is the one the manifest names.
//!
//! Promises: verification reads every file; nothing is changed.
//!
//! Read next: `datasets/README.md`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::error::LabError;

/// `manifest.toml` of a data set, as far as the lab needs it.
#[derive(Debug, Clone, Deserialize)]
pub struct Manifest {
    /// Name of the set.
    pub name: String,
    /// What it is, in a sentence.
    #[serde(default)]
    pub description: String,
    /// Its files by name.
    #[serde(default)]
    pub files: BTreeMap<String, ManifestFile>,
}

/// One file of a data set.
#[derive(Debug, Clone, Deserialize)]
pub struct ManifestFile {
    /// SHA-256 of its bytes, hex.
    pub sha256: String,
    /// Size.
    #[serde(default)]
    pub bytes: u64,
}

/// What a file of a data set is for; the beginning of its name tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `capture*`
    Capture,
    /// `access*`; the first by name is the richest.
    HttpLog,
}

impl Role {
    fn prefix(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::HttpLog => "access",
        }
    }
}

/// A data set on disk.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// Its folder.
    pub folder: PathBuf,
    /// Its manifest.
    pub manifest: Manifest,
}

impl Dataset {
    /// Reads the manifest in `folder`.
    ///
    /// # Errors
    /// No manifest, or one that is not as described in `datasets/README.md`.
    pub fn open(folder: &Path) -> Result<Self, LabError> {
        let path = folder.join("manifest.toml");
        let text = std::fs::read_to_string(&path).map_err(LabError::io("read manifest", &path))?;
        let manifest = toml::from_str(&text)
            .map_err(|error| LabError::Ask(format!("read manifest {}: {}", path.display(), error.message())))?;
        Ok(Self { folder: folder.to_path_buf(), manifest })
    }

    /// Files with this role; logs in JSON before others.
    #[must_use]
    pub fn files(&self, role: Role) -> Vec<PathBuf> {
        let mut names: Vec<&String> = self.manifest.files.keys().filter(|name| name.starts_with(role.prefix())).collect();
        names.sort_by_key(|name| (!name.contains(".json"), *name));
        names.into_iter().map(|name| self.folder.join(name)).collect()
    }

    /// Compares every file with the manifest; gives the sentences of what differs.
    ///
    /// # Errors
    /// None: a file that cannot be read is one of the sentences.
    #[must_use]
    pub fn verify(&self) -> Vec<String> {
        self.manifest.files.iter().filter_map(|(name, file)| self.verify_file(name, file)).collect()
    }

    fn verify_file(&self, name: &str, file: &ManifestFile) -> Option<String> {
        let path = self.folder.join(name);
        match std::fs::read(&path) {
            Err(error) => Some(format!("{}: {error}", path.display())),
            Ok(bytes) => {
                let found = ja4_replay::digest::hex(&Sha256::digest(&bytes));
                (found != file.sha256)
                    .then(|| format!("{}: SHA-256 is {found}, the manifest says {}", path.display(), file.sha256))
            }
        }
    }
}

/// Folders with a manifest below `root`, sorted.
///
/// # Errors
/// `root` cannot be read.
pub fn list(root: &Path) -> Result<Vec<Dataset>, LabError> {
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(root).map_err(LabError::io("read folder", root))? {
        let path = entry.map_err(LabError::io("read folder", root))?.path();
        if path.join("manifest.toml").is_file() {
            folders.push(path);
        }
    }
    folders.sort();
    folders.iter().map(|folder| Dataset::open(folder)).collect()
}

/// The folder of recorded data sets: beside the program's source when it runs from a checkout, else below the working folder.
#[must_use]
pub fn default_root() -> PathBuf {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets/recorded");
    let here = PathBuf::from("datasets/recorded");
    if here.is_dir() { here } else { checkout.canonicalize().unwrap_or(checkout) }
}
