//! Arguments of `compare`.
//!
//! Read next: `crate::compare`.

use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;

use super::RowFormat;
use crate::compare::ASPECTS;

/// `compare`
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// Database: what it holds is now.
    #[arg(long, value_name = "DB")]
    pub db: PathBuf,
    /// Another database: what it holds is then. Without it, both are spans of --db.
    #[arg(long, value_name = "DB")]
    pub against: Option<PathBuf>,
    /// Then: FROM..TO (RFC 3339). Default: all of --against; without it the seven days before now.
    #[arg(long, value_name = "FROM..TO")]
    pub reference: Option<String>,
    /// Now: FROM..TO (RFC 3339). Default: all of --db with --against; without it the newest hour.
    #[arg(long, value_name = "FROM..TO")]
    pub now: Option<String>,
    /// What to compare, comma-separated. Default: everything.
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = PossibleValuesParser::new(ASPECTS.iter().map(|aspect| aspect.name)))]
    pub kind: Vec<String>,
    /// Also what stayed the same.
    #[arg(long)]
    pub all: bool,
    /// Lines at most; 0 for all of them.
    #[arg(long, default_value_t = 40, value_name = "N")]
    pub top: usize,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t = RowFormat::Table)]
    pub format: RowFormat,
}
