//! Do explanations name what a score rests on? The features that an explanation puts first are moved to what people show, then as many drawn by
//! lot; the part of the way down to people's scores that each goes is compared.
//!
//! Promises: sessions are explained by models that saw neither them nor their client; moved features get the median of the people who taught.
//! Levels: how many features are moved.
//!
//! Read next: `ja4_models::voice` ([`Explanation`](ja4_models::Explanation)), `lab/models/src/eif/explain.rs` (ExIFFI).

use std::collections::BTreeSet;

use ja4_models::{EnsembleModel, Matrix, Rng, Voice, VoiceKind};

use super::Run;
use crate::error::LabError;
use crate::experiment::bench::{Ask, Bench, bootstrap};
use crate::experiment::outcome::Outcome;
use crate::report::svg::{Line, lines};

/// Draws by lot for each session.
const DRAWS: u32 = 5;

/// Way of one session: from its score to people's, and the parts of it that the named and the drawn features go.
#[derive(Debug, Clone, Copy)]
struct Way {
    whole: f64,
    named: f64,
    drawn: f64,
}

pub(super) fn run(run: &Run<'_>) -> Result<Outcome, LabError> {
    let mut outcome = Outcome::default();
    let levels = if run.plan.levels.is_empty() { vec![1.0, 3.0, 5.0, 10.0, 20.0] } else { run.plan.levels.clone() };
    for (place, data) in run.plan.data.iter().enumerate() {
        let loaded = run.places.usual(data, &place.to_string())?;
        let bench = Bench::new(&loaded, run.plan, &mut outcome)?;
        (run.tell)("fitting");
        let parts = parts(run, &bench)?;
        let explainers = [
            (VoiceKind::Eif, "forest, ExIFFI"),
            (VoiceKind::Autoencoder, "autoencoder, error by feature"),
            (VoiceKind::Boosted, "boosted trees, SHAP"),
        ];
        let mut shown = Vec::new();
        for (kind, name) in explainers {
            let mut named = Line::new(&format!("{name}, named"));
            let mut drawn = Line::new(&format!("{name}, by lot"));
            for level in &levels {
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of features")]
                let count = (*level as usize).clamp(1, bench.matrix.columns());
                (run.tell)(&format!("{name}: {count} features"));
                let ways = ways(&parts, kind, count)?;
                let arm = format!("{} / {name} / {count}", loaded.name);
                let figures: [(&str, fn(Way) -> f64, &mut Line); 2] =
                    [("removed_by_named", |way| way.named, &mut named), ("removed_by_lot", |way| way.drawn, &mut drawn)];
                for (metric, pick, line) in figures {
                    let part = |ways: &[(Way, bool)]| {
                        let whole: f64 = ways.iter().map(|way| way.0.whole).sum();
                        (whole > 0.0).then(|| ways.iter().map(|way| pick(way.0)).sum::<f64>() / whole)
                    };
                    let Some(found) = part(&ways) else { continue };
                    outcome.push(&arm, metric, found, bootstrap(&ways, run.plan.bootstrap, 1, part), ways.len());
                    line.points.push((*level, found, None));
                }
            }
            shown.extend([named, drawn]);
        }
        let title = format!("Part of the score that goes with the features named, {}", loaded.name);
        outcome
            .figures
            .insert(format!("removed-{place}"), lines(&title, "features moved", "part of the way to people", (0.0, 1.0), &shown));
    }
    Ok(outcome)
}

/// A part of the sessions, and the model of the others.
struct Part {
    model: EnsembleModel,
    programs: Matrix,
    people: Matrix,
    /// What people of the other parts show.
    usual: Vec<f64>,
    /// Stream of its draws.
    stream: u64,
    seed: u64,
}

fn parts(run: &Run<'_>, bench: &Bench) -> Result<Vec<Part>, LabError> {
    let mut parts = Vec::new();
    for seed in run.plan.seeds.get_ref() {
        let dealt = bench.folds(run.plan.folds, *seed);
        for fold in 0..run.plan.folds {
            let (test, train): (Vec<usize>, Vec<usize>) = (0..bench.rows()).partition(|row| dealt.get(*row) == Some(&fold));
            let person = |row: &usize| bench.bot.get(*row) == Some(&false);
            let (people, programs): (Vec<usize>, Vec<usize>) = test.iter().partition(|row| person(row));
            let teachers: Vec<usize> = train.iter().copied().filter(person).collect();
            parts.push(Part {
                model: bench.model(&bench.matrix, &train, &Ask::default(), *seed)?,
                programs: bench.matrix.select_rows(&programs),
                people: bench.matrix.select_rows(&people),
                usual: medians(&bench.matrix.select_rows(&teachers)),
                stream: 0x1e87_0000 + fold,
                seed: *seed,
            });
        }
    }
    Ok(parts)
}

/// The ways of all programs that the voice scores above the people of their part.
fn ways(parts: &[Part], kind: VoiceKind, count: usize) -> Result<Vec<(Way, bool)>, LabError> {
    let mut ways = Vec::new();
    for part in parts {
        let Some(voice) = part.model.voices().find(|voice| voice.kind() == kind) else { continue };
        let ordinary = median(scores(voice, &part.people)?);
        let explained = voice.explain(&part.programs)?;
        let before = scores(voice, &part.programs)?;
        let after = scores(voice, &moved(&part.programs, &part.usual, |row| first(explained.row(row), count))?)?;
        let mut drawn = vec![0.0; part.programs.rows()];
        for draw in 0..u64::from(DRAWS) {
            let by_lot = |row: usize| {
                let mut columns: Vec<usize> = (0..part.programs.columns()).collect();
                Rng::stream(part.seed, (part.stream << 24) | (draw << 20) | row as u64).shuffle(&mut columns);
                columns.into_iter().take(count).collect()
            };
            for (sum, score) in drawn.iter_mut().zip(scores(voice, &moved(&part.programs, &part.usual, by_lot)?)?) {
                *sum += score / f64::from(DRAWS);
            }
        }
        let all = before.iter().zip(after).zip(drawn).filter(|((before, _), _)| **before > ordinary);
        ways.extend(all.map(|((before, after), drawn)| {
            (Way { whole: before - ordinary, named: before - after, drawn: before - drawn }, true)
        }));
    }
    Ok(ways)
}

/// Scores on a scale where contributions add up: log-odds for the trees, as they are for the others.
fn scores(voice: &dyn Voice, matrix: &Matrix) -> Result<Vec<f64>, LabError> {
    let scores = voice.score(matrix)?;
    if voice.kind() != VoiceKind::Boosted {
        return Ok(scores);
    }
    Ok(scores.into_iter().map(|p| p.clamp(1e-9, 1.0 - 1e-9)).map(|p| (p / (1.0 - p)).ln()).collect())
}

/// Places of the `count` largest contributions.
fn first(contributions: &[f64], count: usize) -> BTreeSet<usize> {
    let mut order: Vec<(usize, f64)> = contributions.iter().copied().enumerate().collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    order.into_iter().take(count).map(|(column, _)| column).collect()
}

/// The matrix with some columns of each row set to `usual`.
fn moved(matrix: &Matrix, usual: &[f64], columns: impl Fn(usize) -> BTreeSet<usize>) -> Result<Matrix, LabError> {
    let mut values = Vec::with_capacity(matrix.values().len());
    for row in 0..matrix.rows() {
        let chosen = columns(row);
        let cells = matrix.row(row).iter().zip(usual).enumerate();
        values.extend(cells.map(|(column, (own, usual))| if chosen.contains(&column) { *usual } else { *own }));
    }
    Ok(Matrix::new(matrix.features().clone(), values)?)
}

/// The median of each column; missing values have no say.
fn medians(matrix: &Matrix) -> Vec<f64> {
    let column = |column: usize| {
        median(
            (0..matrix.rows()).filter_map(|row| matrix.row(row).get(column).copied()).filter(|value| !value.is_nan()).collect(),
        )
    };
    (0..matrix.columns()).map(column).collect()
}

/// The upper median; 0 of nothing.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ja4_models::FeatureSet;

    #[test]
    fn what_is_named_is_moved_and_nothing_else() {
        let matrix = Matrix::new(FeatureSet::numbered(3).unwrap(), vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
        assert_eq!(first(&[0.1, 0.7, 0.7], 2), BTreeSet::from([1, 2]));
        let changed = moved(&matrix, &[0.0; 3], |row| BTreeSet::from([row])).unwrap();
        assert_eq!(changed.values(), [0.0, 2.0, 3.0, 4.0, 0.0, 6.0]);
        assert_eq!(medians(&matrix), [4.0, 5.0, 6.0]);
    }
}
