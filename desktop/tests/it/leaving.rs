//! What leaves the window: rows under pseudonyms, charts as pictures.
//!
//! Promises: nothing that names a client is in a file under pseudonyms, looked for in its bytes.
//!
//! Read next: `support.rs`, `ja4_lab::pseudonym`.

use std::collections::BTreeSet;
use std::path::Path;

use eframe::egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable as _;
use ja4_desktop::shell::action::Action;

use crate::support::{Window, app, folder, recorded, settle, tell, window};

pub const TESTS: &[crate::Test] = &[
    ("leaving::rows_leave_under_pseudonyms", rows_leave_under_pseudonyms),
    ("leaving::a_chart_is_saved_as_a_picture", a_chart_is_saved_as_a_picture),
];

fn save_to(window: &mut Window, path: &Path) {
    window.get_by_label("Path to save to").focus();
    window.run_steps(1);
    window.key_press_modifiers(Modifiers::COMMAND, Key::A);
    window.get_by_label("Path to save to").type_text(path.to_str().unwrap());
    window.run_steps(2);
    window.get_by_label("Save").click();
    settle(window);
    assert!(path.is_file(), "{:?}", app(window).told());
}

fn rows_leave_under_pseudonyms() {
    let mut window = window(&[recorded()]);
    tell(&mut window, Action::Show("traffic"));
    let table = app(&window).data().table(("traffic", "rows")).unwrap().clone();
    let mut saved = Vec::new();
    for nth in 0..2 {
        window.get_by_label("Export").click();
        window.run_steps(2);
        window.get_by_label("JSON Lines").click();
        window.run_steps(3);
        window.get_by_label("Under pseudonyms").click();
        window.run_steps(2);
        let path = folder().join(format!("pseudonyms-{nth}.jsonl"));
        save_to(&mut window, &path);
        saved.push(std::fs::read_to_string(&path).unwrap());
    }
    assert_eq!(saved[0], saved[1], "the key is kept, so the words are the same");
    assert_eq!(saved[0].lines().count(), table.rows());
    let mut names = BTreeSet::new();
    for row in 0..table.rows() {
        for column in ["src_ip", "host", "path", "user_agent"] {
            names.insert(table.text(row, column).into_owned());
        }
    }
    // Some tools send their bare name, which is also the word for their kind.
    let kinds: BTreeSet<String> =
        (0..table.rows()).flat_map(|row| ["ua_family", "ja4_bot"].map(|column| table.text(row, column).into_owned())).collect();
    names.retain(|name| name.len() > 3 && !kinds.contains(name));
    assert!(names.len() > 50);
    let left: Vec<&String> = names.iter().filter(|name| saved[0].contains(&format!("\"{name}\""))).collect();
    assert!(left.is_empty(), "{left:?}");
    let first: serde_json::Value = serde_json::from_str(saved[0].lines().next().unwrap()).unwrap();
    assert_eq!(first["ja4"], table.text(0, "ja4").as_ref(), "fingerprints stay");
    assert_eq!(first["ts_ns"], table.int(0, "ts_ns"));
}

fn a_chart_is_saved_as_a_picture() {
    let mut window = window(&[recorded()]);
    tell(&mut window, Action::Show("features"));
    window.get_by_label_contains("as PNG").click();
    window.run_steps(3);
    let path = folder().join("chart.png");
    save_to(&mut window, &path);
    assert_eq!(std::fs::read(&path).unwrap()[..4], *b"\x89PNG");
}
