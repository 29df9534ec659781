//! Brute force: attempts against login forms, single and distributed.
//!
//! Promises: the thresholds stand in `view_form_bruteforce_detected`, nowhere else.
//!
//! Read next: `../mod.rs`.

use eframe::egui;

use super::list::foreign;
use super::{Cx, Need, View};
use crate::data::query::Ask;
use crate::data::statements;
use crate::shell::compile::BRUTE_FORCE;
use crate::widgets::grid::GridState;

/// The view.
#[derive(Debug, Default)]
pub struct BruteForce {
    grid: GridState,
}

const ID: &str = "bruteforce";

impl View for BruteForce {
    fn id(&self) -> &'static str {
        ID
    }

    fn title(&self) -> &'static str {
        "Brute force"
    }

    fn icon(&self) -> &'static str {
        "▣"
    }

    fn about(&self) -> &'static str {
        "Attempts against login forms: ten or more by one client, or five on a path that five or more clients attack."
    }

    fn queries(&self, need: &Need<'_>) -> Vec<(&'static str, Ask)> {
        vec![("rows", Ask::searched(statements::BRUTE_FORCE, &[], need.scope.compile(&BRUTE_FORCE), need.limit))]
    }

    fn ui(&mut self, ui: &mut egui::Ui, cx: &mut Cx<'_>) {
        let empty = self.empty_reason();
        foreign(ui, cx, &BRUTE_FORCE);
        let columns = [
            "severity",
            "kind",
            "src_ip",
            "host",
            "path",
            "attempts",
            "failed_share",
            "attempts_per_minute",
            "clients_on_path",
            "user_agents",
            "user_agent",
            "first_ns",
        ];
        cx.grid(ui, (ID, "rows"), "Attempts", &columns, &mut self.grid, empty);
    }

    fn empty_reason(&self) -> &'static str {
        "Nobody tried ten passwords on one form within an hour, as far as this search and span reach."
    }
}
