//! Overview: how much there is, how much of it is anomalous, when, and which sessions to look at first.
//!
//! Promises: every figure obeys the search and the span; every bar and row leads to its sessions.
//!
//! Read next: `../mod.rs`.

use eframe::egui::{self, RichText};

use super::{Cx, Need, View};
use crate::data::query::Ask;
use crate::data::statements;
use crate::data::table::Table;
use crate::shell::action::Action;
use crate::shell::compile::{REQUESTS, SESSIONS};
use crate::shell::theme;
use crate::widgets::chart::{Chart, Mark, Series};
use crate::widgets::grid::{Grid, GridState};
use crate::widgets::{figure, rows_or_reason, text, thousands};

/// Sessions to look at first; as many are asked for, and shown at once.
const FIRST: usize = 20;
const FIRST_HEIGHT: f32 = 150.0;

/// Rows of each short list.
const TOP: usize = 50;

/// The view.
#[derive(Debug, Default)]
pub struct Overview {
    first: GridState,
    ips: GridState,
    hosts: GridState,
    ja4s: GridState,
}

const ID: &str = "overview";

impl View for Overview {
    fn id(&self) -> &'static str {
        ID
    }

    fn title(&self) -> &'static str {
        "Overview"
    }

    fn icon(&self) -> &'static str {
        "◇"
    }

    fn about(&self) -> &'static str {
        "Figures, time, threat distribution and the worst addresses, sites and fingerprints."
    }

    fn queries(&self, need: &Need<'_>) -> Vec<(&'static str, Ask)> {
        let filter = need.scope.compile(&SESSIONS);
        let ask = |sql, limit| Ask::searched(sql, &[], filter.clone(), limit);
        let bucket = bucket_ns(need).to_string();
        vec![
            ("figures", ask(statements::FIGURES, 1)),
            ("severity", ask(statements::SEVERITY, 10)),
            ("time", Ask::searched(statements::SESSION_TIMELINE, &[&bucket], filter.clone(), 1)),
            ("first", ask(statements::FIRST, FIRST)),
            ("ips", ask(statements::TOP_IPS, TOP)),
            ("hosts", ask(statements::TOP_HOSTS, TOP)),
            ("ja4s", ask(statements::TOP_JA4, TOP)),
            ("match", Ask::searched(statements::MATCH, &[], need.scope.compile(&REQUESTS), 20)),
        ]
    }

    fn ui(&mut self, ui: &mut egui::Ui, cx: &mut Cx<'_>) {
        let Some(figures) = rows_or_reason(ui, cx.data, (ID, "figures"), self.empty_reason()) else { return };
        egui::ScrollArea::vertical().id_salt("overview").auto_shrink(false).show(ui, |ui| {
            ui.horizontal_wrapped(|ui| {
                for (column, name) in [
                    ("sessions", "sessions"),
                    ("anomalous", "anomalous"),
                    ("critical", "critical"),
                    ("requests", "requests"),
                    ("addresses", "addresses"),
                    ("ja4s", "fingerprints"),
                    ("hosts", "sites"),
                    ("labelled", "labelled"),
                ] {
                    figure(ui, name, &thousands(figures.int(0, column)));
                }
            });
            if figures.int(0, "sessions") == 0 {
                crate::widgets::notice(ui, self.empty_reason(), false);
                return;
            }
            let wide = ui.available_width() > 760.0;
            ui.columns(if wide { 2 } else { 1 }, |columns| {
                if let Some(table) = cx.data.table((ID, "time")) {
                    let chart = timeline(table, columns[0].visuals().dark_mode);
                    chart.show(&mut columns[0], 190.0);
                    cx.chart_button(&mut columns[0], &chart);
                }
                let last = columns.len() - 1;
                severities(&mut columns[last], cx);
            });
            ui.separator();
            self.look_first(ui, cx);
            self.lists(ui, cx);
        });
    }

    fn empty_reason(&self) -> &'static str {
        "No session is scored for this search and span. Look at all time, clear the search (Ctrl+F), drop a capture and its log on the \
         window, or run `ja4-lab score --db DB`."
    }
}

impl Overview {
    /// The answer to the question an analyst comes with: a row leads to its session, its explanation and the decision.
    fn look_first(&mut self, ui: &mut egui::Ui, cx: &mut Cx<'_>) {
        ui.label(RichText::new("Look here first: the worst session of each address").strong());
        let columns = &["severity", "src_ip", "host", "score", "reason"];
        let none = "Nothing anomalous is left to look at in this search and span.";
        if let Some(table) = rows_or_reason(ui, cx.data, (ID, "first"), none) {
            let done = Grid::new("Look here first", &table, columns).height(FIRST_HEIGHT).bare().show(ui, &mut self.first);
            cx.act((ID, "first"), "Look here first", &table, done);
        }
        ui.add_space(6.0);
    }

    fn lists(&mut self, ui: &mut egui::Ui, cx: &mut Cx<'_>) {
        let wide = ui.available_width() > 900.0;
        let lists = [
            ("ips", "Worst addresses", &["src_ip", "anomalous", "sessions", "score", "country"][..], &mut self.ips),
            ("hosts", "Worst sites", &["host", "anomalous", "sessions", "score"][..], &mut self.hosts),
            ("ja4s", "Worst fingerprints", &["ja4", "anomalous", "ips"][..], &mut self.ja4s),
        ];
        ui.columns(if wide { 3 } else { 1 }, |columns| {
            let count = columns.len();
            for (nth, (slot, name, shown, state)) in lists.into_iter().enumerate() {
                let ui = &mut columns[nth % count];
                ui.label(RichText::new(name).strong());
                if let Some(table) = rows_or_reason(ui, cx.data, (ID, slot), "none") {
                    let done = Grid::new(name, &table, shown).height(260.0).bare().show(ui, state);
                    cx.act((ID, slot), name, &table, done);
                }
            }
        });
    }
}

fn severities(ui: &mut egui::Ui, cx: &mut Cx<'_>) {
    let dark = ui.visuals().dark_mode;
    ui.label(RichText::new("Sessions by severity").strong());
    if let Some(table) = cx.data.table((ID, "severity")).cloned() {
        let all: i64 = (0..table.rows()).map(|row| table.int(row, "sessions")).sum();
        for row in 0..table.rows() {
            let name = table.text(row, "severity").into_owned();
            bar(
                ui,
                &name,
                table.int(row, "sessions"),
                all,
                theme::severity(dark, &name),
                || Action::Filter { not: false, key: "severity".to_owned(), value: name.clone() },
                cx,
            );
        }
    }
    ui.label(RichText::new("Requests by join").strong());
    if let Some(table) = cx.data.table((ID, "match")).cloned() {
        let all: i64 = (0..table.rows()).map(|row| table.int(row, "requests")).sum();
        for row in 0..table.rows() {
            let name = table.text(row, "match_kind").into_owned();
            bar(
                ui,
                &name,
                table.int(row, "requests"),
                all,
                theme::series(dark, 0),
                || Action::Filter { not: false, key: "match".to_owned(), value: name.clone() },
                cx,
            );
        }
    }
}

/// A bar with its word and number; a click searches for it.
fn bar(ui: &mut egui::Ui, name: &str, value: i64, all: i64, colour: egui::Color32, action: impl Fn() -> Action, cx: &mut Cx<'_>) {
    let (area, response) = ui.allocate_exact_size(egui::vec2(ui.available_width(), 18.0), egui::Sense::click());
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a length on the screen")]
    let share = (value as f64 / all.max(1) as f64) as f32;
    let filled = egui::Rect::from_min_size(area.min, egui::vec2((area.width() * share).max(2.0), area.height()));
    ui.painter().rect_filled(area, 2.0, ui.visuals().extreme_bg_color);
    ui.painter().rect_filled(filled, 2.0, colour.gamma_multiply(0.45));
    let words = format!("{}  {}", text::cell(name), thousands(value));
    ui.painter().text(
        area.left_center() + egui::vec2(6.0, 0.0),
        egui::Align2::LEFT_CENTER,
        &words,
        egui::TextStyle::Body.resolve(ui.style()),
        ui.visuals().text_color(),
    );
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, format!("Only {words}")));
    if response.on_hover_cursor(egui::CursorIcon::PointingHand).clicked() {
        cx.out.push(action());
    }
}

fn timeline(table: &Table, dark: bool) -> Chart {
    let points = |column: &str, except: Option<&str>| {
        let value = |row: usize| table.number(row, column) - except.map_or(0.0, |except| table.number(row, except));
        (0..table.rows()).map(|row| [table.number(row, "bucket_ns") / 1e9, value(row)]).collect::<Vec<_>>()
    };
    let width = (0..table.rows().saturating_sub(1))
        .map(|row| table.number(row + 1, "bucket_ns") - table.number(row, "bucket_ns"))
        .fold(f64::INFINITY, f64::min);
    let width = if width.is_finite() { width / 1e9 } else { 60.0 };
    Chart {
        name: "Sessions over time".to_owned(),
        x: "UTC".to_owned(),
        y: "sessions".to_owned(),
        series: vec![
            Series::new("all", Mark::Bars(width * 0.9), points("sessions", None)).colour(theme::series(dark, 0)),
            Series::new("anomalous", Mark::Bars(width * 0.9), points("anomalous", None)).colour(theme::series(dark, 3)),
        ],
        x_is_time: true,
        words: Vec::new(),
    }
}

/// Some sixty buckets over what is looked at.
fn bucket_ns(need: &Need<'_>) -> i64 {
    let (from, to) = need.scope.span.or(need.scope.range).unwrap_or((0, 3_600_000_000_000));
    (to.saturating_sub(from) / 60).max(1_000_000_000)
}
