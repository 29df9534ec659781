//! Tuning: weights and threshold move, the list re-ranks, curves and counts follow.
//!
//! Promises: nothing is written; what would be kept is shown as the command that keeps it; the stored scores are one click away.
//!
//! Read next: `state.rs` (the arithmetic), `ja4-lab score --set`.

pub mod refit;
pub mod state;

use std::sync::Arc;

use eframe::egui::{self, RichText};

use self::refit::{Refit, Refitted};
use self::state::{Knobs, Ranked, Voices, area};
use super::{Cx, Need, View};
use crate::data::query::Ask;
use crate::data::statements;
use crate::data::table::{Column, Table};
use crate::shell::action::Action;
use crate::shell::compile::SESSIONS;
use crate::shell::theme;
use crate::widgets::chart::{Chart, Mark, Series};
use crate::widgets::grid::{Grid, GridState};
use crate::widgets::{figure, rows_or_reason, thousands};

/// Rows of the re-ranked list.
const SHOWN: usize = 2_000;

/// The view.
#[derive(Debug, Default)]
pub struct Tuning {
    knobs: Knobs,
    of: Option<Arc<Table>>,
    voices: Voices,
    ranked: Ranked,
    met: Option<Knobs>,
    refit: Refit,
    /// The refit that the voices are of; the stored ones where there is none.
    heard: Option<Arc<Refitted>>,
    list: Arc<Table>,
    kept: Vec<(String, Knobs)>,
    name: String,
    grid: GridState,
}

const ID: &str = "tuning";

impl View for Tuning {
    fn id(&self) -> &'static str {
        ID
    }

    fn title(&self) -> &'static str {
        "Tuning"
    }

    fn icon(&self) -> &'static str {
        "◐"
    }

    fn about(&self) -> &'static str {
        "Move threshold and weights and watch ranks, ROC, precision and recall, and the confusion matrix over labels."
    }

    fn queries(&self, need: &Need<'_>) -> Vec<(&'static str, Ask)> {
        vec![("rows", Ask::searched(statements::SCORES, &[], need.scope.compile(&SESSIONS), need.limit))]
    }

    fn ui(&mut self, ui: &mut egui::Ui, cx: &mut Cx<'_>) {
        let Some(table) = rows_or_reason(ui, cx.data, (ID, "rows"), self.empty_reason()) else { return };
        self.follow(&table);
        self.hear(&table);
        egui::ScrollArea::vertical().id_salt("tuning").auto_shrink(false).show(ui, |ui| {
            let wide = ui.available_width() > 760.0;
            ui.columns(if wide { 2 } else { 1 }, |columns| {
                let last = columns.len() - 1;
                self.knobs(&mut columns[0], cx);
                self.refit.show(&mut columns[0], cx);
                self.quality(&mut columns[last], cx);
            });
            ui.separator();
            ui.label(RichText::new("Sessions as they would rank").strong());
            let columns = ["rank", "moved", "new_score", "score", "src_ip", "host", "ua_family", "label", "reason"];
            let list = Arc::clone(&self.list);
            let done = Grid::new("Re-ranked sessions", &list, &columns).height(360.0).show(ui, &mut self.grid);
            cx.act((ID, "rows"), "Re-ranked sessions", &list, done);
        });
    }

    fn empty_reason(&self) -> &'static str {
        "No scored session meets this search and span, so there is nothing to re-rank. Score with `ja4-lab score --db DB`."
    }
}

impl Tuning {
    /// Takes a new table, or new knobs, into account.
    fn follow(&mut self, table: &Arc<Table>) {
        if !self.of.as_ref().is_some_and(|known| Arc::ptr_eq(known, table)) {
            self.voices = Voices::read(table);
            if self.of.is_none() {
                self.knobs.threshold = table.number(0, "threshold");
            }
            self.of = Some(Arc::clone(table));
            self.met = None;
            self.heard = None;
        }
    }

    /// Listens to the voices of a refit, or to the stored ones again, and ranks where anything changed.
    fn hear(&mut self, table: &Arc<Table>) {
        let same = match (&self.heard, &self.refit.done) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (a, b) => a.is_none() && b.is_none(),
        };
        if !same {
            self.heard.clone_from(&self.refit.done);
            self.voices = Voices::read(table);
            self.knobs.threshold = table.number(0, "threshold");
            if let Some(refitted) = &self.heard {
                self.voices.replace(table, &refitted.voices);
                self.knobs.threshold = refitted.threshold;
            }
            self.met = None;
        }
        if self.met != Some(self.knobs) {
            self.ranked = self.voices.rank(&self.knobs);
            self.met = Some(self.knobs);
            self.list = Arc::new(list(table, &self.ranked));
        }
    }

    fn knobs(&mut self, ui: &mut egui::Ui, cx: &mut Cx<'_>) {
        ui.label(RichText::new("Threshold and weights").strong());
        // Formatted, never rounded: a rounded threshold would change who is anomalous.
        ui.add(
            egui::Slider::new(&mut self.knobs.threshold, 0.0..=1.0)
                .text("threshold")
                .custom_formatter(|value, _| format!("{value:.4}")),
        );
        for (at, name) in ["weight of the forest", "weight of the autoencoder", "weight of the trees"].into_iter().enumerate() {
            ui.add(
                egui::Slider::new(&mut self.knobs.weights[at], 0.0..=1.0)
                    .text(name)
                    .custom_formatter(|value, _| format!("{value:.2}")),
            );
        }
        let mut share = self.ranked.anomalous as f64 / self.voices.len().max(1) as f64;
        let slider = egui::Slider::new(&mut share, 0.0..=1.0)
            .text("share called anomalous")
            .custom_formatter(|value, _| format!("{value:.3}"));
        if ui.add(slider).changed() {
            self.knobs.threshold = self.voices.threshold_at(&self.ranked, share);
        }
        ui.horizontal_wrapped(|ui| {
            if ui.button("As stored").on_hover_text("the weights and threshold of the stored scores").clicked() {
                self.knobs =
                    Knobs { threshold: self.of.as_ref().map_or(0.5, |table| table.number(0, "threshold")), ..Knobs::default() };
            }
            let label = ui.label("Name");
            ui.add(egui::TextEdit::singleline(&mut self.name).desired_width(110.0).hint_text("experiment")).labelled_by(label.id);
            if ui
                .add_enabled(!self.name.trim().is_empty(), egui::Button::new("Keep"))
                .on_hover_text("keep this setting for comparison, and write it into the case")
                .clicked()
            {
                let command = self.command();
                self.kept.push((self.name.trim().to_owned(), self.knobs));
                cx.out.push(Action::Note(format!("experiment {}: {command}", self.name.trim())));
            }
            if ui.button("Copy the command").on_hover_text(self.command()).clicked() {
                ui.ctx().copy_text(self.command());
            }
        });
        let mut drop = None;
        for (at, (name, knobs)) in self.kept.iter().enumerate() {
            ui.horizontal(|ui| {
                if ui.button(format!("Use {name}")).clicked() {
                    self.knobs = *knobs;
                }
                if ui.button(format!("Drop {name}")).clicked() {
                    drop = Some(at);
                }
            });
        }
        if let Some(at) = drop {
            self.kept.remove(at);
        }
    }

    fn quality(&self, ui: &mut egui::Ui, cx: &mut Cx<'_>) {
        let count = |value: usize| thousands(i64::try_from(value).unwrap_or(i64::MAX));
        let risen = self.ranked.moved.iter().filter(|moved| **moved != 0).count();
        ui.horizontal_wrapped(|ui| {
            figure(ui, "anomalous", &count(self.ranked.anomalous));
            figure(ui, "changed rank", &count(risen));
        });
        let (bots, people) = self.voices.labelled();
        if bots == 0 || people == 0 {
            ui.weak("No labels of both kinds: decide about some sessions in Classification, or import labels with `ja4-lab`; then curves and the confusion matrix appear here.");
            let chart = super::scores::histogram(&self.list);
            chart.show(ui, 170.0);
            return;
        }
        let matrix = self.voices.confusion(&self.ranked, self.knobs.threshold);
        egui::Grid::new("confusion").striped(true).show(ui, |ui| {
            for cells in [
                ["", "called anomalous", "left alone"].map(str::to_owned),
                ["labelled bot".to_owned(), count(matrix.hits), count(matrix.misses)],
                ["labelled legitimate".to_owned(), count(matrix.false_alarms), count(matrix.passes)],
            ] {
                for cell in cells {
                    ui.label(cell);
                }
                ui.end_row();
            }
        });
        let (roc, precision) = self.voices.curves(&self.ranked);
        let dark = ui.visuals().dark_mode;
        let name = format!("ROC and precision, area {:.4}", area(&roc));
        let chart = Chart {
            name,
            x: "false alarms / recall".to_owned(),
            y: "hits / precision".to_owned(),
            series: vec![
                Series::new("ROC", Mark::Line, roc).colour(theme::series(dark, 0)),
                Series::new("precision by recall", Mark::Line, precision).colour(theme::series(dark, 1)),
            ],
            ..Chart::default()
        };
        chart.show(ui, 170.0);
        cx.chart_button(ui, &chart);
    }
}

impl Tuning {
    /// What makes all of this permanent.
    fn command(&self) -> String {
        let wish = self.heard.as_ref().map(|refitted| refitted.wish.settings()).unwrap_or_default();
        let sets: String = wish.iter().map(|setting| format!(" --set {setting}")).collect();
        format!("{}{sets}", command(&self.knobs))
    }
}

/// What makes these knobs permanent.
fn command(knobs: &Knobs) -> String {
    let [eif, autoencoder, boosted] = knobs.weights;
    format!(
        "ja4-lab score --db DB --set threshold={:.4} --set weights.eif={:.2} --set weights.autoencoder={autoencoder:.2} --set weights.boosted={boosted:.2}",
        knobs.threshold,
        eif.max(0.01)
    )
}

fn list(table: &Table, ranked: &Ranked) -> Table {
    let rows: Vec<u32> = ranked.order.iter().copied().take(SHOWN).collect();
    let mut columns = vec![
        ("rank", Column::Int((1..=i64::try_from(rows.len()).unwrap_or(0)).collect())),
        ("moved", Column::Int(rows.iter().map(|row| ranked.moved[*row as usize]).collect())),
        ("new_score", Column::Float(rows.iter().map(|row| ranked.scores[*row as usize]).collect())),
    ];
    let picked = table.select(&rows);
    columns.extend(picked.names().iter().map(String::as_str).zip(picked.columns().iter().cloned()));
    Table::new(rows.len(), columns)
}
