//! The folder that a generated data set becomes: capture, logs, labels, manifest.
//!
//! Promises: everything is written into a temporary folder beside the target and renamed at the end, so that a folder of this name is
//! whole or not there; every file's SHA-256 is that of the bytes written.
//!
//! Read next: `crate::dataset` (reads it again).

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::emit::{Counts, LABEL_COLUMNS, Sink};
use super::scenario::{LogKind, Scenario};
use super::templates::Templates;
use super::wire::PCAP_HEADER;
use crate::error::LabError;
use crate::render::json_text;

/// A file whose digest grows with it.
struct Hashed {
    name: &'static str,
    file: BufWriter<File>,
    digest: Sha256,
    bytes: u64,
}

impl Hashed {
    fn create(folder: &Path, name: &'static str) -> Result<Self, LabError> {
        let path = folder.join(name);
        let file = File::create_new(&path).map_err(LabError::io("create", &path))?;
        Ok(Self { name, file: BufWriter::with_capacity(1 << 20, file), digest: Sha256::new(), bytes: 0 })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.digest.update(bytes);
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes)
    }

    fn finish(mut self) -> io::Result<(&'static str, u64, String)> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        Ok((self.name, self.bytes, ja4_replay::digest::hex(&self.digest.finalize())))
    }
}

/// A data set on its way; what is not finished is removed.
pub struct Folder {
    temporary: PathBuf,
    target: PathBuf,
    capture: Hashed,
    logs: Vec<Hashed>,
    labels: Hashed,
}

impl Folder {
    /// Begins the folder `target`, which must not exist.
    ///
    /// # Errors
    /// It exists, or the file system refuses.
    pub fn create(target: &Path, logs: &[LogKind]) -> Result<Self, LabError> {
        if target.exists() {
            return Err(LabError::Ask(format!("synth: {} exists; name a folder that does not, or remove it", target.display())));
        }
        let mut temporary = target.as_os_str().to_owned();
        temporary.push(format!(".part-{}", std::process::id()));
        let temporary = PathBuf::from(temporary);
        std::fs::create_dir_all(&temporary).map_err(LabError::io("create folder", &temporary))?;
        let files = || -> Result<_, LabError> {
            let logs = logs.iter().map(|kind| Hashed::create(&temporary, file_name(*kind))).collect::<Result<Vec<_>, _>>()?;
            Ok((Hashed::create(&temporary, "capture.pcap")?, logs, Hashed::create(&temporary, "labels.csv")?))
        };
        match files() {
            Ok((capture, logs, labels)) => {
                let mut folder = Self { temporary, target: target.to_path_buf(), capture, logs, labels };
                let begun = folder.packet(&PCAP_HEADER).and_then(|()| folder.label(LABEL_COLUMNS));
                begun.map_err(LabError::io("write data set", target))?;
                Ok(folder)
            }
            Err(error) => {
                let _ = std::fs::remove_dir_all(&temporary);
                Err(error)
            }
        }
    }

    /// Writes the manifest and gives the folder its name.
    ///
    /// # Errors
    /// The file system's refusal; then nothing is left.
    pub fn finish(
        self,
        scenario: &Scenario,
        text: &str,
        templates: &Templates,
        seed: u64,
        counts: &Counts,
    ) -> Result<(), LabError> {
        let Self { temporary, target, capture, logs, labels } = self;
        let write = || -> io::Result<()> {
            let mut files = vec![capture.finish()?, labels.finish()?];
            for log in logs {
                files.push(log.finish()?);
            }
            files.sort_unstable();
            std::fs::write(temporary.join("scenario.toml"), text)?;
            files.push(("scenario.toml", text.len() as u64, ja4_replay::digest::hex(&Sha256::digest(text))));
            std::fs::write(temporary.join("manifest.toml"), manifest(scenario, templates, seed, counts, &files))?;
            std::fs::rename(&temporary, &target)
        };
        write().map_err(|error| {
            let _ = std::fs::remove_dir_all(&temporary);
            LabError::io("write data set", &target)(error)
        })
    }

    /// Removes what was written.
    pub fn discard(self) {
        // What cannot be removed now cannot be removed by telling.
        let _ = std::fs::remove_dir_all(&self.temporary);
    }
}

impl Sink for Folder {
    fn packet(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.capture.write(bytes)
    }

    fn log(&mut self, place: usize, line: &[u8]) -> io::Result<()> {
        self.logs.get_mut(place).map_or(Ok(()), |log| log.write(line))
    }

    fn label(&mut self, line: &str) -> io::Result<()> {
        self.labels.write(line.as_bytes())
    }
}

/// The name of a log; `access*` is what `crate::dataset` looks for.
#[must_use]
pub fn file_name(kind: LogKind) -> &'static str {
    match kind {
        LogKind::Module => "access.jsonl",
        LogKind::Logformat => "access_logformat.jsonl",
        LogKind::Combined => "access_combined_ports.log",
    }
}

fn manifest(scenario: &Scenario, templates: &Templates, seed: u64, counts: &Counts, files: &[(&str, u64, String)]) -> String {
    let quoted = |text: &str| json_text(text);
    let mut out = String::from("# Made by `ja4-lab synth`: the same scenario, seed and version give the same bytes.\n");
    out += &format!("name = {}\ndescription = {}\n", quoted(&scenario.name), quoted(&scenario.description));
    out += &format!(
        "command = \"ja4-lab synth scenario.toml --seed {seed}\"\nseed = {seed}\nversion = {}\n",
        quoted(env!("CARGO_PKG_VERSION"))
    );
    out += &format!("log_skew_ns = {}\n", scenario.log_skew.0);
    out +=
        &format!("templates = {}\ntemplates_capture_sha256 = {}\n", quoted(&templates.source), quoted(&templates.capture_sha256));
    out += "\ncan_not_show = [\n  \"Behaviour is a model: paces, paths and pauses follow the scenario, not people.\",\n  \
            \"Handshakes are those of one recording, with one kernel's TCP stack; no extension order is permuted anew.\",\n  \
            \"Response bodies, acknowledgements without data and certificates are left out of the capture.\",\n]\n";
    out += "\n[counts]\n";
    let counted = serde_json::to_value(counts).unwrap_or_default();
    for (name, value) in counted.as_object().into_iter().flatten() {
        out += &format!("{name} = {value}\n");
    }
    out += "\n[files]\n";
    for (name, bytes, sha256) in files {
        out += &format!("{} = {{ bytes = {bytes}, sha256 = \"{sha256}\" }}\n", quoted(name));
    }
    out
}
