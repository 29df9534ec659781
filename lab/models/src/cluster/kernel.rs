//! Squared distances from one point to a block of points, with whatever vector registers the processor has.
//!
//! Promises: the same additions in the same order on every instruction set (no fused multiply-add), so the same bits.
//! Single precision serves to pass over what is far (`screen.rs`). `pulp` detects the instruction set and wraps it safely.

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

    /// Which points of a block are not farther than `limit` (squared), in single precision, as bits.
    pub(super) fn within(self, point: &[f32], block: &[f32], limit: f32) -> u32 {
        self.run(|| within(point, block, limit))
    }

    /// Squared distance from a point to the nearest place of a box.
    pub(super) fn to_box(self, point: &[f64], low: &[f64], high: &[f64]) -> f64 {
        self.run(|| between([point, point, low, high]))
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

#[inline(always)]
fn within(point: &[f32], block: &[f32], limit: f32) -> u32 {
    let mut sums = [0.0_f32; LANES];
    let (columns, _) = block.as_chunks::<LANES>();
    for (value, column) in point.iter().zip(columns) {
        for (sum, other) in sums.iter_mut().zip(column) {
            let difference = value - other;
            *sum += difference * difference;
        }
    }
    // What is not a number (a lane beyond the points, a square too large) is looked at exactly.
    let near = |sum: f32| sum <= limit || sum.is_nan();
    sums.iter().enumerate().fold(0, |bits, (lane, sum)| bits | (u32::from(near(*sum)) << lane))
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
