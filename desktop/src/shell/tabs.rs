//! Tabs: which views are open and where, docked as the analyst likes.
//!
//! Promises: an arrangement that cannot be read is replaced by the first one; a view is open at most once.
//!
//! Read next: `app.rs`, `egui_tiles`.

use eframe::egui;
use egui_tiles::{Behavior, SimplificationOptions, TabState, TileId, Tiles, Tree, UiResponse};

use super::action::Action;
use super::{docking, tab_button};
use crate::views::{Cx, Need, View};

/// Views that are open at first.
const FIRST: [&str; 4] = ["overview", "detections", "sessions", "investigation"];

/// The arrangement; a pane is the id of a view.
pub type Layout = Tree<String>;

/// The arrangement of the first start.
#[must_use]
pub fn first() -> Layout {
    let mut layout = Tree::new_tabs(egui::Id::unique("views"), FIRST.iter().map(|id| (*id).to_owned()).collect());
    show(&mut layout, FIRST[0]);
    layout
}

/// Reads an arrangement; panes of views that are gone are dropped.
#[must_use]
pub fn read(value: Option<&serde_json::Value>, views: &[Box<dyn View>]) -> Layout {
    let Some(mut layout) = value.and_then(|value| serde_json::from_value::<Layout>(value.clone()).ok()) else { return first() };
    let gone: Vec<TileId> = layout
        .tiles
        .iter()
        .filter(|(_, tile)| matches!(tile, egui_tiles::Tile::Pane(id) if !views.iter().any(|view| view.id() == id)))
        .map(|(tile, _)| *tile)
        .collect();
    for tile in gone {
        layout.remove_recursively(tile);
    }
    if layout.is_empty() { first() } else { layout }
}

/// Opens the tab of a view and brings it to the front.
pub fn show(layout: &mut Layout, id: &'static str) {
    let pane = id.to_owned();
    if layout.tiles.find_pane(&pane).is_none() {
        let tile = layout.tiles.insert_pane(pane.clone());
        match (docking::first_tabs(layout, None), layout.root()) {
            (Some(tabs), _) => layout.move_tile_to_container(tile, tabs, usize::MAX, true),
            (None, Some(root)) => {
                let tabs = layout.tiles.insert_tab_tile(vec![root, tile]);
                layout.root = Some(tabs);
            }
            (None, None) => {
                let tabs = layout.tiles.insert_tab_tile(vec![tile]);
                layout.root = Some(tabs);
            }
        }
    }
    layout.make_active(|_, tile| matches!(tile, egui_tiles::Tile::Pane(known) if *known == pane));
}

/// Closes the tab of a view.
pub fn close(layout: &mut Layout, id: &str) {
    if let Some(tile) = layout.tiles.find_pane(&id.to_owned()) {
        layout.remove_recursively(tile);
    }
}

/// Whether the tab of a view is in front.
#[must_use]
pub fn is_shown(layout: &Layout, id: &str) -> bool {
    layout.active_tiles().iter().any(|tile| layout.tiles.get_pane(tile).is_some_and(|pane| pane == id))
}

/// Shows views in tabs.
pub struct Panes<'a, 'b> {
    /// Every view.
    pub views: &'a mut Vec<Box<dyn View>>,
    /// What they may look at.
    pub cx: Cx<'b>,
    /// The view that commands about a view are about.
    pub current: &'a mut &'static str,
}

impl Behavior<String> for Panes<'_, '_> {
    fn pane_ui(&mut self, ui: &mut egui::Ui, _tile: TileId, pane: &mut String) -> UiResponse {
        let Some(view) = self.views.iter_mut().find(|view| view.id() == pane) else { return UiResponse::None };
        let need = Need { scope: self.cx.scope, limit: self.cx.settings.rows, db: &self.cx.data.opened.target };
        for (slot, ask) in view.queries(&need) {
            self.cx.data.want((view.id(), slot), ask);
        }
        egui::Frame::new().inner_margin(8).fill(ui.visuals().panel_fill).show(ui, |ui| {
            ui.push_id(view.id(), |ui| view.ui(ui, &mut self.cx));
            ui.take_available_space();
        });
        // Where the keyboard is, or where was clicked last, is the view that commands are about.
        let inside = |id: egui::Id| ui.ctx().read_response(id).is_some_and(|response| ui.max_rect().contains_rect(response.rect));
        let clicked = ui.input(|input| input.pointer.any_pressed().then(|| input.pointer.interact_pos()).flatten());
        let pressed = clicked.is_some_and(|at| ui.max_rect().contains(at));
        if pressed || ui.memory(|memory| memory.focused()).is_some_and(inside) {
            *self.current = view.id();
        }
        UiResponse::None
    }

    fn tab_title_for_pane(&mut self, pane: &String) -> egui::WidgetText {
        let view = self.views.iter().find(|view| view.id() == pane);
        view.map(|view| format!("{} {}", view.icon(), view.title())).unwrap_or_default().into()
    }

    fn tab_ui(
        &mut self,
        tiles: &mut Tiles<String>,
        ui: &mut egui::Ui,
        id: egui::Id,
        tile: TileId,
        state: &TabState,
    ) -> egui::Response {
        let title = self.tab_title_for_tile(tiles, tile).text().to_owned();
        let name = tiles.get_pane(&tile).and_then(|pane| self.views.iter().find(|view| view.id() == pane));
        let name = name.map_or_else(|| title.clone(), |view| view.title().to_owned());
        let look = tab_button::Look {
            ground: self.tab_bg_color(ui.visuals(), tiles, tile, state),
            ink: self.tab_text_color(ui.visuals(), tiles, tile, state),
            border: self.tab_outline_stroke(ui.visuals(), tiles, tile, state),
            active: state.active,
            dragged: state.is_being_dragged,
        };
        let (response, closed) = tab_button::show(ui, id, &title, &name, &look);
        if closed {
            self.on_tab_close(tiles, tile);
        }
        response
    }

    fn is_tab_closable(&self, _tiles: &Tiles<String>, _tile: TileId) -> bool {
        true
    }

    fn on_tab_close(&mut self, tiles: &mut Tiles<String>, tile: TileId) -> bool {
        if let Some(pane) = tiles.get_pane(&tile)
            && let Some(view) = self.views.iter().find(|view| view.id() == pane)
        {
            self.cx.out.push(Action::CloseView(view.id()));
        }
        false
    }

    fn simplification_options(&self) -> SimplificationOptions {
        SimplificationOptions { all_panes_must_have_tabs: true, ..SimplificationOptions::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arrangement_survives_and_damage_is_replaced() {
        let views = crate::views::all();
        let mut layout = first();
        show(&mut layout, "sql");
        assert!(is_shown(&layout, "sql") && !is_shown(&layout, "overview"));
        let written = serde_json::to_value(&layout).unwrap();
        let mut again = read(Some(&written), &views);
        assert!(again.tiles.find_pane(&"sql".to_owned()).is_some());
        for view in &views {
            close(&mut again, view.id());
        }
        show(&mut again, "overview");
        assert!(again.tiles.find_pane(&"overview".to_owned()).is_some());
        let damaged = read(Some(&serde_json::json!({"root": 7})), &views);
        assert!(damaged.tiles.find_pane(&"overview".to_owned()).is_some());
    }
}
