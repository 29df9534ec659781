//! `ja4-desktop [DB | CASE | CAPTURE LOG...]`: opens the window.
//!
//! Promises: `--help` and errors are plain sentences; the hidden `--screenshots DIR` walks every view, saves a picture of each and
//! ends with status 0, or tells what went wrong.
//!
//! Read next: `lib.rs`, `shell/app.rs`.

use std::path::PathBuf;
use std::process::ExitCode;

use eframe::egui;
use ja4_desktop::{App, Start};

const USAGE: &str = "usage: ja4-desktop [DB | CASE | CAPTURE... LOG...]

Opens a DuckDB file, a ClickHouse URL or a case file; captures and logs are replayed into a database beside them.

  --settings FILE   use this file instead of $XDG_CONFIG_HOME/ja4/desktop.json
  -h, --help        print this
  -V, --version     print the version";

fn main() -> ExitCode {
    // In a child that only checks whether a database can be opened, this does not return.
    ja4_replay::store::duckdb::probe::child_entry();
    let start = match arguments() {
        Ok(Some(start)) => start,
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
    let started = eframe::run_native("ja4-desktop", options, Box::new(move |cc| Ok(Box::new(App::new(&cc.egui_ctx, start)))));
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

/// What was typed; nothing where the answer was printed already.
fn arguments() -> Result<Option<Start>, String> {
    let mut start = Start::default();
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
            Some("--screenshots") => start.screenshots = Some(value("--screenshots")?),
            Some(text) if text.starts_with('-') && text.len() > 1 => return Err(format!("there is no option {text}")),
            _ => start.paths.push(PathBuf::from(argument)),
        }
    }
    Ok(Some(start))
}
