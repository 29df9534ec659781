//! The Extended Isolation Forest as a user meets it: against scikit-learn and isotree, and by its properties.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use common::{matrix, mixed_table, numbers, reference};
use ja4_models::eif::average_path_length;
use ja4_models::{EifParams, FeatureSet, Fit, Matrix, ModelError, Voice};
use proptest::prelude::*;

fn scores_of(params: EifParams, points: &Matrix, rows: &[usize], seed: u64) -> Vec<f64> {
    let model = params.check().unwrap().fit(points, None, seed).unwrap();
    model.score(&points.select_rows(rows)).unwrap()
}

#[test]
fn level_0_scores_as_scikit_learn_and_level_1_as_isotree() {
    let forest = reference("forest");
    let points = matrix(&forest["points"], None);
    let rows: Vec<usize> = numbers(&forest["rows"]).into_iter().map(|row| row as usize).collect();
    let params = EifParams::default().trees(2_000);
    let cases =
        [(params.extension_level(0), "sklearn_scores"), (params.extension_level(1).axis_parallel_share(0.0), "isotree_scores")];
    for (params, name) in cases {
        let expected = numbers(&forest[name]);
        for (ours, theirs) in scores_of(params, &points, &rows, 3).into_iter().zip(expected) {
            // Both are means over 2,000 random trees; formulas for c(n) differ slightly (exact here).
            assert!((ours - theirs).abs() < 0.02, "{name}: {ours} against {theirs}");
        }
    }
}

#[test]
fn path_lengths_are_near_scikit_learns_approximation() {
    for (rows, expected) in reference("path_lengths").as_object().unwrap() {
        let (rows, expected): (usize, f64) = (rows.parse().unwrap(), expected.as_f64().unwrap());
        // It takes H(n) for ln n + 0.5772, short by about 1/(2n).
        let shortfall = if rows > 2 { 1.2 / (rows - 1) as f64 } else { 0.0 };
        let ours = average_path_length(rows);
        assert!(ours >= expected - 1e-9 && ours <= expected + shortfall, "{rows}: {ours} against {expected}");
    }
}

#[test]
fn explanation_names_the_column_that_is_odd_in_any_unit() {
    let (table, _) = mixed_table(800, 9);
    for (unit, level) in [(1.0, 0), (1.0, 1), (1e6, 1), (1e-6, 2)] {
        let mut values = table.values().to_vec();
        values[5 * 8 + 2] = 1e7;
        values.iter_mut().skip(2).step_by(8).for_each(|value| *value *= unit);
        let table = Matrix::new(table.features().clone(), values).unwrap();
        let model = EifParams::default().extension_level(level).check().unwrap().fit(&table, None, 1).unwrap();
        let explanation = model.explain(&table).unwrap();
        assert_eq!(explanation.top(5, 1)[0].0, "f2", "unit {unit}, level {level}");
        for row in 0..table.rows() {
            assert!((explanation.row(row).iter().sum::<f64>() - 1.0).abs() < 1e-9);
            // The constant and the empty column can isolate nothing.
            assert_eq!((explanation.row(row)[4], explanation.row(row)[7]), (0.0, 0.0));
        }
    }
}

#[test]
fn all_routes_through_the_trees_agree() {
    // Levels 0 to 2 take the packed loop, higher ones the general one; a single row takes the rest of a block.
    let (table, _) = mixed_table(300, 4);
    for level in 0..7 {
        let model = EifParams::default().trees(20).extension_level(level).check().unwrap().fit(&table, None, 2).unwrap();
        let together = model.score(&table).unwrap();
        for row in [0, 1, 63, 64, 299] {
            assert_eq!(model.score(&table.select_rows(&[row])).unwrap()[0], together[row], "level {level} row {row}");
        }
        common::assert_scores_are_sound(&together, 300);
    }
}

#[test]
fn odd_tables_end_in_a_sentence_or_in_scores() {
    let eif = EifParams::default().check().unwrap();
    let table = |rows: usize, value: f64| Matrix::new(FeatureSet::numbered(2).unwrap(), vec![value; rows * 2]).unwrap();
    for rows in [0, 1] {
        let error = eif.fit(&table(rows, 1.0), None, 0).unwrap_err();
        assert_eq!(error.to_string(), format!("fitting the isolation forest: needs at least 2 rows, the table has {rows}"));
    }
    for value in [3.0, f64::NAN, f64::INFINITY] {
        let model = eif.fit(&table(50, value), None, 0).unwrap();
        let scores = model.score(&table(50, value)).unwrap();
        assert!(scores.iter().all(|score| *score == scores[0] && score.is_finite()), "{value}");
        assert!(model.score(&table(0, 0.0)).unwrap().is_empty());
    }
    let extreme = Matrix::new(FeatureSet::numbered(1).unwrap(), vec![f64::MAX, f64::MIN, 1e-300, 0.0, 1.0]).unwrap();
    let scores = eif.fit(&extreme, None, 0).unwrap().score(&extreme).unwrap();
    common::assert_scores_are_sound(&scores, 5);
    let other = Matrix::new(FeatureSet::new(["x", "y"]).unwrap(), vec![0.0; 4]).unwrap();
    let error = eif.fit(&table(9, 1.0), None, 0).unwrap().score(&other).unwrap_err();
    assert!(matches!(error, ModelError::FeatureHash { .. }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn permuting_rows_permutes_scores(seed in 0u64..1_000, level in 0usize..4) {
        let (table, _) = mixed_table(120, seed);
        let model = EifParams::default().trees(15).extension_level(level).check().unwrap().fit(&table, None, seed).unwrap();
        let mut order: Vec<usize> = (0..120).collect();
        ja4_models::Rng::stream(seed, 9).shuffle(&mut order);
        let scores = model.score(&table).unwrap();
        let permuted = model.score(&table.select_rows(&order)).unwrap();
        prop_assert!(order.iter().zip(permuted).all(|(&row, score)| scores[row] == score));
    }

    #[test]
    fn units_do_not_matter(seed in 0u64..1_000, exponent in -40i32..40, level in 0usize..3) {
        // By a power of two, so that no rounding differs: the scores are then the same to the last bit.
        let (table, _) = mixed_table(150, seed);
        let values = table.values().iter().map(|value| value * 2f64.powi(exponent)).collect();
        let scaled = Matrix::new(table.features().clone(), values).unwrap();
        let eif = EifParams::default().trees(10).extension_level(level).check().unwrap();
        let scores = eif.fit(&table, None, seed).unwrap().score(&table).unwrap();
        prop_assert_eq!(scores, eif.fit(&scaled, None, seed).unwrap().score(&scaled).unwrap());
    }

    #[test]
    fn any_numbers_give_scores(values in prop::collection::vec(prop::num::f64::ANY, 6..90), level in 0usize..3) {
        let rows = values.len() / 3;
        let table = Matrix::new(FeatureSet::numbered(3).unwrap(), values[..rows * 3].to_vec()).unwrap();
        let model = EifParams::default().trees(10).extension_level(level).check().unwrap().fit(&table, None, 1).unwrap();
        common::assert_scores_are_sound(&model.score(&table).unwrap(), rows);
        prop_assert!(model.explain(&table).unwrap().values.iter().all(|value| value.is_finite()));
    }
}
