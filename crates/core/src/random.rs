//! Counter-based random streams (Philox4x32-10, Salmon et al. 2011).
//!
//! A stream is named by (seed, purpose, index), so adding a consumer never shifts another one's numbers, and its whole
//! state is a position that a checkpoint can hold.

use serde::{Deserialize, Serialize};

/// All streams of one seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Streams {
    seed: u64,
}

impl Streams {
    /// The streams of `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The seed itself.
    pub fn seed(self) -> u64 {
        self.seed
    }

    /// The stream for `purpose` and `index` (a replicate, worm, layer, ...).
    pub fn stream(self, purpose: &str, index: u64) -> Stream {
        // FNV-1a of the purpose, mixed with the seed by splitmix64: distinct names get unrelated keys.
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in purpose.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        let key = splitmix(splitmix(self.seed) ^ hash);
        Stream { key, index, block: 0, buffer: [0; 4], used: 4, spare: None }
    }

    /// The streams of replicate `k`, unrelated to those of this seed and of other replicates.
    #[must_use]
    pub fn replicate(self, k: u64) -> Self {
        if k == 0 { self } else { Self { seed: splitmix(self.seed ^ splitmix(k ^ 0x7265_706c_6963_6174)) } }
    }
}

fn splitmix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// One stream of random numbers. Cloning copies the position.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stream {
    key: u64,
    index: u64,
    block: u64,
    buffer: [u32; 4],
    used: u8,
    spare: Option<f64>,
}

/// One Philox4x32-10 block.
fn philox(mut c: [u32; 4], mut k: [u32; 2]) -> [u32; 4] {
    for round in 0..10 {
        if round > 0 {
            k = [k[0].wrapping_add(0x9e37_79b9), k[1].wrapping_add(0xbb67_ae85)];
        }
        let a = u64::from(c[0]) * 0xd251_1f53;
        let b = u64::from(c[2]) * 0xcd9e_8d57;
        c = [(b >> 32) as u32 ^ c[1] ^ k[0], b as u32, (a >> 32) as u32 ^ c[3] ^ k[1], a as u32];
    }
    c
}

impl Stream {
    /// The next 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        if self.used == 4 {
            let (i, b) = (self.index, self.block);
            self.buffer = philox(
                [b as u32, (b >> 32) as u32, i as u32, (i >> 32) as u32],
                [self.key as u32, (self.key >> 32) as u32],
            );
            self.block = self.block.wrapping_add(1);
            self.used = 0;
        }
        let out = self.buffer[self.used as usize];
        self.used += 1;
        out
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        u64::from(self.next_u32()) | (u64::from(self.next_u32()) << 32)
    }

    /// Uniform in [0, 1) with 53 bits.
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// Uniform in [low, high).
    pub fn uniform_in(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// Standard normal (Box-Muller; the second of each pair is kept for the next call).
    pub fn normal(&mut self) -> f64 {
        if let Some(z) = self.spare.take() {
            return z;
        }
        // 1 - u lies in (0, 1], so the logarithm is finite.
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * self.uniform()).sin_cos();
        self.spare = Some(radius * sin);
        radius * cos
    }

    /// `n` standard normals.
    pub fn normals(&mut self, n: usize) -> Vec<f64> {
        (0..n).map(|_| self.normal()).collect()
    }

    /// `n` standard normals in single precision.
    pub fn normals_f32(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.normal() as f32).collect()
    }

    /// Exponential with mean 1.
    pub fn exponential(&mut self) -> f64 {
        -(1.0 - self.uniform()).ln()
    }

    /// True with probability `p`.
    pub fn bernoulli(&mut self, p: f64) -> bool {
        self.uniform() < p
    }

    /// Uniform integer in 0..n without bias (Lemire 2019); 0 for n = 0.
    pub fn below(&mut self, n: usize) -> usize {
        let n = n as u64;
        if n <= 1 {
            return 0;
        }
        let threshold = n.wrapping_neg() % n;
        loop {
            let wide = u128::from(self.next_u64()) * u128::from(n);
            if wide as u64 >= threshold {
                return (wide >> 64) as usize;
            }
        }
    }

    /// Shuffles in place (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }

    /// A random permutation of 0..n.
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        self.shuffle(&mut order);
        order
    }

    /// `k` distinct numbers of 0..n in random order (all of them if k > n).
    pub fn choose(&mut self, n: usize, k: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        let k = k.min(n);
        for i in 0..k {
            let j = i + self.below(n - i);
            order.swap(i, j);
        }
        order.truncate(k);
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn philox_known_answers() {
        // Known-answer vectors of the Random123 distribution (philox4x32, 10 rounds).
        assert_eq!(philox([0; 4], [0; 2]), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
        assert_eq!(philox([u32::MAX; 4], [u32::MAX; 2]), [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]);
        assert_eq!(
            philox([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]),
            [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1]
        );
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let mut s = Streams::new(7).stream("moments", 0);
        let n = 100_000;
        let z = s.normals(n);
        let mean = z.iter().sum::<f64>() / n as f64;
        let var = z.iter().map(|v| v * v).sum::<f64>() / n as f64;
        // Four standard errors: 4/sqrt(n) and 4 sqrt(2/n).
        assert!(mean.abs() < 0.0127 && (var - 1.0).abs() < 0.018, "{mean} {var}");
        let mut counts = [0_usize; 7];
        (0..70_000).for_each(|_| counts[s.below(7)] += 1);
        assert!(counts.iter().all(|&c| (c as f64 - 10_000.0).abs() < 4.0 * 93.0), "{counts:?}");
    }

    #[test]
    fn streams_do_not_shift_each_other_and_resume() {
        let streams = Streams::new(3);
        let mut a = streams.stream("a", 0);
        let head: Vec<u32> = (0..5).map(|_| a.next_u32()).collect();
        streams.stream("b", 0).next_u32();
        let mut again = streams.stream("a", 0);
        assert_eq!(head, (0..5).map(|_| again.next_u32()).collect::<Vec<_>>());
        a.normal();
        let saved = a.clone();
        let rest = a.normals(9);
        assert_eq!(rest, saved.clone().normals(9));
        assert_ne!(streams.stream("a", 1).next_u64(), streams.stream("a", 0).next_u64());
        assert_ne!(streams.replicate(1), streams.replicate(2));
    }
}
