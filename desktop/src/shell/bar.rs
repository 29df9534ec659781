//! The bar on top: menu, search with completion, saved searches; and the line at the bottom: what is open, what happens.
//!
//! Promises: a wrong search is said below the field while the last good one holds; everything here has a name and a key.
//!
//! Read next: `scope.rs`, `search.rs`.

use eframe::egui::{self, Id, Key, Modifiers, RichText};

use super::action::Action;
use super::follow::Follow;
use super::scope::Scope;
use super::search::completions;
use super::settings::{Saved, Settings, remember};
use crate::data::Data;
use crate::views::View;
use crate::widgets::text;

/// Id of the search field.
#[must_use]
pub fn search_id() -> Id {
    Id::unique("search field")
}

/// State of the bar.
#[derive(Debug, Default)]
pub struct Bar {
    /// Place in the history, 0 is what is typed.
    recalled: usize,
    name: String,
}

impl Bar {
    /// Shows it.
    pub fn ui(
        &mut self,
        ui: &mut egui::Ui,
        scope: &mut Scope,
        settings: &mut Settings,
        views: &[Box<dyn View>],
        out: &mut Vec<Action>,
    ) {
        ui.horizontal(|ui| {
            ui.menu_button("Menu", |ui| menu(ui, views, settings, out));
            let width = (ui.available_width() - 190.0).max(80.0);
            self.search(ui, width, scope, settings);
            ui.menu_button("Saved", |ui| self.saved(ui, scope, settings, out));
            if ui.button("Clear").on_hover_text("clear the search").clicked() {
                out.push(Action::Search(String::new()));
            }
            if ui.button("Help").on_hover_text("F1").clicked() {
                out.push(Action::Show("help"));
            }
        });
        if let Some(error) = &scope.error {
            ui.label(
                RichText::new(format!("search, at character {}: {}", error.at + 1, text::cut(&error.detail, 300)))
                    .color(ui.visuals().error_fg_color)
                    .small(),
            );
        }
    }

    fn search(&mut self, ui: &mut egui::Ui, width: f32, scope: &mut Scope, settings: &mut Settings) {
        let id = search_id();
        if ui.memory(|memory| memory.has_focus(id)) {
            let step = ui.input_mut(|input| {
                let (up, down) =
                    (input.consume_key(Modifiers::NONE, Key::ArrowUp), input.consume_key(Modifiers::NONE, Key::ArrowDown));
                i64::from(up) - i64::from(down)
            });
            if step != 0 {
                self.recall(step, scope, settings);
            }
        }
        let edit = egui::TextEdit::singleline(&mut scope.text)
            .id(id)
            .desired_width(width)
            .hint_text("ip:192.0.2.* score:>0.8 -host:shop.example sort:hits-desc  (Ctrl+F)");
        let response = ui.add(edit).accessible_name("Search");
        if response.changed() {
            self.recalled = 0;
            scope.apply();
        }
        if response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter)) {
            remember(&mut settings.history, &scope.text);
            response.request_focus();
        }
        if response.has_focus() {
            self.complete(ui, &response, scope);
        }
    }

    fn recall(&mut self, step: i64, scope: &mut Scope, settings: &Settings) {
        let place = i64::try_from(self.recalled).unwrap_or(0) + step;
        let place = usize::try_from(place.max(0)).unwrap_or(0).min(settings.history.len());
        self.recalled = place;
        let text = place.checked_sub(1).and_then(|at| settings.history.get(at)).cloned().unwrap_or_default();
        scope.set(&text);
    }

    fn complete(&self, ui: &egui::Ui, response: &egui::Response, scope: &mut Scope) {
        let offered = completions(&scope.text);
        if offered.is_empty() || scope.text.is_empty() || scope.text.ends_with(' ') {
            return;
        }
        let mut taken = ui.input_mut(|input| input.consume_key(Modifiers::CTRL, Key::Space)).then(|| offered[0].0.clone());
        egui::Popup::from_response(response)
            .id(Id::unique("completions"))
            .open(true)
            .close_behavior(egui::PopupCloseBehavior::IgnoreClicks)
            .show(|ui| {
                for (text, means) in offered.iter().take(8) {
                    let word = text.rsplit(' ').next().unwrap_or_default();
                    if ui.add(egui::Button::new(format!("{word}  {means}")).frame(false)).clicked() {
                        taken = Some(text.clone());
                    }
                }
                ui.weak("Ctrl+Space takes the first");
            });
        if let Some(text) = taken {
            scope.set(&text);
            if let Some(mut state) = egui::TextEdit::load_state(ui.ctx(), response.id) {
                let end = egui::text::CCursor::new(scope.text.chars().count());
                state.cursor.set_char_range(Some(egui::text::CCursorRange::one(end)));
                egui::TextEdit::store_state(ui.ctx(), response.id, state);
            }
            response.request_focus();
        }
    }

    fn saved(&mut self, ui: &mut egui::Ui, scope: &Scope, settings: &mut Settings, out: &mut Vec<Action>) {
        let mut gone = None;
        for (at, saved) in settings.saved.iter().enumerate() {
            ui.horizontal(|ui| {
                if ui.button(text::cut(&saved.name, 40)).on_hover_text(text::cut(&saved.text, 200)).clicked() {
                    out.push(Action::Search(saved.text.clone()));
                    ui.close();
                }
                if ui.small_button("×").accessible_name(format!("Forget {}", saved.name)).on_hover_text("forget").clicked() {
                    gone = Some(at);
                }
            });
        }
        if let Some(at) = gone {
            settings.saved.remove(at);
        }
        ui.horizontal(|ui| {
            let label = ui.label("Name");
            ui.add(egui::TextEdit::singleline(&mut self.name).desired_width(120.0)).labelled_by(label.id);
            let ready = !self.name.trim().is_empty() && !scope.text.trim().is_empty() && scope.error.is_none();
            if ui.add_enabled(ready, egui::Button::new("Save the search")).clicked() {
                let name = self.name.trim().to_owned();
                settings.saved.retain(|known| known.name != name);
                settings.saved.push(Saved { name, text: scope.text.trim().to_owned() });
                self.name.clear();
            }
        });
    }
}

fn menu(ui: &mut egui::Ui, views: &[Box<dyn View>], settings: &Settings, out: &mut Vec<Action>) {
    let mut item = |ui: &mut egui::Ui, words: &str, action: Action| {
        if ui.button(words).clicked() {
            out.push(action);
            ui.close();
        }
    };
    item(ui, "Open...", Action::AskOpen);
    ui.menu_button("Recent", |ui| {
        if settings.recent.is_empty() {
            ui.weak("nothing was opened yet");
        }
        for path in &settings.recent {
            item(ui, &text::cut(path, 80), Action::Open(path.into()));
        }
    });
    item(ui, "Follow a running ja4-lab live...", Action::AskFollow);
    item(ui, "Read again", Action::Refresh);
    ui.separator();
    item(ui, "Commands...", Action::Palette);
    item(ui, "Save the case...", Action::SaveCase);
    item(ui, "Save a report...", Action::SaveReport);
    item(ui, "Save a picture...", Action::SavePicture);
    item(ui, "Undo the last decision", Action::Undo);
    ui.separator();
    item(ui, "Light, dark or system", Action::NextLook);
    item(ui, "Larger", Action::Zoom(1));
    item(ui, "Smaller", Action::Zoom(-1));
    ui.menu_button("Views", |ui| {
        for view in views {
            item(ui, view.title(), Action::Show(view.id()));
        }
    });
}

/// How long questions may take before a button offers to stop them, in seconds: one that comes and goes with each would only flicker.
const PATIENCE_SECS: f64 = 0.5;

fn stop_button(ui: &mut egui::Ui, data: &Data) {
    let (since, now) = (Id::unique("asking since"), ui.input(|input| input.time));
    if !data.is_asking() {
        ui.data_mut(|memory| memory.remove::<f64>(since));
        return;
    }
    let began = ui.data_mut(|memory| *memory.get_temp_mut_or(since, now));
    if now - began < PATIENCE_SECS {
        return;
    }
    let button = ui.small_button("Stop").accessible_name("Stop asking").on_hover_text("stop what is being asked (Ctrl+.)");
    if button.clicked() {
        data.stop_all();
    }
}

/// The line at the bottom.
pub fn status(
    ui: &mut egui::Ui,
    data: &Data,
    follow: &mut Follow,
    told: Option<&Result<String, String>>,
    job: Option<(f32, &str)>,
) {
    ui.horizontal(|ui| {
        if data.is_busy() {
            ui.spinner();
        }
        stop_button(ui, data);
        let open = if data.is_open() { text::cut(&data.opened.label, 80) } else { "no database is open".to_owned() };
        ui.label(RichText::new(open).small());
        if let Some((text, trouble)) = follow.told(data) {
            ui.checkbox(&mut follow.on, "Follow").on_hover_text("look again every few seconds");
            let text = RichText::new(text::cut(&text, 200)).small();
            ui.label(if trouble { text.color(ui.visuals().error_fg_color) } else { text });
        }
        if let Some((share, phase)) = job {
            ui.add(egui::ProgressBar::new(share).desired_width(140.0).text(RichText::new(phase).small()));
        }
        match told {
            Some(Ok(text)) => {
                ui.label(RichText::new(text::cut(text, 300)).small()).on_hover_text(text::cut(text, 4_000));
            }
            Some(Err(text)) => {
                ui.label(RichText::new(text::cut(text, 300)).small().color(ui.visuals().error_fg_color));
            }
            None => {}
        }
    });
}
