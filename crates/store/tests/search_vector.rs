//! Vectors: pending, kept apart by model, searched exactly, dropped everywhere when erased.

#![allow(clippy::unwrap_used)]

mod search_ground;

use std::fs;

use chrysalis_store::StoreError;
use chrysalis_store::search::filter::Filter;
use chrysalis_store::search::matrix::Matrix;
use chrysalis_store::search::passages::PASSAGES_MAX;
use chrysalis_store::search::vector::{self, NewVector, Pending};
use chrysalis_store::search::{Number, nearest};
use proptest::prelude::*;
use rusqlite::Connection;
use search_ground::{Dice, Ground, MARK, said};

fn open(ground: &Ground) -> Connection {
    vector::open(&ground.path("vectors.db"), MARK, None).unwrap()
}

/// Embeds all that is pending by a function of the content; returns how many vectors were put.
fn embed(ground: &Ground, vectors: &mut Connection, model: &str, values: impl Fn(&str) -> Vec<f32>) -> usize {
    let pending = vector::pending(&ground.connection, vectors, model, 10_000).unwrap();
    let new: Vec<NewVector> = pending.iter().map(|memory| vector_of(memory, values(&memory.texts.concat()))).collect();
    vector::put(&ground.connection, vectors, model, &new).unwrap()
}

fn vector_of(memory: &Pending, values: Vec<f32>) -> NewVector {
    NewVector { number: memory.number, digest: memory.digest, passages: vec![values] }
}

/// The same content has the same direction, seeded by its bytes.
fn direction(content: &str) -> Vec<f32> {
    let seed = content
        .bytes()
        .fold(0x9e37_79b9_7f4a_7c15_u64, |seed, byte| (seed ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    let mut dice = Dice(seed | 1);
    (0..37).map(|_| dice.below(2_001) as f32 / 1_000.0 - 1.0).collect()
}

fn numbers(hits: &[chrysalis_store::search::matrix::VectorHit]) -> Vec<Number> {
    hits.iter().map(|hit| hit.number).collect()
}

#[test]
fn a_memory_waits_for_its_vector_until_it_has_one_of_its_present_content() {
    let ground = Ground::with(&["one", "two", "three"]);
    let mut vectors = open(&ground);
    assert_eq!(vector::pending(&ground.connection, &vectors, "m", 2).unwrap().len(), 2);
    assert_eq!(embed(&ground, &mut vectors, "m", direction), 3);
    assert_eq!(vector::pending(&ground.connection, &vectors, "m", 10).unwrap(), vec![]);

    ground.touch(1);
    ground.update(2, &said("two and a half"));
    let pending = vector::pending(&ground.connection, &vectors, "m", 10).unwrap();
    assert_eq!(pending.iter().map(|memory| memory.texts.as_slice()).collect::<Vec<_>>(), vec![["two and a half"]]);
}

#[test]
fn a_vector_of_superseded_or_forgotten_content_is_not_taken() {
    let ground = Ground::with(&["one", "two"]);
    let mut vectors = open(&ground);
    let pending = vector::pending(&ground.connection, &vectors, "m", 10).unwrap();
    ground.update(1, &said("uno"));
    ground.remove(2);
    let new: Vec<NewVector> = pending.iter().map(|memory| vector_of(memory, vec![1.0, 2.0])).collect();
    assert_eq!(vector::put(&ground.connection, &mut vectors, "m", &new).unwrap(), 0);
}

#[test]
fn the_nearest_memories_come_first_with_their_cosine() {
    let ground = Ground::with(&["east", "north", "north east"]);
    let mut vectors = open(&ground);
    embed(&ground, &mut vectors, "m", |content| match content {
        "east" => vec![3.0, 0.0],
        "north" => vec![0.0, 0.5],
        _ => vec![1.0, 1.0],
    });
    let matrix = Matrix::new("m");
    assert!(matrix.catch_up(&mut vectors).unwrap());
    assert!(!matrix.catch_up(&mut vectors).unwrap());
    let hits = matrix.search(&[10.0, 0.0], None, 2).unwrap();
    assert_eq!(numbers(&hits), vec![1, 3]);
    assert!((hits[0].cosine - 1.0).abs() < 1e-6 && (hits[1].cosine - 0.5_f32.sqrt()).abs() < 1e-6);
    assert_eq!(numbers(&matrix.search(&[0.0, 1.0], Some(&[1, 3, 77]), 9).unwrap()), vec![3, 1]);
    assert_eq!(numbers(&matrix.cosines(&[0.0, 1.0], &[2, 99]).unwrap()), vec![2]);
}

#[test]
fn a_memory_is_as_near_as_its_nearest_passage_and_that_is_told() {
    let ground = Ground::with(&["both", "west", &"A sentence that is long enough. ".repeat(40)]);
    let mut vectors = open(&ground);
    let pending = vector::pending(&ground.connection, &vectors, "m", 10).unwrap();
    assert_eq!(pending.iter().map(|memory| memory.texts.len()).collect::<Vec<_>>(), vec![1, 1, 2]);
    let directions = [vec![vec![0.0, 1.0]], vec![vec![-1.0, 0.0]], vec![vec![-1.0, 0.0], vec![1.0, 0.0]]];
    let new: Vec<NewVector> = pending
        .iter()
        .zip(directions)
        .map(|(memory, passages)| NewVector { number: memory.number, digest: memory.digest, passages })
        .collect();
    assert_eq!(vector::put(&ground.connection, &mut vectors, "m", &new).unwrap(), 3);
    let matrix = Matrix::new("m");
    matrix.catch_up(&mut vectors).unwrap();
    let hits = matrix.search(&[1.0, 0.0], None, 9).unwrap();
    let told: Vec<_> = hits.iter().map(|hit| (hit.number, hit.cosine, hit.passage)).collect();
    assert_eq!(told, vec![(3, 1.0, 1), (1, 0.0, 0), (2, -1.0, 0)]);
    // Many passages of one memory do not crowd out another memory.
    assert_eq!(numbers(&matrix.search(&[-1.0, 0.1], None, 2).unwrap()).len(), 2);
}

#[test]
fn a_memory_without_vectors_or_with_too_many_is_refused() {
    let ground = Ground::with(&["one", "two"]);
    let mut vectors = open(&ground);
    let pending = vector::pending(&ground.connection, &vectors, "m", 10).unwrap();
    for passages in [vec![], vec![vec![1.0, 0.0]; PASSAGES_MAX + 1]] {
        let bad = NewVector { number: pending[0].number, digest: pending[0].digest, passages };
        let new = [vector_of(&pending[1], vec![1.0, 0.0]), bad];
        assert!(matches!(vector::put(&ground.connection, &mut vectors, "m", &new), Err(StoreError::Invalid(_))));
    }
    assert_eq!(vector::models(&vectors).unwrap(), vec![]);
}

#[test]
fn what_each_model_holds_is_counted() {
    let ground = Ground::with(&["one", "two", &"three and more. ".repeat(80)]);
    let mut vectors = open(&ground);
    let counted = |vectors: &Connection| {
        let models = vector::models(vectors).unwrap();
        models.into_iter().map(|model| (model.name, model.memories, model.passages)).collect::<Vec<_>>()
    };
    assert_eq!(vector::state(&ground.connection, &vectors, "m").unwrap(), (3, 0));
    embed(&ground, &mut vectors, "m", direction);
    embed(&ground, &mut vectors, "other", direction);
    assert_eq!(counted(&vectors), vec![("m".to_owned(), 3, 3), ("other".to_owned(), 3, 3)]);
    assert_eq!(vector::state(&ground.connection, &vectors, "m").unwrap(), (3, 3));
    assert_eq!(vector::pending(&ground.connection, &vectors, "m", 10).unwrap(), vec![]);
    assert_eq!(vector::state(&ground.connection, &vectors, "m").unwrap(), (3, 3));

    ground.remove(1);
    vector::erase(&ground.connection, &mut vectors, &[1]).unwrap();
    ground.update(2, &said("zwei"));
    assert_eq!(vector::state(&ground.connection, &vectors, "m").unwrap(), (2, 2));
    vector::erase(&ground.connection, &mut vectors, &[2]).unwrap();
    assert_eq!(vector::state(&ground.connection, &vectors, "m").unwrap(), (2, 1));
    assert_eq!(counted(&vectors), vec![("m".to_owned(), 1, 1), ("other".to_owned(), 1, 1)]);
}

#[test]
fn erasing_superseded_content_keeps_the_vector_of_the_present_one() {
    let ground = Ground::with(&["one"]);
    let mut vectors = open(&ground);
    embed(&ground, &mut vectors, "old", |_| vec![1.0, 0.0]);
    ground.update(1, &said("uno"));
    embed(&ground, &mut vectors, "new", |_| vec![0.0, 1.0]);
    let matrix = Matrix::new("new");
    matrix.catch_up(&mut vectors).unwrap();
    assert_eq!(vector::erase(&ground.connection, &mut vectors, &[1]).unwrap().erased, 1);
    matrix.catch_up(&mut vectors).unwrap();
    assert_eq!(numbers(&matrix.search(&[0.0, 1.0], None, 1).unwrap()), vec![1]);
    assert_eq!(vector::pending(&ground.connection, &vectors, "new", 9).unwrap(), vec![]);
    assert_eq!(vector::pending(&ground.connection, &vectors, "old", 9).unwrap().len(), 1);
}

#[test]
fn a_model_that_is_dropped_leaves_the_others_and_may_come_back_with_other_dimensions() {
    let ground = Ground::with(&["one", "two"]);
    let mut vectors = open(&ground);
    embed(&ground, &mut vectors, "m", |_| vec![1.0, 0.0]);
    embed(&ground, &mut vectors, "other", |_| vec![1.0, 0.0]);
    let (matrix, other) = (Matrix::new("m"), Matrix::new("other"));
    matrix.catch_up(&mut vectors).unwrap();
    assert_eq!(vector::drop_model(&mut vectors, "m").unwrap(), 2);
    assert_eq!(vector::drop_model(&mut vectors, "m").unwrap(), 0);
    for matrix in [&matrix, &other] {
        matrix.catch_up(&mut vectors).unwrap();
    }
    assert_eq!((matrix.len(), other.len()), (0, 2));
    embed(&ground, &mut vectors, "m", |_| vec![1.0, 0.0, 0.0]);
    matrix.catch_up(&mut vectors).unwrap();
    assert_eq!(matrix.search(&[1.0, 0.0, 0.0], None, 9).unwrap().len(), 2);
}

#[test]
fn vectors_of_two_models_never_mix() {
    let ground = Ground::with(&["one", "two"]);
    let mut vectors = open(&ground);
    embed(&ground, &mut vectors, "flat", |_| vec![1.0, 0.0]);
    embed(&ground, &mut vectors, "deep", |_| vec![0.0, 1.0]);
    embed(&ground, &mut vectors, "wide", |_| vec![0.0, 1.0, 0.0, 0.0]);
    for (model, query, cosine) in
        [("flat", vec![1.0, 0.0], 1.0), ("deep", vec![1.0, 0.0], 0.0), ("wide", vec![0.0, 2.0, 0.0, 0.0], 1.0)]
    {
        let matrix = Matrix::new(model);
        matrix.catch_up(&mut vectors).unwrap();
        let hits = matrix.search(&query, None, 10).unwrap();
        assert_eq!((hits.len(), hits[0].cosine, hits[1].cosine), (2, cosine, cosine), "{model}");
    }
}

#[test]
fn another_number_of_dimensions_is_refused_and_nothing_stored() {
    let ground = Ground::with(&["one", "two"]);
    let mut vectors = open(&ground);
    let pending = vector::pending(&ground.connection, &vectors, "m", 10).unwrap();
    let both = [vector_of(&pending[0], vec![1.0, 0.0]), vector_of(&pending[1], vec![1.0, 0.0, 0.0])];
    assert!(matches!(vector::put(&ground.connection, &mut vectors, "m", &both), Err(StoreError::Invalid(_))));
    assert_eq!(vector::pending(&ground.connection, &vectors, "m", 10).unwrap(), pending);

    vector::put(&ground.connection, &mut vectors, "m", &both[..1]).unwrap();
    let matrix = Matrix::new("m");
    matrix.catch_up(&mut vectors).unwrap();
    assert!(matches!(matrix.search(&[1.0], None, 1), Err(StoreError::Invalid(_))));
}

#[test]
fn vectors_without_a_direction_are_refused() {
    let ground = Ground::with(&["one"]);
    let mut vectors = open(&ground);
    let pending = vector::pending(&ground.connection, &vectors, "m", 1).unwrap();
    for values in [vec![0.0, 0.0], vec![f32::NAN, 1.0], vec![f32::INFINITY, 1.0], vec![]] {
        let put = vector::put(&ground.connection, &mut vectors, "m", &[vector_of(&pending[0], values)]);
        assert!(matches!(put, Err(StoreError::Invalid(_))), "{put:?}");
    }
}

#[test]
fn a_query_without_a_direction_finds_nothing() {
    let ground = Ground::with(&["one"]);
    let mut vectors = open(&ground);
    embed(&ground, &mut vectors, "m", |_| vec![1.0, 0.0]);
    let matrix = Matrix::new("m");
    assert_eq!(matrix.search(&[1.0, 0.0], None, 5).unwrap(), vec![]);
    matrix.catch_up(&mut vectors).unwrap();
    assert_eq!(matrix.search(&[0.0, 0.0], None, 5).unwrap(), vec![]);
}

#[test]
fn a_matrix_that_was_loaded_drops_what_another_connection_erased_or_replaced() {
    let ground = Ground::with(&["one", "two", "three"]);
    let (mut mine, mut theirs) = (open(&ground), open(&ground));
    embed(&ground, &mut mine, "m", |_| vec![1.0, 0.0]);
    let matrix = Matrix::new("m");
    matrix.catch_up(&mut mine).unwrap();

    ground.remove(1);
    vector::erase(&ground.connection, &mut theirs, &[1]).unwrap();
    ground.update(2, &said("zwei"));
    embed(&ground, &mut theirs, "m", |_| vec![0.0, 1.0]);
    assert!(matrix.catch_up(&mut mine).unwrap());
    assert_eq!(numbers(&matrix.search(&[1.0, 0.0], None, 10).unwrap()), vec![3, 2]);
    assert_eq!(matrix.len(), 2);
}

#[test]
fn a_selective_filter_never_starves_a_search_by_vector() {
    let ground = Ground::new();
    ground.remember_all((0..3_000).map(|at| {
        let mut memory = said(&format!("note {at}"));
        memory.scope = if at % 300 == 0 { "rare".to_owned() } else { "common".to_owned() };
        memory.expires_at = (at >= 15).then_some(100);
        memory
    }));
    let mut vectors = open(&ground);
    embed(&ground, &mut vectors, "m", direction);
    let matrix = Matrix::new("m");
    matrix.catch_up(&mut vectors).unwrap();
    let reader = ground.reader();
    let query = direction("a question");
    let find = |filter: &Filter| nearest::search(&reader, &matrix, &query, filter, 10).unwrap();
    assert_eq!(find(&Filter { scope: Some("rare".to_owned()), ..Filter::default() }).len(), 10);
    // All but fifteen have expired, and the nearest are among the expired.
    let unexpired = find(&Filter { now: Some(200), ..Filter::default() });
    assert_eq!(unexpired.len(), 10);
    assert!(unexpired.iter().all(|hit| hit.number <= 15));
    assert_eq!(find(&Filter::default()), matrix.search(&query, None, 10).unwrap());
}

#[test]
fn a_damaged_file_is_emptied_and_its_memories_wait_again() {
    for damage in [b"nonsense".repeat(2_000), Vec::new(), vec![0; 4_096]] {
        let ground = Ground::with(&["one", "two"]);
        embed(&ground, &mut open(&ground), "m", direction);
        fs::write(ground.path("vectors.db"), &damage).unwrap();
        let mut vectors = open(&ground);
        assert_eq!(embed(&ground, &mut vectors, "m", direction), 2);
    }
}

#[test]
fn a_file_that_was_emptied_is_loaded_anew() {
    let ground = Ground::with(&["one", "two"]);
    let mut vectors = open(&ground);
    embed(&ground, &mut vectors, "m", direction);
    let matrix = Matrix::new("m");
    matrix.catch_up(&mut vectors).unwrap();
    vector::reset(&mut open(&ground), MARK).unwrap();
    assert!(matrix.catch_up(&mut vectors).unwrap());
    assert!(matrix.is_empty());
    embed(&ground, &mut vectors, "m", direction);
    matrix.catch_up(&mut vectors).unwrap();
    assert_eq!(matrix.len(), 2);
}

#[test]
fn vectors_of_memories_that_are_gone_are_found_and_erased() {
    let ground = Ground::with(&["one", "two"]);
    let mut vectors = open(&ground);
    embed(&ground, &mut vectors, "m", direction);
    ground.remove(2);
    assert_eq!(vector::erase_orphans(&ground.connection, &mut vectors).unwrap(), 1);
    assert_eq!(vector::erase_orphans(&ground.connection, &mut vectors).unwrap(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    /// Whatever was put, replaced and erased, a matrix that followed equals one that loads the file.
    #[test]
    fn a_matrix_that_followed_equals_one_loaded_anew(steps in prop::collection::vec((0_u8..3, any::<usize>()), 1..40)) {
        let ground = Ground::with(&["first"]);
        let mut vectors = open(&ground);
        let follower = Matrix::new("m");
        let mut living = vec![1];
        for (kind, at) in steps {
            match (kind, living.is_empty()) {
                (1, false) => ground.update(living[at % living.len()], &said(&format!("changed {at}"))),
                (2, false) => {
                    let number = living.swap_remove(at % living.len());
                    ground.remove(number);
                    vector::erase(&ground.connection, &mut vectors, &[number]).unwrap();
                }
                _ => living.push(ground.remember(&said(&format!("new {at}")))),
            }
            if at % 3 == 0 {
                embed(&ground, &mut vectors, "m", direction);
                follower.catch_up(&mut vectors).unwrap();
            }
        }
        embed(&ground, &mut vectors, "m", direction);
        follower.catch_up(&mut vectors).unwrap();
        let loaded = Matrix::new("m");
        loaded.catch_up(&mut vectors).unwrap();
        let query = direction("a question");
        prop_assert_eq!(follower.len(), living.len());
        prop_assert_eq!(follower.search(&query, None, 100).unwrap(), loaded.search(&query, None, 100).unwrap());
    }
}
