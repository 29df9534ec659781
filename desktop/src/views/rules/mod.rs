//! Rules and lists: reference lists, and imported policy rules with what they say.
//!
//! Promises: every list says where it comes from; an empty one says how it is filled.
//!
//! Read next: `datasets/reference/`, `sql/duckdb/0001_init.sql`.

use eframe::egui::{self, RichText};

use super::{Cx, Need, View};
use crate::data::query::Ask;
use crate::data::statements;
use crate::widgets::grid::GridState;

/// The view.
#[derive(Debug, Default)]
pub struct Rules {
    lists: GridState,
    rules: GridState,
    tested: GridState,
    trying: bool,
}

const ID: &str = "rules";

impl View for Rules {
    fn id(&self) -> &'static str {
        ID
    }

    fn title(&self) -> &'static str {
        "Rules and lists"
    }

    fn icon(&self) -> &'static str {
        "≣"
    }

    fn about(&self) -> &'static str {
        "Lists of networks, bots and browsers, and policy rules imported from Anubis."
    }

    fn queries(&self, need: &Need<'_>) -> Vec<(&'static str, Ask)> {
        let mut asks =
            vec![("lists", Ask::plain(statements::LISTS, &[], 100)), ("rules", Ask::plain(statements::RULES, &[], need.limit))];
        if self.trying {
            asks.push(("tested", Ask::RulesTested));
        }
        asks
    }

    fn ui(&mut self, ui: &mut egui::Ui, cx: &mut Cx<'_>) {
        let empty = self.empty_reason();
        ui.label(RichText::new("Lists in this database").strong());
        ui.allocate_ui(egui::vec2(ui.available_width(), 210.0), |ui| {
            cx.grid(ui, (ID, "lists"), "Lists", &[], &mut self.lists, empty);
        });
        ui.weak("Lists that stand in the program itself (datasets/reference) act at import and are not counted here.");
        ui.separator();
        ui.horizontal(|ui| {
            ui.label(RichText::new("Policy rules").strong());
            ui.selectable_value(&mut self.trying, false, "As imported");
            ui.selectable_value(&mut self.trying, true, "What each would have done");
        });
        let none = "No policy rules yet: `ja4-lab rules import FILE --db DB` reads the rules of Anubis.";
        if self.trying {
            cx.grid(ui, (ID, "tested"), "Rules tried", &[], &mut self.tested, none);
        } else {
            cx.grid(ui, (ID, "rules"), "Policy rules", &[], &mut self.rules, none);
        }
    }

    fn empty_reason(&self) -> &'static str {
        "No list is stored."
    }
}
