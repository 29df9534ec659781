//! The threads put together: receivers, log followers, the join, the deliverer, the HTTP answers.
//!
//! Promises: [`open`] does what needs privileges and starts no thread; [`Daemon::run`] ends when `stop` is set, with everything that was
//! taken joined and in the outbox; the first failure ends all threads and is the error.
//!
//! Read next: `join.rs`, `deliver.rs`, `bin/ja4-correlator/run.rs` and `ja4_lab::live`, the two drivers.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use ja4_event::HttpEvent;
use ja4_join::correlate::CorrelatorConfig;
use ja4_join::httplog::{HttpLogOptions, HttpTail};

use super::clock::{Delays, Ticker};
use super::deliver::{self, Deliverer, Ending};
use super::join::Decided;
use super::joining::{CONSUMER, Joining};
use super::journal::TailMark;
use super::queue::{Sender, Weighed, queue};
use super::reload::{Reload, Seen};
use super::sinks::Sink;
use super::socket::{Datagrams, Listening, SocketConfig};
use super::status::{SocketFigures, Status};
use super::{Level, Stream, Tell, http};
use crate::ReplayError;
use crate::spool::{Limits, Recovery, Spool};

/// Bytes of a log read at once.
const TAIL_BYTES: u64 = 1 << 20;
/// How long a follower waits at the end of its log.
const TAIL_PAUSE: Duration = Duration::from_millis(200);

/// A log that is followed.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// The log's own name; rotated ones are followed.
    pub path: PathBuf,
    /// How to read it.
    pub options: HttpLogOptions,
    /// Its clock against the machine's, ns.
    pub skew_ns: i64,
}

/// Everything the live path needs to know.
#[derive(Debug, Clone)]
pub struct LiveConfig {
    /// Where requests come in.
    pub http: Option<SocketConfig>,
    /// Where handshakes come in.
    pub network: Option<SocketConfig>,
    /// Logs that are followed.
    pub logs: Vec<LogConfig>,
    /// Folder of journal and outbox.
    pub spool: PathBuf,
    /// Bounds of the journal.
    pub journal: Limits,
    /// Bounds of the outbox.
    pub outbox: Limits,
    /// Bound of what waits between the receivers and the journal, bytes.
    pub queue_bytes: usize,
    /// How long events are gathered for one fsync, ns.
    pub sync_ns: i64,
    /// The join.
    pub correlator: CorrelatorConfig,
    /// How late events come.
    pub delays: Delays,
    /// Reference tables instead of the built-in ones.
    pub reference: Option<PathBuf>,
    /// How long sinks may take to empty the outbox, and logs to be read to their ends, once it is to end; ns.
    pub stop_ns: i64,
}

/// What comes in.
#[derive(Debug)]
pub enum Input {
    /// From a socket, or from a sensor in this process.
    Datagrams(Datagrams),
    /// From a log.
    Lines {
        /// Requests in order.
        events: Vec<HttpEvent>,
        /// How far the log was read with them.
        mark: TailMark,
    },
}

impl Weighed for Input {
    fn bytes(&self) -> usize {
        match self {
            Self::Datagrams(datagrams) => datagrams.bytes(),
            Self::Lines { events, .. } => {
                events.len().saturating_mul(size_of::<HttpEvent>().saturating_add(1024)).saturating_add(256)
            }
        }
    }
}

impl From<Datagrams> for Input {
    fn from(datagrams: Datagrams) -> Self {
        Self::Datagrams(datagrams)
    }
}

/// Sockets and ports that are open; nothing runs yet.
#[derive(Debug)]
pub struct Daemon {
    config: LiveConfig,
    sockets: Vec<(Stream, Listening)>,
    listener: Option<TcpListener>,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ended {
    /// Rows that a sink has not taken; the next start delivers them.
    pub left_rows: u64,
    /// Whether the outbox had no room for all rows: the next start joins their events again, from the journal.
    pub gave_up: bool,
}

/// A sensor inside this process: sends what it sees until [`Driver::stop`] is set. Its error ends the program, as a socket's does.
pub type SensorThread = Box<dyn FnOnce(Sender<Input>) -> Result<(), ReplayError> + Send>;

/// What rows and figures go to, and what else brings events.
#[derive(Default)]
pub struct Parts {
    /// Where rows end.
    pub sinks: Vec<Box<dyn Sink>>,
    /// A sensor in this process.
    pub sensor: Option<SensorThread>,
    /// HTTP routes beside `/health`, `/ready` and `/metrics`.
    pub routes: axum::Router,
}

/// What a driver gives: clock, log, figures, the wish to stop, other tables.
#[derive(Clone)]
pub struct Driver {
    /// A clock that only runs forward, ns.
    pub ticker: Ticker,
    /// Where lines of the log go.
    pub tell: Tell,
    /// The figures.
    pub status: Status,
    /// Set to end.
    pub stop: Arc<AtomicBool>,
    /// Where new settings are put.
    pub reload: Arc<Reload>,
}

/// Opens the sockets and keeps the port. Call it before privileges are given up; `owner` is the user who will then run.
///
/// # Errors
/// One sentence.
pub fn open(config: LiveConfig, listener: Option<TcpListener>, owner: Option<u32>) -> Result<Daemon, String> {
    let mut sockets = Vec::new();
    for (stream, socket) in [(Stream::Http, &config.http), (Stream::Network, &config.network)] {
        if let Some(socket) = socket {
            sockets.push((stream, Listening::bind(socket, owner).map_err(|error| error.to_string())?));
        }
    }
    Ok(Daemon { config, sockets, listener })
}

impl Daemon {
    /// Runs until asked to stop.
    ///
    /// # Errors
    /// A spool or reference table that cannot be opened, a log in an unknown format, a socket that fails.
    pub fn run(self, parts: Parts, driver: &Driver) -> Result<Ended, ReplayError> {
        let Parts { sinks, sensor, routes } = parts;
        let names: Vec<&str> = sinks.iter().map(|sink| sink.name()).collect();
        let (outbox, found) = Spool::open(&self.config.spool.join("outbox"), &self.config.outbox, &names)?;
        tell_recovery(driver, "outbox", &found);
        let delivered = deliver::delivered(&found);
        let (mut journal, found) = Spool::open(&self.config.spool.join("journal"), &self.config.journal, &[CONSUMER])?;
        tell_recovery(driver, "journal", &found);
        journal.skip_to(delivered);

        let (decided_out, decided_in) = queue::<Decided>(self.config.queue_bytes);
        let (input_out, input_in) = queue::<Input>(self.config.queue_bytes);
        let done = Arc::new(AtomicU64::new(delivered));
        let deliverer = Deliverer::new(
            outbox,
            sinks,
            driver.status.clone(),
            Arc::clone(&driver.ticker),
            Arc::clone(&driver.tell),
            Arc::clone(&done),
            Ending::new(Arc::clone(&driver.stop), self.config.stop_ns),
            Arc::clone(&driver.reload),
        );
        let failures = Failure::default();
        let (ended_http, config, failure) = (AtomicBool::new(false), &self.config, &failures);
        let outcome: Result<deliver::Delivered, ReplayError> = thread::scope(|scope| {
            let delivering = scope.spawn(move || deliverer.run(&decided_in));
            if let Some(listener) = self.listener {
                let (status, ended, tell) = (driver.status.clone(), &ended_http, Arc::clone(&driver.tell));
                scope.spawn(move || {
                    if let Err(why) = http::serve(listener, status, routes, ended) {
                        tell(Level::Error, "http", &why);
                    }
                });
            }
            let joined = Joining::start(config, driver, journal, delivered, decided_out, done).and_then(|mut joining| {
                let tails = joining.tails()?;
                for (stream, socket) in &self.sockets {
                    let figures = SocketFigures::new(&driver.status.registry, *stream);
                    let out = input_out.clone();
                    scope.spawn(move || {
                        let mut seen = Seen::default();
                        let mut users = || driver.reload.take(&mut seen).map(|settings| settings.users(*stream).to_vec());
                        if let Err(error) = socket.receive(*stream, &driver.stop, &mut users, &figures, &out) {
                            failure.ends(error.into(), driver);
                        }
                    });
                }
                for (log, tail) in tails {
                    let out = input_out.clone();
                    scope.spawn(move || {
                        if let Err(error) = follow(log, tail, config.stop_ns, driver, &out) {
                            failure.ends(error, driver);
                        }
                    });
                }
                if let Some(sensor) = sensor {
                    let out = input_out.clone();
                    scope.spawn(move || {
                        if let Err(error) = sensor(out) {
                            failure.ends(error, driver);
                        }
                    });
                }
                // The senders' clones are all that keeps the queue open.
                drop(input_out);
                driver.status.set_ready();
                joining.run(&input_in)
            });
            if joined.is_err() {
                driver.stop.store(true, Ordering::Relaxed);
            }
            drop(input_in);
            let delivered = delivering.join();
            ended_http.store(true, Ordering::Relaxed);
            joined?;
            delivered.map_err(|_| ReplayError::Worker("deliver rows"))?
        });
        let delivered = outcome?;
        failures.first()?;
        Ok(Ended { left_rows: delivered.left_rows, gave_up: delivered.gave_up })
    }
}

/// What made a receiver end: everything that was taken is still joined and delivered, and then it is the error of the whole.
#[derive(Default)]
struct Failure(Mutex<Option<ReplayError>>);

impl Failure {
    /// Ends the program with this, unless something else did before.
    fn ends(&self, error: ReplayError, driver: &Driver) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        driver.stop.store(true, Ordering::Relaxed);
    }

    fn first(self) -> Result<(), ReplayError> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }
}

fn tell_recovery(driver: &Driver, name: &'static str, found: &Recovery) {
    for lost in &found.lost {
        (driver.tell)(Level::Error, name, &lost.to_string());
    }
    if let Some(cut) = &found.unfinished {
        let bytes = cut.bytes.end.saturating_sub(cut.bytes.start);
        let text = format!("the last {bytes} bytes had not been acknowledged when the process ended; they are left out");
        (driver.tell)(Level::Info, name, &text);
    }
    for consumer in &found.damaged_cursors {
        (driver.tell)(Level::Warn, name, &format!("the cursor of {consumer} is damaged; everything is delivered again"));
    }
}

/// Reads a log as it grows until asked to stop, and then to its present end, as far as `stop_ns` suffice: the next start goes on there.
/// A log that cannot be read at the start is an error; one that could before (new rights after a rotation, say) is tried again.
fn follow(log: u32, mut tail: HttpTail, stop_ns: i64, driver: &Driver, out: &Sender<Input>) -> Result<(), ReplayError> {
    let mut damaged = 0;
    let mut end_ns = i64::MAX;
    let mut was_read = false;
    let mut told = String::new();
    loop {
        let stopping = driver.stop.load(Ordering::Relaxed);
        let mut events = Vec::new();
        let polled = tail.poll(TAIL_BYTES, &mut |event| events.push(event));
        let found = tail.damage().count();
        driver.status.http.damaged.add(found.saturating_sub(damaged));
        damaged = found;
        // A poll that failed may have read something before, of an older file.
        if polled.as_ref().map_or(!events.is_empty(), |report| report.bytes > 0) {
            let mark = TailMark { log, state: tail.state(), named_headers: tail.named_headers().names().to_vec() };
            if out.send(Input::Lines { events, mark }).is_err() {
                return Ok(());
            }
        }
        let more = match polled {
            Ok(report) => {
                was_read = true;
                told.clear();
                report.more
            }
            Err(error) if !was_read => return Err(error.into()),
            Err(error) => {
                let why = error.to_string();
                if told != why {
                    (driver.tell)(Level::Error, "log", &format!("{why}; tried again"));
                    told = why;
                }
                false
            }
        };
        if stopping {
            let now_ns = (driver.ticker)();
            end_ns = end_ns.min(now_ns.saturating_add(stop_ns));
            if !more || now_ns >= end_ns {
                return Ok(());
            }
        } else if !more {
            thread::sleep(TAIL_PAUSE);
        }
    }
}
