//! Between views and the store: questions, a thread that answers them, answers as typed tables.
//!
//! Promises: a frame never waits; the newest question of a place wins; at most one question a place waits, so the queue is bounded
//! by the number of places; an error is kept as its sentence.
//!
//! Read next: [`worker`], [`query`], [`table`].

pub mod background;
pub mod export;
pub mod features;
pub mod lab;
pub mod query;
pub mod statements;
pub mod table;
pub mod worker;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ja4_lab::cycle::workshop::Workshop;
use ja4_replay::store::Engine;

use self::background::{Background, Running};
use self::query::Ask;
use self::table::Table;
use self::worker::{Command, Outcome, Worker};

/// Where an answer is shown: a view and a name within it.
pub type Place = (&'static str, &'static str);

/// What was answered: a table, or a text.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Rows.
    Table(Arc<Table>),
    /// Text for people, not yet escaped.
    Text(Arc<str>),
    /// What models are made of.
    Workshop(Arc<Workshop>),
}

/// Whether a target is a server whose database another process is writing.
#[must_use]
pub fn is_followed(target: &Path) -> bool {
    target.to_str().is_some_and(|text| text.starts_with("http://"))
}

/// Where what models are made of is held, for every view that fits or tries models.
pub const WORKSHOP: Place = ("lab", "workshop");

#[derive(Debug, Default)]
struct Held {
    asked: Option<(u64, Ask)>,
    answer: Option<Result<Answer, String>>,
    waiting: bool,
}

/// What a view sees of its answer.
#[derive(Debug)]
pub enum Loaded<'a> {
    /// Nothing is known yet.
    Waiting,
    /// The sentence of an error.
    Failed(&'a str),
    /// Rows.
    Table(&'a Arc<Table>),
    /// Text.
    Text(&'a Arc<str>),
    /// What models are made of.
    Workshop(&'a Arc<Workshop>),
}

/// What is known of the store that is open.
#[derive(Debug, Clone, Default)]
pub struct Opened {
    /// Its name: a path, or a URL without its password.
    pub label: String,
    /// Its path or URL as given.
    pub target: PathBuf,
    /// Engine, once it is open.
    pub engine: Option<Engine>,
}

/// The questions and answers of all views.
#[derive(Debug)]
pub struct Data {
    worker: Worker,
    held: BTreeMap<Place, Held>,
    /// Raised whenever the store may hold other rows than before.
    epoch: u64,
    /// Raised with it, but not by looks at a growing database: models are not fitted anew every few seconds.
    contents: u64,
    /// Why the last look at a growing database failed; what is shown is older.
    pub lost: Option<String>,
    /// What is open.
    pub opened: Opened,
    /// Why nothing is open.
    pub refused: Option<String>,
    opening: bool,
    running: Running,
}

impl Data {
    /// A worker without a store.
    pub fn new(ctx: &eframe::egui::Context) -> Self {
        Self {
            worker: Worker::start(ctx),
            held: BTreeMap::new(),
            epoch: 0,
            contents: 0,
            lost: None,
            opened: Opened::default(),
            refused: None,
            opening: false,
            running: Running::new(ctx),
        }
    }

    /// Computes something on a thread of its own, without the store.
    pub fn background<T: Send + 'static>(&self, work: impl FnOnce(&background::Told) -> T + Send + 'static) -> Background<T> {
        self.running.start(work)
    }

    /// Opens `target` (a path or URL) with a token where one is needed; what was open is closed first.
    pub fn open(&mut self, target: &Path, token: Option<String>) {
        self.opening = true;
        self.refused = None;
        self.opened = Opened { label: target.display().to_string(), target: target.to_path_buf(), engine: None };
        self.forget();
        self.worker.send(Command::Open(target.to_path_buf(), token));
    }

    /// Closes the store, e.g. so that a replay may write to it; `open` opens it again.
    pub fn close(&mut self) {
        self.opened = Opened::default();
        self.forget();
        self.worker.send(Command::Close);
    }

    /// Writes through `action` with a store that may be written to, then reads everything again.
    pub fn change(&mut self, what: &'static str, action: worker::Change) {
        self.worker.send(Command::Change { what, action });
    }

    /// Whether a store is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.opened.engine.is_some()
    }

    /// Whether one is being opened.
    #[must_use]
    pub fn is_opening(&self) -> bool {
        self.opening
    }

    /// Whether anything is being computed.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.opening || self.running.any() || self.is_asking()
    }

    /// Engine of the open store.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.opened.engine.unwrap_or(Engine::DuckDb)
    }

    /// Number that changes with the contents of the store.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Number that changes with the contents of the store, but not with looks at a growing one.
    #[must_use]
    pub fn contents(&self) -> u64 {
        self.contents
    }

    /// Whether the open store is one that another process is writing.
    #[must_use]
    pub fn is_followed(&self) -> bool {
        is_followed(&self.opened.target)
    }

    /// Reads everything again.
    pub fn refresh(&mut self) {
        self.epoch += 1;
        self.contents += 1;
    }

    /// Looks at a growing database again: tables, not what models are made of.
    pub fn look_again(&mut self) {
        self.epoch += 1;
    }

    fn forget(&mut self) {
        self.held.clear();
        self.lost = None;
        self.refresh();
    }

    /// Asks, unless just that was asked of the same contents; what was answered before stays until the new answer is there.
    pub fn want(&mut self, place: Place, ask: Ask) {
        if !self.is_open() {
            return;
        }
        let held = self.held.entry(place).or_default();
        let epoch = if ask.is_heavy() { self.contents } else { self.epoch };
        if held.asked.as_ref().is_some_and(|(asked_of, asked)| *asked_of == epoch && *asked == ask) {
            return;
        }
        held.asked = Some((epoch, ask.clone()));
        held.waiting = true;
        self.worker.send(Command::Ask { place, epoch, ask });
    }

    /// Asks, also where just that was asked before.
    pub fn ask_anew(&mut self, place: Place, ask: Ask) {
        if let Some(held) = self.held.get_mut(&place) {
            held.asked = None;
        }
        self.want(place, ask);
    }

    /// Stops what is being asked for a place: a statement that runs is interrupted.
    pub fn stop(&self, place: Place) {
        self.worker.stop(|asked_for| asked_for == place);
    }

    /// Stops everything that is being asked.
    pub fn stop_all(&self) {
        self.worker.stop(|_| true);
    }

    /// Whether any question waits for its answer.
    #[must_use]
    pub fn is_asking(&self) -> bool {
        self.held.values().any(|held| held.waiting)
    }

    /// What is known for a place.
    #[must_use]
    pub fn get(&self, place: Place) -> Loaded<'_> {
        match self.held.get(&place).and_then(|held| held.answer.as_ref()) {
            None => Loaded::Waiting,
            Some(Err(message)) => Loaded::Failed(message),
            Some(Ok(Answer::Table(table))) => Loaded::Table(table),
            Some(Ok(Answer::Text(text))) => Loaded::Text(text),
            Some(Ok(Answer::Workshop(workshop))) => Loaded::Workshop(workshop),
        }
    }

    /// The table of a place, where there is one.
    #[must_use]
    pub fn table(&self, place: Place) -> Option<&Arc<Table>> {
        match self.get(place) {
            Loaded::Table(table) => Some(table),
            _ => None,
        }
    }

    /// Whether a newer answer is on its way.
    #[must_use]
    pub fn is_waiting(&self, place: Place) -> bool {
        self.held.get(&place).is_some_and(|held| held.waiting)
    }

    /// What was asked for a place.
    #[must_use]
    pub fn asked(&self, place: Place) -> Option<&Ask> {
        self.held.get(&place).and_then(|held| held.asked.as_ref()).map(|(_, ask)| ask)
    }

    /// Takes what the worker finished; gives sentences for the person (what was written, what failed).
    pub fn receive(&mut self) -> Vec<Result<String, String>> {
        let mut told = Vec::new();
        for outcome in self.worker.take() {
            match outcome {
                Outcome::Opened { target, engine, label } => {
                    if target == self.opened.target {
                        self.opened = Opened { label, target, engine: Some(engine) };
                        self.opening = false;
                        self.refresh();
                    }
                }
                Outcome::Refused { target, message } => {
                    if target == self.opened.target {
                        self.opened.engine = None;
                        self.opening = false;
                        self.refused = Some(message);
                    }
                }
                Outcome::Answer { place, epoch, ask, answer } => {
                    let followed = self.is_followed();
                    let held = self.held.entry(place).or_default();
                    if held.asked.as_ref() == Some(&(epoch, ask)) {
                        held.waiting = false;
                        let has_rows = matches!(held.answer, Some(Ok(_)));
                        match answer {
                            // Older rows are worth more than none; the line at the bottom says that they are old.
                            Err(message) if followed && has_rows => self.lost = Some(message),
                            answer => {
                                if followed && answer.is_ok() {
                                    self.lost = None;
                                }
                                held.answer = Some(answer);
                            }
                        }
                    }
                }
                Outcome::Changed { what, result } => {
                    self.refresh();
                    told.push(result.map(|()| what.to_owned()));
                }
            }
        }
        told
    }
}
