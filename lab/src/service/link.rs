//! The store as it comes and goes: opened once for writing, shared as siblings, given up when it no longer answers.
//!
//! Promises: at most [`IDLE`] spare connections are kept; nobody waits for an opening (it happens outside the lock); a DuckDB file
//! that was removed or replaced under the service counts as gone, so that nothing is written into a file that has no name.
//!
//! Read next: `cycles.rs`, which opens and gives up; `api/mod.rs`, which only borrows.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ja4_replay::ReplayError;
use ja4_replay::store::{self, Engine, OpenOptions, Statement, Store};

use super::Clock;
use super::record::records;
use super::state::State;
use crate::error::LabError;

/// Spare connections kept for the next who asks.
const IDLE: usize = 8;

const PING: Statement = Statement::shared(include_str!("../../../sql/shared/queries/api_ping.sql"));

/// The way to one store.
pub struct Link {
    db: PathBuf,
    threads: usize,
    clock: Clock,
    state: Arc<State>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// The connection that siblings are made from.
    root: Option<Box<dyn Store>>,
    /// Which file that is.
    identity: Option<(u64, u64)>,
    /// Counts openings, so that a sibling of an earlier one is not kept.
    opening: u64,
    idle: Vec<Box<dyn Store>>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("db", &self.db).finish_non_exhaustive()
    }
}

impl Link {
    /// A way to the store that `db` names; nothing is opened yet.
    #[must_use]
    pub fn new(db: &Path, threads: usize, clock: Clock, state: Arc<State>) -> Self {
        Self { db: db.to_path_buf(), threads, clock, state, inner: Mutex::default() }
    }

    /// Whether a store is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.lock().root.is_some()
    }

    /// Opens and migrates the store unless it is open; gives a note for the operator if there is one.
    ///
    /// # Errors
    /// It is locked, newer, no database, or does not answer.
    pub fn open(&self) -> Result<Option<String>, LabError> {
        if self.is_open() {
            return Ok(None);
        }
        if is_file(&self.db) && !self.db.exists() {
            return Err(ReplayError::NoDatabase { path: self.db.clone() }.into());
        }
        let options = OpenOptions { threads: self.threads, now_ns: (self.clock.wall_ns)(), ..OpenOptions::default() };
        let mut root = store::open(&self.db, &options)?;
        root.migrate()?;
        let note = root.set_aside().map(|old| {
            format!("{} could not be opened; it was set aside as {} and a fresh one is used", self.db.display(), old.display())
        });
        let identity = identity(&self.db);
        let mut inner = self.lock();
        let opening = inner.opening.wrapping_add(1);
        *inner = Inner { root: Some(root), identity, opening, idle: Vec::new() };
        drop(inner);
        self.state.store_is_back();
        Ok(note)
    }

    /// Lets go of the store and every spare connection.
    pub fn close(&self) {
        let mut inner = self.lock();
        let opening = inner.opening;
        let old = std::mem::replace(&mut *inner, Inner { opening, ..Inner::default() });
        drop(inner);
        drop(old);
    }

    /// Does `work` with a connection of its own.
    ///
    /// # Errors
    /// No store is open, or what `work` fails with; then its connection is not used again.
    pub fn with<T>(&self, work: impl FnOnce(&dyn Store) -> Result<T, LabError>) -> Result<T, LabError> {
        let (store, opening) = self.borrow()?;
        let result = work(&*store);
        if result.is_ok() {
            let mut inner = self.lock();
            if inner.opening == opening && inner.root.is_some() && inner.idle.len() < IDLE {
                inner.idle.push(store);
            }
        }
        result
    }

    /// A connection of its own for as long as the caller likes.
    ///
    /// # Errors
    /// No store is open, or the engine refuses a second connection.
    pub fn borrow(&self) -> Result<(Box<dyn Store>, u64), LabError> {
        let mut inner = self.lock();
        let opening = inner.opening;
        if let Some(store) = inner.idle.pop() {
            return Ok((store, opening));
        }
        match &inner.root {
            Some(root) => Ok((root.sibling()?, opening)),
            None => Err(LabError::Ask(format!("the store {} is away: {}", self.label(), self.state.why_away()))),
        }
    }

    /// When the newest stored request was made, ns since 1970 (-1: none), asked of a store that must still be the one opened.
    ///
    /// # Errors
    /// It is not, or does not answer; the caller closes it then.
    pub fn ping(&self) -> Result<i64, LabError> {
        let opened = self.lock().identity;
        if is_file(&self.db) && identity(&self.db) != opened {
            return Err(LabError::Ask(format!("{} was removed or replaced while it was open", self.db.display())));
        }
        self.with(newest)
    }

    /// Which engine is behind it, if a store is open.
    #[must_use]
    pub fn engine(&self) -> Option<Engine> {
        self.lock().root.as_ref().map(|root| root.engine())
    }

    /// What messages call the store: never with a password.
    #[must_use]
    pub fn label(&self) -> String {
        let text = self.db.display().to_string();
        match text.split_once("://").and_then(|(scheme, rest)| rest.rsplit_once('@').map(|(_, host)| (scheme, host))) {
            Some((scheme, host)) => format!("{scheme}://{host}"),
            None => text,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When the newest stored request was made, ns since 1970; -1 without any.
///
/// # Errors
/// The store does not answer.
pub fn newest(store: &dyn Store) -> Result<i64, LabError> {
    Ok(records(&store.ask(&PING, &[])?).first().map_or(-1, |row| row.int("newest_ns")))
}

fn is_file(db: &Path) -> bool {
    !db.to_string_lossy().contains("://")
}

/// Device and inode of a file.
fn identity(db: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(db).ok().map(|data| (data.dev(), data.ino()))
}
