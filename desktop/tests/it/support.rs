//! What the tests share: the recorded set in a database, a window without a screen, waiting for answers.
//!
//! Promises: the set is replayed once; a test that writes has a copy of its own; a window that never settles fails after a while.
//!
//! Read next: `workflows.rs`.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use eframe::egui::{self, Vec2, vec2};
use egui_kittest::Harness;
use ja4_desktop::shell::action::Action;
use ja4_desktop::{App, Start};
use ja4_lab::cycle::{self, CyclePlan};
use ja4_lab::dataset::{Dataset, Role, default_root};
use ja4_replay::pipeline::{ReplayPlan, Silent, replay};
use ja4_replay::store::{self, OpenOptions};
use tempfile::TempDir;

/// Size of the window in tests.
pub const SIZE: Vec2 = vec2(1100.0, 720.0);

/// A window in a test.
pub type Window = Harness<'static, Option<App>>;

/// Folder of everything the tests write, removed when the process ends well.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    FOLDER.get_or_init(|| tempfile::tempdir().unwrap()).path()
}

/// Capture and log of the recorded set.
pub fn recorded_files() -> (PathBuf, PathBuf) {
    let set = Dataset::open(&default_root().join("site-small")).unwrap();
    (set.files(Role::Capture).remove(0), set.files(Role::HttpLog).remove(0))
}

/// The recorded set, replayed and scored; read only.
pub fn recorded() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let path = folder().join("recorded.duckdb");
        let (capture, log) = recorded_files();
        let mut store = store::open(&path, &OpenOptions::default()).unwrap();
        store.migrate().unwrap();
        let plan = ReplayPlan { captures: vec![capture], http_logs: vec![log], ..ReplayPlan::default() };
        replay(&plan, &mut *store, &Silent).unwrap();
        cycle::run(&*store, &CyclePlan::default()).unwrap();
        store.checkpoint().unwrap();
        path
    })
}

/// A copy of the recorded set that a test may change.
pub fn copy(name: &str) -> PathBuf {
    let path = folder().join(format!("{name}.duckdb"));
    std::fs::copy(recorded(), &path).unwrap();
    path
}

/// A window that opens `paths`.
pub fn window(paths: &[&Path]) -> Window {
    sized(paths, SIZE, egui::Theme::Dark, false)
}

/// A window of a size and look; with `picture` it can be drawn.
pub fn sized(paths: &[&Path], size: Vec2, theme: egui::Theme, picture: bool) -> Window {
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let settings = folder().join(format!("settings-{number}.json"));
    let look = if theme == egui::Theme::Dark { "dark" } else { "light" };
    std::fs::write(&settings, format!("{{\"look\": \"{look}\"}}")).unwrap();
    let paths: Vec<PathBuf> = paths.iter().map(|path| path.to_path_buf()).collect();
    let builder = Harness::builder()
        .with_size(size)
        .with_theme(theme)
        .with_max_steps(20)
        .allow_missing_glyphs()
        .with_accessibility_check(false);
    let builder = if picture { builder.wgpu() } else { builder };
    let mut window = builder.build_ui_state(
        move |ui, app: &mut Option<App>| {
            let start = Start { paths: paths.clone(), settings: Some(settings.clone()), ..Start::default() };
            app.get_or_insert_with(|| App::new(ui.ctx(), start)).frame(ui);
        },
        None,
    );
    settle(&mut window);
    window
}

/// The application behind a window.
pub fn app(window: &Window) -> &App {
    window.state().as_ref().unwrap()
}

/// Runs frames until everything that was asked is answered.
pub fn settle(window: &mut Window) {
    until(window, "answers", |app| !app.data().is_busy());
    window.run_steps(3);
    until(window, "answers", |app| !app.data().is_busy());
    window.run_steps(2);
}

/// Runs frames until `done`.
pub fn until(window: &mut Window, what: &str, done: impl Fn(&App) -> bool) {
    #[allow(clippy::disallowed_methods, reason = "a bound on waiting needs a clock")]
    let begin = Instant::now();
    loop {
        window.step();
        if done(app(window)) {
            return;
        }
        assert!(begin.elapsed() < Duration::from_secs(300), "no {what} within five minutes; told: {:?}", app(window).told());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Does what a button or key would.
pub fn tell(window: &mut Window, action: Action) {
    let ctx = window.ctx.clone();
    window.state_mut().as_mut().unwrap().tell(&ctx, action);
    settle(window);
}
