//! Compare: what is new, gone or changed in the span that is looked at, against what came before.
//!
//! Promises: the figures are those of `ja4-lab compare`; without a span the second half of all time is held against the first; what a
//! value can be searched by is one double click away.
//!
//! Read next: `ja4_lab::compare` (what counts as a change), `../../shell/brush.rs` (where the span comes from).

use eframe::egui;
use ja4_lab::compare::{ASPECTS, Span};

use super::{Cx, Need, View};
use crate::data::query::Ask;
use crate::data::table::Table;
use crate::shell::action::Action;
use crate::shell::scope::Scope;
use crate::widgets::grid::{Done, Grid, GridState};
use crate::widgets::{rows_or_reason, text};

/// The view.
#[derive(Debug, Default)]
pub struct Compare {
    before: Before,
    /// One aspect by name; empty is all of them.
    aspect: &'static str,
    grid: GridState,
}

/// What the span is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Before {
    #[default]
    Everything,
    SameLength,
}

const ID: &str = "compare";
const EVERYTHING: &str = "everything";
const COLUMNS: &[&str] = &[
    "change",
    "kind",
    "entity",
    "known_as",
    "addresses_then",
    "addresses_now",
    "share_then",
    "share_now",
    "anomalous_now",
    "by_chance",
    "requests_now",
    "first_ns",
];

impl View for Compare {
    fn id(&self) -> &'static str {
        ID
    }

    fn title(&self) -> &'static str {
        "Compare"
    }

    fn icon(&self) -> &'static str {
        "Δ"
    }

    fn about(&self) -> &'static str {
        "What is new, gone or changed in the chosen span against what came before: fingerprints, claims, networks, hosts."
    }

    fn queries(&self, need: &Need<'_>) -> Vec<(&'static str, Ask)> {
        let Some((then, now)) = self.spans(need.scope) else { return Vec::new() };
        vec![("rows", Ask::Compare { then, now, aspect: self.aspect })]
    }

    fn ui(&mut self, ui: &mut egui::Ui, cx: &mut Cx<'_>) {
        ui.horizontal_wrapped(|ui| {
            egui::ComboBox::from_label("of each address").selected_text(name(self.aspect)).show_ui(ui, |ui| {
                for aspect in std::iter::once("").chain(ASPECTS.iter().map(|aspect| aspect.name)) {
                    ui.selectable_value(&mut self.aspect, aspect, name(aspect));
                }
            });
            ui.separator();
            ui.selectable_value(&mut self.before, Before::Everything, "Against all before");
            ui.selectable_value(&mut self.before, Before::SameLength, "Against as long before");
        });
        if let Some((then, now)) = self.spans(cx.scope) {
            let halves = if cx.scope.span.is_none() {
                " No span is chosen, so these are two halves: drag over the bar at the top."
            } else {
                ""
            };
            let [a, b, c, d] = [then.0, then.1, now.0, now.1].map(text::time);
            ui.weak(format!(
                "Now is {c} to {d}; then is {a} to {b}. Addresses that show a value, strongest evidence first; the search does not apply here.{halves}"
            ));
        }
        let Some(table) = rows_or_reason(ui, cx.data, (ID, "rows"), self.empty_reason()) else { return };
        match Grid::new("Changes", &table, COLUMNS).show(ui, &mut self.grid) {
            Some(Done::Open(row)) => cx.out.push(search(&table, row)),
            done => cx.act((ID, "rows"), "Changes", &table, done),
        }
    }

    fn empty_reason(&self) -> &'static str {
        "Nothing differs: no value is new, none is gone, and no share of the addresses moved further than chance moves it."
    }
}

impl Compare {
    /// Then and now; `None` where nothing is stored.
    fn spans(&self, scope: &Scope) -> Option<(Span, Span)> {
        let (first, last) = scope.range?;
        let now = scope.span.unwrap_or_else(|| (first.midpoint(last), last.saturating_add(1)));
        let length = now.1.saturating_sub(now.0);
        let from = match self.before {
            Before::Everything => first.min(now.0.saturating_sub(1)),
            Before::SameLength => now.0.saturating_sub(length),
        };
        Some(((from, now.0), now))
    }
}

fn name(aspect: &'static str) -> &'static str {
    if aspect.is_empty() { EVERYTHING } else { aspect }
}

/// A double click searches for the value, where the search language has a word for it.
fn search(table: &Table, row: usize) -> Action {
    let aspect = table.text(row, "kind").into_owned();
    let key = match aspect.as_str() {
        "claims" => "family",
        "user-agent" => "ua",
        "network" => "as",
        "join" => "match",
        "ja4" | "country" | "host" | "method" | "status" => aspect.as_str(),
        _ => return Action::Tell(Err(format!("{aspect} cannot be searched by; find it with SQL instead"))),
    };
    Action::Filter { not: false, key: key.to_owned(), value: table.text(row, "entity").into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn then_ends_where_now_begins() {
        let mut scope = Scope { range: Some((100, 300)), ..Scope::default() };
        let mut view = Compare::default();
        assert_eq!(view.spans(&scope), Some(((100, 200), (200, 301))));
        scope.span = Some((250, 280));
        assert_eq!(view.spans(&scope), Some(((100, 250), (250, 280))));
        view.before = Before::SameLength;
        assert_eq!(view.spans(&scope), Some(((220, 250), (250, 280))));
        // A span at the very beginning has nothing before it: an empty one is asked for, and the answer says so.
        (scope.span, view.before) = (Some((100, 150)), Before::Everything);
        assert_eq!(view.spans(&scope), Some(((99, 100), (100, 150))));
        assert_eq!(view.spans(&Scope::default()), None);
    }
}
