//! Other forests and other features: the voices are fitted anew beside the frames, and the list re-ranks by what they say.
//!
//! Promises: the same fit as `ja4-lab score --set trees=… --set without+=…` makes; nothing is written; a refit ends within a tree or a batch
//! once it is cancelled, and one that was cancelled changes nothing.
//!
//! Read next: `mod.rs`, `ja4_lab::cycle::workshop`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use eframe::egui::{self, RichText};
use ja4_lab::catalogue::Catalogue;
use ja4_lab::cycle::models::VoiceScores;
use ja4_lab::cycle::settings::Settings;
use ja4_lab::cycle::workshop::Workshop;
use ja4_models::stop;

use crate::data::background::{Background, Told};
use crate::data::query::Ask;
use crate::data::{Loaded, WORKSHOP};
use crate::views::Cx;
use crate::widgets::notice;

/// Height of a row of the feature list.
const ROW: f32 = 20.0;

/// What the voices said after a refit.
#[derive(Debug, Clone, Default)]
pub struct Refitted {
    /// By session id.
    pub voices: BTreeMap<String, VoiceScores>,
    /// Where the fitted models call a session anomalous; of the model for sessions with a handshake, where there is one.
    pub threshold: f64,
    /// What they were fitted with.
    pub wish: Wish,
}

/// What voices are fitted with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    trees: u64,
    sample: u64,
    seed: u64,
    without: BTreeSet<String>,
}

impl Default for Wish {
    fn default() -> Self {
        let settings = Settings::default();
        Self { trees: settings.trees, sample: settings.sample, seed: settings.seed, without: BTreeSet::new() }
    }
}

impl Wish {
    /// The settings of the command line that say the same, as `KEY=VALUE`.
    #[must_use]
    pub fn settings(&self) -> Vec<String> {
        let standard = Self::default();
        let mut texts = Vec::new();
        for (key, value, usual) in
            [("trees", self.trees, standard.trees), ("sample", self.sample, standard.sample), ("seed", self.seed, standard.seed)]
        {
            if value != usual {
                texts.push(format!("{key}={value}"));
            }
        }
        texts.extend(self.without.iter().map(|feature| format!("without+={feature}")));
        texts
    }
}

/// The controls, a fit that runs, and what the last one found.
#[derive(Debug, Default)]
pub struct Refit {
    wish: Wish,
    filter: String,
    features: Vec<String>,
    wanted: bool,
    running: Option<Background<Result<Refitted, String>>>,
    failed: Option<String>,
    /// The last one that was finished.
    pub done: Option<Arc<Refitted>>,
}

impl Refit {
    /// Shows the controls; begins and takes in fits.
    pub fn show(&mut self, ui: &mut egui::Ui, cx: &mut Cx<'_>) {
        self.follow(cx);
        let title = match &self.done {
            Some(_) => "Forest and features (refitted)",
            None => "Forest and features",
        };
        egui::CollapsingHeader::new(title).id_salt("refit").default_open(false).show(ui, |ui| {
            self.numbers(ui);
            self.switches(ui);
            self.buttons(ui);
        });
        if let Some(message) = &self.failed {
            notice(ui, message, true);
        }
        if let Some(done) = &self.done {
            let settings = done.wish.settings();
            let with = if settings.is_empty() { "the usual settings".to_owned() } else { settings.join(", ") };
            ui.add(egui::Label::new(RichText::new(format!("Ranked by voices fitted here with {with}.")).weak()).wrap());
        }
    }

    fn numbers(&mut self, ui: &mut egui::Ui) {
        ui.horizontal_wrapped(|ui| {
            let sample = 2..=65_536;
            for (name, value, range) in [
                ("Trees", &mut self.wish.trees, 1..=10_000),
                ("Rows a tree", &mut self.wish.sample, sample),
                ("Seed", &mut self.wish.seed, 0..=u64::MAX),
            ] {
                let label = ui.label(name);
                ui.add(egui::DragValue::new(value).range(range)).labelled_by(label.id);
            }
        });
    }

    fn switches(&mut self, ui: &mut egui::Ui) {
        if self.features.is_empty() {
            let catalogue = Catalogue::load().map(|catalogue| catalogue.features).unwrap_or_default();
            self.features = catalogue.into_iter().filter(|feature| feature.model).map(|feature| feature.name).collect();
        }
        ui.horizontal_wrapped(|ui| {
            let label = ui.label("Features");
            let edit = egui::TextEdit::singleline(&mut self.filter).desired_width(120.0).hint_text("part of a name");
            ui.add(edit).labelled_by(label.id);
            let off = self.wish.without.len();
            ui.weak(format!("{} on, {off} off", self.features.len() - off));
            if ui.add_enabled(off > 0, egui::Button::new("All features on")).clicked() {
                self.wish.without.clear();
            }
        });
        let wanted = self.filter.trim().to_ascii_lowercase();
        let shown: Vec<String> = self.features.iter().filter(|name| name.contains(&wanted)).cloned().collect();
        egui::ScrollArea::vertical().id_salt("feature switches").max_height(110.0).show_rows(
            ui,
            ROW,
            shown.len(),
            |ui, range| {
                for name in shown.get(range).unwrap_or_default() {
                    let mut on = !self.wish.without.contains(name);
                    if ui.checkbox(&mut on, name).changed() {
                        if on {
                            self.wish.without.remove(name);
                        } else {
                            self.wish.without.insert(name.clone());
                        }
                    }
                }
            },
        );
    }

    fn buttons(&mut self, ui: &mut egui::Ui) {
        ui.horizontal_wrapped(|ui| {
            let busy = self.wanted || self.running.is_some();
            if ui
                .add_enabled(!busy, egui::Button::new("Refit"))
                .on_hover_text("fit the voices anew and re-rank; nothing is written")
                .clicked()
            {
                self.wanted = true;
                self.failed = None;
            }
            if busy {
                let (phase, share) =
                    self.running.as_ref().map_or_else(|| ("reading every session's features".to_owned(), 0.0), Background::state);
                if ui.button("Cancel the refit").clicked() {
                    self.wanted = false;
                    self.running = None;
                }
                ui.add(egui::ProgressBar::new(share).desired_width(120.0).text(phase));
            }
            if ui.add_enabled(self.done.is_some(), egui::Button::new("Back to the stored voices")).clicked() {
                self.done = None;
            }
        });
    }

    /// Begins what is wanted once its data are there, and takes in what is done.
    fn follow(&mut self, cx: &mut Cx<'_>) {
        if let Some(done) = self.running.as_ref().and_then(Background::take) {
            self.running = None;
            match done {
                Ok(found) => self.done = Some(Arc::new(found)),
                Err(message) => self.failed = Some(message),
            }
        }
        if !self.wanted {
            return;
        }
        cx.data.want(WORKSHOP, Ask::Workshop);
        if cx.data.is_waiting(WORKSHOP) {
            return;
        }
        match cx.data.get(WORKSHOP) {
            Loaded::Workshop(workshop) => {
                let (workshop, wish) = (Arc::clone(workshop), self.wish.clone());
                self.running = Some(cx.data.background(move |told| fit(&workshop, wish, told)));
                self.wanted = false;
            }
            Loaded::Failed(message) => {
                self.failed = Some(message.to_owned());
                self.wanted = false;
            }
            _ => {}
        }
    }
}

/// Fits and asks both models, as far as nobody stops it.
fn fit(workshop: &Workshop, wish: Wish, told: &Told) -> Result<Refitted, String> {
    let fail = |error: ja4_lab::error::LabError| error.to_string();
    let settings = Settings::parse(&wish.settings()).map_err(fail)?;
    let mut found = Refitted { wish, ..Refitted::default() };
    let kinds: Vec<_> = workshop.kinds().collect();
    let steps = (kinds.len() * 2).max(1) as f32;
    for (nth, kind) in kinds.iter().enumerate() {
        let step = (nth * 2) as f32;
        if told.is_stopped() {
            return Ok(found);
        }
        told.phase(&format!("fitting the {} model", kind.as_str()), step / steps);
        let bench = stop::unless(told.stop_flag(), || workshop.bench(*kind, &settings, None)).map_err(fail)?;
        if told.is_stopped() {
            return Ok(found);
        }
        told.phase(&format!("asking the {} model", kind.as_str()), (step + 1.0) / steps);
        let opinions = bench.opinions().map_err(fail)?;
        if nth == 0 {
            found.threshold = bench.threshold();
        }
        let ids = workshop.ids();
        found.voices.extend(opinions.into_iter().filter_map(|(row, opinion)| Some((ids.get(row)?.clone(), opinion.voices))));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_said_as_settings_of_the_command_line() {
        assert!(Wish::default().settings().is_empty());
        let wish = Wish { trees: 50, without: ["hits".to_owned()].into(), ..Wish::default() };
        let settings = Settings::parse(&wish.settings()).unwrap();
        assert_eq!((settings.trees, settings.without), (50, vec!["hits".to_owned()]));
    }
}
