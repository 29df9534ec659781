//! What each family of features is worth: all without it, and it alone.
//!
//! Promises: the difference to all features is taken on the same draws of the bootstrap, so that its interval is that of a pair.
//!
//! Read next: `sql/features.toml` (the families).

use super::{Run, Scores, mean_quality, voice};
use crate::error::LabError;
use crate::experiment::bench::{Ask, Bench, bootstrap};
use crate::experiment::outcome::Outcome;
use crate::report::svg::{Bar, bars};

pub(super) fn run(run: &Run<'_>) -> Result<Outcome, LabError> {
    let mut outcome = Outcome::default();
    for (place, data) in run.plan.data.iter().enumerate() {
        let loaded = run.places.usual(data, &place.to_string())?;
        let bench = Bench::new(&loaded, run.plan, &mut outcome)?;
        let rows: Vec<usize> = (0..bench.rows()).collect();
        (run.tell)("all families");
        let all = run.cross(&bench, &Ask::default())?;
        let together = voice("together");
        run.measure(&mut outcome, &format!("{} / all", loaded.name), &bench, &rows, &all, together);
        run.keep(&mut outcome, &format!("{} / all", loaded.name), &bench, &rows, &all);
        let mut shown = Vec::new();
        for family in bench.families() {
            (run.tell)(&format!("family {family}"));
            let others = bench.features(|name| name != family)?;
            let without = run.cross(&bench, &Ask { features: Some(&others), ..Ask::default() })?;
            let arm = format!("{} / without {family}", loaded.name);
            run.measure(&mut outcome, &arm, &bench, &rows, &without, together);
            if let Some((loss, interval)) = difference(run, &bench, &all, &without) {
                let arm = format!("{} / {family}", loaded.name);
                outcome.push(&arm, "auroc_lost_without", loss, interval, bench.bot.iter().filter(|bot| !**bot).count());
                shown.extend(outcome.value(&arm, "auroc_lost_without").map(|value| Bar::of(&family, value)));
            }
            let own = bench.features(|name| name == family)?;
            let alone = run.cross(&bench, &Ask { features: Some(&own), ..Ask::default() })?;
            run.measure(&mut outcome, &format!("{} / only {family}", loaded.name), &bench, &rows, &alone, together);
        }
        let title = format!("AUROC lost when a family is left out, {}", loaded.name);
        let reach = shown
            .iter()
            .flat_map(|bar| [bar.value.abs(), bar.interval.map_or(0.0, |[low, high]| low.abs().max(high.abs()))])
            .fold(0.01, f64::max);
        outcome.figures.insert(format!("lost-{place}"), bars(&title, "difference of AUROC", (-reach, reach), &shown));
    }
    Ok(outcome)
}

/// AUROC of `all` less that of `without`, with the interval of the pair.
fn difference(run: &Run<'_>, bench: &Bench, all: &Scores, without: &Scores) -> Option<(f64, Option<[f64; 2]>)> {
    let cases: Vec<(usize, bool)> = bench.bot.iter().copied().enumerate().collect();
    let together = voice("together");
    let loss =
        |drawn: &[(usize, bool)]| Some(mean_quality(drawn, all, together)?.auroc - mean_quality(drawn, without, together)?.auroc);
    Some((loss(&cases)?, bootstrap(&cases, run.plan.bootstrap, 1, loss)))
}
