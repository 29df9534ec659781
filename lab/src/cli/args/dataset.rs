//! `dataset`, as typed.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `dataset …`
#[derive(Debug, Subcommand)]
pub enum DatasetCommand {
    /// What data sets there are.
    List {
        /// Folder that holds them.
        #[arg(long, value_name = "DIR")]
        folder: Option<PathBuf>,
    },
    /// Compare every file with its manifest's SHA-256.
    Verify {
        /// Folder that holds them.
        #[arg(long, value_name = "DIR")]
        folder: Option<PathBuf>,
    },
    /// Bring a folder of reference tables up to date from their publishers; the only command that needs the network.
    Update(UpdateArgs),
}

/// `dataset update`
#[derive(Debug, Args)]
pub struct UpdateArgs {
    /// The folder of tables, for `--reference` of other commands; a table that is not there begins as the built-in one.
    #[arg(long, value_name = "DIR")]
    pub reference: PathBuf,
    /// Ask only this publisher; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub only: Vec<String>,
    /// Publishers to ask instead of the built-in list (datasets/reference/upstreams.toml).
    #[arg(long, value_name = "FILE")]
    pub upstreams: Option<PathBuf>,
    /// Show what would change; write nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Take a list also when more than half of its rows are gone, or it holds fewer than are plausible.
    #[arg(long)]
    pub force: bool,
    /// Rows to show of those added, removed and changed, of each table.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub show: usize,
}
