//! `detect` (cycles as a service) and `blocklist`.
//!
//! Promises: secrets are read from files or the environment only; SIGTERM and SIGINT end the service cleanly; systemd is told when
//! it is ready.
//!
//! Read next: `crate::service`.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use signal_hook::consts::{SIGINT, SIGTERM};

use super::args::{BlocklistArgs, DetectArgs};
use super::console::Console;
use crate::cycle::settings::Settings;
use crate::error::LabError;
use crate::registry::Registry;
use crate::retrain::Keeping;
use crate::service::alert::Targets;
use crate::service::blocklist::{self, Wish};
use crate::service::http::token::{self, Token};
use crate::service::http::{Limit, Listen};
use crate::service::{self, Clock, Plan, Say, link};
use crate::sessions;

/// Variable that may hold the URL alerts are posted to.
const WEBHOOK_VARIABLE: &str = "JA4_ALERT_WEBHOOK";

pub fn run(args: &DetectArgs, threads: usize, console: &Console) -> Result<(), LabError> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        // A second signal ends the program at once.
        signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
            .map_err(|error| LabError::Ask(format!("listen for signals: {error}")))?;
    }
    let plan = plan(args, threads)?;
    let told = console.clone();
    let say: Say = Arc::new(move |text: &str| told.note(text));
    service::run(&plan, clock(), &say, &stop)
}

pub fn blocklist(args: &BlocklistArgs, console: &Console) -> Result<(), LabError> {
    let store = sessions::open_confined(&args.db)?;
    let newest_ns = link::newest(&*store)?;
    let from_ms = if args.window == 0 { i64::MIN / 2 } else { newest_ns.saturating_sub(args.window) / 1_000_000 };
    let wish = Wish { from: args.min_severity.place(), range_ms: (from_ms, i64::MAX / 2) };
    let list = blocklist::collect(&*store, &wish)?;
    let format = args.format.into();
    if list.entries.is_empty() {
        console.note("no address is to be blocked: no session of that severity in that time, or all of them are trusted");
    }
    if list.trusted + list.unfit > 0 {
        console.note(&format!("left out: {} trusted addresses, {} that would hurt this site", list.trusted, list.unfit));
    }
    if list.left_to_servers(format) > 0 {
        console.note(&format!(
            "left out: {} addresses behind a proxy, which only the web server can block",
            list.left_to_servers(format)
        ));
    }
    let text = list.render(format);
    if args.output == Path::new("-") {
        return console.bytes(text.as_bytes());
    }
    blocklist::write_whole(&args.output, &text)?;
    console.note(&format!("wrote {} addresses to {}", list.entries.len(), args.output.display()));
    Ok(())
}

fn plan(args: &DetectArgs, threads: usize) -> Result<Plan, LabError> {
    let webhook = secret(args.alert_webhook_file.as_deref(), WEBHOOK_VARIABLE)?;
    if let Some(url) = &webhook
        && !url.starts_with("https://")
        && !url.starts_with("http://")
    {
        return Err(LabError::Ask(format!("the webhook's address must begin with https:// or http:// ({WEBHOOK_VARIABLE})")));
    }
    Ok(Plan {
        db: args.db.clone(),
        threads,
        every_ns: args.every,
        window_ns: args.window,
        once: args.once,
        settings: Settings::parse(&args.settings)?,
        model: args.model.clone(),
        keeping: args.models.as_deref().map(|folder| Keeping {
            registry: Registry::new(folder),
            holdout_ns: args.holdout,
            learn_ns: args.learn,
        }),
        listen: listen(args)?,
        alerts: Targets {
            webhook,
            syslog: args.alert_syslog.clone(),
            file: args.alert_file.clone(),
            from: args.alert_min.place(),
        },
        grace_ns: args.grace,
    })
}

fn listen(args: &DetectArgs) -> Result<Option<Listen>, LabError> {
    let Some(address) = args.listen else { return Ok(None) };
    let token = match &args.token_file {
        Some(path) => Some(Token::read(path)?),
        None => match std::env::var(token::VARIABLE) {
            Ok(text) => Some(Token::new(&text, token::VARIABLE)?),
            Err(_) => None,
        },
    };
    Ok(Some(Listen { address, token, rate: Limit { per_second: args.rate, burst: args.rate * 2.0 } }))
}

/// A line from a file or a variable; the file wins.
fn secret(file: Option<&Path>, variable: &str) -> Result<Option<String>, LabError> {
    let text = match file {
        Some(path) => Some(std::fs::read_to_string(path).map_err(LabError::io("read", path))?),
        None => std::env::var(variable).ok(),
    };
    Ok(text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
}

fn clock() -> Clock {
    Clock { wall_ns: Console::now_ns, steady_ns }
}

/// Steady clock, ns since the first call.
#[allow(clippy::disallowed_methods, reason = "the command line is the outermost driver")]
fn steady_ns() -> i64 {
    static BEGIN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    i64::try_from(BEGIN.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(i64::MAX)
}
