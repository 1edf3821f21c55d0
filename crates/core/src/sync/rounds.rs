//! How many rounds a rumour takes, by the formulas of epidemics.

/// Who sends in a round.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Those who know it tell others.
    Push,
    /// Everyone calls others, and both sides of a call tell each other what they know.
    PushPull,
}

/// Rounds until all of `replicas` know what one of them knew, when each calls `fanout` others, chosen at random among
/// all, in every round. An average: the 99th percentile lies about one round above.
///
/// Growth, then the rest: push log_(1+k) N + (ln N) / k + 1, push-pull log_(1+2k) N + log_(1+k) (ln N) + 1. After
/// Frieze and Grimmett 1985, Pittel 1987, Karp et al. 2000; for a fanout above one it is their argument, not a theorem.
pub fn rounds_estimate(replicas: u64, fanout: u64, mode: Mode) -> f64 {
    if replicas <= 1 {
        return 0.0;
    }
    let (n, k) = (replicas as f64, fanout.max(1) as f64);
    let rounds = match mode {
        Mode::Push => n.ln() / (1.0 + k).ln() + n.ln() / k + 1.0,
        Mode::PushPull => n.ln() / (1.0 + 2.0 * k).ln() + n.ln().max(1.0).ln() / (1.0 + k).ln() + 1.0,
    };
    // Who can call everyone at once needs one round.
    if k >= n - 1.0 { 1.0 } else { rounds }
}

#[cfg(test)]
mod tests {
    use super::{Mode, rounds_estimate};

    #[test]
    fn a_thousand_replicas_take_the_rounds_that_the_formulas_say() {
        assert!((rounds_estimate(1000, 3, Mode::Push) - 8.285).abs() < 0.001);
        assert!((rounds_estimate(1000, 3, Mode::PushPull) - 5.944).abs() < 0.001);
    }

    #[test]
    fn the_smallest_numbers_have_an_answer() {
        assert_eq!(rounds_estimate(0, 3, Mode::Push), 0.0);
        assert_eq!(rounds_estimate(1, 3, Mode::PushPull), 0.0);
        assert_eq!(rounds_estimate(4, 3, Mode::PushPull), 1.0);
        assert!(rounds_estimate(2, 0, Mode::Push) >= 1.0);
        assert!(rounds_estimate(u64::MAX, u64::MAX, Mode::Push).is_finite());
    }

    #[test]
    fn more_replicas_take_longer_and_a_greater_fanout_shortens_it() {
        for mode in [Mode::Push, Mode::PushPull] {
            assert!(rounds_estimate(100, 3, mode) < rounds_estimate(100_000, 3, mode));
            assert!(rounds_estimate(1000, 6, mode) < rounds_estimate(1000, 3, mode));
        }
        assert!(rounds_estimate(1000, 3, Mode::PushPull) < rounds_estimate(1000, 3, Mode::Push));
    }
}
