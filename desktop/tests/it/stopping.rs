//! A statement that runs too long is stopped, in the engine too, and whatever is asked next is answered.
//!
//! Promises: the statement would run for days, so a stop that does not reach the engine is a test that never ends; nothing is timed.
//!
//! Read next: `support.rs`, `../../src/data/worker.rs`.

use eframe::egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable as _;
use ja4_desktop::data::Loaded;
use ja4_desktop::shell::action::Action;

use crate::support::{Window, app, recorded, tell, until, window};

pub const TESTS: &[crate::Test] = &[
    (
        "stopping::the_console_is_cancelled_and_answers_the_next_statement",
        the_console_is_cancelled_and_answers_the_next_statement,
    ),
    ("stopping::another_database_does_not_wait_for_a_statement", another_database_does_not_wait_for_a_statement),
];

const PLACE: (&str, &str) = ("sql", "rows");
const LONG: &str = "SELECT count(*) AS n FROM range(100000000) a, range(100000000) b WHERE (a.range * b.range) % 7 = 3";

/// Types a statement over the one that stands in the console, and runs it.
fn run(window: &mut Window, statement: &str) {
    window.get_by_label("Statement").focus();
    window.run_steps(2);
    window.key_press_modifiers(Modifiers::COMMAND, Key::A);
    window.get_by_label("Statement").type_text(statement);
    window.run_steps(2);
    window.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    window.run_steps(2);
}

fn the_console_is_cancelled_and_answers_the_next_statement() {
    let mut window = window(&[recorded()]);
    tell(&mut window, Action::Show("sql"));
    for button in ["Cancel", "Stop asking"] {
        run(&mut window, LONG);
        // The button at the bottom comes after half a second of the window's own clock, which a frame moves.
        for _ in 0..60 {
            window.step();
        }
        assert!(app(&window).data().is_waiting(PLACE), "{:?}", app(&window).data().get(PLACE));
        window.get_by_label(button).click();
        until(&mut window, "the end of the statement", |app| !app.data().is_waiting(PLACE));
        window.run_steps(2);
        window.get_by_label_contains("stopped before there was an answer");
    }
    // A newer statement stops the one that runs.
    run(&mut window, LONG);
    run(&mut window, "SELECT 7 AS n");
    until(&mut window, "an answer", |app| !app.data().is_waiting(PLACE));
    assert!(matches!(app(&window).data().get(PLACE), Loaded::Table(table) if table.int(0, "n") == 7));
    // The same statement again is asked again.
    run(&mut window, LONG);
    window.key_press_modifiers(Modifiers::COMMAND, Key::Period);
    until(&mut window, "the end of the statement", |app| !app.data().is_waiting(PLACE));
    run(&mut window, LONG);
    assert!(app(&window).data().is_waiting(PLACE));
    window.key_press_modifiers(Modifiers::COMMAND, Key::Period);
    until(&mut window, "the end of the statement", |app| !app.data().is_waiting(PLACE));
}

fn another_database_does_not_wait_for_a_statement() {
    let mut window = window(&[recorded()]);
    tell(&mut window, Action::Show("sql"));
    run(&mut window, LONG);
    // `tell` waits until the database is open and every question that is left was answered; the console asks its own again there.
    let ctx = window.ctx.clone();
    window.state_mut().as_mut().unwrap().tell(&ctx, Action::Open(recorded().to_path_buf()));
    until(&mut window, "the database", |app| app.data().is_open());
    window.key_press_modifiers(Modifiers::COMMAND, Key::Period);
    until(&mut window, "the end of the statement", |app| !app.data().is_asking());
}
