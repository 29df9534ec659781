//! Fingerprints: JA4 with who uses them, what they claim to be, and addresses that change theirs.
//!
//! Promises: "unknown" is an answer of its own; the User-Agents of the chosen JA4 show how much they vary.
//!
//! Read next: `../mod.rs`.

use eframe::egui::{self, RichText};

use super::list::foreign;
use super::{Cx, Need, View};
use crate::data::query::Ask;
use crate::data::statements;
use crate::shell::action::Action;
use crate::shell::compile::{FINGERPRINTS, ROTATION};
use crate::widgets::grid::{Grid, GridState};
use crate::widgets::{rows_or_reason, text};

/// The view.
#[derive(Debug, Default)]
pub struct Fingerprints {
    rotation: bool,
    chosen: String,
    list: GridState,
    users: GridState,
    rotations: GridState,
}

const ID: &str = "fingerprints";

impl View for Fingerprints {
    fn id(&self) -> &'static str {
        ID
    }

    fn title(&self) -> &'static str {
        "Fingerprints"
    }

    fn icon(&self) -> &'static str {
        "▦"
    }

    fn about(&self) -> &'static str {
        "JA4 and their users, what lists know of them, how User-Agents vary behind one, and addresses that rotate."
    }

    fn queries(&self, need: &Need<'_>) -> Vec<(&'static str, Ask)> {
        if self.rotation {
            return vec![("rotation", Ask::searched(statements::ROTATION, &[], need.scope.compile(&ROTATION), need.limit))];
        }
        let (from, to) = need.scope.bounds();
        let mut asks =
            vec![("list", Ask::searched(statements::FINGERPRINTS, &[&from, &to], need.scope.compile(&FINGERPRINTS), need.limit))];
        if !self.chosen.is_empty() {
            asks.push(("users", Ask::plain(statements::JA4_USERS, &[&self.chosen], 2_000)));
        }
        asks
    }

    fn ui(&mut self, ui: &mut egui::Ui, cx: &mut Cx<'_>) {
        ui.horizontal(|ui| {
            ui.selectable_value(&mut self.rotation, false, "JA4 and users");
            ui.selectable_value(&mut self.rotation, true, "Rotation");
        });
        if self.rotation {
            foreign(ui, cx, &ROTATION);
            cx.grid(
                ui,
                (ID, "rotation"),
                "Rotation",
                &[],
                &mut self.rotations,
                "No address showed three JA4 or five User-Agents within an hour.",
            );
            return;
        }
        foreign(ui, cx, &FINGERPRINTS);
        let Some(table) = rows_or_reason(ui, cx.data, (ID, "list"), self.empty_reason()) else { return };
        let columns =
            ["ja4", "hits", "ips", "hosts", "user_agents", "families", "browser", "bot", "mismatches", "first_ns", "last_ns"];
        let half = (ui.available_height() * 0.55).max(120.0);
        let done = Grid::new("JA4", &table, &columns).height(half).show(ui, &mut self.list);
        cx.act((ID, "list"), "JA4", &table, done);
        if let Some(row) = self.list.selected() {
            self.chosen = table.text(row, "ja4").into_owned();
        }
        ui.separator();
        if self.chosen.is_empty() {
            ui.weak("Choose a JA4 above to see who uses it.");
            return;
        }
        ui.horizontal(|ui| {
            ui.label(RichText::new(format!("Users of {}", text::cell(&self.chosen))).strong());
            if ui.button("Its sessions").clicked() {
                cx.out.push(Action::Filter { not: false, key: "ja4".to_owned(), value: self.chosen.clone() });
                cx.out.push(Action::Show("sessions"));
            }
        });
        cx.grid(ui, (ID, "users"), "Users of the JA4", &[], &mut self.users, "No request with this JA4 is stored.");
    }

    fn empty_reason(&self) -> &'static str {
        "No handshake meets this search and span: the database holds requests alone, or the search asks for something else."
    }
}
