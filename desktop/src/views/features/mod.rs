//! Features: how each is distributed among ordinary and anomalous sessions, and how well it alone would tell them apart.
//!
//! Promises: the meaning of a feature stands beside its figures; the curves are quantiles, so no bin width shapes them.
//!
//! Read next: `../../data/features.rs`, `docs/FEATURES.md`.

use eframe::egui::{self, RichText};

use super::{Cx, Need, View};
use crate::data::features::STEPS;
use crate::data::query::Ask;
use crate::data::table::Table;
use crate::shell::theme;
use crate::widgets::chart::{Chart, Mark, Series};
use crate::widgets::grid::{Grid, GridState};
use crate::widgets::{rows_or_reason, text};

/// The view.
#[derive(Debug, Default)]
pub struct Features {
    grid: GridState,
}

const ID: &str = "features";

impl View for Features {
    fn id(&self) -> &'static str {
        ID
    }

    fn title(&self) -> &'static str {
        "Features"
    }

    fn icon(&self) -> &'static str {
        "∑"
    }

    fn about(&self) -> &'static str {
        "What the models see: every feature's distribution among ordinary and anomalous sessions."
    }

    fn queries(&self, _need: &Need<'_>) -> Vec<(&'static str, Ask)> {
        vec![("rows", Ask::Features)]
    }

    fn ui(&mut self, ui: &mut egui::Ui, cx: &mut Cx<'_>) {
        let Some(table) = rows_or_reason(ui, cx.data, (ID, "rows"), self.empty_reason()) else { return };
        let row = self.grid.selected().filter(|row| *row < table.rows()).unwrap_or_else(|| best(&table));
        ui.label(RichText::new(text::cell(&table.text(row, "feature"))).strong());
        ui.add(egui::Label::new(text::cut(&table.text(row, "why"), 400)).wrap());
        let chart = curves(&table, row, ui.visuals().dark_mode);
        chart.show(ui, (ui.available_height() * 0.4).clamp(90.0, 300.0));
        cx.chart_button(ui, &chart);
        let columns = ["feature", "family", "unit", "separation", "ordinary_median", "anomalous_median", "in_models", "why"];
        let done = Grid::new("Features", &table, &columns).show(ui, &mut self.grid);
        cx.act((ID, "rows"), "Features", &table, done);
    }

    fn empty_reason(&self) -> &'static str {
        "There are no features: nothing is stored. Drop a capture and its log on the window, or run `ja4-lab replay`."
    }
}

fn best(table: &Table) -> usize {
    let value = |row: &usize| table.number(*row, "separation");
    (0..table.rows())
        .filter(|row| value(row).is_finite())
        .max_by(|a, b| value(a).total_cmp(&value(b)).then(b.cmp(a)))
        .unwrap_or(0)
}

fn curves(table: &Table, row: usize, dark: bool) -> Chart {
    let of = |group: &str| {
        let point = |step: usize| {
            [
                table.number(row, &format!("{group}_q{step}")),
                f64::from(u32::try_from(step).unwrap_or(0)) / f64::from(u32::try_from(STEPS).unwrap_or(1)),
            ]
        };
        (0..=STEPS).map(point).filter(|point| point[0].is_finite()).collect::<Vec<_>>()
    };
    Chart {
        name: format!("Distribution of {}", table.text(row, "feature")),
        x: table.text(row, "unit").into_owned(),
        y: "share of sessions at or below".to_owned(),
        series: vec![
            Series::new("below the threshold", Mark::Line, of("ordinary")).colour(theme::series(dark, 0)),
            Series::new("anomalous", Mark::Line, of("anomalous")).colour(theme::series(dark, 3)),
        ],
        ..Chart::default()
    }
}
