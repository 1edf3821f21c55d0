//! Sorted vectors as small maps and sets: one allocation each, and merging two walks both once.

use std::cmp::Ordering;

/// Puts `value` where it belongs; false, and the vector unchanged, when an equal one stands there.
pub(super) fn insert<T: Ord>(values: &mut Vec<T>, value: T) -> bool {
    match values.binary_search(&value) {
        Ok(_) => false,
        Err(at) => {
            values.insert(at, value);
            true
        }
    }
}

/// Joins two sorted vectors. `order` compares places; `absorb` joins two values of one place.
///
/// What is equal costs no allocation: documents that already agree are the usual case.
pub(super) fn join<T: Clone>(
    ours: &mut Vec<T>,
    theirs: &[T],
    order: impl Fn(&T, &T) -> Ordering,
    absorb: impl Fn(&mut T, &T),
) {
    let (mut at, mut rest) = (0, theirs);
    while let ([first, later @ ..], Some(own)) = (rest, ours.get_mut(at)) {
        match order(own, first) {
            Ordering::Less => at += 1,
            Ordering::Equal => {
                absorb(own, first);
                at += 1;
                rest = later;
            }
            Ordering::Greater => break,
        }
    }
    if !rest.is_empty() {
        interleave(ours, at, rest, order, absorb);
    }
}

/// Joins `rest` into what stands in `ours` from `at` on.
fn interleave<T: Clone>(
    ours: &mut Vec<T>,
    at: usize,
    mut rest: &[T],
    order: impl Fn(&T, &T) -> Ordering,
    absorb: impl Fn(&mut T, &T),
) {
    let tail = ours.split_off(at);
    ours.reserve_exact(tail.len() + rest.len());
    for mut own in tail {
        while let [first, later @ ..] = rest {
            match order(&own, first) {
                Ordering::Less => break,
                Ordering::Equal => absorb(&mut own, first),
                Ordering::Greater => ours.push(first.clone()),
            }
            rest = later;
        }
        ours.push(own);
    }
    ours.extend_from_slice(rest);
}

/// Joins two sorted sets.
pub(super) fn unite<T: Ord + Clone>(ours: &mut Vec<T>, theirs: &[T]) {
    join(ours, theirs, T::cmp, |_, _| {});
}
