//! `ja4-desktop [DB | CASE | CAPTURE LOG...]`: opens the window.
//!
//! Promises: `--help` and errors are plain sentences; the hidden `--timings` says how long the first frame and the first answers took, the
//! hidden `--screenshots DIR` walks every view, saves a picture of each and ends with status 0, or tells what went wrong.
//!
//! Read next: `lib.rs`, `shell/app.rs`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use eframe::egui;
use ja4_desktop::{App, Start};

const USAGE: &str = "usage: ja4-desktop [DB | URL | CASE | CAPTURE... LOG...]

Opens a DuckDB file, a ClickHouse URL, the http:// address of a running `ja4-lab live --listen` (token in JA4_TOKEN or the file that
JA4_TOKEN_FILE names) or a case file; captures and logs are replayed into a database beside them.

  --settings FILE   use this file instead of $XDG_CONFIG_HOME/ja4/desktop.json
  -h, --help        print this
  -V, --version     print the version";

fn main() -> ExitCode {
    #[allow(clippy::disallowed_methods, reason = "the desktop is an outermost driver")]
    let begin = Instant::now();
    // In a child that only checks whether a database can be opened, this does not return.
    ja4_replay::store::duckdb::probe::child_entry();
    let (start, timings) = match arguments() {
        Ok(Some((start, timings))) => (start, timings.then_some(begin)),
        Ok(None) => return ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("ja4-desktop: {message}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let viewport = egui::ViewportBuilder::default()
        .with_title("ja4 desktop")
        .with_app_id("ja4-desktop")
        .with_inner_size([1280.0, 800.0])
        .with_min_inner_size([300.0, 200.0])
        .with_drag_and_drop(true);
    let options = eframe::NativeOptions { viewport, ..eframe::NativeOptions::default() };
    let outcome = start.outcome();
    let started =
        eframe::run_native("ja4-desktop", options, Box::new(move |cc| Ok(Box::new(Timed::new(&cc.egui_ctx, start, timings)))));
    if let Err(error) = started {
        eprintln!("ja4-desktop: open a window: {error}; a display (X11 or Wayland) with OpenGL is needed");
        return ExitCode::FAILURE;
    }
    match outcome.take() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("ja4-desktop: {message}");
            ExitCode::FAILURE
        }
    }
}

/// The window, which says when it was first seen and when it was first filled, where that was asked for.
struct Timed {
    app: App,
    begin: Option<Instant>,
    told_first: bool,
}

impl Timed {
    fn new(ctx: &egui::Context, start: Start, begin: Option<Instant>) -> Self {
        Self { app: App::new(ctx, start), begin, told_first: false }
    }
}

impl eframe::App for Timed {
    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut eframe::Frame) {
        eframe::App::ui(&mut self.app, ui, frame);
        let Some(begin) = self.begin else { return };
        if !self.told_first {
            eprintln!("first frame: laid out {} ms after the start", begin.elapsed().as_millis());
            self.told_first = true;
        }
        if self.app.data().table(("overview", "figures")).is_some() && !self.app.data().is_busy() {
            eprintln!("overview: filled {} ms after the start", begin.elapsed().as_millis());
            self.begin = None;
        }
    }

    fn on_exit(&mut self, gl: Option<&eframe::glow::Context>) {
        eframe::App::on_exit(&mut self.app, gl);
    }
}

/// What was typed, and whether times are to be told; nothing where the answer was printed already.
fn arguments() -> Result<Option<(Start, bool)>, String> {
    let mut start = Start::default();
    let mut timings = false;
    let mut arguments = std::env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = |name: &str| arguments.next().map(PathBuf::from).ok_or_else(|| format!("{name} needs a value"));
        match argument.to_str() {
            Some("-h" | "--help") => {
                eprintln!("{USAGE}");
                return Ok(None);
            }
            Some("-V" | "--version") => {
                eprintln!("ja4-desktop {}", env!("CARGO_PKG_VERSION"));
                return Ok(None);
            }
            Some("--settings") => start.settings = Some(value("--settings")?),
            Some("--timings") => timings = true,
            Some("--screenshots") => start.screenshots = Some(value("--screenshots")?),
            Some(text) if text.starts_with('-') && text.len() > 1 => return Err(format!("there is no option {text}")),
            _ => start.paths.push(PathBuf::from(argument)),
        }
    }
    Ok(Some((start, timings)))
}
