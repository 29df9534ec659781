//! The window: a path on top, the ranked sessions below; queries run on a thread of their own.
//!
//! Promises: a frame never waits for the store; an error or an empty list is a sentence that says what to do.
//!
//! Read next: `ja4_lab::render` (how text is made harmless).

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

use duckdb::arrow::array::{Array, RecordBatch};
use duckdb::arrow::util::display::{ArrayFormatter, FormatOptions};
use eframe::egui::{self, RichText};
use egui_extras::{Column, TableBuilder};
use ja4_lab::{render, sessions};

/// Rows asked for; a list that long is already more than anyone reads.
const TOP: usize = 10_000;

type Answer = Result<Rows, String>;

/// What is shown: cells as harmless text.
#[derive(Debug, Default)]
struct Rows {
    names: Vec<String>,
    cells: Vec<Vec<String>>,
    /// Why there is nothing to show.
    empty: Option<String>,
}

/// State of the window.
pub struct App {
    path: String,
    condition: String,
    pending: Option<Receiver<Answer>>,
    shown: Answer,
}

impl App {
    /// A window that opens `path` at once, where one was given.
    pub fn new(path: Option<PathBuf>) -> Self {
        let text = path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
        let mut app = Self { path: text, condition: String::new(), pending: None, shown: Ok(Rows::default()) };
        if path.is_some() {
            app.ask();
        }
        app
    }

    fn ask(&mut self) {
        let (sender, receiver) = sync_channel(1);
        let path = PathBuf::from(self.path.trim());
        let condition = Some(self.condition.trim().to_owned()).filter(|text| !text.is_empty());
        std::thread::spawn(move || {
            // The window may be gone by then; then nobody needs the answer.
            let _ = sender.send(load(&path, condition.as_deref()));
        });
        self.pending = Some(receiver);
    }

    fn receive(&mut self) {
        let Some(receiver) = &self.pending else { return };
        match receiver.try_recv() {
            Ok(answer) => self.shown = answer,
            Err(TryRecvError::Empty) => return,
            Err(TryRecvError::Disconnected) => self.shown = Err("the query stopped unexpectedly; try again".to_owned()),
        }
        self.pending = None;
    }

    fn bar(&mut self, ui: &mut egui::Ui) {
        ui.horizontal(|ui| {
            let database = ui.label("Database");
            let path = ui.add(egui::TextEdit::singleline(&mut self.path).desired_width(320.0)).labelled_by(database.id);
            let filter = ui.label("Filter (SQL)");
            let condition = ui
                .add(egui::TextEdit::singleline(&mut self.condition).desired_width(260.0).hint_text("host = 'shop.example'"))
                .labelled_by(filter.id);
            let entered = (path.lost_focus() || condition.lost_focus()) && ui.input(|input| input.key_pressed(egui::Key::Enter));
            if ui.button("Open").clicked() || entered {
                self.ask();
            }
            if self.pending.is_some() {
                ui.spinner();
            }
        });
    }
}

impl eframe::App for App {
    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        self.receive();
        if self.pending.is_some() {
            ui.ctx().request_repaint_after(std::time::Duration::from_millis(50));
        }
        egui::Panel::top("bar").show(ui, |ui| self.bar(ui));
        egui::CentralPanel::default().show(ui, |ui| match &self.shown {
            Err(message) => {
                ui.label(RichText::new(message).color(ui.visuals().error_fg_color));
            }
            Ok(rows) => table(ui, rows),
        });
    }
}

fn table(ui: &mut egui::Ui, rows: &Rows) {
    if rows.cells.is_empty() {
        let text = rows.empty.as_deref().unwrap_or("Type the path of a database and press Open, or start with `ja4-lab demo`");
        ui.label(render::visible(text));
        return;
    }
    let height = egui::TextStyle::Body.resolve(ui.style()).size + 6.0;
    let mut builder = TableBuilder::new(ui).striped(true).resizable(true);
    for index in 0..rows.names.len() {
        let last = index + 1 == rows.names.len();
        builder = builder.column(if last { Column::remainder() } else { Column::auto().at_least(40.0).clip(true) });
    }
    builder
        .header(height, |mut header| {
            for name in &rows.names {
                header.col(|ui| {
                    ui.strong(name);
                });
            }
        })
        .body(|body| {
            body.rows(height, rows.cells.len(), |mut row| {
                let cells = rows.cells.get(row.index());
                for cell in cells.into_iter().flatten() {
                    row.col(|ui| {
                        ui.label(cell);
                    });
                }
            });
        });
}

fn load(path: &Path, condition: Option<&str>) -> Answer {
    let store = sessions::open_confined(path).map_err(|error| error.to_string())?;
    let batches = sessions::ranked(&*store, TOP, condition).map_err(|error| error.to_string())?;
    let mut rows = to_rows(&batches);
    if rows.cells.is_empty() {
        rows.empty = Some(sessions::why_empty(&*store, condition).map_err(|error| error.to_string())?);
    }
    Ok(rows)
}

fn to_rows(batches: &[RecordBatch]) -> Rows {
    let mut rows = Rows::default();
    let options = FormatOptions::default();
    for batch in batches {
        rows.names = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
        for row in 0..batch.num_rows() {
            let cells = batch.columns().iter().map(|column: &std::sync::Arc<dyn Array>| {
                let formatter = ArrayFormatter::try_new(column.as_ref(), &options);
                render::visible(&formatter.map(|f| f.value(row).to_string()).unwrap_or_default())
            });
            rows.cells.push(cells.collect());
        }
    }
    rows
}
