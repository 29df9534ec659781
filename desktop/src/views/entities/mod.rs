//! Entities: addresses, fingerprints, sites, networks, countries, header orders.
//!
//! Promises: one list for all kinds; opening one searches for it.
//!
//! Read next: `../mod.rs`.

use eframe::egui;

use super::list::foreign;
use super::{Cx, Need, View};
use crate::data::query::Ask;
use crate::data::statements;
use crate::shell::compile::ENTITIES;
use crate::widgets::grid::GridState;

const KINDS: [(&str, &str); 6] = [
    ("ip", "Addresses"),
    ("ja4", "Fingerprints of all"),
    ("host", "Sites"),
    ("asn", "Networks"),
    ("country", "Countries"),
    ("header_order", "Header orders"),
];

/// The view.
#[derive(Debug, Default)]
pub struct Entities {
    kind: usize,
    grid: GridState,
}

const ID: &str = "entities";

impl View for Entities {
    fn id(&self) -> &'static str {
        ID
    }

    fn title(&self) -> &'static str {
        "Entities"
    }

    fn icon(&self) -> &'static str {
        "○"
    }

    fn about(&self) -> &'static str {
        "Everything that was seen, by kind, with how much and how suspicious."
    }

    fn queries(&self, need: &Need<'_>) -> Vec<(&'static str, Ask)> {
        let kind = KINDS.get(self.kind).map_or("ip", |(kind, _)| *kind);
        vec![("rows", Ask::searched(statements::ENTITIES, &[kind], need.scope.compile(&ENTITIES), need.limit))]
    }

    fn ui(&mut self, ui: &mut egui::Ui, cx: &mut Cx<'_>) {
        let empty = self.empty_reason();
        ui.horizontal_wrapped(|ui| {
            for (at, (_, name)) in KINDS.iter().enumerate() {
                ui.selectable_value(&mut self.kind, at, *name);
            }
        });
        foreign(ui, cx, &ENTITIES);
        let columns = [
            "entity",
            "hits",
            "label",
            "country",
            "ips",
            "ja4s",
            "hosts",
            "user_agents",
            "error_share",
            "mismatch_share",
            "sensitive_hits",
            "first_ns",
            "last_ns",
        ];
        cx.grid(ui, (ID, "rows"), "Entities of a kind", &columns, &mut self.grid, empty);
    }

    fn empty_reason(&self) -> &'static str {
        "None of this kind is known for this search and span; networks and countries need reference tables at import (`--reference`)."
    }
}
