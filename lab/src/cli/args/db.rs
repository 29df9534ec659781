//! `db …`: the commands that look after a store, as typed.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::RowFormat;

/// `db …`
#[derive(Debug, Subcommand)]
pub enum DbCommand {
    /// Bring a database to this version's schema.
    Migrate {
        /// Database: a DuckDB file, or clickhouse://USER@HOST:PORT.
        #[arg(long, value_name = "DB")]
        db: PathBuf,
    },
    /// Sizes, time range, inputs, versions and health.
    Info {
        /// Database: a DuckDB file, or clickhouse://USER@HOST:PORT.
        #[arg(long, value_name = "DB")]
        db: PathBuf,
        /// Form of the output.
        #[arg(long, value_enum, default_value_t = RowFormat::Table)]
        format: RowFormat,
    },
    /// Everything of one database into another; rows that are there are skipped, so it can be continued.
    Copy(CopyArgs),
    /// Requests from Parquet or JSON Lines exports, or from another database.
    Import(ImportArgs),
    /// Remove everything before a time, or everything of one address (erasure); recorded in audit_logs.
    Purge(PurgeArgs),
}

/// `db copy`
#[derive(Debug, Args)]
pub struct CopyArgs {
    /// Database to read.
    #[arg(long, value_name = "DB")]
    pub from: PathBuf,
    /// Database to write.
    #[arg(long, value_name = "DB")]
    pub to: PathBuf,
}

/// `db import`
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// Files (.parquet, .jsonl, .ndjson, also .gz and .zst) or databases; columns are found by name, at least ts_ns and src_ip.
    #[arg(value_name = "SOURCE", required = true)]
    pub sources: Vec<PathBuf>,
    /// Database to write.
    #[arg(long, value_name = "DB")]
    pub db: PathBuf,
    /// Move all rows in time so that the newest is `now` or at this time (RFC 3339).
    #[arg(long, value_name = "now|TIME")]
    pub shift_to: Option<String>,
}

/// `db purge`
#[derive(Debug, Args)]
#[group(skip)]
#[command(group(clap::ArgGroup::new("what").required(true).multiple(false).args(["before", "address"])))]
pub struct PurgeArgs {
    /// Database.
    #[arg(long, value_name = "DB")]
    pub db: PathBuf,
    /// Everything before this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    pub before: Option<String>,
    /// Everything of this address, whether it is the peer or the client behind a proxy.
    #[arg(long, value_name = "IP")]
    pub address: Option<IpAddr>,
    /// Only say what would be removed.
    #[arg(long)]
    pub dry_run: bool,
}
