//! Who may work: a claim in the store that only one process can hold, on engines without locks too.
//!
//! Promises: two holders at once never happen on a store that shows a finished insert to every later reader and whose clocks agree
//! to within [`LENGTH_NS`]; a holder that died is replaced after [`LENGTH_NS`] at most, at once where it is known to be dead (same
//! machine, or a DuckDB file, which its process no longer locks); whose claim was taken over is said.
//!
//! How: a claimant first inserts its claim, then looks. Alone, it holds. If it sees a held claim, or a wanted one with a smaller
//! identity, it withdraws. Of two that look after both inserted, each sees the other, so one withdraws; one that looked before the
//! other inserted holds, and the other sees it. A claim is changed by inserting the new row before the old one is removed, so a
//! holder is never invisible. Each renewal has another token: a claim that does not change for its whole length by the watcher's
//! own steady clock is dead, whatever the wall clocks say.
//!
//! Read next: `cycles.rs`, `sql/duckdb/0006_service.sql`.

use std::collections::BTreeMap;
use std::time::Duration;

use ja4_replay::store::{Statement, Store, TableName};
use sha2::{Digest as _, Sha256};

use super::Clock;
use super::record::{Record, records};
use crate::error::LabError;
use crate::rows::Columns;

/// How long a claim counts without being renewed.
pub const LENGTH_NS: i64 = 60_000_000_000;
/// Looks a claimant takes at rivals that have to withdraw, and the pause between two.
const LOOKS: u32 = 40;
const PAUSE: Duration = Duration::from_millis(50);

const TABLE: TableName = TableName { schema: "ja4_processing", table: "leases" };
const CLAIMS: Statement = Statement::shared(include_str!("../../../sql/shared/queries/api_leases.sql"));
const RELEASE: Statement = Statement {
    duckdb: include_str!("../../../sql/duckdb/queries/release_lease.sql"),
    clickhouse: include_str!("../../../sql/clickhouse/queries/release_lease.sql"),
};

/// One that wants to work, and what it has seen of others.
#[derive(Debug)]
pub struct Claimant {
    name: &'static str,
    /// Unlike that of any other process, past or present.
    id: String,
    holder: Place,
    clock: Clock,
    /// Tokens of others, with when each was first seen by the steady clock.
    watched: BTreeMap<String, i64>,
    serial: u64,
    mine: Option<String>,
}

/// What became of a wish to work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The claim is held; whose dead claim was removed for it, if any.
    Held(Option<String>),
    /// Another works; who.
    Busy(String),
}

impl Claimant {
    /// A claimant for the work called `name`.
    #[must_use]
    pub fn new(name: &'static str, clock: Clock) -> Self {
        let holder = Place::here();
        let seed = format!("{holder:?} {} {}", (clock.wall_ns)(), (clock.steady_ns)());
        let id = ja4_replay::digest::hex(&Sha256::digest(seed)).get(..16).unwrap_or_default().to_owned();
        Self { name, id, holder, clock, watched: BTreeMap::new(), serial: 0, mine: None }
    }

    /// Tries to hold the work. With `exclusive` no other process can have the store open (DuckDB locks its file), so every other
    /// claim is dead.
    ///
    /// # Errors
    /// The store's refusal; a claim that may have been left behind runs out by itself.
    pub fn take(&mut self, store: &dyn Store, exclusive: bool) -> Result<Outcome, LabError> {
        let taken_over = self.remove_dead(store, exclusive)?;
        if let Some(other) = self.others(store)?.first() {
            return Ok(Outcome::Busy(other.text("holder").to_owned()));
        }
        self.put(store, "wanted")?;
        for _ in 0..LOOKS {
            let others = self.others(store)?;
            if others.is_empty() {
                self.put(store, "held")?;
                return Ok(Outcome::Held(taken_over));
            }
            let stronger = others.iter().find(|row| row.text("stage") == "held" || row.text("token") < self.id.as_str());
            if let Some(other) = stronger {
                let busy = Outcome::Busy(other.text("holder").to_owned());
                self.release(store)?;
                return Ok(busy);
            }
            std::thread::sleep(PAUSE);
        }
        self.release(store)?;
        Ok(Outcome::Busy("another that does not withdraw".to_owned()))
    }

    /// Whether the claim is still the only one; puts its end off.
    ///
    /// # Errors
    /// The store's refusal.
    pub fn renew(&mut self, store: &dyn Store) -> Result<bool, LabError> {
        let rows = self.rows(store)?;
        if !rows.iter().any(|row| self.is_mine(row)) {
            self.mine = None;
            return Ok(false);
        }
        self.put(store, "held")?;
        Ok(true)
    }

    /// Gives the work free.
    ///
    /// # Errors
    /// The store's refusal; the claim then runs out by itself.
    pub fn release(&mut self, store: &dyn Store) -> Result<(), LabError> {
        if let Some(token) = self.mine.take() {
            store.change(&RELEASE, &[&token])?;
        }
        Ok(())
    }

    /// Inserts a new row of ours, then removes the one before it.
    fn put(&mut self, store: &dyn Store, stage: &'static str) -> Result<(), LabError> {
        self.serial += 1;
        let token = format!("{}-{:08}", self.id, self.serial);
        let now_ns = (self.clock.wall_ns)();
        let row = Columns::new()
            .text("name", [self.name])
            .text("token", [&token])
            .text("holder", [self.holder.to_string()])
            .text("stage", [stage])
            .int("acquired_ns", [now_ns])
            .int("expires_ns", [now_ns.saturating_add(LENGTH_NS)]);
        store.insert(TABLE, row.batch()?)?;
        if let Some(old) = self.mine.replace(token) {
            store.change(&RELEASE, &[&old])?;
        }
        Ok(())
    }

    /// Removes claims that count for nothing; says whose.
    fn remove_dead(&mut self, store: &dyn Store, exclusive: bool) -> Result<Option<String>, LabError> {
        let rows = self.rows(store)?;
        let (now_ns, steady_ns) = ((self.clock.wall_ns)(), (self.clock.steady_ns)());
        self.watched.retain(|token, _| rows.iter().any(|row| row.text("token") == token));
        let mut dead = Vec::new();
        for row in &rows {
            if self.is_mine(row) {
                continue;
            }
            let since = *self.watched.entry(row.text("token").to_owned()).or_insert(steady_ns);
            let why = if exclusive {
                Some("its process let go of the database")
            } else if row.int("expires_ns") < now_ns {
                Some("it was not renewed in time")
            } else if steady_ns.saturating_sub(since) > LENGTH_NS {
                Some("it was not renewed while it was watched")
            } else if Place::parse(row.text("holder")).is_some_and(|place| place.is_dead(&self.holder)) {
                Some("its process is gone")
            } else {
                None
            };
            if let Some(why) = why {
                dead.push((row.text("token").to_owned(), format!("{} ({why})", row.text("holder"))));
            }
        }
        if dead.is_empty() {
            return Ok(None);
        }
        dead.iter().try_for_each(|(token, _)| store.change(&RELEASE, &[token]))?;
        Ok(dead.into_iter().next().map(|(_, whose)| whose))
    }

    fn others(&self, store: &dyn Store) -> Result<Vec<Record>, LabError> {
        Ok(self.rows(store)?.into_iter().filter(|row| !self.is_mine(row)).collect())
    }

    fn rows(&self, store: &dyn Store) -> Result<Vec<Record>, LabError> {
        Ok(records(&store.ask(&CLAIMS, &[self.name])?))
    }

    fn is_mine(&self, row: &Record) -> bool {
        row.text("token").starts_with(&self.id)
    }
}

/// Where a process runs: machine, process-id namespace, process id.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    machine: String,
    namespace: String,
    process: u32,
}

impl Place {
    fn here() -> Self {
        let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().replace('/', "_");
        let namespace = std::fs::read_link("/proc/self/ns/pid").map(|link| link.display().to_string()).unwrap_or_default();
        Self { machine, namespace: namespace.replace('/', "_"), process: std::process::id() }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.rsplitn(3, '/');
        let process = parts.next()?.parse().ok()?;
        let namespace = parts.next()?.to_owned();
        Some(Self { machine: parts.next()?.to_owned(), namespace, process })
    }

    /// Whether `here` can see that the process is gone.
    fn is_dead(&self, here: &Self) -> bool {
        let same = self.machine == here.machine && self.namespace == here.namespace && !here.namespace.is_empty();
        same && !std::path::Path::new(&format!("/proc/{}", self.process)).exists()
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.machine, self.namespace, self.process)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_neighbour_is_known_and_a_living_or_foreign_one_is_not() {
        let here = Place::here();
        assert_eq!(Place::parse(&here.to_string()), Some(here.clone()));
        assert!(!here.is_dead(&here));
        assert!(Place { process: 4_194_305, ..here.clone() }.is_dead(&here));
        assert!(!Place { process: 4_194_305, machine: "elsewhere".to_owned(), ..here.clone() }.is_dead(&here));
        assert!(!Place { process: 4_194_305, namespace: "pid:[1]".to_owned(), ..here.clone() }.is_dead(&here));
        assert_eq!(Place::parse("nonsense"), None);
    }
}
