//! Adversary rehearsal: a session is changed as its client could change it, and the voices answer as the controls move.
//!
//! Promises: the models are those that judge (in use beside the database, or of the last scoring run); what is shown is what
//! `ja4-lab rehearse` prints for the command that can be copied; nothing is written.
//!
//! Read next: `ui.rs` (its parts), `ja4_lab::rehearse`.

mod ui;

use std::collections::BTreeMap;
use std::sync::Arc;

use eframe::egui;
use ja4_lab::cycle::settings::Settings;
use ja4_lab::rehearse::{Moved, Rehearsal, Trial};
use ja4_models::stop;

use super::{Cx, Need, View};
use crate::data::background::Background;
use crate::data::query::Ask;
use crate::data::{Loaded, Place, statements};
use crate::widgets::{notice, rows_or_reason};

/// What stands on stage: a session, of which contents of the store.
type Of = (String, u64);

/// The view.
#[derive(Debug, Default)]
pub struct Rehearsals {
    of: Of,
    fitting: Option<Background<Result<Rehearsal, String>>>,
    on_stage: Option<Result<Arc<Rehearsal>, String>>,
    choice: Choice,
    tried: Option<(Vec<String>, Result<Trial, String>)>,
    nearest: Nearest,
    filter: String,
}

/// What was set.
#[derive(Debug, Clone, Default, PartialEq)]
struct Choice {
    controls: BTreeMap<&'static str, &'static str>,
    /// Times as many requests a minute; 0 is as measured.
    rate: f64,
    features: BTreeMap<String, f64>,
}

impl Choice {
    /// The same as the command line takes them.
    fn changes(&self) -> Vec<String> {
        let mut changes: Vec<String> = self.controls.iter().map(|(control, position)| format!("{control}={position}")).collect();
        if self.rate > 0.0 {
            changes.push(format!("rate={}", self.rate));
        }
        changes.extend(self.features.iter().map(|(feature, value)| format!("{feature}={value}")));
        changes
    }
}

/// The nearest change that passes, looked for beside the frames.
#[derive(Debug, Default)]
struct Nearest {
    of: Vec<String>,
    found: Option<Result<Option<Vec<Moved>>, String>>,
    running: Option<Background<Result<Option<Vec<Moved>>, String>>>,
}

const ID: &str = "rehearsal";

const STAGE: Place = (ID, "stage");

impl View for Rehearsals {
    fn id(&self) -> &'static str {
        ID
    }

    fn title(&self) -> &'static str {
        "Rehearsal"
    }

    fn icon(&self) -> &'static str {
        "⇄"
    }

    fn about(&self) -> &'static str {
        "Change a session as its client could, watch the voices, and see the nearest change that would pass."
    }

    fn queries(&self, need: &Need<'_>) -> Vec<(&'static str, Ask)> {
        let ip = need.scope.ip.as_str();
        if ip.is_empty() { Vec::new() } else { vec![("sessions", Ask::plain(statements::IP_SESSIONS, &[ip, ip], 1_000))] }
    }

    fn ui(&mut self, ui: &mut egui::Ui, cx: &mut Cx<'_>) {
        if !cx.data.is_open() || cx.scope.ip.is_empty() {
            rows_or_reason(ui, cx.data, (ID, "none"), self.empty_reason());
            if cx.data.is_open() {
                notice(ui, self.empty_reason(), false);
            }
            return;
        }
        let empty = "No scored session came from this address, so there is nothing to rehearse.";
        let Some(table) = rows_or_reason(ui, cx.data, (ID, "sessions"), empty) else { return };
        let worst = table.text(0, "session_id").into_owned();
        let session = if cx.scope.session.is_empty() { worst } else { cx.scope.session.clone() };
        self.take_on_stage(cx, session);
        match &self.on_stage {
            Some(Ok(rehearsal)) => {
                let rehearsal = Arc::clone(rehearsal);
                self.follow(cx, &rehearsal);
                self.show(ui, cx, &rehearsal);
            }
            Some(Err(message)) => notice(ui, message, true),
            None => self.waiting(ui, cx),
        }
    }

    fn empty_reason(&self) -> &'static str {
        "No session is being looked into: double-click a row in Sessions, then press Rehearse."
    }
}

impl Rehearsals {
    /// Begins with another session, once everything about it is there.
    fn take_on_stage(&mut self, cx: &mut Cx<'_>, session: String) {
        let of = (session, cx.data.contents());
        if self.of != of {
            *self = Self { filter: std::mem::take(&mut self.filter), ..Self { of, ..Self::default() } };
        }
        cx.data.want(STAGE, Ask::Stage(self.of.0.clone()));
        if let Some(done) = self.fitting.as_ref().and_then(Background::take) {
            self.on_stage = Some(done.map(Arc::new));
            self.fitting = None;
        }
        if self.on_stage.is_some() || self.fitting.is_some() || cx.data.is_waiting(STAGE) {
            return;
        }
        match cx.data.get(STAGE) {
            Loaded::Failed(message) => self.on_stage = Some(Err(message.to_owned())),
            Loaded::Workshop(workshop) => {
                let (workshop, session, db) = (Arc::clone(workshop), self.of.0.clone(), cx.data.opened.target.clone());
                self.fitting = Some(cx.data.background(move |told| {
                    told.phase("asking the models that judge...", 0.3);
                    let fit = || Rehearsal::in_workshop(&workshop, &db, &session, None, &Settings::default());
                    let made = stop::unless(told.stop_flag(), fit);
                    made.map_err(|error| error.to_string())
                }));
            }
            _ => {}
        }
    }

    fn waiting(&self, ui: &mut egui::Ui, cx: &Cx<'_>) {
        let (phase, _) = self.fitting.as_ref().map(Background::state).unwrap_or_default();
        ui.horizontal(|ui| {
            ui.spinner();
            ui.weak(if cx.data.is_waiting(STAGE) { "reading the features of its sessions..." } else { phase.as_str() });
        });
    }

    /// Tries on what is set, and looks for the nearest change from there.
    fn follow(&mut self, cx: &Cx<'_>, rehearsal: &Arc<Rehearsal>) {
        let changes = self.choice.changes();
        if self.tried.as_ref().is_none_or(|(of, _)| *of != changes) {
            let tried = tried(rehearsal, &changes).map_err(|error| error.to_string());
            self.tried = Some((changes.clone(), tried));
        }
        if let Some(done) = self.nearest.running.as_ref().and_then(Background::take) {
            self.nearest.found = Some(done);
            self.nearest.running = None;
        }
        let Some((_, Ok(trial))) = &self.tried else { return };
        // One search at a time: a newer one begins when the last has ended.
        if self.nearest.running.is_none() && (self.nearest.found.is_none() || self.nearest.of != changes) {
            let (rehearsal, values) = (Arc::clone(rehearsal), trial.values.clone());
            self.nearest.of = changes;
            self.nearest.found = None;
            self.nearest.running =
                Some(cx.data.background(move |_| rehearsal.nearest(&values).map_err(|error| error.to_string())));
        }
    }
}

fn tried(rehearsal: &Rehearsal, changes: &[String]) -> Result<Trial, ja4_lab::error::LabError> {
    let mut values = rehearsal.measured().values.clone();
    for change in changes {
        rehearsal.apply(&mut values, change)?;
    }
    rehearsal.try_on(values)
}
