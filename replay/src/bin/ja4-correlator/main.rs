//! `ja4-correlator`: takes events from the Apache module and from `ja4-sentinel`, joins them, and writes rows to a store, a file and
//! standard output at once.
//!
//! Promises: sockets are bound, then privileges given up, then the first event read; an event is acknowledged when it is fsynced;
//! nothing acknowledged is lost or doubled by any end of the process. Exit status 0 done, 1 failed with one sentence, 2 wrong usage.
//!
//! Read next: `config.rs` (every setting), `run.rs` (the order of things), `ja4_replay::live`, docs/CORRELATOR.md.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the outermost program")]

mod args;
mod config;
mod dump;
mod log;
mod memory;
mod run;

use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;

use crate::args::Command;

fn main() -> ExitCode {
    // In a child that only checks whether a database can be opened, this does not return.
    ja4_replay::store::duckdb::probe::child_entry();
    memory::keep_little();
    let command = match args::parse(std::env::args_os().skip(1)) {
        Ok(command) => command,
        Err(sentence) => {
            eprintln!("ja4-correlator: {sentence}; `ja4-correlator --help` lists every flag");
            return ExitCode::from(2);
        }
    };
    let done = match command {
        Command::Print(text) => print(&text),
        Command::Check(given) => config::load(&given).and_then(|config| {
            run::check_names(&config)?;
            print(&config.to_toml())
        }),
        // What is written to does not matter here, so the settings are not checked as a whole.
        Command::Dump(given, stream) => dump::dump(&config::spool_of(&given), stream),
        Command::Run(given) => config::load(&given).and_then(|config| run::run(&given, &config)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("ja4-correlator: {sentence}");
            ExitCode::from(1)
        }
    }
}

fn print(text: &str) -> Result<(), String> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(format!("write to standard output: {error}")),
        _ => Ok(()),
    }
}
