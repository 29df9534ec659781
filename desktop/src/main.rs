//! `ja4-desktop`: a window on a database. It opens a DuckDB file and shows the ranked sessions, worst first.
//!
//! Promises: it holds no data of its own (what is shown is asked of the store), never blocks a frame on a query, and shows
//! hostile text escaped.
//!
//! Read next: `app.rs` (the window), `ja4_lab::sessions` (the query).

mod app;

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    // In a child that only checks whether a database can be opened, this does not return.
    ja4_replay::store::duckdb::probe::child_entry();
    let argument = std::env::args_os().nth(1);
    if argument.as_deref().is_some_and(|text| text == "--help" || text == "-h") {
        eprintln!("usage: ja4-desktop [DB]\n\nOpens a DuckDB file written by `ja4-lab replay` and shows its ranked sessions.");
        return ExitCode::SUCCESS;
    }
    let options = eframe::NativeOptions::default();
    let started =
        eframe::run_native("ja4 desktop", options, Box::new(|_| Ok(Box::new(app::App::new(argument.map(PathBuf::from))))));
    match started {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ja4-desktop: open a window: {error}; a display (X11 or Wayland) with OpenGL is needed");
            ExitCode::FAILURE
        }
    }
}
