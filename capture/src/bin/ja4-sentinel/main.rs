//! `ja4-sentinel`: handshakes seen on the wire go out as network events, to a UNIX datagram socket, to standard output or to a file.
//!
//! Promises: handles are opened, then privileges given up, then the first packet looked at; the packet path never waits for a reader
//! of the socket; everything that was not sent is counted. Exit status 0 done (a closed pipe is success), 1 failed with one sentence,
//! 2 wrong usage.
//!
//! Read next: `keys.rs` (every setting), `run.rs` (the loop), `queue.rs` (the socket), `docs/SENTINEL.md`.

mod addresses;
mod args;
mod config;
mod file;
mod keys;
mod output;
mod queue;
mod run;
mod stats;

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use crate::args::{Command, HELP_HINT};

fn main() -> ExitCode {
    let command = match args::parse(std::env::args_os().skip(1)) {
        Ok(command) => command,
        Err(sentence) => {
            eprintln!("ja4-sentinel: {sentence}; {HELP_HINT}");
            return ExitCode::from(2);
        }
    };
    let done = match command {
        Command::Print(text) => print(&text),
        Command::Run { flags, config_file } => {
            config::load(config_file.as_deref(), &flags).and_then(|config| run::run(&config).map_err(|error| error.to_string()))
        }
        Command::Check { flags, config_file } => {
            config::load(config_file.as_deref(), &flags).and_then(|config| print(&config.to_toml()))
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("ja4-sentinel: {sentence}");
            ExitCode::from(1)
        }
    }
}

fn print(text: &str) -> Result<(), String> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(format!("cannot write to standard output: {error}")),
        _ => Ok(()),
    }
}
