//! Settings that change while the live path runs: a driver puts new ones in, each thread takes them at its next step.
//!
//! Promises: a thread sees each change once, the newest only; nothing waits for anybody. What is not in [`Tunable`] needs a restart.
//!
//! Read next: `daemon.rs` (who takes what), `bin/ja4-correlator/run.rs` (SIGHUP).

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::Stream;
use super::clock::Delays;
use super::sinks::FileConfig;

/// What can be changed at run time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tunable {
    /// How long events are gathered for one fsync, ns.
    pub sync_ns: i64,
    /// How late events come.
    pub delays: Delays,
    /// Reference tables instead of the built-in ones; read anew at each change.
    pub reference: Option<PathBuf>,
    /// How long rows are gathered for one insert into the store, ns.
    pub store_gather_ns: i64,
    /// The file of JSON lines, if there is one; opened anew at each change.
    pub file: Option<FileConfig>,
    /// Users whose requests and handshakes are taken beside root, this user and the socket's group.
    pub users: [Vec<String>; 2],
    /// How long sinks may take to empty the outbox at the end, ns.
    pub stop_ns: i64,
}

impl Tunable {
    /// The users who may send to a stream's socket.
    #[must_use]
    pub fn users(&self, stream: Stream) -> &[String] {
        let [http, network] = &self.users;
        match stream {
            Stream::Http => http,
            Stream::Network => network,
        }
    }
}

/// Where a driver leaves new settings.
#[derive(Debug, Default)]
pub struct Reload {
    changes: AtomicU64,
    newest: Mutex<Option<Tunable>>,
}

/// One thread's view of a [`Reload`]: what it has taken already.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen(u64);

impl Reload {
    /// From now on these hold.
    pub fn put(&self, settings: Tunable) {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(settings);
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// The newest settings, if there are some that this thread has not taken.
    pub fn take(&self, seen: &mut Seen) -> Option<Tunable> {
        let changes = self.changes.load(Ordering::Acquire);
        if changes == seen.0 {
            return None;
        }
        seen.0 = changes;
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thread_takes_the_newest_once() {
        let reload = Reload::default();
        let (mut one, mut other) = (Seen::default(), Seen::default());
        assert_eq!(reload.take(&mut one), None);
        reload.put(Tunable { sync_ns: 1, ..Tunable::default() });
        reload.put(Tunable { sync_ns: 2, ..Tunable::default() });
        assert_eq!(reload.take(&mut one).map(|settings| settings.sync_ns), Some(2));
        assert_eq!(reload.take(&mut one), None);
        assert_eq!(reload.take(&mut other).map(|settings| settings.sync_ns), Some(2));
    }
}
