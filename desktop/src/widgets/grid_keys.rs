//! The keyboard in a table: a cursor that moves, what its cell is told as, and what can be done with it.
//!
//! Promises: a table is one stop of the Tab key, which also leaves it; everything that the pointer can do with a row or column has a key;
//! a screen reader is told the row and the cell under the cursor.
//!
//! Read next: `grid.rs`, `../shell/keys.rs` (the list of keys that help prints).

use eframe::egui::{self, EventFilter, Key, Modifiers, WidgetInfo};

use super::grid::{Done, Frame, Grid, GridState, floor, to_f64};
use super::grid_columns::title;
use super::text;

/// What a key press widens a column by, in points.
const STEP: f32 = 24.0;

impl Grid<'_> {
    pub(super) fn keys(&self, ui: &egui::Ui, state: &mut GridState, frame: &mut Frame<'_>) {
        let Frame { rows, shown, page, focus, done } = frame;
        let page = *page;
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
            state.moved = true;
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
        } else if pressed(Key::S) {
            state.sort_by(at);
        } else if pressed(Key::OpenBracket) {
            self.widen(state, at, -STEP);
        } else if pressed(Key::CloseBracket) {
            self.widen(state, at, STEP);
        } else if pressed(Key::Plus) || pressed(Key::I) {
            *done = Some(cell(false));
        } else if pressed(Key::Minus) || pressed(Key::X) {
            *done = Some(cell(true));
        } else if ui.input(|input| input.events.iter().any(|event| matches!(event, egui::Event::Copy))) {
            ui.ctx().copy_text(self.table.cell(row, at).into_owned());
        }
    }

    /// What a screen reader says: the table, and the cell under the cursor while it has the focus.
    pub(super) fn told(&self, state: &GridState, frame: &Frame<'_>) -> WidgetInfo {
        let Frame { rows, shown, .. } = frame;
        let mut info = WidgetInfo::labeled(egui::Role::Table, true, format!("{}, {} rows", self.name, rows.len()));
        let cursor = state.cursor.filter(|_| frame.focus.has_focus());
        if let Some((place, row, at)) = cursor.and_then(|(place, nth)| Some((place, *rows.get(place)?, *shown.get(nth)?))) {
            let (name, cell) = (title(&self.table.names()[at]), self.table.cell(row as usize, at));
            info.current_text_value = Some(format!("row {}, {name}: {}", place + 1, text::cell(&cell)));
        }
        info
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
