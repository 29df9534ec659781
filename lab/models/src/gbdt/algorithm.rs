//! The boosting loop: derivatives of the loss at the present margins → one tree → new margins.
//!
//! Read next: `grow.rs`.

use rayon::prelude::*;

use super::bins::Binned;
use super::grow::grow;
use super::hyperparams::Boosted;
use super::model::BoostedModel;
use super::partition::Row;
use super::trees::Trees;
use crate::error::{ModelError, Result};
use crate::matrix::{Matrix, check_labels};
use crate::rng::Rng;
use crate::stop::Stop;
use crate::voice::Fit;

const OPERATION: &str = "fitting the boosted trees";
/// Rows are numbered in 32 bits.
const MAX_ROWS: usize = u32::MAX as usize;
const MAX_COLUMNS: usize = 65_535;
/// First of the random streams that draw columns.
const COLUMNS_STREAM: u64 = 0xc01;

impl Fit for Boosted {
    type Model = BoostedModel;

    /// Needs labels of both classes. The seed draws the columns of each tree where `columns_share` is below 1; nothing else is random.
    fn fit(&self, matrix: &Matrix, labels: Option<&[bool]>, seed: u64) -> Result<BoostedModel> {
        let labels = labels.ok_or(ModelError::LabelsMissing { operation: OPERATION })?;
        check_labels(OPERATION, matrix, labels)?;
        if matrix.rows() < 2 {
            return Err(ModelError::TooFewRows { operation: OPERATION, needed: 2, found: matrix.rows() });
        }
        if matrix.columns() > MAX_COLUMNS {
            return Err(ModelError::TooManyColumns { operation: OPERATION, limit: MAX_COLUMNS, found: matrix.columns() });
        }
        let anomalies = labels.iter().filter(|&&label| label).count();
        if anomalies == 0 || anomalies == labels.len() || labels.len() > MAX_ROWS {
            return Err(ModelError::OneClass { operation: OPERATION, rows: labels.len() });
        }
        let binned = Binned::new(matrix);
        let base_margin = self.base_margin(anomalies, labels.len());
        let mut margins = vec![base_margin as f32; binned.rows];
        let mut rows = vec![Row::default(); binned.rows];
        let mut spare = rows.clone();
        let mut trees = Trees::default();
        let stop = Stop::of_this_thread();
        for tree in 0..self.trees {
            stop.check(OPERATION)?;
            let allowed = self.columns_of(tree, matrix.columns(), seed);
            self.derive(&margins, labels, &mut rows);
            let (nodes, leaves) = grow(&binned, &allowed, &mut rows, &mut spare, self);
            for leaf in leaves {
                let value = nodes[leaf.node].value();
                rows[leaf.rows].iter().for_each(|row| margins[row.index as usize] += value);
            }
            let stump = nodes.len() == 1;
            trees.push(&nodes);
            if stump && self.columns_share >= 1.0 {
                break; // no cut gains anything any more
            }
        }
        Ok(BoostedModel::new(matrix.features().clone(), base_margin, trees))
    }
}

impl Boosted {
    /// Which columns a tree may look at.
    fn columns_of(&self, tree: usize, columns: usize, seed: u64) -> Vec<bool> {
        if self.columns_share >= 1.0 {
            return vec![true; columns];
        }
        let wanted = ((columns as f64 * self.columns_share).round() as usize).clamp(1, columns);
        let mut allowed = vec![false; columns];
        Rng::stream(seed, COLUMNS_STREAM + tree as u64)
            .sample(columns, wanted)
            .into_iter()
            .for_each(|column| allowed[column] = true);
        allowed
    }

    /// Log-odds of the (weighted) share of anomalies.
    fn base_margin(&self, anomalies: usize, rows: usize) -> f64 {
        (anomalies as f64 * self.scale_pos_weight / (rows - anomalies) as f64).ln()
    }

    /// First and second derivatives of the logistic loss at each row's margin, rows in table order.
    fn derive(&self, margins: &[f32], labels: &[bool], rows: &mut [Row]) {
        let positive_weight = self.scale_pos_weight as f32;
        rows.par_iter_mut().enumerate().with_min_len(8_192).for_each(|(index, row)| {
            let probability = 1.0 / (1.0 + (-margins[index]).exp());
            let (target, weight) = if labels[index] { (1.0, positive_weight) } else { (0.0, 1.0) };
            let hessian = (probability * (1.0 - probability)).max(1e-16) * weight;
            *row = Row { index: index as u32, gradient: (probability - target) * weight, hessian };
        });
    }
}
