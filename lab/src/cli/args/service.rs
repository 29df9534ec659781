//! The command line of `detect` and `blocklist`.
//!
//! Promises: no flag takes a secret; tokens and webhook addresses come from a file or the environment.
//!
//! Read next: `../detect.rs`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::parse_duration;
use crate::service::alert::SyslogTarget;
use crate::service::blocklist::Format;

/// `detect`
#[derive(Debug, Args)]
pub struct DetectArgs {
    /// Database.
    #[arg(long, value_name = "DB")]
    pub db: PathBuf,
    /// From the beginning of one cycle to that of the next.
    #[arg(long, default_value = "5m", value_name = "TIME", value_parser = parse_every)]
    pub every: i64,
    /// How far before the newest stored request a cycle scores; 0 for everything stored.
    #[arg(long, default_value = "1d", value_name = "TIME", value_parser = parse_length)]
    pub window: i64,
    /// One cycle, then end.
    #[arg(long)]
    pub once: bool,
    /// Serve /health, /ready, /metrics, /openapi.json and /api/v1 here; beyond loopback a token is needed.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// File that holds the bearer token (or set JA4_API_TOKEN).
    #[arg(long, value_name = "FILE", requires = "listen")]
    pub token_file: Option<PathBuf>,
    /// Requests a second that one client may make.
    #[arg(long, default_value_t = 200.0, value_name = "N", value_parser = parse_rate)]
    pub rate: f64,
    /// Score with the models of this folder instead of fitting new ones each cycle.
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
    /// Keep versions here: score with the one in use (the first cycle fits it), and retrain when drift asks for it.
    #[arg(long, value_name = "DIR", conflicts_with = "model")]
    pub models: Option<PathBuf>,
    /// With --models: a retrained model takes over only if it is not worse on the labelled sessions of this last time, which it never saw.
    #[arg(long, default_value = "1d", value_name = "TIME", value_parser = parse_length)]
    pub holdout: i64,
    /// With --models: how long before those a retrained model learns.
    #[arg(long, default_value = "7d", value_name = "TIME", value_parser = parse_length)]
    pub learn: i64,
    /// A setting of scoring, as for `score`; may be given several times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// File that holds the URL alerts are posted to (or set JA4_ALERT_WEBHOOK).
    #[arg(long, value_name = "FILE")]
    pub alert_webhook_file: Option<PathBuf>,
    /// Send alerts as CEF to udp://HOST:PORT or unix:/dev/log.
    #[arg(long, value_name = "TARGET")]
    pub alert_syslog: Option<SyslogTarget>,
    /// Append alerts to this file, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    pub alert_file: Option<PathBuf>,
    /// The mildest severity that is alerted.
    #[arg(long, value_enum, default_value_t = SeverityName::High)]
    pub alert_min: SeverityName,
    /// How long a running cycle may go on after SIGTERM.
    #[arg(long, default_value = "20s", value_name = "TIME", value_parser = parse_length)]
    pub grace: i64,
}

/// `blocklist`
#[derive(Debug, Args)]
pub struct BlocklistArgs {
    /// Database.
    #[arg(long, value_name = "DB")]
    pub db: PathBuf,
    /// Form of the list.
    #[arg(long, value_enum, default_value_t = FormatName::Plain)]
    pub format: FormatName,
    /// The mildest severity listed.
    #[arg(long, value_enum, default_value_t = SeverityName::High)]
    pub min_severity: SeverityName,
    /// How far before the newest stored request to look; 0 for everything stored.
    #[arg(long, default_value = "1d", value_name = "TIME", value_parser = parse_length)]
    pub window: i64,
    /// File to replace, as a whole; - for stdout.
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub output: PathBuf,
}

/// A severity by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SeverityName {
    /// Just above the threshold.
    Low,
    /// Above it.
    Medium,
    /// Far above it.
    High,
    /// As far as it goes.
    Critical,
}

impl SeverityName {
    /// Its place in [`crate::service::alert::SEVERITIES`].
    #[must_use]
    pub fn place(self) -> usize {
        match self {
            Self::Low => 0,
            Self::Medium => 1,
            Self::High => 2,
            Self::Critical => 3,
        }
    }
}

/// A form of the block-list by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatName {
    /// One address a line.
    Plain,
    /// For `ipset restore`.
    Ipset,
    /// For `cscli decisions import`.
    Crowdsec,
    /// A block of `Require not ip`.
    Apache,
}

impl From<FormatName> for Format {
    fn from(name: FormatName) -> Self {
        match name {
            FormatName::Plain => Self::Plain,
            FormatName::Ipset => Self::Ipset,
            FormatName::Crowdsec => Self::Crowdsec,
            FormatName::Apache => Self::Apache,
        }
    }
}

fn parse_every(text: &str) -> Result<i64, String> {
    match parse_duration(text)? {
        ns if ns >= 1_000_000_000 => Ok(ns),
        _ => Err(format!("{text:?} is too short; at least 1s")),
    }
}

fn parse_length(text: &str) -> Result<i64, String> {
    match parse_duration(text)? {
        ns if ns >= 0 => Ok(ns),
        _ => Err(format!("{text:?} is negative; write 0 or more")),
    }
}

fn parse_rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.1..=100_000.0).contains(&rate) => Ok(rate),
        _ => Err(format!("{text:?} must be a number from 0.1 to 100000")),
    }
}
