//! The time brush: requests over all time, of which a span can be chosen that every view obeys.
//!
//! Promises: the span is whole buckets; it can be set by dragging, by typing both ends, by arrow keys, and moved by buttons; nothing
//! chosen is all.
//!
//! Read next: `scope.rs`.

use eframe::egui::{self, EventFilter, Key, Modifiers, RichText, Sense, WidgetInfo};

use super::action::Action;
use super::scope::Scope;
use super::theme;
use crate::data::Data;
use crate::data::query::Ask;
use crate::data::statements;
use crate::data::table::Table;
use crate::widgets::text;

/// Buckets over the whole span.
const BUCKETS: i64 = 240;

/// Buckets that a key press moves an end by.
const STEP: i64 = 8;

/// What it is told as.
const NAME: &str =
    "Time brush: drag to choose a span, click for all; arrow keys narrow it, with Shift they move it, Home looks at all";

/// Where its answers are.
pub const RANGE: crate::data::Place = ("shell", "range");
const TIMELINE: crate::data::Place = ("shell", "timeline");

/// State of the brush.
#[derive(Debug, Default)]
pub struct Brush {
    drag_from: Option<f32>,
    from: String,
    to: String,
    edited: bool,
}

impl Brush {
    /// Asks what it needs.
    pub fn ask(data: &mut Data, scope: &mut Scope) {
        data.want(RANGE, Ask::plain(statements::RANGE, &[], 1));
        let Some(table) = data.table(RANGE).filter(|table| table.rows() > 0 && table.int(0, "requests") > 0) else {
            scope.range = None;
            return;
        };
        let (first, last) = (table.int(0, "first_ns"), table.int(0, "last_ns"));
        scope.range = Some((first, last));
        let width = bucket(first, last);
        data.want(TIMELINE, Ask::plain(statements::TIMELINE, &[&width.to_string()], 10_000));
    }

    /// Shows it.
    pub fn ui(&mut self, ui: &mut egui::Ui, data: &Data, scope: &Scope, out: &mut Vec<Action>) {
        let Some((first, last)) = scope.range else { return };
        ui.horizontal(|ui| {
            self.ends(ui, scope, out);
            let (from, to) = (first - first % bucket(first, last), last + 1);
            let size = egui::vec2(ui.available_width().max(60.0), 34.0);
            let (area, response) = ui.allocate_exact_size(size, Sense::click_and_drag());
            response.widget_info(|| WidgetInfo::labeled(egui::Role::Slider, true, NAME));
            if let Some(table) = data.table(TIMELINE) {
                paint(ui, area, table, (from, to), bucket(first, last));
            }
            if let Some((chosen_from, chosen_to)) = scope.span {
                let x = |ns: i64| area.left() + area.width() * share(ns, from, to);
                let chosen = egui::Rect::from_x_y_ranges(x(chosen_from)..=x(chosen_to), area.y_range());
                ui.painter().rect(
                    chosen,
                    2.0,
                    ui.visuals().selection.bg_fill,
                    ui.visuals().selection.stroke,
                    egui::StrokeKind::Inside,
                );
            }
            self.drag(ui, &response, area, (from, to), bucket(first, last), out);
            if response.has_focus() {
                keys(ui, &response, scope.span.unwrap_or((from, to)), bucket(first, last).saturating_mul(STEP), out);
            }
        });
    }

    fn ends(&mut self, ui: &mut egui::Ui, scope: &Scope, out: &mut Vec<Action>) {
        let Some((first, last)) = scope.range else { return };
        if !self.edited {
            let (from, to) = scope.span.unwrap_or((first, last));
            (self.from, self.to) = (text::time(from), text::time(to));
        }
        let mut entered = false;
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = 1.0;
            for (name, value) in [("From (UTC)", &mut self.from), ("To (UTC)", &mut self.to)] {
                let edit = egui::TextEdit::singleline(value).desired_width(158.0).font(egui::TextStyle::Small);
                let response = ui.add(edit).accessible_name(name).on_hover_text(format!("{name}, as 2026-11-20 21:53:04"));
                self.edited |= response.has_focus() && response.changed();
                if response.lost_focus() && self.edited {
                    self.edited = false;
                }
                if response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter)) {
                    entered = true;
                }
            }
        });
        if entered {
            out.push(match (text::parse_time(&self.from), text::parse_time(&self.to)) {
                (Some(from), Some(to)) if from < to => Action::Span(Some((from, to))),
                _ => Action::Tell(Err("time: write both ends as 2026-11-20 21:53:04, the first before the second".to_owned())),
            });
        }
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = 1.0;
            if ui.add_enabled(scope.span.is_some(), egui::Button::new("All").small()).on_hover_text("look at all time").clicked()
            {
                out.push(Action::Span(None));
            }
            ui.horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = 1.0;
                for (word, name, sign) in [("◀", "Earlier span", -1), ("▶", "Later span", 1)] {
                    let button = egui::Button::new(RichText::new(word).small()).small();
                    let response = ui.add_enabled(scope.span.is_some(), button).accessible_name(name).on_hover_text(name);
                    if let (true, Some((from, to))) = (response.clicked(), scope.span) {
                        let width = to.saturating_sub(from).saturating_mul(sign);
                        out.push(Action::Span(Some((from.saturating_add(width), to.saturating_add(width)))));
                    }
                }
            });
        });
    }

    fn drag(
        &mut self,
        ui: &egui::Ui,
        response: &egui::Response,
        area: egui::Rect,
        (from, to): (i64, i64),
        width: i64,
        out: &mut Vec<Action>,
    ) {
        let at = |x: f32| {
            let share = f64::from(((x - area.left()) / area.width()).clamp(0.0, 1.0));
            #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a place on the screen")]
            let ns = from + (share * (to - from) as f64) as i64;
            ns
        };
        if response.drag_started() {
            self.drag_from = ui.input(|input| input.pointer.press_origin()).map(|place| place.x);
        }
        if let (Some(start), Some(now)) = (self.drag_from, response.interact_pointer_pos()) {
            let (low, high) = (at(start.min(now.x)), at(start.max(now.x)));
            let span = (low - low % width, high - high % width + width);
            if response.dragged() && (start - now.x).abs() > 3.0 {
                out.push(Action::Span(Some(span)));
            }
        }
        if response.drag_stopped() {
            self.drag_from = None;
        } else if response.clicked() {
            out.push(Action::Span(None));
        }
    }
}

/// Right lets the span begin later, Left lets it end earlier; with Shift both ends move; Home looks at everything.
fn keys(ui: &egui::Ui, response: &egui::Response, (from, to): (i64, i64), step: i64, out: &mut Vec<Action>) {
    let filter = EventFilter { horizontal_arrows: true, ..EventFilter::default() };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
    let pressed = |modifiers: Modifiers, key: Key| ui.input_mut(|input| input.consume_key(modifiers, key));
    let (mut begin, mut end) = (from, to);
    for (key, by) in [(Key::ArrowRight, step), (Key::ArrowLeft, -step)] {
        if pressed(Modifiers::SHIFT, key) {
            (begin, end) = (begin.saturating_add(by), end.saturating_add(by));
        } else if pressed(Modifiers::NONE, key) {
            if by > 0 { begin = begin.saturating_add(by) } else { end = end.saturating_add(by) }
        }
    }
    if pressed(Modifiers::NONE, Key::Home) {
        out.push(Action::Span(None));
    } else if (begin, end) != (from, to) && begin < end {
        out.push(Action::Span(Some((begin, end))));
    }
}

fn paint(ui: &egui::Ui, area: egui::Rect, table: &Table, (from, to): (i64, i64), width: i64) {
    ui.painter().rect_filled(area, 2.0, ui.visuals().extreme_bg_color);
    let most = (0..table.rows()).map(|row| table.int(row, "requests")).max().unwrap_or(1).max(1);
    let dark = ui.visuals().dark_mode;
    for row in 0..table.rows() {
        let ns = table.int(row, "bucket_ns");
        let (left, right) = (share(ns, from, to), share(ns + width, from, to));
        for (column, colour) in [("requests", theme::series(dark, 0)), ("errors", theme::series(dark, 1))] {
            let height = area.height() * share(table.int(row, column), 0, most).sqrt();
            let bar = egui::Rect::from_min_max(
                egui::pos2(area.left() + area.width() * left, area.bottom() - height),
                egui::pos2(
                    (area.left() + area.width() * right - 0.5).max(area.left() + area.width() * left + 1.0),
                    area.bottom(),
                ),
            );
            ui.painter().rect_filled(bar.intersect(area), 0.0, colour.gamma_multiply(0.8));
        }
    }
}

fn bucket(first: i64, last: i64) -> i64 {
    (last.saturating_sub(first) / BUCKETS).max(1_000_000)
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a place on the screen")]
fn share(value: i64, low: i64, high: i64) -> f32 {
    ((value.saturating_sub(low)) as f64 / (high.saturating_sub(low)).max(1) as f64).clamp(0.0, 1.0) as f32
}
