//! Health: what was imported and how well it joined, what ran, and what was left over.
//!
//! Promises: damage, skew and handshakes without a request are shown, not hidden in a sum.
//!
//! Read next: `docs/JOIN.md`.

use eframe::egui::{self, RichText};

use super::{Cx, Need, View};
use crate::data::query::Ask;
use crate::data::statements;
use crate::shell::compile::REQUESTS;
use crate::widgets::grid::GridState;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Part {
    #[default]
    Inputs,
    Join,
    Unmatched,
    Runs,
}

const PARTS: [(Part, &str); 4] = [
    (Part::Inputs, "Imports"),
    (Part::Join, "Join"),
    (Part::Unmatched, "Handshakes without a request"),
    (Part::Runs, "Runs and cycles"),
];

/// The view.
#[derive(Debug, Default)]
pub struct Health {
    part: Part,
    inputs: GridState,
    join: GridState,
    unmatched: GridState,
    runs: GridState,
}

const ID: &str = "health";

impl View for Health {
    fn id(&self) -> &'static str {
        ID
    }

    fn title(&self) -> &'static str {
        "Health"
    }

    fn icon(&self) -> &'static str {
        "●"
    }

    fn about(&self) -> &'static str {
        "Imports, join quality, left-over handshakes, runs with their digests."
    }

    fn queries(&self, need: &Need<'_>) -> Vec<(&'static str, Ask)> {
        vec![match self.part {
            Part::Inputs => ("inputs", Ask::plain(statements::INPUTS, &[], need.limit)),
            Part::Join => ("join", Ask::searched(statements::MATCH, &[], need.scope.compile(&REQUESTS), 100)),
            Part::Unmatched => ("unmatched", Ask::plain(statements::UNMATCHED, &[], need.limit)),
            Part::Runs => ("runs", Ask::plain(statements::RUNS, &[], need.limit)),
        }]
    }

    fn ui(&mut self, ui: &mut egui::Ui, cx: &mut Cx<'_>) {
        let empty = self.empty_reason();
        ui.horizontal_wrapped(|ui| {
            for (part, name) in PARTS {
                ui.selectable_value(&mut self.part, part, name);
            }
            ui.label(RichText::new(format!("database {}", crate::widgets::text::cut(&cx.data.opened.label, 80))).weak());
        });
        match self.part {
            Part::Inputs => cx.grid(ui, (ID, "inputs"), "Imports", &[], &mut self.inputs, empty),
            Part::Join => {
                cx.grid(ui, (ID, "join"), "Requests by join", &[], &mut self.join, "No request meets this search and span.")
            }
            Part::Unmatched => cx.grid(
                ui,
                (ID, "unmatched"),
                "Left-over handshakes",
                &[],
                &mut self.unmatched,
                "Every handshake carried a request that was logged.",
            ),
            Part::Runs => {
                cx.grid(ui, (ID, "runs"), "Runs", &[], &mut self.runs, "No run is recorded: `ja4-lab replay` records one.")
            }
        };
    }

    fn empty_reason(&self) -> &'static str {
        "Nothing was imported: drop a capture and its log on the window, or run `ja4-lab replay CAPTURE --http-log LOG --db DB`."
    }
}
