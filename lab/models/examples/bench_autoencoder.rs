//! Fits and scores the autoencoder on a `.npy` table and prints one JSON line per seed.
//!
//! `bench_autoencoder X.npy [Y.npy] [--seeds N] [--epochs N]`; with `--epochs` exactly that many passes are made
//! (no early stopping), for comparison with the same network elsewhere.
#![allow(clippy::print_stdout, clippy::disallowed_methods, missing_docs)]

mod npy;

use std::error::Error;
use std::time::Instant;

use ja4_models::metrics::Metrics;
use ja4_models::{AutoencoderParams, FeatureSet, Fit, Matrix, Voice};

fn main() -> Result<(), Box<dyn Error>> {
    let args = npy::Args::new();
    let (columns, values) = npy::read_f64(args.position(0).ok_or("name the table")?)?;
    let matrix = Matrix::new(FeatureSet::numbered(columns)?, values)?;
    let labels = args.position(1).map(npy::read_labels).transpose()?;
    let mut params = AutoencoderParams::default();
    if let Some(epochs) = args.text("--epochs") {
        let epochs = epochs.parse()?;
        params = params.max_epochs(epochs).patience_epochs(epochs);
    }
    let autoencoder = params.check()?;
    for seed in 0..args.number("--seeds", 3.0) as u64 {
        let start = Instant::now();
        let model = autoencoder.fit(&matrix, None, seed)?;
        let fit_secs = start.elapsed().as_secs_f64();
        let scores = model.score(&matrix)?;
        let score_secs = start.elapsed().as_secs_f64() - fit_secs;
        let quality = labels.as_ref().map(|labels| Metrics::of(&scores, labels)).transpose()?;
        let (auroc, ap) = quality.map_or((0.0, 0.0), |metrics| (metrics.auroc, metrics.ap));
        println!(
            "{{\"seed\":{seed},\"auroc\":{auroc:.6},\"ap\":{ap:.6},\"fit_secs\":{fit_secs:.4},\"score_secs\":{score_secs:.4},\"digest\":\"{}\"}}",
            &model.digest()[..12]
        );
    }
    Ok(())
}
