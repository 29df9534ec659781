//! Everything can be done by keyboard: in every view and dialog, Tab comes by every control, each has a name, and the one that has the
//! focus is in sight.
//!
//! Promises: the accessibility tree is walked, so that a control of a view of tomorrow is counted too; a table is one stop, and what is in
//! it is reached by arrow keys.
//!
//! Read next: `support.rs`, `../../src/shell/focus.rs`.

use std::collections::{BTreeMap, BTreeSet};

use eframe::egui::accesskit::{Action as Act, NodeId};
use eframe::egui::{Key, Modifiers, Pos2, Rect};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use ja4_desktop::shell::action::Action;
use ja4_desktop::views;

use crate::support::{SIZE, Window, app, recorded, settle, tell, window};

pub const TESTS: &[crate::Test] = &[
    ("keyboard::tab_comes_by_every_control_of_every_view", tab_comes_by_every_control_of_every_view),
    ("keyboard::a_dialog_is_used_without_a_pointer", a_dialog_is_used_without_a_pointer),
    ("keyboard::tabs_are_closed_by_name_and_by_key", tabs_are_closed_by_name_and_by_key),
    ("keyboard::a_table_is_one_stop_with_a_cursor", a_table_is_one_stop_with_a_cursor),
    ("keyboard::the_console_lets_tab_go", the_console_lets_tab_go),
    ("keyboard::views_are_put_side_by_side_and_resized", views_are_put_side_by_side_and_resized),
    ("keyboard::the_time_brush_obeys_arrow_keys", the_time_brush_obeys_arrow_keys),
];

/// Controls that take the focus, by id, with role and name; disabled ones are left out.
fn controls(window: &Window) -> BTreeMap<NodeId, String> {
    let nodes = window.root().children_recursive().map(|node| node.accesskit_node());
    nodes
        .filter(|node| !node.is_hidden() && !node.is_disabled() && node.data().supports_action(Act::Focus))
        .map(|node| (node.locate().0, format!("{:?} {}", node.role(), node.label().unwrap_or_default())))
        .collect()
}

/// The control that has the focus: its id, its name, and where it is.
fn focused(window: &Window) -> Option<(NodeId, String, Rect)> {
    window.root().children_recursive().map(|node| node.accesskit_node()).find(|node| node.is_focused()).map(|node| {
        let place = node.raw_bounds().unwrap_or_default();
        #[allow(clippy::cast_possible_truncation, reason = "pixels")]
        let corner = |x: f64, y: f64| Pos2::new(x as f32, y as f32);
        let place = Rect::from_min_max(corner(place.x0, place.y0), corner(place.x1, place.y1));
        (node.locate().0, format!("{:?} {}", node.role(), node.label().unwrap_or_default()), place)
    })
}

fn press(window: &mut Window, key: Key) {
    window.key_press(key);
    window.run_steps(2);
}

fn tab_comes_by_every_control_of_every_view() {
    let mut window = window(&[recorded()]);
    let worst = app(&window).data().table(("overview", "ips")).unwrap().text(0, "src_ip").into_owned();
    tell(&mut window, Action::Investigate(worst));
    for first in ["overview", "detections", "sessions", "investigation"] {
        tell(&mut window, Action::CloseView(first));
    }
    let screen = Rect::from_min_size(Pos2::ZERO, SIZE);
    let mut defects = Vec::new();
    for view in views::all() {
        tell(&mut window, Action::Show(view.id()));
        defects.extend(window.unnamed_widgets().into_iter().map(|widget| format!("{}: {widget} has no name", view.id())));
        let all = controls(&window);
        let mut reached = BTreeSet::new();
        // Once round: what is scrolled into view on the way may bring further controls.
        for _ in 0..all.len() + 120 {
            press(&mut window, Key::Tab);
            let Some((id, name, place)) = focused(&window) else { continue };
            if !screen.intersects(place) {
                defects.push(format!("{}: {name} has the focus at {place:?}, out of sight", view.id()));
            }
            reached.insert(id);
            if all.keys().all(|id| reached.contains(id)) {
                break;
            }
        }
        let missed = all.iter().filter(|(id, _)| !reached.contains(id)).map(|(_, name)| name);
        defects.extend(missed.map(|name| format!("{}: Tab never came by {name}", view.id())));
        let nameless = all.values().filter(|name| !name.contains(' ') || name.ends_with(' '));
        defects.extend(nameless.map(|name| format!("{}: Tab stops at a {name}without a name", view.id())));
        tell(&mut window, Action::CloseView(view.id()));
    }
    assert!(defects.is_empty(), "{defects:#?}");
}

fn a_dialog_is_used_without_a_pointer() {
    let mut window = window(&[recorded()]);
    window.key_press_modifiers(Modifiers::COMMAND, Key::O);
    window.run_steps(3);
    let mut names = BTreeSet::new();
    for _ in 0..12 {
        names.extend(focused(&window).map(|(_, name, _)| name));
        press(&mut window, Key::Tab);
    }
    for wanted in ["TextInput Path to open", "Button Open", "Button Cancel"] {
        assert!(names.contains(wanted), "{wanted} is not among {names:?}");
    }
    assert!(!names.iter().any(|name| name.contains("Go to")), "what is behind a dialog takes no focus: {names:?}");
    // What was opened before is among them, and Enter opens it.
    let recent = names.iter().find(|name| name.contains("recorded.duckdb"));
    assert!(recent.is_some(), "{names:?}");
    while focused(&window).is_none_or(|(_, name, _)| name != "Button Cancel") {
        press(&mut window, Key::Tab);
    }
    press(&mut window, Key::Enter);
    assert!(window.query_by_label("Path to open").is_none());
}

fn tabs_are_closed_by_name_and_by_key() {
    let mut window = window(&[recorded()]);
    window.get_by_label("Close Detections").click();
    window.run_steps(2);
    assert!(window.query_by_label("Detections tab").is_none());
    window.get_by_label("Sessions tab").focus();
    window.run_steps(2);
    press(&mut window, Key::Delete);
    assert!(window.query_by_label("Sessions tab").is_none());
    window.get_by_label("Overview tab").focus();
    window.run_steps(2);
    press(&mut window, Key::Enter);
    window.get_by_label_contains("Chart Sessions over time");
}

fn a_table_is_one_stop_with_a_cursor() {
    let mut window = window(&[recorded()]);
    tell(&mut window, Action::Show("sessions"));
    let rows = app(&window).data().table(("sessions", "rows")).unwrap().rows();
    window.get_by_label_contains("Sessions, ").focus();
    window.run_steps(2);
    let told = |window: &Window| window.get_by_label_contains("Sessions, ").value().unwrap_or_default();
    assert!(told(&window).starts_with("row 1, "), "{}", told(&window));
    press(&mut window, Key::End);
    assert!(told(&window).starts_with(&format!("row {rows}, ")), "{}", told(&window));
    press(&mut window, Key::PageUp);
    press(&mut window, Key::Home);
    press(&mut window, Key::ArrowDown);
    let first = told(&window);
    assert!(first.starts_with("row 2, "), "{first}");
    // Sorted by the column under the cursor, the same place holds another row.
    press(&mut window, Key::S);
    press(&mut window, Key::S);
    assert_ne!(first, told(&window), "scores came downwards and go upwards now");
    press(&mut window, Key::S);
    assert_eq!(first, told(&window), "as the rows came");
    press(&mut window, Key::Tab);
    assert!(focused(&window).is_none_or(|(_, name, _)| !name.starts_with("Table Sessions")), "Tab leaves the table");
    window.key_press_modifiers(Modifiers::SHIFT, Key::Tab);
    window.run_steps(3);
    assert!(focused(&window).is_some_and(|(_, name, _)| name.starts_with("Table Sessions")), "Shift+Tab comes back");
}

fn the_console_lets_tab_go() {
    let mut window = window(&[recorded()]);
    tell(&mut window, Action::Show("sql"));
    window.get_by_label("Statement").focus();
    window.run_steps(2);
    let before = window.get_by_label("Statement").value();
    press(&mut window, Key::Tab);
    assert_eq!(window.get_by_label("Statement").value(), before, "no tab is written");
    assert_eq!(focused(&window).map(|(_, name, _)| name), Some("Button Run".to_owned()));
    press(&mut window, Key::Enter);
    settle(&mut window);
    assert!(app(&window).data().table(("sql", "rows")).is_some_and(|table| table.rows() > 0));
}

/// Does what a command of the palette says, as it is found by typing.
fn command(window: &mut Window, words: &str) {
    window.key_press_modifiers(Modifiers::COMMAND, Key::K);
    window.run_steps(2);
    window.get_by_label("Command").type_text(words);
    window.run_steps(2);
    press(window, Key::Enter);
    settle(window);
}

fn views_are_put_side_by_side_and_resized() {
    let mut window = window(&[recorded()]);
    tell(&mut window, Action::Show("sessions"));
    window.key_press_modifiers(Modifiers::ALT, Key::ArrowRight);
    window.run_steps(2);
    let told = app(&window).told().cloned();
    assert!(matches!(&told, Some(Err(message)) if message.contains("This view to the right")), "{told:?}");
    command(&mut window, "this view to the right");
    let edge = |window: &Window| window.get_by_label("Sessions tab").rect().left();
    let first = edge(&window);
    assert!(first > SIZE.x * 0.4, "the tab stands at {first}");
    for _ in 0..3 {
        window.key_press_modifiers(Modifiers::ALT, Key::ArrowRight);
        window.run_steps(2);
    }
    let wider = edge(&window);
    assert!(wider < first - 80.0, "{wider} after {first}");
    for _ in 0..4 {
        window.key_press_modifiers(Modifiers::ALT, Key::ArrowLeft);
        window.run_steps(2);
    }
    assert!(edge(&window) > first, "{} after {first}", edge(&window));
    command(&mut window, "this view back among");
    assert!(window.query_by_label("Overview tab").is_some() && window.query_by_label("Sessions tab").is_some());
    window.key_press_modifiers(Modifiers::ALT, Key::ArrowRight);
    window.run_steps(2);
    assert!(matches!(app(&window).told(), Some(Err(message)) if message.contains("no view stands")));
}

fn the_time_brush_obeys_arrow_keys() {
    let mut window = window(&[recorded()]);
    window.get_by_label_contains("Time brush").focus();
    window.run_steps(2);
    press(&mut window, Key::ArrowRight);
    press(&mut window, Key::ArrowLeft);
    settle(&mut window);
    let (first, last) = app(&window).scope().range.unwrap();
    let (from, to) = app(&window).scope().span.unwrap();
    assert!(first < from && from < to && to <= last, "{first} < {from} < {to} <= {last}");
    window.key_press_modifiers(Modifiers::SHIFT, Key::ArrowLeft);
    window.run_steps(2);
    let moved = app(&window).scope().span.unwrap();
    assert_eq!(moved.1 - moved.0, to - from, "moved as a whole");
    assert!(moved.0 < from);
    press(&mut window, Key::Home);
    settle(&mut window);
    assert_eq!(app(&window).scope().span, None);
}
