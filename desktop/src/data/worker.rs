//! The thread that owns the store: opens it, answers questions, writes decisions.
//!
//! Promises: one command at a time, the newest of a place wins and replaces the one that waits; the store is opened read-only and
//! confined, and opened for writing only for the moment of a change; a question that nobody wants any more is stopped, also in the
//! middle of its statement; whatever fails is a sentence.
//!
//! Read next: `mod.rs` (who asks), `features.rs` (what is more than a statement).

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use eframe::egui;
use ja4_lab::cycle::settings::Settings;
use ja4_lab::cycle::workshop::Workshop;
use ja4_lab::{explain, sessions};
use ja4_replay::store::remote::Remote;
use ja4_replay::store::{self, Engine, Interrupt, OpenOptions, Statement, Store};

use super::query::Ask;
use super::table::Table;
use super::{Answer, Place, features, is_followed, lab};

/// Something that writes.
pub type Change = Box<dyn FnOnce(&dyn Store) -> Result<(), String> + Send>;

/// What the worker is told.
pub enum Command {
    /// Open this store; with a token where it is a server that wants one.
    Open(PathBuf, Option<String>),
    /// Close it.
    Close,
    /// Answer this.
    Ask {
        /// For whom.
        place: Place,
        /// Of which contents.
        epoch: u64,
        /// What.
        ask: Ask,
    },
    /// Write.
    Change {
        /// What was done, for the person.
        what: &'static str,
        /// How.
        action: Change,
    },
}

/// What the worker tells.
#[derive(Debug)]
pub enum Outcome {
    /// The store is open.
    Opened {
        /// As it was named.
        target: PathBuf,
        /// What runs it.
        engine: Engine,
        /// Its name for people.
        label: String,
    },
    /// It is not, and why.
    Refused {
        /// As it was named.
        target: PathBuf,
        /// A sentence.
        message: String,
    },
    /// An answer.
    Answer {
        /// For whom.
        place: Place,
        /// Of which contents.
        epoch: u64,
        /// To what.
        ask: Ask,
        /// The answer, or a sentence.
        answer: Result<Answer, String>,
    },
    /// Something was written, or not.
    Changed {
        /// What was done.
        what: &'static str,
        /// Whether it worked.
        result: Result<(), String>,
    },
}

#[derive(Default)]
struct Mailbox {
    commands: Vec<Command>,
    outcomes: Vec<Outcome>,
    closed: bool,
    /// Whose question is being answered, and whether that is to stop.
    running: Option<(Place, bool)>,
    stopper: Option<Arc<dyn Interrupt>>,
}

impl Mailbox {
    /// Stops the question that runs, where it is one of these.
    fn stop_running(&mut self, which: impl Fn(Place) -> bool) {
        if let Some((place, stop)) = &mut self.running
            && which(*place)
        {
            *stop = true;
        }
        self.interrupt();
    }

    /// A question may be several statements, and an interruption between two of them is not heard: so it is repeated at every look.
    fn interrupt(&self) {
        if let (Some((_, true)), Some(stopper)) = (self.running, &self.stopper) {
            stopper.interrupt();
        }
    }
}

/// What a question that was stopped is answered.
const STOPPED: &str = "stopped before there was an answer; Ctrl+R asks again";

struct Shared {
    mailbox: Mutex<Mailbox>,
    news: Condvar,
}

impl Shared {
    /// A thread that panicked while holding the mailbox leaves it usable: it is a list.
    fn lock(&self) -> MutexGuard<'_, Mailbox> {
        self.mailbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Handle of the thread.
pub struct Worker {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").finish_non_exhaustive()
    }
}

impl Worker {
    /// Starts the thread; it asks `ctx` for a frame whenever it has news.
    pub fn start(ctx: &egui::Context) -> Self {
        let shared = Arc::new(Shared { mailbox: Mutex::default(), news: Condvar::new() });
        let (theirs, ctx) = (Arc::clone(&shared), ctx.clone());
        std::thread::spawn(move || serve(&theirs, &ctx));
        Self { shared }
    }

    /// Leaves a command. A question replaces the one that waits for the same place, and stops the one that runs for it.
    pub fn send(&self, command: Command) {
        let mut mailbox = self.shared.lock();
        match &command {
            Command::Ask { place, .. } => {
                let same = |waiting: &Command| matches!(waiting, Command::Ask { place: other, .. } if other == place);
                mailbox.commands.retain(|waiting| !same(waiting));
                let place = *place;
                mailbox.stop_running(|running| running == place);
            }
            Command::Open(..) | Command::Close => {
                mailbox.commands.retain(|waiting| matches!(waiting, Command::Change { .. }));
                mailbox.stop_running(|_| true);
            }
            Command::Change { .. } => {}
        }
        mailbox.commands.push(command);
        drop(mailbox);
        self.shared.news.notify_one();
    }

    /// Stops the questions of these places: what waits is answered at once, what runs is interrupted.
    pub fn stop(&self, which: impl Fn(Place) -> bool) {
        let mut mailbox = self.shared.lock();
        let (stopped, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut mailbox.commands)
            .into_iter()
            .partition(|waiting| matches!(waiting, Command::Ask { place, .. } if which(*place)));
        mailbox.commands = kept;
        for command in stopped {
            if let Command::Ask { place, epoch, ask } = command {
                mailbox.outcomes.push(Outcome::Answer { place, epoch, ask, answer: Err(STOPPED.to_owned()) });
            }
        }
        mailbox.stop_running(which);
    }

    /// Takes what was finished.
    pub fn take(&self) -> Vec<Outcome> {
        let mut mailbox = self.shared.lock();
        mailbox.interrupt();
        std::mem::take(&mut mailbox.outcomes)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let mut mailbox = self.shared.lock();
        mailbox.closed = true;
        mailbox.stop_running(|_| true);
        drop(mailbox);
        self.shared.news.notify_one();
    }
}

fn serve(shared: &Shared, ctx: &egui::Context) {
    let mut open = Open::default();
    loop {
        let command = {
            let mut mailbox = shared.lock();
            loop {
                if mailbox.closed {
                    return;
                }
                if !mailbox.commands.is_empty() {
                    let command = mailbox.commands.remove(0);
                    mailbox.running = if let Command::Ask { place, .. } = &command { Some((*place, false)) } else { None };
                    mailbox.stopper = open.store.as_ref().map(|store| store.interrupter());
                    break command;
                }
                mailbox = shared.news.wait(mailbox).unwrap_or_else(PoisonError::into_inner);
            }
        };
        let outcome = open.obey(command);
        let mut mailbox = shared.lock();
        let stopped = mailbox.running.take().filter(|(_, stop)| *stop).map(|(place, _)| place);
        // Where a newer question made it stop, only that one is answered.
        let newer = |place| move |waiting: &Command| matches!(waiting, Command::Ask { place: other, .. } if *other == place);
        let replaced = stopped.is_some_and(|place| mailbox.commands.iter().any(newer(place)));
        if let Some(mut outcome) = outcome.filter(|_| !replaced) {
            if let (Some(_), Outcome::Answer { answer: answer @ Err(_), .. }) = (stopped, &mut outcome) {
                *answer = Err(STOPPED.to_owned());
            }
            mailbox.outcomes.push(outcome);
            ctx.request_repaint();
        }
    }
}

/// The store, as long as it is open.
#[derive(Default)]
struct Open {
    target: PathBuf,
    token: Option<String>,
    store: Option<Box<dyn Store>>,
}

impl Open {
    fn obey(&mut self, command: Command) -> Option<Outcome> {
        match command {
            Command::Close => {
                self.store = None;
                None
            }
            Command::Open(target, token) => {
                self.store = None;
                self.target.clone_from(&target);
                self.token = token;
                Some(match self.reopen() {
                    Ok((engine, label)) => Outcome::Opened { target, engine, label },
                    Err(message) => Outcome::Refused { target, message },
                })
            }
            Command::Ask { place, epoch, ask } => {
                let answer = match &self.store {
                    Some(store) => answer(&**store, &ask),
                    None => Err("no database is open; open one with Ctrl+O".to_owned()),
                };
                Some(Outcome::Answer { place, epoch, ask, answer })
            }
            Command::Change { what, action } => {
                // One engine opens a file once: the reading connection has to go first.
                self.store = None;
                let result = if is_followed(&self.target) { Err(ONLY_READ.to_owned()) } else { write(&self.target, action) };
                let again = self.reopen().map(|_| ());
                Some(Outcome::Changed { what, result: result.and(again) })
            }
        }
    }

    fn reopen(&mut self) -> Result<(Engine, String), String> {
        let store: Box<dyn Store> = match (&self.token, self.target.to_str()) {
            (Some(token), Some(url)) if is_followed(&self.target) => {
                Box::new(Remote::with_token(url, token).map_err(|error| error.to_string())?)
            }
            _ => sessions::open_confined(&self.target).map_err(|error| error.to_string())?,
        };
        let found = (store.engine(), store.label());
        self.store = Some(store);
        Ok(found)
    }
}

/// Why nothing is decided over HTTP.
const ONLY_READ: &str =
    "this database is written by the `ja4-lab live` that is followed here; decide with `ja4-lab feedback` once it has ended";

fn write(target: &Path, action: Change) -> Result<(), String> {
    let mut store = store::open(target, &OpenOptions::default()).map_err(|error| error.to_string())?;
    store.migrate().map_err(|error| error.to_string())?;
    action(&*store)?;
    store.checkpoint().map_err(|error| error.to_string())
}

fn answer(store: &dyn Store, ask: &Ask) -> Result<Answer, String> {
    let table = |table: Table| Ok(Answer::Table(Arc::new(table)));
    match ask {
        Ask::Statement { sql, .. } => {
            let Some((text, values)) = ask.text(store.engine()) else { return Err("this question has no text".to_owned()) };
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            let batches = store.ask(&Statement::shared(&text), &values);
            table(Table::from_batches(&batches.map_err(|error| format!("{}: {error}", sql.name))?))
        }
        Ask::Typed(text) => table(Table::from_batches(&store.query(text).map_err(|error| error.to_string())?)),
        Ask::Explain { session, ip } => {
            let text = explain::explain(store, session.as_deref(), ip.as_deref()).map_err(|error| error.to_string())?;
            Ok(Answer::Text(text.into()))
        }
        Ask::Workshop => {
            let found = Workshop::open(store, &Settings::default()).map_err(|error| error.to_string())?;
            Ok(Answer::Workshop(Arc::new(found)))
        }
        Ask::Stage(session) => {
            let found = Workshop::of_session(store, session).map_err(|error| error.to_string())?;
            Ok(Answer::Workshop(Arc::new(found)))
        }
        Ask::Features => table(features::distributions(store)?),
        Ask::Map => table(features::map(store)?),
        Ask::Compare { then, now, aspect } => table(lab::compare(store, *then, *now, aspect)?),
        Ask::RulesTested => table(lab::rules_tested(store)?),
        Ask::Registry(db) => table(lab::registry(db)?),
        Ask::ModelDiff { db, first, second } => table(lab::model_diff(store, db, [first, second])?),
        Ask::Packets { captures, client, at_ns } => table(lab::packets(captures, client, *at_ns)?),
    }
}
