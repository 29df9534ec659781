//! What each command does: open, run, print. The only place of this crate that reads a clock or writes to the terminal.
//!
//! Promises: results to stdout, everything else to stderr; a closed pipe is success; nothing is half-printed as if it were whole.
//!
//! Read next: `args.rs`, then one file a command.

pub mod args;
mod ask;
mod campaigns;
mod compare;
mod console;
mod dataset;
mod db;
mod demo;
mod detect;
mod drift;
mod evaluate;
mod experiment;
mod export;
mod feedback;
mod fingerprint;
mod live;
mod model;
mod packets;
mod rehearse;
mod replay;
mod rules;
mod score;
mod synth;
mod timings;

use std::process::ExitCode;

use clap::CommandFactory as _;

use self::args::{Cli, Command};
use self::console::Console;
use crate::error::LabError;

/// Runs what was typed; gives the exit status of `docs/CONTRACTS.md`.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    let console = Console::new(cli.quiet, cli.verbose);
    // Privileges are given up while there is one thread.
    let may_start_threads = !matches!(cli.command, Command::Live(_));
    if cli.threads > 0
        && may_start_threads
        && let Err(error) = rayon::ThreadPoolBuilder::new().num_threads(cli.threads).build_global()
    {
        console.note(&format!("--threads {}: {error}", cli.threads));
    }
    match dispatch(cli.command, cli.threads, &console) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_closed_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            console.fail(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command, threads: usize, console: &Console) -> Result<(), LabError> {
    match command {
        Command::Demo(args) => demo::run(&args, threads, console),
        Command::Fingerprint(args) => fingerprint::run(&args, threads, console),
        Command::Replay(args) => replay::run(&args, threads, console),
        Command::Live(args) => live::run(&args, threads, console),
        Command::Score(args) => score::run(&args, threads, console),
        Command::Sessions(args) => ask::sessions(&args, console),
        Command::Compare(args) => compare::run(&args, console),
        Command::Explain(args) => ask::explain(&args, console),
        Command::Rehearse(args) => rehearse::run(&args, console),
        Command::Sql(args) => ask::sql(&args, console),
        Command::Export(args) => export::run(&args, console),
        Command::Features(args) => ask::features(&args, console),
        Command::Anomaly(args) => score::anomaly(&args, console),
        Command::Evaluate(args) => evaluate::run(&args, console),
        Command::Packets(args) => packets::run(&args, console),
        Command::Rules(command) => rules::run(&command, console),
        Command::Model(command) => model::run(&command, threads, console),
        Command::Campaigns(command) => campaigns::run(&command, threads, console),
        Command::Fleets(args) => campaigns::fleets(&args, console),
        Command::Detections(args) => campaigns::detections(&args, console),
        Command::Drift(args) => drift::run(&args, threads, console),
        Command::Feedback(command) => feedback::run(&command, threads, console),
        Command::Detect(args) => detect::run(&args, threads, console),
        Command::Blocklist(args) => detect::blocklist(&args, console),
        Command::Db(command) => db::run(&command, console),
        Command::Dataset(command) => dataset::run(&command, console),
        Command::Experiment(command) => experiment::run(&command, threads, console),
        Command::Report(args) => experiment::report(&args, console),
        Command::Synth(args) => synth::run(&args, console),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "ja4-lab", &mut text);
            console.bytes(&text)
        }
        Command::Man { output } => {
            std::fs::create_dir_all(&output).map_err(LabError::io("create folder", &output))?;
            clap_mangen::generate_to(Cli::command(), &output).map_err(LabError::io("write man pages into", &output))
        }
    }
}
