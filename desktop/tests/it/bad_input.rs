//! Bad input: a sentence each, no crash, no freeze.
//!
//! Promises: each case is one that a person meets: no file, a damaged one, a newer one, a locked one, hostile text, a tiny window.
//!
//! Read next: `support.rs`.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use eframe::egui::{self, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use ja4_desktop::data::table::{Column, Table};
use ja4_desktop::shell::action::Action;
use ja4_desktop::views;
use ja4_desktop::widgets::grid::{Grid, GridState};
use ja4_lab::cycle::{self, CyclePlan};
use ja4_replay::store::{self, OpenOptions, Statement};

use crate::support::{app, copy, folder, recorded, settle, sized, tell, until, window};

pub const TESTS: &[crate::Test] = &[
    ("bad_input::what_cannot_be_opened_is_told", what_cannot_be_opened_is_told),
    ("bad_input::a_locked_database_is_told", a_locked_database_is_told),
    ("bad_input::hostile_cells_are_shown_escaped_and_cut", hostile_cells_are_shown_escaped_and_cut),
    ("bad_input::hostile_text_is_escaped_and_cut_in_every_view", hostile_text_is_escaped_and_cut_in_every_view),
    ("bad_input::a_tiny_window_shows_every_view", a_tiny_window_shows_every_view),
    ("bad_input::an_empty_database_says_what_next", an_empty_database_says_what_next),
    (
        "bad_input::a_search_of_hostile_text_finds_nothing_and_harms_nothing",
        a_search_of_hostile_text_finds_nothing_and_harms_nothing,
    ),
];

fn refused(path: &Path) -> String {
    let mut window = window(&[path]);
    until(&mut window, "refusal", |app| app.data().refused.is_some() || app.told().is_some());
    settle(&mut window);
    let message = app(&window).data().refused.clone().or_else(|| app(&window).told().cloned().and_then(Result::err)).unwrap();
    assert!(window.query_all_by_label_contains(message.split(' ').next().unwrap()).next().is_some());
    message
}

fn what_cannot_be_opened_is_told() {
    assert!(refused(Path::new("/no/such/file.duckdb")).contains("no such file"));
    let text = folder().join("text.duckdb");
    std::fs::write(&text, "this is a letter, not a database").unwrap();
    assert!(refused(&text).contains("not a DuckDB database"));
    let damaged = copy("damaged");
    let mut bytes = std::fs::read(&damaged).unwrap();
    let middle = bytes.len() / 2;
    bytes.truncate(middle);
    std::fs::write(&damaged, bytes).unwrap();
    let message = refused(&damaged);
    assert!(message.contains("open database"), "{message}");
}

fn a_locked_database_is_told() {
    let path = copy("locked");
    // Locks stand between processes, so another one has to hold it.
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["--hold", path.to_str().unwrap()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "held\n");
    let message = refused(&path);
    assert!(message.contains("another process holds it"), "{message}");
    drop(holder.stdin.take());
    holder.wait().unwrap();
}

/// In a process of its own: holds the database until its input ends.
pub fn hold(path: &str) {
    let held = store::open(Path::new(path), &OpenOptions::default()).unwrap();
    println!("held");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    drop(held);
}

fn hostile_cells_are_shown_escaped_and_cut() {
    let long = "x".repeat(10_000);
    let cells = ["\u{202e}evil\u{0}\u{1b}[31m", long.as_str(), "<script>", "\u{fff9}"];
    let table = Arc::new(Table::new(
        4,
        vec![("user_agent", Column::Text(cells.iter().collect())), ("hits", Column::Int(vec![i64::MIN, -1, 0, i64::MAX]))],
    ));
    let mut state = GridState::default();
    let window = Harness::builder().with_size(vec2(700.0, 300.0)).allow_missing_glyphs().build_ui(move |ui: &mut egui::Ui| {
        Grid::new("Hostile", &table, &[]).show(ui, &mut state);
    });
    window.get_by_label_contains("\\u{202e}evil\\u{0}\\u{1b}");
    let shown = window.get_by_label_contains("xxxx");
    let label = format!("{shown:?}");
    assert!(label.len() < 3_000, "a cell is cut");
    window.get_by_label("<script>");
}

/// Every text that a client chooses: an override that turns letters round, escapes of a terminal, markup, 10,000 letters.
const HOSTILE: &str = "UPDATE ja4_logs.http_logs SET
    user_agent = chr(8238) || 'evil' || chr(27) || '[31m' || repeat('y', 10000), path = '/' || chr(8294) || '<b>' || chr(7) || path,
    host = 'h' || chr(8235) || host, referer = chr(27) || ']0;title' || chr(7), accept_language = chr(8203) || chr(1),
    query = '=1+cmd()' || chr(13) || chr(10)";

/// What may never reach the screen as it is.
fn acts(c: char) -> bool {
    (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn hostile_text_is_escaped_and_cut_in_every_view() {
    let path = copy("hostile");
    let changed = store::open(&path, &OpenOptions::default()).unwrap();
    changed.change(&Statement::shared(HOSTILE), &[]).unwrap();
    cycle::run(&*changed, &CyclePlan::default()).unwrap();
    changed.checkpoint().unwrap();
    drop(changed);
    let mut window = window(&[&path]);
    let worst = app(&window).data().table(("overview", "ips")).unwrap().text(0, "src_ip").into_owned();
    tell(&mut window, Action::Investigate(worst));
    let mut escaped = 0;
    for view in views::all() {
        tell(&mut window, Action::Show(view.id()));
        assert!(app(&window).told().is_none_or(Result::is_ok), "{}: {:?}", view.id(), app(&window).told());
        for node in window.root().children_recursive().map(|node| node.accesskit_node()) {
            for text in [node.label(), node.value()].into_iter().flatten() {
                let shown: String = text.chars().take(200).collect();
                assert!(!text.contains(acts), "{}: {shown:?} is not escaped", view.id());
                assert!(text.chars().count() < 100_000, "{}: {shown:?}... is not cut", view.id());
                escaped += usize::from(text.contains("\\u{20"));
            }
        }
    }
    assert!(escaped > 20, "the hostile text is to be seen: {escaped}");
}

fn a_tiny_window_shows_every_view() {
    let mut window = sized(&[recorded()], vec2(300.0, 200.0), egui::Theme::Light, false);
    for view in views::all() {
        tell(&mut window, Action::Show(view.id()));
    }
    tell(&mut window, Action::AskOpen);
    window.get_by_label("Path to open");
    window.set_size(vec2(60.0, 40.0));
    window.run_steps(3);
}

fn an_empty_database_says_what_next() {
    let path = folder().join("empty.duckdb");
    let mut made = store::open(&path, &OpenOptions::default()).unwrap();
    made.migrate().unwrap();
    drop(made);
    let mut window = window(&[&path]);
    for view in views::all() {
        tell(&mut window, Action::Show(view.id()));
        assert!(app(&window).told().is_none_or(Result::is_ok), "{}: {:?}", view.id(), app(&window).told());
        assert!(window.query_all_by_label_contains("ui_").next().is_none(), "{} shows an error", view.id());
    }
    tell(&mut window, Action::Show("campaigns"));
    window.get_by_label_contains("No campaigns yet");
    tell(&mut window, Action::Show("sessions"));
    window.get_by_label_contains("ja4-lab score");
}

fn a_search_of_hostile_text_finds_nothing_and_harms_nothing() {
    let mut window = window(&[recorded()]);
    let all = app(&window).data().table(("overview", "figures")).unwrap().int(0, "sessions");
    for text in
        ["host:\"'; DROP TABLE ja4_logs.http_logs; --\"", "\"\u{202e}\u{0}\"", "ip:*\u{1b}*", "reason:*%_*", "\"?\" -\"?\""]
    {
        tell(&mut window, Action::Search(text.to_owned()));
        assert!(app(&window).scope().error.is_none(), "{text}");
        let table = app(&window).data().table(("overview", "figures"));
        assert_eq!(table.map(|table| table.int(0, "sessions")), Some(0), "{text}");
    }
    tell(&mut window, Action::Search(String::new()));
    assert_eq!(app(&window).data().table(("overview", "figures")).unwrap().int(0, "sessions"), all);
}
