//! Tables and reference values shared by the tests.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, missing_docs)]

use ja4_models::{FeatureSet, Matrix, Rng};
use serde_json::Value;

/// `reference/reference.json`; made by `reference/make.py`.
pub fn reference(section: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("../reference/reference.json")).unwrap();
    all[section].clone()
}

pub fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|item| item.as_f64().unwrap_or(f64::NAN)).collect()
}

pub fn flags(value: &Value) -> Vec<bool> {
    numbers(value).into_iter().map(|number| number != 0.0).collect()
}

/// Rows of numbers; `null` is missing.
pub fn matrix(rows: &Value, names: Option<&Value>) -> Matrix {
    let rows: Vec<Vec<f64>> = rows.as_array().unwrap().iter().map(numbers).collect();
    let features = match names {
        Some(names) => FeatureSet::new(names.as_array().unwrap().iter().map(|name| name.as_str().unwrap())).unwrap(),
        None => FeatureSet::numbered(rows[0].len()).unwrap(),
    };
    Matrix::new(features, rows.concat()).unwrap()
}

/// A table with heavy tails, few-valued, constant and partly missing columns; one row in 25 is shifted and labelled.
pub fn mixed_table(rows: usize, seed: u64) -> (Matrix, Vec<bool>) {
    let mut rng = Rng::stream(seed, 0);
    let labels: Vec<bool> = (0..rows).map(|row| row % 25 == 3).collect();
    let mut values = Vec::new();
    for &odd in &labels {
        let shift = if odd { 3.0 } else { 0.0 };
        let base = rng.normal();
        values.extend([
            base + shift,
            base * 2.0 + rng.normal() * 0.1 + shift,
            (rng.normal() * 2.0).exp(),
            rng.below(4) as f64,
            7.0,
            if rng.uniform() < 0.3 { f64::NAN } else { rng.normal() - shift },
            1.7e18 + rng.normal() * 1e9,
            f64::NAN,
        ]);
    }
    (Matrix::new(FeatureSet::numbered(8).unwrap(), values).unwrap(), labels)
}

/// The result of `work` on a pool of that many threads.
pub fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}

pub fn assert_scores_are_sound(scores: &[f64], rows: usize) {
    assert_eq!(scores.len(), rows);
    assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)), "a score is outside 0 to 1");
}
