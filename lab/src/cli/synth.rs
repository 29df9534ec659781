//! `synth`: a labelled data set from a scenario.
//!
//! Promises: the folder is whole or not there; the last line says what it holds and how fast it was made.
//!
//! Read next: `crate::synth`.

use super::args::synth::SynthArgs;
use super::console::Console;
use crate::error::LabError;
use crate::synth;

pub fn run(args: &SynthArgs, console: &Console) -> Result<(), LabError> {
    let bar = console.bar(1000, "generating");
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a thousand")]
    let made = synth::generate(&args.scenario, args.seed, &args.output, &mut |share| bar.set_position((share * 1000.0) as u64));
    bar.finish_and_clear();
    let counts = made?;
    if counts.ports_exhausted > 0 {
        console.note(&format!(
            "{} connections were left out: every port of their address was in use; widen network.ports or add addresses",
            counts.ports_exhausted
        ));
    }
    let seconds = console.elapsed_secs();
    #[allow(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = counts.requests as f64 / seconds.max(1e-9);
    console.line(&format!(
        "made      {} requests on {} connections in {} packets, {} visits",
        counts.requests, counts.connections, counts.packets, counts.visits
    ))?;
    console.line(&format!("folder    {}", args.output.display()))?;
    console.line(&format!("took      {seconds:.1} s, {rate:.0} requests/s"))
}
