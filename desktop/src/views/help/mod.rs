//! Help: keys, the search language, the views, and the few settings there are.
//!
//! Promises: everything listed here is read from the lists that act, so it cannot be out of date; it needs no network.
//!
//! Read next: `../../shell/keys.rs`, `../../shell/search.rs`.

use eframe::egui::{self, RichText};

use super::{Cx, Need, View};
use crate::data::query::Ask;
use crate::shell::settings::Look;
use crate::shell::{keys, search};

/// The view.
#[derive(Debug, Default)]
pub struct Help;

impl View for Help {
    fn id(&self) -> &'static str {
        "help"
    }

    fn title(&self) -> &'static str {
        "Help"
    }

    fn icon(&self) -> &'static str {
        "?"
    }

    fn about(&self) -> &'static str {
        "Keys, the search language, what each view is for, and settings."
    }

    fn queries(&self, _need: &Need<'_>) -> Vec<(&'static str, Ask)> {
        Vec::new()
    }

    fn ui(&mut self, ui: &mut egui::Ui, cx: &mut Cx<'_>) {
        egui::ScrollArea::vertical().id_salt("help").auto_shrink(false).show(ui, |ui| {
            settings(ui, cx);
            ui.heading("Keys");
            let rows: Vec<(String, &str)> = keys::SHORTCUTS.iter().map(|shortcut| (ui.ctx().format_shortcut(&shortcut.keys), shortcut.what)).collect();
            list(ui, "keys", rows.iter().map(|(keys, what)| (keys.as_str(), *what)));
            ui.label(RichText::new("In a table").strong());
            list(ui, "table keys", keys::GRID.iter().copied());
            for view in super::all().iter().filter(|view| !view.shortcuts().is_empty()) {
                ui.label(RichText::new(view.title()).strong());
                list(ui, view.id(), view.shortcuts().iter().copied());
            }
            ui.heading("Search");
            ui.label("Words side by side must all hold; a minus before one turns it round; quotes keep blanks; a star at an end leaves it open; a,b is either.");
            ui.monospace("ip:192.0.2.* score:>0.8 -host:shop.example status:400..499 ua:\"curl/8\" sort:hits-desc");
            list(ui, "search keys", search::KEYS.iter().copied());
            ui.heading("Views");
            for view in super::all() {
                ui.label(RichText::new(format!("{} {}", view.icon(), view.title())).strong());
                ui.label(view.about());
            }
        });
    }

    fn empty_reason(&self) -> &'static str {
        ""
    }
}

fn settings(ui: &mut egui::Ui, cx: &mut Cx<'_>) {
    ui.heading("Settings");
    ui.horizontal_wrapped(|ui| {
        for (look, name) in [(Look::System, "As the system"), (Look::Light, "Light"), (Look::Dark, "Dark")] {
            ui.selectable_value(&mut cx.settings.look, look, name);
        }
    });
    ui.add(egui::Slider::new(&mut cx.settings.zoom, 0.6..=2.0).text("size of everything").fixed_decimals(2));
    ui.add(egui::Slider::new(&mut cx.settings.rows, 1_000..=2_000_000).logarithmic(true).text("rows of a list at most"));
    ui.horizontal(|ui| {
        let label = ui.label("Your name beside decisions");
        ui.add(egui::TextEdit::singleline(&mut cx.settings.analyst).desired_width(160.0)).labelled_by(label.id);
    });
    folders(ui, cx);
}

/// Folders in which the captures of imported rows are looked for.
fn folders(ui: &mut egui::Ui, cx: &mut Cx<'_>) {
    ui.horizontal(|ui| {
        let label = ui.label("Folders of captures (one a line)");
        let mut text = cx.settings.captures.join("\n");
        let edit = egui::TextEdit::multiline(&mut text).desired_rows(2).desired_width(360.0);
        if ui.add(edit).labelled_by(label.id).changed() {
            cx.settings.captures = text.lines().map(str::to_owned).collect();
        }
    });
}

fn list<'a>(ui: &mut egui::Ui, name: &str, rows: impl Iterator<Item = (&'a str, &'a str)>) {
    egui::Grid::new(name).num_columns(2).striped(true).show(ui, |ui| {
        for (keys, what) in rows {
            ui.label(RichText::new(keys).monospace());
            ui.label(what);
            ui.end_row();
        }
    });
}
