//! How much attack traffic among what counts as ordinary is survived: programs are smuggled into the baseline in growing shares.
//!
//! Levels: the share of programs in the baseline, 0 to 0.9.
//!
//! Read next: `../bench.rs` ([`Ask::smuggled`]).

use ja4_models::Rng;

use super::{Run, voice};
use crate::error::LabError;
use crate::experiment::bench::{Ask, Bench};
use crate::experiment::outcome::Outcome;
use crate::report::svg::{Line, lines};

pub(super) fn run(run: &Run<'_>) -> Result<Outcome, LabError> {
    let mut outcome = Outcome::default();
    let levels = if run.plan.levels.is_empty() { vec![0.0, 0.01, 0.05, 0.1, 0.2, 0.4] } else { run.plan.levels.clone() };
    for (place, data) in run.plan.data.iter().enumerate() {
        let loaded = run.places.usual(data, &place.to_string())?;
        let bench = Bench::new(&loaded, run.plan, &mut outcome)?;
        let rows: Vec<usize> = (0..bench.rows()).collect();
        let mut shown: Vec<Line> = ["forest", "autoencoder"].iter().map(|name| Line::new(name)).collect();
        for level in levels.iter().map(|level| level.min(0.9)) {
            (run.tell)(&format!("{:.0} % programs in the baseline", level * 100.0));
            let scores = smuggled(run, &bench, level)?;
            let arm = format!("{} / {level}", loaded.name);
            run.keep(&mut outcome, &arm, &bench, &rows, &scores);
            for (line, name) in shown.iter_mut().zip(["forest", "autoencoder"]) {
                let arm = format!("{arm} / {name}");
                run.measure(&mut outcome, &arm, &bench, &rows, &scores, voice(name));
                if let Some(value) = outcome.value(&arm, "auroc") {
                    line.points.push((level, value.value, value.interval));
                }
            }
        }
        let title = format!("AUROC against the share of programs in the baseline, {}", loaded.name);
        outcome.figures.insert(
            format!("contamination-{place}"),
            lines(&title, "share of programs in the baseline", "AUROC", (0.0, 1.0), &shown),
        );
    }
    Ok(outcome)
}

/// Forest and autoencoder fitted on people of the other parts and on programs of the other parts, as many as make up the share.
fn smuggled(run: &Run<'_>, bench: &Bench, level: f64) -> Result<super::Scores, LabError> {
    let mut all = Vec::new();
    for seed in run.plan.seeds.get_ref() {
        let part = bench.folds(run.plan.folds, *seed);
        let mut scores = vec![[-1.0; 5]; bench.rows()];
        for fold in 0..run.plan.folds {
            let (test, train): (Vec<usize>, Vec<usize>) = (0..bench.rows()).partition(|row| part.get(*row) == Some(&fold));
            let mut bots: Vec<usize> = train.iter().copied().filter(|row| bench.bot.get(*row) == Some(&true)).collect();
            Rng::stream(*seed, 0x5700 + fold).shuffle(&mut bots);
            let people = train.len().saturating_sub(bots.len());
            #[allow(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "counts of sessions"
            )]
            bots.truncate((people as f64 * level / (1.0 - level)).round() as usize);
            let ask = Ask { unlabelled: true, smuggled: &bots, ..Ask::default() };
            for (row, score) in test.iter().zip(bench.score(&train, &test, &ask, *seed)?) {
                if let Some(slot) = scores.get_mut(*row) {
                    *slot = score;
                }
            }
        }
        all.push(scores);
    }
    Ok(all)
}
