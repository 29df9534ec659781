//! Fits and scores the forest on a table in `.npy` form and prints one JSON line per seed: quality and seconds.
//!
//! `bench_eif X.npy [Y.npy] [--seeds N] [--trees N] [--level N] [--axis SHARE] [--sample N]`; X is float64 in C
//! order, Y is uint8. `tests/reference/bench.py` converts tables and runs this; how figures in `docs/SCIENCE.md`
//! were made is written there.
#![allow(clippy::print_stdout, clippy::disallowed_methods, missing_docs)]

mod npy;

use std::error::Error;
use std::time::Instant;

use ja4_models::metrics::Metrics;
use ja4_models::{EifParams, FeatureSet, Fit, Matrix, Voice};

fn main() -> Result<(), Box<dyn Error>> {
    let args = npy::Args::new();
    let (columns, values) = npy::read_f64(args.position(0).ok_or("name the table")?)?;
    let matrix = Matrix::new(FeatureSet::numbered(columns)?, values)?;
    let labels = args.position(1).map(npy::read_labels).transpose()?;
    let eif = EifParams::default();
    let eif = eif
        .trees(args.number("--trees", 300.0) as usize)
        .extension_level(args.number("--level", 1.0) as usize)
        .sample_size(args.number("--sample", 256.0) as usize)
        .axis_parallel_share(args.number("--axis", 0.5))
        .check()?;
    for seed in 0..args.number("--seeds", 3.0) as u64 {
        let start = Instant::now();
        let model = eif.fit(&matrix, None, seed)?;
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
