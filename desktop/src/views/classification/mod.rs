//! Classification: what to look at next, what was decided, and the decisions as ground truth.
//!
//! Promises: the queue holds the sessions nearest to their threshold first; a decision is one key; the last one can be taken back;
//! every decision leaves a line in the audit log.
//!
//! Read next: `../../shell/decide.rs` (how it is written).

use eframe::egui::{self, Key, Modifiers, RichText};

use super::{Cx, Need, View};
use crate::data::query::Ask;
use crate::data::statements;
use crate::data::table::Table;
use crate::shell::action::{Action, Decision};
use crate::shell::compile::SESSIONS;
use crate::widgets::grid::{Grid, GridState};
use crate::widgets::{rows_or_reason, text};

/// Sessions of the queue.
const QUEUE: usize = 500;

/// The view.
#[derive(Debug, Default)]
pub struct Classification {
    history: bool,
    note: String,
    queue: GridState,
    decided: GridState,
}

const ID: &str = "classification";

impl View for Classification {
    fn id(&self) -> &'static str {
        ID
    }

    fn title(&self) -> &'static str {
        "Classification"
    }

    fn icon(&self) -> &'static str {
        "◆"
    }

    fn about(&self) -> &'static str {
        "A queue of sessions worth deciding about, the history of decisions, and their export as ground truth."
    }

    fn queries(&self, need: &Need<'_>) -> Vec<(&'static str, Ask)> {
        let queue = Ask::searched(statements::QUEUE, &[], need.scope.compile(&SESSIONS), QUEUE);
        vec![("queue", queue), ("history", Ask::plain(statements::FEEDBACK, &[], need.limit))]
    }

    fn ui(&mut self, ui: &mut egui::Ui, cx: &mut Cx<'_>) {
        ui.horizontal(|ui| {
            ui.selectable_value(&mut self.history, false, "Queue");
            ui.selectable_value(&mut self.history, true, "History");
            if ui.button("Undo").on_hover_text("take the last decision back (Ctrl+Z)").clicked() {
                cx.out.push(Action::Undo);
            }
        });
        if self.history {
            cx.grid(
                ui,
                (ID, "history"),
                "Decisions",
                &[],
                &mut self.decided,
                "Nothing was decided yet. Choose a session in the queue and press B or L.",
            );
            return;
        }
        let Some(table) = rows_or_reason(ui, cx.data, (ID, "queue"), self.empty_reason()) else { return };
        let row = self.queue.selected().filter(|row| *row < table.rows()).unwrap_or(0);
        self.decide(ui, cx, &table, row);
        let columns = ["score", "threshold", "severity", "src_ip", "host", "hits", "ua_family", "reason", "ja4"];
        let done = Grid::new("Queue", &table, &columns).show(ui, &mut self.queue);
        cx.act((ID, "queue"), "Queue", &table, done);
    }

    fn empty_reason(&self) -> &'static str {
        "The queue is empty: every session of this search is labelled, or none is scored. Score with `ja4-lab score --db DB`."
    }

    fn shortcuts(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("B", "the chosen session is a bot"),
            ("L", "the chosen session is legitimate"),
            ("Ctrl+Z", "take the last decision back"),
        ]
    }
}

impl Classification {
    fn decide(&mut self, ui: &mut egui::Ui, cx: &mut Cx<'_>, table: &Table, row: usize) {
        ui.add(egui::Label::new(RichText::new(text::cut(&table.text(row, "reason"), 400)).strong()).wrap());
        let mut label = None;
        ui.horizontal_wrapped(|ui| {
            ui.label(format!("{} at {}", text::cell(&table.text(row, "src_ip")), text::cell(&table.text(row, "host"))));
            for (word, value, means) in [("Bot", 1, "B"), ("Legitimate", 0, "L")] {
                if ui.button(word).on_hover_text(means).clicked() {
                    label = Some(value);
                }
            }
            let name = ui.label("Note");
            ui.add(egui::TextEdit::singleline(&mut self.note).desired_width(180.0).hint_text("why")).labelled_by(name.id);
        });
        if !ui.ctx().text_edit_focused() {
            let take = |key: Key| ui.input_mut(|input| input.consume_key(Modifiers::NONE, key));
            label = if take(Key::B) { Some(1) } else { label };
            label = if take(Key::L) { Some(0) } else { label };
        }
        if let Some(label) = label {
            let cell = |name: &str| table.text(row, name).into_owned();
            cx.out.push(Action::Label(Decision {
                session: cell("session_id"),
                ip: cell("src_ip"),
                ja4: cell("ja4"),
                host: cell("host"),
                user_agent: cell("user_agent"),
                label,
                note: std::mem::take(&mut self.note),
            }));
        }
    }
}
