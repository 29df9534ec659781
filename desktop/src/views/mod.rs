//! The views: each one folder behind one trait, registered in one list.
//!
//! Promises: a view holds no rows of its own, it asks by [`View::queries`] and shows what is there; it never touches another view,
//! what it wants done is an action; every empty place says why and what next.
//!
//! Read next: [`all`] (the list), `list.rs` (views that are one table), `../shell/app.rs` (who shows them).

pub mod bruteforce;
pub mod campaigns;
pub mod classification;
pub mod compare;
pub mod entities;
pub mod features;
pub mod fingerprints;
pub mod fleet;
pub mod health;
pub mod help;
pub mod investigation;
pub mod list;
pub mod models;
pub mod overview;
pub mod rehearsal;
pub mod replay;
pub mod rules;
pub mod scores;
pub mod sql;
pub mod tuning;

use std::path::Path;
use std::sync::Arc;

use eframe::egui;

use crate::data::query::Ask;
use crate::data::table::Table;
use crate::data::{Data, Place};
use crate::shell::action::Action;
use crate::shell::case::Case;
use crate::shell::jobs::ReplayJob;
use crate::shell::scope::{Scope, key_of};
use crate::shell::settings::Settings;
use crate::widgets::chart::Chart;
use crate::widgets::grid::{Done, Grid, GridState, title};
use crate::widgets::rows_or_reason;

/// What a view may look at, and where it says what it wants done.
pub struct Cx<'a> {
    /// Questions and answers.
    pub data: &'a mut Data,
    /// Search, span, what is looked into.
    pub scope: &'a Scope,
    /// What is remembered.
    pub settings: &'a mut Settings,
    /// The case.
    pub case: &'a mut Case,
    /// A replay that runs.
    pub job: Option<&'a ReplayJob>,
    /// What to do after the frame.
    pub out: &'a mut Vec<Action>,
}

impl Cx<'_> {
    /// Shows the table of a place with everything a table can do, or why there is none.
    pub fn grid(
        &mut self,
        ui: &mut egui::Ui,
        place: Place,
        name: &'static str,
        columns: &[&str],
        state: &mut GridState,
        empty: &str,
    ) -> Option<Arc<Table>> {
        let table = rows_or_reason(ui, self.data, place, empty)?;
        let done = Grid::new(name, &table, columns).show(ui, state);
        self.act(place, name, &table, done);
        Some(table)
    }

    /// Turns what was done with a table into actions.
    pub fn act(&mut self, place: Place, name: &str, table: &Arc<Table>, done: Option<Done>) {
        let Some(done) = done else { return };
        self.out.push(match done {
            Done::Open(row) => open(table, row),
            Done::Filter { not, column, value } => match key_of(&column) {
                Some(key) => Action::Filter { not, key: key.to_owned(), value },
                None => Action::Tell(Err(format!("{} cannot be searched by; find it in these rows instead", title(&column)))),
            },
            Done::Export(form, rows) => Action::SaveTable { name: name.to_owned(), form, rows, table: Arc::clone(table) },
            Done::ShowSql => match self.data.asked(place) {
                Some(ask) => Action::ShowAsk(ask.clone()),
                None => return,
            },
        });
    }

    /// Buttons that save a chart.
    pub fn chart_button(&mut self, ui: &mut egui::Ui, chart: &Chart) {
        // In a row of its own, so that columns do not stretch it.
        ui.horizontal(|ui| {
            if ui.small_button(format!("Save {} as SVG", chart.name)).clicked() {
                self.out.push(Action::SaveChart(Arc::new(chart.clone())));
            }
            if ui.small_button("PNG").accessible_name(format!("Save {} as PNG", chart.name)).clicked() {
                self.out.push(Action::SaveChartPicture(Arc::new(chart.clone())));
            }
        });
    }

    /// Rows that a list asks for at most.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.settings.rows
    }
}

/// Opening a row looks into its session, else its address, else nothing.
fn open(table: &Table, row: usize) -> Action {
    let (session, ip) = (table.text(row, "session_id").into_owned(), table.text(row, "src_ip").into_owned());
    match (session.is_empty(), ip.is_empty()) {
        (false, false) => Action::Explain { session, ip },
        (_, false) => Action::Investigate(ip),
        _ => {
            let entity = table.text(row, "entity").into_owned();
            let ja4 = table.text(row, "ja4").into_owned();
            match (table.text(row, "kind").as_ref(), entity.is_empty(), ja4.is_empty()) {
                ("ip", false, _) => Action::Investigate(entity),
                ("ja4" | "host" | "country", false, _) => {
                    Action::Filter { not: false, key: table.text(row, "kind").into_owned(), value: entity }
                }
                ("asn", false, _) => {
                    Action::Filter { not: false, key: "asn".to_owned(), value: entity.trim_start_matches("AS").to_owned() }
                }
                (_, _, false) => Action::Filter { not: false, key: "ja4".to_owned(), value: ja4 },
                _ => Action::Tell(Err("this row names no session or address to look into".to_owned())),
            }
        }
    }
}

/// What a view needs to ask.
#[derive(Debug)]
pub struct Need<'a> {
    /// Search and span.
    pub scope: &'a Scope,
    /// Rows that a list asks for at most.
    pub limit: usize,
    /// The open store as it was named.
    pub db: &'a Path,
}

/// A view.
pub trait View {
    /// Constant name, also of its tab in the settings.
    fn id(&self) -> &'static str;

    /// Name for people.
    fn title(&self) -> &'static str;

    /// One character.
    fn icon(&self) -> &'static str;

    /// What it is for, in a sentence.
    fn about(&self) -> &'static str;

    /// What it asks for the present scope; asked again whenever that changes.
    fn queries(&self, need: &Need<'_>) -> Vec<(&'static str, Ask)>;

    /// One frame of it.
    fn ui(&mut self, ui: &mut egui::Ui, cx: &mut Cx<'_>);

    /// Why there may be nothing to see, and what to do.
    fn empty_reason(&self) -> &'static str;

    /// Keys beyond those of tables.
    fn shortcuts(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }
}

/// Every view, in the order of the navigation.
#[must_use]
pub fn all() -> Vec<Box<dyn View>> {
    vec![
        Box::new(overview::Overview::default()),
        Box::new(list::detections()),
        Box::new(list::sessions()),
        Box::new(investigation::Investigation::default()),
        Box::new(rehearsal::Rehearsals::default()),
        Box::new(list::traffic()),
        Box::new(fingerprints::Fingerprints::default()),
        Box::new(compare::Compare::default()),
        Box::new(scores::Scores::default()),
        Box::new(tuning::Tuning::default()),
        Box::new(classification::Classification::default()),
        Box::new(campaigns::Campaigns::default()),
        Box::new(fleet::Fleet::default()),
        Box::new(bruteforce::BruteForce::default()),
        Box::new(entities::Entities::default()),
        Box::new(features::Features::default()),
        Box::new(models::Models::default()),
        Box::new(rules::Rules::default()),
        Box::new(health::Health::default()),
        Box::new(list::audit()),
        Box::new(sql::Sql::default()),
        Box::new(replay::Replay::default()),
        Box::new(help::Help),
    ]
}
