//! An adversary's rehearsal: one session, changed as its client could change it, before the voices that judge it.
//!
//! Promises: the same models as a scoring run; nothing is written; features that were not named stay as they were measured, so a
//! feature that follows from a changed one has to be named too (`coherence_score` above all); what is told follows from the changes in
//! their order, so the command line and the desktop say the same.
//!
//! Read next: `controls.rs` (what a client can change), `../cycle/workshop.rs` (the models), `../cycle/change.rs` (nearest change).

pub mod controls;

use std::fmt::Write as _;
use std::path::Path;

use ja4_replay::store::Store;
use serde::Serialize;

use crate::cycle::models::Opinion;
use crate::cycle::settings::Settings;
use crate::cycle::workshop::{Bench, Workshop};
use crate::error::LabError;
use crate::registry::Registry;
use crate::render::visible;

/// A session on stage.
#[derive(Debug)]
pub struct Rehearsal {
    /// Its id.
    pub session: String,
    /// Who it is, in a line.
    pub who: String,
    /// Where the model comes from, as a sentence.
    pub origin: String,
    bench: Bench,
    measured: Trial,
}

/// A feature that was changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Moved {
    /// Feature.
    pub feature: String,
    /// As measured.
    pub from: f64,
    /// As tried.
    pub to: f64,
}

/// What a changed session would be told.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// Its values, in the order of the bench's features.
    pub values: Vec<f64>,
    /// What the voices say.
    pub opinion: Opinion,
    /// Whether that is anomalous.
    pub anomalous: bool,
}

impl Rehearsal {
    /// Takes `session` on stage, before the models of the folder `model`, or those in use beside the database, or else those that the last
    /// scoring run left in the store; fitted here where `settings` are not the usual ones or none are kept.
    ///
    /// # Errors
    /// No such session, a model that cannot be used, or the engine's refusal.
    pub fn new(store: &dyn Store, db: &Path, session: &str, model: Option<&Path>, settings: &Settings) -> Result<Self, LabError> {
        // Other settings make other models; the usual ones were fitted by the last scoring run.
        let usual = *settings == Settings::default();
        let workshop = if usual { Workshop::of_session(store, session) } else { Workshop::open(store, settings) };
        Self::in_workshop(&workshop?, db, session, model, settings)
    }

    /// The same, with what was read already.
    ///
    /// # Errors
    /// As [`Rehearsal::new`].
    pub fn in_workshop(
        workshop: &Workshop,
        db: &Path,
        session: &str,
        model: Option<&Path>,
        settings: &Settings,
    ) -> Result<Self, LabError> {
        let (row, kind) = workshop.find(session).ok_or_else(|| {
            LabError::Ask(format!("rehearse: no stored session has the id {session:?}; `ja4-lab sessions` lists them"))
        })?;
        let registry = Registry::beside(db);
        let current = if model.is_none() { registry.current()?.current } else { String::new() };
        let in_use = if current.is_empty() { None } else { Some(registry.checked_folder(&current)?) };
        let folder = model.or(in_use.as_deref());
        let bench = workshop.bench(kind, settings, folder)?;
        let origin = match (model, &in_use) {
            (Some(folder), _) => format!("from {}", folder.display()),
            (None, Some(_)) => format!("version {current}, in use"),
            (None, None) => workshop.origin().to_owned(),
        };
        let values = bench.values(row).map(<[f64]>::to_vec).unwrap_or_default();
        let measured = trial(&bench, values)?;
        let host = workshop.text(row, "host");
        let who = format!("{} to {}", visible(&workshop.text(row, "src_ip")), visible(&host));
        Ok(Self { session: session.to_owned(), who, origin, bench, measured })
    }

    /// The model on the bench.
    #[must_use]
    pub fn bench(&self) -> &Bench {
        &self.bench
    }

    /// The session as it was measured.
    #[must_use]
    pub fn measured(&self) -> &Trial {
        &self.measured
    }

    /// Applies `text` (`FEATURE=NUMBER`, `FEATURE=people`, `CONTROL=POSITION`, `rate=TIMES`) to `values`.
    ///
    /// # Errors
    /// No such feature, control or position, or a value that is no number, as a sentence.
    pub fn apply(&self, values: &mut [f64], text: &str) -> Result<(), LabError> {
        let ask = |detail: String| LabError::Ask(format!("change {text:?}: {detail}"));
        let (name, value) = text.split_once('=').ok_or_else(|| ask("write FEATURE=VALUE or CONTROL=POSITION".to_owned()))?;
        let (name, value) = (name.trim(), value.trim());
        let moves = if name == "rate" {
            let times = value.parse().ok().filter(|times| (0.001..=1000.0).contains(times));
            let times = times.ok_or_else(|| ask(format!("{value:?} must be a number of times from 0.001 to 1000")))?;
            controls::rate(&self.bench, values, times)
        } else if let Some(control) = controls::CONTROLS.iter().find(|control| control.name == name) {
            let positions: Vec<&str> = control.positions.iter().map(|position| position.name).collect();
            controls::moves(&self.bench, name, value).ok_or_else(|| ask(format!("{name} can be {}", positions.join(", "))))?
        } else {
            let place = self.bench.features().iter().position(|feature| feature.name == name).ok_or_else(|| {
                let controls: Vec<&str> = controls::CONTROLS.iter().map(|control| control.name).collect();
                ask(format!(
                    "{name:?} is no feature of the {} model (docs/FEATURES.md lists them) and none of rate, {}",
                    self.bench.kind().as_str(),
                    controls.join(", ")
                ))
            })?;
            let number =
                if value == "people" { self.bench.spans().get(place).map(|span| span.median) } else { value.parse().ok() };
            let number = number.filter(|number: &f64| number.is_finite());
            vec![(place, number.ok_or_else(|| ask(format!("{value:?} is no number, and not the word people")))?)]
        };
        for (place, to) in moves {
            if let Some(slot) = values.get_mut(place) {
                *slot = to;
            }
        }
        Ok(())
    }

    /// What the voices say of these values.
    ///
    /// # Errors
    /// Values of another number than features.
    pub fn try_on(&self, values: Vec<f64>) -> Result<Trial, LabError> {
        trial(&self.bench, values)
    }

    /// Features whose value is another than measured, in the catalogue's order.
    #[must_use]
    pub fn moved(&self, values: &[f64]) -> Vec<Moved> {
        let rows = self.bench.features().iter().zip(self.measured.values.iter().zip(values));
        rows.filter(|(_, (from, to))| from.total_cmp(to).is_ne())
            .map(|(feature, (from, to))| Moved { feature: feature.name.clone(), from: *from, to: *to })
            .collect()
    }

    /// The nearest change from these values that passes; see [`Bench::nearest`].
    ///
    /// # Errors
    /// As [`Bench::nearest`].
    pub fn nearest(&self, values: &[f64]) -> Result<Option<Vec<Moved>>, LabError> {
        let name = |place: usize| self.bench.features().get(place).map_or_else(String::new, |feature| feature.name.clone());
        let from = |place: usize| values.get(place).copied().unwrap_or_default();
        let found = self.bench.nearest(values)?;
        Ok(found.map(|list| list.into_iter().map(|(at, to)| Moved { feature: name(at), from: from(at), to }).collect()))
    }

    /// The whole rehearsal as text: voices before and after, what was changed, the nearest change that passes.
    #[must_use]
    pub fn text(&self, after: &Trial, nearest: Option<&[Moved]>) -> String {
        let before = &self.measured;
        let mut text = format!("Session {} from {}\n", self.session, self.who);
        let _ = writeln!(text, "  model {} {}: {}\n", self.bench.kind().as_str(), self.bench.id(), visible(&self.origin));
        let _ = writeln!(text, "{:<20} {:>10} {:>10}", "", "measured", "changed");
        for (name, before, after) in voices(&before.opinion, &after.opinion) {
            let _ = writeln!(text, "  {name:<18} {:>10} {:>10}", voice(before), voice(after));
        }
        let threshold = self.bench.threshold();
        let _ = writeln!(text, "  {:<18} {threshold:>10.4} {threshold:>10.4}", "threshold");
        let word = |trial: &Trial| if trial.anomalous { "anomalous" } else { "passes" };
        let _ = writeln!(text, "  {:<18} {:>10} {:>10}", "verdict", word(before), word(after));
        let _ = writeln!(text, "  {:<18} {:>10} {:>10}", "severity", before.opinion.severity, after.opinion.severity);
        list(&mut text, "Changed", "nothing: name changes with --set", &self.moved(&after.values));
        let title = "Nearest change from there that passes";
        match nearest {
            _ if !after.anomalous => text.push_str("\nIt passes as it is.\n"),
            Some(changes) => list(&mut text, title, "none", changes),
            None => list(&mut text, title, "no change of up to twelve features is known", &[]),
        }
        text
    }
}

fn trial(bench: &Bench, values: Vec<f64>) -> Result<Trial, LabError> {
    let opinion = bench.opinion(&values)?;
    let anomalous = opinion.score >= bench.threshold();
    Ok(Trial { values, opinion, anomalous })
}

/// Voices by name with what they said before and after; the final score last.
#[must_use]
pub fn voices(before: &Opinion, after: &Opinion) -> [(&'static str, f64, f64); 4] {
    [
        ("forest", before.voices.eif, after.voices.eif),
        ("autoencoder", before.voices.autoencoder, after.voices.autoencoder),
        ("boosted trees", before.voices.boosted, after.voices.boosted),
        ("final", before.score, after.score),
    ]
}

/// A voice as people read it.
#[must_use]
pub fn voice(score: f64) -> String {
    if score < 0.0 { "not asked".to_owned() } else { format!("{score:.4}") }
}

fn list(text: &mut String, title: &str, nothing: &str, moved: &[Moved]) {
    let _ = writeln!(text, "\n{title}");
    if moved.is_empty() {
        let _ = writeln!(text, "  {nothing}");
    }
    for change in moved {
        let _ = writeln!(text, "  {:<28} {:>12.4} -> {:.4}", change.feature, change.from, change.to);
    }
}
