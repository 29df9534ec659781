//! Boosted trees on a labelled `.npy` table: out-of-fold scores for given folds, or fit, score and SHAP seconds.
//!
//! `bench_boosted X.npy Y.npy --folds FOLD.npy [--out OOF.npy]` (FOLD: fold number of each row, float64), or
//! `bench_boosted X.npy Y.npy --shap ROWS` for times. One JSON line is printed.
#![allow(clippy::print_stdout, clippy::disallowed_methods, missing_docs)]

mod npy;

use std::error::Error;
use std::time::Instant;

use ja4_models::metrics::Metrics;
use ja4_models::{BoostedParams, FeatureSet, Fit, Matrix, Voice};

fn main() -> Result<(), Box<dyn Error>> {
    let args = npy::Args::new();
    let (columns, values) = npy::read_f64(args.position(0).ok_or("name the table")?)?;
    let matrix = Matrix::new(FeatureSet::numbered(columns)?, values)?;
    let labels = npy::read_labels(args.position(1).ok_or("name the labels")?)?;
    let boosted = BoostedParams::default().min_child_weight(args.number("--mcw", 1.0)).check()?;
    if let Some(path) = args.text("--folds") {
        let folds = npy::read_f64(path)?.1;
        let mut scores = vec![0.0; matrix.rows()];
        for fold in 0..5 {
            let (held, kept): (Vec<usize>, Vec<usize>) = (0..matrix.rows()).partition(|&row| folds[row] as usize == fold);
            let kept_labels: Vec<bool> = kept.iter().map(|&row| labels[row]).collect();
            let model = boosted.fit(&matrix.select_rows(&kept), Some(&kept_labels), 0)?;
            let held_scores = model.score(&matrix.select_rows(&held))?;
            held.iter().zip(held_scores).for_each(|(&row, score)| scores[row] = score);
        }
        let metrics = Metrics::of(&scores, &labels)?;
        println!("{{\"auroc\":{:.6},\"ap\":{:.6}}}", metrics.auroc, metrics.ap);
        return Ok(());
    }
    let start = Instant::now();
    let model = boosted.fit(&matrix, Some(&labels), 0)?;
    let fit_secs = start.elapsed().as_secs_f64();
    let scores = model.score(&matrix)?;
    let score_secs = start.elapsed().as_secs_f64() - fit_secs;
    let rows: Vec<usize> = (0..matrix.rows().min(args.number("--shap", 10_000.0) as usize)).collect();
    let some = matrix.select_rows(&rows);
    let start = Instant::now();
    let explanation = model.explain(&some)?;
    let shap_secs = start.elapsed().as_secs_f64();
    let margins = model.margins(&some)?;
    let sums = (0..some.rows()).map(|row| explanation.baseline + explanation.row(row).iter().sum::<f64>());
    let worst = sums.zip(margins).fold(0.0f64, |worst, (sum, margin)| worst.max((sum - margin).abs()));
    let auroc = Metrics::of(&scores, &labels)?.auroc;
    println!(
        "{{\"auroc\":{auroc:.6},\"fit_secs\":{fit_secs:.3},\"score_secs\":{score_secs:.3},\"shap_secs\":{shap_secs:.3},\"shap_error\":{worst:e}}}"
    );
    Ok(())
}
