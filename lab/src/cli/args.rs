//! The command line exactly as typed: names, help texts and value checks; nothing is opened here.
//!
//! Promises: help, man pages and completions are made from this one list; a wrong value is exit status 2.
//!
//! Read next: `mod.rs` (what each command does with it).

mod dataset;
mod db;
mod evaluate;
mod examples;
mod live;
mod packets;
mod rules;

pub mod compare;
pub mod experiment;
pub mod export;
pub mod operation;
pub mod rehearse;
pub mod synth;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use self::dataset::{DatasetCommand, UpdateArgs};
pub use self::db::{CopyArgs, DbCommand, ImportArgs, PurgeArgs};
pub use self::evaluate::{EvaluateArgs, HoldOutName};
pub use self::live::LiveArgs;
pub use self::packets::PacketsArgs;
pub use self::rules::RulesCommand;
pub use self::service::{BlocklistArgs, DetectArgs};

mod service;

/// The workbench that joins TLS handshakes with web-server logs and ranks the clients that are not what they claim.
#[derive(Debug, Parser)]
#[command(name = "ja4-lab", version, about, propagate_version = true, max_term_width = 110)]
#[command(
    after_help = "Start with `ja4-lab demo`. Results go to stdout, progress to stderr. Exit status: 0 done, 1 failed, 2 wrong usage."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Say only what failed.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more; twice for every damaged record.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Threads to use; 0 means one per core. Results never depend on it.
    #[arg(long, global = true, default_value_t = 0, value_name = "N", value_parser = threads)]
    pub threads: usize,
}

/// More threads than any machine has cores would be hours of starting them.
fn threads(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|threads| *threads <= 1024).ok_or_else(|| "a whole number from 0 to 1024 is needed".to_owned())
}

/// Every command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Replay the recorded data set that comes with the project and print the ranked sessions.
    Demo(DemoArgs),
    /// Fingerprints of every connection in captures, no database.
    #[command(after_help = examples::FINGERPRINT)]
    Fingerprint(FingerprintArgs),
    /// Captures and HTTP logs to rows, features and scores in a database.
    #[command(after_help = examples::REPLAY)]
    Replay(ReplayArgs),
    /// The same from the wire and from a running Apache, until SIGTERM.
    Live(LiveArgs),
    /// Score again what is stored; never imports.
    #[command(after_help = examples::SCORE)]
    Score(ScoreArgs),
    /// Ranked sessions with score, severity and reason.
    #[command(after_help = examples::SESSIONS)]
    Sessions(SessionsArgs),
    /// The whole way of one session or address: parse, join, features, voices, verdict.
    #[command(after_help = examples::EXPLAIN)]
    Explain(ExplainArgs),
    /// What is new, gone or changed between two databases, or two spans of one.
    Compare(compare::CompareArgs),
    /// A session changed as its client could change it, before the voices: what they say, and what would pass.
    Rehearse(rehearse::RehearseArgs),
    /// One read-only query, the same text on every store.
    #[command(after_help = examples::SQL)]
    Sql(SqlArgs),
    /// Sessions, requests or any answer to a file, under pseudonyms where asked.
    Export(export::ExportArgs),
    /// The feature table as a Parquet file.
    Features(FeaturesArgs),
    /// Score any numeric table.
    Anomaly(AnomalyArgs),
    /// How well scores separate programs from people, where labels tell the truth.
    Evaluate(EvaluateArgs),
    /// The packets of one connection, from the captures it came from.
    Packets(PacketsArgs),
    /// Rules of an Anubis policy: import, list, and what they would have done.
    #[command(subcommand)]
    Rules(RulesCommand),
    /// The models kept: fit, list, show, diff, export, import, promote, rollback.
    #[command(subcommand)]
    Model(operation::ModelCommand),
    /// Groups of anomalous sessions that belong together: list, show, merge, split, rename, close.
    #[command(subcommand)]
    Campaigns(operation::CampaignsCommand),
    /// One client software behind many addresses.
    Fleets(operation::FleetsArgs),
    /// What needs no model to be seen: brute force, rotation, scanning, probing, contradiction.
    Detections(operation::DetectionsArgs),
    /// Whether sessions of now are still of the kind the model learned from.
    Drift(operation::DriftArgs),
    /// What analysts decide: add, list, export, review.
    #[command(subcommand)]
    Feedback(operation::FeedbackCommand),
    /// Detection cycles as a service, with an HTTP interface, alerts and figures.
    Detect(DetectArgs),
    /// Addresses to block, for a firewall, CrowdSec or Apache.
    Blocklist(BlocklistArgs),
    /// A labelled data set from a scenario: capture, HTTP logs, labels.
    Synth(synth::SynthArgs),
    /// Questions with numbers: run, repeat, compare.
    #[command(subcommand)]
    Experiment(experiment::ExperimentCommand),
    /// One HTML file for a database or an experiment.
    Report(experiment::ReportArgs),
    /// Look after a database.
    #[command(subcommand)]
    Db(DbCommand),
    /// The recorded data sets, and the reference tables.
    #[command(subcommand)]
    Dataset(DatasetCommand),
    /// Print shell completions.
    Completions {
        /// For which shell.
        shell: clap_complete::Shell,
    },
    /// Write man pages into a folder.
    Man {
        /// The folder.
        #[arg(short, long, value_name = "DIR", default_value = "man")]
        output: PathBuf,
    },
}

/// How rows are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RowFormat {
    /// For people.
    Table,
    /// One JSON object per line.
    Jsonl,
    /// Comma-separated, with cells that a spreadsheet would execute neutralised.
    Csv,
}

/// How query results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum QueryFormat {
    /// For people.
    Table,
    /// One JSON object per line.
    Jsonl,
    /// Comma-separated, with cells that a spreadsheet would execute neutralised.
    Csv,
    /// Parquet; stdout must not be a terminal.
    Parquet,
}

/// How a summary is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SummaryFormat {
    /// For people.
    Text,
    /// One JSON object.
    Json,
}

/// `demo`
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Database to write; must not exist. Default: a fresh file in the system's temporary folder.
    #[arg(long, value_name = "DB")]
    pub db: Option<PathBuf>,
    /// Folder of the recorded data set.
    #[arg(long, value_name = "DIR")]
    pub dataset: Option<PathBuf>,
    /// How many sessions to print.
    #[arg(long, default_value_t = 25, value_name = "N")]
    pub top: usize,
}

/// `fingerprint`
#[derive(Debug, Args)]
pub struct FingerprintArgs {
    /// Captures (pcap, pcapng, also .gz and .zst), folders of captures, or - for stdin.
    #[arg(required = true, value_name = "CAPTURE")]
    pub captures: Vec<PathBuf>,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t = RowFormat::Jsonl)]
    pub format: RowFormat,
    /// TLS key log (NSS format), to read certificates and requests inside TLS.
    #[arg(long, value_name = "FILE")]
    pub keylog: Option<PathBuf>,
}

/// `replay`
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Captures (pcap, pcapng, also .gz and .zst), folders of captures, or - for stdin.
    #[arg(value_name = "CAPTURE", required_unless_present = "http_log")]
    pub captures: Vec<PathBuf>,
    /// HTTP log that belongs to the captures; may be given several times.
    #[arg(long, value_name = "FILE")]
    pub http_log: Vec<PathBuf>,
    /// `auto`, `reqin` (JSON lines), `combined`, `common`, or an Apache LogFormat string.
    #[arg(long, default_value = "auto", value_name = "FORMAT")]
    pub http_format: String,
    /// Database to write: a DuckDB file, or clickhouse://USER@HOST:PORT (password in JA4_CLICKHOUSE_PASSWORD).
    #[arg(long, value_name = "DB")]
    pub db: PathBuf,
    /// How long a request waits for its handshake, and the reverse: 500ms, 10s, 2m.
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = parse_duration)]
    pub window: i64,
    /// How long a connection may be silent before its port counts as free again.
    #[arg(long, default_value = "1h", value_name = "TIME", value_parser = parse_duration)]
    pub keepalive: i64,
    /// Clock of the logs against the capture: `auto` estimates it for each file, or a fixed time such as -2s.
    #[arg(long, default_value = "auto", value_name = "TIME", allow_hyphen_values = true)]
    pub skew: String,
    /// `max`, or a multiple of the recorded speed such as 1 or 60.
    #[arg(long, default_value = "max", value_name = "max|N")]
    pub speed: String,
    /// Only import.
    #[arg(long)]
    pub no_score: bool,
    /// Form of the summary.
    #[arg(long, value_enum, default_value_t = SummaryFormat::Text)]
    pub summary: SummaryFormat,
    /// TLS key log (NSS format): without --http-log, the requests it opens are the input; with one, it measures how often the join is
    /// right. Keys are never stored.
    #[arg(long, value_name = "FILE")]
    pub keylog: Option<PathBuf>,
    /// Folder of reference tables (ASN, bot addresses, known fingerprints) instead of the built-in ones.
    #[arg(long, value_name = "DIR")]
    pub reference: Option<PathBuf>,
    /// How many sessions to print after scoring; 0 for none.
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub top: usize,
}

/// `score`
#[derive(Debug, Args)]
pub struct ScoreArgs {
    /// Database.
    #[arg(long, value_name = "DB")]
    pub db: PathBuf,
    /// Score with the models of this folder instead of fitting new ones.
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
    /// Keep the models fitted here in this folder.
    #[arg(long, value_name = "DIR", conflicts_with = "model")]
    pub save_model: Option<PathBuf>,
    /// Only sessions that begin at or after this time (RFC 3339).
    #[arg(long, value_name = "T")]
    pub from: Option<String>,
    /// Only sessions that begin before this time (RFC 3339).
    #[arg(long, value_name = "T")]
    pub to: Option<String>,
    /// A setting, e.g. threshold=0.7, fpr=0.01, trees=300, seed=7, weights.eif=1, features-=NAME; may be given several times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Keep the result beside the verdicts in force, under this name, instead of putting it in force.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["model", "save_model"])]
    pub keep_as: Option<String>,
    /// Say on stderr how long each part took.
    #[arg(long)]
    pub timings: bool,
    /// Form of the summary.
    #[arg(long, value_enum, default_value_t = SummaryFormat::Text)]
    pub summary: SummaryFormat,
}

/// `sessions`
#[derive(Debug, Args)]
pub struct SessionsArgs {
    /// Database.
    #[arg(long, value_name = "DB")]
    pub db: PathBuf,
    /// How many.
    #[arg(long, default_value_t = 25, value_name = "N")]
    pub top: usize,
    /// SQL condition on the score table's columns, e.g. "host = 'shop.example' AND score > 0.6".
    #[arg(long = "where", value_name = "EXPR")]
    pub condition: Option<String>,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t = RowFormat::Table)]
    pub format: RowFormat,
}

/// `explain`
#[derive(Debug, Args)]
#[group(skip)]
pub struct ExplainArgs {
    /// Database.
    #[arg(long, value_name = "DB")]
    pub db: PathBuf,
    /// Session id, as `sessions` prints it.
    #[arg(long, value_name = "ID", required_unless_present = "ip", conflicts_with = "ip")]
    pub session: Option<String>,
    /// Client address: its most anomalous session.
    #[arg(long, value_name = "IP")]
    pub ip: Option<String>,
}

/// `sql`
#[derive(Debug, Args)]
pub struct SqlArgs {
    /// Database.
    #[arg(long, value_name = "DB")]
    pub db: PathBuf,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t = QueryFormat::Table)]
    pub format: QueryFormat,
    /// The statement.
    #[arg(value_name = "SELECT")]
    pub query: String,
}

/// `features`
#[derive(Debug, Args)]
pub struct FeaturesArgs {
    /// Database.
    #[arg(long, value_name = "DB")]
    pub db: PathBuf,
    /// Parquet file to write.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
}

/// `anomaly`
#[derive(Debug, Args)]
pub struct AnomalyArgs {
    /// A table of numbers: .csv or .parquet.
    #[arg(value_name = "TABLE")]
    pub table: PathBuf,
    /// Column that holds 1 for an anomaly and 0 for none; with it the last line printed is `{"auroc": …}`.
    #[arg(long, value_name = "COL")]
    pub label: Option<String>,
    /// Which model.
    #[arg(long, value_enum, default_value_t = VoiceName::Eif)]
    pub voice: VoiceName,
    /// Seed of everything random.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// Write `row,score` as CSV here; `-` for stdout.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// A voice by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum VoiceName {
    /// Extended Isolation Forest.
    Eif,
    /// Autoencoder.
    Autoencoder,
    /// Gradient-boosted trees, out of fold; needs labels.
    Boosted,
    /// All of them.
    Ensemble,
}

impl From<VoiceName> for ja4_models::VoiceKind {
    fn from(name: VoiceName) -> Self {
        match name {
            VoiceName::Eif => Self::Eif,
            VoiceName::Autoencoder => Self::Autoencoder,
            VoiceName::Boosted => Self::Boosted,
            VoiceName::Ensemble => Self::Ensemble,
        }
    }
}

/// `500ms`, `10s`, `2m`, `1h` to nanoseconds.
pub fn parse_duration(text: &str) -> Result<i64, String> {
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(split).unwrap_or((text, ""));
    let value: f64 = number.trim().parse().map_err(|_| format!("{text:?} is no time; write 500ms, 10s, 2m or 1h"))?;
    let unit_ns = match unit {
        "ns" => 1.0,
        "us" => 1e3,
        "ms" => 1e6,
        "" | "s" => 1e9,
        "m" | "min" => 60e9,
        "h" => 3600e9,
        "d" => 86400e9,
        _ => return Err(format!("{unit:?} is no unit of time; write ms, s, m, h or d")),
    };
    let ns = value * unit_ns;
    if !ns.is_finite() || ns.abs() > 3.2e17 {
        return Err(format!("{text:?} is out of range; at most ten years"));
    }
    #[allow(clippy::cast_possible_truncation, reason = "checked to be within i64 above")]
    Ok(ns as i64)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations() {
        assert_eq!(parse_duration("500ms"), Ok(500_000_000));
        assert_eq!(parse_duration("10s"), Ok(10_000_000_000));
        assert_eq!(parse_duration("-2"), Ok(-2_000_000_000));
        assert_eq!(parse_duration("1h"), Ok(3_600_000_000_000));
        for bad in ["", "s", "10 parsecs", "1e30d", "NaN"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }
}
