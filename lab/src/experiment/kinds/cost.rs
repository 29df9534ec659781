//! What accuracy costs: time to fit and to score against AUROC for growing forests and for each voice; the replay's pace and memory.
//!
//! Promises: times and memory are marked as measured; they describe this run and are no part of its digest.
//!
//! Levels: trees of the forest.
//!
//! Read next: `docs/PERFORMANCE.md` (times on a quiet machine).

use ja4_models::{AutoencoderParams, EifParams, Fit, Matrix, Voice as _};

use super::{Run, voice};
use crate::cycle::models::boosted;
use crate::error::LabError;
use crate::experiment::bench::{Bench, bootstrap, quality};
use crate::experiment::outcome::Outcome;
use crate::report::svg::{Line, lines};

pub(super) fn run(run: &Run<'_>) -> Result<Outcome, LabError> {
    let mut outcome = Outcome::default();
    let levels = if run.plan.levels.is_empty() { vec![10.0, 30.0, 100.0, 300.0] } else { run.plan.levels.clone() };
    for (place, data) in run.plan.data.iter().enumerate() {
        let begun = (run.clock)();
        let loaded = run.places.usual(data, &place.to_string())?;
        let seconds = (run.clock)() - begun;
        #[allow(clippy::cast_precision_loss, reason = "a rate for people")]
        let requests = loaded.summary.http_requests as f64;
        outcome.push(&loaded.name, "requests", requests, None, 0);
        outcome.push_measured(&loaded.name, "replay_seconds", seconds);
        outcome.push_measured(&loaded.name, "replay_requests_per_second", requests / seconds.max(1e-9));
        let bench = Bench::new(&loaded, run.plan, &mut outcome)?;
        let mut shown = Line::new("forest");
        for trees in &levels {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the plan's levels are at most thousands")]
            let params = EifParams::default().trees(trees.clamp(1.0, 10_000.0) as usize).check()?;
            let arm = format!("{} / forest of {trees}", loaded.name);
            timed(run, &mut outcome, &arm, &bench, &params)?;
            shown.points.extend(outcome.value(&arm, "auroc").map(|value| (*trees, value.value, value.interval)));
        }
        timed(run, &mut outcome, &format!("{} / autoencoder", loaded.name), &bench, &AutoencoderParams::default().check()?)?;
        timed(run, &mut outcome, &format!("{} / boosted", loaded.name), &bench, &boosted().check()?)?;
        let title = format!("AUROC against the size of the forest, {}", loaded.name);
        outcome.figures.insert(format!("forest-{place}"), lines(&title, "trees", "AUROC", (0.5, 1.0), &[shown]));
    }
    outcome.push_measured("process", "peak_resident_mib", peak_mib());
    Ok(outcome)
}

/// One voice over the parts: its AUROC, and the seconds that fitting and scoring took.
fn timed<F: Fit>(run: &Run<'_>, outcome: &mut Outcome, arm: &str, bench: &Bench, fit: &F) -> Result<(), LabError> {
    let seed = run.plan.seeds.get_ref().first().copied().unwrap_or(1);
    let part = bench.folds(run.plan.folds, seed);
    let mut pairs = vec![(0.0, false); bench.rows()];
    let (mut fitting, mut scoring) = (0.0, 0.0);
    for fold in 0..run.plan.folds {
        let (test, train): (Vec<usize>, Vec<usize>) = (0..bench.rows()).partition(|row| part.get(*row) == Some(&fold));
        if test.is_empty() {
            continue;
        }
        let label = |row: &usize| bench.bot.get(*row).copied().unwrap_or_default();
        // Voices that learn from labels get them; the others learn from people.
        let people: Vec<usize> = train.iter().copied().filter(|row| !label(row)).collect();
        let labels: Vec<bool> = train.iter().map(label).collect();
        let supervised = arm.ends_with("boosted");
        let learning: Matrix = bench.matrix.select_rows(if supervised { &train } else { &people });
        let begun = (run.clock)();
        let model = fit.fit(&learning, supervised.then_some(labels.as_slice()), seed)?;
        let between = (run.clock)();
        let scores = model.score(&bench.matrix.select_rows(&test))?;
        fitting += between - begun;
        scoring += (run.clock)() - between;
        for (row, score) in test.iter().zip(scores) {
            let mut prediction = [-1.0; 5];
            prediction[voice("forest")] = score;
            outcome.predictions.push(bench.prediction(arm, seed, *row, prediction));
            if let Some(slot) = pairs.get_mut(*row) {
                *slot = (score, label(row));
            }
        }
    }
    if let Some(found) = quality(&pairs) {
        let people = pairs.iter().filter(|pair| !pair.1).count();
        let spread = bootstrap(&pairs, run.plan.bootstrap, 1, |drawn| quality(drawn).map(|q| q.auroc));
        outcome.push(arm, "auroc", found.auroc, spread, people.min(bench.rows().saturating_sub(people)));
    }
    outcome.push_measured(arm, "fit_seconds", fitting);
    outcome.push_measured(arm, "score_seconds", scoring);
    Ok(())
}

/// Largest resident memory of this process so far, MiB; 0 where the system does not tell.
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or_default() / 1024.0
}
