//! The way out of one httpd child: a non-blocking UNIX datagram socket for each path, and what was dropped.
//!
//! Promises: [`Outlet::send`] never waits and never allocates unless it reports; a collector that is absent, full, stopped or
//! not readable costs one failed system call, and the first record after its return arrives: the socket is connected, which
//! spares the kernel a walk along the path for each record, and a record that the old collector refuses goes to whoever has the
//! path now. While a collector takes nothing, the path is looked at again once a second. Every drop is counted twice over, exactly: once for the collector (`dropped` in the next record)
//! and once for the administrator (at most one ErrorLog line a minute per child, and one when the child ends).

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::{fmt, io};

/// Least time between two lines in the ErrorLog, microseconds.
pub const LOG_INTERVAL_US: i64 = 60_000_000;
/// Least time between two looks at who has the path of a collector that takes nothing, microseconds.
const LOOK_INTERVAL_US: i64 = 1_000_000;

/// All sockets of one child process.
#[derive(Debug, Default)]
pub struct Outlet {
    sinks: Vec<Sink>,
    unlogged: AtomicU64,
    next_log_us: AtomicI64,
}

#[derive(Debug)]
struct Sink {
    path: PathBuf,
    /// `None` if the process had no descriptor left: then every record is a drop.
    socket: Option<UnixDatagram>,
    connected: AtomicBool,
    next_look_us: AtomicI64,
    unreported: AtomicU64,
}

impl Sink {
    fn new(path: &Path) -> Self {
        let socket = UnixDatagram::unbound().and_then(|socket| socket.set_nonblocking(true).map(|()| socket)).ok();
        Self {
            path: path.to_owned(),
            socket,
            connected: AtomicBool::new(false),
            next_look_us: AtomicI64::new(0),
            unreported: AtomicU64::new(0),
        }
    }

    /// Threads share the socket: each of these calls is whole by itself, and any of them may find it connected anew by another.
    fn deliver(&self, record: &[u8], now_us: i64) -> io::Result<()> {
        let Some(socket) = &self.socket else {
            return Err(io::Error::other("no socket could be opened when the process started"));
        };
        // std sends with MSG_NOSIGNAL; O_NONBLOCK is set on the socket, which is ours alone.
        if self.connected.load(Relaxed) {
            match socket.send(record) {
                Ok(_) => return Ok(()),
                // Full, or stopped: another collector may have taken the path meanwhile.
                Err(full) if full.kind() == io::ErrorKind::WouldBlock => {
                    let next = self.next_look_us.load(Relaxed);
                    if now_us < next && now_us > next.saturating_sub(2 * LOOK_INTERVAL_US) {
                        return Err(full);
                    }
                    self.next_look_us.store(now_us.saturating_add(LOOK_INTERVAL_US), Relaxed);
                }
                Err(_) => self.connected.store(false, Relaxed),
            }
        }
        socket.connect(&self.path)?;
        self.connected.store(true, Relaxed);
        socket.send(record).map(drop)
    }
}

/// What the administrator should read.
#[derive(Debug)]
pub struct Report {
    /// Records dropped since the last report.
    pub dropped: u64,
    /// Path of the socket that failed last, and why; `None` when records go through again.
    pub cause: Option<(PathBuf, io::Error)>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} records dropped by this process", self.dropped)?;
        match &self.cause {
            Some((path, error)) => write!(f, ": {}: {error}", path.display()),
            None => Ok(()),
        }
    }
}

impl Outlet {
    /// Index of the socket for `path`, opened on first use. A failure to open shows as drops, never as an error at start.
    pub fn add(&mut self, path: &Path) -> usize {
        if let Some(known) = self.sinks.iter().position(|sink| sink.path == path) {
            return known;
        }
        self.sinks.push(Sink::new(path));
        self.sinks.len().saturating_sub(1)
    }

    /// The open sockets.
    pub fn sockets(&self) -> impl Iterator<Item = &UnixDatagram> {
        self.sinks.iter().filter_map(|sink| sink.socket.as_ref())
    }

    /// Takes the drops that the next record to `sink` should tell; give them to [`Outlet::send`] with it.
    pub fn take_unreported(&self, sink: usize) -> u64 {
        match self.sinks.get(sink) {
            // A load first: in the usual case, no drops, the line stays shared between the cores.
            Some(sink) if sink.unreported.load(Relaxed) > 0 => sink.unreported.swap(0, Relaxed),
            _ => 0,
        }
    }

    /// Sends `record`, which tells `carried` earlier drops, or drops it. `now_us` only spaces the reports.
    pub fn send(&self, sink: usize, record: &[u8], carried: u64, now_us: i64) -> Option<Report> {
        let sink = self.sinks.get(sink)?;
        let failure = sink.deliver(record, now_us).err();
        if failure.is_some() {
            sink.unreported.fetch_add(carried.saturating_add(1), Relaxed);
            self.unlogged.fetch_add(1, Relaxed);
        }
        if self.unlogged.load(Relaxed) == 0 || !self.may_log(now_us) {
            return None;
        }
        let dropped = self.unlogged.swap(0, Relaxed);
        (dropped > 0).then(|| Report { dropped, cause: failure.map(|error| (sink.path.clone(), error)) })
    }

    /// The rest, for the last line of a child.
    pub fn last_report(&self) -> Option<Report> {
        let dropped = self.unlogged.swap(0, Relaxed);
        (dropped > 0).then_some(Report { dropped, cause: None })
    }

    /// `true` for one caller a minute. A clock that was set back by more than that counts as a new minute.
    fn may_log(&self, now_us: i64) -> bool {
        let next = self.next_log_us.load(Relaxed);
        let due = now_us >= next || now_us < next.saturating_sub(2 * LOG_INTERVAL_US);
        due && self.next_log_us.compare_exchange(next, now_us.saturating_add(LOG_INTERVAL_US), Relaxed, Relaxed).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("http.socket");
        (dir, path)
    }

    #[test]
    fn an_absent_collector_is_counted_and_found_again_when_it_appears() {
        let (_dir, path) = place();
        let mut outlet = Outlet::default();
        let sink = outlet.add(&path);
        assert_eq!(outlet.add(&path), sink);
        let first = outlet.send(sink, b"1", outlet.take_unreported(sink), 1_000_000_000).expect("the first drop is reported");
        assert_eq!((first.dropped, first.cause.map(|(p, e)| (p, e.kind()))), (1, Some((path.clone(), io::ErrorKind::NotFound))));
        for _ in 0..9 {
            let carried = outlet.take_unreported(sink);
            assert!(outlet.send(sink, b"x", carried, 1_030_000_000).is_none(), "within the minute");
        }
        let collector = UnixDatagram::bind(&path).expect("bind");
        assert_eq!(outlet.take_unreported(sink), 10);
        assert!(outlet.send(sink, b"back", 10, 1_059_999_999).is_none());
        assert_eq!(outlet.take_unreported(sink), 0);
        let mut buffer = [0; 8];
        assert_eq!(collector.recv(&mut buffer).expect("the record"), 4);
        let late = outlet.send(sink, b"y", 0, 1_060_000_000).expect("the rest, a minute later");
        assert_eq!((late.dropped, late.cause.is_none()), (9, true));
        assert!(outlet.last_report().is_none());
    }

    #[test]
    fn a_collector_that_reads_nothing_never_blocks_and_loses_an_exact_number() {
        let (_dir, path) = place();
        let collector = UnixDatagram::bind(&path).expect("bind");
        collector.set_nonblocking(true).expect("non-blocking");
        let mut outlet = Outlet::default();
        let sink = outlet.add(&path);
        let record = [b'x'; 2048];
        for _ in 0..2000 {
            let carried = outlet.take_unreported(sink);
            outlet.send(sink, &record, carried, 0);
        }
        let mut buffer = [0; 4096];
        let mut received = 0;
        while collector.recv(&mut buffer).is_ok() {
            received += 1;
        }
        let lost = outlet.take_unreported(sink);
        assert!(lost > 0, "the queue of the socket must have been full");
        assert_eq!(received + lost, 2000);
    }

    #[test]
    fn the_collector_that_has_the_path_gets_the_records_whatever_became_of_the_one_before() {
        let (_dir, path) = place();
        let mut outlet = Outlet::default();
        let sink = outlet.add(&path);
        let first = UnixDatagram::bind(&path).expect("bind");
        outlet.send(sink, b"1", 0, 0);
        // One that ended: the very next record goes to its successor.
        drop(first);
        std::fs::remove_file(&path).expect("ours");
        let second = UnixDatagram::bind(&path).expect("bind");
        second.set_nonblocking(true).expect("non-blocking");
        assert!(outlet.send(sink, b"22", 0, 1_000_000).is_none());
        let mut buffer = [0; 8];
        assert_eq!(second.recv(&mut buffer).expect("the record"), 2);
        // One that hangs and is still there, its path taken over: found within a second.
        while outlet.sinks[sink].deliver(b"x", 2_000_000).is_ok() {}
        std::fs::remove_file(&path).expect("ours");
        let third = UnixDatagram::bind(&path).expect("bind");
        third.set_nonblocking(true).expect("non-blocking");
        assert!(outlet.sinks[sink].deliver(b"333", 2_500_000).is_err());
        assert!(outlet.sinks[sink].deliver(b"333", 3_000_000).is_ok());
        assert_eq!(third.recv(&mut buffer).expect("the record"), 3);
    }

    #[test]
    fn a_clock_set_back_does_not_silence_the_log() {
        let (_dir, path) = place();
        let mut outlet = Outlet::default();
        let sink = outlet.add(&path);
        assert!(outlet.send(sink, b"x", 0, 10 * LOG_INTERVAL_US).is_some());
        assert!(outlet.send(sink, b"x", 0, 10 * LOG_INTERVAL_US + 5).is_none());
        assert!(outlet.send(sink, b"x", 0, LOG_INTERVAL_US).is_some());
    }
}
