//! Each workflow of an analyst, over the recorded set.
//!
//! Promises: what is asserted is what is seen: texts on the screen, rows of the store, files on disk.
//!
//! Read next: `support.rs`.

use eframe::egui::accesskit::Role;
use eframe::egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable as _;
use ja4_desktop::shell::action::{Action, Decision};
use ja4_desktop::shell::case::Case;
use ja4_desktop::views;
use ja4_lab::sessions;

use crate::support::{Window, app, copy, folder, recorded, recorded_files, settle, tell, until, window};

pub const TESTS: &[crate::Test] = &[
    ("workflows::overview_shows_the_figures_of_the_store", overview_shows_the_figures_of_the_store),
    ("workflows::a_search_reaches_every_view", a_search_reaches_every_view),
    ("workflows::a_wrong_search_is_a_sentence", a_wrong_search_is_a_sentence),
    ("workflows::a_session_is_explained_as_on_the_command_line", a_session_is_explained_as_on_the_command_line),
    (
        "workflows::every_view_has_rows_or_a_reason_and_every_control_a_name",
        every_view_has_rows_or_a_reason_and_every_control_a_name,
    ),
    ("workflows::the_console_reads_and_only_reads", the_console_reads_and_only_reads),
    ("workflows::a_decision_is_written_and_taken_back", a_decision_is_written_and_taken_back),
    ("workflows::tables_are_used_by_keyboard", tables_are_used_by_keyboard),
    ("workflows::the_palette_finds_a_command", the_palette_finds_a_command),
    ("workflows::a_span_of_time_reaches_every_view", a_span_of_time_reaches_every_view),
    ("workflows::a_table_is_saved_in_every_form", a_table_is_saved_in_every_form),
    ("workflows::a_case_is_saved_and_opened_again", a_case_is_saved_and_opened_again),
    ("workflows::tuning_ranks_again", tuning_ranks_again),
    (
        "workflows::files_are_replayed_with_the_digests_of_the_command_line",
        files_are_replayed_with_the_digests_of_the_command_line,
    ),
    ("workflows::a_replay_can_be_paused_stepped_and_stopped", a_replay_can_be_paused_stepped_and_stopped),
    ("workflows::a_request_leads_to_its_packets", a_request_leads_to_its_packets),
    ("workflows::settings_are_kept", settings_are_kept),
];

/// The answer of one number.
fn count(sql: &str) -> i64 {
    count_in(recorded(), sql)
}

fn count_in(path: &std::path::Path, sql: &str) -> i64 {
    let store = sessions::open_confined(path).unwrap();
    ja4_desktop::data::table::Table::from_batches(&store.query(sql).unwrap()).int(0, "n")
}

fn rows(window: &Window, view: &'static str, slot: &'static str) -> i64 {
    let table = app(window)
        .data()
        .table((view, slot))
        .unwrap_or_else(|| panic!("{view} {slot} has no table: {:?}", app(window).data().get((view, slot))));
    i64::try_from(table.rows()).unwrap()
}

fn overview_shows_the_figures_of_the_store() {
    let window = window(&[recorded()]);
    let anomalous = count("SELECT CAST(sum(anomaly) AS BIGINT) AS n FROM ja4_processing.ml_all_scores");
    assert!(anomalous > 0);
    let table = app(&window).data().table(("overview", "figures")).unwrap();
    assert_eq!(table.int(0, "anomalous"), anomalous);
    assert!(window.get_all_by_label(&ja4_desktop::widgets::thousands(anomalous)).count() > 0);
    window.get_by_label_contains("Chart Sessions over time");
    assert!(window.query_all_by_label_contains("Only critical").count() <= 1);
    window.get_by_label_contains("Time brush");
}

fn a_search_reaches_every_view() {
    let mut window = window(&[recorded()]);
    let field = window.get_by_label("Search");
    field.focus();
    field.type_text("score:>0.8 severity:critical,high");
    settle(&mut window);
    let expected =
        count("SELECT count(*) AS n FROM ja4_processing.ml_all_scores WHERE score > 0.8 AND severity IN ('critical', 'high')");
    assert!(expected > 0);
    assert_eq!(app(&window).data().table(("overview", "figures")).unwrap().int(0, "sessions"), expected);
    window.get_by_label("Go to Sessions").click();
    settle(&mut window);
    assert_eq!(rows(&window, "sessions", "rows"), expected);
    window.get_by_label("Go to Traffic").click();
    settle(&mut window);
    window.get_by_label_contains("does not apply here");
    window.get_by_label("Clear").click();
    settle(&mut window);
    assert_eq!(rows(&window, "traffic", "rows"), count("SELECT count(*) AS n FROM ja4_logs.http_logs"));
}

fn a_wrong_search_is_a_sentence() {
    let mut window = window(&[recorded()]);
    let before = app(&window).data().table(("overview", "figures")).unwrap().int(0, "sessions");
    let field = window.get_by_label("Search");
    field.focus();
    field.type_text("hosst:a");
    settle(&mut window);
    window.get_by_label_contains("did you mean host");
    assert_eq!(app(&window).data().table(("overview", "figures")).unwrap().int(0, "sessions"), before);
}

fn a_session_is_explained_as_on_the_command_line() {
    let mut window = window(&[recorded()]);
    let worst = app(&window).data().table(("overview", "ips")).unwrap().text(0, "src_ip").into_owned();
    tell(&mut window, Action::Investigate(worst.clone()));
    let store = sessions::open_confined(recorded()).unwrap();
    let expected = ja4_lab::explain::explain(&*store, None, Some(&worst)).unwrap();
    let ja4_desktop::data::Loaded::Text(shown) = app(&window).data().get(("investigation", "explain")) else {
        panic!("no explanation")
    };
    assert_eq!(shown.as_ref(), expected);
    window.get_by_label_contains("verdict: anomalous");
    for (part, slot) in [("Its sessions", "sessions"), ("Its requests", "requests"), ("Claims and facts", "fingerprints")] {
        window.get_by_label(part).click();
        settle(&mut window);
        assert!(rows(&window, "investigation", slot) > 0, "{part}");
    }
    window.get_by_label("Only this address").click();
    settle(&mut window);
    assert_eq!(app(&window).scope().text, format!("ip:{worst}"));
}

fn every_view_has_rows_or_a_reason_and_every_control_a_name() {
    let mut window = window(&[recorded()]);
    let worst = app(&window).data().table(("overview", "ips")).unwrap().text(0, "src_ip").into_owned();
    tell(&mut window, Action::Investigate(worst));
    for view in views::all() {
        window.get_by_label(&format!("Go to {}", view.title())).click();
        settle(&mut window);
        let unnamed = window.unnamed_widgets();
        assert!(unnamed.is_empty(), "{}: {unnamed:?}", view.id());
        assert!(app(&window).told().is_none_or(Result::is_ok), "{}: {:?}", view.id(), app(&window).told());
        let failed = window.query_all_by_label_contains("ui_").map(|node| format!("{node:?}")).collect::<Vec<_>>();
        assert!(failed.is_empty(), "{}: {failed:?}", view.id());
    }
    for (view, slot) in [
        ("detections", "rows"),
        ("fingerprints", "list"),
        ("compare", "rows"),
        ("scores", "rows"),
        ("entities", "rows"),
        ("features", "rows"),
        ("models", "models"),
        ("health", "inputs"),
        ("campaigns", "map"),
        ("fleet", "graph"),
        ("classification", "queue"),
    ] {
        assert!(rows(&window, view, slot) > 0, "{view} {slot}");
    }
}

fn the_console_reads_and_only_reads() {
    let mut window = window(&[recorded()]);
    window.get_by_label("Go to Sessions").click();
    settle(&mut window);
    window.get_by_label("SQL").click();
    settle(&mut window);
    assert_eq!(rows(&window, "sql", "rows"), rows(&window, "sessions", "rows"));
    let statement = window.get_by_label("Statement");
    statement.focus();
    settle(&mut window);
    window.key_press_modifiers(Modifiers::COMMAND, Key::A);
    window.get_by_label("Statement").type_text("DELETE FROM ja4_logs.http_logs");
    settle(&mut window);
    window.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    settle(&mut window);
    window.get_by_label_contains("only a single SELECT");
}

fn a_decision_is_written_and_taken_back() {
    let path = copy("decision");
    let mut window = window(&[&path]);
    window.get_by_label("Go to Classification").click();
    settle(&mut window);
    let first = app(&window).data().table(("classification", "queue")).unwrap().text(0, "session_id").into_owned();
    window.get_by_label("Bot").click();
    until(&mut window, "decision", |app| matches!(app.told(), Some(Ok(text)) if text.contains("decided")));
    settle(&mut window);
    let next = app(&window).data().table(("classification", "queue")).unwrap().text(0, "session_id").into_owned();
    assert_ne!(first, next, "the decided session has left the queue");
    window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    until(&mut window, "undo", |app| matches!(app.told(), Some(Ok(text)) if text == "withdrawn"));
    settle(&mut window);
    window.get_by_label("History").click();
    settle(&mut window);
    assert_eq!(rows(&window, "classification", "history"), 2);
    drop(window);
    assert_eq!(count_in(&path, "SELECT count(*) AS n FROM ja4_processing.soc_feedback WHERE label = -1"), 1);
    assert_eq!(count_in(&path, "SELECT count(*) AS n FROM ja4_processing.audit_logs"), 2);
}

fn tables_are_used_by_keyboard() {
    let mut window = window(&[recorded()]);
    window.get_by_label("Go to Detections").click();
    settle(&mut window);
    let all = rows(&window, "detections", "rows");
    window.get_by_label_contains("Detections, ").focus();
    window.run_steps(2);
    for key in [Key::ArrowDown, Key::ArrowDown, Key::ArrowRight, Key::ArrowRight, Key::ArrowRight] {
        window.key_press(key);
        window.run_steps(1);
    }
    window.key_press(Key::I);
    settle(&mut window);
    assert!(app(&window).scope().text.starts_with("host:"), "{}", app(&window).scope().text);
    let fewer = rows(&window, "detections", "rows");
    assert!(fewer > 0 && fewer <= all);
    window.get_by_label_contains("Detections, ").focus();
    window.run_steps(1);
    window.key_press(Key::Enter);
    settle(&mut window);
    assert!(!app(&window).scope().ip.is_empty() && !app(&window).scope().session.is_empty());
    window.get_by_label_contains("verdict: anomalous");
}

fn the_palette_finds_a_command() {
    let mut window = window(&[recorded()]);
    window.key_press_modifiers(Modifiers::COMMAND, Key::K);
    settle(&mut window);
    window.get_by_label("Command").type_text("brute");
    settle(&mut window);
    window.key_press(Key::Enter);
    settle(&mut window);
    assert!(app(&window).data().table(("bruteforce", "rows")).is_some());
    assert!(window.query_by_label("Command").is_none());
}

fn a_span_of_time_reaches_every_view() {
    let mut window = window(&[recorded()]);
    let (first, last) = app(&window).scope().range.unwrap();
    let middle = first + (last - first) / 2;
    tell(&mut window, Action::Span(Some((first, middle))));
    window.get_by_label("Go to Traffic").click();
    settle(&mut window);
    let expected = count(&format!("SELECT count(*) AS n FROM ja4_logs.http_logs WHERE ts_ns < {middle}"));
    assert_eq!(rows(&window, "traffic", "rows"), expected);
    assert!(expected > 0);
    window.get_by_label("All").click();
    settle(&mut window);
    assert!(rows(&window, "traffic", "rows") > expected);
}

fn a_table_is_saved_in_every_form() {
    let mut window = window(&[recorded()]);
    window.get_by_label("Go to Sessions").click();
    settle(&mut window);
    for (name, extension) in [("CSV", "csv"), ("JSON Lines", "jsonl"), ("Parquet", "parquet")] {
        window.get_by_label("Export").click();
        window.run_steps(2);
        window.get_by_label(name).click();
        window.run_steps(3);
        let path = folder().join(format!("saved.{extension}"));
        let field = window.get_by_label("Path to save to");
        field.focus();
        window.run_steps(1);
        window.key_press_modifiers(Modifiers::COMMAND, Key::A);
        window.get_by_label("Path to save to").type_text(path.to_str().unwrap());
        window.run_steps(2);
        window.get_by_label("Save").click();
        settle(&mut window);
        assert!(std::fs::metadata(&path).unwrap().len() > 1_000, "{name}: {:?}", app(&window).told());
    }
    let lines = std::fs::read_to_string(folder().join("saved.jsonl")).unwrap().lines().count();
    assert_eq!(i64::try_from(lines).unwrap(), rows(&window, "sessions", "rows"));
}

fn a_case_is_saved_and_opened_again() {
    let path = folder().join("evening.case.json");
    let mut window = window(&[recorded()]);
    tell(&mut window, Action::Search("score:>0.9".to_owned()));
    tell(&mut window, Action::Note("looks like a fleet".to_owned()));
    window.key_press_modifiers(Modifiers::COMMAND, Key::S);
    window.run_steps(2);
    window.key_press_modifiers(Modifiers::COMMAND, Key::A);
    window.get_by_label("Path to save to").type_text(path.to_str().unwrap());
    window.run_steps(1);
    window.get_by_label("Save").click();
    settle(&mut window);
    let case = Case::load(&path).unwrap();
    assert_eq!(case.notes, ["looks like a fleet"]);
    assert_eq!(case.searches.last().unwrap().text, "score:>0.9");
    assert_eq!((case.inputs.len(), case.models.is_empty()), (2, false), "whatever was looked at before");
    tell(&mut window, Action::Search(String::new()));
    tell(&mut window, Action::Open(path));
    assert_eq!(app(&window).scope().text, "score:>0.9");
    assert!(
        matches!(app(&window).told(), Some(Ok(text)) if text.contains("everything it rests on is here")),
        "{:?}",
        app(&window).told()
    );
    // Beside another database it says what is missing.
    let empty = folder().join("nothing.duckdb");
    let mut store = ja4_replay::store::open(&empty, &ja4_replay::store::OpenOptions::default()).unwrap();
    store.migrate().unwrap();
    drop(store);
    tell(&mut window, Action::Open(empty));
    let missing = case.inputs.len() + case.models.len();
    assert!(
        matches!(app(&window).told(), Some(Ok(text)) if text.contains(&format!("{missing} missing here: input "))),
        "{:?}",
        app(&window).told()
    );
}

fn tuning_ranks_again() {
    let path = copy("tuning");
    let mut window = window(&[&path]);
    // Two labels, so that there are curves.
    window.get_by_label("Go to Sessions").click();
    settle(&mut window);
    let table = app(&window).data().table(("sessions", "rows")).unwrap().clone();
    for (row, label) in [(0, 1), (table.rows() - 1, 0)] {
        let cell = |name: &str| table.text(row, name).into_owned();
        let decision = Decision {
            session: cell("session_id"),
            ip: cell("src_ip"),
            ja4: cell("ja4"),
            host: cell("host"),
            user_agent: String::new(),
            label,
            note: String::new(),
        };
        tell(&mut window, Action::Label(decision));
        until(&mut window, "decision", |app| matches!(app.told(), Some(Ok(text)) if text.contains("decided")));
        settle(&mut window);
    }
    window.get_by_label("Go to Tuning").click();
    settle(&mut window);
    window.get_by_label_contains("Chart ROC and precision, area 1");
    window.get_by_label("labelled bot");
    window.get_by_role_and_label(Role::Slider, "threshold").focus();
    window.run_steps(1);
    window.key_press(Key::Home);
    window.get_by_role_and_label(Role::Slider, "threshold").set_value_accesskit(0.0);
    settle(&mut window);
    let all = rows(&window, "tuning", "rows");
    window.get_by_label(&ja4_desktop::widgets::thousands(all));
    window.get_by_label("As stored").click();
    settle(&mut window);
    window.get_by_label("changed rank");
}

fn files_are_replayed_with_the_digests_of_the_command_line() {
    let (capture, log) = recorded_files();
    let place = folder().join("dropped");
    std::fs::create_dir_all(&place).unwrap();
    let (here, there) = (place.join(capture.file_name().unwrap()), place.join(log.file_name().unwrap()));
    std::fs::copy(capture, &here).unwrap();
    std::fs::copy(log, &there).unwrap();
    let mut window = window(&[]);
    window.get_by_label_contains("no database is open: press");
    tell(&mut window, Action::OpenAll(vec![here, there]));
    until(&mut window, "replay", |app| app.job().is_none() && app.data().is_open());
    settle(&mut window);
    let store = sessions::open_confined(recorded()).unwrap();
    for contents in [ja4_replay::store::Contents::Rows, ja4_replay::store::Contents::Scores] {
        let digest = store.digest(contents).unwrap();
        window.get_by_label_contains(&digest);
    }
}

fn a_replay_can_be_paused_stepped_and_stopped() {
    let (capture, log) = recorded_files();
    let path = folder().join("slow.duckdb");
    let mut window = window(&[]);
    let ctx = window.ctx.clone();
    let job = ja4_desktop::shell::jobs::ReplayJob::start(&ctx, vec![capture, log], &path, Some(1.0));
    job.control.pause(true);
    std::thread::sleep(std::time::Duration::from_millis(300));
    let before = job.control.reached_ns();
    job.control.step();
    job.control.step();
    std::thread::sleep(std::time::Duration::from_millis(1500));
    assert!(job.control.reached_ns() >= before);
    job.control.stop();
    let result = (0..2_000).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        job.take_result()
    });
    let message = result.expect("it ends").unwrap_err();
    assert!(message.contains("stopped on request"), "{message}");
    window.run_steps(1);
}

fn a_request_leads_to_its_packets() {
    let mut window = window(&[recorded()]);
    // curl under a browser's name: 24 requests, each on a connection of its own.
    tell(&mut window, Action::Investigate("10.77.135.225".to_owned()));
    window.get_by_label("Its requests").click();
    settle(&mut window);
    window.get_by_label_contains("choose a request below first");
    window.get_by_label_contains("Requests of the address, ").focus();
    window.run_steps(1);
    window.key_press(Key::ArrowDown);
    settle(&mut window);
    window.get_by_label("Packets of the chosen request").click();
    until(&mut window, "packets", |app| app.data().table(("investigation", "packets")).is_some_and(|packets| packets.rows() > 3));
    let summaries = app(&window).data().table(("investigation", "packets")).unwrap().clone();
    assert!((0..summaries.rows()).any(|row| summaries.text(row, "summary").contains("ClientHello")));
    window.get_by_label("Save this connection as pcap").click();
    window.run_steps(3);
    window.key_press_modifiers(Modifiers::COMMAND, Key::A);
    let path = folder().join("connection.pcap");
    window.get_by_label("Path to save to").type_text(path.to_str().unwrap());
    window.run_steps(1);
    window.get_by_label("Save").click();
    settle(&mut window);
    assert_eq!(std::fs::read(&path).unwrap()[..4], [0x4d, 0x3c, 0xb2, 0xa1]);
    window.get_by_label("Back to the requests").click();
    settle(&mut window);
}

fn settings_are_kept() {
    let mut window = window(&[recorded()]);
    tell(&mut window, Action::Show("sql"));
    tell(&mut window, Action::Zoom(1));
    window.state_mut().as_mut().unwrap().keep_now();
    let newest = std::fs::read_dir(folder())
        .unwrap()
        .filter_map(Result::ok)
        .map(|entry| std::fs::read_to_string(entry.path()).unwrap_or_default())
        .find(|text| text.contains("\"zoom\": 1.1") && text.contains("recorded.duckdb") && text.contains("\"sql\""));
    assert!(newest.is_some());
}
