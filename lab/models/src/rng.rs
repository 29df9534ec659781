//! Seeded random numbers that are the same on every platform, forever: xoshiro256++ seeded through SplitMix64.
//!
//! A voice gives each tree, epoch or fold a stream of its own (`Rng::stream(seed, n)`), so no result depends on which
//! thread came first. Own code of 60 lines rather than a crate, because a changed generator would change every model
//! digest. Source: Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2021 (public domain C code).

/// xoshiro256++; not for secrets.
#[derive(Debug, Clone)]
pub struct Rng([u64; 4]);

impl Rng {
    /// Stream `stream` of `seed`: streams of one seed are independent for practical purposes.
    pub fn stream(seed: u64, stream: u64) -> Self {
        let mut state = seed ^ split_mix(stream.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x5851_f42d_4c95_7f2d));
        Self(std::array::from_fn(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            split_mix(state)
        }))
    }

    /// 64 uniform bits.
    pub fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.0;
        let result = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let t = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= t;
        *d = d.rotate_left(45);
        result
    }

    /// Uniform in `[0, 1)`, 53 bits.
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in `0..bound` (0 for a bound of 0), by multiplication; the bias is below 2⁻⁶⁴ · bound.
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next_u64()) * bound as u128) >> 64) as usize
    }

    /// Standard normal, by Marsaglia's polar method (only `sqrt` and `ln`, no trigonometry).
    pub fn normal(&mut self) -> f64 {
        loop {
            let (u, v) = (2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0);
            let s = u * u + v * v;
            if s > 0.0 && s < 1.0 {
                return u * (-2.0 * s.ln() / s).sqrt();
            }
        }
    }

    /// Shuffles in place (Fisher–Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    /// `count` distinct numbers out of `0..n`, ascending (Floyd's algorithm, memory O(count)); all of them if `count ≥ n`.
    pub fn sample(&mut self, n: usize, count: usize) -> Vec<usize> {
        if count >= n {
            return (0..n).collect();
        }
        let mut chosen = std::collections::BTreeSet::new();
        for top in n - count..n {
            let pick = self.below(top + 1);
            if !chosen.insert(pick) {
                chosen.insert(top);
            }
        }
        chosen.into_iter().collect()
    }
}

fn split_mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xoshiro_matches_the_published_code() {
        // First outputs of xoshiro256plusplus.c for the state {1, 2, 3, 4}.
        let mut rng = Rng([1, 2, 3, 4]);
        assert_eq!([rng.next_u64(), rng.next_u64(), rng.next_u64()], [41_943_041, 58_720_359, 3_588_806_011_781_223]);
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let mut rng = Rng::stream(7, 0);
        let n = 200_000;
        let (mut mean, mut square, mut uniform) = (0.0, 0.0, 0.0);
        for _ in 0..n {
            let x = rng.normal();
            mean += x / n as f64;
            square += x * x / n as f64;
            uniform += rng.uniform() / n as f64;
        }
        assert!(mean.abs() < 0.01 && (square - 1.0).abs() < 0.02 && (uniform - 0.5).abs() < 0.005, "{mean} {square} {uniform}");
    }

    #[test]
    fn samples_are_distinct_sorted_and_reach_every_number() {
        let mut hits = [0; 20];
        for stream in 0..400 {
            let sample = Rng::stream(1, stream).sample(20, 5);
            assert_eq!(sample.len(), 5);
            assert!(sample.windows(2).all(|pair| pair[0] < pair[1]));
            sample.into_iter().for_each(|pick| hits[pick] += 1);
        }
        assert!(hits.iter().all(|&count| (60..140).contains(&count)), "{hits:?}");
        assert_eq!(Rng::stream(1, 0).sample(3, 9), [0, 1, 2]);
    }
}
