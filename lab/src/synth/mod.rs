//! The generator: a scenario and a seed to a capture, logs and labels, from handshakes that real clients sent.
//!
//! Promises: the same scenario and seed give the same bytes on any machine of one platform and any number of threads; memory follows the
//! visits under way, not the length; a folder is whole or not there.
//!
//! Read next: `scenario.rs` (what is written), `cast.rs`, `behaviour.rs`, `visit.rs`, `engine.rs`, `emit.rs`, `output.rs`.

mod behaviour;
mod cast;
mod emit;
mod engine;
mod log;
mod output;
mod rng;
mod scenario;
mod site;
pub mod templates;
mod visit;
mod wire;

use std::path::Path;

pub use self::emit::{Counts, Sink};
use self::output::Folder;
pub use self::rng::Stream;
pub use self::scenario::{LogKind, Scenario};
use self::templates::Templates;
use crate::checked_toml::TextFile;
use crate::error::LabError;

/// Generates the scenario at `path` with `seed` into the folder `target`, which must not exist.
///
/// # Errors
/// A scenario that is wrong (file, line, key, what is allowed), or a file system that refuses; then nothing is left behind.
pub fn generate(path: &Path, seed: u64, target: &Path, tick: &mut dyn FnMut(f64)) -> Result<Counts, LabError> {
    generate_text(&TextFile::read("scenario", path)?, seed, target, tick)
}

/// The same from a scenario that was read already.
///
/// # Errors
/// As [`generate`].
pub fn generate_text(file: &TextFile, seed: u64, target: &Path, tick: &mut dyn FnMut(f64)) -> Result<Counts, LabError> {
    let templates = Templates::embedded()?;
    let scenario = Scenario::of(file, &templates)?;
    let mut folder = Folder::create(target, &scenario.logs)?;
    match engine::run(&scenario, &templates, seed, &mut folder, tick) {
        Ok(counts) if counts.requests > 0 => {
            folder.finish(&scenario, &file.text, &templates, seed, &counts)?;
            Ok(counts)
        }
        Ok(_) => {
            folder.discard();
            let why = "no visit falls into its length; raise visits_per_day or length";
            Err(LabError::Ask(format!("synth: scenario {:?} makes no requests: {why}", scenario.name)))
        }
        Err(error) => {
            folder.discard();
            Err(LabError::io("write data set", target)(error))
        }
    }
}
