//! Between views and the store: questions, a thread that answers them, answers as typed tables.
//!
//! Promises: a frame never waits; the newest question of a place wins; at most one question a place waits, so the queue is bounded
//! by the number of places; an error is kept as its sentence.
//!
//! Read next: [`worker`], [`query`], [`table`].

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

use ja4_replay::store::Engine;

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
}

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
    /// What is open.
    pub opened: Opened,
    /// Why nothing is open.
    pub refused: Option<String>,
    opening: bool,
}

impl Data {
    /// A worker without a store.
    pub fn new(ctx: &eframe::egui::Context) -> Self {
        Self {
            worker: Worker::start(ctx),
            held: BTreeMap::new(),
            epoch: 0,
            opened: Opened::default(),
            refused: None,
            opening: false,
        }
    }

    /// Opens `target` (a path or URL); what was open is closed first.
    pub fn open(&mut self, target: &Path) {
        self.opening = true;
        self.refused = None;
        self.opened = Opened { label: target.display().to_string(), target: target.to_path_buf(), engine: None };
        self.forget();
        self.worker.send(Command::Open(target.to_path_buf()));
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
        self.opening || self.held.values().any(|held| held.waiting)
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

    /// Reads everything again.
    pub fn refresh(&mut self) {
        self.epoch += 1;
    }

    fn forget(&mut self) {
        self.held.clear();
        self.epoch += 1;
    }

    /// Asks, unless just that was asked of the same contents; what was answered before stays until the new answer is there.
    pub fn want(&mut self, place: Place, ask: Ask) {
        if !self.is_open() {
            return;
        }
        let held = self.held.entry(place).or_default();
        if held.asked.as_ref().is_some_and(|(epoch, asked)| *epoch == self.epoch && *asked == ask) {
            return;
        }
        held.asked = Some((self.epoch, ask.clone()));
        held.waiting = true;
        self.worker.send(Command::Ask { place, epoch: self.epoch, ask });
    }

    /// What is known for a place.
    #[must_use]
    pub fn get(&self, place: Place) -> Loaded<'_> {
        match self.held.get(&place).and_then(|held| held.answer.as_ref()) {
            None => Loaded::Waiting,
            Some(Err(message)) => Loaded::Failed(message),
            Some(Ok(Answer::Table(table))) => Loaded::Table(table),
            Some(Ok(Answer::Text(text))) => Loaded::Text(text),
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
                        self.epoch += 1;
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
                    let held = self.held.entry(place).or_default();
                    if held.asked.as_ref() == Some(&(epoch, ask)) {
                        held.answer = Some(answer);
                        held.waiting = false;
                    }
                }
                Outcome::Changed { what, result } => {
                    self.epoch += 1;
                    told.push(result.map(|()| what.to_owned()));
                }
            }
        }
        told
    }
}
