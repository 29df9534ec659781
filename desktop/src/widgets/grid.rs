//! The table: a million rows, of which only those on the screen are looked at.
//!
//! Promises: a frame costs what the visible cells cost; the position is a row number, exact at any length; every row can be reached,
//! opened, copied, included and excluded by keyboard; a cell is shown escaped and cut.
//!
//! Read next: `grid_keys.rs` (the keyboard), `grid_order.rs` (sorting and finding), `grid_columns.rs` (headings and widths), `text.rs` (cells).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use eframe::egui::text::{LayoutJob, TextWrapping};
use eframe::egui::{self, Align, Align2, Layout, RichText, Sense, TextStyle, WidgetInfo};
use egui_extras::{Column, TableBuilder};

pub use super::grid_columns::title;
use super::grid_columns::width;
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
    pub(super) top: f64,
    /// Place in the order, and column.
    pub(super) cursor: Option<(usize, usize)>,
    /// A key moved the cursor in this frame, so its cell has to be seen.
    pub(super) moved: bool,
    /// The cell whose menu is open.
    menu: Option<(usize, usize)>,
    /// Columns that are not shown; `None` until the view's choice was taken.
    hidden: Option<BTreeSet<String>>,
    /// Widths that a person chose, by column.
    widths: BTreeMap<usize, f32>,
}

impl GridState {
    /// The row (of the table) that the cursor is on.
    #[must_use]
    pub fn selected(&self) -> Option<usize> {
        self.cursor.and_then(|(place, _)| self.order.shown().get(place)).map(|row| *row as usize)
    }

    /// Sorts by a column: downwards, upwards, as the rows came.
    pub(super) fn sort_by(&mut self, at: usize) {
        self.wish.sort = match self.wish.sort {
            Some((column, true)) if column == at => Some((at, false)),
            Some((column, false)) if column == at => None,
            _ => Some((at, true)),
        };
        self.top = 0.0;
    }
}

/// A table that is about to be shown.
#[derive(Debug)]
pub struct Grid<'a> {
    pub(super) name: &'static str,
    pub(super) table: &'a Arc<Table>,
    columns: &'a [&'a str],
    height: Option<f32>,
    toolbar: bool,
}

/// One frame of a table: what is seen of it, and what was done with it.
pub(super) struct Frame<'a> {
    /// Rows in their order, of those that were found.
    pub rows: &'a [u32],
    /// Columns in their order.
    pub shown: &'a [usize],
    /// Rows that fit.
    pub page: usize,
    /// Where the keyboard stops.
    pub focus: &'a egui::Response,
    /// What was done.
    pub done: Option<Done>,
}

const ROW: f32 = 20.0;
const HEADER: f32 = 24.0;
const BAR: f32 = 14.0;
const GAP: f32 = 2.0;
/// Narrowest column, and what wide columns of a bare table are squeezed to.
const NARROW: f32 = 36.0;
const SQUEEZED: f32 = 88.0;
/// Room between numbers and the next column.
const DIGITS: f32 = 6.0;

/// Pressed and dragged by the pointer alone: Tab stops at the table once, not at each of its parts.
const POINTED: Sense = Sense::CLICK;

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
        let done = if self.toolbar { self.toolbar(ui, state, &rows) } else { None };
        let height = self.height.unwrap_or(f32::INFINITY).min(ui.available_height()).max(HEADER + 3.0 * ROW);
        let page = rows_per_page(height);
        let area = egui::vec2(ui.available_width(), height);
        let (area, _) = ui.allocate_exact_size(area, Sense::hover());
        let focus = ui.interact(area, ui.scope_id().with(("grid", self.name)), Sense::focusable_noninteractive());
        let mut frame = Frame { rows: &rows, shown: &shown, page, focus: &focus, done };
        self.keys(ui, state, &mut frame);
        let told = self.told(state, &frame);
        // Made before: inside, the window is locked.
        focus.widget_info(|| told.clone());
        self.wheel(ui, state, area);
        let last = rows.len().saturating_sub(page);
        state.top = state.top.clamp(0.0, to_f64(last));
        let (left, bar) = area.split_left_right_at_x(area.right() - BAR);
        let mut inner = ui.new_child(egui::UiBuilder::new().max_rect(left).id_salt(("rows", self.name)));
        inner.set_clip_rect(left.intersect(ui.clip_rect()));
        egui::ScrollArea::horizontal().id_salt(("across", self.name)).auto_shrink(false).show(&mut inner, |ui| {
            self.body(ui, state, &mut frame);
        });
        scroll_bar(ui, bar, self.name, &mut state.top, rows.len(), page);
        if focus.has_focus() {
            ui.painter().rect_stroke(area, 2.0, ui.visuals().selection.stroke, egui::StrokeKind::Inside);
        }
        frame.done
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

    fn body(&self, ui: &mut egui::Ui, state: &mut GridState, frame: &mut Frame<'_>) {
        let Frame { rows, shown, page, focus, done } = frame;
        ui.spacing_mut().item_spacing.y = GAP;
        let (first, available) = (floor(state.top), ui.available_width() - ui.spacing().item_spacing.x * to_f32(shown.len()));
        let count = (*page).min(rows.len().saturating_sub(first));
        let mut builder = TableBuilder::new(ui).id_salt((self.name, shown.len())).striped(true).resizable(false).vscroll(false);
        builder = builder.sense(POINTED).cell_layout(Layout::left_to_right(Align::Center));
        for wide in self.widths(state, shown, available) {
            builder = builder.column(Column::exact(wide).clip(true));
        }
        builder
            .header(HEADER, |mut header| {
                for at in *shown {
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
                        let (_, response) = line.col(|ui| {
                            if marked {
                                mark(ui, std::mem::take(&mut state.moved));
                            }
                            self.cell(ui, row, *at);
                        });
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
        let area = ui.max_rect();
        let number = self.is_number(at);
        let layout = if number { Layout::right_to_left(Align::Center) } else { Layout::left_to_right(Align::Center) };
        let button = ui.with_layout(layout, |ui| {
            ui.add_space(if number { DIGITS } else { 0.0 });
            ui.add(button.sense(POINTED))
        });
        let response = button.inner;
        if response.on_hover_text(format!("sort by {}", text::cell(&title(name)))).clicked() {
            state.sort_by(at);
        }
        let edge = egui::Rect::from_x_y_ranges(area.right() - 5.0..=area.right(), area.y_range());
        let edge = ui.interact(edge, ui.scope_id().with("edge"), POINTED | Sense::DRAG);
        let edge = edge.on_hover_and_drag_cursor(egui::CursorIcon::ResizeColumn);
        if edge.double_clicked() {
            state.widths.remove(&at);
        } else if edge.dragged() {
            self.widen(state, at, edge.drag_delta().x);
        }
        let stroke = if edge.hovered() { ui.visuals().selection.stroke } else { ui.visuals().widgets.noninteractive.bg_stroke };
        ui.painter().vline(area.right() - 1.0, area.y_range().shrink(4.0), stroke);
    }

    /// Widths of the columns shown. As long as nobody chose one, a bare table takes what is too much from its wide columns, and a last
    /// column of text takes what is left.
    fn widths(&self, state: &GridState, shown: &[usize], available: f32) -> Vec<f32> {
        let mut wide: Vec<f32> = shown.iter().map(|at| self.width(state, *at)).collect();
        if !state.widths.is_empty() {
            return wide;
        }
        let excess = wide.iter().sum::<f32>() - available;
        let spare = |wide: f32| (wide - SQUEEZED).max(0.0);
        let room: f32 = wide.iter().copied().map(spare).sum();
        if excess > 0.0 && room > 0.0 && !self.toolbar {
            wide.iter_mut().for_each(|wide| *wide -= spare(*wide) * (excess / room).min(1.0));
        } else if let (true, Some(last), Some(at)) = (excess < 0.0, wide.last_mut(), shown.last())
            && !self.is_number(*at)
        {
            *last -= excess;
        }
        wide
    }

    fn is_number(&self, at: usize) -> bool {
        matches!(self.table.columns().get(at), Some(Values::Int(_) | Values::Float(_)))
            && text::is_number(&self.table.names()[at])
    }

    fn width(&self, state: &GridState, at: usize) -> f32 {
        state.widths.get(&at).copied().unwrap_or_else(|| width(&self.table.names()[at]))
    }

    pub(super) fn widen(&self, state: &mut GridState, at: usize, by: f32) {
        let wide = (self.width(state, at) + by).clamp(NARROW, 2_000.0);
        state.widths.insert(at, wide);
    }

    fn cell(&self, ui: &mut egui::Ui, row: usize, at: usize) {
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
        let shown = text::shown(name, &text, int);
        let long = shown.len() > 24;
        let code = int.is_none() && (name.starts_with("ja4") || name.ends_with("_id") || name.ends_with("digest"));
        let font = if code { TextStyle::Monospace } else { TextStyle::Body }.resolve(ui.style());
        let colour = text::colour(ui.visuals().dark_mode, name, &text).unwrap_or_else(|| ui.visuals().text_color());
        // Drawn here and not as a label: a frame draws hundreds of cells.
        let (area, response) = ui.allocate_exact_size(ui.max_rect().size(), Sense::hover());
        let mut job = LayoutJob::simple_singleline(shown, font, colour);
        job.wrap = TextWrapping::truncate_at_width(area.width());
        let galley = ui.fonts_mut(|fonts| fonts.layout_job(job));
        let (align, area) = if self.is_number(at) {
            (Align2::RIGHT_CENTER, area.with_max_x(area.right() - DIGITS))
        } else {
            (Align2::LEFT_CENTER, area)
        };
        response.widget_info(|| WidgetInfo::labeled(egui::Role::Label, true, galley.text()));
        ui.painter().galley(align.align_size_within_rect(galley.size(), area).min, galley, colour);
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

    fn wheel(&self, ui: &egui::Ui, state: &mut GridState, area: egui::Rect) {
        if !ui.rect_contains_pointer(area) {
            return;
        }
        let delta = ui.input(|input| if input.modifiers.shift { 0.0 } else { input.smooth_scroll_delta().y });
        state.top -= f64::from(delta / ROW);
    }
}

/// Marks the cell under the cursor, and brings it into sight where a key moved there.
fn mark(ui: &egui::Ui, moved: bool) {
    let area = ui.max_rect().shrink(0.5);
    ui.painter().rect_stroke(area, 1.0, ui.visuals().selection.stroke, egui::StrokeKind::Inside);
    if moved {
        ui.scroll_to_rect(area, None);
    }
}

fn scroll_bar(ui: &egui::Ui, bar: egui::Rect, name: &str, top: &mut f64, rows: usize, page: usize) {
    let last = to_f64(rows.saturating_sub(page));
    if last <= 0.0 {
        return;
    }
    let response = ui.interact(bar, ui.scope_id().with(("bar", name)), POINTED | Sense::DRAG);
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

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "pixels to rows; never negative")]
fn rows_per_page(height: f32) -> usize {
    (((height - HEADER - 10.0) / (ROW + GAP)).floor().max(1.0)) as usize
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the number of rows")]
pub(super) fn floor(top: f64) -> usize {
    top.max(0.0).floor() as usize
}

#[allow(clippy::cast_precision_loss, reason = "row numbers stay far below 2^53")]
pub(super) fn to_f64(rows: usize) -> f64 {
    rows as f64
}

#[allow(clippy::cast_precision_loss, reason = "a number of columns")]
fn to_f32(columns: usize) -> f32 {
    columns as f32
}

#[allow(clippy::cast_possible_truncation, reason = "a share from 0 to 1")]
fn narrow(share: f64) -> f32 {
    share as f32
}
