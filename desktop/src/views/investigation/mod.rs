//! Investigation: one address in full: sessions, timeline, fingerprints, claims against facts, neighbours, requests, decisions.
//!
//! Promises: the explanation is the text that `ja4-lab explain` prints; a decision or a note is one key away.
//!
//! Read next: `ui.rs` (its parts), `../mod.rs`.

mod packets;
mod ui;

use eframe::egui;

use super::{Cx, Need, View};
use crate::data::query::Ask;
use crate::data::statements;
use crate::widgets::grid::GridState;

/// What is shown below the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Part {
    #[default]
    Explanation,
    Sessions,
    Requests,
    Fingerprints,
    Neighbours,
    Decisions,
}

impl Part {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Explanation, "Explanation"),
        (Self::Sessions, "Its sessions"),
        (Self::Requests, "Its requests"),
        (Self::Fingerprints, "Claims and facts"),
        (Self::Neighbours, "Neighbours"),
        (Self::Decisions, "Decisions"),
    ];
}

/// The view.
#[derive(Debug, Default)]
pub struct Investigation {
    part: Part,
    typed: String,
    note: String,
    sessions: GridState,
    requests: GridState,
    fingerprints: GridState,
    neighbours: GridState,
    decisions: GridState,
    packets: packets::Packets,
}

const ID: &str = "investigation";

impl View for Investigation {
    fn id(&self) -> &'static str {
        ID
    }

    fn title(&self) -> &'static str {
        "Investigation"
    }

    fn icon(&self) -> &'static str {
        "◎"
    }

    fn about(&self) -> &'static str {
        "One address: its sessions, requests, fingerprints, claims against facts, neighbours and decisions."
    }

    fn queries(&self, need: &Need<'_>) -> Vec<(&'static str, Ask)> {
        let ip = need.scope.ip.as_str();
        if ip.is_empty() {
            return Vec::new();
        }
        let session = Some(need.scope.session.clone()).filter(|session| !session.is_empty());
        let explain = Ask::Explain { ip: session.is_none().then(|| ip.to_owned()), session };
        let two = |sql| Ask::plain(sql, &[ip, ip], need.limit.min(20_000));
        let mut asks = vec![("sessions", two(statements::IP_SESSIONS)), ("requests", two(statements::IP_REQUESTS))];
        match self.part {
            Part::Explanation => asks.push(("explain", explain)),
            Part::Fingerprints => asks.push(("fingerprints", two(statements::IP_FINGERPRINTS))),
            Part::Neighbours => asks.push(("neighbours", Ask::plain(statements::IP_NEIGHBOURS, &[ip, ip], 2_000))),
            Part::Decisions => asks.push(("decisions", Ask::plain(statements::IP_FEEDBACK, &[ip], 1_000))),
            Part::Requests => asks.extend(self.packets.queries()),
            Part::Sessions => {}
        }
        asks
    }

    fn ui(&mut self, ui: &mut egui::Ui, cx: &mut Cx<'_>) {
        self.head(ui, cx);
        if cx.scope.ip.is_empty() || !cx.data.is_open() {
            crate::widgets::rows_or_reason(ui, cx.data, (ID, "none"), self.empty_reason());
            if cx.data.is_open() {
                crate::widgets::notice(ui, self.empty_reason(), false);
            }
            return;
        }
        self.timeline(ui, cx);
        ui.horizontal_wrapped(|ui| {
            for (part, name) in Part::ALL {
                ui.selectable_value(&mut self.part, part, name);
            }
        });
        ui.separator();
        self.body(ui, cx);
    }

    fn empty_reason(&self) -> &'static str {
        "No address is being looked into: double-click a row in Sessions, or write an address above and press Enter."
    }

    fn shortcuts(&self) -> &'static [(&'static str, &'static str)] {
        &[("Enter in the address field", "look into it")]
    }
}
