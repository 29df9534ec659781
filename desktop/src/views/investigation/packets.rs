//! From a request to the bytes: the packets of its connection, their headers and their hex, and the connection as a capture.
//!
//! Promises: the button is greyed with the reason where the capture cannot be reached; nothing is read before it is pressed.
//!
//! Read next: `ja4_lab::packets`, `ui.rs`.

use std::path::PathBuf;
use std::sync::Arc;

use eframe::egui::{self, RichText};
use ja4_lab::dataset;
use ja4_lab::packets::reachable;

use super::ID;
use crate::data::query::Ask;
use crate::data::statements;
use crate::data::table::Table;
use crate::shell::action::Action;
use crate::views::Cx;
use crate::widgets::grid::{Grid, GridState};
use crate::widgets::{rows_or_reason, text};

/// Packets of a connection, where the capture can be reached.
#[derive(Debug, Default)]
pub struct Packets {
    asked: Option<Ask>,
    /// What the files were looked up for: names and sizes of captures, with what was found.
    looked: Option<(Vec<(String, u64)>, Vec<PathBuf>)>,
    grid: GridState,
}

impl Packets {
    pub(super) fn queries(&self) -> Vec<(&'static str, Ask)> {
        let mut asks = vec![("inputs", Ask::plain(statements::INPUTS, &[], 1_000))];
        asks.extend(self.asked.clone().map(|ask| ("packets", ask)));
        asks
    }

    /// Shows the button, or the packets; tells whether these have taken the place of the requests.
    pub(super) fn show(&mut self, ui: &mut egui::Ui, cx: &mut Cx<'_>, request: Option<(Arc<Table>, usize)>) -> bool {
        if self.asked.is_some() {
            self.list(ui, cx);
            return true;
        }
        let captures = self.captures(cx);
        let port = request.as_ref().map_or(0, |(table, row)| table.int(*row, "src_port"));
        let reason = match (&request, captures.is_empty()) {
            (None, _) => "choose a request below first",
            (Some(_), _) if port <= 0 => "the log of this request has no port, so its connection is not known",
            (Some(_), true) => "the capture is not where it was imported from, nor beside the database; name its folder in Help",
            (Some(_), false) => "",
        };
        let button =
            ui.add_enabled(reason.is_empty(), egui::Button::new("Packets of the chosen request")).on_disabled_hover_text(reason);
        if !reason.is_empty() {
            ui.weak(format!("packets: {reason}"));
        }
        if let (true, Some((table, row))) = (button.clicked(), request) {
            let ip = table.text(row, "src_ip");
            let client = if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") };
            self.asked = Some(Ask::Packets { captures, client, at_ns: table.int(row, "ts_ns") });
        }
        false
    }

    /// Captures of the database that can be reached: in the folders of the settings, beside the database, in the recorded sets.
    fn captures(&mut self, cx: &Cx<'_>) -> Vec<PathBuf> {
        let Some(inputs) = cx.data.table((ID, "inputs")) else { return Vec::new() };
        let names: Vec<(String, u64)> = (0..inputs.rows())
            .filter(|row| inputs.text(*row, "kind") == "capture")
            .map(|row| (inputs.text(row, "name").into_owned(), u64::try_from(inputs.int(row, "bytes")).unwrap_or(0)))
            .collect();
        if let Some((known, found)) = &self.looked
            && *known == names
        {
            return found.clone();
        }
        let mut folders: Vec<PathBuf> = cx.settings.captures.iter().map(PathBuf::from).collect();
        folders.extend(cx.data.opened.target.parent().map(PathBuf::from));
        if let Ok(sets) = dataset::list(&dataset::default_root()) {
            folders.extend(sets.into_iter().map(|set| set.folder));
        }
        let found: Vec<PathBuf> = names.iter().filter_map(|(name, bytes)| reachable(name, *bytes, &folders)).collect();
        self.looked = Some((names, found.clone()));
        found
    }

    fn list(&mut self, ui: &mut egui::Ui, cx: &mut Cx<'_>) {
        let mut back = false;
        let table = cx.data.table((ID, "packets")).cloned();
        ui.horizontal(|ui| {
            back = ui.button("Back to the requests").clicked();
            let save = ui.add_enabled(table.is_some(), egui::Button::new("Save this connection as pcap"));
            if let (true, Some(table)) = (save.clicked(), &table) {
                cx.out.push(Action::SavePackets(Arc::clone(table)));
            }
            if cx.data.is_waiting((ID, "packets")) {
                ui.spinner();
                ui.weak("reading the capture...");
            }
        });
        if back {
            self.asked = None;
            return;
        }
        let empty = "No packet of this connection is in the capture: it began after the connection, or another capture holds it.";
        let Some(table) = rows_or_reason(ui, cx.data, (ID, "packets"), empty) else { return };
        let half = (ui.available_height() * 0.5).max(90.0);
        let done =
            Grid::new("Packets", &table, &["ts_ns", "from", "payload_bytes", "summary"]).height(half).show(ui, &mut self.grid);
        cx.act((ID, "packets"), "Packets", &table, done);
        let row = self.grid.selected().filter(|row| *row < table.rows()).unwrap_or(0);
        egui::ScrollArea::both().id_salt("bytes").auto_shrink(false).show(ui, |ui| {
            for (depth, line) in table.text(row, "tree").lines().enumerate() {
                ui.add(
                    egui::Label::new(RichText::new(format!("{}{}", "  ".repeat(depth), text::cell(line))).monospace()).extend(),
                );
            }
            ui.add(egui::Label::new(RichText::new(text::cut(&table.text(row, "hex"), 20_000)).monospace()).extend());
        });
    }
}
