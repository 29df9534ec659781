//! Clusters a table in `.npy` form and prints one JSON line: seconds, clusters, noise; with `--labels FILE` the label of each row.
//!
//! `bench_clusters X.npy [--size N] [--samples N] [--rounds N] [--labels FILE] [--petal 1]`; X is float64 in C order. `--petal 1`
//! takes the crate `petal-clustering` instead. `tests/reference/clusters.py bench` makes tables and runs this beside PyPI `hdbscan`.
#![allow(clippy::print_stdout, clippy::disallowed_methods, clippy::iter_over_hash_type, missing_docs)]

mod npy;

use std::error::Error;
use std::fmt::Write as _;
use std::time::Instant;

use ja4_models::cluster::{Clustering, Hdbscan, HdbscanParams};
use ja4_models::{FeatureSet, Matrix};
use petal_clustering::Fit as _;

fn main() -> Result<(), Box<dyn Error>> {
    let args = npy::Args::new();
    let (columns, values) = npy::read_f64(args.position(0).ok_or("name the table")?)?;
    let matrix = Matrix::new(FeatureSet::numbered(columns)?, values)?;
    let (size, samples) = (args.number("--size", 5.0) as usize, args.number("--samples", 5.0) as usize);
    let settings = HdbscanParams::default().min_cluster_size(size).min_samples(samples).check()?;
    let petal = args.number("--petal", 0.0) > 0.0;
    for _ in 0..args.number("--rounds", 1.0) as usize {
        let start = Instant::now();
        let found = if petal { by_petal(&matrix, size, samples)? } else { by_us(&matrix, &settings)? };
        let secs = start.elapsed().as_secs_f64();
        let noise = found.labels.iter().filter(|label| label.is_none()).count();
        println!("{{\"secs\":{secs:.3},\"clusters\":{},\"noise\":{noise}}}", found.clusters());
        if let Some(file) = args.text("--labels") {
            let mut lines = String::new();
            for (label, p) in found.labels.iter().zip(&found.probabilities) {
                let _ = writeln!(lines, "{} {p}", label.map_or(-1, i64::from));
            }
            std::fs::write(file, lines)?;
        }
    }
    Ok(())
}

fn by_us(matrix: &Matrix, settings: &Hdbscan) -> Result<Clustering, Box<dyn Error>> {
    Ok(settings.fit(matrix)?)
}

fn by_petal(matrix: &Matrix, size: usize, samples: usize) -> Result<Clustering, Box<dyn Error>> {
    let table = ndarray::Array2::from_shape_vec((matrix.rows(), matrix.columns()), matrix.values().to_vec())?;
    let mut petal =
        petal_clustering::HDbscan { min_samples: samples, min_cluster_size: size, ..petal_clustering::HDbscan::default() };
    let (clusters, _, _) = petal.fit(&table, None);
    let mut labels = vec![None; matrix.rows()];
    for (number, rows) in clusters.values().enumerate() {
        rows.iter().for_each(|&row| labels[row] = Some(number as u32));
    }
    Ok(Clustering { labels, probabilities: vec![0.0; matrix.rows()], stabilities: vec![0.0; clusters.len()] })
}
