//! The order of things: bind, give privileges up, start, tell systemd, watch signals, end.
//!
//! Promises: no event is read before the privileges are gone; SIGTERM and SIGINT end it with everything that waits decided and in the
//! outbox, and within twice `stop_ms` whatever a sink does; SIGHUP reads settings and tables again, what can change at run time does, and
//! what needs a restart is named; the clocks of the program are read here alone.
//!
//! Read next: `ja4_replay::live::daemon`.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ja4_capture::privilege::{Sandbox, Target, drop_privileges};
use ja4_replay::live::daemon::{self, Driver, Parts};
use ja4_replay::live::sinks::{FileSink, Sink, StdoutSink, StoreSink};
use ja4_replay::live::status::Status;
use ja4_replay::live::{Level, http, socket};
use ja4_replay::metrics::Registry;
use ja4_replay::store::OpenOptions;
use nix::unistd::{Group, User};
use sd_notify::NotifyState;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::args::Given;
use crate::config::{self, Config};
use crate::log::Log;

/// Fewer datagrams than this in the kernel's queue are lost in a burst.
const SMALL_KERNEL_QUEUE: u32 = 128;
/// How often signals and the watchdog are looked after.
const LOOK: Duration = Duration::from_millis(200);

/// Runs until asked to stop. The error is one sentence.
pub fn run(given: &Given, config: &Config) -> Result<(), String> {
    let log = Log::new(config.log_level);
    let flag = |signals: &[i32]| -> Result<Arc<AtomicBool>, String> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in signals {
            signal_hook::flag::register(*signal, Arc::clone(&flag)).map_err(|error| format!("listen for signals: {error}"))?;
        }
        Ok(flag)
    };
    let (stop, hangup) = (flag(&[SIGTERM, SIGINT])?, flag(&[SIGHUP])?);
    let listener = config.address()?.map(http::listen).transpose()?;
    let listens_at = listener.as_ref().and_then(|listener| listener.local_addr().ok());
    let target = target(config);
    let owner = owner(&target)?;
    prepare(config, owner)?;
    let daemon = daemon::open(config.live()?, listener, owner.map(|(uid, _)| uid))?;
    let report = drop_privileges(&target).map_err(|error| error.to_string())?;
    let who = format!("{} (uid {}, gid {})", report.user, report.uid, report.gid);
    make_spool(config.spool()).map_err(|why| format!("{why}; {who} must be able to reach this folder and to write to it"))?;
    log.line(Level::Info, "start", &format!("running as {who}"));
    log.line(Level::Info, "start", &openings(config, listens_at));
    if let Some(length) = socket::kernel_queue().filter(|length| *length < SMALL_KERNEL_QUEUE) {
        let text = format!(
            "the kernel queues only {length} datagrams for a socket; `sysctl -w net.unix.max_dgram_qlen=512` before starting"
        );
        log.line(Level::Warn, "socket", &text);
    }
    let driver = Driver {
        ticker: ticker(),
        tell: log.tell(),
        status: Status::new(Registry::new()),
        stop: Arc::clone(&stop),
        reload: Arc::default(),
    };
    let ended = AtomicBool::new(false);
    let outcome = std::thread::scope(|scope| {
        scope.spawn(|| watch(given, config, &log, &driver, &hangup, &ended));
        let outcome = daemon.run(Parts { sinks: sinks(config), ..Parts::default() }, &driver);
        ended.store(true, Ordering::Relaxed);
        outcome
    });
    let ended = outcome.map_err(|error| error.to_string())?;
    if ended.gave_up {
        let text = "the outbox is full of rows that a sink did not take; the events of further rows are kept in the journal for the next start";
        log.line(Level::Warn, "stop", text);
    }
    if ended.left_rows > 0 {
        let text =
            format!("{} rows were not taken by every sink; they are kept in the outbox for the next start", ended.left_rows);
        log.line(Level::Warn, "stop", &text);
    }
    log.line(Level::Info, "stop", "ended");
    Ok(())
}

fn sinks(config: &Config) -> Vec<Box<dyn Sink>> {
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    if !config.store.is_empty() {
        let options = OpenOptions { now_ns: now_ns(), ..OpenOptions::default() };
        let gather_ns = config.store_every_ms.saturating_mul(1_000_000);
        sinks.push(Box::new(StoreSink::new(config.store.as_ref(), options, gather_ns)));
    }
    if let Some(file) = config.file() {
        sinks.push(Box::new(FileSink::new(file, &config.spool.join("outbox"))));
    }
    if config.stdout {
        sinks.push(Box::new(StdoutSink::new(Box::new(std::io::stdout()))));
    }
    sinks
}

/// Where events come in and figures are shown.
fn openings(config: &Config, listens_at: Option<SocketAddr>) -> String {
    let named = |what: &str, path: &str| (!path.is_empty()).then(|| format!("{what} at {path}"));
    let sockets = [named("requests", &config.http_socket), named("handshakes", &config.network_socket)];
    let logs = config.http_logs.iter().map(|path| format!("requests from {path}"));
    let figures = listens_at.map(|address| format!("figures at http://{address}/metrics"));
    sockets.into_iter().flatten().chain(logs).chain(figures).collect::<Vec<_>>().join(", ")
}

/// Looks after signals and systemd until the daemon has ended.
fn watch(given: &Given, config: &Config, log: &Log, driver: &Driver, hangup: &AtomicBool, ended: &AtomicBool) {
    let notify = |state: &[NotifyState<'_>]| {
        // Without systemd there is nobody to tell.
        let _ = sd_notify::notify(state);
    };
    let (mut ready, mut beats) = (false, 0);
    // When this was asked to end, of the ticker.
    let mut stopping: Option<i64> = None;
    let mut effective = config.clone();
    while !ended.load(Ordering::Relaxed) {
        std::thread::sleep(LOOK);
        if driver.status.is_ready() && !std::mem::replace(&mut ready, true) {
            log.line(Level::Info, "start", "ready");
            notify(&[NotifyState::Ready]);
        }
        // The watchdog hears of the join thread, not of this one.
        if driver.status.beats() != beats {
            beats = driver.status.beats();
            notify(&[NotifyState::Watchdog]);
        }
        if hangup.swap(false, Ordering::Relaxed) {
            reload(given, &mut effective, log, driver);
        }
        if !driver.stop.load(Ordering::Relaxed) {
            continue;
        }
        let now_ns = (driver.ticker)();
        match stopping {
            None => {
                stopping = Some(now_ns);
                log.line(Level::Info, "stop", "deciding what waits");
                notify(&[NotifyState::Stopping]);
            }
            Some(since_ns) if now_ns.saturating_sub(since_ns) > hard_stop_ns(&effective) => {
                // A sink hangs within a call of its own. Everything is in the segments: this end is no other than a kill.
                log.line(
                    Level::Error,
                    "stop",
                    "a sink does not return; ended without it, what it has not taken is kept in the segments",
                );
                std::process::exit(1);
            }
            Some(_) => {}
        }
    }
}

fn reload(given: &Given, effective: &mut Config, log: &Log, driver: &Driver) {
    match config::load(given) {
        Err(why) => log.line(Level::Error, "reload", &format!("{why}; the settings stay as they were")),
        Ok(fresh) if unknown_user(&fresh).is_some() => {
            let name = unknown_user(&fresh).unwrap_or_default();
            log.line(Level::Error, "reload", &format!("there is no user {name}; the settings stay as they were"));
        }
        Ok(fresh) => {
            log.set(fresh.log_level);
            let (changed, waits) = effective.take_over(&fresh);
            if !waits.is_empty() {
                log.line(Level::Warn, "reload", &format!("changed, but needs a restart: {}", waits.join(", ")));
            }
            driver.reload.put(effective.tunable());
            let changed = if changed.is_empty() { "nothing".to_owned() } else { changed.join(", ") };
            log.line(Level::Info, "reload", &format!("changed: {changed}; reference tables are read again, files opened anew"));
        }
    }
}

/// Whether the system knows every user and group that is named. The error is one sentence.
pub fn check_names(config: &Config) -> Result<(), String> {
    let user = Some(&config.user).filter(|name| !name.is_empty() && User::from_name(name).ok().flatten().is_none()).cloned();
    if let Some(name) = user.or_else(|| unknown_user(config)) {
        return Err(format!("there is no user {name} on this machine"));
    }
    let mut groups = [&config.http_group, &config.network_group, &config.group].into_iter();
    match groups.find(|name| !name.is_empty() && Group::from_name(name).ok().flatten().is_none()) {
        Some(name) => Err(format!("there is no group {name} on this machine")),
        None => Ok(()),
    }
}

/// A user named as a sender whom the system does not know.
fn unknown_user(config: &Config) -> Option<String> {
    let known = |name: &str| User::from_name(name).ok().flatten().is_some();
    config.http_users.iter().chain(&config.network_users).find(|name| !known(name)).cloned()
}

/// How long after the wish to end a sink that does not return is left behind, ns.
fn hard_stop_ns(config: &Config) -> i64 {
    config.stop_ms.saturating_mul(2_000_000).saturating_add(5_000_000_000)
}

fn target(config: &Config) -> Target {
    let named = |name: &str| Some(name.to_owned()).filter(|name| !name.is_empty());
    // DuckDB needs its files and its checking child: Landlock and seccomp are for the sentinel, which sees packets.
    Target { user: named(&config.user), group: named(&config.group), sandbox: Sandbox::Off }
}

/// Whom this process becomes, if it is root now.
fn owner(target: &Target) -> Result<Option<(u32, u32)>, String> {
    if !nix::unistd::geteuid().is_root() {
        return Ok(None);
    }
    let names: Vec<&str> = match &target.user {
        Some(name) => vec![name],
        None => ja4_capture::privilege::DEFAULT_USERS.to_vec(),
    };
    for name in names {
        if let Some(user) = User::from_name(name).map_err(|error| format!("look up user {name}: {error}"))? {
            return Ok(Some((user.uid.as_raw(), user.gid.as_raw())));
        }
    }
    // The reason is told when privileges are given up.
    Ok(None)
}

/// Makes the two spools' folders, as the user who will write there.
fn make_spool(spool: &Path) -> Result<(), String> {
    for folder in [spool.join("journal"), spool.join("outbox")] {
        std::fs::create_dir_all(&folder).map_err(|error| format!("make spool folder {}: {error}", folder.display()))?;
    }
    Ok(())
}

/// Makes the spool's folder and gives it to who will use it.
fn prepare(config: &Config, owner: Option<(u32, u32)>) -> Result<(), String> {
    let spool = config.spool();
    let io = |error: std::io::Error| format!("make spool folder {}: {error}", spool.display());
    let was_there = spool.is_dir();
    std::fs::create_dir_all(spool).map_err(io)?;
    if let Some((uid, gid)) = owner.filter(|_| !was_there) {
        std::os::unix::fs::chown(spool, Some(uid), Some(gid)).map_err(io)?;
    }
    Ok(())
}

#[allow(clippy::disallowed_methods, reason = "the outermost program: a silent stream's time passes as on this clock")]
fn ticker() -> ja4_replay::live::clock::Ticker {
    let begin = Instant::now();
    Arc::new(move || i64::try_from(begin.elapsed().as_nanos()).unwrap_or(i64::MAX))
}

#[allow(clippy::disallowed_methods, reason = "the outermost program: when a migration was applied")]
fn now_ns() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_nanos()).unwrap_or(i64::MAX)
}
