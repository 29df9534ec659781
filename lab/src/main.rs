//! `ja4-lab`: the command line. It parses what was typed, runs one command, and turns its result into an exit status.
//!
//! Promises: 0 done, 1 failed with one plain sentence on stderr, 2 wrong usage; a closed pipe is success.
//!
//! Read next: `cli/args.rs` (what can be typed), `cli/mod.rs` (what it does), `memory.rs`.

mod memory;

use std::process::ExitCode;

use clap::Parser as _;
use ja4_lab::cli::{self, args::Cli, args::Command};

/// For every thread of the program and, as it takes the place of `malloc`, for the database engine too: requests are many small texts
/// that one thread makes and another frees.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // In a child that only checks whether a database can be opened, this does not return.
    ja4_replay::store::duckdb::probe::child_entry();
    let typed = Cli::parse();
    // Scoring takes and frees gigabytes in a minute. An import frees as much as it takes all the time: it would only hold half as much again.
    if matches!(typed.command, Command::Score(_) | Command::Detect(_)) {
        memory::keep_for_a_while();
    }
    cli::run(typed)
}
