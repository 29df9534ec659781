//! Commands of the lab in operation, as typed: `model`, `feedback`, `campaigns`, `fleets`, `detections`, `drift`.
//!
//! Promises: as `../args.rs`. Read next: `../model.rs`, `../feedback.rs` and the other files of the same names.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::RowFormat;
use crate::feedback::Verdict;

/// Where models are kept.
#[derive(Debug, Args)]
pub struct RegistryArgs {
    /// Folder of kept models.
    #[arg(long, value_name = "DIR", default_value = "models")]
    pub models: PathBuf,
}

/// `model …`
#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    /// Fit models on what is stored and keep them as a version.
    Fit {
        /// Where models are kept.
        #[command(flatten)]
        registry: RegistryArgs,
        /// Database.
        #[arg(long, value_name = "DB")]
        db: PathBuf,
        /// What people call the version.
        #[arg(long, value_name = "NAME", default_value = "")]
        name: String,
        /// Only sessions that begin at or after this time (RFC 3339).
        #[arg(long, value_name = "T")]
        from: Option<String>,
        /// Only sessions that begin before this time (RFC 3339).
        #[arg(long, value_name = "T")]
        to: Option<String>,
        /// A setting of scoring; may be given several times.
        #[arg(long = "set", value_name = "KEY=VALUE")]
        settings: Vec<String>,
    },
    /// The versions kept.
    List {
        /// Where models are kept.
        #[command(flatten)]
        registry: RegistryArgs,
        /// Form of the output.
        #[arg(long, value_enum, default_value_t = RowFormat::Table)]
        format: RowFormat,
    },
    /// Everything known of a version.
    Show {
        /// Where models are kept.
        #[command(flatten)]
        registry: RegistryArgs,
        /// Version; the one in use if none is named.
        #[arg(value_name = "ID")]
        id: Option<String>,
    },
    /// Which sessions change rank between two versions, and which feature does it.
    Diff {
        /// Where models are kept.
        #[command(flatten)]
        registry: RegistryArgs,
        /// First version.
        #[arg(value_name = "A")]
        a: String,
        /// Second version.
        #[arg(value_name = "B")]
        b: String,
        /// Database whose sessions are ranked.
        #[arg(long, value_name = "DB")]
        db: PathBuf,
        /// How many sessions.
        #[arg(long, default_value_t = 20, value_name = "N")]
        top: usize,
        /// Form of the output.
        #[arg(long, value_enum, default_value_t = RowFormat::Table)]
        format: RowFormat,
    },
    /// Write a version into one file.
    Export {
        /// Where models are kept.
        #[command(flatten)]
        registry: RegistryArgs,
        /// Version.
        #[arg(value_name = "ID")]
        id: String,
        /// File to write.
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Keep the version in a file that `export` wrote, or the models in a folder that `score --save-model` wrote.
    Import {
        /// Where models are kept.
        #[command(flatten)]
        registry: RegistryArgs,
        /// File or folder.
        #[arg(value_name = "PATH")]
        from: PathBuf,
    },
    /// Take a version into use.
    Promote {
        /// Where models are kept.
        #[command(flatten)]
        registry: RegistryArgs,
        /// Version.
        #[arg(value_name = "ID")]
        id: String,
        /// Only if it is not worse than the one in use on the labelled sessions of this database; with --holdout-from.
        #[arg(long, value_name = "DB", requires = "holdout_from")]
        db: Option<PathBuf>,
        /// Labelled sessions from this time on (RFC 3339) decide; the version must have learned from earlier ones only.
        #[arg(long, value_name = "T", requires = "db")]
        holdout_from: Option<String>,
    },
    /// Take the version before the current one into use again.
    Rollback {
        /// Where models are kept.
        #[command(flatten)]
        registry: RegistryArgs,
    },
}

/// What an analyst decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum VerdictName {
    /// A program that is not welcome.
    Bot,
    /// A person.
    Human,
    /// A program that is welcome.
    GoodBot,
    /// Looked at and not decided.
    Unsure,
    /// An earlier decision no longer holds.
    Withdrawn,
}

impl From<VerdictName> for Verdict {
    fn from(name: VerdictName) -> Self {
        match name {
            VerdictName::Bot => Self::Bot,
            VerdictName::Human => Self::Human,
            VerdictName::GoodBot => Self::GoodBot,
            VerdictName::Unsure => Self::Unsure,
            VerdictName::Withdrawn => Self::Withdrawn,
        }
    }
}

/// `feedback …`
#[derive(Debug, Subcommand)]
pub enum FeedbackCommand {
    /// Store a decision about a session or an address.
    Add(FeedbackAddArgs),
    /// Every decision, newest first.
    List {
        /// Database.
        #[arg(long, value_name = "DB")]
        db: PathBuf,
        /// Form of the output.
        #[arg(long, value_enum, default_value_t = RowFormat::Table)]
        format: RowFormat,
    },
    /// Ground truth: every session that a standing decision covers, as CSV.
    Export {
        /// Database.
        #[arg(long, value_name = "DB")]
        db: PathBuf,
        /// File to write; - for stdout.
        #[arg(short, long, value_name = "FILE", default_value = "-")]
        output: PathBuf,
    },
    /// Sessions where model and analyst differ, most surely wrong first.
    Review {
        /// Database.
        #[arg(long, value_name = "DB")]
        db: PathBuf,
        /// Form of the output.
        #[arg(long, value_enum, default_value_t = RowFormat::Table)]
        format: RowFormat,
    },
}

/// `feedback add`
#[derive(Debug, Args)]
#[group(skip)]
pub struct FeedbackAddArgs {
    /// Database.
    #[arg(long, value_name = "DB")]
    pub db: PathBuf,
    /// Session id, as `sessions` prints it.
    #[arg(long, value_name = "ID", required_unless_present = "ip", conflicts_with = "ip")]
    pub session: Option<String>,
    /// Client address: every session of it.
    #[arg(long, value_name = "IP")]
    pub ip: Option<IpAddr>,
    /// What it is.
    #[arg(long, value_enum)]
    pub verdict: VerdictName,
    /// Why.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub note: String,
    /// Who says so.
    #[arg(long, value_name = "NAME", env = "USER", default_value = "analyst")]
    pub analyst: String,
}

/// `campaigns …`
#[derive(Debug, Subcommand)]
pub enum CampaignsCommand {
    /// Campaigns, worst first.
    List {
        /// Database.
        #[arg(long, value_name = "DB")]
        db: PathBuf,
        /// Form of the output.
        #[arg(long, value_enum, default_value_t = RowFormat::Table)]
        format: RowFormat,
    },
    /// Sessions of one campaign.
    Show {
        /// Database.
        #[arg(long, value_name = "DB")]
        db: PathBuf,
        /// Campaign.
        #[arg(value_name = "ID")]
        id: String,
        /// Form of the output.
        #[arg(long, value_enum, default_value_t = RowFormat::Table)]
        format: RowFormat,
    },
    /// Another campaign is part of this one, from now on.
    Merge {
        /// What every decision needs.
        #[command(flatten)]
        decision: DecisionArgs,
        /// The campaign that becomes part of it.
        #[arg(value_name = "OTHER")]
        other: String,
    },
    /// Members with this value are a campaign of their own, from now on.
    Split {
        /// What every decision needs.
        #[command(flatten)]
        decision: DecisionArgs,
        /// One of src_ip=, ja4=, host=, user_agent=, network=.
        #[arg(long, value_name = "FIELD=VALUE")]
        by: String,
    },
    /// Give it a name.
    Rename {
        /// What every decision needs.
        #[command(flatten)]
        decision: DecisionArgs,
        /// The name.
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Dealt with.
    Close {
        /// What every decision needs.
        #[command(flatten)]
        decision: DecisionArgs,
    },
}

/// What every decision about a campaign needs.
#[derive(Debug, Args)]
pub struct DecisionArgs {
    /// Database.
    #[arg(long, value_name = "DB")]
    pub db: PathBuf,
    /// Campaign.
    #[arg(value_name = "ID")]
    pub id: String,
    /// Why.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub note: String,
    /// Who says so.
    #[arg(long, value_name = "NAME", default_value = "analyst")]
    pub analyst: String,
}

/// `fleets`
#[derive(Debug, Args)]
pub struct FleetsArgs {
    /// Database.
    #[arg(long, value_name = "DB")]
    pub db: PathBuf,
    /// The addresses of this fleet instead of the list.
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t = RowFormat::Table)]
    pub format: RowFormat,
}

/// A detection by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DetectionName {
    /// Many attempts at a login form.
    BruteForce,
    /// One address, many identities.
    Rotation,
    /// One address, many hosts, little found.
    Scanning,
    /// Paths that no visitor asks for.
    Probing,
    /// A claim that the connection contradicts.
    Contradiction,
}

impl From<DetectionName> for crate::detections::Detection {
    fn from(name: DetectionName) -> Self {
        match name {
            DetectionName::BruteForce => Self::BruteForce,
            DetectionName::Rotation => Self::Rotation,
            DetectionName::Scanning => Self::Scanning,
            DetectionName::Probing => Self::Probing,
            DetectionName::Contradiction => Self::Contradiction,
        }
    }
}

/// `detections`
#[derive(Debug, Args)]
pub struct DetectionsArgs {
    /// Database.
    #[arg(long, value_name = "DB")]
    pub db: PathBuf,
    /// Only this kind.
    #[arg(long, value_enum)]
    pub kind: Option<DetectionName>,
    /// How many of each kind.
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub top: usize,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t = RowFormat::Table)]
    pub format: RowFormat,
}

/// `drift`
#[derive(Debug, Args)]
pub struct DriftArgs {
    /// Database.
    #[arg(long, value_name = "DB")]
    pub db: PathBuf,
    /// The hours to compare with: FROM..TO (RFC 3339). Default: seven days before the newest hour.
    #[arg(long, value_name = "FROM..TO")]
    pub reference: Option<String>,
    /// The hours in question: FROM..TO (RFC 3339). Default: the newest hour that is scored.
    #[arg(long, value_name = "FROM..TO")]
    pub now: Option<String>,
    /// Folder of kept models, for the age of the one in use.
    #[arg(long, value_name = "DIR", default_value = "models")]
    pub models: PathBuf,
    /// Do not write the figures to the database.
    #[arg(long)]
    pub dry_run: bool,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t = RowFormat::Table)]
    pub format: RowFormat,
}
