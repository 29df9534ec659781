//! Rows into a database.
//!
//! Promises: a row that comes again is stored once, by its key; the database is opened anew after each failure (but for one that the driver
//! lent); whenever that finds it unreadable or gone, everything that the segments still hold is asked for again, once.
//!
//! Read next: `../../store/mod.rs`.

use std::path::{Path, PathBuf};

use super::{Refusal, Rows, Sink, Tunable};
use crate::store::chunk::{CHUNK_ROWS, Chunk, RequestChunk};
use crate::store::{self, OpenOptions as StoreOptions, Store};

/// Rows into a store; it is opened at the start and again after a failure.
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

    fn begin(&mut self) -> Result<(), Refusal> {
        let opened = self.open().map(drop).map_err(|error| Refusal::Later(error.to_string()));
        opened.and_then(|()| self.rebuilt.take().map_or(Ok(()), |why| Err(Refusal::Again(why))))
    }

    fn deliver(&mut self, batch: &dyn Rows) -> Result<(), Refusal> {
        // It may have been opened anew, and be another one.
        self.begin()?;
        let result = self.open().and_then(|store| store.append_chunks(&mut chunks_of(batch)?.into_iter()));
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

    fn finish(&mut self) {
        if let Some(store) = &self.store {
            // What was appended is in the engine's own log already.
            let _ = store.checkpoint();
        }
    }
}

/// The rows in columns, as stores take them.
fn chunks_of(batch: &dyn Rows) -> Result<Vec<Chunk>, crate::ReplayError> {
    let mut chunks = Vec::new();
    // What a record says is no reason to set room aside without bound.
    let room = batch.count().min(CHUNK_ROWS);
    let mut open: Option<RequestChunk> = None;
    batch.requests(&mut |rows| {
        for row in rows {
            if open.as_ref().is_some_and(|chunk| chunk.rows() >= CHUNK_ROWS) {
                chunks.extend(open.take().map(RequestChunk::finish));
            }
            open.get_or_insert_with(|| RequestChunk::with_room(room)).add(row);
        }
    });
    chunks.extend(open.map(RequestChunk::finish));
    batch.handshakes(&mut |rows| chunks.push(Chunk::of_handshakes(rows)));
    chunks.into_iter().collect::<Result<_, _>>().map_err(|error| crate::ReplayError::columns(&error))
}
