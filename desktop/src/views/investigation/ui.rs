//! The parts of the investigation: head with decision, timeline, and what is shown below.
//!
//! Promises: everything is asked of the store; what a person decides goes through an action, so that it can be taken back.
//!
//! Read next: `mod.rs`.

use eframe::egui::{self, Key, RichText};

use super::{ID, Investigation, Part};
use crate::data::Loaded;
use crate::shell::action::{Action, Decision};
use crate::shell::theme;
use crate::views::Cx;
use crate::widgets::chart::{Chart, Mark, Series};
use crate::widgets::{notice, text};

impl Investigation {
    pub(super) fn head(&mut self, ui: &mut egui::Ui, cx: &mut Cx<'_>) {
        ui.horizontal_wrapped(|ui| {
            let label = ui.label("Address");
            if self.typed.is_empty() && !cx.scope.ip.is_empty() {
                self.typed.clone_from(&cx.scope.ip);
            }
            let edit = egui::TextEdit::singleline(&mut self.typed).desired_width(200.0).hint_text("192.0.2.7");
            let response = ui.add(edit).labelled_by(label.id);
            if !response.has_focus() && !response.lost_focus() {
                self.typed.clone_from(&cx.scope.ip);
            }
            if response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter)) && !self.typed.trim().is_empty() {
                cx.out.push(Action::Investigate(self.typed.trim().to_owned()));
            }
            if !cx.scope.ip.is_empty() {
                self.decide(ui, cx);
            }
        });
    }

    fn decide(&mut self, ui: &mut egui::Ui, cx: &mut Cx<'_>) {
        let ip = cx.scope.ip.clone();
        if ui.button("Only this address").clicked() {
            cx.out.push(Action::Filter { not: false, key: "ip".to_owned(), value: ip.clone() });
        }
        if ui.button("Rehearse").on_hover_text("change the session as its client could, and watch the voices").clicked() {
            cx.out.push(Action::Show("rehearsal"));
        }
        let label = ui.label("Note");
        let note = egui::TextEdit::singleline(&mut self.note).desired_width(180.0).hint_text("why");
        ui.add(note).labelled_by(label.id);
        if ui.add_enabled(!self.note.trim().is_empty(), egui::Button::new("Add to the case")).clicked() {
            cx.out.push(Action::Note(format!("{ip}: {}", self.note.trim())));
        }
        let Some(table) = cx.data.table((ID, "sessions")).filter(|table| table.rows() > 0) else { return };
        let row = (0..table.rows()).find(|row| table.text(*row, "session_id") == cx.scope.session).unwrap_or(0);
        let decision = |label: i64| Decision {
            session: table.text(row, "session_id").into_owned(),
            ip: ip.clone(),
            ja4: table.text(row, "ja4").into_owned(),
            host: table.text(row, "host").into_owned(),
            user_agent: table.text(row, "user_agent").into_owned(),
            label,
            note: self.note.trim().to_owned(),
        };
        let choices = [
            ("Bot", 1, "a program made these requests"),
            ("Legitimate", 0, "a person or a welcome program made these requests"),
            ("Withdraw", -1, "forget what was decided"),
        ];
        let decided: Vec<Action> = choices
            .into_iter()
            .filter(|(word, _, means)| ui.button(*word).on_hover_text(*means).clicked())
            .map(|(_, label, _)| Action::Label(decision(label)))
            .collect();
        cx.out.extend(decided);
    }

    pub(super) fn timeline(&mut self, ui: &mut egui::Ui, cx: &mut Cx<'_>) {
        let Some(table) = cx.data.table((ID, "requests")).filter(|table| table.rows() > 0).cloned() else { return };
        let dark = ui.visuals().dark_mode;
        let of = |low: i64, high: i64| {
            let rows = (0..table.rows()).filter(|row| (low..high).contains(&table.int(*row, "status")));
            rows.map(|row| [table.number(row, "ts_ns") / 1e9, table.number(row, "status")]).collect::<Vec<_>>()
        };
        let chart = Chart {
            name: format!("Requests of {}", text::cut(&cx.scope.ip, 60)),
            x: "UTC".to_owned(),
            y: "status".to_owned(),
            series: vec![
                Series::new("answered", Mark::Dots(2.5), of(0, 400)).colour(theme::series(dark, 0)),
                Series::new("client errors", Mark::Dots(2.5), of(400, 500)).colour(theme::series(dark, 1)),
                Series::new("server errors", Mark::Dots(2.5), of(500, 1000)).colour(theme::severity(dark, "critical")),
            ],
            x_is_time: true,
            words: Vec::new(),
        };
        chart.show(ui, (ui.available_height() * 0.25).clamp(60.0, 150.0));
    }

    pub(super) fn body(&mut self, ui: &mut egui::Ui, cx: &mut Cx<'_>) {
        match self.part {
            Part::Explanation => explanation(ui, cx),
            Part::Sessions => {
                let columns = ["score", "severity", "host", "hits", "ua_family", "ja4", "first_ns", "reason"];
                cx.grid(
                    ui,
                    (ID, "sessions"),
                    "Sessions of the address",
                    &columns,
                    &mut self.sessions,
                    "No scored session came from this address.",
                );
            }
            Part::Requests => {
                let columns = [
                    "ts_ns",
                    "host",
                    "method",
                    "path",
                    "status",
                    "duration_us",
                    "ja4",
                    "match_kind",
                    "match_confidence",
                    "src_port",
                ];
                let table = cx.data.table((ID, "requests")).cloned();
                let row =
                    table.and_then(|table| self.requests.selected().filter(|row| *row < table.rows()).map(|row| (table, row)));
                if self.packets.show(ui, cx, row) {
                    return;
                }
                cx.grid(
                    ui,
                    (ID, "requests"),
                    "Requests of the address",
                    &columns,
                    &mut self.requests,
                    "No request came from this address.",
                );
            }
            Part::Fingerprints => {
                let columns = [
                    "ja4",
                    "hits",
                    "ua_family",
                    "ja4_browser",
                    "ja4_bot",
                    "h2_browser",
                    "ua_ja4_mismatch",
                    "h2_mismatch",
                    "alpn_mismatch",
                    "sni_mismatch",
                    "hints_mismatch",
                    "user_agent",
                ];
                cx.grid(
                    ui,
                    (ID, "fingerprints"),
                    "Claims and facts",
                    &columns,
                    &mut self.fingerprints,
                    "No handshake or request of this address is stored.",
                );
            }
            Part::Neighbours => {
                cx.grid(
                    ui,
                    (ID, "neighbours"),
                    "Addresses with the same JA4",
                    &[],
                    &mut self.neighbours,
                    "No other address shares a JA4 with this one.",
                );
            }
            Part::Decisions => {
                cx.grid(
                    ui,
                    (ID, "decisions"),
                    "Decisions about the address",
                    &[],
                    &mut self.decisions,
                    "Nothing was decided about this address yet: the buttons above do.",
                );
            }
        }
    }
}

fn explanation(ui: &mut egui::Ui, cx: &mut Cx<'_>) {
    match cx.data.get((ID, "explain")) {
        Loaded::Failed(message) => notice(ui, message, true),
        Loaded::Text(text) => {
            if ui.small_button("Copy the explanation").clicked() {
                ui.ctx().copy_text(text.to_string());
            }
            egui::ScrollArea::both().id_salt("explanation").auto_shrink(false).show(ui, |ui| {
                ui.add(egui::Label::new(RichText::new(text::cut(text, 40_000)).monospace()).extend());
            });
        }
        Loaded::Waiting | Loaded::Table(_) | Loaded::Workshop(_) => {
            ui.spinner();
        }
    }
}
