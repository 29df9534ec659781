//! What holds for every voice: one digest on any number of threads, saving and loading, damaged files, metrics,
//! and the autoencoder and ensemble by what a user sees of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use common::{flags, mixed_table, numbers, on_threads, reference};
use ja4_models::ensemble::LogisticRegression;
use ja4_models::metrics::{Metrics, brier};
use ja4_models::{
    AutoencoderParams, BoostedParams, EifParams, EnsembleParams, FeatureSet, Fit, Matrix, ModelError, Severity, TrainingData,
    Voice, load,
};

fn voices(table: &Matrix, labels: &[bool], seed: u64) -> Vec<Box<dyn Voice>> {
    let autoencoder = AutoencoderParams::default().max_epochs(3);
    let boosted = BoostedParams::default().trees(10);
    let ensemble =
        EnsembleParams::default().autoencoder(Some(autoencoder)).boosted(Some(boosted)).eif(EifParams::default().trees(20));
    vec![
        Box::new(EifParams::default().trees(20).check().unwrap().fit(table, None, seed).unwrap()),
        Box::new(EifParams::default().trees(10).extension_level(5).check().unwrap().fit(table, None, seed).unwrap()),
        Box::new(boosted.check().unwrap().fit(table, Some(labels), seed).unwrap()),
        Box::new(autoencoder.check().unwrap().fit(table, None, seed).unwrap()),
        Box::new(ensemble.check().unwrap().fit(table, Some(labels), seed).unwrap()),
        Box::new(ensemble.check().unwrap().fit(table, None, seed).unwrap()),
    ]
}

#[test]
fn digests_scores_and_explanations_are_the_same_on_1_2_and_8_threads() {
    // Enough rows for several partition chunks, so that the parallel route is taken.
    let (table, labels) = mixed_table(40_000, 2);
    let results = [1, 2, 8].map(|threads| {
        on_threads(threads, || {
            let some = table.select_rows(&(0..300).collect::<Vec<_>>());
            let all = voices(&table, &labels, 11);
            all.iter()
                .map(|voice| (voice.digest(), voice.score(&table).unwrap(), voice.explain(&some).unwrap()))
                .collect::<Vec<_>>()
        })
    });
    assert!(results[0] == results[1], "1 and 2 threads differ");
    assert!(results[0] == results[2], "1 and 8 threads differ");
    let (small, labels) = mixed_table(400, 2);
    let digests = |seed| voices(&small, &labels, seed).iter().map(|voice| voice.digest()).collect::<Vec<_>>();
    assert_eq!(digests(4), digests(4));
    // The boosted trees (number 2) use no random numbers.
    assert!(digests(4).iter().zip(digests(5)).enumerate().all(|(at, (a, b))| (*a == b) == (at == 2)));
}

#[test]
fn every_voice_survives_saving_and_refuses_other_features() {
    let (table, labels) = mixed_table(1_500, 3);
    let other = Matrix::new(FeatureSet::new((0..8).map(|i| format!("other{i}"))).unwrap(), vec![0.0; 8]).unwrap();
    for voice in voices(&table, &labels, 1) {
        let back = load(&voice.to_bytes()).unwrap();
        assert_eq!((back.kind(), back.digest()), (voice.kind(), voice.digest()));
        assert_eq!(back.score(&table).unwrap(), voice.score(&table).unwrap());
        assert_eq!(back.explain(&table).unwrap(), voice.explain(&table).unwrap());
        common::assert_scores_are_sound(&voice.score(&table).unwrap(), 1_500);
        assert!(matches!(back.score(&other), Err(ModelError::FeatureHash { .. })));
        assert!(matches!(back.explain(&other), Err(ModelError::FeatureHash { .. })));
        assert!(voice.score(&table.select_rows(&[])).unwrap().is_empty());
    }
}

#[test]
fn damaged_files_are_refused_and_forged_ones_do_no_harm() {
    use sha2::{Digest, Sha256};
    let (table, labels) = mixed_table(300, 3);
    let mut survivors = 0;
    for (number, voice) in voices(&table, &labels, 1).into_iter().enumerate() {
        let file = voice.to_bytes();
        let mut rng = ja4_models::Rng::stream(number as u64, 0);
        for round in 0..600 {
            let mut damaged = file.clone();
            let at = rng.below(if round % 2 == 0 { file.len() } else { file.len().min(600) });
            damaged[at] ^= 1 << rng.below(8);
            assert!(load(&damaged).is_err(), "a flipped bit at {at} went unseen");
            assert!(load(&file[..at]).is_err(), "a cut at {at} went unseen");
            // The same damage under a checksum that fits: refused, or a model that scores without harm.
            let body = damaged.len() - 32;
            let checksum = Sha256::digest(&damaged[..body]);
            damaged[body..].copy_from_slice(&checksum);
            if let Ok(model) = load(&damaged)
                && let Ok(scores) = model.score(&table)
            {
                survivors += 1;
                assert!(scores.iter().all(|score| score.is_finite()), "voice {number}, byte {at}");
                assert!(model.explain(&table.select_rows(&[0, 1])).unwrap().values.iter().all(|value| value.is_finite()));
            }
        }
    }
    assert!(survivors > 100, "the forged files never got past the door: {survivors}");
    let mut newer = voices(&table, &labels, 1).swap_remove(0).to_bytes();
    newer[8] = 3;
    assert_eq!(load(&newer).err(), Some(ModelError::ModelVersion { found: 3, expected: 2 }));
}

#[test]
fn metrics_and_logistic_regression_equal_scikit_learn() {
    let expected = reference("metrics");
    let (scores, labels) = (numbers(&expected["scores"]), flags(&expected["labels"]));
    let metrics = Metrics::of(&scores, &labels).unwrap();
    let close = |ours: f64, theirs: &serde_json::Value, limit: f64| {
        assert!((ours - theirs.as_f64().unwrap()).abs() < limit, "{ours} against {theirs}");
    };
    close(metrics.auroc, &expected["auroc"], 1e-12);
    close(metrics.ap, &expected["ap"], 1e-12);
    close(brier(&scores, &labels).unwrap(), &expected["brier"], 1e-12);

    let expected = reference("logistic");
    let rows = common::matrix(&expected["rows"], None);
    let model = LogisticRegression::fit(rows.values(), 3, &flags(&expected["labels"]), 0.7).unwrap();
    close(model.intercept(), &expected["intercept"], 1e-5);
    model.coefficients().iter().enumerate().for_each(|(at, &ours)| close(ours, &expected["coefficients"][at], 1e-5));
}

#[test]
fn the_autoencoder_learns_a_relation_and_names_who_breaks_it() {
    // Three columns that always agree up to noise; one row where the third does not, each value ordinary by itself.
    let mut rng = ja4_models::Rng::stream(1, 0);
    let mut values: Vec<f64> = Vec::new();
    for _ in 0..3_000 {
        let base = rng.normal();
        values.extend([base, 2.0 * base + 0.05 * rng.normal(), -base + 0.05 * rng.normal(), 5.0]);
    }
    values[40..44].copy_from_slice(&[1.0, 2.0, 1.0, 5.0]);
    let table = Matrix::new(FeatureSet::new(["a", "twice_a", "minus_a", "constant"]).unwrap(), values).unwrap();
    let model = AutoencoderParams::default().check().unwrap().fit(&table, None, 5).unwrap();
    let scores = model.score(&table).unwrap();
    let above = scores.iter().filter(|&&score| score > scores[10]).count();
    assert!(above < 30, "{above} rows score above the broken one");
    let explanation = model.explain(&table).unwrap();
    assert!((explanation.row(10).iter().sum::<f64>() - 1.0).abs() < 1e-9);
    assert!(explanation.row(10)[3] < 0.05, "a constant column is blamed: {:?}", explanation.row(10));
    assert!(matches!(
        AutoencoderParams::default().check().unwrap().fit(&table.select_rows(&[1]), None, 0),
        Err(ModelError::TooFewRows { .. })
    ));
}

#[test]
fn the_ensemble_keeps_its_false_positive_rate_and_uses_labels_when_there_are_enough() {
    let (train, labels) = mixed_table(6_000, 21);
    let (fresh, fresh_labels) = mixed_table(6_000, 22);
    let params = EnsembleParams::default()
        .autoencoder(Some(AutoencoderParams::default().max_epochs(5)))
        .boosted(Some(BoostedParams::default().trees(30)));
    let ensemble = params.target_fpr(0.02).check().unwrap();
    let baseline_rows: Vec<usize> = (0..6_000).filter(|&row| !labels[row]).collect();
    let baseline = train.select_rows(&baseline_rows);
    let learnt = ensemble.fit_on(TrainingData { baseline: &baseline, labelled: Some((&train, &labels)) }, 1).unwrap();
    assert!(learnt.is_learnt());
    let few: Vec<usize> = (0..900).collect();
    let few = (train.select_rows(&few), &labels[..900]);
    let fixed = ensemble.fit_on(TrainingData { baseline: &baseline, labelled: Some((&few.0, few.1)) }, 1).unwrap();
    assert!(!fixed.is_learnt() && fixed.voices().count() == 3);
    let unlabelled = ensemble.fit_on(TrainingData { baseline: &baseline, labelled: None }, 1).unwrap();
    assert_eq!(unlabelled.voices().count(), 2);
    for (name, model) in [("learnt", &learnt), ("fixed", &fixed), ("unlabelled", &unlabelled)] {
        let verdicts = model.verdicts(&fresh).unwrap();
        let normal = verdicts.iter().zip(&fresh_labels).filter(|row| !row.1);
        let share = normal.clone().filter(|row| row.0.anomalous).count() as f64 / normal.count() as f64;
        assert!((0.005..0.04).contains(&share), "{name}: {share} of normal rows are called anomalous");
        for verdict in &verdicts {
            assert_eq!(verdict.anomalous, verdict.severity > Severity::None);
            assert_eq!(verdict.anomalous, verdict.score >= model.threshold());
            assert!((0.0..=1.0).contains(&verdict.agreement) && verdict.voices.len() == model.voices().count());
        }
        // At least as good as its best voice, up to what chance does to 240 anomalies.
        let auroc = |scores: &[f64]| Metrics::of(scores, &fresh_labels).unwrap().auroc;
        let best = model.voices().map(|voice| auroc(&voice.score(&fresh).unwrap())).fold(0.0, f64::max);
        let own = auroc(&model.score(&fresh).unwrap());
        assert!(own > best - 0.03, "{name}: {own} against the best voice's {best}");
    }
    // One class of labels: the unsupervised voices remain.
    let one_class = ensemble.fit(&train, Some(&vec![false; 6_000]), 1).unwrap();
    assert_eq!(one_class.voices().count(), 2);
}
