//! Confidence comes to the truth while a third of the members lie.

use chrysalis_sim::liars::{Liars, simulate_liars};

const THIRD: Liars = Liars { agents: 100, share: 0.33, truth: 0.6, tries: 20, rounds: 40, seed: 1 };

#[test]
fn the_trimmed_mean_comes_to_the_truth_while_a_third_lie() {
    for (seed, truth) in [(1, 0.6), (2, 0.6), (3, 0.3), (4, 0.1)] {
        let read = simulate_liars(&Liars { seed, truth, ..THIRD }).unwrap();
        let (first, last) = (read[0], read[39]);
        assert!((last.trimmed_mean - truth).abs() < 0.03, "{last:?}");
        assert!((last.median - truth).abs() < 0.03, "{last:?}");
        assert!((last.trimmed_mean - truth).abs() <= (first.trimmed_mean - truth).abs(), "{first:?} {last:?}");
    }
}

#[test]
fn the_plain_mean_and_the_maximum_stay_with_the_liars() {
    let last = simulate_liars(&THIRD).unwrap()[39];
    assert!((last.mean - (0.33 + 0.67 * 0.6)).abs() < 0.02, "{last:?}");
    assert_eq!(last.maximum, 1.0);
}

#[test]
fn when_most_lie_no_reading_helps() {
    let last = simulate_liars(&Liars { share: 0.7, ..THIRD }).unwrap()[39];
    assert!(last.trimmed_mean > 0.99 && last.median > 0.99, "{last:?}");
}

#[test]
fn without_liars_every_mean_comes_to_the_truth() {
    let last = simulate_liars(&Liars { share: 0.0, ..THIRD }).unwrap()[39];
    for read in [last.trimmed_mean, last.median, last.mean] {
        assert!((read - 0.6).abs() < 0.02, "{last:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_reading() {
    assert_eq!(simulate_liars(&THIRD), simulate_liars(&THIRD));
    assert_ne!(simulate_liars(&THIRD), simulate_liars(&Liars { seed: 2, ..THIRD }));
    assert!(simulate_liars(&Liars { agents: 0, ..THIRD }).is_err());
}
