//! `export`, as typed.
//!
//! Promises: those of `../args.rs`.
//!
//! Read next: `../export.rs`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// `export`
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Database.
    #[arg(long, value_name = "DB")]
    pub db: PathBuf,
    /// What leaves; ignored with --query.
    #[arg(value_enum, value_name = "WHAT", default_value_t = What::Sessions)]
    pub what: What,
    /// A statement of one's own instead.
    #[arg(long, value_name = "SELECT")]
    pub query: Option<String>,
    /// File to write; its end (.csv, .jsonl, .parquet) is its form.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Replace addresses (common prefixes are kept), hosts, paths, User-Agents and every other name.
    #[arg(long)]
    pub pseudonymise: bool,
    /// Key of the pseudonyms, made if the file is not there: the same key gives the same words. Keep it to yourself.
    #[arg(long, value_name = "FILE", default_value = "ja4-pseudonyms.key", requires = "pseudonymise")]
    pub key: PathBuf,
}

/// What can leave by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// Scored sessions with voices, verdict and reason.
    Sessions,
    /// Requests with the handshakes they were joined to.
    Requests,
}
