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

/// The folder of recorded data sets: the first of [`places`] that is there, else the first of them, so that a message can name it.
#[must_use]
pub fn default_root() -> PathBuf {
    let mut places = places();
    let found = places.iter().position(|place| place.is_dir()).unwrap_or(0);
    places.swap_remove(found)
}

/// Where recorded data sets are looked for, in this order: below the working folder, in the checkout that holds the program or that it
/// was built from, where a package puts them beside the program's folder.
#[must_use]
pub fn places() -> Vec<PathBuf> {
    let mut places = vec![PathBuf::from("datasets/recorded")];
    let program = std::env::current_exe().ok();
    // target/release/ja4-lab, or target/release/deps/it-…: the checkout is one of the folders above.
    let above = program.iter().flat_map(|path| path.ancestors().skip(2).take(3));
    places.extend(above.filter(|folder| folder.join("Cargo.toml").is_file()).map(|folder| folder.join("datasets/recorded")));
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets/recorded");
    places.push(checkout.canonicalize().unwrap_or(checkout));
    let prefix = program.as_deref().and_then(|path| path.ancestors().nth(2));
    places.extend(prefix.map(|prefix| prefix.join("share/ja4-platform/datasets/recorded")));
    places
}

/// The recorded set of this name.
///
/// # Errors
/// It is in none of [`places`]; the message names them.
pub fn recorded(name: &str) -> Result<PathBuf, LabError> {
    let places = places();
    places.iter().map(|place| place.join(name)).find(|folder| folder.join("manifest.toml").is_file()).ok_or_else(|| {
        let looked: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
        LabError::Ask(format!(
            "find the recorded data set {name}: it is not in {}; name its folder with --dataset, or work in a checkout of the project",
            looked.join(", ")
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_set_of_the_demo_is_found_and_another_name_is_told_with_every_place_that_was_looked_in() {
        assert!(recorded("site-small").unwrap().join("manifest.toml").is_file());
        let said = recorded("site-of-nobody").unwrap_err().to_string();
        assert!(said.contains("site-of-nobody") && said.contains("--dataset"), "{said}");
        for place in places() {
            assert!(said.contains(&place.display().to_string()), "{said}");
        }
    }
}
