//! Density clustering as a user meets it: against PyPI hdbscan and scikit-learn, against a brute-force tree, and by its properties.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use common::{matrix, numbers, on_threads};
use ja4_models::cluster::{HdbscanParams, Selection};
use ja4_models::{FeatureSet, Matrix, ModelError, Rng, metrics};
use proptest::prelude::*;
use serde_json::Value;

/// Made by `reference/clusters.py make`.
fn reference() -> Value {
    serde_json::from_str(include_str!("reference/clusters.json")).unwrap()
}

fn labels(value: &Value) -> Vec<u32> {
    // Noise is a class like any other here: it must agree too.
    value.as_array().unwrap().iter().map(|label| (label.as_i64().unwrap() + 1) as u32).collect()
}

#[test]
fn labels_and_memberships_are_those_of_hdbscan_and_scikit_learn() {
    let reference = reference();
    for case in reference["cases"].as_array().unwrap() {
        if case["samples"] != 1 && case["table"] == "noise" {
            continue; // nothing to find, so ties decide everything
        }
        let number = |name: &str| case[name].as_u64().unwrap() as usize;
        let table = matrix(&reference["tables"][case["table"].as_str().unwrap()], None);
        let settings = HdbscanParams::default()
            .min_cluster_size(number("size"))
            .min_samples(number("samples"))
            .epsilon(case["epsilon"].as_f64().unwrap())
            .allow_single_cluster(case["single"].as_bool().unwrap())
            .selection(if case["method"] == "leaf" { Selection::Leaves } else { Selection::ExcessOfMass });
        let found = settings.check().unwrap().fit(&table).unwrap();
        let what = format!("{} {} {} {}", case["table"], case["size"], case["method"], case["epsilon"]);
        let ours: Vec<Option<u32>> = found.labels.iter().map(|label| Some(label.map_or(0, |label| label + 1))).collect();
        // Where lengths tie, any order is a right answer: the two judges differ from each other by as much.
        let ties = number("samples") > 1;
        for judge in ["hdbscan", "sklearn"].into_iter().filter(|judge| case[judge].is_array()) {
            let rand = metrics::adjusted_rand(&ours, &labels(&case[judge])).unwrap();
            assert!(rand > if ties { 0.98 } else { 1.0 - 1e-12 }, "{what}: adjusted Rand {rand} against {judge}");
        }
        for (row, (ours, theirs)) in found.probabilities.iter().zip(numbers(&case["probabilities"])).enumerate() {
            assert!(ties || (ours - theirs).abs() < 1e-8, "{what}: membership of row {row} is {ours}, hdbscan says {theirs}");
        }
    }
}

fn scattered(rows: usize, columns: usize, seed: u64) -> Matrix {
    let mut rng = Rng::stream(seed, 0);
    let values = (0..rows * columns).map(|at| rng.normal() + 8.0 * ((at / columns) % 4) as f64).collect();
    Matrix::new(FeatureSet::numbered(columns).unwrap(), values).unwrap()
}

#[test]
fn the_same_on_any_number_of_threads() {
    let table = scattered(3_000, 6, 5);
    let settings = HdbscanParams::default().check().unwrap();
    let one = on_threads(1, || settings.fit(&table).unwrap());
    assert!(one.clusters() >= 4);
    for threads in [2, 8] {
        assert_eq!(on_threads(threads, || settings.fit(&table).unwrap()), one);
    }
}

#[test]
fn heaps_of_equal_rows_are_clusters_and_cost_nothing() {
    // 200,000 rows with four contents: without merging equal rows this is 10^10 distances of zero.
    let values = (0..200_000).map(|row| f64::from(row % 4)).collect();
    let table = Matrix::new(FeatureSet::numbered(1).unwrap(), values).unwrap();
    let found = HdbscanParams::default().check().unwrap().fit(&table).unwrap();
    assert_eq!(found.clusters(), 4);
    assert!(found.labels.iter().enumerate().all(|(row, label)| *label == Some(row as u32 % 4)));
    assert!(found.probabilities.iter().all(|p| *p == 1.0));
}

#[test]
fn what_cannot_be_clustered_is_said_or_gives_no_cluster() {
    let settings = HdbscanParams::default().check().unwrap();
    let few = Matrix::new(FeatureSet::numbered(2).unwrap(), vec![1.0; 6]).unwrap();
    assert_eq!(settings.fit(&few).unwrap().labels, [None; 3]);
    let none = Matrix::new(FeatureSet::numbered(2).unwrap(), Vec::new()).unwrap();
    assert!(settings.fit(&none).unwrap().labels.is_empty());
    let missing = Matrix::new(FeatureSet::numbered(1).unwrap(), vec![1.0, f64::NAN]).unwrap();
    assert!(matches!(settings.fit(&missing), Err(ModelError::NotFinite { position: 1, .. })));
}

/// Mutual reachability of every pair, by the definition.
fn reachability(table: &Matrix, samples: usize) -> Vec<Vec<f64>> {
    let rows = 0..table.rows();
    let between = |a: usize, b: usize| table.row(a).iter().zip(table.row(b)).map(|(x, y)| (x - y) * (x - y)).sum::<f64>().sqrt();
    let core: Vec<f64> = rows
        .clone()
        .map(|row| {
            let mut all: Vec<f64> = rows.clone().map(|other| between(row, other)).collect();
            all.sort_by(f64::total_cmp);
            all[samples.min(rows.len() - 1)]
        })
        .collect();
    rows.clone().map(|a| rows.clone().map(|b| between(a, b).max(core[a]).max(core[b])).collect()).collect()
}

/// Rows that hang on `row` by steps of at most `cut`.
fn hanging_on(row: usize, pairs: &[Vec<f64>], cut: f64) -> Vec<bool> {
    let mut reached = vec![false; pairs.len()];
    let mut pending = vec![row];
    while let Some(at) = pending.pop() {
        if !std::mem::replace(&mut reached[at], true) {
            pending.extend((0..pairs.len()).filter(|other| *other != at && pairs[at][*other] <= cut));
        }
    }
    reached
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Whatever the table, and however many distances tie: at some distance each cluster hangs together, and no row of another on it.
    #[test]
    fn any_table_gives_sound_clusters(
        rows in prop::collection::vec((0i8..12, 0i8..12, prop::bool::weighted(0.3)), 6..50),
        size in 2usize..6,
        samples in 1usize..5,
    ) {
        let values: Vec<f64> = rows.iter().flat_map(|(x, y, far)| [f64::from(*x) * if *far { 9.0 } else { 1.0 }, f64::from(*y)]).collect();
        let table = Matrix::new(FeatureSet::numbered(2).unwrap(), values).unwrap();
        let found = HdbscanParams::default().min_cluster_size(size).min_samples(samples).check().unwrap().fit(&table).unwrap();
        for (p, label) in found.probabilities.iter().zip(&found.labels) {
            prop_assert!((0.0..=1.0).contains(p) && (label.is_some() || *p == 0.0));
        }
        let pairs = reachability(&table, samples);
        let mut cuts: Vec<f64> = pairs.concat();
        cuts.sort_by(f64::total_cmp);
        cuts.dedup();
        for (cluster, members) in found.members().into_iter().enumerate() {
            prop_assert!(members.len() >= size);
            let parted = cuts.iter().any(|cut| {
                let reached = hanging_on(members[0], &pairs, *cut);
                let fits = |(row, label): (usize, &Option<u32>)| label.is_none() || reached[row] == (*label == Some(cluster as u32));
                found.labels.iter().enumerate().all(fits)
            });
            prop_assert!(parted, "cluster {members:?}");
        }
    }

    /// The order of rows decides nothing but the numbers of clusters.
    #[test]
    fn the_order_of_rows_does_not_matter(rows in prop::collection::vec((0i8..9, 0i8..9), 8..60), seed in 0u64..1000) {
        let table = |order: &[usize]| {
            let values = order.iter().flat_map(|row| [f64::from(rows[*row].0), f64::from(rows[*row].1)]).collect();
            Matrix::new(FeatureSet::numbered(2).unwrap(), values).unwrap()
        };
        let settings = HdbscanParams::default().min_cluster_size(3).min_samples(2).check().unwrap();
        let straight: Vec<usize> = (0..rows.len()).collect();
        let mut mixed = straight.clone();
        Rng::stream(seed, 0).shuffle(&mut mixed);
        let one = settings.fit(&table(&straight)).unwrap();
        let other = settings.fit(&table(&mixed)).unwrap();
        for (place, row) in mixed.iter().enumerate() {
            prop_assert_eq!(one.labels[*row].is_some(), other.labels[place].is_some());
            prop_assert!((one.probabilities[*row] - other.probabilities[place]).abs() < 1e-12);
        }
        prop_assert_eq!(one.clusters(), other.clusters());
    }
}
