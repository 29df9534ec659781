//! Columns as small integers: each value becomes the number of cut points at or below it, 255 when missing.
//!
//! Cut points lie between neighbouring distinct values; with more than 255 of those, between quantiles of at most
//! `SAMPLE_ROWS` evenly spaced rows. Bins are stored eight columns to a word, so that one load feeds eight histograms
//! and those histograms fit the first-level cache. Read next: `grow.rs`.

use rayon::prelude::*;

use crate::matrix::Matrix;

/// Columns that share a word.
pub(super) const LANES: usize = 8;
/// Bin of a missing value.
pub(super) const MISSING: u8 = 255;
/// Bins of present values at most; one fewer cut.
const VALUE_BINS: usize = 255;
/// Rows looked at for cut points, at most (LightGBM's number).
const SAMPLE_ROWS: usize = 200_000;

/// A matrix in bins.
pub(super) struct Binned {
    pub(super) rows: usize,
    /// Cut points of each column, ascending: bin b holds values x with cuts[b−1] ≤ x < cuts[b].
    pub(super) cuts: Vec<Vec<f32>>,
    /// One vector per group of `LANES` columns, one word per row.
    pub(super) groups: Vec<Vec<[u8; LANES]>>,
}

impl Binned {
    pub(super) fn new(matrix: &Matrix) -> Self {
        let columns = matrix.columns();
        let cuts: Vec<Vec<f32>> = (0..columns).into_par_iter().map(|column| cut_points(matrix, column)).collect();
        let groups = cuts.chunks(LANES).enumerate().collect::<Vec<_>>();
        let groups = groups
            .into_iter()
            .map(|(group, cuts)| {
                let tables: Vec<[f32; 256]> = cuts.iter().map(|cuts| padded(cuts)).collect();
                let mut words = vec![[0u8; LANES]; matrix.rows()];
                words.par_iter_mut().zip(matrix.values().par_chunks(columns)).with_min_len(4_096).for_each(|(word, row)| {
                    let values = &row[group * LANES..];
                    for ((bin, &value), table) in word.iter_mut().zip(values).zip(&tables) {
                        *bin = bin_of(table, narrow(value));
                    }
                });
                words
            })
            .collect();
        Self { rows: matrix.rows(), cuts, groups }
    }
}

/// The precision trees work in; values beyond it are held at its ends, so no infinity appears.
pub(super) fn narrow(value: f64) -> f32 {
    if value.is_nan() { f32::NAN } else { value.clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32 }
}

/// Number of cuts at or below the value, by a search without branches over 255 cuts padded with infinity.
fn bin_of(table: &[f32; 256], value: f32) -> u8 {
    let mut bin = 0usize;
    for half in [128, 64, 32, 16, 8, 4, 2, 1] {
        // The next cut of this half: table[255] is never reached, since the steps sum to 255.
        bin += half * usize::from(table[(bin + half - 1) & 255] <= value);
    }
    if value.is_nan() { MISSING } else { bin as u8 }
}

fn padded(cuts: &[f32]) -> [f32; 256] {
    let mut table = [f32::INFINITY; 256];
    table.iter_mut().zip(cuts).for_each(|(slot, &cut)| *slot = cut);
    table
}

fn cut_points(matrix: &Matrix, column: usize) -> Vec<f32> {
    let rows = matrix.rows();
    let taken = rows.min(SAMPLE_ROWS);
    let sampled =
        (0..taken).map(|i| matrix.values()[(i as u128 * rows as u128 / taken as u128) as usize * matrix.columns() + column]);
    let mut values: Vec<f32> = sampled.map(narrow).filter(|value| !value.is_nan()).collect();
    values.sort_unstable_by(f32::total_cmp);
    // Distinct values with the number of rows below or at each.
    let mut distinct: Vec<(f32, usize)> = Vec::new();
    for (index, &value) in values.iter().enumerate() {
        match distinct.last_mut() {
            Some(last) if last.0 == value => last.1 = index + 1,
            _ => distinct.push((value, index + 1)),
        }
    }
    let all = distinct.len() <= VALUE_BINS;
    let mut cuts = Vec::with_capacity(distinct.len().min(VALUE_BINS));
    let mut target = 1;
    for pair in distinct.windows(2) {
        let (low, below) = pair[0];
        // With too many values, cut after the one that completes the next equal share of rows.
        if all || below * VALUE_BINS >= target * values.len() {
            cuts.push(between(low, pair[1].0));
            target = below * VALUE_BINS / values.len().max(1) + 1;
        }
    }
    cuts.truncate(VALUE_BINS - 1);
    cuts
}

/// A cut with `low < cut ≤ high`.
fn between(low: f32, high: f32) -> f32 {
    let middle = (f64::from(low) * 0.5 + f64::from(high) * 0.5) as f32;
    if middle > low { middle } else { high }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::FeatureSet;
    use proptest::prelude::*;

    #[test]
    fn few_values_are_told_apart_exactly_and_missing_ones_have_their_bin() {
        let values = vec![3.0, 1.0, f64::NAN, 2.0, 1.0, -1e300];
        let binned = Binned::new(&Matrix::new(FeatureSet::numbered(1).unwrap(), values).unwrap());
        assert_eq!(binned.cuts[0].len(), 3);
        assert_eq!(binned.groups[0].iter().map(|word| word[0]).collect::<Vec<_>>(), [3, 1, MISSING, 2, 1, 0]);
    }

    #[test]
    fn many_values_fall_into_even_bins() {
        let values: Vec<f64> = (0..10_000).map(|i| f64::from(i * 7919 % 10_000)).collect();
        let binned = Binned::new(&Matrix::new(FeatureSet::numbered(1).unwrap(), values).unwrap());
        let mut counts = [0usize; 256];
        binned.groups[0].iter().for_each(|word| counts[word[0] as usize] += 1);
        let used: Vec<usize> = counts.into_iter().filter(|&count| count > 0).collect();
        assert!(used.len() >= 250 && used.iter().all(|&count| (30..=50).contains(&count)), "{used:?}");
    }

    proptest! {
        #[test]
        fn a_bin_is_the_number_of_cuts_at_or_below(mut cuts in prop::collection::vec(-100f32..100.0, 0..254), value in -120f32..120.0) {
            cuts.sort_unstable_by(f32::total_cmp);
            let expected = cuts.iter().filter(|&&cut| cut <= value).count();
            prop_assert_eq!(bin_of(&padded(&cuts), value) as usize, expected);
        }
    }
}
