//! What is tried without being written: a session in rehearsal, voices fitted anew.
//!
//! Promises: unchanged, both say what the store holds; what is offered works.
//!
//! Read next: `support.rs`.

use eframe::egui::accesskit::Role;
use egui_kittest::kittest::Queryable as _;
use ja4_desktop::shell::action::Action;

use crate::support::{app, recorded, settle, tell, window};

pub const TESTS: &[crate::Test] = &[
    (
        "trials::a_rehearsal_starts_from_the_stored_score_and_its_offer_passes",
        a_rehearsal_starts_from_the_stored_score_and_its_offer_passes,
    ),
    ("trials::a_refit_ranks_by_other_voices", a_refit_ranks_by_other_voices),
];

fn a_rehearsal_starts_from_the_stored_score_and_its_offer_passes() {
    let mut window = window(&[recorded()]);
    tell(&mut window, Action::Search("sort:score-asc severity:low,medium".to_owned()));
    tell(&mut window, Action::Show("sessions"));
    let table = app(&window).data().table(("sessions", "rows")).unwrap().clone();
    assert!(table.rows() > 0);
    // The first whose nearest change is known.
    let offered = (0..table.rows().min(12)).find(|row| {
        let cell = |name: &str| table.text(*row, name).into_owned();
        tell(&mut window, Action::Explain { session: cell("session_id"), ip: cell("src_ip") });
        window.get_by_label("Rehearse").click();
        settle(&mut window);
        settle(&mut window);
        window.get_by_label_contains("verdict: anomalous");
        // Unchanged, the voices say what is stored.
        assert!(window.query_all_by_label(&format!("{:.4}", table.number(*row, "score"))).count() >= 2, "{}", cell("session_id"));
        window.query_by_label("Make this change").is_some()
    });
    assert!(offered.is_some(), "no nearest change among the least anomalous sessions");
    window.get_by_label("Make this change").click();
    settle(&mut window);
    settle(&mut window);
    window.get_by_label("It passes as it is.");
    window.get_by_label("As measured").click();
    settle(&mut window);
    window.get_by_label("Nearest change that passes");
    // A control of a client moves its features and can be taken back.
    window.get_by_label("alpn h2-unused").click();
    settle(&mut window);
    assert!(window.query_all_by_label_contains("changed: ").count() > 0);
    window.get_by_label("alpn as measured").click();
    settle(&mut window);
    assert_eq!(window.unnamed_widgets(), Vec::<String>::new());
}

fn a_refit_ranks_by_other_voices() {
    let mut window = window(&[recorded()]);
    tell(&mut window, Action::Show("tuning"));
    window.get_by_label("Forest and features").click();
    settle(&mut window);
    window.get_by_label("Refit").click();
    settle(&mut window);
    settle(&mut window);
    // With the usual settings the voices are the stored ones, bit for bit, so nothing moves.
    window.get_by_label_contains("fitted here with the usual settings");
    window.get_by_label("changed rank: 0");
    window.get_by_role_and_label(Role::CheckBox, "hits").click();
    window.run_steps(2);
    window.get_by_label("Refit").click();
    settle(&mut window);
    settle(&mut window);
    window.get_by_label_contains("fitted here with without+=hits");
    assert!(window.query_by_label("changed rank: 0").is_none(), "another feature set ranks otherwise");
    window.get_by_label("Back to the stored voices").click();
    settle(&mut window);
    window.get_by_label("changed rank: 0");
    // A refit that is cancelled changes nothing; one that is done before it can be is a refit.
    window.get_by_label("Refit").click();
    window.run_steps(2);
    let cancelled = window.query_by_label("Cancel the refit").map(|button| button.click()).is_some();
    settle(&mut window);
    settle(&mut window);
    assert_eq!(window.query_by_label_contains("fitted here").is_none(), cancelled);
}
