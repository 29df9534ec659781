//! What the figures of a case rest on: asked of the store by itself, written into the case, compared when a case is opened elsewhere.
//!
//! Promises: a case that is saved names every input, model and run, whatever was looked at before; a case that is opened says what this
//! database lacks as soon as both are open, and again for the next database.
//!
//! Read next: `case.rs`, `act.rs`.

use std::path::PathBuf;

use super::app::App;
use super::case::{Case, CaseSearch};
use crate::data::query::Ask;
use crate::data::table::Table;
use crate::data::{Place, statements};

const INPUTS: Place = ("case", "inputs");
const MODELS: Place = ("case", "models");
const RUNS: Place = ("case", "runs");

/// What is still to be done about a case.
#[derive(Debug, Default)]
pub struct Custody {
    /// It is to be saved here once everything is known.
    pub save_to: Option<PathBuf>,
    /// Somebody is about to save or report it.
    pub wanted: bool,
    /// It was opened, and is to be compared with what is open.
    pub compare: bool,
    compared: Option<u64>,
}

impl App {
    /// Asks what a case rests on, and does what waited for the answers.
    pub(super) fn look_at_case(&mut self) {
        if !self.data.is_open() || !(self.custody.wanted || self.custody.compare) {
            return;
        }
        for (place, sql) in [(INPUTS, statements::INPUTS), (MODELS, statements::MODELS), (RUNS, statements::RUNS)] {
            self.data.want(place, Ask::plain(sql, &[], 100_000));
        }
        if [INPUTS, MODELS, RUNS].iter().any(|place| self.data.is_waiting(*place)) {
            return;
        }
        if let Some(path) = self.custody.save_to.take() {
            self.record_case();
            self.told = Some(self.case.save(&path).map(|()| format!("saved {}", path.display())));
        }
        if self.custody.compare && self.custody.compared != Some(self.data.contents()) {
            self.custody.compared = Some(self.data.contents());
            let missing = self.case.missing(self.held(INPUTS), self.held(MODELS), self.held(RUNS));
            self.told = Some(Ok(match missing.as_slice() {
                [] => "case opened; everything it rests on is here".to_owned(),
                missing => format!("case opened; {} missing here: {}", missing.len(), missing.join("; ")),
            }));
        }
    }

    fn held(&self, place: Place) -> Option<&Table> {
        self.data.table(place).map(AsRef::as_ref)
    }

    /// Writes the present search and what the figures rest on into the case.
    pub(super) fn record_case(&mut self) {
        let search = CaseSearch { text: self.scope.text.clone(), span: self.scope.span };
        if !self.case.searches.contains(&search) {
            self.case.searches.push(search);
        }
        let mut case: Case = std::mem::take(&mut self.case);
        case.record(&self.data.opened.label, self.held(INPUTS), self.held(MODELS), self.held(RUNS));
        self.case = case;
    }
}
