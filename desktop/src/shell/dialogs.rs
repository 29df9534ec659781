//! The two questions that stop everything else: what to open, and where to save.
//!
//! Promises: a path is typed, dropped or chosen from what was opened before; Enter accepts, Escape leaves; a wrong path is a sentence
//! and the dialog stays.
//!
//! Read next: `app.rs` (who acts on the answer).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eframe::egui::{self, Id, Key, RichText};

use crate::data::export::Form;
use crate::data::table::Table;
use crate::widgets::text;

/// What is to be saved.
#[derive(Debug, Clone)]
pub enum Saving {
    /// Rows of a table.
    Table {
        /// Form.
        form: Form,
        /// Which rows.
        rows: Arc<Vec<u32>>,
        /// Of what.
        table: Arc<Table>,
    },
    /// A text file: SVG, HTML.
    Text(Arc<str>),
    /// Packets of a connection.
    Packets(Arc<Table>),
    /// The case.
    Case,
    /// The window.
    Picture,
}

/// A dialog that is open.
#[derive(Debug)]
pub enum Dialog {
    /// What to open.
    Open {
        /// Path typed so far.
        path: String,
    },
    /// Where to save.
    Save {
        /// Path typed so far.
        path: String,
        /// What.
        what: Saving,
    },
}

/// What was answered.
#[derive(Debug)]
pub enum Answered {
    /// Nothing yet.
    Open,
    /// Leave.
    Closed,
    /// Open these.
    Paths(Vec<PathBuf>),
    /// Save there.
    Save(PathBuf, Saving),
}

impl Dialog {
    /// A dialog that proposes a file in the working folder.
    #[must_use]
    pub fn save(name: &str, extension: &str, what: Saving) -> Self {
        let folder = std::env::current_dir().unwrap_or_default();
        let stem: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' }).collect();
        Self::Save { path: folder.join(format!("{stem}.{extension}")).display().to_string(), what }
    }

    /// Shows it.
    pub fn show(&mut self, ctx: &egui::Context, recent: &[String]) -> Answered {
        let mut answered = Answered::Open;
        let modal = egui::Modal::new(Id::unique("dialog")).show(ctx, |ui| {
            ui.set_width((ctx.content_rect().width() - 60.0).clamp(200.0, 560.0));
            match self {
                Self::Open { path } => open(ui, path, recent, &mut answered),
                Self::Save { path, what } => save(ui, path, what, &mut answered),
            }
        });
        if matches!(answered, Answered::Open) && modal.should_close() {
            return Answered::Closed;
        }
        answered
    }
}

fn open(ui: &mut egui::Ui, path: &mut String, recent: &[String], answered: &mut Answered) {
    ui.heading("Open");
    ui.label("A DuckDB file, a ClickHouse URL, a case file, or captures and logs (separated by spaces are several); dropping files on the window does the same.");
    let edit = ui
        .add(egui::TextEdit::singleline(path).desired_width(f32::INFINITY).hint_text("/path/to/file.duckdb"))
        .accessible_name("Path to open");
    if !edit.has_focus() && !edit.lost_focus() {
        edit.request_focus();
    }
    let entered = edit.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
    ui.horizontal(|ui| {
        if (ui.button("Open").clicked() || entered) && !path.trim().is_empty() {
            *answered = Answered::Paths(split(path));
        }
        if ui.button("Cancel").clicked() {
            *answered = Answered::Closed;
        }
    });
    if !recent.is_empty() {
        ui.separator();
        ui.label(RichText::new("Opened before").weak());
        for known in recent.iter().take(8) {
            if ui.add(egui::Button::new(text::cut(known, 90)).frame(false)).clicked() {
                *answered = Answered::Paths(vec![PathBuf::from(known)]);
            }
        }
    }
}

fn save(ui: &mut egui::Ui, path: &mut String, what: &Saving, answered: &mut Answered) {
    ui.heading("Save as");
    let edit = ui.add(egui::TextEdit::singleline(path).desired_width(f32::INFINITY)).accessible_name("Path to save to");
    if !edit.has_focus() && !edit.lost_focus() {
        edit.request_focus();
    }
    let exists = Path::new(path.trim()).exists();
    if exists {
        ui.label(RichText::new("This file exists and will be replaced.").color(ui.visuals().warn_fg_color));
    }
    let entered = edit.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
    ui.horizontal(|ui| {
        let word = if exists { "Replace" } else { "Save" };
        if (ui.button(word).clicked() || entered) && !path.trim().is_empty() {
            *answered = Answered::Save(PathBuf::from(path.trim()), what.clone());
        }
        if ui.button("Cancel").clicked() {
            *answered = Answered::Closed;
        }
    });
}

/// A text that names one thing, or several separated by blanks where each exists.
fn split(text: &str) -> Vec<PathBuf> {
    let whole = PathBuf::from(text.trim());
    let parts: Vec<PathBuf> = text.split_whitespace().map(PathBuf::from).collect();
    if !whole.exists() && parts.len() > 1 && parts.iter().all(|part| part.exists()) { parts } else { vec![whole] }
}
