//! The one source of chance in a simulation: the core's seeded generator, and what a simulation draws beside.

pub use chrysalis_core::sync::random::Random;

/// What a simulation draws.
pub trait Draw {
    /// Another generator that follows from this one: what draws from it does not disturb what draws from here.
    fn split(&mut self) -> Random;

    /// True so many times in a thousand.
    fn chance(&mut self, in_thousand: u64) -> bool;

    /// One of these; none of none.
    fn choose<T: Copy>(&mut self, choices: &[T]) -> Option<T>;

    /// These in another order.
    fn shuffle<T>(&mut self, items: &mut Vec<T>);

    /// Fills a buffer.
    fn fill(&mut self, bytes: &mut [u8]);

    /// So many bytes.
    fn bytes<const N: usize>(&mut self) -> [u8; N];
}

impl Draw for Random {
    fn split(&mut self) -> Random {
        Self::new(self.next())
    }

    fn chance(&mut self, in_thousand: u64) -> bool {
        self.below(1000) < in_thousand
    }

    fn choose<T: Copy>(&mut self, choices: &[T]) -> Option<T> {
        choices.get(self.index(choices.len())).copied()
    }

    fn shuffle<T>(&mut self, items: &mut Vec<T>) {
        let all = items.len();
        self.sample(items, all);
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shuffled_is_all_there() {
        let mut items: Vec<u32> = (0..100).collect();
        Random::new(2).shuffle(&mut items);
        assert_ne!(items, (0..100).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn bytes_of_any_length_are_drawn() {
        assert_ne!(Random::new(1).bytes::<13>(), [0; 13]);
        assert_eq!(Random::new(1).bytes::<13>(), Random::new(1).bytes::<13>());
        assert_eq!(Random::new(1).choose::<u8>(&[]), None);
    }
}
