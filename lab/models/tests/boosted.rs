//! Boosted trees as a user meets them: against XGBoost (import, SHAP, quality) and by their properties.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use common::{flags, matrix, mixed_table, numbers, reference};
use ja4_models::{BoostedModel, BoostedParams, FeatureSet, Fit, Matrix, ModelError, Voice, metrics};
use proptest::prelude::*;

const XGBOOST_MODEL: &str = include_str!("reference/xgboost_model.json");

#[test]
fn an_imported_model_scores_and_explains_as_xgboost_does() {
    let expected = reference("xgboost");
    let rows = matrix(&expected["rows"], Some(&expected["names"]));
    let model = BoostedModel::from_xgboost_json(XGBOOST_MODEL.as_bytes(), None).unwrap();
    let close = |ours: &[f64], theirs: &[f64], limit: f64| {
        for (ours, theirs) in ours.iter().zip(theirs) {
            assert!((ours - theirs).abs() < limit, "{ours} against {theirs}");
        }
    };
    close(&model.score(&rows).unwrap(), &numbers(&expected["probabilities"]), 1e-6);
    close(&model.margins(&rows).unwrap(), &numbers(&expected["margins"]), 2e-6);
    let explanation = model.explain(&rows).unwrap();
    for (row, theirs) in expected["contributions"].as_array().unwrap().iter().enumerate() {
        let theirs = numbers(theirs);
        close(explanation.row(row), &theirs[..4], 5e-6);
        close(&[explanation.baseline], &theirs[4..], 5e-6);
    }
    // Once imported it is a model like any other.
    let again = ja4_models::load(&model.to_bytes()).unwrap();
    assert_eq!(again.score(&rows).unwrap(), model.score(&rows).unwrap());
}

#[test]
fn base_scores_of_older_versions_are_read() {
    let old = XGBOOST_MODEL.replace("\"[2.4333334E-1]\"", "\"2.4333334E-1\"");
    assert_ne!(old, XGBOOST_MODEL);
    assert_eq!(
        BoostedModel::from_xgboost_json(old.as_bytes(), None).unwrap(),
        BoostedModel::from_xgboost_json(XGBOOST_MODEL.as_bytes(), None).unwrap()
    );
}

#[test]
fn models_of_other_kinds_are_refused_by_name() {
    let cases = [
        ("binary:logistic", "reg:squarederror", "objective"),
        ("\"name\":\"gbtree\"", "\"name\":\"dart\"", "booster"),
        ("\"num_class\":\"0\"", "\"num_class\":\"3\"", "several outputs"),
        ("\"num_feature\":\"4\"", "\"num_feature\":\"3\"", "column names"),
        ("\"[2.4333334E-1]\"", "\"[2E0]\"", "base score"),
        ("\"left_children\":[", "\"left_children\":[0,", "tree"),
        ("\"left_children\":[1,", "\"left_children\":[999,", "outside"),
    ];
    for (from, to, word) in cases {
        assert!(XGBOOST_MODEL.contains(from), "{from}");
        let error = BoostedModel::from_xgboost_json(XGBOOST_MODEL.replace(from, to).as_bytes(), None).map(|_| from).unwrap_err();
        assert!(matches!(&error, ModelError::XgboostImport { .. }) && error.to_string().contains(word), "{error}");
    }
    for cut in (0..XGBOOST_MODEL.len()).step_by(97) {
        assert!(BoostedModel::from_xgboost_json(&XGBOOST_MODEL.as_bytes()[..cut], None).is_err());
    }
}

#[test]
fn fitted_here_is_as_good_as_fitted_by_xgboost() {
    let task = reference("boosting");
    let (table, labels) = (matrix(&task["rows"], None), flags(&task["labels"]));
    let split = task["train_rows"].as_u64().unwrap() as usize;
    let (train, rest): (Vec<usize>, Vec<usize>) = (0..table.rows()).partition(|&row| row < split);
    let boosted = BoostedParams::default().check().unwrap();
    let model = boosted.fit(&table.select_rows(&train), Some(&labels[..split]), 0).unwrap();
    let auroc = metrics::auroc(&model.score(&table.select_rows(&rest)).unwrap(), &labels[split..]).unwrap();
    let theirs = task["auroc_of_the_rest"].as_f64().unwrap();
    assert!(auroc > theirs - 0.02, "{auroc} against {theirs}");
}

#[test]
fn missing_values_carry_information() {
    let values = (0..400).map(|row| if row % 4 == 0 { f64::NAN } else { f64::from(row % 7) }).collect();
    let labels: Vec<bool> = (0..400).map(|row| row % 4 == 0).collect();
    let table = Matrix::new(FeatureSet::numbered(1).unwrap(), values).unwrap();
    let model = BoostedParams::default().trees(20).check().unwrap().fit(&table, Some(&labels), 0).unwrap();
    assert_eq!(metrics::auroc(&model.score(&table).unwrap(), &labels).unwrap(), 1.0);
}

#[test]
fn labels_that_teach_nothing_are_refused() {
    let boosted = BoostedParams::default().check().unwrap();
    let (table, labels) = mixed_table(50, 1);
    assert!(matches!(boosted.fit(&table, None, 0), Err(ModelError::LabelsMissing { .. })));
    assert!(matches!(boosted.fit(&table, Some(&labels[1..]), 0), Err(ModelError::LengthMismatch { .. })));
    assert!(matches!(boosted.fit(&table, Some(&[true; 50]), 0), Err(ModelError::OneClass { .. })));
    assert!(matches!(boosted.fit(&table.select_rows(&[]), Some(&[]), 0), Err(ModelError::TooFewRows { .. })));
    // Columns that say nothing: the model says the share of anomalies for every row.
    let empty = Matrix::new(FeatureSet::numbered(2).unwrap(), vec![f64::NAN; 100]).unwrap();
    let scores = boosted.fit(&empty, Some(&labels), 0).unwrap().score(&empty).unwrap();
    assert!(scores.iter().all(|score| (score - 0.04).abs() < 1e-3), "{}", scores[0]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn shap_sums_to_the_margin_for_few_rows_and_for_many(seed in 0u64..1_000, depth in 1usize..8, rows in 1usize..300) {
        let (table, labels) = mixed_table(400, seed);
        let model = BoostedParams::default().trees(8).max_depth(depth).check().unwrap().fit(&table, Some(&labels), 0).unwrap();
        let some = table.select_rows(&(0..rows).collect::<Vec<_>>());
        let explanation = model.explain(&some).unwrap();
        for (row, margin) in model.margins(&some).unwrap().into_iter().enumerate() {
            let sum = explanation.baseline + explanation.row(row).iter().sum::<f64>();
            prop_assert!((sum - margin).abs() < 1e-9, "{} against {}", sum, margin);
        }
    }

    #[test]
    fn rising_transformations_of_a_column_change_nothing(seed in 0u64..1_000) {
        // Trees see order only. The columns here have few values, so every cut falls between the same two.
        let mut rng = ja4_models::Rng::stream(seed, 1);
        let values: Vec<f64> = (0..600).map(|_| rng.below(40) as f64).collect();
        let labels: Vec<bool> = values.chunks(2).map(|row| row[0] + row[1] > 50.0 || rng.below(10) == 0).collect();
        let table = |values: Vec<f64>| Matrix::new(FeatureSet::numbered(2).unwrap(), values).unwrap();
        let boosted = BoostedParams::default().trees(10).check().unwrap();
        let (plain, bent) = (table(values.clone()), table(values.iter().map(|value| value.powi(3) * 0.5 + 1.0).collect()));
        let scores = |table: &Matrix| boosted.fit(table, Some(&labels), 0).unwrap().score(table).unwrap();
        prop_assert_eq!(scores(&plain), scores(&bent));
    }

    #[test]
    fn any_numbers_give_scores(values in prop::collection::vec(prop::num::f64::ANY, 12..120)) {
        let rows = values.len() / 3;
        let labels: Vec<bool> = (0..rows).map(|row| row % 2 == 0).collect();
        let table = Matrix::new(FeatureSet::numbered(3).unwrap(), values[..rows * 3].to_vec()).unwrap();
        let model = BoostedParams::default().trees(5).min_child_weight(0.0).check().unwrap().fit(&table, Some(&labels), 0).unwrap();
        common::assert_scores_are_sound(&model.score(&table).unwrap(), rows);
    }
}

#[test]
fn a_tree_may_be_given_a_share_of_the_columns() {
    // Every column tells the classes apart, the first best; with all columns in sight the others are hardly used.
    let mut rng = ja4_models::Rng::stream(4, 0);
    let labels: Vec<bool> = (0..2_000).map(|row| row % 4 == 0).collect();
    let values = labels.iter().flat_map(|&odd| {
        let shift = f64::from(u8::from(odd));
        [6.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0].map(|distance| rng.normal() + distance * shift)
    });
    let values: Vec<f64> = values.collect();
    let table = Matrix::new(FeatureSet::numbered(10).unwrap(), values).unwrap();
    let fit = |share: f64, seed: u64| {
        BoostedParams::default().columns_share(share).check().unwrap().fit(&table, Some(&labels), seed).unwrap()
    };
    let part_of_first = |model: &BoostedModel| {
        let explanation = model.explain(&table).unwrap();
        let sum = |column: usize| (0..table.rows()).map(|row| explanation.row(row)[column].abs()).sum::<f64>();
        sum(0) / (0..10).map(sum).sum::<f64>()
    };
    let (all, few) = (fit(1.0, 1), fit(0.3, 1));
    assert!(part_of_first(&few) < part_of_first(&all) - 0.15, "{} and {}", part_of_first(&few), part_of_first(&all));
    assert!(metrics::auroc(&few.score(&table).unwrap(), &labels).unwrap() > 0.99);
    assert_eq!(few.digest(), fit(0.3, 1).digest());
    assert_ne!(few.digest(), fit(0.3, 2).digest());
    assert_eq!(all.digest(), fit(1.0, 2).digest(), "with all columns nothing is random");
    assert!(BoostedParams::default().columns_share(1.1).check().is_err());
}
