//! SQL console: any statement that reads, with the same text for both engines, and the statement behind any table of the window.
//!
//! Promises: nothing can be changed and no other file be touched from here; the engine's refusal is shown as it is; statements typed
//! before are kept; one that runs too long is cancelled, in the engine too.
//!
//! Read next: `../../data/worker.rs`.

use eframe::egui::{self, Key, Modifiers, RichText};

use super::{Cx, Need, View};
use crate::data::query::Ask;
use crate::shell::settings::remember;
use crate::widgets::grid::GridState;
use crate::widgets::text;

/// The view.
#[derive(Debug, Default)]
pub struct Sql {
    text: String,
    asked: String,
    state: GridState,
}

const ID: &str = "sql";

/// Where the console takes a text that another view wants shown.
pub const TEXT: &str = "sql console text";

impl View for Sql {
    fn id(&self) -> &'static str {
        ID
    }

    fn title(&self) -> &'static str {
        "SQL console"
    }

    fn icon(&self) -> &'static str {
        "▥"
    }

    fn about(&self) -> &'static str {
        "Any statement that reads; `ja4-lab sql` takes the same."
    }

    fn queries(&self, _need: &Need<'_>) -> Vec<(&'static str, Ask)> {
        if self.asked.trim().is_empty() { Vec::new() } else { vec![("rows", Ask::Typed(self.asked.clone()))] }
    }

    fn ui(&mut self, ui: &mut egui::Ui, cx: &mut Cx<'_>) {
        if let Some(sent) = ui.ctx().data_mut(|data| data.remove_temp::<String>(egui::Id::unique(TEXT))) {
            self.text = sent;
            self.run(cx);
        }
        if self.text.is_empty() && self.asked.is_empty() {
            "SELECT severity, count(*) AS sessions\nFROM ja4_processing.ml_all_scores\nGROUP BY severity ORDER BY sessions DESC"
                .clone_into(&mut self.text);
        }
        // Tab leaves the statement, as it leaves every other control.
        let edit = egui::TextEdit::multiline(&mut self.text).code_editor().lock_focus(false);
        let edit = edit.desired_width(f32::INFINITY).desired_rows(5);
        let height = (ui.available_height() * 0.35).max(60.0);
        let response = egui::ScrollArea::vertical()
            .id_salt("statement")
            .max_height(height)
            .show(ui, |ui| ui.add(edit).accessible_name("Statement"))
            .inner;
        let entered = response.has_focus() && ui.input_mut(|input| input.consume_key(Modifiers::COMMAND, Key::Enter));
        ui.horizontal(|ui| {
            let run = ui.button("Run").on_hover_text("Ctrl+Enter");
            if run.clicked() || entered {
                self.run(cx);
            }
            ui.menu_button("Before", |ui| {
                if cx.settings.sql.is_empty() {
                    ui.weak("nothing was run yet");
                }
                for known in cx.settings.sql.clone() {
                    let first = known.lines().find(|line| !line.starts_with("--")).unwrap_or_default();
                    if ui.button(text::cut(first, 70)).clicked() {
                        self.text = known;
                        ui.close();
                    }
                }
            });
            if cx.data.is_waiting((ID, "rows")) {
                ui.spinner();
                if ui.button("Cancel").on_hover_text("stop the statement that runs").clicked() {
                    cx.data.stop((ID, "rows"));
                }
            }
            ui.label(RichText::new("reads only; Ctrl+Enter runs").weak());
        });
        if self.asked.is_empty() {
            ui.weak(self.empty_reason());
            return;
        }
        cx.grid(ui, (ID, "rows"), "Answer", &[], &mut self.state, "The statement gave no rows.");
    }

    fn empty_reason(&self) -> &'static str {
        "Nothing was asked yet: write a SELECT and press Ctrl+Enter. The button SQL above any table brings its statement here."
    }

    fn shortcuts(&self) -> &'static [(&'static str, &'static str)] {
        &[("Ctrl+Enter", "run the statement")]
    }
}

impl Sql {
    fn run(&mut self, cx: &mut Cx<'_>) {
        self.asked = self.text.trim().trim_end_matches(';').to_owned();
        remember(&mut cx.settings.sql, &self.asked);
        self.state = GridState::default();
        cx.data.ask_anew((ID, "rows"), Ask::Typed(self.asked.clone()));
    }
}
