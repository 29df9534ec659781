//! A fitted autoencoder: scores, errors by column, saving and checked reading.
//!
//! A row's score is 1 − 1/(1 + e) in [0, 1), e the mean over columns of squared error / usual error of the column.
//! Read next: `network.rs`, `../artifact.rs`.

use rayon::prelude::*;

use super::network::{Network, Scratch};
use super::scaler::RobustScaler;
use crate::artifact::{ArtifactReader, ArtifactWriter};
use crate::error::Result;
use crate::matrix::{FeatureSet, Matrix};
use crate::voice::{Explanation, Voice, VoiceKind};

const CHUNK_ROWS: usize = 64;
/// Added to every column's usual error: a column that is always reproduced exactly must not divide by nothing.
const ERROR_FLOOR: f64 = 0.05;
/// Weights at or below this in magnitude keep all sums finite: inputs are at most 28, widths at most 16,384.
const WEIGHT_LIMIT: f32 = 1e3;

/// What a thread keeps from chunk to chunk.
#[derive(Default)]
struct Buffers {
    scratch: Scratch,
    scaled: Vec<f32>,
}

/// A fitted autoencoder.
#[derive(Debug, Clone, PartialEq)]
pub struct AutoencoderModel {
    features: FeatureSet,
    scaler: RobustScaler,
    network: Network,
    usual_errors: Vec<f64>,
}

impl AutoencoderModel {
    pub(super) fn new(features: FeatureSet, scaler: RobustScaler, mut network: Network, usual_errors: Vec<f64>) -> Self {
        network.weights.iter_mut().for_each(|weight| *weight = weight.clamp(-WEIGHT_LIMIT, WEIGHT_LIMIT));
        Self { features, scaler, network, usual_errors }
    }

    /// Squared reconstruction error of every value in units of what is usual for its column, row-major.
    ///
    /// # Errors
    /// [`crate::ModelError::FeatureHash`] for a matrix of other features.
    pub fn errors(&self, matrix: &Matrix) -> Result<Vec<f64>> {
        self.features.require(matrix.features())?;
        let columns = matrix.columns();
        let mut errors = vec![0.0; matrix.values().len()];
        let chunks = errors.par_chunks_mut(CHUNK_ROWS * columns).zip(matrix.values().par_chunks(CHUNK_ROWS * columns));
        chunks.for_each_init(Buffers::default, |buffers, (errors, rows)| self.errors_of_chunk(rows, errors, buffers));
        Ok(errors)
    }

    /// The errors of a few rows, written to `errors`.
    fn errors_of_chunk(&self, rows: &[f64], errors: &mut [f64], Buffers { scratch, scaled }: &mut Buffers) {
        let columns = self.usual_errors.len();
        scaled.clear();
        rows.chunks_exact(columns).for_each(|row| self.scaler.append(row, scaled));
        let out = self.network.forward(scaled, scratch);
        let rows = out.chunks_exact(columns).zip(scaled.chunks_exact(columns));
        for (errors, (out, row)) in errors.chunks_exact_mut(columns).zip(rows) {
            for ((error, usual), (a, b)) in errors.iter_mut().zip(&self.usual_errors).zip(out.iter().zip(row)) {
                *error = f64::from(a - b).powi(2) / (usual + ERROR_FLOOR);
            }
        }
    }

    pub(crate) fn read(mut reader: ArtifactReader<'_>) -> Result<Self> {
        let scaler = RobustScaler { median: reader.f64s()?, spread: reader.f64s()? };
        let usual_errors = reader.f64s()?;
        let widths: Vec<usize> = reader.u32s()?.into_iter().map(|width| width as usize).collect();
        let network = Network { widths, weights: reader.f32s()? };
        let columns = reader.features.len();
        let lengths = [scaler.median.len(), scaler.spread.len(), usual_errors.len()].iter().all(|&length| length == columns);
        reader.require(lengths, "the scaler does not fit the features")?;
        reader.require(scaler.spread.iter().all(|&spread| spread.is_normal() && spread > 0.0), "a spread is not positive")?;
        reader.require(usual_errors.iter().all(|error| (0.0..=1e12).contains(error)), "an error is out of range")?;
        let ends = network.widths.first() == Some(&columns) && network.widths.last() == Some(&columns);
        reader.require(ends && network.widths.len() == 5, "the layers do not fit the features")?;
        reader.require(network.widths.iter().all(|width| (1..=16_384).contains(width)), "a layer is too wide")?;
        reader.require(network.weights.len() == Network::weight_count(&network.widths), "the weights do not fit the layers")?;
        reader.require(network.weights.iter().all(|weight| weight.abs() <= WEIGHT_LIMIT), "a weight is out of range")?;
        Ok(Self { features: reader.finish()?, scaler, network, usual_errors })
    }
}

impl Voice for AutoencoderModel {
    fn kind(&self) -> VoiceKind {
        VoiceKind::Autoencoder
    }

    fn features(&self) -> &FeatureSet {
        &self.features
    }

    fn score(&self, matrix: &Matrix) -> Result<Vec<f64>> {
        self.features.require(matrix.features())?;
        let columns = matrix.columns();
        let mut scores = vec![0.0; matrix.rows()];
        // The errors of a chunk live only as long as it takes to sum them: those of a million rows would fill a gigabyte.
        let chunks = scores.par_chunks_mut(CHUNK_ROWS).zip(matrix.values().par_chunks(CHUNK_ROWS * columns));
        chunks.for_each_init(
            || (Buffers::default(), vec![0.0; CHUNK_ROWS * columns]),
            |(buffers, errors), (scores, rows)| {
                self.errors_of_chunk(rows, errors, buffers);
                for (score, errors) in scores.iter_mut().zip(errors.chunks_exact(columns)) {
                    *score = 1.0 - 1.0 / (1.0 + errors.iter().sum::<f64>() / columns as f64);
                }
            },
        );
        Ok(scores)
    }

    /// Share of each column in the row's error.
    fn explain(&self, matrix: &Matrix) -> Result<Explanation> {
        let mut values = self.errors(matrix)?;
        values.par_chunks_exact_mut(matrix.columns()).for_each(|row| {
            let sum: f64 = row.iter().sum();
            if sum > 0.0 {
                row.iter_mut().for_each(|value| *value /= sum);
            }
        });
        Ok(Explanation { features: self.features.clone(), values, baseline: 0.0 })
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut writer = ArtifactWriter::new(VoiceKind::Autoencoder as u8, &self.features);
        writer.f64s(&self.scaler.median);
        writer.f64s(&self.scaler.spread);
        writer.f64s(&self.usual_errors);
        writer.u32s(&self.network.widths.iter().map(|&width| width as u32).collect::<Vec<_>>());
        writer.f32s(&self.network.weights);
        writer.finish()
    }
}
