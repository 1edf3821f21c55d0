//! How news reaches everyone: the formula's own world agrees with the formula, and the machines of gossip with both.

use chrysalis_core::id::Signature;
use chrysalis_core::operation::Operation;
use chrysalis_core::sync::rounds::{Mode, rounds_estimate};
use chrysalis_sim::population::Population;
use chrysalis_sim::propagation::{Progress, Scenario, Way, propagate, propagate_watched};
use chrysalis_sim::rounds::measure;

const LOSSY: Scenario = Scenario { replicas: 1000, fanout: 3, loss: 0.1, way: Way::Gossip, seed: 1 };

fn lossless(way: Way) -> Scenario {
    Scenario { loss: 0.0, way, ..LOSSY }
}

#[test]
fn in_the_formulas_own_world_the_rounds_are_those_that_the_formula_says() {
    for (way, mode, mean) in [(Way::Push, Mode::Push, 8.2), (Way::PushPull, Mode::PushPull, 5.1)] {
        let line = measure(&lossless(way), 30).unwrap();
        assert_eq!(line.complete, 30);
        assert!((line.mean - mean).abs() < 0.35, "{}: {}", way.name(), line.mean);
        assert!((line.mean - rounds_estimate(1000, 3, mode)).abs() < 1.0, "{}: {}", way.name(), line.mean);
    }
}

#[test]
fn a_thousand_replicas_that_lose_a_tenth_of_their_messages_all_know_within_seven_rounds() {
    let line = measure(&LOSSY, 3).unwrap();
    assert_eq!(line.complete, line.seeds);
    assert!(line.mean <= 6.5 && line.max <= 7, "{line:?}");
    assert!(line.links.unwrap() < 20.0, "each holds links to a few only: {:?}", line.links);
    assert!(line.copies < 5.0, "{} copies each", line.copies);
}

#[test]
fn everyone_knows_within_fifteen_rounds_with_full_and_with_partial_views() {
    for replicas in [2, 3, 10, 40, 65, 66, 100, 200] {
        let line = measure(&Scenario { replicas, seed: 50, ..LOSSY }, 6).unwrap();
        assert_eq!(line.complete, line.seeds, "{replicas} replicas");
        assert!(line.max <= 15, "{replicas} replicas: {line:?}");
    }
}

#[test]
fn even_when_half_of_all_messages_are_lost_everyone_knows_in_the_end() {
    let line = measure(&Scenario { replicas: 150, loss: 0.5, ..LOSSY }, 6).unwrap();
    assert_eq!(line.complete, line.seeds);
}

#[test]
fn whole_nodes_bring_it_to_everyone_within_two_rounds_though_a_tenth_of_the_frames_is_lost() {
    for replicas in [2, 20, 90] {
        let line = measure(&Scenario { replicas, way: Way::Nodes, ..LOSSY }, 2).unwrap();
        assert_eq!(line.complete, line.seeds, "{replicas} replicas");
        assert!(line.max <= 2, "{line:?}");
    }
}

#[test]
fn when_all_messages_are_lost_nobody_else_knows_ever() {
    for way in [Way::Push, Way::PushPull] {
        let propagation = propagate(&Scenario { replicas: 20, loss: 1.0, way, ..LOSSY }).unwrap();
        assert_eq!(propagation.rounds(), None);
        assert_eq!(propagation.shares.last(), Some(&0.05));
    }
}

#[test]
fn shares_grow_from_the_writer_alone_to_everyone() {
    for way in [Way::Push, Way::PushPull, Way::Gossip] {
        let shares = propagate(&Scenario { replicas: 120, way, ..LOSSY }).unwrap().shares;
        assert_eq!((shares[0], shares[shares.len() - 1]), (1.0 / 120.0, 1.0));
        assert!(shares.windows(2).all(|pair| pair[0] <= pair[1]), "{shares:?}");
    }
}

#[test]
fn whoever_watches_hears_of_every_round_and_may_end_it() {
    for way in Way::ALL {
        let scenario = Scenario { replicas: 40, way, ..LOSSY };
        let mut told: Vec<Progress> = Vec::new();
        let watched = propagate_watched(&scenario, &mut |progress| {
            told.push(progress);
            true
        });
        assert_eq!(watched, propagate(&scenario), "watching changes nothing");
        assert!(told.windows(2).all(|pair| pair[0].rounds < pair[1].rounds), "{told:?}");
        let shares: Vec<f64> = told.iter().filter_map(|progress| progress.share).collect();
        assert_eq!(shares, watched.unwrap().shares[1..]);
        let mut heard = 0;
        propagate_watched(&scenario, &mut |_| {
            heard += 1;
            heard < 2
        })
        .unwrap();
        assert!(heard <= 2, "told to end, it told {heard} times");
    }
}

#[test]
fn the_same_seed_gives_the_same_propagation_and_another_one_another() {
    for way in [Way::PushPull, Way::Gossip] {
        let scenario = Scenario { replicas: 100, way, ..LOSSY };
        assert_eq!(propagate(&scenario).unwrap(), propagate(&scenario).unwrap());
        let other = Scenario { seed: 2, ..scenario };
        assert_ne!(propagate(&scenario).unwrap(), propagate(&other).unwrap());
    }
}

#[test]
fn a_replica_of_the_simulation_takes_nothing_but_by_admission() {
    let mut population = Population::new(3, 1).unwrap();
    let first = population.remember(0).unwrap();
    let second = population.remember(0).unwrap();
    assert_eq!(population.offer(0, 1, vec![second.clone()]), Ok(0), "what it follows is missing");
    assert_eq!(population.offer(0, 1, vec![first.clone(), second.clone()]), Ok(2));
    assert_eq!(population.offer(0, 1, vec![first.clone()]), Ok(0), "known already");
    let forged = Operation::from_parts(first.header_bytes(), Signature([7; 64]), first.body().cloned()).unwrap();
    assert_eq!(population.offer(0, 2, vec![forged]).unwrap_err().code(), "bad_signature");
    assert_eq!(population.bring(1, 2), Ok(2));
    assert_eq!(population.bring(1, 2), Ok(0));
}
