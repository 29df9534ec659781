//! Long work beside the frames: a replay of captures and logs into a database, with pause, step, speed and stop.
//!
//! Promises: the results are those of the command line, bit for bit, because it is the same pipeline and the same cycle; stopping
//! keeps what was stored and the same replay continues later; the frame only ever reads counters.
//!
//! Read next: `ja4_replay::pipeline` (the stages), `../views/replay.rs` (the controls).

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use eframe::egui;
use ja4_lab::cycle::{self, CyclePlan};
use ja4_replay::pipeline::{Progress, ReplayPlan, ReplaySummary, replay, settings};
use ja4_replay::store::{self, Contents, OpenOptions, RunRecord};

/// What frames read and buttons set while a replay runs.
#[derive(Debug, Default)]
pub struct Control {
    stop: AtomicBool,
    paused: AtomicBool,
    /// Steps that may still be taken while paused.
    steps: AtomicU64,
    /// Times the recorded speed, in thousandths; 0 is as fast as possible.
    speed: AtomicU64,
    read: AtomicU64,
    total: AtomicU64,
    reached_ns: AtomicI64,
    phase: Mutex<&'static str>,
}

impl Control {
    /// Stops at the next batch.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether it was told to stop.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Pauses or goes on.
    pub fn pause(&self, paused: bool) {
        self.paused.store(paused, Ordering::Relaxed);
    }

    /// Whether it is paused.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Relaxed)
    }

    /// Lets one batch of events pass while paused.
    pub fn step(&self) {
        self.steps.fetch_add(1, Ordering::Relaxed);
    }

    /// Times the recorded speed; nothing is as fast as possible.
    pub fn set_speed(&self, times: Option<f64>) {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to a million times, in thousandths")]
        let thousandths = times.map_or(0, |times| (times.clamp(0.001, 1e6) * 1000.0) as u64);
        self.speed.store(thousandths, Ordering::Relaxed);
    }

    /// Share of the input that was read, 0 to 1.
    #[must_use]
    pub fn share(&self) -> f32 {
        let total = self.total.load(Ordering::Relaxed).max(1);
        (self.read.load(Ordering::Relaxed) as f32 / total as f32).clamp(0.0, 1.0)
    }

    /// Event time that was reached, ns since 1970; 0 before the first event.
    #[must_use]
    pub fn reached_ns(&self) -> i64 {
        self.reached_ns.load(Ordering::Relaxed)
    }

    /// What is being done.
    #[must_use]
    pub fn phase(&self) -> &'static str {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, phase: &'static str) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }
}

/// A replay that runs or has ended.
#[derive(Debug)]
pub struct ReplayJob {
    /// Counters and buttons.
    pub control: Arc<Control>,
    /// Files it reads.
    pub files: Vec<PathBuf>,
    /// Database it writes.
    pub db: PathBuf,
    result: Arc<Mutex<Option<Result<ReplaySummary, String>>>>,
}

impl ReplayJob {
    /// Starts replaying `files` into `db` at `speed` times the recorded speed.
    #[must_use]
    pub fn start(ctx: &egui::Context, files: Vec<PathBuf>, db: &Path, speed: Option<f64>) -> Self {
        let control = Arc::new(Control::default());
        control.set_speed(speed);
        control.enter("opening");
        let result = Arc::new(Mutex::new(None));
        let job = Self { control: Arc::clone(&control), files: files.clone(), db: db.to_path_buf(), result: Arc::clone(&result) };
        let (ctx, db) = (ctx.clone(), db.to_path_buf());
        std::thread::spawn(move || {
            let done = run(&files, &db, &Reporter { control: &control, ctx: &ctx });
            *result.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
            ctx.request_repaint();
        });
        job
    }

    /// What it found, once it ended; given once.
    #[must_use]
    pub fn take_result(&self) -> Option<Result<ReplaySummary, String>> {
        self.result.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Sorts dropped or named files into captures and logs by their beginnings.
#[must_use]
pub fn plan(files: &[PathBuf]) -> ReplayPlan {
    let (captures, http_logs) = files.iter().cloned().partition(|path| path.is_dir() || is_capture(path));
    ReplayPlan { captures, http_logs, ..ReplayPlan::default() }
}

/// Whether a file begins like a capture, plain or packed; a name decides where it cannot be read.
#[must_use]
pub fn is_capture(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    if [".pcap", ".pcapng", ".cap", ".pcap.gz", ".pcapng.gz", ".pcap.zst", ".pcapng.zst"].iter().any(|end| name.ends_with(end)) {
        return true;
    }
    let mut head = [0_u8; 4];
    let read = std::fs::File::open(path).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut head));
    read.is_ok()
        && matches!(
            head,
            [0xd4, 0xc3, 0xb2, 0xa1]
                | [0xa1, 0xb2, 0xc3, 0xd4]
                | [0x4d, 0x3c, 0xb2, 0xa1]
                | [0xa1, 0xb2, 0x3c, 0x4d]
                | [0x0a, 0x0d, 0x0d, 0x0a]
        )
}

/// Whether a file is a DuckDB database, by its mark.
#[must_use]
pub fn is_database(path: &Path) -> bool {
    let mut head = [0_u8; 12];
    let read = std::fs::File::open(path).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut head));
    read.is_ok() && head.ends_with(b"DUCK")
}

fn run(files: &[PathBuf], db: &Path, reporter: &Reporter<'_>) -> Result<ReplaySummary, String> {
    let plan = plan(files);
    let started_ns = now_ns();
    let mut store =
        store::open(db, &OpenOptions { now_ns: started_ns, ..OpenOptions::default() }).map_err(|error| error.to_string())?;
    store.migrate().map_err(|error| error.to_string())?;
    reporter.control.enter("reading");
    let mut summary = replay(&plan, &mut *store, reporter).map_err(|error| error.to_string())?;
    reporter.control.enter("scoring");
    let report = cycle::run(&*store, &CyclePlan::default()).map_err(|error| error.to_string())?;
    reporter.control.enter("checking");
    summary.sessions = report.sessions;
    summary.anomalies = report.anomalies;
    summary.features_digest = report.features_digest;
    summary.notes.extend(report.notes);
    summary.rows_digest = store.digest(Contents::Rows).map_err(|error| error.to_string())?;
    summary.scores_digest = store.digest(Contents::Scores).map_err(|error| error.to_string())?;
    let record = RunRecord {
        run_id: summary.run_id.clone(),
        command: "replay".to_owned(),
        config: settings(&plan),
        rows_digest: summary.rows_digest.clone(),
        features_digest: summary.features_digest.clone(),
        scores_digest: summary.scores_digest.clone(),
        counters: serde_json::to_string(&summary).unwrap_or_default(),
        started_ns,
        finished_ns: now_ns(),
    };
    store.record_run(&record).and_then(|()| store.checkpoint()).map_err(|error| error.to_string())?;
    reporter.control.enter("done");
    Ok(summary)
}

/// The wall clock, ns since 1970.
#[must_use]
#[allow(clippy::disallowed_methods, reason = "the desktop is an outermost driver")]
pub fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

struct Reporter<'a> {
    control: &'a Arc<Control>,
    ctx: &'a egui::Context,
}

impl Progress for Reporter<'_> {
    fn bytes(&self, read: u64, total: u64) {
        self.control.read.store(read, Ordering::Relaxed);
        self.control.total.store(total, Ordering::Relaxed);
        self.ctx.request_repaint_after(Duration::from_millis(50));
    }

    fn detail(&self, _text: &str) {}

    fn stop(&self) -> bool {
        self.control.is_stopping()
    }

    #[allow(clippy::disallowed_methods, reason = "pacing a replay is the driver's business")]
    fn waiter(&self) -> Box<dyn FnMut(i64) + Send> {
        let control = Arc::clone(self.control);
        // Wall time and event time from which the present speed counts.
        let mut begin: Option<(u64, Instant, i64)> = None;
        Box::new(move |event_ns| {
            let before = control.reached_ns.swap(event_ns, Ordering::Relaxed);
            loop {
                if control.is_stopping() {
                    return;
                }
                if control.is_paused() {
                    begin = None;
                    if control.steps.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                        return;
                    }
                    std::thread::sleep(Duration::from_millis(20));
                    continue;
                }
                let speed = control.speed.load(Ordering::Relaxed);
                if speed == 0 {
                    return;
                }
                let from_ns = if before > 0 { before } else { event_ns };
                let (_, wall, first_ns) =
                    *begin.take_if(|begun| begun.0 == speed).get_or_insert_with(|| (speed, Instant::now(), from_ns));
                begin = Some((speed, wall, first_ns));
                #[allow(clippy::cast_precision_loss, reason = "pacing needs no nanoseconds")]
                let due_secs = event_ns.saturating_sub(first_ns).max(0) as f64 / 1e9 / (speed as f64 / 1000.0);
                let left = Duration::try_from_secs_f64(due_secs).unwrap_or(Duration::MAX).saturating_sub(wall.elapsed());
                if left.is_zero() {
                    return;
                }
                // Short sleeps, so that pause, speed and stop act at once.
                std::thread::sleep(left.min(Duration::from_millis(50)));
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_apart_by_their_beginnings() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        let capture = put("a.bin", &[0xd4, 0xc3, 0xb2, 0xa1, 2, 0]);
        let log = put("access.log", b"192.0.2.1 - - [");
        let named = put("b.pcapng.gz", b"");
        let database = put("x.db", b"checksumDUCK\0\0");
        let sorted = plan(&[log.clone(), capture.clone(), named.clone()]);
        assert_eq!(sorted.captures, [capture, named]);
        assert_eq!(sorted.http_logs, std::slice::from_ref(&log));
        assert!(is_database(&database) && !is_database(&log) && !is_database(Path::new("/no/such/file")));
    }
}
