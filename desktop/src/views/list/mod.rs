//! Views that are one table with a search: detections, sessions, traffic, audit.
//!
//! Promises: each is described, not programmed; what differs is the statement, the columns and the words.
//!
//! Read next: `../mod.rs`, `../../widgets/grid.rs`.

use eframe::egui;

use super::{Cx, Need, View};
use crate::data::query::{Ask, Sql};
use crate::data::statements;
use crate::shell::compile::{REQUESTS, Relation, SESSIONS};
use crate::widgets::grid::GridState;

/// A view that is one table.
pub struct List {
    id: &'static str,
    title: &'static str,
    icon: &'static str,
    about: &'static str,
    sql: Sql,
    relation: Option<&'static Relation>,
    /// Joined to what the search gives; a constant.
    always: &'static str,
    columns: &'static [&'static str],
    empty: &'static str,
    state: GridState,
}

const SESSION_COLUMNS: &[&str] =
    &["score", "severity", "src_ip", "host", "hits", "ua_family", "ja4", "country", "first_ns", "reason"];

/// Sessions at or above their threshold.
#[must_use]
pub fn detections() -> List {
    List {
        id: "detections",
        title: "Detections",
        icon: "▲",
        about: "Sessions at or above their threshold, worst first, each with its reason.",
        sql: statements::SESSIONS,
        relation: Some(&SESSIONS),
        always: "anomaly = 1",
        columns: SESSION_COLUMNS,
        empty: "No session is anomalous for this search and span. Look at all time, clear the search (Ctrl+F), or score with `ja4-lab score --db DB`.",
        state: GridState::default(),
    }
}

/// All scored sessions.
#[must_use]
pub fn sessions() -> List {
    List {
        id: "sessions",
        title: "Sessions",
        icon: "≡",
        about: "Every scored session: one client, one site, one hour.",
        sql: statements::SESSIONS,
        relation: Some(&SESSIONS),
        always: "",
        columns: SESSION_COLUMNS,
        empty: "No session meets this search and span. Clear the search (Ctrl+F) or look at all time; if nothing was scored yet, run `ja4-lab score --db DB`.",
        state: GridState::default(),
    }
}

/// Requests.
#[must_use]
pub fn traffic() -> List {
    List {
        id: "traffic",
        title: "Traffic",
        icon: "⇄",
        about: "Requests with the handshake they were joined to.",
        sql: statements::REQUESTS,
        relation: Some(&REQUESTS),
        always: "",
        columns: &[
            "ts_ns",
            "src_ip",
            "host",
            "method",
            "path",
            "status",
            "duration_us",
            "ua_family",
            "ja4",
            "match_kind",
            "match_confidence",
        ],
        empty: "No request meets this search and span. Import some: drop a capture and its log on the window, or `ja4-lab replay CAPTURE --http-log LOG --db DB`.",
        state: GridState::default(),
    }
}

/// Who did what.
#[must_use]
pub fn audit() -> List {
    List {
        id: "audit",
        title: "Audit",
        icon: "¶",
        about: "Who decided or changed what, and whether it worked.",
        sql: statements::AUDIT,
        relation: None,
        always: "",
        columns: &[],
        empty: "Nothing was decided or changed yet. Decisions in Classification and commands that change the store leave a line here.",
        state: GridState::default(),
    }
}

impl View for List {
    fn id(&self) -> &'static str {
        self.id
    }

    fn title(&self) -> &'static str {
        self.title
    }

    fn icon(&self) -> &'static str {
        self.icon
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn queries(&self, need: &Need<'_>) -> Vec<(&'static str, Ask)> {
        let Some(relation) = self.relation else { return vec![("rows", Ask::plain(self.sql, &[], need.limit))] };
        let mut filter = need.scope.compile(relation);
        if !self.always.is_empty() {
            filter.condition = format!("{} AND {}", self.always, filter.condition);
        }
        vec![("rows", Ask::searched(self.sql, &[], filter, need.limit))]
    }

    fn ui(&mut self, ui: &mut egui::Ui, cx: &mut Cx<'_>) {
        if let Some(relation) = self.relation {
            foreign(ui, cx, relation);
        }
        let table = cx.grid(ui, (self.id, "rows"), self.title, self.columns, &mut self.state, self.empty);
        if table.is_some_and(|table| table.rows() >= cx.limit()) {
            ui.weak(format!("These are the first {}; search for less, or raise the number in Help.", cx.limit()));
        }
    }

    fn empty_reason(&self) -> &'static str {
        self.empty
    }
}

/// Says which words of the search this table does not know.
pub fn foreign(ui: &mut egui::Ui, cx: &Cx<'_>, relation: &Relation) {
    let foreign = cx.scope.compile(relation).foreign;
    if !foreign.is_empty() {
        ui.weak(format!("{} does not apply here and is left out", foreign.join(", ")));
    }
}
