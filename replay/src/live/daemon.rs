//! The threads put together: receivers, log followers, the join, the deliverer, the HTTP answers.
//!
//! Promises: [`open`] does what needs privileges and starts no thread; [`Daemon::run`] ends when `stop` is set, with everything that was
//! taken joined and in the outbox; the first failure ends all threads and is the error.
//!
//! Read next: `join.rs`, `deliver.rs`, `bin/ja4-correlator/run.rs` and `ja4_lab::live`, the two drivers.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use ja4_event::HttpEvent;
use ja4_join::correlate::CorrelatorConfig;
use ja4_join::enrich::Enricher;
use ja4_join::httplog::{HttpLogOptions, HttpTail, TailState};

use super::clock::{Delays, Ticker};
use super::deliver::{self, Deliverer};
use super::join::{Decided, Joiner};
use super::journal::{Entry, TailMark};
use super::queue::{Receiver, Sender, Taken, Weighed, queue};
use super::sinks::Sink;
use super::socket::{Datagrams, Listening, SocketConfig};
use super::status::{SocketFigures, Status};
use super::{Level, Stream, Tell, http};
use crate::ReplayError;
use crate::spool::{Limits, Record, Recovery, Spool, SpoolError};

/// Bytes of events that wait for one fsync.
const GROUP_BYTES: usize = 4 << 20;
/// How often an idle join looks at the clock.
const IDLE_NS: i64 = 1_000_000_000;
/// Bytes of a log read at once.
const TAIL_BYTES: u64 = 1 << 20;
/// How long a follower waits at the end of its log.
const TAIL_PAUSE: Duration = Duration::from_millis(200);
/// How often places of logs are written down although nothing came, and delivered journal segments are removed.
const HOUSEKEEPING_NS: i64 = 60_000_000_000;
const CONSUMER: &str = "join";

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
}

/// A sensor inside this process: sends what it sees until [`Driver::stop`] is set.
pub type SensorThread = Box<dyn FnOnce(Sender<Input>) + Send>;

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
    /// Set to read reference tables again and to open files anew.
    pub reload: Arc<AtomicBool>,
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
        let (done, reopen) = (Arc::new(AtomicU64::new(delivered)), Arc::new(AtomicBool::new(false)));
        let deliverer = Deliverer::new(
            outbox,
            sinks,
            driver.status.clone(),
            Arc::clone(&driver.ticker),
            Arc::clone(&driver.tell),
            Arc::clone(&done),
            Arc::clone(&reopen),
        );
        let (ended_http, config) = (AtomicBool::new(false), &self.config);
        let outcome = thread::scope(|scope| {
            let delivering = scope.spawn(move || deliverer.run(&decided_in));
            if let Some(listener) = self.listener {
                let (status, ended, tell) = (driver.status.clone(), &ended_http, Arc::clone(&driver.tell));
                scope.spawn(move || {
                    if let Err(why) = http::serve(listener, status, routes, ended) {
                        tell(Level::Error, "http", &why);
                    }
                });
            }
            let joined = Joining::start(config, driver, journal, delivered, decided_out, done, reopen).and_then(|mut joining| {
                let tails = joining.tails()?;
                for (stream, socket) in &self.sockets {
                    let figures = SocketFigures::new(&driver.status.registry, *stream);
                    let out = input_out.clone();
                    scope.spawn(move || {
                        if let Err(error) = socket.receive(*stream, &driver.stop, &figures, &out) {
                            (driver.tell)(Level::Error, "socket", &error.to_string());
                            driver.stop.store(true, Ordering::Relaxed);
                        }
                    });
                }
                for (log, tail) in tails {
                    let out = input_out.clone();
                    scope.spawn(move || follow(log, tail, driver, &out));
                }
                if let Some(sensor) = sensor {
                    let out = input_out.clone();
                    scope.spawn(move || sensor(out));
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
            Ok(delivered.map_err(|_| ReplayError::Worker("deliver rows"))??)
        });
        outcome.map(|delivered: deliver::Delivered| Ended { left_rows: delivered.left_rows })
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

/// The join thread: the one that owns the journal.
struct Joining<'a> {
    config: &'a LiveConfig,
    driver: &'a Driver,
    journal: Spool,
    joiner: Joiner,
    out: Sender<Decided>,
    done: Arc<AtomicU64>,
    reopen: Arc<AtomicBool>,
    kept_house_ns: i64,
    /// Whether the last attempt to write the journal failed.
    failing: bool,
}

impl<'a> Joining<'a> {
    /// Joins the journal of earlier lives again.
    fn start(
        config: &'a LiveConfig,
        driver: &'a Driver,
        journal: Spool,
        delivered: u64,
        out: Sender<Decided>,
        done: Arc<AtomicU64>,
        reopen: Arc<AtomicBool>,
    ) -> Result<Self, ReplayError> {
        let skews: Vec<i64> = config.logs.iter().map(|log| log.skew_ns).collect();
        let enricher = enricher(config)?;
        let mut joiner = Joiner::new(config.correlator.clone(), config.delays, enricher, &skews, driver.status.clone());
        let records = journal.records(journal.first_seq(), u64::MAX);
        let restored = joiner.restore(records, delivered, &mut |decided| {
            driver.status.beat();
            out.send(decided).is_ok()
        })?;
        if restored.entries > 0 {
            let text = format!(
                "joined {} journal entries again ({} unreadable); {} rows had not been stored",
                restored.entries, restored.unreadable, restored.rows
            );
            (driver.tell)(Level::Info, "journal", &text);
        }
        Ok(Self { config, driver, journal, joiner, out, done, reopen, kept_house_ns: 0, failing: false })
    }

    /// Opens the logs where they were left.
    fn tails(&self) -> Result<Vec<(u32, HttpTail)>, ReplayError> {
        let numbered = (0_u32..).zip(&self.config.logs);
        numbered
            .map(|(number, log)| {
                let state: Option<&TailState> = self.joiner.tail_state(number);
                Ok((number, HttpTail::open(&log.path, &log.options, state)?))
            })
            .collect()
    }

    /// Takes what comes until every sender is gone, then ends everything that waits.
    fn run(&mut self, from: &Receiver<Input>) -> Result<(), ReplayError> {
        let mut looked_ns = (self.driver.ticker)();
        loop {
            let (group, ended) = self.gather(from);
            self.driver.status.beat();
            let now_ns = (self.driver.ticker)();
            self.take(&group, now_ns);
            let busy = !group.is_empty();
            if busy || now_ns.saturating_sub(looked_ns) >= IDLE_NS {
                looked_ns = now_ns;
                self.advance(now_ns);
                self.joiner.report();
                self.keep_house(now_ns, from);
            }
            if ended {
                return self.finish();
            }
        }
    }

    /// What came within the time of one fsync.
    fn gather(&self, from: &Receiver<Input>) -> (Vec<Input>, bool) {
        let mut group = Vec::new();
        let mut bytes = 0_usize;
        let mut due_ns = i64::MAX;
        loop {
            let left_ns = due_ns.saturating_sub((self.driver.ticker)()).clamp(0, 200_000_000);
            if bytes >= GROUP_BYTES || (left_ns == 0 && !group.is_empty()) {
                return (group, false);
            }
            match from.take(Duration::from_nanos(left_ns.unsigned_abs())) {
                Taken::Item(input) => {
                    if group.is_empty() {
                        due_ns = (self.driver.ticker)().saturating_add(self.config.sync_ns);
                    }
                    bytes = bytes.saturating_add(input.bytes());
                    group.push(input);
                }
                Taken::Nothing if group.is_empty() => return (group, false),
                Taken::Nothing => {}
                Taken::Ended => return (group, true),
            }
        }
    }

    /// Journals a group, makes it durable, and joins it. What the journal cannot take is counted and told, never joined.
    fn take(&mut self, group: &[Input], now_ns: i64) {
        if group.is_empty() {
            return;
        }
        let mut counts = [0_u64; 2];
        for input in group {
            let (stream, count) = match input {
                Input::Datagrams(datagrams) => (datagrams.stream, datagrams.len()),
                Input::Lines { events, .. } => (Stream::Http, events.len()),
            };
            let count = u64::try_from(count).unwrap_or(u64::MAX);
            self.driver.status.stream(stream).received.add(count);
            if let Some(sum) = counts.get_mut(usize::from(stream == Stream::Network)) {
                *sum = sum.saturating_add(count);
            }
        }
        let figures = |fate: fn(&super::status::JoinFigures) -> &crate::metrics::Counter| {
            for (stream, count) in [Stream::Http, Stream::Network].into_iter().zip(counts) {
                fate(self.driver.status.stream(stream)).add(count);
            }
        };
        match self.write(group) {
            Ok(()) => {
                figures(|figures| &figures.acknowledged);
                if std::mem::replace(&mut self.failing, false) {
                    (self.driver.tell)(Level::Info, "journal", "events are acknowledged again");
                }
                for input in group {
                    self.join(input, now_ns);
                }
            }
            Err(error) => {
                figures(|figures| &figures.refused);
                if !std::mem::replace(&mut self.failing, true) {
                    (self.driver.tell)(Level::Error, "journal", &format!("{error}; events are dropped and counted"));
                }
            }
        }
    }

    /// The whole group is one group of the spool: all of it is acknowledged, or nothing.
    fn write(&mut self, group: &[Input]) -> Result<(), SpoolError> {
        let mut lines: Vec<(u8, Vec<u8>)> = Vec::new();
        for input in group {
            if let Input::Lines { events, mark } = input {
                let entry = |event: &HttpEvent| Entry::Line { log: mark.log, event: Box::new(event.clone()) }.write();
                lines.extend(events.iter().map(entry));
                lines.push(Entry::Tail(mark.clone()).write());
            }
        }
        let datagrams =
            group.iter().filter_map(|input| if let Input::Datagrams(datagrams) = input { Some(datagrams) } else { None });
        let raw = datagrams.flat_map(|datagrams| {
            let kind = Entry::raw_kind(datagrams.stream);
            datagrams.iter().map(move |payload| Record { kind, payload })
        });
        let records: Vec<Record<'_>> = raw.chain(lines.iter().map(|(kind, payload)| Record { kind: *kind, payload })).collect();
        self.journal.append(&records)?;
        self.journal.sync().map(drop)
    }

    fn join(&mut self, input: &Input, now_ns: i64) {
        match input {
            Input::Datagrams(datagrams) if datagrams.stream == Stream::Http => {
                datagrams.iter().for_each(|record| self.joiner.http(record, now_ns));
            }
            Input::Datagrams(datagrams) => datagrams.iter().for_each(|record| self.joiner.network(record, now_ns)),
            Input::Lines { events, mark } => {
                for event in events {
                    self.joiner.line(mark.log, event.clone(), now_ns);
                }
                self.joiner.tail(mark.clone());
            }
        }
    }

    /// Lets event time pass, if there is something it may decide.
    fn advance(&mut self, now_ns: i64) {
        if !self.joiner.holds() {
            return;
        }
        let Some(watermark_ns) = self.joiner.due(now_ns) else { return };
        if let Some(seq) = self.note(Entry::Advance(watermark_ns)) {
            self.joiner.advance(watermark_ns);
            self.give_out(seq);
        }
    }

    /// Ends what waits. The journal says so, so that the next start does not decide it again.
    fn finish(&mut self) -> Result<(), ReplayError> {
        if let Some(seq) = self.note(Entry::Stopped) {
            self.joiner.finish();
            self.give_out(seq);
        }
        self.joiner.report();
        Ok(())
    }

    /// Writes an entry of our own, durably; `None` if the journal does not take it now.
    fn note(&mut self, entry: Entry) -> Option<u64> {
        let (kind, payload) = entry.write();
        let written = self.journal.append(&[Record { kind, payload: &payload }]).and_then(|seq| self.journal.sync().map(|_| seq));
        match written {
            Ok(seq) => Some(seq),
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    (self.driver.tell)(Level::Error, "journal", &error.to_string());
                }
                None
            }
        }
    }

    fn give_out(&mut self, journal_seq: u64) {
        let decided = self.joiner.take(journal_seq);
        if !decided.is_empty() {
            // The deliverer is gone only after a failure of its own, which is the error of the whole.
            if self.out.send(decided).is_err() {
                self.driver.stop.store(true, Ordering::Relaxed);
            }
        }
    }

    fn keep_house(&mut self, now_ns: i64, from: &Receiver<Input>) {
        self.driver.status.levels(from.level().0, self.journal.stats().bytes);
        if self.driver.reload.swap(false, Ordering::Relaxed) {
            self.reopen.store(true, Ordering::Relaxed);
            match enricher(self.config) {
                Ok(enricher) => self.joiner.set_enricher(enricher),
                Err(error) => (self.driver.tell)(Level::Error, "reload", &format!("{error}; the tables stay as they were")),
            }
        }
        if now_ns.saturating_sub(self.kept_house_ns) < HOUSEKEEPING_NS {
            return;
        }
        self.kept_house_ns = now_ns;
        let marks: Vec<TailMark> = self.joiner.tails().cloned().collect();
        for mark in marks {
            self.note(Entry::Tail(mark));
        }
        if let Err(error) = self.journal.commit_to(CONSUMER, self.done.load(Ordering::Acquire)) {
            (self.driver.tell)(Level::Warn, "journal", &error.to_string());
        }
    }
}

fn enricher(config: &LiveConfig) -> Result<Enricher, ReplayError> {
    Ok(match &config.reference {
        Some(folder) => Enricher::load(folder)?,
        None => Enricher::embedded()?,
    })
}

/// Reads a log as it grows until asked to stop, and then to its present end.
fn follow(log: u32, mut tail: HttpTail, driver: &Driver, out: &Sender<Input>) {
    let mut damaged = 0;
    loop {
        let stopping = driver.stop.load(Ordering::Relaxed);
        let mut events = Vec::new();
        let report = match tail.poll(TAIL_BYTES, &mut |event| events.push(event)) {
            Ok(report) => report,
            Err(error) => {
                (driver.tell)(Level::Error, "log", &error.to_string());
                driver.stop.store(true, Ordering::Relaxed);
                return;
            }
        };
        let found = tail.damage().count();
        driver.status.http.damaged.add(found.saturating_sub(damaged));
        damaged = found;
        if report.bytes > 0 {
            let mark = TailMark { log, state: tail.state(), named_headers: tail.named_headers().names().to_vec() };
            if out.send(Input::Lines { events, mark }).is_err() {
                return;
            }
        }
        if !report.more {
            if stopping {
                return;
            }
            thread::sleep(TAIL_PAUSE);
        }
    }
}
