//! Fleet: one client software behind many addresses, as a graph of JA4 and networks and as a list.
//!
//! Promises: the graph holds the busiest JA4 and networks, and says how many it leaves out.
//!
//! Read next: `../campaigns`.

use std::collections::BTreeMap;

use eframe::egui::{self, RichText, Sense};

use super::{Cx, Need, View};
use crate::data::query::Ask;
use crate::data::statements;
use crate::data::table::Table;
use crate::shell::action::Action;
use crate::shell::compile::SESSIONS;
use crate::shell::theme;
use crate::widgets::grid::GridState;
use crate::widgets::{rows_or_reason, text};

/// Nodes on each side.
const NODES: usize = 14;

/// The view.
#[derive(Debug, Default)]
pub struct Fleet {
    list: GridState,
}

const ID: &str = "fleet";

impl View for Fleet {
    fn id(&self) -> &'static str {
        ID
    }

    fn title(&self) -> &'static str {
        "Fleet"
    }

    fn icon(&self) -> &'static str {
        "⊕"
    }

    fn about(&self) -> &'static str {
        "Which networks use which JA4, and client software that works behind many addresses."
    }

    fn queries(&self, need: &Need<'_>) -> Vec<(&'static str, Ask)> {
        let graph = Ask::searched(statements::FLEET_GRAPH, &[], need.scope.compile(&SESSIONS), 5_000);
        vec![("graph", graph), ("list", Ask::plain(statements::FLEETS, &[], need.limit))]
    }

    fn ui(&mut self, ui: &mut egui::Ui, cx: &mut Cx<'_>) {
        let empty = self.empty_reason();
        if let Some(table) = rows_or_reason(
            ui,
            cx.data,
            (ID, "graph"),
            "No session with a handshake meets this search and span, so there is no graph.",
        ) {
            graph(ui, &table, cx);
        }
        ui.separator();
        ui.label(RichText::new("Fleets").strong());
        let columns = [
            "severity",
            "score",
            "ips",
            "networks",
            "asns",
            "countries",
            "hosts",
            "sessions",
            "hits",
            "ja4",
            "user_agent",
            "reason",
        ];
        cx.grid(ui, (ID, "list"), "Fleets", &columns, &mut self.list, empty);
    }

    fn empty_reason(&self) -> &'static str {
        "No fleets yet: run `ja4-lab score --db DB` or `ja4-lab detect --db DB --once`, which look for one client software behind many addresses."
    }
}

fn graph(ui: &mut egui::Ui, table: &Table, cx: &mut Cx<'_>) {
    let (mut ja4s, mut networks): (BTreeMap<String, i64>, BTreeMap<String, i64>) = (BTreeMap::new(), BTreeMap::new());
    let network = |row: usize| match (table.int(row, "asn"), table.text(row, "as_name")) {
        (asn, name) if asn > 0 => format!("AS{asn} {name}"),
        _ => "network unknown".to_owned(),
    };
    for row in 0..table.rows() {
        *ja4s.entry(table.text(row, "ja4").into_owned()).or_default() += table.int(row, "ips");
        *networks.entry(network(row)).or_default() += table.int(row, "ips");
    }
    let left = busiest(&ja4s);
    let right = busiest(&networks);
    let rows = left.len().max(right.len()).max(1);
    let height = (rows as f32 * 22.0 + 8.0).min((ui.available_height() * 0.6).max(80.0));
    egui::ScrollArea::vertical().id_salt("graph").max_height(height).show(ui, |ui| {
        let (area, _) = ui.allocate_exact_size(egui::vec2(ui.available_width(), rows as f32 * 22.0), Sense::hover());
        let dark = ui.visuals().dark_mode;
        let (from, to) = (area.left() + (area.width() * 0.34).min(300.0), area.right() - (area.width() * 0.3).min(260.0));
        let y = |at: usize| area.top() + at as f32 * 22.0 + 11.0;
        for row in 0..table.rows() {
            let (a, b) = (
                left.iter().position(|name| *name == table.text(row, "ja4")),
                right.iter().position(|name| *name == network(row)),
            );
            if let (Some(a), Some(b)) = (a, b) {
                #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a line on the screen")]
                let width = (1.0 + (table.int(row, "ips").max(1) as f32).ln()).min(8.0);
                let hot = table.number(row, "score") >= 0.8;
                let colour = if hot { theme::series(dark, 3) } else { theme::series(dark, 0) }.gamma_multiply(0.55);
                let (start, end) = (egui::pos2(from, y(a)), egui::pos2(to, y(b)));
                let bend = egui::vec2((to - from) / 2.0, 0.0);
                let curve = egui::epaint::CubicBezierShape::from_points_stroke(
                    [start, start + bend, end - bend, end],
                    false,
                    egui::Color32::TRANSPARENT,
                    egui::Stroke::new(width, colour),
                );
                ui.painter().add(curve);
            }
        }
        for (at, name) in left.iter().enumerate() {
            let place = egui::Rect::from_min_max(egui::pos2(area.left(), y(at) - 10.0), egui::pos2(from - 4.0, y(at) + 10.0));
            let button = egui::Button::new(RichText::new(text::cell(name)).monospace()).truncate();
            if ui.put(place, button).on_hover_text("its sessions").clicked() {
                cx.out.push(Action::Filter { not: false, key: "ja4".to_owned(), value: name.clone() });
            }
        }
        for (at, name) in right.iter().enumerate() {
            let place = egui::Rect::from_min_max(egui::pos2(to + 4.0, y(at) - 10.0), egui::pos2(area.right(), y(at) + 10.0));
            let button = egui::Button::new(text::cell(name)).truncate();
            let asn = name.strip_prefix("AS").and_then(|rest| rest.split(' ').next()).unwrap_or_default().to_owned();
            if ui.put(place, button).on_hover_text("its sessions").clicked() && !asn.is_empty() {
                cx.out.push(Action::Filter { not: false, key: "asn".to_owned(), value: asn });
            }
        }
    });
    let hidden = ja4s.len().saturating_sub(NODES) + networks.len().saturating_sub(NODES);
    if hidden > 0 {
        ui.weak(format!("{hidden} rarer fingerprints and networks are not drawn"));
    }
}

fn busiest(counts: &BTreeMap<String, i64>) -> Vec<String> {
    let mut all: Vec<(&String, &i64)> = counts.iter().collect();
    all.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    all.into_iter().take(NODES).map(|(name, _)| name.clone()).collect()
}
