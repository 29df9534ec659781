//! `live`: interfaces, sockets and logs to rows, features and scores in one process, until SIGTERM.
//!
//! Promises: interfaces, sockets and the port are opened, then privileges given up, then the first byte from outside is read; what was
//! acknowledged is in segments before it is in the database; at the end everything that waits is decided, stored and scored.
//!
//! Read next: `crate::live`, `ja4_replay::live::daemon`, docs/LIVE.md.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ja4_capture::live::{LiveConfig as Wire, OpenInterfaces, check_filter};
use ja4_capture::privilege::{Sandbox, Target, drop_privileges};
use ja4_join::correlate::CorrelatorConfig;
use ja4_join::httplog::{Format, HttpLogOptions};
use ja4_replay::live::clock::{Delays, Ticker};
use ja4_replay::live::daemon::{self, Driver, LiveConfig, LogConfig, Parts, SensorThread};
use ja4_replay::live::reload::Tunable;
use ja4_replay::live::sinks::{Sink, StoreSink};
use ja4_replay::live::socket::SocketConfig;
use ja4_replay::live::status::Status;
use ja4_replay::live::{Tell, http};
use ja4_replay::metrics::Registry;
use ja4_replay::spool::{Limits, WhenFull};
use ja4_replay::store::{self, Contents, OpenOptions, Store};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::args::{LiveArgs, SummaryFormat};
use super::ask;
use super::console::Console;
use crate::cycle::{self, CyclePlan};
use crate::error::LabError;
use crate::live::{sensor, serve};

/// How long rows are gathered for one insert.
const GATHER_NS: i64 = 1_000_000_000;
/// How long events are gathered for one fsync.
const SYNC_NS: i64 = 100_000_000;
/// How long the database may take, once it is to end, for rows that wait; the segments keep the rest.
const STOP_NS: i64 = 60_000_000_000;
/// How often the end and the time of the next cycle are looked for.
const LOOK: Duration = Duration::from_millis(200);
const JOURNAL_BYTES: u64 = 512 << 20;
const OUTBOX_BYTES: u64 = 4 << 30;

pub fn run(args: &LiveArgs, threads: usize, console: &Console) -> Result<(), LabError> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&stop))
            .map_err(|error| LabError::Ask(format!("listen for signals: {error}")))?;
    }
    let hangup = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGHUP, Arc::clone(&hangup))
        .map_err(|error| LabError::Ask(format!("listen for signals: {error}")))?;
    let listener = args.listen.map(http::listen).transpose().map_err(LabError::Ask)?;
    let interfaces = interfaces(args)?;
    let target = Target { user: args.user.clone(), group: None, sandbox: Sandbox::Off };
    let owner = owner(&target);
    let spool = args.spool.clone().unwrap_or_else(|| beside(&args.db, "spool"));
    check_folder(&args.db)?;
    prepare(&spool, owner)?;
    let daemon = daemon::open(config(args, spool)?, listener, owner.map(|(uid, _)| uid)).map_err(LabError::Ask)?;
    let report = drop_privileges(&target)?;
    console.note(&format!("running as {} (uid {}, gid {})", report.user, report.uid, report.gid));
    let options = OpenOptions { threads, confined: true, now_ns: Console::now_ns(), ..OpenOptions::default() };
    let (store, fresh) = open(args, &options, console)?;
    let routes = match args.listen {
        Some(address) => {
            let file = args.token_file.clone().unwrap_or_else(|| beside(&args.db, "token"));
            let token = token(&file)?;
            console.note(&format!("questions at http://{address} with the token in {}", file.display()));
            serve::routes(store.sibling()?, &token)
        }
        None => axum::Router::new(),
    };
    let driver = Driver {
        ticker: ticker(),
        tell: console.teller(),
        status: Status::new(Registry::new()),
        stop: Arc::clone(&stop),
        reload: Arc::default(),
    };
    let listens: Option<SensorThread> =
        interfaces.map(|open| sensor::thread(open, Arc::clone(&stop), Arc::clone(&driver.tell), Console::now_ns));
    let sinks: Vec<Box<dyn Sink>> = vec![Box::new(StoreSink::with(store.sibling()?, fresh, GATHER_NS))];
    let ended = AtomicBool::new(false);
    let scoring = store.sibling()?;
    let daemon::Ended { left_rows, gave_up } = std::thread::scope(|scope| {
        let (driver, ended) = (&driver, &ended);
        scope.spawn(move || cycles(&*scoring, args, driver, &hangup, ended));
        let outcome = daemon.run(Parts { sinks, sensor: listens, routes }, driver);
        ended.store(true, Ordering::Relaxed);
        outcome
    })?;
    if gave_up {
        console.note("the segments are full of rows that the database did not take; the events of further rows are kept for the next start");
    }
    if left_rows > 0 {
        console.note(&format!("{left_rows} rows are still in the segments; the next start stores them"));
    }
    finish(&*store, args.summary, console)
}

fn interfaces(args: &LiveArgs) -> Result<Option<OpenInterfaces>, LabError> {
    if args.interface.is_empty() {
        return Ok(None);
    }
    check_filter(&args.bpf)?;
    let wire = Wire {
        interfaces: args.interface.clone(),
        filter: Some(args.bpf.clone()).filter(|bpf| !bpf.is_empty()),
        ..Wire::default()
    };
    Ok(Some(OpenInterfaces::open(&wire)?))
}

fn config(args: &LiveArgs, spool: PathBuf) -> Result<LiveConfig, LabError> {
    let format: Format = args.http_format.parse().map_err(ja4_replay::ReplayError::from)?;
    let options = HttpLogOptions { format, ..HttpLogOptions::default() };
    // Root's own socket group is none that Apache's children have.
    let group = nix_is_root().then(|| args.http_group.clone());
    let socket =
        |path: &Option<PathBuf>, group: Option<String>| path.clone().map(|path| SocketConfig { path, group, users: Vec::new() });
    let limits = |total_bytes: u64, keep_bytes: u64| Limits {
        segment_bytes: 16 << 20,
        total_bytes,
        keep_bytes,
        when_full: WhenFull::Refuse,
        batch_records: 256,
        batch_bytes: 16 << 20,
    };
    Ok(LiveConfig {
        http: socket(&args.http_socket, group),
        network: socket(&args.network_socket, None),
        logs: args.http_log.iter().map(|path| LogConfig { path: path.clone(), options: options.clone(), skew_ns: 0 }).collect(),
        spool,
        journal: limits(JOURNAL_BYTES, JOURNAL_BYTES / 2),
        outbox: limits(OUTBOX_BYTES, OUTBOX_BYTES - OUTBOX_BYTES / 8),
        queue_bytes: 64 << 20,
        sync_ns: SYNC_NS,
        correlator: CorrelatorConfig { window_ns: args.window, keepalive_max_ns: args.keepalive, ..CorrelatorConfig::default() },
        delays: Delays { http_ns: args.http_delay, network_ns: args.network_delay },
        reference: args.reference.clone(),
        stop_ns: STOP_NS,
    })
}

/// What SIGHUP puts into effect: there is no file of settings, so only the tables can be others than at the start.
fn tunable(args: &LiveArgs) -> Tunable {
    Tunable {
        sync_ns: SYNC_NS,
        delays: Delays { http_ns: args.http_delay, network_ns: args.network_delay },
        reference: args.reference.clone(),
        store_gather_ns: GATHER_NS,
        file: None,
        users: [Vec::new(), Vec::new()],
        stop_ns: STOP_NS,
    }
}

/// Opens the database; says why it should be filled from the segments, if it should.
fn open(args: &LiveArgs, options: &OpenOptions, console: &Console) -> Result<(Box<dyn Store>, Option<String>), LabError> {
    let was_there = args.db.exists();
    let mut store = store::open(&args.db, options)?;
    let mut fresh = (!was_there).then(|| "the database was not there".to_owned());
    if let Some(old) = store.set_aside() {
        console.note(&ask::set_aside(&args.db, old));
        fresh = Some(format!("the database was unreadable and is kept as {}", old.display()));
    }
    store.migrate()?;
    Ok((store, fresh))
}

/// Scores what is stored, every so often, while rows come in.
#[allow(clippy::disallowed_methods, reason = "the driver's clock: when the next cycle is due")]
fn cycles(store: &dyn Store, args: &LiveArgs, driver: &Driver, hangup: &AtomicBool, ended: &AtomicBool) {
    let every = Duration::from_nanos(args.every.max(0).unsigned_abs());
    let mut last = Instant::now();
    while !ended.load(Ordering::Relaxed) && !driver.stop.load(Ordering::Relaxed) {
        std::thread::sleep(LOOK);
        if hangup.swap(false, Ordering::Relaxed) {
            driver.reload.put(tunable(args));
            (driver.tell)(
                ja4_replay::live::Level::Info,
                "reload",
                "reference tables are read again; other settings need a restart",
            );
        }
        if every.is_zero() || last.elapsed() < every {
            continue;
        }
        let (level, text) = match cycle::run(store, &CyclePlan::default()) {
            Ok(report) => {
                (ja4_replay::live::Level::Info, format!("{} sessions scored, {} anomalous", report.sessions, report.anomalies))
            }
            Err(error) => (ja4_replay::live::Level::Error, error.to_string()),
        };
        (driver.tell)(level, "cycle", &text);
        last = Instant::now();
    }
}

/// The last cycle, and what a replay's summary says at its end.
fn finish(store: &dyn Store, format: SummaryFormat, console: &Console) -> Result<(), LabError> {
    let report = cycle::run(store, &CyclePlan::default())?;
    let rows = store.digest(Contents::Rows)?;
    let features = store.digest(Contents::Features)?;
    let scores = store.digest(Contents::Scores)?;
    store.checkpoint()?;
    if format == SummaryFormat::Json {
        return console.line(
            &serde_json::json!({
                "sessions": report.sessions, "anomalies": report.anomalies, "rows_digest": rows, "features_digest": features,
                "scores_digest": scores, "notes": report.notes,
            })
            .to_string(),
        );
    }
    console.line(&format!("scored    {} sessions, {} anomalous", report.sessions, report.anomalies))?;
    console.line(&format!("digests   rows {rows}"))?;
    console.line(&format!("          features {features}"))?;
    console.line(&format!("          scores {scores}"))
}

/// The token of the file, or a new one.
fn token(file: &Path) -> Result<String, LabError> {
    if let Ok(text) = std::fs::read_to_string(file) {
        let text = text.trim().to_owned();
        if text.len() >= 16 {
            return Ok(text);
        }
        return Err(LabError::Ask(format!("the token in {} is shorter than 16 characters", file.display())));
    }
    let mut random = [0_u8; 32];
    let source = Path::new("/dev/urandom");
    std::fs::File::open(source).and_then(|mut source| source.read_exact(&mut random)).map_err(LabError::io("read", source))?;
    let token = ja4_replay::digest::hex(&random);
    let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    made.and_then(|mut made| writeln!(made, "{token}")).map_err(LabError::io("write the token to", file))?;
    Ok(token)
}

fn beside(db: &Path, extension: &str) -> PathBuf {
    let mut name = db.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    PathBuf::from(name)
}

fn nix_is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|metadata| std::os::unix::fs::MetadataExt::uid(&metadata) == 0)
}

/// Whom this process becomes, if it is root now: user and group by number.
fn owner(target: &Target) -> Option<(u32, u32)> {
    if !nix_is_root() {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let names = target
        .user
        .iter()
        .map(String::as_str)
        .chain(ja4_capture::privilege::DEFAULT_USERS.iter().copied().filter(|_| target.user.is_none()));
    names.into_iter().find_map(|name| {
        let mut fields = users.lines().find(|line| line.split(':').next() == Some(name))?.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    })
}

/// The folder of a database file must be there: made by root it would not be its user's.
fn check_folder(db: &Path) -> Result<(), LabError> {
    let folder = db.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder.filter(|folder| !store::is_server(db) && !folder.is_dir()) {
        Some(folder) => {
            let (db, folder) = (db.display(), folder.display());
            Err(LabError::Ask(format!(
                "open database {db}: there is no folder {folder}; make it first, writable for the user this becomes"
            )))
        }
        None => Ok(()),
    }
}

/// Makes the folder of the segments and gives it to who will use it.
fn prepare(spool: &Path, owner: Option<(u32, u32)>) -> Result<(), LabError> {
    let was_there = spool.is_dir();
    std::fs::create_dir_all(spool).map_err(LabError::io("make spool folder", spool))?;
    if let Some((uid, gid)) = owner.filter(|_| !was_there) {
        chown(spool, Some(uid), Some(gid)).map_err(LabError::io("give away spool folder", spool))?;
    }
    Ok(())
}

#[allow(clippy::disallowed_methods, reason = "the driver's clock: a silent stream's time passes as on it")]
fn ticker() -> Ticker {
    let begin = Instant::now();
    Arc::new(move || i64::try_from(begin.elapsed().as_nanos()).unwrap_or(i64::MAX))
}

impl Console {
    /// Where the live path tells, from any thread: as notes.
    fn teller(&self) -> Tell {
        let console = self.twin();
        Arc::new(move |_, topic, text| console.note(&format!("{topic}: {text}")))
    }
}
