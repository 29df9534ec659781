//! Prints the fingerprints of captures as JSON lines: the library's one-call API in a few lines.
//!
//! Usage: `fingerprint CAPTURE...` (`THREADS=2` in the environment for two workers). Exit status 0 done, 1 failed with one sentence, 2 wrong usage. A closed pipe is success.

use std::io::{BufWriter, Write, stdout};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;

use ja4_capture::jsonl::push_json_line;
use ja4_capture::{CaptureError, Options, fingerprint_lines};

fn main() -> ExitCode {
    let paths = std::env::args_os().skip(1).map(PathBuf::from).collect::<Vec<_>>();
    if paths.is_empty() {
        eprintln!("usage: fingerprint CAPTURE...");
        return ExitCode::from(2);
    }
    let mut out = BufWriter::with_capacity(256 * 1024, stdout().lock());
    let mut written = Ok(());
    let threads = std::env::var("THREADS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let summary = fingerprint_lines(&paths, &Options { threads, ..Options::default() }, push_json_line, &mut |line| {
        written = out.write_all(line);
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    let written = written.and_then(|()| out.flush());
    match (summary, written) {
        (Err(CaptureError::Stopped), Err(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        (Err(CaptureError::Stopped), Err(error)) => {
            eprintln!("cannot write the results: {error}");
            ExitCode::from(1)
        }
        (Err(error), _) => {
            eprintln!("{error}");
            ExitCode::from(1)
        }
        (Ok(_), Err(error)) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            eprintln!("cannot write the results: {error}");
            ExitCode::from(1)
        }
        (Ok(summary), _) => {
            for line in summary.failed_files.iter().cloned().chain(summary.damage.iter().map(ToString::to_string)) {
                eprintln!("{line}");
            }
            ExitCode::SUCCESS
        }
    }
}
