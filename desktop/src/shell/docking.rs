//! Where views stand, by keyboard: side by side, below each other, back among the tabs, and how much room each has.
//!
//! Promises: what the pointer does by dragging a tab or the line between two panes can be done by a command; a pane never gets so small
//! that it cannot be seen; where there is nothing to do, a sentence says what to do first.
//!
//! Read next: `tabs.rs` (the arrangement), `keys.rs`.

use egui_tiles::{Container, LinearDir, Tile, TileId};

use super::tabs::Layout;

/// What to do with the pane of a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Docking {
    /// To the right of the others.
    Right,
    /// Below the others.
    Below,
    /// Back among the tabs.
    Tabs,
    /// Wider (1) or narrower (-1).
    Width(i8),
    /// Taller (1) or shorter (-1).
    Height(i8),
}

/// Share of the whole that a step gives or takes, and the least that a pane keeps.
const STEP: f32 = 0.05;
const LEAST: f32 = 0.1;

/// Does it with the pane of the view `id`.
///
/// # Errors
/// A sentence where the arrangement has nothing of the kind.
pub fn dock(layout: &mut Layout, id: &str, what: Docking) -> Result<(), String> {
    let pane = layout.tiles.find_pane(&id.to_owned()).ok_or("that view is not open")?;
    match what {
        Docking::Right => beside(layout, pane, LinearDir::Horizontal),
        Docking::Below => beside(layout, pane, LinearDir::Vertical),
        Docking::Tabs => among_tabs(layout, pane),
        Docking::Width(step) => resize(layout, pane, LinearDir::Horizontal, step),
        Docking::Height(step) => resize(layout, pane, LinearDir::Vertical, step),
    }
}

/// Takes the pane out of its tabs and puts it behind them.
fn beside(layout: &mut Layout, pane: TileId, dir: LinearDir) -> Result<(), String> {
    let (tabs, others) = match layout.tiles.parent_of(pane).map(|parent| (parent, layout.tiles.get(parent))) {
        Some((parent, Some(Tile::Container(Container::Tabs(tabs))))) => (parent, tabs.children.len() - 1),
        _ => return Err("this view is in no tabs that it could be taken out of".to_owned()),
    };
    if others == 0 {
        return Err("this view has its place for itself already; open another one in the same tabs first".to_owned());
    }
    let above = layout.tiles.parent_of(tabs);
    if let Some(Tile::Container(container)) = layout.tiles.get_mut(tabs) {
        container.remove_child(pane);
    }
    let alone = layout.tiles.insert_tab_tile(vec![pane]);
    let both = match dir {
        LinearDir::Horizontal => layout.tiles.insert_horizontal_tile(vec![tabs, alone]),
        LinearDir::Vertical => layout.tiles.insert_vertical_tile(vec![tabs, alone]),
    };
    match above.and_then(|above| layout.tiles.get_mut(above)) {
        // It takes the place and the share of what it was made of.
        Some(Tile::Container(container)) => {
            let _ = container.replace_child(tabs, both);
        }
        _ => layout.root = Some(both),
    }
    Ok(())
}

/// Moves the pane behind the tabs of the first other place.
fn among_tabs(layout: &mut Layout, pane: TileId) -> Result<(), String> {
    let own = layout.tiles.parent_of(pane);
    let Some(place) = first_tabs(layout, own) else { return Err("every view is among the same tabs already".to_owned()) };
    layout.move_tile_to_container(pane, place, usize::MAX, true);
    Ok(())
}

/// The oldest tabs but these: tiles are numbered as they came.
pub fn first_tabs(layout: &Layout, except: Option<TileId>) -> Option<TileId> {
    let tabs = layout.tiles.iter().filter(|(_, tile)| matches!(tile, Tile::Container(Container::Tabs(_))));
    tabs.map(|(tile, _)| *tile).filter(|tile| Some(*tile) != except).min_by_key(|tile| tile.0)
}

/// Gives the pane more or less of what it shares with those beside it.
fn resize(layout: &mut Layout, pane: TileId, dir: LinearDir, step: i8) -> Result<(), String> {
    let mut tile = pane;
    while let Some(parent) = layout.tiles.parent_of(tile) {
        if let Some(Tile::Container(Container::Linear(linear))) = layout.tiles.get_mut(parent)
            && linear.dir == dir
            && linear.children.len() > 1
        {
            let whole: f32 = linear.children.iter().map(|child| linear.shares[*child]).sum();
            let old = linear.shares[tile] / whole;
            #[allow(clippy::cast_precision_loss, reason = "a handful of panes")]
            let most = 1.0 - LEAST * (linear.children.len() - 1) as f32;
            let new = (old + STEP * f32::from(step)).clamp(LEAST, most.max(LEAST));
            for child in linear.children.clone() {
                let share = linear.shares[child] / whole;
                linear.shares.set_share(child, if child == tile { new } else { share * (1.0 - new) / (1.0 - old) });
            }
            return Ok(());
        }
        tile = parent;
    }
    let (where_, command) = if dir == LinearDir::Horizontal { ("beside", "to the right") } else { ("above or below", "below") };
    Err(format!("no view stands {where_} this one; the command \"This view {command}\" (Ctrl+K) puts it there"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::tabs;

    /// What the pane has of the width it shares.
    fn share(layout: &Layout, id: &str) -> f32 {
        let mut tile = layout.tiles.find_pane(&id.to_owned()).unwrap();
        while let Some(parent) = layout.tiles.parent_of(tile) {
            if let Some(Tile::Container(Container::Linear(linear))) = layout.tiles.get(parent) {
                return linear.shares[tile] / linear.children.iter().map(|child| linear.shares[*child]).sum::<f32>();
            }
            tile = parent;
        }
        1.0
    }

    #[test]
    fn a_view_is_put_beside_the_others_resized_and_put_back() {
        let mut layout = tabs::first();
        assert!(dock(&mut layout, "sessions", Docking::Width(1)).unwrap_err().contains("to the right"));
        assert!(dock(&mut layout, "sql", Docking::Right).unwrap_err().contains("not open"));
        dock(&mut layout, "sessions", Docking::Right).unwrap();
        assert!((share(&layout, "sessions") - 0.5).abs() < 1e-6);
        dock(&mut layout, "sessions", Docking::Width(-1)).unwrap();
        assert!((share(&layout, "sessions") - 0.45).abs() < 1e-6 && (share(&layout, "overview") - 0.55).abs() < 1e-6);
        for _ in 0..50 {
            dock(&mut layout, "overview", Docking::Width(1)).unwrap();
        }
        assert!((share(&layout, "sessions") - LEAST).abs() < 1e-6);
        assert!(dock(&mut layout, "sessions", Docking::Right).unwrap_err().contains("for itself"));
        // Below one of the two, with a height of its own.
        dock(&mut layout, "detections", Docking::Below).unwrap();
        dock(&mut layout, "detections", Docking::Height(1)).unwrap();
        assert!((share(&layout, "detections") - 0.55).abs() < 1e-6);
        dock(&mut layout, "detections", Docking::Tabs).unwrap();
        dock(&mut layout, "sessions", Docking::Tabs).unwrap();
        assert_eq!(
            layout.tiles.parent_of(layout.tiles.find_pane(&"sessions".to_owned()).unwrap()),
            layout.tiles.parent_of(layout.tiles.find_pane(&"overview".to_owned()).unwrap())
        );
    }
}
