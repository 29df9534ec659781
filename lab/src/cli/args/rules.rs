//! `rules`, as typed.

use std::path::PathBuf;

use clap::Subcommand;

/// `rules`
#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// Take the rules of an Anubis policy (YAML) into a database, instead of those that are there.
    Import {
        /// The policy.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The database.
        #[arg(long, value_name = "DB")]
        db: PathBuf,
    },
    /// The rules of a database, in order.
    List {
        /// The database.
        #[arg(long, value_name = "DB")]
        db: PathBuf,
    },
    /// What rules would have done with the requests of a database; changes nothing.
    Test {
        /// The database.
        #[arg(long, value_name = "DB")]
        db: PathBuf,
        /// A policy that is not imported; default: the imported one.
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
        /// Sum of weights from which on a session counts as challenged.
        #[arg(long, value_name = "N", default_value_t = 10)]
        weight: i64,
    },
}
