//! `evaluate`, as typed.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::SummaryFormat;
use crate::evaluate::HoldOut;

/// `evaluate`
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    /// Database whose requests the labels tell about.
    #[arg(long, value_name = "DB")]
    pub db: PathBuf,
    /// What made each connection: the labels.csv of a recorded or generated data set.
    #[arg(long, value_name = "CSV")]
    pub labels: PathBuf,
    /// What is left out of training together.
    #[arg(long, value_enum, default_value = "kind")]
    pub by: HoldOutName,
    /// Only measure the scores that are stored; fit nothing.
    #[arg(long)]
    pub stored: bool,
    /// A setting of scoring, as `score --set` takes it; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// How to print.
    #[arg(long, value_enum, default_value = "text")]
    pub format: SummaryFormat,
}

/// Names of what is held out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum HoldOutName {
    /// All clients of one kind: impersonators, scanners, …
    Kind,
    /// One tool.
    Name,
}

impl From<HoldOutName> for HoldOut {
    fn from(name: HoldOutName) -> Self {
        match name {
            HoldOutName::Kind => Self::Kind,
            HoldOutName::Name => Self::Name,
        }
    }
}
