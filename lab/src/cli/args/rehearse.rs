//! `rehearse`, as typed.
//!
//! Promises: those of `../args.rs`.
//!
//! Read next: `../rehearse.rs`, `crate::rehearse::controls`.

use std::path::PathBuf;

use clap::Args;

use super::SummaryFormat;

/// `rehearse`
#[derive(Debug, Args)]
#[command(
    after_help = "Controls: alpn=h2|http1|h2-unused, extension_order=shuffled|fixed, tls_stack=browser, user_agent=browser|tool|none, \
headers=browser|plain, assets=loaded|none, rate=TIMES. Features that follow from a changed one stay as measured unless they are named too."
)]
pub struct RehearseArgs {
    /// Session id, as `sessions` prints it.
    #[arg(value_name = "SESSION")]
    pub session: String,
    /// Database.
    #[arg(long, value_name = "DB")]
    pub db: PathBuf,
    /// A change: FEATURE=NUMBER, FEATURE=people (the median of people here), or a control; applied in order.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub changes: Vec<String>,
    /// Judge with the models of this folder instead of those in use beside the database, or of the last scoring run.
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
    /// A setting of scoring, as for `score`; may be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    pub setting: Vec<String>,
    /// Do not look for the nearest change that passes.
    #[arg(long)]
    pub no_nearest: bool,
    /// Form of the answer.
    #[arg(long, value_enum, default_value_t = SummaryFormat::Text)]
    pub summary: SummaryFormat,
}
