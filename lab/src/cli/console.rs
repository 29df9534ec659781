//! The terminal: what may be printed where, with or without colour, and the driver's clock.
//!
//! Promises: no colour and no bar when stderr is no terminal or NO_COLOR is set; nothing hostile reaches the terminal raw.
//!
//! Read next: `mod.rs`.

use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use duckdb::arrow::array::RecordBatch;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::args::RowFormat;
use crate::error::LabError;
use crate::render;

/// Where and how much to print.
#[derive(Debug, Clone)]
pub struct Console {
    quiet: bool,
    verbose: u8,
    colour: bool,
    started: Instant,
}

impl Console {
    /// Looks at stderr and the environment once.
    #[allow(clippy::disallowed_methods, reason = "the command line is the outermost driver")]
    pub fn new(quiet: bool, verbose: u8) -> Self {
        let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { quiet, verbose, colour, started: Instant::now() }
    }

    /// Another one that prints in the same way, for another thread.
    pub fn twin(&self) -> Self {
        Self { quiet: self.quiet, verbose: self.verbose, colour: self.colour, started: self.started }
    }

    /// Wall clock, ns since 1970.
    #[allow(clippy::disallowed_methods, reason = "the command line is the outermost driver")]
    pub fn now_ns() -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
    }

    /// Seconds since the program began.
    pub fn elapsed_secs(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Something worth knowing; silent with `-q`.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            self.error_line("note", "\u{1b}[36m", text);
        }
    }

    /// Something only `-v` asks for.
    pub fn detail(&self, text: &str) {
        if self.verbose > 0 {
            self.error_line("detail", "\u{1b}[2m", text);
        }
    }

    /// Why the command failed; never silent.
    pub fn fail(&self, text: &str) {
        self.error_line("ja4-lab", "\u{1b}[31m", text);
    }

    /// One line of a table of times, which was asked for.
    pub fn timing(&self, text: &str) {
        self.error_line("time", "\u{1b}[2m", text);
    }

    /// Rows to stdout.
    pub fn rows(&self, batches: &[RecordBatch], format: RowFormat) -> Result<(), LabError> {
        let mut out = BufWriter::new(io::stdout().lock());
        let written = match format {
            RowFormat::Table => render::table(&mut out, batches, width()),
            RowFormat::Jsonl => render::jsonl(&mut out, batches),
            RowFormat::Csv => render::csv(&mut out, batches),
        };
        written.and_then(|()| out.flush()).map_err(LabError::Output)
    }

    /// Text to stdout, with a newline.
    pub fn line(&self, text: &str) -> Result<(), LabError> {
        let mut out = io::stdout().lock();
        writeln!(out, "{text}").and_then(|()| out.flush()).map_err(LabError::Output)
    }

    /// Bytes to stdout as they are.
    pub fn bytes(&self, bytes: &[u8]) -> Result<(), LabError> {
        let mut out = io::stdout().lock();
        out.write_all(bytes).and_then(|()| out.flush()).map_err(LabError::Output)
    }

    /// A bar over bytes; hidden where it would only be noise.
    pub fn bar(&self, total_bytes: u64, what: &'static str) -> ProgressBar {
        let bar = ProgressBar::new(total_bytes);
        if self.quiet || !io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let template = "{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what);
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }

    fn error_line(&self, tag: &str, paint: &str, text: &str) {
        let text = render::visible(text);
        let mut err = io::stderr().lock();
        // Nobody can be told that stderr is gone.
        let _ = if self.colour { writeln!(err, "{paint}{tag}\u{1b}[0m: {text}") } else { writeln!(err, "{tag}: {text}") };
    }
}

/// Width of the terminal behind stdout; `None` (as wide as needed) where it is a file or pipe.
pub fn width() -> Option<u16> {
    if io::stdout().is_terminal() { render::new_table(None).width() } else { None }
}
