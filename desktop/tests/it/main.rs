//! The desktop as an analyst uses it: found by accessible name, clicked, typed into, and looked at.
//!
//! Promises: every workflow runs over the recorded data set in a real DuckDB file; no display and no graphics card is needed, image
//! tests alone need a Vulkan driver and say that they are skipped without one.
//!
//! Read next: `support.rs`, then `workflows.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests with a main of their own"
)]
#![allow(clippy::disallowed_methods, reason = "waiting and measuring need a clock")]

mod bad_input;
mod follow;
mod frames;
mod images;
mod keyboard;
mod leaving;
mod packaging;
mod stopping;
mod support;
mod trials;
mod workflows;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

/// A test by name.
type Test = (&'static str, fn());

/// Runs tests one after the other: arguments are parts of names, `--ignored` runs the benchmark instead.
fn main() -> ExitCode {
    // In a child that only checks whether a database can be opened, this does not return.
    ja4_replay::store::duckdb::probe::child_entry();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, path] = arguments.as_slice()
        && flag == "--hold"
    {
        bad_input::hold(path);
        return ExitCode::SUCCESS;
    }
    let parts: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let ignored = arguments.iter().any(|argument| argument == "--ignored");
    let all = if ignored {
        // By hand: figures of a machine.
        frames::TESTS.to_vec()
    } else {
        [
            workflows::TESTS,
            keyboard::TESTS,
            stopping::TESTS,
            trials::TESTS,
            leaving::TESTS,
            follow::TESTS,
            packaging::TESTS,
            bad_input::TESTS,
            images::TESTS,
        ]
        .concat()
    };
    let chosen: Vec<Test> =
        all.into_iter().filter(|(name, _)| parts.is_empty() || parts.iter().any(|part| name.contains(part.as_str()))).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        chosen.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    println!("\nrunning {} tests", chosen.len());
    let mut failed = Vec::new();
    for (name, test) in &chosen {
        let good = catch_unwind(AssertUnwindSafe(test)).is_ok();
        println!("test {name} ... {}", if good { "ok" } else { "FAILED" });
        if !good {
            failed.push(*name);
        }
    }
    println!(
        "\ntest result: {}. {} passed; {} failed\n",
        if failed.is_empty() { "ok" } else { "FAILED" },
        chosen.len() - failed.len(),
        failed.len()
    );
    failed.iter().for_each(|name| println!("    {name}"));
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
