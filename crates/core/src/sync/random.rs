//! Choices among peers: seeded, so that a run can be played again. Not for secrets.

/// A seeded generator of numbers (SplitMix64: Steele, Lea and Flood 2014, "Fast splittable pseudorandom number
/// generators"): the same on every machine and with every version of every dependency.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The generator of this seed.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Any number.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 when that is 0. The bias is below 2^-32 for every bound that is used here.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// A number from `least` to `most`, both included.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most.saturating_sub(least).saturating_add(1))
    }

    /// An index into something of this length.
    pub fn index(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    /// Moves so many of these to the front, chosen at random, and drops the rest.
    pub fn sample<T>(&mut self, items: &mut Vec<T>, count: usize) {
        let count = count.min(items.len());
        for at in 0..count {
            let other = at + self.index(items.len() - at);
            items.swap(at, other);
        }
        items.truncate(count);
    }

    /// One of these; none of none.
    pub fn pick<T>(&mut self, mut items: Vec<T>) -> Option<T> {
        self.sample(&mut items, 1);
        items.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_published_numbers() {
        // The first outputs of SplitMix64 for the seed 1234567, as its authors' reference code prints them.
        let mut random = Random::new(1_234_567);
        let first = [random.next(), random.next(), random.next()];
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn a_sample_holds_each_item_once_and_any_item_alike() {
        let mut random = Random::new(1);
        let mut counts = [0u32; 6];
        for _ in 0..4000 {
            let mut items: Vec<usize> = (0..6).collect();
            random.sample(&mut items, 3);
            items.iter().for_each(|item| counts[*item] += 1);
            items.sort_unstable();
            items.dedup();
            assert_eq!(items.len(), 3);
        }
        assert!(counts.iter().all(|count| (1900..2100).contains(count)), "{counts:?}");
    }

    #[test]
    fn bounds_are_kept_also_at_the_edges() {
        let mut random = Random::new(2);
        assert_eq!(random.below(0), 0);
        assert_eq!(random.between(7, 7), 7);
        assert_eq!(random.pick(Vec::<u8>::new()), None);
    }
}
