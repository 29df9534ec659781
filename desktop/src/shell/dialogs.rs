//! The two questions that stop everything else: what to open, and where to save.
//!
//! Promises: a path is typed, dropped or chosen from what was opened before; Enter accepts, Escape leaves, Tab comes by every button; a
//! wrong path is a sentence.
//!
//! Read next: `app.rs` (who acts on the answer).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eframe::egui::{self, Id, Key, RichText};

use crate::data::export::Form;
use crate::data::is_followed;
use crate::data::table::Table;
use crate::widgets::chart::Chart;
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
        /// Under pseudonyms.
        pseudonyms: bool,
    },
    /// A chart as PNG, in the dark look or the light one.
    ChartPicture(Arc<Chart>, bool),
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
pub struct Dialog {
    asks: Asks,
    /// Its field has yet to be given the keyboard.
    fresh: bool,
}

/// What a dialog asks.
#[derive(Debug)]
enum Asks {
    /// What to open.
    Open {
        /// Path typed so far.
        path: String,
        /// Token of a server, or the path of its file.
        token: String,
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
    /// Follow this server with this token.
    Server(PathBuf, String),
    /// Save there.
    Save(PathBuf, Saving),
}

impl Dialog {
    /// A dialog that asks what to open, with a beginning.
    #[must_use]
    pub fn open(path: &str) -> Self {
        Self { asks: Asks::Open { path: path.to_owned(), token: String::new() }, fresh: true }
    }

    /// A dialog that proposes a file in the working folder.
    #[must_use]
    pub fn save(name: &str, extension: &str, what: Saving) -> Self {
        let folder = std::env::current_dir().unwrap_or_default();
        let stem: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' }).collect();
        let path = folder.join(format!("{stem}.{extension}")).display().to_string();
        Self { asks: Asks::Save { path, what }, fresh: true }
    }

    /// Shows it.
    pub fn show(&mut self, ctx: &egui::Context, recent: &[String]) -> Answered {
        let mut answered = Answered::Open;
        let modal = egui::Modal::new(Id::unique("dialog")).show(ctx, |ui| {
            ui.set_width((ctx.content_rect().width() - 60.0).clamp(200.0, 560.0));
            match &mut self.asks {
                Asks::Open { path, token } => open(ui, path, token, recent, &mut self.fresh, &mut answered),
                Asks::Save { path, what } => save(ui, path, what, &mut self.fresh, &mut answered),
            }
        });
        if matches!(answered, Answered::Open) && modal.should_close() {
            return Answered::Closed;
        }
        answered
    }
}

fn open(ui: &mut egui::Ui, path: &mut String, token: &mut String, recent: &[String], fresh: &mut bool, answered: &mut Answered) {
    ui.heading("Open");
    ui.label("A DuckDB file, a ClickHouse URL, the http:// address of a running `ja4-lab live --listen`, a case file, or captures and logs (separated by spaces are several); dropping files on the window does the same.");
    let edit = ui
        .add(egui::TextEdit::singleline(path).desired_width(f32::INFINITY).hint_text("/path/to/file.duckdb"))
        .accessible_name("Path to open");
    let server = is_followed(Path::new(path.trim()));
    let mut entered = edit.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
    if server {
        let field = egui::TextEdit::singleline(token).password(true).desired_width(f32::INFINITY);
        let hint = "token, or the path of its file; empty takes JA4_TOKEN";
        let field = ui.add(field.hint_text(hint)).accessible_name("Token");
        // Enter in the first field leads to the token.
        if entered {
            field.request_focus();
        }
        entered = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
    }
    if std::mem::take(fresh) {
        edit.request_focus();
    }
    ui.horizontal(|ui| {
        if (ui.button("Open").clicked() || entered) && !path.trim().is_empty() {
            *answered = match (server, token.trim()) {
                (true, token) if !token.is_empty() => Answered::Server(PathBuf::from(path.trim()), read_token(token)),
                _ => Answered::Paths(split(path)),
            };
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
                // A server wants its token, which is never remembered.
                if is_followed(Path::new(known)) {
                    path.clone_from(known);
                } else {
                    *answered = Answered::Paths(vec![PathBuf::from(known)]);
                }
            }
        }
    }
}

/// The token itself, or what is in the file of that name.
fn read_token(text: &str) -> String {
    let path = Path::new(text);
    let read = if path.is_file() { std::fs::read_to_string(path).ok() } else { None };
    read.unwrap_or_else(|| text.to_owned()).trim().to_owned()
}

fn save(ui: &mut egui::Ui, path: &mut String, what: &mut Saving, fresh: &mut bool, answered: &mut Answered) {
    ui.heading("Save as");
    let edit = ui.add(egui::TextEdit::singleline(path).desired_width(f32::INFINITY)).accessible_name("Path to save to");
    if std::mem::take(fresh) {
        edit.request_focus();
    }
    if let Saving::Table { pseudonyms, .. } = what {
        ui.checkbox(pseudonyms, "Under pseudonyms").on_hover_text(
            "addresses keep their common prefixes, hosts, paths, User-Agents and every other name become words of a key that stays here",
        );
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
