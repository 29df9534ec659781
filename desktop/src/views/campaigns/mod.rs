//! Campaigns: groups of sessions with common traits, on a map of two dimensions and as lists.
//!
//! Promises: the map is drawn of the sessions' features, so that near points are alike; where no campaign was found it is still there.
//!
//! Read next: `../../data/features.rs` (the map).

use std::collections::BTreeMap;

use eframe::egui::{self, RichText};
use ja4_lab::campaigns::{Field, Kind};

use super::{Cx, Need, View};
use crate::data::Loaded;
use crate::data::query::Ask;
use crate::data::statements;
use crate::data::table::Table;
use crate::shell::action::Action;
use crate::shell::theme;
use crate::widgets::chart::{Chart, Mark, Series};
use crate::widgets::grid::{Grid, GridState};
use crate::widgets::{notice, rows_or_reason, text};

/// Campaigns with a colour of their own on the map.
const COLOURED: usize = 6;

/// The view.
#[derive(Debug, Default)]
pub struct Campaigns {
    chosen: String,
    name: String,
    other: String,
    list: GridState,
    members: GridState,
}

const ID: &str = "campaigns";

impl View for Campaigns {
    fn id(&self) -> &'static str {
        ID
    }

    fn title(&self) -> &'static str {
        "Campaigns"
    }

    fn icon(&self) -> &'static str {
        "∴"
    }

    fn about(&self) -> &'static str {
        "Groups of sessions with common traits: who, since when, what they share, and where they lie on the map."
    }

    fn queries(&self, need: &Need<'_>) -> Vec<(&'static str, Ask)> {
        let members = |id: &str| Ask::plain(statements::CAMPAIGN_MEMBERS, &[id, id], need.limit);
        let mut asks =
            vec![("list", Ask::plain(statements::CAMPAIGNS, &[], need.limit)), ("map", Ask::Map), ("all", members(""))];
        if !self.chosen.is_empty() {
            asks.push(("members", members(&self.chosen)));
        }
        asks
    }

    fn ui(&mut self, ui: &mut egui::Ui, cx: &mut Cx<'_>) {
        match cx.data.get((ID, "map")) {
            Loaded::Table(points) if points.rows() > 0 => {
                let chart = map(points, cx.data.table((ID, "all")).map(AsRef::as_ref), ui.visuals().dark_mode);
                chart.show(ui, (ui.available_height() * 0.45).clamp(100.0, 380.0));
                cx.chart_button(ui, &chart);
            }
            Loaded::Failed(message) => notice(ui, message, true),
            Loaded::Waiting if cx.data.is_open() => {
                ui.horizontal(|ui| {
                    ui.spinner();
                    ui.weak("drawing the map of sessions...");
                });
            }
            _ => {}
        }
        let Some(table) = rows_or_reason(ui, cx.data, (ID, "list"), self.empty_reason()) else { return };
        let columns =
            ["severity", "score", "name", "sessions", "ips", "ja4s", "hosts", "hits", "state", "first_ns", "last_ns", "reason"];
        let half = (ui.available_height() * 0.5).max(120.0);
        let done = Grid::new("Campaigns", &table, &columns).height(half).show(ui, &mut self.list);
        cx.act((ID, "list"), "Campaigns", &table, done);
        if let Some(row) = self.list.selected() {
            self.chosen = table.text(row, "campaign_id").into_owned();
        }
        if self.chosen.is_empty() {
            ui.weak("Choose a campaign above to see its sessions.");
            return;
        }
        self.decide(ui, cx, &table);
        cx.grid(
            ui,
            (ID, "members"),
            "Members",
            &["src_ip", "host", "ja4", "hits", "score", "membership", "ua_family", "reason"],
            &mut self.members,
            "The campaign has no sessions any more.",
        );
    }

    fn empty_reason(&self) -> &'static str {
        "No campaigns yet: run `ja4-lab score --db DB` or `ja4-lab detect --db DB --once`, which group anomalous sessions by what they share. The map above shows where \
         sessions lie without it."
    }
}

impl Campaigns {
    /// Name, close, merge and split: the decisions that `ja4-lab campaigns` takes.
    fn decide(&mut self, ui: &mut egui::Ui, cx: &mut Cx<'_>, table: &Table) {
        let id = self.chosen.clone();
        let mut kind = None;
        ui.horizontal_wrapped(|ui| {
            ui.label(RichText::new(format!("Sessions of {}", text::cell(&id))).strong());
            let label = ui.label("Name");
            ui.add(egui::TextEdit::singleline(&mut self.name).desired_width(120.0)).labelled_by(label.id);
            if ui.add_enabled(!self.name.trim().is_empty(), egui::Button::new("Rename")).clicked() {
                kind = Some(Kind::Rename(self.name.trim().to_owned()));
            }
            if ui
                .button("Close the campaign")
                .on_hover_text("dealt with; it comes back under a new id if it is seen again")
                .clicked()
            {
                kind = Some(Kind::Close);
            }
            egui::ComboBox::from_label("Other campaign").selected_text(text::cut(&self.other, 20)).show_ui(ui, |ui| {
                for other in (0..table.rows()).map(|row| table.text(row, "campaign_id").into_owned()).filter(|other| *other != id)
                {
                    ui.selectable_value(&mut self.other, other.clone(), text::cell(&other));
                }
            });
            let ready = !self.other.is_empty() && self.other != id;
            if ui.add_enabled(ready, egui::Button::new("Merge it into this one")).clicked() {
                kind = Some(Kind::Merge(self.other.clone()));
            }
            let member = cx.data.table((ID, "members")).cloned().zip(self.members.selected());
            for (column, field, word) in
                [("src_ip", Field::SrcIp, "address"), ("ja4", Field::Ja4, "JA4"), ("host", Field::Host, "host")]
            {
                let button = egui::Button::new(format!("Split by {word}"));
                let response = ui.add_enabled(member.is_some(), button).on_disabled_hover_text("choose a session below first");
                if let (true, Some((members, row))) = (response.clicked(), &member) {
                    kind = Some(Kind::Split(field, members.text(*row, column).into_owned()));
                }
            }
        });
        if let Some(kind) = kind {
            cx.out.push(Action::Campaign { id, kind });
        }
    }
}

fn map(points: &Table, members: Option<&Table>, dark: bool) -> Chart {
    let mut campaign: BTreeMap<String, String> = BTreeMap::new();
    let mut sizes: BTreeMap<String, usize> = BTreeMap::new();
    if let Some(members) = members {
        for row in 0..members.rows() {
            let id = members.text(row, "campaign_id").into_owned();
            *sizes.entry(id.clone()).or_default() += 1;
            campaign.insert(members.text(row, "session_id").into_owned(), id);
        }
    }
    let mut largest: Vec<(String, usize)> = sizes.into_iter().collect();
    largest.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    largest.truncate(COLOURED);
    let mut groups: Vec<(String, Vec<[f64; 2]>)> = ["below the threshold", "anomalous"]
        .into_iter()
        .map(str::to_owned)
        .chain(largest.iter().map(|(id, _)| id.clone()))
        .map(|name| (name, Vec::new()))
        .collect();
    for row in 0..points.rows() {
        let point = [points.number(row, "x"), points.number(row, "y")];
        let mine = campaign.get(points.text(row, "session_id").as_ref());
        let at = mine.and_then(|id| largest.iter().position(|(known, _)| known == id)).map(|at| at + 2);
        let at = at.unwrap_or(usize::from(points.text(row, "severity") != "none"));
        groups[at].1.push(point);
    }
    let series = groups.into_iter().enumerate().filter(|(_, (_, points))| !points.is_empty()).map(|(at, (name, points))| {
        let colour = match at {
            0 => theme::series(dark, 6).gamma_multiply(0.6),
            1 => theme::series(dark, 3),
            at => theme::series(dark, [0, 1, 2, 4, 5, 6][(at - 2) % 6]),
        };
        Series::new(&text::cut(&name, 24), Mark::Dots(if at == 0 { 2.0 } else { 3.0 }), points).colour(colour)
    });
    Chart {
        name: "Map of sessions".to_owned(),
        x: "first component".to_owned(),
        y: "second component".to_owned(),
        series: series.collect(),
        ..Chart::default()
    }
}
