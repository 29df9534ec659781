//! A coarse look before the exact one: distances in single precision, which take half the memory and half the instructions.
//!
//! Promises: what is passed over is strictly farther than the limit, whatever rounding did, so nothing that is found depends on it:
//! with u = 2⁻²⁴, a point's coordinates move by at most u of their size when they are rounded (the vector by `slip`), and a sum of n squares
//! is off by a factor of at most 1 + (n + 4)·u. Both are added to the limit before anything is left out.
//!
//! Read next: `points.rs` (who holds it), `kernel.rs` (the sums).

use super::kernel::{Kernel, LANES, Sift, WIDE};

/// Unit of rounding in single precision.
const UNIT: f64 = 1.0 / 16_777_216.0;
/// Unit of rounding in double precision, for the shift to the middle.
const FINE_UNIT: f64 = f64::EPSILON;

/// Points in single precision around the middle of all, by row and by block, and the boxes of blocks.
#[derive(Default)]
pub(super) struct Screen {
    columns: usize,
    /// Columns with those that fill the registers.
    width: usize,
    values: Vec<f32>,
    blocks: Vec<f32>,
    lows: Vec<f32>,
    highs: Vec<f32>,
    /// By how much the distance of two points may have moved.
    slip: f64,
    /// By which factor a squared distance may be too large.
    growth: f64,
    /// What numbers too small for single precision may add to a squared distance.
    dust: f64,
}

impl Screen {
    /// `values` row by row, `blocks` as [`Kernel`] wants them, each within its box (lows and highs), all within the box `low`..`high`.
    pub(super) fn new<'a>(
        values: &[f64],
        blocks: &[f64],
        boxes: impl Iterator<Item = (&'a [f64], &'a [f64])>,
        (low, high): (&[f64], &[f64]),
    ) -> Self {
        let columns = low.len();
        let width = columns.next_multiple_of(WIDE);
        let middle: Vec<f64> = low.iter().zip(high).map(|(low, high)| low / 2.0 + high / 2.0).collect();
        let length = |of: fn(f64, f64) -> f64| low.iter().zip(high).map(|(a, b)| of(*a, *b) * of(*a, *b)).sum::<f64>().sqrt();
        let radius = length(|low, high| (high - low) / 2.0);
        let size = length(|low, high| low.abs().max(high.abs()));
        let count = columns as f64;
        let padded = |row: &[f64], to: &mut Vec<f32>| {
            to.extend(row.iter().zip(&middle).map(|(value, middle)| shifted(*value, *middle)));
            to.resize(to.len().next_multiple_of(WIDE), 0.0);
        };
        let mut rows = Vec::with_capacity(values.len() / columns.max(1) * width);
        values.chunks_exact(columns.max(1)).for_each(|row| padded(row, &mut rows));
        let (mut lows, mut highs) = (Vec::new(), Vec::new());
        boxes.for_each(|(low, high)| {
            padded(low, &mut lows);
            padded(high, &mut highs);
        });
        Self {
            columns,
            width,
            values: rows,
            lows,
            highs,
            blocks: blocks
                .chunks_exact(LANES)
                .zip((0..columns).cycle())
                .flat_map(|(lanes, column)| lanes.iter().map(move |value| (value, column)))
                .map(|(value, column)| shifted(*value, middle[column]))
                .collect(),
            // Twice what the analysis asks for: the bound itself is computed with rounding.
            slip: 4.0 * (UNIT * radius + FINE_UNIT * size) + count * 1e-44,
            growth: 1.0 + 2.0 * (count + 4.0) * UNIT,
            dust: count * 1e-44,
        }
    }

    /// What is farther than this in single precision is farther than `limit` (squared).
    fn limit(&self, limit: f64) -> f32 {
        let length = limit.sqrt() + self.slip;
        ((length * length * self.growth + self.dust) as f32).next_up()
    }

    /// For each seeker (a point and its limit, squared) the lanes of `block` that may lie within its limit, as bits. `sifted` is room
    /// to work in.
    pub(super) fn sift(&self, kernel: Kernel, block: usize, seekers: impl Iterator<Item = (usize, f64)>, sifted: &mut Sifted) {
        sifted.seekers.clear();
        // Neighbours often have one limit, that of their component.
        let mut last = (f64::INFINITY, f32::INFINITY);
        sifted.seekers.extend(seekers.map(|(point, limit)| {
            if limit != last.0 {
                last = (limit, self.limit(limit));
            }
            (point, last.1)
        }));
        sifted.found.clear();
        sifted.found.resize(sifted.seekers.len(), 0);
        let size = self.columns * LANES;
        let limits = block * self.width..(block + 1) * self.width;
        kernel.sift(Sift {
            rows: &self.values,
            width: self.width,
            seekers: &sifted.seekers,
            low: &self.lows[limits.clone()],
            high: &self.highs[limits],
            block: &self.blocks[block * size..(block + 1) * size],
            found: &mut sifted.found,
        });
    }
}

/// As far as single precision can square and add. What is cut off here was farther away than it now seems, which leaves nothing out.
const REACH: f64 = 1e17;

fn shifted(value: f64, middle: f64) -> f32 {
    (value - middle).clamp(-REACH, REACH) as f32
}

/// What a look into a block found, kept to be used again.
#[derive(Default)]
pub(super) struct Sifted {
    seekers: Vec<(usize, f32)>,
    found: Vec<u32>,
}

impl Sifted {
    /// Of each seeker in turn: the lanes that it may find.
    pub(super) fn found(&self) -> impl Iterator<Item = u32> + '_ {
        self.found.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rng;

    #[test]
    fn nothing_within_the_limit_is_passed_over() {
        let mut rng = Rng::stream(3, 0);
        for (offset, spread) in [(0.0, 1.0), (1e12, 1e-3), (1e-42, 1e-42), (-3e30, 1e30), (1e300, 1e290), (0.0, 1e-200)] {
            let columns = 5;
            let values: Vec<f64> = (0..LANES * columns).map(|_| offset + spread * rng.normal()).collect();
            let mut block = vec![0.0; LANES * columns];
            for (row, point) in values.chunks_exact(columns).enumerate() {
                point.iter().enumerate().for_each(|(column, value)| block[column * LANES + row] = *value);
            }
            let of = |pick: fn(f64, f64) -> f64, start: f64| -> Vec<f64> {
                (0..columns).map(|c| values.chunks_exact(columns).map(|row| row[c]).fold(start, pick)).collect()
            };
            let (low, high) = (of(f64::min, f64::INFINITY), of(f64::max, f64::NEG_INFINITY));
            let screen = Screen::new(&values, &block, [(&low[..], &high[..])].into_iter(), (&low, &high));
            let (mut distances, mut sifted) = ([0.0; LANES], Sifted::default());
            for point in 0..LANES {
                let own = &values[point * columns..(point + 1) * columns];
                Kernel::detect().squared_distances(own, &block, &mut distances);
                screen.sift(Kernel::detect(), 0, distances.iter().map(|limit| (point, *limit)), &mut sifted);
                for (&limit, passed) in distances.iter().zip(sifted.found()) {
                    for (lane, distance) in distances.iter().enumerate() {
                        assert!(*distance > limit || passed & (1 << lane) != 0, "{offset} {spread}: {distance} {limit}");
                    }
                }
            }
        }
    }
}
