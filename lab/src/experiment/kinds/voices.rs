//! Each voice alone, the fixed weights, and the meta-learner, on the same parts of the same sessions.
//!
//! Read next: `ja4_models::ensemble`.

use super::{Run, voice};
use crate::error::LabError;
use crate::experiment::bench::{Ask, Bench};
use crate::experiment::outcome::{Outcome, VOICES};
use crate::report::svg::{Bar, bars};

pub(super) fn run(run: &Run<'_>) -> Result<Outcome, LabError> {
    let mut outcome = Outcome::default();
    for (place, data) in run.plan.data.iter().enumerate() {
        (run.tell)("reading data");
        let loaded = run.places.usual(data, &place.to_string())?;
        let bench = Bench::new(&loaded, run.plan, &mut outcome)?;
        (run.tell)("fitting voices");
        let scores = run.cross(&bench, &Ask { meta: true, ..Ask::default() })?;
        let rows: Vec<usize> = (0..bench.rows()).collect();
        run.keep(&mut outcome, &loaded.name, &bench, &rows, &scores);
        for name in VOICES {
            run.measure(&mut outcome, &format!("{} / {name}", loaded.name), &bench, &rows, &scores, voice(name));
        }
        let shown: Vec<Bar> = VOICES
            .iter()
            .filter_map(|name| outcome.value(&format!("{} / {name}", loaded.name), "auroc").map(|value| Bar::of(name, value)))
            .collect();
        outcome
            .figures
            .insert(format!("auroc-{place}"), bars(&format!("AUROC by voice, {}", loaded.name), "AUROC", (0.5, 1.0), &shown));
    }
    Ok(outcome)
}
