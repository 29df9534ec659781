//! Drift as an operator meets it: what is injected is found, what is only sampled anew is not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use ja4_models::drift::{DriftLimits, compare};
use ja4_models::{FeatureSet, Matrix, Rng};

/// Sessions as they are: heavy tails, flags, counts, shares with many zeros, and columns that follow each other. `hour` moves a few of them,
/// as day and night do.
fn sessions(rows: usize, seed: u64, hour: f64) -> Matrix {
    let mut rng = Rng::stream(seed, 3);
    let columns = 40;
    let mut values = Vec::with_capacity(rows * columns);
    for _ in 0..rows {
        let client = rng.normal();
        for column in 0..columns {
            let own = rng.normal();
            let mixed = 0.7 * client + 0.7 * own;
            values.push(match column % 5 {
                0 => (mixed * 1.5 + if column < 10 { 0.3 * hour } else { 0.0 }).exp(),
                1 => f64::from(u8::from(mixed > 1.0)),
                2 => (mixed.abs() * 3.0).floor(),
                3 => {
                    if own < 0.5 {
                        0.0
                    } else {
                        mixed
                    }
                }
                _ => mixed,
            });
        }
    }
    Matrix::new(FeatureSet::numbered(columns).unwrap(), values).unwrap()
}

fn joined(parts: &[Matrix]) -> (Matrix, Vec<i64>) {
    let values = parts.iter().flat_map(|part| part.values().iter().copied()).collect();
    let names = parts.iter().enumerate().flat_map(|(name, part)| vec![name as i64; part.rows()]).collect();
    (Matrix::new(parts[0].features().clone(), values).unwrap(), names)
}

/// A day in 24 hours of 200 sessions, with a course of day and night.
fn day() -> (Matrix, Vec<i64>) {
    let hours: Vec<Matrix> =
        (0..24).map(|hour| sessions(200, 100 + hour, (hour as f64 / 24.0 * std::f64::consts::TAU).sin())).collect();
    joined(&hours)
}

#[test]
fn fifty_cycles_without_drift_raise_no_alarm() {
    let (reference, parts) = day();
    for cycle in 0..50 {
        let hour = (cycle as f64 / 24.0 * std::f64::consts::TAU).sin();
        let found = compare(&reference, &parts, &sessions(200, 9_000 + cycle, hour), &DriftLimits::default()).unwrap();
        let drifted: Vec<&str> =
            found.columns.iter().filter(|column| column.drifted).map(|column| column.name.as_str()).collect();
        assert!(drifted.is_empty() && !found.adversarial, "cycle {cycle}: {drifted:?}");
    }
}

#[test]
fn injected_drift_is_found_at_once_and_named() {
    let (reference, parts) = day();
    let mut now = sessions(200, 77, 0.0).values().to_vec();
    now.chunks_exact_mut(40).for_each(|row| row[14] += 1.2);
    let now = Matrix::new(reference.features().clone(), now).unwrap();
    let found = compare(&reference, &parts, &now, &DriftLimits::default()).unwrap();
    let drifted: Vec<&str> = found.columns.iter().filter(|column| column.drifted).map(|column| column.name.as_str()).collect();
    assert_eq!(drifted, ["f14"]);
    let column = &found.columns[14];
    assert!(column.shift > 0.3 && column.now[4] > column.then[4] + 0.8 && !found.adversarial, "{column:?}");
}

#[test]
fn everything_moving_one_way_is_adversarial_and_change_both_ways_is_not() {
    let (reference, parts) = day();
    let moved = |way: fn(usize) -> f64| {
        let mut now = sessions(400, 78, 0.0).values().to_vec();
        now.chunks_exact_mut(40).for_each(|row| row.iter_mut().enumerate().for_each(|(column, value)| *value += way(column)));
        let now = Matrix::new(reference.features().clone(), now).unwrap();
        compare(&reference, &parts, &now, &DriftLimits::default()).unwrap()
    };
    let one_way = moved(|_| -1.5);
    assert!(one_way.adversarial && one_way.same_way >= 0.8, "{}", one_way.same_way);
    let both_ways = moved(|column| if column % 2 == 0 { 1.5 } else { -1.5 });
    assert!(!both_ways.adversarial && both_ways.drifted_share > 0.5, "{} {}", both_ways.same_way, both_ways.drifted_share);
}

#[test]
fn what_cannot_be_compared_is_said() {
    let (reference, parts) = day();
    let limits = DriftLimits::default();
    assert!(compare(&reference, &parts, &sessions(49, 1, 0.0), &limits).unwrap_err().to_string().contains("at least 50 rows"));
    assert!(compare(&reference, &parts[1..], &sessions(100, 1, 0.0), &limits).is_err());
    let other = Matrix::new(FeatureSet::numbered(2).unwrap(), vec![0.0; 200]).unwrap();
    assert!(compare(&reference, &parts, &other, &limits).is_err());
}
