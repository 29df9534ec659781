//! Rows as JSON lines in a file that is rotated.
//!
//! Promises: each batch stands there once, wherever the process was killed: the record of how long the file was after the last whole batch says
//! what to cut off. Only the file's owner and group read what visitors do.
//!
//! Read next: `stdout.rs`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::{Refusal, Rows, Sink, Tunable, json_line};
use crate::spool::SpoolError;

/// Where JSON lines go and when the file is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileConfig {
    /// The file.
    pub path: PathBuf,
    /// Rotated when it holds this much.
    pub rotate_bytes: u64,
    /// Rotated files kept, as `.1` (the newest) and so on.
    pub keep: u32,
}

/// Rows as JSON lines, exactly once.
#[derive(Debug)]
pub struct FileSink {
    config: FileConfig,
    /// Where the state is kept: in the outbox's folder.
    state_path: PathBuf,
    file: Option<File>,
    state: FileState,
    text: Vec<u8>,
}

/// What was true when the last batch was complete.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct FileState {
    device: u64,
    inode: u64,
    bytes: u64,
    last_seq: u64,
}

impl FileSink {
    /// Lines go to `config.path`; the record of how far it got is kept in `folder`.
    #[must_use]
    pub fn new(config: FileConfig, folder: &Path) -> Self {
        let state_path = folder.join("file.state");
        // A state that cannot be read is none: then nothing is cut off, and the last batch may stand there twice.
        let state = fs::read(&state_path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Self { config, state_path, file: None, state, text: Vec::new() }
    }

    fn write(&mut self, batch: &dyn Rows) -> io::Result<()> {
        let last_seq = batch.last_seq();
        if last_seq <= self.state.last_seq {
            return Ok(());
        }
        self.text.clear();
        batch.requests(&mut |rows| rows.iter().for_each(|row| json_line(row, &mut self.text)));
        let more = u64::try_from(self.text.len()).unwrap_or(u64::MAX);
        self.open()?;
        if self.state.bytes > 0 && self.state.bytes.saturating_add(more) > self.config.rotate_bytes {
            self.rotate()?;
            self.open()?;
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        if let Err(error) = file.write_all(&self.text).and_then(|()| file.sync_data()) {
            // Half a batch is taken back; if that fails too, the next opening does it.
            let _ = file.set_len(self.state.bytes);
            self.file = None;
            return Err(error);
        }
        self.state.bytes = self.state.bytes.saturating_add(more);
        self.state.last_seq = last_seq;
        self.save()
    }

    /// Opens the file and cuts off what a killed process had begun.
    fn open(&mut self) -> io::Result<()> {
        if self.file.is_some() {
            return Ok(());
        }
        // Only its owner and group read what visitors do here.
        let file = OpenOptions::new().append(true).create(true).mode(0o640).open(&self.config.path)?;
        let metadata = file.metadata()?;
        if (metadata.dev(), metadata.ino()) == (self.state.device, self.state.inode) {
            if metadata.len() > self.state.bytes {
                file.set_len(self.state.bytes)?;
            } else {
                // Somebody cut it: what is there now is what there is.
                self.state.bytes = metadata.len();
            }
        } else {
            (self.state.device, self.state.inode, self.state.bytes) = (metadata.dev(), metadata.ino(), metadata.len());
            self.save()?;
        }
        self.file = Some(file);
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        let numbered = |number: u32| {
            let mut name = self.config.path.clone().into_os_string();
            name.push(format!(".{number}"));
            PathBuf::from(name)
        };
        for number in (1..self.config.keep).rev() {
            match fs::rename(numbered(number), numbered(number.saturating_add(1))) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        if self.config.keep > 0 {
            fs::rename(&self.config.path, numbered(1))?
        } else {
            fs::remove_file(&self.config.path)?
        }
        self.file = None;
        Ok(())
    }

    fn refusal(&self, error: io::Error) -> Refusal {
        Refusal::Later(SpoolError::io("append rows to", &self.config.path)(error).to_string())
    }

    fn save(&self) -> io::Result<()> {
        let fresh = self.state_path.with_extension("state.new");
        let mut file = File::create(&fresh)?;
        file.write_all(&serde_json::to_vec(&self.state)?)?;
        file.sync_data()?;
        fs::rename(&fresh, &self.state_path)
    }
}

impl Sink for FileSink {
    fn name(&self) -> &'static str {
        "file"
    }

    fn begin(&mut self) -> Result<(), Refusal> {
        self.open().map_err(|error| self.refusal(error))
    }

    fn deliver(&mut self, batch: &dyn Rows) -> Result<(), Refusal> {
        self.write(batch).map_err(|error| self.refusal(error))
    }

    fn reload(&mut self, settings: &Tunable) {
        if let Some(config) = &settings.file {
            self.config = config.clone();
        }
        self.file = None;
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Given, row};
    use super::*;

    fn paths(file: &Path) -> Vec<String> {
        let text = fs::read_to_string(file).unwrap();
        text.lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["path"].as_str().unwrap().to_owned())
            .collect()
    }

    fn file_sink(folder: &Path, rotate_bytes: u64) -> FileSink {
        FileSink::new(FileConfig { path: folder.join("rows.jsonl"), rotate_bytes, keep: 2 }, folder)
    }

    #[test]
    fn a_batch_that_comes_again_stands_there_once_wherever_the_process_was_killed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rows.jsonl");
        let mut sink = file_sink(folder.path(), u64::MAX);
        sink.deliver(&Given(&[row("/1")], 1)).unwrap();
        // Killed between the state and the commit: the same batch comes again.
        let mut sink2 = file_sink(folder.path(), u64::MAX);
        sink2.deliver(&Given(&[row("/1")], 1)).unwrap();
        assert_eq!(paths(&file), ["/1"]);
        // Killed in the middle of writing.
        OpenOptions::new().append(true).open(&file).unwrap().write_all(b"{\"path\":\"/2\"}\n{\"pa").unwrap();
        let mut sink3 = file_sink(folder.path(), u64::MAX);
        sink3.deliver(&Given(&[row("/2"), row("/3")], 2)).unwrap();
        assert_eq!(paths(&file), ["/1", "/2", "/3"]);
        drop((sink, sink2));
    }

    #[test]
    fn rotation_keeps_as_many_as_asked_and_whole_batches() {
        let folder = tempfile::tempdir().unwrap();
        let mut sink = file_sink(folder.path(), 4000);
        for seq in 1..=8 {
            sink.deliver(&Given(&[row(&format!("/{seq}"))], seq)).unwrap();
        }
        let all: Vec<String> =
            ["rows.jsonl.2", "rows.jsonl.1", "rows.jsonl"].iter().flat_map(|n| paths(&folder.path().join(n))).collect();
        assert!(all.len() >= 3 && all.last().is_some_and(|path| path == "/8"), "{all:?}");
        assert!(!folder.path().join("rows.jsonl.3").exists());
        let mut sorted = all.clone();
        sorted.sort();
        assert_eq!(all, sorted);
    }
}
