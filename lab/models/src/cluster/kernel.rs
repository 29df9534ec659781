//! Squared distances from one point to a block of points, with whatever vector registers the processor has.
//!
//! Promises: the same additions in the same order on every instruction set (no fused multiply-add), so the same bits.
//! `pulp` detects the instruction set and wraps it safely.

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

    /// `block` holds column after column, [`LANES`] values each.
    pub(super) fn squared_distances(self, point: &[f64], block: &[f64], out: &mut [f64; LANES]) {
        #[cfg(target_arch = "x86_64")]
        self.arch.dispatch(Work { point, block, out });
        #[cfg(not(target_arch = "x86_64"))]
        squared_distances(point, block, out);
    }
}

#[cfg(target_arch = "x86_64")]
struct Work<'a> {
    point: &'a [f64],
    block: &'a [f64],
    out: &'a mut [f64; LANES],
}

#[cfg(target_arch = "x86_64")]
impl pulp::NullaryFnOnce for Work<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        squared_distances(self.point, self.block, self.out);
    }
}

#[inline(always)]
fn squared_distances(point: &[f64], block: &[f64], out: &mut [f64; LANES]) {
    let mut sums = [0.0; LANES];
    let (columns, _) = block.as_chunks::<LANES>();
    for (value, column) in point.iter().zip(columns) {
        for (sum, other) in sums.iter_mut().zip(column) {
            let difference = value - other;
            *sum += difference * difference;
        }
    }
    *out = sums;
}
