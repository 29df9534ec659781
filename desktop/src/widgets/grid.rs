//! The table: a million rows, of which only those on the screen are looked at.
//!
//! Promises: a frame costs what the visible cells cost; the position is a row number, exact at any length; every row can be reached,
//! opened, copied, included and excluded by keyboard; a cell is shown escaped and cut.
//!
//! Read next: `grid_order.rs` (sorting and finding), `text.rs` (cells).

use std::collections::BTreeSet;
use std::sync::Arc;

use eframe::egui::{self, Align, EventFilter, Key, Label, Layout, Modifiers, RichText, Sense, WidgetInfo};
use egui_extras::{Column, TableBuilder};

use super::grid_order::{Order, Wish};
use super::text;
use crate::data::export::Form;
use crate::data::table::{Column as Values, Table};

/// What a person did with a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// Opened a row (of the table, not of the order).
    Open(usize),
    /// Wants only rows with this value, or (true) none of them.
    Filter {
        /// Exclude.
        not: bool,
        /// Column.
        column: String,
        /// Cell.
        value: String,
    },
    /// Wants the shown rows in a file.
    Export(Form, Arc<Vec<u32>>),
    /// Wants to see the statement behind the rows.
    ShowSql,
}

/// Remembered between frames.
#[derive(Debug, Default)]
pub struct GridState {
    order: Order,
    wish: Wish,
    /// First row on the screen, with its fraction.
    top: f64,
    /// Place in the order, and column.
    cursor: Option<(usize, usize)>,
    /// The cell whose menu is open.
    menu: Option<(usize, usize)>,
    /// Columns that are not shown; `None` until the view's choice was taken.
    hidden: Option<BTreeSet<String>>,
}

impl GridState {
    /// The row (of the table) that the cursor is on.
    #[must_use]
    pub fn selected(&self) -> Option<usize> {
        self.cursor.and_then(|(place, _)| self.order.shown().get(place)).map(|row| *row as usize)
    }
}

/// A table that is about to be shown.
#[derive(Debug)]
pub struct Grid<'a> {
    name: &'static str,
    table: &'a Arc<Table>,
    columns: &'a [&'a str],
    height: Option<f32>,
    toolbar: bool,
}

const ROW: f32 = 20.0;
const HEADER: f32 = 24.0;
const BAR: f32 = 14.0;
const GAP: f32 = 2.0;

impl<'a> Grid<'a> {
    /// `columns` are shown at first, in this order; the others can be chosen. Empty shows all.
    #[must_use]
    pub fn new(name: &'static str, table: &'a Arc<Table>, columns: &'a [&'a str]) -> Self {
        Self { name, table, columns, height: None, toolbar: true }
    }

    /// Not higher than this.
    #[must_use]
    pub fn height(mut self, height: f32) -> Self {
        self.height = Some(height);
        self
    }

    /// Without search, columns and export.
    #[must_use]
    pub fn bare(mut self) -> Self {
        self.toolbar = false;
        self
    }

    /// Shows it and tells what was done.
    pub fn show(self, ui: &mut egui::Ui, state: &mut GridState) -> Option<Done> {
        let shown = self.shown_columns(state);
        let rows = state.order.rows(ui.ctx(), self.table, &state.wish);
        let mut done = if self.toolbar { self.toolbar(ui, state, &rows) } else { None };
        let height = self.height.unwrap_or(f32::INFINITY).min(ui.available_height()).max(HEADER + 3.0 * ROW);
        let page = rows_per_page(height);
        let area = egui::vec2(ui.available_width(), height);
        let (area, _) = ui.allocate_exact_size(area, Sense::hover());
        let focus = ui.interact(area, ui.scope_id().with(("grid", self.name)), Sense::focusable_noninteractive());
        focus.widget_info(|| WidgetInfo::labeled(egui::Role::Table, true, format!("{}, {} rows", self.name, rows.len())));
        self.keys(ui, state, &rows, &shown, page, &focus, &mut done);
        self.wheel(ui, state, area);
        let last = rows.len().saturating_sub(page);
        state.top = state.top.clamp(0.0, to_f64(last));
        let (left, bar) = area.split_left_right_at_x(area.right() - BAR);
        let mut inner = ui.new_child(egui::UiBuilder::new().max_rect(left).id_salt(("rows", self.name)));
        inner.set_clip_rect(left.intersect(ui.clip_rect()));
        egui::ScrollArea::horizontal().id_salt(("across", self.name)).auto_shrink(false).show(&mut inner, |ui| {
            self.body(ui, state, &rows, &shown, page, &focus, &mut done);
        });
        scroll_bar(ui, bar, self.name, &mut state.top, rows.len(), page);
        if focus.has_focus() {
            ui.painter().rect_stroke(area, 2.0, ui.visuals().selection.stroke, egui::StrokeKind::Inside);
        }
        done
    }

    fn shown_columns(&self, state: &mut GridState) -> Vec<usize> {
        let hidden = state.hidden.get_or_insert_with(|| {
            let wanted = |name: &&String| self.columns.is_empty() || self.columns.contains(&name.as_str());
            self.table.names().iter().filter(|name| !wanted(name)).cloned().collect()
        });
        let place = |name: &str| self.columns.iter().position(|known| *known == name).unwrap_or(usize::MAX);
        let mut shown: Vec<usize> =
            (0..self.table.names().len()).filter(|at| !hidden.contains(&self.table.names()[*at])).collect();
        shown.sort_by_key(|at| place(&self.table.names()[*at]));
        shown
    }

    fn toolbar(&self, ui: &mut egui::Ui, state: &mut GridState, rows: &Arc<Vec<u32>>) -> Option<Done> {
        let mut done = None;
        ui.horizontal(|ui| {
            let all = self.table.rows();
            let count = super::thousands(i64::try_from(rows.len()).unwrap_or(i64::MAX));
            let text = if rows.len() == all { format!("{count} rows") } else { format!("{count} of {all} rows") };
            ui.label(RichText::new(text).weak());
            let find = egui::TextEdit::singleline(&mut state.wish.find).desired_width(140.0).hint_text("find in these rows");
            ui.add(find).accessible_name(format!("Find in {}", self.name));
            ui.menu_button("Columns", |ui| {
                egui::ScrollArea::vertical().max_height(360.0).show(ui, |ui| self.column_menu(ui, state));
            });
            ui.menu_button("Export", |ui| {
                for form in Form::ALL {
                    if ui.button(form.name()).clicked() {
                        done = Some(Done::Export(form, Arc::clone(rows)));
                        ui.close();
                    }
                }
            });
            if ui.button("SQL").on_hover_text("the statement behind these rows, in the console").clicked() {
                done = Some(Done::ShowSql);
            }
            if state.order.is_coming() {
                ui.spinner();
            }
        });
        done
    }

    fn column_menu(&self, ui: &mut egui::Ui, state: &mut GridState) {
        let hidden = state.hidden.get_or_insert_default();
        for name in self.table.names() {
            let mut shown = !hidden.contains(name);
            if ui.checkbox(&mut shown, text::cell(name)).changed() {
                if shown {
                    hidden.remove(name);
                } else {
                    hidden.insert(name.clone());
                }
            }
        }
    }

    #[allow(clippy::too_many_arguments, reason = "one frame of one table")]
    fn body(
        &self,
        ui: &mut egui::Ui,
        state: &mut GridState,
        rows: &[u32],
        shown: &[usize],
        page: usize,
        focus: &egui::Response,
        done: &mut Option<Done>,
    ) {
        ui.spacing_mut().item_spacing.y = GAP;
        let first = floor(state.top);
        let count = page.min(rows.len().saturating_sub(first));
        let mut builder = TableBuilder::new(ui).id_salt((self.name, shown.len())).striped(true).resizable(true).vscroll(false);
        builder = builder.sense(Sense::click()).cell_layout(Layout::left_to_right(Align::Center));
        for at in shown {
            builder = builder.column(Column::initial(width(&self.table.names()[*at])).at_least(36.0).clip(true));
        }
        builder
            .header(HEADER, |mut header| {
                for at in shown {
                    header.col(|ui| self.head(ui, state, *at));
                }
            })
            .body(|body| {
                body.rows(ROW, count, |mut line| {
                    let place = first + line.index();
                    let Some(row) = rows.get(place).map(|row| *row as usize) else { return };
                    line.set_selected(state.cursor.is_some_and(|(cursor, _)| cursor == place));
                    for (nth, at) in shown.iter().enumerate() {
                        let marked = focus.has_focus() && state.cursor == Some((place, nth));
                        let (_, response) = line.col(|ui| self.cell(ui, row, *at, marked));
                        if response.clicked() || response.secondary_clicked() {
                            state.cursor = Some((place, nth));
                            focus.request_focus();
                        }
                        if response.double_clicked() {
                            *done = Some(Done::Open(row));
                        }
                        if response.secondary_clicked() {
                            state.menu = Some((place, nth));
                        }
                        // Only one cell can have its menu open; asking all of them costs a frame.
                        if state.menu == Some((place, nth)) {
                            response.context_menu(|ui| self.cell_menu(ui, row, *at, done));
                        }
                    }
                });
            });
    }

    fn head(&self, ui: &mut egui::Ui, state: &mut GridState, at: usize) {
        let name = &self.table.names()[at];
        let mark = match state.wish.sort {
            Some((column, true)) if column == at => " ▼",
            Some((column, false)) if column == at => " ▲",
            _ => "",
        };
        let button =
            egui::Button::new(RichText::new(format!("{}{mark}", text::cell(&title(name)))).strong()).frame(false).truncate();
        if ui.add(button).on_hover_text(format!("sort by {}", text::cell(&title(name)))).clicked() {
            state.wish.sort = match state.wish.sort {
                Some((column, true)) if column == at => Some((at, false)),
                Some((column, false)) if column == at => None,
                _ => Some((at, true)),
            };
            state.top = 0.0;
        }
    }

    fn cell(&self, ui: &mut egui::Ui, row: usize, at: usize, marked: bool) {
        // Columns beyond the window cost nothing.
        if !ui.is_rect_visible(ui.max_rect()) {
            return;
        }
        let name = self.table.names()[at].as_str();
        let text = self.table.cell(row, at);
        let int = match self.table.columns().get(at) {
            Some(Values::Int(values)) => values.get(row).copied(),
            _ => None,
        };
        if marked {
            ui.painter().rect_stroke(ui.max_rect().shrink(0.5), 1.0, ui.visuals().selection.stroke, egui::StrokeKind::Inside);
        }
        let shown = text::shown(name, &text, int);
        let long = shown.len() > 24;
        let mut rich = RichText::new(shown);
        if let Some(colour) = text::colour(ui.visuals().dark_mode, name, &text) {
            rich = rich.color(colour);
        }
        if name == "ja4" || name.ends_with("_id") || name.ends_with("digest") {
            rich = rich.monospace();
        }
        let response = ui.add(Label::new(rich).selectable(false).truncate());
        if long && response.contains_pointer() {
            response.on_hover_text(text::cut(&text, 1_500));
        }
    }

    fn cell_menu(&self, ui: &mut egui::Ui, row: usize, at: usize, done: &mut Option<Done>) {
        let (column, value) = (self.table.names()[at].clone(), self.table.cell(row, at).into_owned());
        let short = text::cut(&value, 40);
        if ui.button("Open").clicked() {
            *done = Some(Done::Open(row));
            ui.close();
        }
        for (not, word) in [(false, "Only"), (true, "Without")] {
            if ui.button(format!("{word} {} {short}", title(&column))).clicked() {
                *done = Some(Done::Filter { not, column: column.clone(), value: value.clone() });
                ui.close();
            }
        }
        if ui.button("Copy cell").clicked() {
            ui.ctx().copy_text(value);
            ui.close();
        }
    }

    #[allow(clippy::too_many_arguments, reason = "one frame of one table")]
    fn keys(
        &self,
        ui: &egui::Ui,
        state: &mut GridState,
        rows: &[u32],
        shown: &[usize],
        page: usize,
        focus: &egui::Response,
        done: &mut Option<Done>,
    ) {
        if !focus.has_focus() || rows.is_empty() || shown.is_empty() {
            return;
        }
        let filter = EventFilter { tab: false, horizontal_arrows: true, vertical_arrows: true, escape: false };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(focus.id, filter));
        let (mut place, mut column) = state.cursor.unwrap_or((floor(state.top), 0));
        let before = (place, column);
        let last = rows.len() - 1;
        let pressed = |key: Key| ui.input_mut_key(key);
        place = if pressed(Key::ArrowDown) { place + 1 } else { place };
        place = if pressed(Key::ArrowUp) { place.saturating_sub(1) } else { place };
        place = if pressed(Key::PageDown) { place + page } else { place };
        place = if pressed(Key::PageUp) { place.saturating_sub(page) } else { place };
        place = if pressed(Key::Home) { 0 } else { place };
        place = if pressed(Key::End) { last } else { place };
        column = if pressed(Key::ArrowRight) { column + 1 } else { column };
        column = if pressed(Key::ArrowLeft) { column.saturating_sub(1) } else { column };
        (place, column) = (place.min(last), column.min(shown.len() - 1));
        if (place, column) != before || state.cursor.is_none() {
            state.cursor = Some((place, column));
            let first = floor(state.top);
            if place < first {
                state.top = to_f64(place);
            } else if place + 1 > first + page {
                state.top = to_f64(place + 1 - page);
            }
        }
        let row = rows[place] as usize;
        let at = shown[column];
        let cell = |not: bool| Done::Filter {
            not,
            column: self.table.names()[at].clone(),
            value: self.table.cell(row, at).into_owned(),
        };
        if pressed(Key::Enter) {
            *done = Some(Done::Open(row));
        } else if pressed(Key::Plus) || pressed(Key::I) {
            *done = Some(cell(false));
        } else if pressed(Key::Minus) || pressed(Key::X) {
            *done = Some(cell(true));
        } else if ui.input(|input| input.events.iter().any(|event| matches!(event, egui::Event::Copy))) {
            ui.ctx().copy_text(self.table.cell(row, at).into_owned());
        }
    }

    fn wheel(&self, ui: &egui::Ui, state: &mut GridState, area: egui::Rect) {
        if !ui.rect_contains_pointer(area) {
            return;
        }
        let delta = ui.input(|input| if input.modifiers.shift { 0.0 } else { input.smooth_scroll_delta().y });
        state.top -= f64::from(delta / ROW);
    }
}

/// Keys without modifiers, taken so that nothing else acts on them.
trait TakeKey {
    fn input_mut_key(&self, key: Key) -> bool;
}

impl TakeKey for egui::Ui {
    fn input_mut_key(&self, key: Key) -> bool {
        self.ctx().input_mut(|input| input.consume_key(Modifiers::NONE, key))
    }
}

fn scroll_bar(ui: &egui::Ui, bar: egui::Rect, name: &str, top: &mut f64, rows: usize, page: usize) {
    let last = to_f64(rows.saturating_sub(page));
    if last <= 0.0 {
        return;
    }
    let response = ui.interact(bar, ui.scope_id().with(("bar", name)), Sense::click_and_drag());
    response.widget_info(|| WidgetInfo::slider(true, *top, format!("Position in {name}")));
    let share = (page as f32 / rows.max(1) as f32).clamp(0.0, 1.0);
    let length = (bar.height() * share).clamp(24.0_f32.min(bar.height()), bar.height());
    let room = (bar.height() - length).max(1.0);
    if let Some(at) = response.interact_pointer_pos() {
        *top = (f64::from((at.y - bar.top() - length / 2.0) / room) * last).clamp(0.0, last);
    }
    let y = bar.top() + room * narrow(*top / last);
    let visuals = ui.style().interact(&response);
    ui.painter().rect_filled(bar, 4.0, ui.visuals().extreme_bg_color);
    let handle = egui::Rect::from_min_size(egui::pos2(bar.left() + 3.0, y), egui::vec2(BAR - 6.0, length));
    ui.painter().rect_filled(handle, 4.0, visuals.fg_stroke.color.gamma_multiply(0.5));
}

/// A column's name as a heading.
#[must_use]
pub fn title(name: &str) -> String {
    match name {
        "src_ip" => "address".to_owned(),
        "ja4" => "JA4".to_owned(),
        "ua_family" => "claims".to_owned(),
        "as_name" => "network".to_owned(),
        "first_ns" => "first seen".to_owned(),
        "last_ns" => "last seen".to_owned(),
        "ts_ns" => "time".to_owned(),
        "score_eif" => "forest".to_owned(),
        "score_autoencoder" => "autoencoder".to_owned(),
        "score_boosted" => "trees".to_owned(),
        name => name.trim_end_matches("_ns").trim_end_matches("_us").replace('_', " "),
    }
}

fn width(name: &str) -> f32 {
    match name {
        "reason" | "why" | "detail" | "config" | "counters" | "pattern" | "traits" => 420.0,
        "user_agent" | "path" | "referer" | "entity" | "note" => 260.0,
        "ja4" | "ja4_example" | "ja4_other_example" => 262.0,
        "first_ns" | "last_ns" | "ts_ns" | "started_ns" | "finished_ns" | "win_ms" | "hello_ts_ns" => 168.0,
        "src_ip" | "client_ip" | "host" | "as_name" | "name" | "session_id" | "campaign_id" | "feature" | "label" => 150.0,
        "severity" | "ua_family" | "match_kind" | "family" | "kind" => 92.0,
        _ => 78.0,
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "pixels to rows; never negative")]
fn rows_per_page(height: f32) -> usize {
    (((height - HEADER - 10.0) / (ROW + GAP)).floor().max(1.0)) as usize
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the number of rows")]
fn floor(top: f64) -> usize {
    top.max(0.0).floor() as usize
}

#[allow(clippy::cast_precision_loss, reason = "row numbers stay far below 2^53")]
fn to_f64(rows: usize) -> f64 {
    rows as f64
}

#[allow(clippy::cast_possible_truncation, reason = "a share from 0 to 1")]
fn narrow(share: f64) -> f32 {
    share as f32
}
