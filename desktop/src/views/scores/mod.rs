//! Scores: all voices of every session, beside each other.
//!
//! Promises: a voice that was not asked is not drawn; the chart and the table hold the same sessions.
//!
//! Read next: `../tuning` (moving the weights).

use eframe::egui;

use super::{Cx, Need, View};
use crate::data::query::Ask;
use crate::data::statements;
use crate::data::table::Table;
use crate::shell::compile::SESSIONS;
use crate::shell::theme;
use crate::widgets::chart::{Chart, Mark, Series};
use crate::widgets::grid::GridState;
use crate::widgets::rows_or_reason;

/// Dots at most; beyond, every n-th session is drawn.
const DOTS: usize = 5_000;

/// The view.
#[derive(Debug, Default)]
pub struct Scores {
    distribution: bool,
    grid: GridState,
}

const ID: &str = "scores";

impl View for Scores {
    fn id(&self) -> &'static str {
        ID
    }

    fn title(&self) -> &'static str {
        "Scores"
    }

    fn icon(&self) -> &'static str {
        "▤"
    }

    fn about(&self) -> &'static str {
        "What each voice says of every session: forest, autoencoder, boosted trees, and all together."
    }

    fn queries(&self, need: &Need<'_>) -> Vec<(&'static str, Ask)> {
        vec![("rows", Ask::searched(statements::SCORES, &[], need.scope.compile(&SESSIONS), need.limit))]
    }

    fn ui(&mut self, ui: &mut egui::Ui, cx: &mut Cx<'_>) {
        let empty = self.empty_reason();
        let Some(table) = rows_or_reason(ui, cx.data, (ID, "rows"), empty) else { return };
        ui.horizontal(|ui| {
            ui.selectable_value(&mut self.distribution, false, "Forest against trees");
            ui.selectable_value(&mut self.distribution, true, "Distribution");
        });
        let dark = ui.visuals().dark_mode;
        let chart = if self.distribution { histogram(&table) } else { scatter(&table, dark) };
        chart.show(ui, (ui.available_height() * 0.45).clamp(100.0, 360.0));
        cx.chart_button(ui, &chart);
        let columns = [
            "score",
            "score_eif",
            "score_autoencoder",
            "score_boosted",
            "threshold",
            "severity",
            "src_ip",
            "host",
            "hits",
            "label",
            "reason",
        ];
        cx.grid(ui, (ID, "rows"), "Scores", &columns, &mut self.grid, empty);
    }

    fn empty_reason(&self) -> &'static str {
        "No score meets this search and span. Score with `ja4-lab score --db DB`."
    }
}

fn scatter(table: &Table, dark: bool) -> Chart {
    let step = table.rows().div_ceil(DOTS).max(1);
    let of = |anomaly: i64| {
        let rows = (0..table.rows()).step_by(step).filter(|row| table.int(*row, "anomaly") == anomaly);
        rows.map(|row| [table.number(row, "score_eif"), table.number(row, "score_boosted")])
            .filter(|[x, y]| *x >= 0.0 && *y >= 0.0)
            .collect::<Vec<_>>()
    };
    Chart {
        name: "Forest against trees".to_owned(),
        x: "forest".to_owned(),
        y: "boosted trees".to_owned(),
        series: vec![
            Series::new("below the threshold", Mark::Dots(2.5), of(0)).colour(theme::series(dark, 0)),
            Series::new("anomalous", Mark::Dots(3.0), of(1)).colour(theme::series(dark, 3)),
        ],
        ..Chart::default()
    }
}

/// Shares of sessions in twenty steps of each voice.
#[must_use]
pub fn histogram(table: &Table) -> Chart {
    const STEPS: usize = 20;
    let voices =
        [("final", "score"), ("forest", "score_eif"), ("autoencoder", "score_autoencoder"), ("boosted trees", "score_boosted")];
    let of = |column: &str| {
        let mut counts = [0_u32; STEPS];
        for row in 0..table.rows() {
            let value = table.number(row, column);
            if (0.0..=1.0).contains(&value) {
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of 20 steps")]
                let step = ((value * 20.0) as usize).min(STEPS - 1);
                counts[step] += 1;
            }
        }
        let all = f64::from(counts.iter().sum::<u32>().max(1));
        counts
            .iter()
            .enumerate()
            .map(|(step, count)| [(f64::from(u32::try_from(step).unwrap_or(0)) + 0.5) / 20.0, f64::from(*count) / all])
            .collect::<Vec<_>>()
    };
    let series = voices.into_iter().map(|(name, column)| Series::new(name, Mark::Line, of(column))).collect();
    Chart {
        name: "Distribution of the voices".to_owned(),
        x: "score".to_owned(),
        y: "share of sessions".to_owned(),
        series,
        ..Chart::default()
    }
}
