//! Figures of two samples: Kolmogorov–Smirnov with its probability, population stability index, Kullback–Leibler, shift, quantiles.
//!
//! Values that are missing are left out. Ties are counted together, so that flags and counts are compared as rightly as lengths of time;
//! for them the probability is an upper bound. Formulas: Press et al., "Numerical Recipes" 3rd ed., 14.3.3 (probability, as
//! `scipy.stats.ks_2samp(mode="asymp")` within 1e-3); Siddiqi 2006 (stability index). Read next: `mod.rs`.

use super::QUANTILES;

/// Parts of the reference that stability index and divergence are taken over.
const PARTS: usize = 10;

/// The finite values of a column, sorted.
#[derive(Debug, Clone)]
pub struct Sample(Vec<f64>);

impl Sample {
    /// Sorts `values`; missing ones are left out.
    #[must_use]
    pub fn new(mut values: Vec<f64>) -> Self {
        values.retain(|value| value.is_finite());
        values.sort_unstable_by(f64::total_cmp);
        Self(values)
    }

    /// Number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Values at [`QUANTILES`]: the smallest that at least that share does not exceed; 0 where there are none.
    #[must_use]
    pub fn quantiles(&self) -> [f64; 9] {
        QUANTILES.map(|share| {
            let place = (share * self.0.len() as f64).ceil() as usize;
            self.0.get(place.saturating_sub(1)).copied().unwrap_or_default()
        })
    }

    /// Share of the values at or below `value`.
    fn at_or_below(&self, value: f64) -> f64 {
        self.0.partition_point(|found| *found <= value) as f64 / self.0.len().max(1) as f64
    }

    /// Largest difference between the two distribution functions, 0 to 1; 0 where either side is empty.
    #[must_use]
    pub fn ks(&self, other: &Self) -> f64 {
        let (a, b) = (&self.0, &other.0);
        let (mut i, mut j, mut largest) = (0, 0, 0.0f64);
        while i < a.len() && j < b.len() {
            let value = a[i].min(b[j]);
            while i < a.len() && a[i] <= value {
                i += 1;
            }
            while j < b.len() && b[j] <= value {
                j += 1;
            }
            largest = largest.max((i as f64 / a.len() as f64 - j as f64 / b.len() as f64).abs());
        }
        largest
    }

    /// Stability index and Kullback–Leibler divergence (nats) of `now` against this reference.
    #[must_use]
    pub fn psi_and_kl(&self, now: &Self) -> (f64, f64) {
        if self.is_empty() || now.is_empty() {
            return (0.0, 0.0);
        }
        let mut edges: Vec<f64> = (1..PARTS).map(|part| self.0[(part * self.0.len() / PARTS).min(self.0.len() - 1)]).collect();
        // A value that fills several parts is one edge; what lies below it is a part of its own.
        if self.0[0] == edges[0] {
            edges.insert(0, f64::from_bits(edges[0].to_bits().wrapping_sub(1)).min(edges[0]));
        }
        edges.dedup();
        let shares = |sample: &Self| {
            let mut shares = Vec::with_capacity(edges.len() + 1);
            let mut below = 0.0;
            for edge in &edges {
                let up_to = sample.at_or_below(*edge);
                shares.push(up_to - below);
                below = up_to;
            }
            shares.push(1.0 - below);
            // Half a row in every part, so that an empty one is not infinitely far away.
            let rows = sample.len() as f64;
            let parts = shares.len() as f64;
            shares.into_iter().map(|share| (share * rows + 0.5) / (rows + 0.5 * parts)).collect::<Vec<f64>>()
        };
        let (then, today) = (shares(self), shares(now));
        let psi = then.iter().zip(&today).map(|(p, q)| (q - p) * (q / p).ln()).sum();
        let kl = then.iter().zip(&today).map(|(p, q)| q * (q / p).ln()).sum::<f64>().max(0.0);
        (psi, kl)
    }

    /// P(now > then) − P(now < then).
    #[must_use]
    pub fn shift(&self, now: &Self) -> f64 {
        if self.is_empty() || now.is_empty() {
            return 0.0;
        }
        let sum: f64 = now
            .0
            .iter()
            .map(|value| {
                let below = self.0.partition_point(|found| found < value);
                let above = self.0.len() - self.0.partition_point(|found| found <= value);
                below as f64 - above as f64
            })
            .sum();
        sum / (self.0.len() as f64 * now.0.len() as f64)
    }
}

/// Probability of a distance of at least `ks` between samples of `n` and `m` values of one distribution.
#[must_use]
pub fn kolmogorov_p(ks: f64, n: usize, m: usize) -> f64 {
    if n == 0 || m == 0 {
        return 1.0;
    }
    let root = (n as f64 * m as f64 / (n + m) as f64).sqrt();
    let x = (root + 0.12 + 0.11 / root) * ks;
    if x < 0.2 {
        return 1.0;
    }
    let terms = (1..=100_i32).map(f64::from).map(|k| (if k % 2.0 == 1.0 { 2.0 } else { -2.0 }) * (-2.0 * k * k * x * x).exp());
    terms.sum::<f64>().clamp(0.0, 1.0)
}

/// The distance whose probability is about `alpha`: sqrt(ln(2/α)/2 · (1/n + 1/m)), from the first term of the series.
pub(super) fn critical_distance(alpha: f64, n: usize, m: usize) -> f64 {
    if n == 0 || m == 0 {
        return 1.0;
    }
    ((2.0 / alpha).ln() / 2.0 * (1.0 / n as f64 + 1.0 / m as f64)).sqrt().min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(values: &[f64]) -> Sample {
        Sample::new(values.to_vec())
    }

    #[test]
    fn distances_and_probabilities_of_scipy() {
        // scipy.stats.ks_2samp([1,2,2,3,5], [2,4,4,6,7,9], method="asymp"): statistic 0.6333…
        let ks = sample(&[1.0, 2.0, 2.0, 3.0, 5.0]).ks(&sample(&[2.0, 4.0, 4.0, 6.0, 7.0, 9.0]));
        assert!((ks - (0.8 - 1.0 / 6.0)).abs() < 1e-12, "{ks}");
        // scipy.special.kolmogorov(1.0), (1.5), (0.5)
        for (x, p) in [(1.0, 0.269_999_67), (1.5, 0.022_217_96), (0.5, 0.963_945_24)] {
            let n = 2_000_000_000;
            let root = (n as f64 / 2.0).sqrt();
            assert!((kolmogorov_p(x / root, n, n) - p).abs() < 1e-4, "{x}");
        }
        assert_eq!(kolmogorov_p(0.0, 10, 10), 1.0);
    }

    #[test]
    fn a_flag_that_turns_is_seen_by_every_figure() {
        let then = sample(&[0.0; 100]);
        let mut values = vec![0.0; 50];
        values.extend([1.0; 50]);
        let now = sample(&values);
        assert_eq!((then.ks(&now), then.shift(&now)), (0.5, 0.5));
        let (psi, kl) = then.psi_and_kl(&now);
        assert!(psi > 1.0 && kl > 0.5, "{psi} {kl}");
        assert_eq!(now.shift(&then), -0.5);
        assert_eq!(then.quantiles(), [0.0; 9]);
    }

    #[test]
    fn nothing_moved_is_nothing() {
        let values: Vec<f64> = (0..1000).map(|x| f64::from(x % 37)).collect();
        let (a, b) = (sample(&values), sample(&values));
        let (psi, kl) = a.psi_and_kl(&b);
        assert!(a.ks(&b) == 0.0 && psi.abs() < 1e-12 && kl.abs() < 1e-12 && a.shift(&b) == 0.0);
        assert!((sample(&[f64::NAN]).ks(&a), sample(&[]).psi_and_kl(&a)) == (0.0, (0.0, 0.0)));
    }
}
