//! The parts of the rehearsal: voices and verdict, controls of a client, the nearest change, every feature.
//!
//! Promises: every control has a name and can be reached by keyboard; a verdict is a word, never a colour alone.
//!
//! Read next: `mod.rs`.

use eframe::egui::{self, RichText};
use ja4_lab::rehearse::controls::CONTROLS;
use ja4_lab::rehearse::{Rehearsal, Trial, voice, voices};

use super::Rehearsals;
use crate::data::table::short;
use crate::shell::action::Action;
use crate::shell::theme;
use crate::views::Cx;
use crate::widgets::{notice, text};

/// Height of a row of the feature list.
const ROW: f32 = 24.0;

impl Rehearsals {
    pub(super) fn show(&mut self, ui: &mut egui::Ui, cx: &mut Cx<'_>, rehearsal: &Rehearsal) {
        let trial = match &self.tried {
            Some((_, Ok(trial))) => trial.clone(),
            Some((_, Err(message))) => return notice(ui, message, true),
            None => return,
        };
        self.head(ui, cx, rehearsal);
        let wide = ui.available_width() > 760.0;
        ui.columns(if wide { 2 } else { 1 }, |columns| {
            let last = columns.len() - 1;
            self.client(&mut columns[0]);
            verdict(&mut columns[last], rehearsal, &trial);
            self.offer(&mut columns[last], &trial);
        });
        ui.separator();
        self.features(ui, rehearsal, &trial);
    }

    fn head(&mut self, ui: &mut egui::Ui, cx: &mut Cx<'_>, rehearsal: &Rehearsal) {
        let bench = rehearsal.bench();
        ui.add(egui::Label::new(RichText::new(format!("Session {} from {}", rehearsal.session, rehearsal.who)).strong()).wrap());
        ui.weak(text::cut(&format!("model {} {}: {}", bench.kind().as_str(), bench.id(), rehearsal.origin), 200));
        ui.horizontal_wrapped(|ui| {
            if ui.button("As measured").on_hover_text("take every change back").clicked() {
                self.choice = super::Choice::default();
            }
            let command = command(rehearsal, &self.choice.changes());
            if ui.button("Copy the command").on_hover_text(&command).clicked() {
                ui.ctx().copy_text(command.clone());
            }
            if ui.button("Add to the case").clicked() {
                cx.out.push(Action::Note(format!("rehearsal: {command}")));
            }
        });
    }

    fn client(&mut self, ui: &mut egui::Ui) {
        ui.label(RichText::new("What the client changes").strong());
        for control in CONTROLS {
            let set = self.choice.controls.get(control.name).copied();
            ui.horizontal_wrapped(|ui| {
                ui.label(control.name.replace('_', " ")).on_hover_text(control.about);
                let name = |position: &str| format!("{} {position}", control.name.replace('_', " "));
                let measured = egui::Button::selectable(set.is_none(), "as measured");
                if ui.add(measured).accessible_name(name("as measured")).clicked() {
                    self.choice.controls.remove(control.name);
                }
                for position in control.positions {
                    let button = egui::Button::selectable(set == Some(position.name), position.name);
                    if ui.add(button).accessible_name(name(position.name)).on_hover_text(control.about).clicked() {
                        self.choice.controls.insert(control.name, position.name);
                    }
                }
            });
        }
        let mut rate = if self.choice.rate > 0.0 { self.choice.rate } else { 1.0 };
        let slider = egui::Slider::new(&mut rate, 0.01..=100.0).logarithmic(true).text("times as many requests a minute");
        if ui.add(slider.custom_formatter(|value, _| format!("{value:.2}"))).changed() {
            self.choice.rate = if (rate - 1.0).abs() < 0.005 { 0.0 } else { rate };
        }
        ui.add(
            egui::Label::new(
                RichText::new("Features that follow from a changed one (coherence above all) stay as measured; set them below.")
                    .weak()
                    .small(),
            )
            .wrap(),
        );
    }

    /// The nearest change that passes, and a button that makes it.
    fn offer(&mut self, ui: &mut egui::Ui, trial: &Trial) {
        ui.add_space(6.0);
        if !trial.anomalous {
            ui.label("It passes as it is.");
            return;
        }
        ui.label(RichText::new("Nearest change that passes").strong());
        match &self.nearest.found {
            None => {
                ui.horizontal(|ui| {
                    ui.spinner();
                    ui.weak("looking for it...");
                });
            }
            Some(Err(message)) => notice(ui, message, true),
            Some(Ok(None)) => {
                ui.weak("No change of up to twelve features is known.");
            }
            Some(Ok(Some(changes))) => {
                for change in changes {
                    ui.label(format!("{} from {} to {}", change.feature, short(change.from), short(change.to)));
                }
                // In a row of its own, so that the column does not stretch it.
                if ui.horizontal(|ui| ui.button("Make this change")).inner.clicked() {
                    self.choice.features.extend(changes.iter().map(|change| (change.feature.clone(), change.to)));
                }
            }
        }
    }

    fn features(&mut self, ui: &mut egui::Ui, rehearsal: &Rehearsal, trial: &Trial) {
        ui.horizontal_wrapped(|ui| {
            let label = ui.label("Features");
            let filter = egui::TextEdit::singleline(&mut self.filter).desired_width(160.0).hint_text("part of a name");
            ui.add(filter).labelled_by(label.id);
            ui.weak("measured, what 90 % of people show, and as tried");
        });
        let bench = rehearsal.bench();
        let outside = |place: usize| {
            let (value, span) = (rehearsal.measured().values.get(place), bench.spans().get(place));
            value.zip(span).is_some_and(|(value, span)| *value < span.low || *value > span.high)
        };
        let wanted = self.filter.trim().to_ascii_lowercase();
        let mut rows: Vec<usize> = (0..bench.features().len())
            .filter(|place| bench.features().get(*place).is_some_and(|feature| feature.name.contains(&wanted)))
            .collect();
        // What people do not show comes first.
        rows.sort_by_key(|place| !outside(*place));
        egui::ScrollArea::vertical().id_salt("rehearsed features").auto_shrink(false).show_rows(
            ui,
            ROW,
            rows.len(),
            |ui, shown| {
                for place in rows.get(shown).unwrap_or_default() {
                    self.feature(ui, rehearsal, trial, *place, outside(*place));
                }
            },
        );
    }

    fn feature(&mut self, ui: &mut egui::Ui, rehearsal: &Rehearsal, trial: &Trial, place: usize, outside: bool) {
        let bench = rehearsal.bench();
        let (Some(feature), Some(span)) = (bench.features().get(place), bench.spans().get(place)) else { return };
        let (Some(measured), Some(tried)) = (rehearsal.measured().values.get(place), trial.values.get(place)) else { return };
        ui.horizontal(|ui| {
            ui.set_height(ROW - 2.0);
            let mark = if outside { "◆" } else { " " };
            let name = egui::Label::new(RichText::new(format!("{mark} {}", feature.name)).monospace()).truncate();
            place_left(ui, 260.0, name).on_hover_text(format!("{} ({})\n{}", feature.formula, feature.unit, feature.why));
            place_left(ui, 90.0, egui::Label::new(short(*measured)));
            place_left(ui, 170.0, egui::Label::new(format!("{} to {}", short(span.low), short(span.high))).truncate());
            let mut value = *tried;
            let speed = ((span.high - span.low).abs() / 100.0).max(0.01);
            let drag = ui
                .add(egui::DragValue::new(&mut value).speed(speed).max_decimals(4))
                .accessible_name(format!("Set {}", feature.name));
            if drag.changed() {
                self.choice.features.insert(feature.name.clone(), value);
            }
            if ui.small_button("people").accessible_name(format!("{} as people", feature.name)).clicked() {
                self.choice.features.insert(feature.name.clone(), span.median);
            }
            let set = self.choice.features.contains_key(&feature.name);
            let back = ui.add_enabled(set, egui::Button::new("back").small());
            if back.accessible_name(format!("{} back", feature.name)).clicked() {
                self.choice.features.remove(&feature.name);
            }
        });
    }
}

/// A label in a column of this width, on its left.
fn place_left(ui: &mut egui::Ui, width: f32, label: egui::Label) -> egui::Response {
    let layout = egui::Layout::left_to_right(egui::Align::Center);
    let placed = ui.allocate_ui_with_layout(egui::vec2(width, ROW - 4.0), layout, |ui| {
        ui.set_min_width(width);
        ui.add(label)
    });
    placed.inner
}

fn verdict(ui: &mut egui::Ui, rehearsal: &Rehearsal, trial: &Trial) {
    let before = rehearsal.measured();
    let dark = ui.visuals().dark_mode;
    ui.label(RichText::new("What the voices say").strong());
    egui::Grid::new("rehearsed voices").num_columns(4).striped(true).show(ui, |ui| {
        for word in ["", "measured", "changed", ""] {
            ui.weak(word);
        }
        ui.end_row();
        for (nth, (name, was, is)) in voices(&before.opinion, &trial.opinion).into_iter().enumerate() {
            ui.label(name);
            ui.monospace(voice(was));
            ui.monospace(voice(is));
            #[allow(clippy::cast_possible_truncation, reason = "a bar on the screen")]
            let bar = egui::ProgressBar::new(is.clamp(0.0, 1.0) as f32).desired_width(120.0).fill(theme::series(dark, nth));
            ui.add(bar);
            ui.end_row();
        }
        let threshold = format!("{:.4}", rehearsal.bench().threshold());
        for word in ["threshold", &threshold, &threshold, ""] {
            ui.monospace(word);
        }
        ui.end_row();
    });
    let word =
        |trial: &Trial| if trial.anomalous { format!("anomalous, {}", trial.opinion.severity) } else { "passes".to_owned() };
    let severity = if trial.anomalous { trial.opinion.severity } else { "none" };
    let text = RichText::new(format!("verdict: {}, changed: {}", word(before), word(trial))).size(15.0);
    ui.label(text.color(theme::severity(dark, severity)));
}

/// What prints the same.
fn command(rehearsal: &Rehearsal, changes: &[String]) -> String {
    let sets: String = changes.iter().map(|change| format!(" --set {change}")).collect();
    format!("ja4-lab rehearse {} --db DB{sets}", rehearsal.session)
}
