//! Alerts: what is new among anomalies, campaigns and fleets, drift, models and failures, told once to each target, without ever
//! holding a cycle up.
//!
//! Promises: an alert is told once for its (kind, subject, window), also after a restart (table `alerts_sent`); each target has its
//! own thread and a queue of [`QUEUE`] alerts; a full queue, a target that hangs and one that refuses are counted and told, and
//! cost the cycle nothing. Delivery is tried [`TRIES`] times; what then fails is counted and gone: it stays in the store.
//!
//! Read next: `news.rs` (what is told), `webhook.rs`, `syslog.rs`, `file.rs`.

mod file;
pub(crate) mod news;
mod syslog;
mod webhook;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use ja4_replay::store::{Statement, Store, TableName};
use serde::Serialize;

use super::Say;
use super::record::records;
use super::state::State;
use crate::error::LabError;
use crate::rows::Columns;

pub use self::syslog::SyslogTarget;

/// Alerts that may wait for one target.
pub const QUEUE: usize = 1024;
/// Alerts handed to a target at a time.
pub const BATCH: usize = 50;
/// How often a delivery is tried.
pub const TRIES: u32 = 3;
/// How long the last alerts may take when the service ends.
pub const PATIENCE_STOP: Duration = Duration::from_secs(3);
/// The same after `--once`, where they are all there is.
pub const PATIENCE_ONCE: Duration = Duration::from_secs(30);

const TABLE: TableName = TableName { schema: "ja4_processing", table: "alerts_sent" };
const SENT: Statement = Statement::shared(include_str!("../../../../sql/shared/queries/api_alerts_sent.sql"));
const DAYS: Statement = Statement::shared(include_str!("../../../../sql/shared/queries/api_alert_days.sql"));

/// Names of severities, from the mildest.
pub const SEVERITIES: [&str; 4] = ["low", "medium", "high", "critical"];

/// Days before the oldest window at hand for which alerts are remembered.
const MEMORY_DAYS: i64 = 3;
const DAY_NS: i64 = 86_400_000_000_000;

/// Where alerts go, and from which severity on.
#[derive(Debug, Clone, Default)]
pub struct Targets {
    /// POST of JSON to this URL.
    pub webhook: Option<String>,
    /// CEF in syslog datagrams.
    pub syslog: Option<SyslogTarget>,
    /// JSON Lines appended to this file.
    pub file: Option<PathBuf>,
    /// The mildest severity that is told; an index into [`SEVERITIES`].
    pub from: usize,
}

/// One alert.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Alert {
    /// Version of this form.
    pub v: u32,
    /// What it is about: `session`, `campaign`, `fleet`, `drift`, `model` or `cycle`.
    pub kind: &'static str,
    /// Whom it is about: an address, a campaign, a fleet; for the others what was decided or failed.
    pub subject: String,
    /// The hour it is about (campaigns and fleets: the day), ms since 1970.
    pub window_ms: i64,
    /// One of [`SEVERITIES`].
    pub severity: String,
    /// 0 to 1.
    pub score: f64,
    /// One sentence.
    pub reason: String,
    /// The worst session behind it.
    pub session_id: String,
    /// Sessions of the same subject and hour behind it.
    pub sessions: u64,
    /// Their requests.
    pub hits: i64,
    /// The host most concerned.
    pub host: String,
    /// Fingerprint of the client.
    pub ja4: String,
    /// What the client claims to be.
    pub claims: String,
    /// The address as the web server saw it, behind a proxy another than the subject.
    pub client_ip: String,
    /// Autonomous system.
    pub asn: i64,
    /// Its country.
    pub country: String,
    /// First and last request, ns since 1970.
    pub first_ns: i64,
    /// See `first_ns`.
    pub last_ns: i64,
    /// When the alert was made, ns since 1970.
    pub sent_ns: i64,
}

impl Alert {
    /// What makes two alerts the same one.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}|{}|{}", self.kind, self.subject, self.window_ms)
    }
}

/// A place that takes alerts.
trait Target: Send {
    /// Hands over `alerts`, which are not empty; an error is one sentence without secrets.
    fn deliver(&mut self, alerts: &[Arc<Alert>]) -> Result<(), String>;
}

/// The queues to every target.
#[derive(Clone)]
pub struct Outlet {
    queues: Arc<Mutex<Vec<Queue>>>,
    from: usize,
    state: Arc<State>,
    hurry: Arc<AtomicBool>,
}

struct Queue {
    label: String,
    send: SyncSender<Arc<Alert>>,
    thread: JoinHandle<()>,
}

impl std::fmt::Debug for Outlet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outlet").field("from", &self.from).finish_non_exhaustive()
    }
}

impl Outlet {
    /// Starts a thread for each target.
    #[must_use]
    pub fn start(targets: &Targets, state: Arc<State>, say: &Say) -> Self {
        let hurry = Arc::new(AtomicBool::new(false));
        let mut places: Vec<(String, Box<dyn Target>)> = Vec::new();
        if let Some(url) = &targets.webhook {
            places.push((webhook::label(url), Box::new(webhook::Webhook::new(url))));
        }
        if let Some(target) = &targets.syslog {
            places.push((target.to_string(), Box::new(syslog::Syslog::new(target.clone()))));
        }
        if let Some(path) = &targets.file {
            places.push((format!("file {}", path.display()), Box::new(file::File::new(path))));
        }
        let mut queues = Vec::new();
        for (label, target) in places {
            state.alert(&label, |_| {});
            let (send, receive) = sync_channel(QUEUE);
            let worker = Worker {
                label: label.clone(),
                target,
                receive,
                state: Arc::clone(&state),
                say: Arc::clone(say),
                hurry: Arc::clone(&hurry),
            };
            match std::thread::Builder::new().name("alerts".to_owned()).spawn(move || worker.run()) {
                Ok(thread) => queues.push(Queue { label, send, thread }),
                Err(error) => say(&format!("alerts to {label}: no thread could be started: {error}")),
            }
        }
        Self { queues: Arc::new(Mutex::new(queues)), from: targets.from, state, hurry }
    }

    /// Tells every target what is new since `from_ms` in the store, and `news`; gives how many alerts were new.
    ///
    /// # Errors
    /// The store's refusal; then nothing was told.
    pub fn alert(&self, store: &dyn Store, from_ms: Option<i64>, now_ns: i64, news: Vec<Alert>) -> Result<usize, LabError> {
        if self.is_empty() {
            return Ok(0);
        }
        let mut all = news::of_store(store, from_ms.unwrap_or(i64::MIN / 2), now_ns)?;
        all.extend(news);
        let first_day = from_ms.map_or_else(String::new, |from_ms| day(from_ms.saturating_mul(1_000_000)));
        let count = self.tell_new(store, all, &first_day)?;
        if let Some(from_ms) = from_ms {
            forget(store, from_ms)?;
        }
        Ok(count)
    }

    /// Tells every target that detection stands still; remembered in the store where there is one. The caller tells each outage once.
    pub fn trouble(&self, store: Option<&dyn Store>, what: &'static str, reason: &str, now_ns: i64) {
        if self.is_empty() {
            return;
        }
        let alert = news::of_trouble(what, reason, now_ns);
        let first_day = day(alert.window_ms.saturating_mul(1_000_000));
        // A store that cannot remember it is part of the trouble: then it is told all the same.
        let remembered = store.is_some_and(|store| self.tell_new(store, vec![alert.clone()], &first_day).is_ok());
        if !remembered && rank(&alert.severity) >= Some(self.from) {
            self.send(&Arc::new(alert));
        }
    }

    /// Tells those of `all` that are grave enough and were not told about windows from `first_day` on.
    fn tell_new(&self, store: &dyn Store, mut all: Vec<Alert>, first_day: &str) -> Result<usize, LabError> {
        all.retain(|alert| rank(&alert.severity) >= Some(self.from));
        let known = records(&store.ask(&SENT, &[first_day])?);
        let known: BTreeSet<&str> = known.iter().map(|row| row.text("alert_key")).collect();
        let found = all.len();
        let new: Vec<Alert> = all.into_iter().filter(|alert| !known.contains(alert.key().as_str())).collect();
        self.state.alerts_repeated(u64::try_from(found.saturating_sub(new.len())).unwrap_or(u64::MAX));
        // Remembered first: after a crash in between an alert may be missing, but never comes twice.
        remember(store, &new)?;
        let count = new.len();
        for alert in new {
            self.send(&Arc::new(alert));
        }
        Ok(count)
    }

    /// Whether there is nobody to tell.
    fn is_empty(&self) -> bool {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn send(&self, alert: &Arc<Alert>) {
        for queue in self.queues.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            match queue.send.try_send(Arc::clone(alert)) {
                Ok(()) => {}
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                    self.state.alert(&queue.label, |figures| figures.dropped += 1);
                }
            }
        }
    }

    /// Lets the queues run empty for at most `patience`; what hangs longer is left behind.
    pub fn finish(&self, patience: Duration) {
        let queues = std::mem::take(&mut *self.queues.lock().unwrap_or_else(PoisonError::into_inner));
        let threads: Vec<JoinHandle<()>> = queues.into_iter().map(|queue| queue.thread).collect();
        let step = Duration::from_millis(20);
        let mut waited = Duration::ZERO;
        while waited < patience && threads.iter().any(|thread| !thread.is_finished()) {
            std::thread::sleep(step);
            waited = waited.saturating_add(step);
        }
        self.hurry.store(true, Ordering::Relaxed);
    }
}

/// Where a severity stands among [`SEVERITIES`].
#[must_use]
pub fn rank(severity: &str) -> Option<usize> {
    SEVERITIES.iter().position(|name| *name == severity)
}

fn remember(store: &dyn Store, alerts: &[Alert]) -> Result<(), LabError> {
    if alerts.is_empty() {
        return Ok(());
    }
    let rows = Columns::new()
        .text("alert_key", alerts.iter().map(Alert::key))
        .text("day", alerts.iter().map(|alert| day(alert.window_ms.saturating_mul(1_000_000))))
        .text("kind", alerts.iter().map(|alert| alert.kind))
        .text("subject", alerts.iter().map(|alert| &alert.subject))
        .text("severity", alerts.iter().map(|alert| &alert.severity))
        .int("sent_ns", alerts.iter().map(|alert| alert.sent_ns));
    Ok(store.insert(TABLE, rows.batch()?)?)
}

/// Forgets alerts of windows that no cycle looks at any more.
fn forget(store: &dyn Store, from_ms: i64) -> Result<(), LabError> {
    let oldest = day(from_ms.saturating_mul(1_000_000).saturating_sub(MEMORY_DAYS.saturating_mul(DAY_NS)));
    let days = records(&store.ask(&DAYS, &[&oldest])?);
    let days: Vec<&str> = days.iter().map(|row| row.text("day")).collect();
    if days.is_empty() { Ok(()) } else { Ok(store.replace(TABLE, "day", &days, None)?) }
}

/// The UTC day of an instant, as YYYY-MM-DD.
fn day(ns: i64) -> String {
    let time = jiff::Timestamp::from_nanosecond(i128::from(ns)).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    time.strftime("%Y-%m-%d").to_string()
}

/// The thread of one target.
struct Worker {
    label: String,
    target: Box<dyn Target>,
    receive: Receiver<Arc<Alert>>,
    state: Arc<State>,
    say: Say,
    hurry: Arc<AtomicBool>,
}

impl Worker {
    fn run(mut self) {
        while let Ok(first) = self.receive.recv() {
            let mut alerts = vec![first];
            alerts.extend(self.receive.try_iter().take(BATCH - 1));
            self.deliver(&alerts);
        }
    }

    fn deliver(&mut self, alerts: &[Arc<Alert>]) {
        let count = u64::try_from(alerts.len()).unwrap_or(u64::MAX);
        let mut reason = String::new();
        for attempt in 0..TRIES {
            if attempt > 0 && self.hurry.load(Ordering::Relaxed) {
                break;
            }
            if attempt > 0 {
                std::thread::sleep(Duration::from_secs(1 << (attempt - 1)));
            }
            match self.target.deliver(alerts) {
                Ok(()) => {
                    self.state.alert(&self.label, |figures| figures.sent += count);
                    return;
                }
                Err(why) => reason = why,
            }
        }
        (self.say)(&format!("alerts to {}: {reason}; {count} given up", self.label));
        self.state.alert(&self.label, |figures| {
            figures.failed += count;
            figures.last_error = reason;
        });
    }
}
