//! Arguments of `experiment` and `report`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `experiment …`
#[derive(Debug, Subcommand)]
pub enum ExperimentCommand {
    /// Run an experiment; its folder holds numbers, predictions, figures and everything needed to make them again.
    Run {
        /// Experiment file, or the name of one in datasets/experiments.
        #[arg(value_name = "EXPERIMENT")]
        experiment: PathBuf,
        /// Folder to make; must not exist.
        #[arg(short, long, value_name = "DIR")]
        output: PathBuf,
        /// Also write the values and digests, without times, as one JSON file: what the project keeps of a run.
        #[arg(long, value_name = "FILE")]
        results: Option<PathBuf>,
    },
    /// Run a kept experiment again and say for every value whether it is the same; status 1 if any differs.
    Repro {
        /// Folder that `experiment run` made.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// The experiments that come with the project, and kept runs below a folder.
    List {
        /// Folder with folders that `experiment run` made.
        #[arg(long, value_name = "DIR")]
        runs: Option<PathBuf>,
    },
    /// Kept runs side by side: only what differs.
    Compare {
        /// Folders that `experiment run` made.
        #[arg(required = true, num_args = 2.., value_name = "DIR")]
        folders: Vec<PathBuf>,
    },
}

/// `report`
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("about").required(true).args(["db", "experiment"]))]
pub struct ReportArgs {
    /// Database to report on.
    #[arg(long, value_name = "DB")]
    pub db: Option<PathBuf>,
    /// Folder of an experiment to report on.
    #[arg(long, value_name = "DIR")]
    pub experiment: Option<PathBuf>,
    /// HTML file to write.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
}
