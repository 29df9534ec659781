//! Random numbers by counter: the n-th number of a stream is a function of seed, stream name and n, and of nothing else.
//!
//! Promises: the same seed gives the same traffic on any number of threads and in whatever order streams are asked; no stream
//! shares numbers with another. Not for secrets.
//!
//! Read next: `engine.rs` (which streams there are).

/// 2⁶⁴ / golden ratio, odd: steps of the counter.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// One stream of numbers.
#[derive(Debug, Clone)]
pub struct Stream {
    key: u64,
    counter: u64,
}

impl Stream {
    /// The stream that `path` names below `seed`.
    #[must_use]
    pub fn new(seed: u64, path: &[u64]) -> Self {
        let key = path
            .iter()
            .fold(mix(seed ^ 0x6a61_3434_5359_4e54), |key, part| mix(key.rotate_left(17) ^ mix(part.wrapping_add(STEP))));
        Self { key, counter: 0 }
    }

    /// 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.counter = self.counter.wrapping_add(1);
        mix(self.key ^ mix(self.counter.wrapping_mul(STEP)))
    }

    /// Uniform in `[0, 1)`.
    #[allow(clippy::cast_precision_loss, reason = "53 bits fit")]
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform in `0..bound`; 0 for a bound of 0.
    #[allow(clippy::cast_possible_truncation, reason = "the high half of a product with bound is below bound")]
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// Uniform in `low..=high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low.saturating_add(self.below(high.saturating_sub(low).saturating_add(1)))
    }

    /// Whether a thing of this probability happens.
    pub fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.unit() < probability
    }

    /// Exponential with mean 1.
    pub fn exponential(&mut self) -> f64 {
        -(1.0 - self.unit()).ln()
    }

    /// Standard normal (Marsaglia's polar method).
    pub fn normal(&mut self) -> f64 {
        loop {
            let (u, v) = (2.0 * self.unit() - 1.0, 2.0 * self.unit() - 1.0);
            let s = u * u + v * v;
            if s > 0.0 && s < 1.0 {
                return u * (-2.0 * s.ln() / s).sqrt();
            }
        }
    }

    /// A time around `median_ns`, log-normal with deviation `spread` of its logarithm; at most a day.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "clamped to a day")]
    pub fn around(&mut self, median_ns: i64, spread: f64) -> i64 {
        (median_ns as f64 * (self.normal() * spread).exp()).clamp(0.0, 86_400e9) as i64
    }

    /// Place in `weights`, with these probabilities; 0 for none.
    pub fn weighted(&mut self, weights: &[f64]) -> usize {
        let mut left = self.unit() * weights.iter().sum::<f64>();
        for (place, weight) in weights.iter().enumerate() {
            left -= weight;
            if left < 0.0 {
                return place;
            }
        }
        weights.len().saturating_sub(1)
    }
}

/// SplitMix64's finaliser (Steele, Lea, Flood 2014).
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_a_function_of_its_name() {
        let numbers = |seed, path: &[u64]| {
            let mut stream = Stream::new(seed, path);
            (0..8).map(|_| stream.bits()).collect::<Vec<_>>()
        };
        assert_eq!(numbers(1, &[2, 3]), numbers(1, &[2, 3]));
        for other in [numbers(2, &[2, 3]), numbers(1, &[3, 2]), numbers(1, &[2]), numbers(1, &[2, 3, 0])] {
            assert_ne!(numbers(1, &[2, 3]), other);
        }
    }

    #[test]
    fn the_distributions_are_what_they_say() {
        let mut stream = Stream::new(7, &[]);
        let n = 100_000;
        let mean = |draw: &mut dyn FnMut() -> f64| (0..n).map(|_| draw()).sum::<f64>() / f64::from(n);
        assert!((mean(&mut || stream.unit()) - 0.5).abs() < 0.01);
        assert!((mean(&mut || stream.exponential()) - 1.0).abs() < 0.02);
        assert!(mean(&mut || stream.normal()).abs() < 0.02);
        let picked = mean(&mut || f64::from(u8::from(stream.weighted(&[1.0, 3.0]) == 1)));
        assert!((picked - 0.75).abs() < 0.01, "{picked}");
        assert!((0..1000).all(|_| stream.between(3, 5).abs_diff(4) <= 1));
    }
}
