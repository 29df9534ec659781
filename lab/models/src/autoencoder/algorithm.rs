//! Training: shuffled batches, Adam, and the weights of the epoch that did best on a held-out tenth.
//!
//! A batch is cut into chunks of a fixed number of rows; threads take chunks, and gradients are added in chunk order.
//! Read next: `network.rs`.

use rayon::prelude::*;

use super::hyperparams::Autoencoder;
use super::model::AutoencoderModel;
use super::network::{Adam, Network, Scratch};
use super::scaler::RobustScaler;
use crate::error::{ModelError, Result};
use crate::matrix::Matrix;
use crate::rng::Rng;
use crate::stop::Stop;
use crate::voice::Fit;

const OPERATION: &str = "fitting the autoencoder";
const CHUNK_ROWS: usize = 64;
/// Rows of one pass, at most: more would only delay the look at the held-out tenth.
const EPOCH_ROWS: usize = 262_144;
/// Held-out rows, at most.
const HELD_OUT_ROWS: usize = 32_768;
const MAX_COLUMNS: usize = 16_384;
/// Scaled values kept from epoch to epoch: 64 MiB.
const KEPT_VALUES: usize = 1 << 24;

impl Fit for Autoencoder {
    type Model = AutoencoderModel;

    fn fit(&self, matrix: &Matrix, _labels: Option<&[bool]>, seed: u64) -> Result<AutoencoderModel> {
        if matrix.rows() < 2 {
            return Err(ModelError::TooFewRows { operation: OPERATION, needed: 2, found: matrix.rows() });
        }
        if matrix.columns() > MAX_COLUMNS {
            return Err(ModelError::TooManyColumns { operation: OPERATION, limit: MAX_COLUMNS, found: matrix.columns() });
        }
        let scaler = RobustScaler::fit(matrix);
        let mut order: Vec<usize> = (0..matrix.rows()).collect();
        Rng::stream(seed, 0).shuffle(&mut order);
        let held_out = (matrix.rows() / 10).clamp(1, HELD_OUT_ROWS);
        let (held, train) = order.split_at_mut(held_out);
        let table = Scaled::new(matrix, &scaler);
        let held = table.rows(held);
        let mut network = Network::random(&self.widths(matrix.columns()), &mut Rng::stream(seed, 1));
        let mut adam = Adam::new(self.learning_rate(), network.weights.len());
        let mut best = (f64::INFINITY, network.clone(), 0);
        let mut trainer = Trainer::default();
        let stop = Stop::of_this_thread();
        for epoch in 0..self.max_epochs() {
            Rng::stream(seed, 2 + epoch as u64).shuffle(train);
            let taken = &train[..train.len().min(EPOCH_ROWS)];
            for batch in taken.chunks(self.batch_rows()) {
                stop.check(OPERATION)?;
                trainer.step(&mut network, &mut adam, &table.rows(batch));
            }
            let loss = mean_loss(&network, &held);
            if !loss.is_finite() {
                return Err(ModelError::Diverged { operation: OPERATION });
            }
            if loss < best.0 {
                best = (loss, network.clone(), epoch);
            } else if epoch >= best.2 + self.patience_epochs() {
                break;
            }
        }
        let network = best.1;
        let usual = usual_errors(&network, &table.rows(train.get(..HELD_OUT_ROWS).unwrap_or(train)));
        Ok(AutoencoderModel::new(matrix.features().clone(), scaler, network, usual))
    }
}

/// Buffers kept from step to step, one per chunk of a batch.
#[derive(Default)]
struct Trainer {
    chunks: Vec<(Scratch, Vec<f32>)>,
}

impl Trainer {
    fn step(&mut self, network: &mut Network, adam: &mut Adam, batch: &[f32]) {
        let chunk_values = CHUNK_ROWS * network.widths[0];
        let count = batch.len().div_ceil(chunk_values);
        self.chunks.resize_with(self.chunks.len().max(count), Default::default);
        let scale = 1.0 / batch.len() as f32;
        let frozen = &*network;
        let work = self.chunks.par_iter_mut().zip(batch.par_chunks(chunk_values));
        work.for_each(|((scratch, gradient), rows)| frozen.gradient(rows, scale, scratch, gradient));
        // Added in chunk order, whichever thread was first.
        let (first, rest) = self.chunks[..count].split_at_mut(1);
        let total = &mut first[0].1;
        for (_, gradient) in rest {
            total.iter_mut().zip(gradient.iter()).for_each(|(sum, part)| *sum += part);
        }
        adam.update(&mut network.weights, total);
    }
}

/// The table as the network sees it: scaled once where that takes little memory, else whenever rows are asked for.
struct Scaled<'a> {
    matrix: &'a Matrix,
    scaler: &'a RobustScaler,
    kept: Vec<f32>,
}

impl<'a> Scaled<'a> {
    fn new(matrix: &'a Matrix, scaler: &'a RobustScaler) -> Self {
        let keep = matrix.values().len() <= KEPT_VALUES;
        let mut kept = Vec::with_capacity(if keep { matrix.values().len() } else { 0 });
        (0..matrix.rows()).filter(|_| keep).for_each(|row| scaler.append(matrix.row(row), &mut kept));
        Self { matrix, scaler, kept }
    }

    fn rows(&self, rows: &[usize]) -> Vec<f32> {
        let columns = self.matrix.columns();
        let mut out = Vec::with_capacity(rows.len() * columns);
        for &row in rows {
            match self.kept.get(row * columns..(row + 1) * columns) {
                Some(scaled) => out.extend_from_slice(scaled),
                None => self.scaler.append(self.matrix.row(row), &mut out),
            }
        }
        out
    }
}

fn mean_loss(network: &Network, rows: &[f32]) -> f64 {
    let sums: Vec<f64> = rows
        .par_chunks(CHUNK_ROWS * network.widths[0])
        .map_init(Scratch::default, |scratch, chunk| {
            let out = network.forward(chunk, scratch);
            out.iter().zip(chunk).map(|(a, b)| f64::from(a - b).powi(2)).sum()
        })
        .collect();
    sums.iter().sum::<f64>() / rows.len().max(1) as f64
}

/// Mean squared error of each column over the rows: what is usual for it.
fn usual_errors(network: &Network, rows: &[f32]) -> Vec<f64> {
    let columns = network.widths[0];
    let parts: Vec<Vec<f64>> = rows
        .par_chunks(CHUNK_ROWS * columns)
        .map_init(Scratch::default, |scratch, chunk| {
            let out = network.forward(chunk, scratch);
            let mut sums = vec![0.0; columns];
            for (out, row) in out.chunks_exact(columns).zip(chunk.chunks_exact(columns)) {
                sums.iter_mut().zip(out.iter().zip(row)).for_each(|(sum, (a, b))| *sum += f64::from(a - b).powi(2));
            }
            sums
        })
        .collect();
    let count = (rows.len() / columns).max(1) as f64;
    let mut usual = vec![0.0; columns];
    for part in parts {
        usual.iter_mut().zip(part).for_each(|(sum, value)| *sum += value / count);
    }
    usual
}
