//! One file that carries a version from one machine to another.
//!
//! ```text
//! "JA4BUNDLE1\n" | manifest as one line of JSON "\n" | model files one after the other, in the manifest's order
//! ```
//! Promises: a bundle is read as if an enemy had written it: lengths are compared with the bytes that are there, digests with the bytes,
//! and each model file is parsed before anything is kept.
//!
//! Read next: `mod.rs`.

use std::path::Path;

use super::{Manifest, ModelFile, Registry, file_name, read_bounded, refuse, write_whole};
use crate::error::LabError;

const MAGIC: &[u8] = b"JA4BUNDLE1\n";
/// Largest bundle: two models and their manifest.
const BUNDLE_BYTES_MAX: u64 = 2 * super::MODEL_BYTES_MAX + (8 << 20);

impl Registry {
    /// Writes a version into one file; gives its size.
    ///
    /// # Errors
    /// The version is damaged, or the file system's refusal.
    pub fn export(&self, id: &str, to: &Path) -> Result<u64, LabError> {
        let (manifest, files) = self.files(id)?;
        let mut bundle = MAGIC.to_vec();
        bundle.extend(serde_json::to_vec(&manifest).unwrap_or_default());
        bundle.push(b'\n');
        for (_, bytes) in &files {
            bundle.extend_from_slice(bytes);
        }
        write_whole(to, &bundle)?;
        Ok(bundle.len() as u64)
    }

    /// Keeps the version that a bundle holds; gives its id.
    ///
    /// # Errors
    /// A file that is no bundle, is cut, or holds something else than its manifest says.
    pub fn import(&self, from: &Path) -> Result<String, LabError> {
        let bytes = read_bounded(from, BUNDLE_BYTES_MAX)?;
        let bad = |why: &str| refuse(from, why);
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| bad("it is no bundle: it does not begin with JA4BUNDLE1"))?;
        let end = rest.iter().position(|byte| *byte == b'\n').ok_or_else(|| bad("it ends inside the manifest"))?;
        let (line, mut body) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        body = body.get(1..).unwrap_or_default();
        let manifest = Manifest::from_json(line, from)?;
        let mut files: Vec<ModelFile> = Vec::new();
        for entry in &manifest.models {
            let name = file_name(&entry.file).ok_or_else(|| bad("its manifest names a file that no model has"))?;
            let size = usize::try_from(entry.bytes).unwrap_or(usize::MAX);
            let (file, after) = body.split_at_checked(size).ok_or_else(|| bad("it ends inside a model file"))?;
            if ja4_models::digest_hex(file) != entry.sha256 {
                return Err(bad("the SHA-256 of a model file is not the one in the manifest: it was changed or damaged"));
            }
            if files.iter().any(|(known, _)| *known == name) {
                return Err(bad("its manifest names one file twice"));
            }
            files.push((name, file.to_vec()));
            body = after;
        }
        if files.is_empty() || !body.is_empty() {
            return Err(bad("it holds no model file, or bytes after the last one"));
        }
        let mut checked = manifest.clone();
        checked.describe(&files)?;
        if checked.id != manifest.id || checked.models != manifest.models {
            return Err(bad("its manifest does not describe the models it holds"));
        }
        self.add(manifest, &files)
    }
}
