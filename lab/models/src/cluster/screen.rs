//! A coarse look before the exact one: distances in single precision, which take half the memory and half the instructions.
//!
//! Promises: what is passed over is strictly farther than the limit, whatever rounding did, so nothing that is found depends on it:
//! with u = 2⁻²⁴, a point's coordinates move by at most u of their size when they are rounded (the vector by `slip`), and a sum of n squares
//! is off by a factor of at most 1 + (n + 4)·u. Both are added to the limit before anything is left out.
//!
//! Read next: `points.rs` (who holds it), `kernel.rs` (the sums).

use super::kernel::{Kernel, LANES};

/// Unit of rounding in single precision.
const UNIT: f64 = 1.0 / 16_777_216.0;
/// Unit of rounding in double precision, for the shift to the middle.
const FINE_UNIT: f64 = f64::EPSILON;

/// Points in single precision around the middle of all, by row and by block.
#[derive(Default)]
pub(super) struct Screen {
    columns: usize,
    values: Vec<f32>,
    blocks: Vec<f32>,
    /// By how much the distance of two points may have moved.
    slip: f64,
    /// By which factor a squared distance may be too large.
    growth: f64,
    /// What numbers too small for single precision may add to a squared distance.
    dust: f64,
}

impl Screen {
    /// `values` row by row, `blocks` as [`Kernel`] wants them, within the box `low`..`high`.
    pub(super) fn new(values: &[f64], blocks: &[f64], low: &[f64], high: &[f64]) -> Self {
        let columns = low.len();
        let middle: Vec<f64> = low.iter().zip(high).map(|(low, high)| low / 2.0 + high / 2.0).collect();
        let length = |of: fn(f64, f64) -> f64| low.iter().zip(high).map(|(a, b)| of(*a, *b) * of(*a, *b)).sum::<f64>().sqrt();
        let radius = length(|low, high| (high - low) / 2.0);
        let size = length(|low, high| low.abs().max(high.abs()));
        let count = columns as f64;
        Self {
            columns,
            values: values.chunks_exact(columns.max(1)).flat_map(|row| shifted(row, &middle)).collect(),
            blocks: blocks
                .chunks_exact(LANES)
                .zip((0..columns).cycle())
                .flat_map(|(lanes, column)| lanes.iter().map(move |value| (value, column)))
                .map(|(value, column)| (value - middle[column]) as f32)
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

    /// The lanes of `block` that may lie within `limit` (squared) of `point`, as bits.
    pub(super) fn within(&self, kernel: Kernel, point: usize, block: usize, limit: f64) -> u32 {
        let limit = self.limit(limit);
        let size = self.columns * LANES;
        let point = &self.values[point * self.columns..(point + 1) * self.columns];
        kernel.within(point, &self.blocks[block * size..(block + 1) * size], limit)
    }
}

fn shifted<'a>(row: &'a [f64], middle: &'a [f64]) -> impl Iterator<Item = f32> + 'a {
    row.iter().zip(middle).map(|(value, middle)| (value - middle) as f32)
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
            let screen = Screen::new(&values, &block, &of(f64::min, f64::INFINITY), &of(f64::max, f64::NEG_INFINITY));
            let mut distances = [0.0; LANES];
            for point in 0..LANES {
                let own = &values[point * columns..(point + 1) * columns];
                Kernel::detect().squared_distances(own, &block, &mut distances);
                for &limit in &distances {
                    let passed = screen.within(Kernel::detect(), point, 0, limit);
                    for (lane, distance) in distances.iter().enumerate() {
                        assert!(*distance > limit || passed & (1 << lane) != 0, "{offset} {spread}: {distance} {limit}");
                    }
                }
            }
        }
    }
}
