//! Where rows end: a store, a file of JSON lines, standard output.
//!
//! Promises: a batch that comes again after a crash is recognised: the store by row keys, the file by its own record of how long it was.
//! Standard output may show the last batch of a killed process twice. Texts are written as they were sent; what would act on a terminal
//! (controls, bidirectional overrides) is escaped as JSON allows, so that reading the line back gives the same text.
//!
//! Read next: `deliver.rs`, `ja4_join::row`.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use ja4_join::row::{COLUMNS, ColumnVisitor, HttpLogRow, Text};

use super::reload::Tunable;
use crate::spool::SpoolError;
use crate::store::{self, OpenOptions as StoreOptions, Store, TlsOnlyRow};
use crate::visible::push_json_text;

/// What a sink says to a batch.
#[derive(Debug)]
pub enum Refusal {
    /// Try again later; why.
    Later(String),
    /// Nobody takes any more: a closed pipe.
    Gone,
}

/// A place where rows end.
pub trait Sink: Send {
    /// The word in metrics, and its cursor in the outbox.
    fn name(&self) -> &'static str;

    /// Takes a batch for good, or not at all. `last_seq` tells a batch that comes again.
    ///
    /// # Errors
    /// See [`Refusal`].
    fn deliver(&mut self, rows: &[HttpLogRow], tls_only: &[TlsOnlyRow], last_seq: u64) -> Result<(), Refusal>;

    /// How long rows may be gathered before they are delivered together, ns.
    fn gather_ns(&self) -> i64 {
        0
    }

    /// Whether what was delivered before is gone, so that everything that is still there should come again. Asked once.
    fn wants_everything_again(&mut self) -> Option<String> {
        None
    }

    /// The configuration was read again, or a rotation from outside happened.
    fn reload(&mut self, _settings: &Tunable) {}

    /// Nothing follows.
    fn finish(&mut self) {}
}

/// Rows into a store; it is opened at the first batch and again after a failure.
pub struct StoreSink {
    path: PathBuf,
    options: StoreOptions,
    store: Option<Box<dyn Store>>,
    rebuilt: Option<String>,
    gather_ns: i64,
    /// Whether the connection is the driver's: then a second one to the same file must never be opened beside it.
    lent: bool,
}

impl StoreSink {
    /// Rows go to `path`, gathered for `gather_ns`.
    #[must_use]
    pub fn new(path: &Path, options: StoreOptions, gather_ns: i64) -> Self {
        Self { path: path.to_path_buf(), options, store: None, rebuilt: None, gather_ns, lent: false }
    }

    /// With a store that is open already, as `ja4-lab live` has one.
    #[must_use]
    pub fn with(store: Box<dyn Store>, fresh: Option<String>, gather_ns: i64) -> Self {
        let path = PathBuf::from(store.label());
        Self { path, options: StoreOptions::default(), store: Some(store), rebuilt: fresh, gather_ns, lent: true }
    }

    fn open(&mut self) -> Result<&mut Box<dyn Store>, crate::ReplayError> {
        if self.store.is_none() {
            let is_file = !self.path.to_string_lossy().contains("://");
            let was_there = !is_file || self.path.exists();
            let mut store = store::open(&self.path, &self.options)?;
            if let Some(old) = store.set_aside() {
                self.rebuilt = Some(format!("the database was unreadable and is kept as {}", old.display()));
            } else if !was_there {
                self.rebuilt = Some("the database was not there".to_owned());
            }
            store.migrate()?;
            self.store = Some(store);
        }
        self.store.as_mut().ok_or(crate::ReplayError::Worker("store"))
    }
}

impl Sink for StoreSink {
    fn name(&self) -> &'static str {
        "store"
    }

    fn deliver(&mut self, rows: &[HttpLogRow], tls_only: &[TlsOnlyRow], _last_seq: u64) -> Result<(), Refusal> {
        let result = self.open().and_then(|store| {
            store.append(rows)?;
            store.append_tls_only(tls_only)
        });
        result.map(drop).map_err(|error| {
            if !self.lent {
                // A connection that failed once is not trusted: the next attempt opens a new one.
                self.store = None;
            }
            Refusal::Later(error.to_string())
        })
    }

    fn gather_ns(&self) -> i64 {
        self.gather_ns
    }

    fn reload(&mut self, settings: &Tunable) {
        self.gather_ns = settings.store_gather_ns;
    }

    fn wants_everything_again(&mut self) -> Option<String> {
        if self.store.is_none() {
            // A failure shows again at the first batch, where it is told and tried again.
            let _ = self.open();
        }
        self.rebuilt.take()
    }

    fn finish(&mut self) {
        if let Some(store) = &self.store {
            // What was appended is in the engine's own log already.
            let _ = store.checkpoint();
        }
    }
}

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

    fn write(&mut self, rows: &[HttpLogRow], last_seq: u64) -> io::Result<()> {
        if last_seq <= self.state.last_seq {
            return Ok(());
        }
        self.text.clear();
        for row in rows {
            json_line(row, &mut self.text);
        }
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

    fn deliver(&mut self, rows: &[HttpLogRow], _tls_only: &[TlsOnlyRow], last_seq: u64) -> Result<(), Refusal> {
        self.write(rows, last_seq)
            .map_err(|error| Refusal::Later(SpoolError::io("append rows to", &self.config.path)(error).to_string()))
    }

    fn reload(&mut self, settings: &Tunable) {
        if let Some(config) = &settings.file {
            self.config = config.clone();
        }
        self.file = None;
    }
}

/// Rows as JSON lines on standard output.
pub struct StdoutSink {
    out: Box<dyn io::Write + Send>,
}

impl StdoutSink {
    /// To `out`.
    #[must_use]
    pub fn new(out: Box<dyn io::Write + Send>) -> Self {
        Self { out }
    }
}

impl Sink for StdoutSink {
    fn name(&self) -> &'static str {
        "stdout"
    }

    fn deliver(&mut self, rows: &[HttpLogRow], _tls_only: &[TlsOnlyRow], _last_seq: u64) -> Result<(), Refusal> {
        let mut text = Vec::new();
        for row in rows {
            json_line(row, &mut text);
        }
        self.out.write_all(&text).and_then(|()| self.out.flush()).map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Refusal::Gone,
            _ => Refusal::Later(format!("write to standard output: {error}")),
        })
    }
}

/// Appends a row as one JSON object and a line end.
pub fn json_line(row: &HttpLogRow, out: &mut Vec<u8>) {
    struct Line {
        text: String,
        columns: std::slice::Iter<'static, ja4_join::row::Column>,
    }
    impl Line {
        fn name(&mut self) {
            let separator = if self.text.is_empty() { '{' } else { ',' };
            let name = self.columns.next().map_or("", |column| column.name);
            let _ = write!(self.text, "{separator}\"{name}\":");
        }
    }
    impl ColumnVisitor for Line {
        fn int(&mut self, value: i64) {
            self.name();
            let _ = write!(self.text, "{value}");
        }

        fn float(&mut self, value: f64) {
            self.name();
            let _ = if value.is_finite() { write!(self.text, "{value}") } else { write!(self.text, "null") };
        }

        fn text(&mut self, value: &Text) {
            self.name();
            push_json_text(value, &mut self.text);
        }
    }
    let mut line = Line { text: String::with_capacity(3000), columns: COLUMNS.iter() };
    row.visit(&mut line);
    out.extend_from_slice(line.text.as_bytes());
    out.extend_from_slice(b"}\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(path: &str) -> HttpLogRow {
        HttpLogRow { path: path.into(), ..HttpLogRow::unknown() }
    }

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
    fn a_line_reads_back_as_it_was_and_nothing_in_it_acts() {
        let hostile = "\"a'\0\u{1b}]0;x\u{7}\u{202e}\u{9b}31m\\\n\u{feff}\u{e0041}ü";
        let mut line = Vec::new();
        json_line(&row(hostile), &mut line);
        let text = String::from_utf8(line).unwrap();
        assert!(!text.trim_end().chars().any(crate::visible::acts), "{text:?}");
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["path"], hostile);
        assert_eq!(value.as_object().unwrap().len(), COLUMNS.len());
    }

    #[test]
    fn a_batch_that_comes_again_stands_there_once_wherever_the_process_was_killed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rows.jsonl");
        let mut sink = file_sink(folder.path(), u64::MAX);
        sink.deliver(&[row("/1")], &[], 1).unwrap();
        // Killed between the state and the commit: the same batch comes again.
        let mut sink2 = file_sink(folder.path(), u64::MAX);
        sink2.deliver(&[row("/1")], &[], 1).unwrap();
        assert_eq!(paths(&file), ["/1"]);
        // Killed in the middle of writing.
        OpenOptions::new().append(true).open(&file).unwrap().write_all(b"{\"path\":\"/2\"}\n{\"pa").unwrap();
        let mut sink3 = file_sink(folder.path(), u64::MAX);
        sink3.deliver(&[row("/2"), row("/3")], &[], 2).unwrap();
        assert_eq!(paths(&file), ["/1", "/2", "/3"]);
        drop((sink, sink2));
    }

    #[test]
    fn rotation_keeps_as_many_as_asked_and_whole_batches() {
        let folder = tempfile::tempdir().unwrap();
        let mut sink = file_sink(folder.path(), 4000);
        for seq in 1..=8 {
            sink.deliver(&[row(&format!("/{seq}"))], &[], seq).unwrap();
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
