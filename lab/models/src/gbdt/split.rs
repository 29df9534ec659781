//! The best cut of a node from its histograms.
//!
//! Gain of a cut = G_l²/(H_l+λ) + G_r²/(H_r+λ) − G²/(H+λ); missing values are tried on both sides (XGBoost's
//! sparsity-aware split, Chen and Guestrin 2016, algorithm 3). Ties go to the first column and the lowest cut.

use super::bins::MISSING;
use super::hyperparams::Boosted;

/// Sum of first and second derivatives over the rows of a bin.
pub(super) type Sums = [f64; 2];
/// Histograms of the columns of a group that a tree may look at, one after the other, 256 bins each.
pub(super) type Histogram = [Sums];

/// A candidate cut.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Split {
    pub(super) gain: f64,
    pub(super) feature: usize,
    /// Rows of this bin and below go left.
    pub(super) bin: u8,
    pub(super) missing_left: bool,
    pub(super) left: Sums,
    pub(super) right: Sums,
}

/// Leaf quality G²/(H+λ).
pub(super) fn quality(sums: Sums, lambda: f64) -> f64 {
    let denominator = sums[1] + lambda;
    if denominator > 0.0 { sums[0] * sums[0] / denominator } else { 0.0 }
}

/// Best cut within a group of columns whose first column is `first_feature`; `cuts` gives the number of cuts of each, `lanes` which
/// of them the tree may use: those that `histogram` holds.
pub(super) fn best_in_group(
    histogram: &Histogram,
    first_feature: usize,
    cuts: &[Vec<f32>],
    lanes: &[usize],
    total: Sums,
    settings: &Boosted,
) -> Option<Split> {
    let mut best: Option<Split> = None;
    let parent = quality(total, settings.lambda);
    // A gain of rounding error is no gain.
    let least = settings.gamma.max(1e-10 * parent.abs()).max(1e-12);
    for (&lane, bins) in lanes.iter().zip(histogram.chunks_exact(256)) {
        let cuts = &cuts[lane];
        let missing = bins[MISSING as usize];
        let has_missing = missing[1] > 0.0;
        let mut left = [0.0; 2];
        for (bin, sums) in bins.iter().enumerate().take(cuts.len()) {
            left = [left[0] + sums[0], left[1] + sums[1]];
            if sums[1] == 0.0 && bin > 0 {
                continue; // an empty bin: the same cut as the one before
            }
            for missing_left in [false, true] {
                if missing_left && !has_missing {
                    continue;
                }
                let here = if missing_left { [left[0] + missing[0], left[1] + missing[1]] } else { left };
                let there = [total[0] - here[0], total[1] - here[1]];
                if here[1] < settings.min_child_weight
                    || there[1] < settings.min_child_weight
                    || here[1] <= 0.0
                    || there[1] <= 0.0
                {
                    continue;
                }
                let gain = quality(here, settings.lambda) + quality(there, settings.lambda) - parent;
                if gain > best.map_or(least, |best| best.gain) {
                    // Unseen missing values follow the heavier side.
                    let missing_left = if has_missing { missing_left } else { here[1] > there[1] };
                    let feature = first_feature + lane;
                    best = Some(Split { gain, feature, bin: bin as u8, missing_left, left: here, right: there });
                }
            }
        }
    }
    best
}
