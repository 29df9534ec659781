//! Squared distances from one point to a block of points, with whatever vector registers the processor has.
//!
//! Promises: in double precision the same additions in the same order on every instruction set (no fused multiply-add), so the same
//! bits. Single precision serves to pass over what is far (`screen.rs`), where rounding is allowed for, and may fuse.
//! `pulp` detects the instruction set and wraps it safely.

use pulp::{Simd, WithSimd};

/// Points of a block.
pub(super) const LANES: usize = 32;

/// What the processor can do, detected once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kernel {
    #[cfg(target_arch = "x86_64")]
    arch: pulp::Arch,
}

impl Kernel {
    pub(super) fn detect() -> Self {
        Self {
            #[cfg(target_arch = "x86_64")]
            arch: pulp::Arch::new(),
        }
    }

    /// `block` holds column after column, [`LANES`] values each. Gives the smallest.
    pub(super) fn squared_distances(self, point: &[f64], block: &[f64], out: &mut [f64; LANES]) -> f64 {
        self.run(|| squared_distances(point, block, out))
    }

    /// What each seeker may find in a block, in single precision ([`Sift`]).
    pub(super) fn sift(self, sift: Sift<'_>) {
        #[cfg(target_arch = "x86_64")]
        self.arch.dispatch(sift);
        #[cfg(not(target_arch = "x86_64"))]
        sift.with_simd(pulp::Scalar::new());
    }

    /// Squared distance between the nearest places of two boxes: low and high of one, low and high of the other.
    pub(super) fn between_boxes(self, limits: [&[f64]; 4]) -> f64 {
        self.run(|| between(limits))
    }

    #[inline(always)]
    fn run<R>(self, work: impl FnOnce() -> R) -> R {
        #[cfg(target_arch = "x86_64")]
        return self.arch.dispatch(Work(work));
        #[cfg(not(target_arch = "x86_64"))]
        work()
    }
}

#[cfg(target_arch = "x86_64")]
struct Work<F>(F);

#[cfg(target_arch = "x86_64")]
impl<R, F: FnOnce() -> R> pulp::NullaryFnOnce for Work<F> {
    type Output = R;

    #[inline(always)]
    fn call(self) -> R {
        (self.0)()
    }
}

/// Many points look into one block: the block stays in the processor while they take turns.
pub(super) struct Sift<'a> {
    /// Points row by row, `width` values each; those beyond the columns are 0.
    pub(super) rows: &'a [f32],
    pub(super) width: usize,
    /// Points that look, each with its limit (squared).
    pub(super) seekers: &'a [(usize, f32)],
    /// The block's box, `width` values each.
    pub(super) low: &'a [f32],
    pub(super) high: &'a [f32],
    /// Column after column, [`LANES`] values each.
    pub(super) block: &'a [f32],
    /// For each seeker the lanes not farther than its limit, as bits.
    pub(super) found: &'a mut [u32],
}

impl WithSimd for Sift<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for ((point, limit), found) in self.seekers.iter().zip(self.found) {
            let row = &self.rows[point * self.width..(point + 1) * self.width];
            let far = beyond(simd, row, self.low, self.high) > *limit;
            *found = if far { 0 } else { within(simd, row, self.block, *limit) };
        }
    }
}

/// Values that fill the widest registers in single precision.
pub(super) const WIDE: usize = 16;

/// Squared distance from a point to a box.
#[inline(always)]
fn beyond<S: Simd>(simd: S, point: &[f32], low: &[f32], high: &[f32]) -> f32 {
    let [(point, _), (low, _), (high, _)] = [point, low, high].map(S::as_simd_f32s);
    let zero = simd.splat_f32s(0.0);
    let sums = point.iter().zip(low).zip(high).fold(zero, |sum, ((&point, &low), &high)| {
        let out = simd.max_f32s(simd.sub_f32s(low, point), simd.sub_f32s(point, high));
        let gap = simd.max_f32s(out, zero);
        simd.mul_add_e_f32s(gap, gap, sum)
    });
    simd.reduce_sum_f32s(sums)
}

/// Which points of a block are not farther than `limit`, as bits; two registers of them at a time.
#[inline(always)]
fn within<S: Simd>(simd: S, point: &[f32], block: &[f32], limit: f32) -> u32 {
    let (columns, _) = block.as_chunks::<LANES>();
    let far = simd.splat_f32s(limit);
    let mut sums = [f32::INFINITY; LANES];
    let (registers, _) = S::as_mut_simd_f32s(&mut sums);
    let mut near = false;
    for (number, registers) in registers.chunks_exact_mut(2).enumerate() {
        let mut pair = [simd.splat_f32s(0.0); 2];
        for (value, column) in point.iter().zip(columns) {
            let value = simd.splat_f32s(*value);
            let (column, _) = S::as_simd_f32s(column);
            for (sum, other) in pair.iter_mut().zip(&column[2 * number..2 * number + 2]) {
                let difference = simd.sub_f32s(value, *other);
                *sum = simd.mul_add_e_f32s(difference, difference, *sum);
            }
        }
        let least = simd.min_f32s(pair[0], pair[1]);
        if simd.first_true_m32s(simd.less_than_or_equal_f32s(least, far)) < S::F32_LANES {
            registers.copy_from_slice(&pair);
            near = true;
        }
    }
    if !near {
        return 0;
    }
    sums.iter().enumerate().fold(0, |bits, (lane, sum)| bits | (u32::from(*sum <= limit) << lane))
}

#[inline(always)]
fn squared_distances(point: &[f64], block: &[f64], out: &mut [f64; LANES]) -> f64 {
    let mut sums = [0.0; LANES];
    let (columns, _) = block.as_chunks::<LANES>();
    for (value, column) in point.iter().zip(columns) {
        for (sum, other) in sums.iter_mut().zip(column) {
            let difference = value - other;
            *sum += difference * difference;
        }
    }
    *out = sums;
    let (parts, _) = sums.as_chunks::<SIDE>();
    let mut least = [f64::INFINITY; SIDE];
    for part in parts {
        for (least, sum) in least.iter_mut().zip(part) {
            *least = if *sum < *least { *sum } else { *least };
        }
    }
    least.into_iter().fold(f64::INFINITY, f64::min)
}

/// Columns added side by side.
const SIDE: usize = 8;

#[inline(always)]
fn between([low_a, high_a, low_b, high_b]: [&[f64]; 4]) -> f64 {
    let mut sums = [0.0; SIDE];
    let whole = [low_a, high_a, low_b, high_b].map(|side| side.as_chunks::<SIDE>());
    let [(la, la_rest), (ha, ha_rest), (lb, lb_rest), (hb, hb_rest)] = whole;
    for ((la, ha), (lb, hb)) in la.iter().zip(ha).zip(lb.iter().zip(hb)) {
        for side in 0..SIDE {
            let gap = (lb[side] - ha[side]).max(la[side] - hb[side]).max(0.0);
            sums[side] += gap * gap;
        }
    }
    let mut total: f64 = sums.iter().sum();
    for ((la, ha), (lb, hb)) in la_rest.iter().zip(ha_rest).zip(lb_rest.iter().zip(hb_rest)) {
        let gap = (lb - ha).max(la - hb).max(0.0);
        total += gap * gap;
    }
    total
}
