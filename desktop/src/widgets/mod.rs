//! What views are made of: the table for a million rows, charts, badges, texts that cannot act.
//!
//! Promises: every control has a name in the accessibility tree; text from outside is shown escaped and cut, never laid out whole.
//!
//! Read next: [`grid`], [`chart`], [`text`].

pub mod chart;
pub mod grid;
mod grid_columns;
mod grid_keys;
pub mod grid_order;
pub mod raster;
pub mod text;
pub mod time_axis;

use std::sync::Arc;

use eframe::egui::{self, RichText};

use crate::data::table::Table;
use crate::data::{Data, Loaded, Place};

/// The table of a place; where there is none yet, says why and gives nothing. An empty table is said to be empty, with the reason.
pub fn rows_or_reason(ui: &mut egui::Ui, data: &Data, place: Place, empty: &str) -> Option<Arc<Table>> {
    if !data.is_open() {
        let reason = match &data.refused {
            Some(message) => message.clone(),
            None if data.is_opening() => format!("opening {}...", data.opened.label),
            None => "no database is open: press Ctrl+O, drop a file on the window, or start with `ja4-lab demo`".to_owned(),
        };
        notice(ui, &reason, data.refused.is_some());
        return None;
    }
    match data.get(place) {
        Loaded::Waiting => {
            ui.horizontal(|ui| {
                ui.spinner();
                ui.weak("asking the database...");
            });
            None
        }
        Loaded::Failed(message) => {
            notice(ui, message, true);
            None
        }
        Loaded::Table(table) if table.rows() == 0 => {
            notice(ui, empty, false);
            None
        }
        Loaded::Table(table) => Some(Arc::clone(table)),
        Loaded::Text(_) | Loaded::Workshop(_) => None,
    }
}

/// A sentence in the middle of nothing: why, and what next.
pub fn notice(ui: &mut egui::Ui, message: &str, error: bool) {
    ui.add_space(12.0);
    let text = RichText::new(text::cut(message, 2_000));
    let text = if error { text.color(ui.visuals().error_fg_color) } else { text.weak() };
    ui.add(egui::Label::new(text).wrap());
}

/// A figure with its name below, as on a dashboard.
pub fn figure(ui: &mut egui::Ui, name: &str, value: &str) {
    let response = egui::Frame::group(ui.style()).show(ui, |ui| {
        ui.vertical(|ui| {
            ui.add(egui::Label::new(RichText::new(value).size(20.0).strong()).selectable(false));
            ui.add(egui::Label::new(RichText::new(name).small().weak()).selectable(false));
        });
    });
    let both = format!("{name}: {value}");
    response.response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, &both));
    response.response.on_hover_text(both);
}

/// A whole number with thin gaps between thousands.
#[must_use]
pub fn thousands(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut out = String::new();
    for (at, c) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(c);
    }
    if value < 0 { format!("-{out}") } else { out }
}
