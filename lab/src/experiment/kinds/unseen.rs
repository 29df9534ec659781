//! Tools that training never saw: each kind of client left out in turn, then scored beside people who were left out too.
//!
//! Read next: `../bench.rs`.

use std::collections::BTreeSet;

use super::{Run, Scores, voice};
use crate::error::LabError;
use crate::experiment::bench::{Ask, Bench};
use crate::experiment::outcome::{Outcome, VOICES};
use crate::report::svg::{Bar, bars};

pub(super) fn run(run: &Run<'_>) -> Result<Outcome, LabError> {
    let mut outcome = Outcome::default();
    for (place, data) in run.plan.data.iter().enumerate() {
        let loaded = run.places.usual(data, &place.to_string())?;
        let bench = Bench::new(&loaded, run.plan, &mut outcome)?;
        let kinds: BTreeSet<String> =
            bench.truth.iter().zip(&bench.bot).filter(|(_, bot)| **bot).map(|(truth, _)| truth.kind.clone()).collect();
        let mut shown = Vec::new();
        for kind in &kinds {
            (run.tell)(&format!("without {kind}"));
            let of_kind = |row: &usize| {
                bench.truth.get(*row).is_some_and(|truth| truth.kind == *kind) && bench.bot.get(*row) == Some(&true)
            };
            let scores = left_out(run, &bench, &of_kind)?;
            let rows: Vec<usize> = (0..bench.rows()).filter(|row| of_kind(row) || bench.bot.get(*row) == Some(&false)).collect();
            let arm = format!("{} / {kind}", loaded.name);
            run.keep(&mut outcome, &arm, &bench, &rows, &scores);
            for name in VOICES.iter().take(4) {
                run.measure(&mut outcome, &format!("{arm} / {name}"), &bench, &rows, &scores, voice(name));
            }
            shown.extend(outcome.value(&format!("{arm} / together"), "auroc").map(|value| Bar::of(kind, value)));
        }
        let title = format!("AUROC of kinds that training never saw, {}", loaded.name);
        outcome.figures.insert(format!("unseen-{place}"), bars(&title, "AUROC", (0.0, 1.0), &shown));
    }
    Ok(outcome)
}

/// Scores of people (by the parts) and of the rows that are left out of all training.
fn left_out(run: &Run<'_>, bench: &Bench, out: &dyn Fn(&usize) -> bool) -> Result<Scores, LabError> {
    let mut all = Vec::new();
    for seed in run.plan.seeds.get_ref() {
        let part = bench.folds(run.plan.folds, *seed);
        let mut scores = vec![[-1.0; 5]; bench.rows()];
        for fold in 0..run.plan.folds {
            let is_person = |row: &usize| bench.bot.get(*row) == Some(&false);
            let here = |row: &usize| part.get(*row) == Some(&fold);
            let train: Vec<usize> = (0..bench.rows()).filter(|row| !(out(row) || is_person(row) && here(row))).collect();
            // What was left out is dealt over the models by its place, so that each of its rows has one score.
            let test: Vec<usize> = (0..bench.rows())
                .filter(|row| if out(row) { *row as u64 % run.plan.folds == fold } else { is_person(row) && here(row) })
                .collect();
            for (row, score) in test.iter().zip(bench.score(&train, &test, &Ask::default(), *seed)?) {
                if let Some(slot) = scores.get_mut(*row) {
                    *slot = score;
                }
            }
        }
        all.push(scores);
    }
    Ok(all)
}
