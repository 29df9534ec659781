//! Everything can be reached by keyboard: in every view, Tab comes by every control that a pointer can press.
//!
//! Promises: the accessibility tree is walked, so a control that is drawn but not told of is not counted either way; names are checked too.
//!
//! Read next: `support.rs`.

use std::collections::{BTreeMap, BTreeSet};

use eframe::egui::Key;
use eframe::egui::accesskit::{Action as Act, NodeId, Role};
use egui_kittest::kittest::NodeT as _;
use ja4_desktop::shell::action::Action;
use ja4_desktop::views;

use crate::support::{Window, app, recorded, settle, tell, window};

pub const TESTS: &[crate::Test] =
    &[("keyboard::tab_comes_by_every_control_of_every_view", tab_comes_by_every_control_of_every_view)];

/// Controls that can be pressed, by id, with role and name; disabled ones are left out.
fn controls(window: &Window) -> BTreeMap<NodeId, String> {
    let nodes = window.root().children_recursive().map(|node| node.accesskit_node());
    nodes
        .filter(|node| !node.is_hidden() && !node.is_disabled() && node.data().supports_action(Act::Focus))
        .filter(|node| {
            !matches!(node.role(), Role::Window | Role::GenericContainer | Role::ScrollBar | Role::Label | Role::Image)
        })
        .map(|node| (node.locate().0, format!("{:?} {}", node.role(), node.label().unwrap_or_default())))
        .collect()
}

fn focused(window: &Window) -> Option<NodeId> {
    window
        .root()
        .children_recursive()
        .map(|node| node.accesskit_node())
        .find(|node| node.is_focused())
        .map(|node| node.locate().0)
}

fn tab_comes_by_every_control_of_every_view() {
    let mut window = window(&[recorded()]);
    let worst = app(&window).data().table(("overview", "ips")).unwrap().text(0, "src_ip").into_owned();
    tell(&mut window, Action::Investigate(worst));
    let mut missed = Vec::new();
    for view in views::all() {
        tell(&mut window, Action::Show(view.id()));
        settle(&mut window);
        assert_eq!(window.unnamed_widgets(), Vec::<String>::new(), "{}", view.id());
        let all = controls(&window);
        let mut reached = BTreeSet::new();
        // Once round: what is scrolled into view on the way may bring further controls.
        for _ in 0..all.len() + 120 {
            window.key_press(Key::Tab);
            window.step();
            reached.extend(focused(&window));
            if all.keys().all(|id| reached.contains(id)) {
                break;
            }
        }
        missed.extend(all.iter().filter(|(id, _)| !reached.contains(id)).map(|(_, name)| format!("{}: {name}", view.id())));
    }
    assert!(missed.is_empty(), "Tab never came by {missed:#?}");
}
