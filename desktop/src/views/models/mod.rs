//! Models: which models scored what, their figures over time, and two of them beside each other.
//!
//! Promises: a figure that was never measured is not invented; the difference of two runs names the sessions that changed sides.
//!
//! Read next: `../tuning`, `ja4-lab score --models`.

use eframe::egui::{self, RichText};

use super::{Cx, Need, View};
use crate::data::query::Ask;
use crate::data::statements;
use crate::data::table::Table;
use crate::widgets::chart::{Chart, Mark, Series};
use crate::widgets::grid::GridState;
use crate::widgets::rows_or_reason;

/// The view.
#[derive(Debug, Default)]
pub struct Models {
    models: GridState,
    metrics: GridState,
    versions: GridState,
    changes: GridState,
    part: Part,
    pair: [String; 2],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Part {
    #[default]
    Quality,
    Versions,
    Compare,
}

const ID: &str = "models";

impl View for Models {
    fn id(&self) -> &'static str {
        ID
    }

    fn title(&self) -> &'static str {
        "Models"
    }

    fn icon(&self) -> &'static str {
        "⊗"
    }

    fn about(&self) -> &'static str {
        "The models whose scores are stored, and their measured quality and drift."
    }

    fn queries(&self, need: &Need<'_>) -> Vec<(&'static str, Ask)> {
        vec![
            ("models", Ask::plain(statements::MODELS, &[], 1_000)),
            ("metrics", Ask::plain(statements::METRICS, &[], need.limit)),
        ]
    }

    fn ui(&mut self, ui: &mut egui::Ui, cx: &mut Cx<'_>) {
        let empty = self.empty_reason();
        ui.label(RichText::new("Models with stored scores").strong());
        let columns = [
            "model_kind",
            "model_id",
            "sessions",
            "anomalous",
            "threshold",
            "mean_score",
            "with_boosted",
            "scored_run",
            "first_ns",
            "last_ns",
        ];
        let height = (ui.available_height() * 0.4).max(110.0);
        ui.allocate_ui(egui::vec2(ui.available_width(), height), |ui| {
            cx.grid(ui, (ID, "models"), "Models", &columns, &mut self.models, empty);
        });
        ui.separator();
        ui.horizontal(|ui| {
            ui.selectable_value(&mut self.part, Part::Quality, "Quality and drift");
            ui.selectable_value(&mut self.part, Part::Versions, "Versions kept");
            ui.selectable_value(&mut self.part, Part::Compare, "Compare two");
        });
        let none = "No version is kept beside this database: `ja4-lab model fit --db DB` keeps one.";
        match self.part {
            Part::Quality => self.quality(ui, cx),
            Part::Versions => {
                cx.grid(ui, (ID, "versions"), "Versions", &[], &mut self.versions, none);
            }
            Part::Compare => self.compare(ui, cx, none),
        }
    }

    fn empty_reason(&self) -> &'static str {
        "No model scored here yet: run `ja4-lab score --db DB`."
    }
}

impl Models {
    fn quality(&mut self, ui: &mut egui::Ui, cx: &mut Cx<'_>) {
        if let Some(table) = cx.data.table((ID, "metrics")).filter(|table| table.rows() > 1).cloned() {
            let chart = over_time(&table);
            chart.show(ui, 150.0);
            cx.chart_button(ui, &chart);
        }
        let empty = "No figures were measured yet: `ja4-lab score` and `ja4-lab detect` write them once labels or an earlier run are there to compare with.";
        cx.grid(ui, (ID, "metrics"), "Figures of models", &[], &mut self.metrics, empty);
    }

    /// Two versions over the same sessions.
    fn compare(&mut self, ui: &mut egui::Ui, cx: &mut Cx<'_>, none: &str) {
        let Some(table) = rows_or_reason(ui, cx.data, (ID, "versions"), none) else { return };
        let ids: Vec<String> = (0..table.rows()).map(|row| table.text(row, "version").into_owned()).collect();
        if self.pair[0].is_empty() && ids.len() > 1 {
            self.pair = [ids[ids.len() - 2].clone(), ids[ids.len() - 1].clone()];
        }
        ui.horizontal(|ui| {
            for (at, name) in ["First version", "Second version"].into_iter().enumerate() {
                egui::ComboBox::from_label(name).selected_text(self.pair[at].clone()).show_ui(ui, |ui| {
                    for id in &ids {
                        ui.selectable_value(&mut self.pair[at], id.clone(), id);
                    }
                });
            }
        });
        if ids.len() < 2 {
            ui.weak("One version is kept; a second one is needed to compare.");
            return;
        }
        let columns = [
            "rank_first",
            "rank_second",
            "src_ip",
            "host",
            "score_first",
            "score_second",
            "anomalous_first",
            "anomalous_second",
            "feature",
            "changed_by",
            "value",
        ];
        cx.grid(ui, (ID, "changes"), "Changed ranks", &columns, &mut self.changes, "Both versions rank every session alike.");
    }
}

fn over_time(table: &Table) -> Chart {
    let mut names: Vec<String> = (0..table.rows()).map(|row| table.text(row, "metric").into_owned()).collect();
    names.sort();
    names.dedup();
    let series = names.iter().take(6).map(|name| {
        let mut points: Vec<[f64; 2]> = (0..table.rows())
            .filter(|row| table.text(*row, "metric") == *name)
            .map(|row| [table.number(row, "ts_ns") / 1e9, table.number(row, "value")])
            .collect();
        points.sort_by(|a, b| a[0].total_cmp(&b[0]));
        Series::new(name, Mark::Line, points)
    });
    Chart {
        name: "Figures over time".to_owned(),
        x: "UTC".to_owned(),
        y: "value".to_owned(),
        series: series.collect(),
        x_is_time: true,
        words: Vec::new(),
    }
}
