//! Arguments of `synth`.

use std::path::PathBuf;

use clap::Args;

/// `synth`
#[derive(Debug, Args)]
pub struct SynthArgs {
    /// Scenario file; examples stand in datasets/scenarios.
    #[arg(value_name = "SCENARIO.toml")]
    pub scenario: PathBuf,
    /// Seed of everything random.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// Folder to make; must not exist.
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
}
