//! Weeks of traffic whose visitors change: a model of the first week, one fitted each week on the week before, one fitted on all weeks
//! before; and how often people are called anomalous at a threshold that once held.
//!
//! Promises: a week is only scored by models of weeks before it (strict temporal split).
//!
//! Read next: `datasets/scenarios/drift.toml`.

use super::{Run, ratio, voice};
use crate::error::LabError;
use crate::experiment::bench::{Ask, Bench};
use crate::experiment::outcome::Outcome;
use crate::report::svg::{Line, lines};

/// A week, ms.
const WEEK_MS: i64 = 604_800_000;
/// Share of people that a threshold may call anomalous in the week it is taken from.
const FALSE_POSITIVES: f64 = 0.05;

/// What a model of week `week` learns from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Memory {
    FirstWeek,
    WeekBefore,
    AllBefore,
}

const MEMORIES: [(&str, Memory); 3] =
    [("first week only", Memory::FirstWeek), ("week before", Memory::WeekBefore), ("all weeks before", Memory::AllBefore)];

pub(super) fn run(run: &Run<'_>) -> Result<Outcome, LabError> {
    let mut outcome = Outcome::default();
    for (place, data) in run.plan.data.iter().enumerate() {
        (run.tell)("reading data");
        let loaded = run.places.usual(data, &place.to_string())?;
        let bench = Bench::new(&loaded, run.plan, &mut outcome)?;
        let first_ms = bench.win_ms.iter().min().copied().unwrap_or_default();
        let week = |row: &usize| bench.win_ms.get(*row).map_or(0, |win| win.saturating_sub(first_ms) / WEEK_MS);
        let weeks = (0..bench.rows()).map(|row| week(&row)).max().unwrap_or_default();
        if weeks < 2 {
            return Err(LabError::Ask(format!("experiment: {} covers less than three weeks; drift needs them", loaded.name)));
        }
        let (mut ranking, mut alarms): (Vec<Line>, Vec<Line>) = (Vec::new(), Vec::new());
        for (name, memory) in MEMORIES {
            let (mut line, mut alarm) = (Line::new(name), Line::new(name));
            let mut threshold: Option<f64> = None;
            for now in 1..=weeks {
                (run.tell)(&format!("{name}: week {now}"));
                let learned = |row: &usize| match memory {
                    Memory::FirstWeek => week(row) == 0,
                    Memory::WeekBefore => week(row) == now - 1,
                    Memory::AllBefore => week(row) < now,
                };
                let train: Vec<usize> = (0..bench.rows()).filter(learned).collect();
                let test: Vec<usize> = (0..bench.rows()).filter(|row| week(row) == now).collect();
                let scores = by_week(run, &bench, &train, &test)?;
                let arm = format!("{} / {name} / week {now}", loaded.name);
                run.keep(&mut outcome, &arm, &bench, &test, &scores);
                run.measure(&mut outcome, &arm, &bench, &test, &scores, voice("together"));
                let (people, programs) = said(&bench, &test, &scores);
                if let Some(threshold) = threshold {
                    let reach = |said: &[f64]| ratio(said.iter().filter(|score| **score >= threshold).count(), said.len());
                    outcome.push(&arm, "false_positives_at_old_threshold", reach(&people), None, people.len());
                    outcome.push(&arm, "recall_at_old_threshold", reach(&programs), None, programs.len());
                    #[allow(clippy::cast_precision_loss, reason = "weeks")]
                    alarm.points.push((now as f64, reach(&people), None));
                }
                if memory != Memory::FirstWeek || threshold.is_none() {
                    threshold = upper(people, FALSE_POSITIVES);
                }
                if let Some(value) = outcome.value(&arm, "auroc") {
                    #[allow(clippy::cast_precision_loss, reason = "weeks")]
                    line.points.push((now as f64, value.value, value.interval));
                }
            }
            ranking.push(line);
            alarms.push(alarm);
        }
        let title = format!("AUROC by week, {}", loaded.name);
        outcome.figures.insert(format!("auroc-{place}"), lines(&title, "week", "AUROC", (0.5, 1.0), &ranking));
        let title = format!("People called anomalous at a threshold of an earlier week (5 % then), {}", loaded.name);
        outcome.figures.insert(format!("false-positives-{place}"), lines(&title, "week", "share of people", (0.0, 1.0), &alarms));
    }
    Ok(outcome)
}

fn by_week(run: &Run<'_>, bench: &Bench, train: &[usize], test: &[usize]) -> Result<super::Scores, LabError> {
    let mut all = Vec::new();
    for seed in run.plan.seeds.get_ref() {
        let mut scores = vec![[-1.0; 5]; bench.rows()];
        for (row, score) in test.iter().zip(bench.score(train, test, &Ask::default(), *seed)?) {
            if let Some(slot) = scores.get_mut(*row) {
                *slot = score;
            }
        }
        all.push(scores);
    }
    Ok(all)
}

/// Final scores of people and of programs among `rows`, by the first seed.
fn said(bench: &Bench, rows: &[usize], scores: &super::Scores) -> (Vec<f64>, Vec<f64>) {
    let score = |row: &usize| scores.first().and_then(|by_row| by_row.get(*row)).map_or(0.0, |scores| scores[3]);
    let (programs, people): (Vec<usize>, Vec<usize>) = rows.iter().partition(|row| bench.bot.get(**row) == Some(&true));
    (people.iter().map(score).collect(), programs.iter().map(score).collect())
}

/// The lowest score that at most `share` of the scores reach.
fn upper(mut scores: Vec<f64>, share: f64) -> Option<f64> {
    scores.sort_by(|a, b| b.total_cmp(a));
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of sessions")]
    let allowed = (scores.len() as f64 * share).floor() as usize;
    scores.get(allowed.saturating_sub(1)).copied()
}
