//! The way to the reader's UNIX datagram socket: a queue bounded in bytes and one thread that empties it.
//!
//! Promises: whoever pushes never waits for the reader (but see [`Full::Wait`]); a record leaves as one datagram, in order, or is
//! counted as dropped: `pushed = sent + dropped + queued` at any time, and `queued` is 0 after [`SocketQueue::finish`]. When the queue
//! is full the oldest record goes. A reader that was absent is tried again every 100 milliseconds. One socket serves for ever, so
//! that none has to be made after the privileges are gone.
//!
//! Read next: `output.rs`.

use std::collections::VecDeque;
use std::io::{Error, ErrorKind};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ja4_capture::event::MAX_RECORD_BYTES;
use serde::Serialize;

/// Longest wait for room at the reader, and between two looks for an absent one.
const RETRY: Duration = Duration::from_millis(100);
/// How often an absent reader is told of on standard error.
const TELL: Duration = Duration::from_secs(60);
/// At the end, how long a slow reader is waited for.
const FLUSH: Duration = Duration::from_secs(2);

/// What became of the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Sent {
    /// Taken by the socket of the reader, or written.
    pub sent: u64,
    /// Given up while nobody listened at the socket.
    pub dropped_absent: u64,
    /// Given up while the reader did not keep up.
    pub dropped_slow: u64,
    /// Longer than a record may be.
    pub dropped_too_long: u64,
    /// Still waiting.
    pub queued: u64,
}

/// What to do about a full queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// Give the oldest record up: packets come whether we wait or not.
    DropOldest,
    /// Wait as long as somebody listens: a file can wait.
    Wait,
}

/// The queue and its thread.
#[derive(Debug)]
pub struct SocketQueue {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Something to send, or the end.
    filled: Condvar,
    /// Something was sent, or the reader is gone.
    room: Condvar,
    queue_bytes: usize,
    full: Full,
}

#[derive(Debug, Default)]
struct State {
    records: VecDeque<Vec<u8>>,
    /// Bytes in `records`.
    bytes: usize,
    figures: Sent,
    absent: bool,
    ending: bool,
}

impl State {
    fn drop_oldest(&mut self) {
        if let Some(record) = self.records.pop_front() {
            self.bytes = self.bytes.saturating_sub(record.len());
            self.figures.queued = self.figures.queued.saturating_sub(1);
            self.count_drop();
        }
    }

    fn count_drop(&mut self) {
        let count = if self.absent { &mut self.figures.dropped_absent } else { &mut self.figures.dropped_slow };
        *count = count.saturating_add(1);
    }
}

impl SocketQueue {
    /// Makes the socket; nobody has to listen yet.
    ///
    /// # Errors
    /// The system's reason.
    pub fn socket() -> Result<UnixDatagram, Error> {
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(RETRY))?;
        Ok(socket)
    }

    /// Starts to send to `path`.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn start(socket: UnixDatagram, path: PathBuf, queue_bytes: usize, full: Full) -> Result<Self, Error> {
        let state = Mutex::new(State::default());
        let shared = Arc::new(Shared { state, filled: Condvar::new(), room: Condvar::new(), queue_bytes, full });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("socket".to_owned()).spawn(move || theirs.send_all(&socket, &path))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Hands a record in.
    pub fn push(&self, record: Vec<u8>) {
        let shared = &self.shared;
        let mut state = shared.lock();
        if record.len() > MAX_RECORD_BYTES {
            state.figures.dropped_too_long = state.figures.dropped_too_long.saturating_add(1);
            return;
        }
        let fits = |state: &State| state.bytes.saturating_add(record.len()) <= shared.queue_bytes;
        while shared.full == Full::Wait && !state.absent && !fits(&state) {
            state = shared.room.wait_timeout(state, RETRY).unwrap_or_else(PoisonError::into_inner).0;
        }
        while !fits(&state) && !state.records.is_empty() {
            state.drop_oldest();
        }
        state.bytes = state.bytes.saturating_add(record.len());
        state.figures.queued = state.figures.queued.saturating_add(1);
        state.records.push_back(record);
        shared.filled.notify_one();
    }

    /// What became of the records so far.
    pub fn figures(&self) -> Sent {
        self.shared.lock().figures
    }

    /// Sends what waits, for at most two seconds, gives the rest up, and tells the final figures.
    pub fn finish(&mut self) -> Sent {
        self.shared.lock().ending = true;
        self.shared.filled.notify_one();
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has said so on standard error; its figures stand as they are.
            let _ = thread.join();
        }
        let mut state = self.shared.lock();
        while !state.records.is_empty() {
            state.drop_oldest();
        }
        state.figures
    }
}

/// Where one attempt to send left us.
enum Attempt {
    Sent,
    /// The reader has no room.
    Slow,
    /// Nobody listens, or we may not write there.
    Absent(Error),
    /// The kernel takes no datagram of this length.
    TooLong,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send_all(&self, socket: &UnixDatagram, path: &Path) {
        let mut deadline = Clock::default();
        let mut told = Clock::default();
        while let Some(record) = self.next() {
            loop {
                let attempt = attempt(socket, path, &record);
                if let Attempt::Absent(error) = &attempt
                    && told.is_first_within(TELL)
                {
                    eprintln!("ja4-sentinel: cannot send to {}: {error}; events wait until the queue is full", path.display());
                }
                let mut state = self.lock();
                state.absent = matches!(attempt, Attempt::Absent(_));
                let give_up = state.ending && (state.absent || deadline.has_passed(FLUSH));
                let figures = &mut state.figures;
                match attempt {
                    Attempt::Sent => figures.sent = figures.sent.saturating_add(1),
                    Attempt::TooLong => figures.dropped_too_long = figures.dropped_too_long.saturating_add(1),
                    Attempt::Slow | Attempt::Absent(_) if give_up => state.count_drop(),
                    Attempt::Slow => continue,
                    Attempt::Absent(_) => {
                        self.room.notify_all();
                        // Whoever ends us does not wait for the next look.
                        let waited = self.filled.wait_timeout_while(state, RETRY, |state| !state.ending);
                        drop(waited);
                        continue;
                    }
                }
                state.figures.queued = state.figures.queued.saturating_sub(1);
                self.room.notify_all();
                if give_up {
                    return;
                }
                break;
            }
        }
    }

    /// The next record; none at the end.
    fn next(&self) -> Option<Vec<u8>> {
        let waits = |state: &mut State| state.records.is_empty() && !state.ending;
        let mut state = self.filled.wait_while(self.lock(), waits).unwrap_or_else(PoisonError::into_inner);
        let record = state.records.pop_front()?;
        state.bytes = state.bytes.saturating_sub(record.len());
        Some(record)
    }
}

fn attempt(socket: &UnixDatagram, path: &Path, record: &[u8]) -> Attempt {
    let sent = match socket.send(record) {
        // Not connected yet, or the reader went and perhaps came back: once more on a fresh connection.
        Err(error) if !is_wait(&error) && !is_too_long(&error) => socket.connect(path).and_then(|()| socket.send(record)),
        sent => sent,
    };
    match sent {
        Ok(_) => Attempt::Sent,
        Err(error) if is_wait(&error) => Attempt::Slow,
        Err(error) if is_too_long(&error) => Attempt::TooLong,
        Err(error) => Attempt::Absent(error),
    }
}

fn is_wait(error: &Error) -> bool {
    let no_buffers = error.raw_os_error() == Some(libc::ENOBUFS);
    no_buffers || matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

fn is_too_long(error: &Error) -> bool {
    error.raw_os_error() == Some(libc::EMSGSIZE)
}

/// Real time since something happened first.
#[derive(Debug, Default)]
struct Clock(Option<Instant>);

#[allow(clippy::disallowed_methods, reason = "the outermost program: how long its end and its silence last is real time")]
impl Clock {
    /// Whether so much time went by since the first call.
    fn has_passed(&mut self, wait: Duration) -> bool {
        self.0.get_or_insert_with(Instant::now).elapsed() >= wait
    }

    /// Whether this did not happen within so much time before.
    fn is_first_within(&mut self, wait: Duration) -> bool {
        let first = self.0.is_none_or(|last| last.elapsed() >= wait);
        if first {
            self.0 = Some(Instant::now());
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD_BYTES: usize = 1000;

    fn record(number: usize) -> Vec<u8> {
        let mut record = format!("{number:08} ").into_bytes();
        record.resize(RECORD_BYTES, b'x');
        record
    }

    fn queue(path: &Path, records: usize) -> SocketQueue {
        SocketQueue::start(SocketQueue::socket().unwrap(), path.to_owned(), records * RECORD_BYTES, Full::DropOldest).unwrap()
    }

    fn receive(reader: &UnixDatagram) -> Vec<usize> {
        let mut numbers = Vec::new();
        let mut buffer = [0; 2 * RECORD_BYTES];
        while let Ok(length) = reader.recv(&mut buffer) {
            assert_eq!(length, RECORD_BYTES);
            numbers.push(std::str::from_utf8(&buffer[..8]).unwrap().parse().unwrap());
        }
        numbers
    }

    fn total(figures: Sent) -> u64 {
        figures.sent + figures.dropped_absent + figures.dropped_slow + figures.dropped_too_long + figures.queued
    }

    #[test]
    fn an_absent_reader_costs_exactly_what_did_not_fit() {
        let folder = tempfile::tempdir().unwrap();
        let mut queue = queue(&folder.path().join("nobody"), 10);
        for number in 0..100 {
            queue.push(record(number));
            assert_eq!(total(queue.figures()), number as u64 + 1);
            // The first attempt tells that nobody is there.
            std::thread::sleep(Duration::from_millis(if number == 0 { 50 } else { 0 }));
        }
        let waiting = queue.figures().queued;
        assert!((10..=11).contains(&waiting), "{waiting} wait");
        assert_eq!(queue.finish(), Sent { dropped_absent: 100, ..Sent::default() });
    }

    #[test]
    fn a_late_reader_gets_what_was_kept_and_a_reader_that_came_back_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("reader");
        let mut queue = queue(&path, 8);
        for number in 0..5 {
            queue.push(record(number));
        }
        std::thread::sleep(Duration::from_millis(30));
        for round in 0..2 {
            let reader = UnixDatagram::bind(&path).unwrap();
            reader.set_read_timeout(Some(Duration::from_millis(400))).unwrap();
            assert_eq!(receive(&reader), (round * 5..round * 5 + 5).collect::<Vec<_>>());
            drop(reader);
            std::fs::remove_file(&path).unwrap();
            for number in 5..10 {
                queue.push(record(round * 10 + number));
            }
        }
        assert_eq!(queue.finish(), Sent { sent: 10, dropped_absent: 5, ..Sent::default() });
    }

    #[test]
    fn a_slow_reader_never_makes_us_wait_and_what_it_missed_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("reader");
        let reader = UnixDatagram::bind(&path).unwrap();
        reader.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let mut queue = queue(&path, 20);
        for number in 0..5000 {
            queue.push(record(number));
        }
        let before = queue.figures();
        assert!(before.dropped_slow > 0 && total(before) == 5000, "{before:?}");
        let thread = std::thread::spawn(move || receive(&reader));
        let after = queue.finish();
        let received = thread.join().unwrap();
        assert_eq!((after.sent, after.queued, after.dropped_absent), (received.len() as u64, 0, 0));
        assert_eq!(total(after), 5000);
        assert!(received.is_sorted(), "in order");
        assert_eq!(received.last(), Some(&4999), "the newest are kept");
    }

    #[test]
    fn a_stopped_reader_cannot_hold_up_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("reader");
        let _reader = UnixDatagram::bind(&path).unwrap();
        let mut queue = queue(&path, 1000);
        for number in 0..1000 {
            queue.push(record(number));
        }
        queue.push(vec![0; MAX_RECORD_BYTES + 1]);
        let figures = queue.finish();
        assert!(figures.sent > 0 && figures.dropped_slow > 0, "{figures:?}");
        assert_eq!((total(figures), figures.dropped_too_long, figures.queued), (1001, 1, 0));
    }

    #[test]
    fn whoever_can_wait_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("reader");
        let reader = UnixDatagram::bind(&path).unwrap();
        reader.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let socket = SocketQueue::socket().unwrap();
        let mut queue = SocketQueue::start(socket, path, 5 * RECORD_BYTES, Full::Wait).unwrap();
        let thread = std::thread::spawn(move || receive(&reader));
        for number in 0..500 {
            queue.push(record(number));
        }
        assert_eq!(queue.finish(), Sent { sent: 500, ..Sent::default() });
        assert_eq!(thread.join().unwrap(), (0..500).collect::<Vec<_>>());
    }
}
