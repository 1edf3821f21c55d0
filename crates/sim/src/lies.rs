//! What a hostile member says: about what it has, about others, and in operations that it signs against the rules.

use std::cell::RefCell;

use chrysalis_core::fork::Proof;
use chrysalis_core::id::{LogId, ReplicaKey, Signature};
use chrysalis_core::sync::replica::{LogState, Segment, Tip};

use crate::random::{Draw, Random};

/// How a hostile member lies; each in so many of a thousand answers.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Habits {
    /// Says that logs reach further than they do.
    pub boasts: u64,
    /// Says that logs reach less far than they do.
    pub hides: u64,
    /// Names heads that nobody wrote.
    pub invents_tips: u64,
    /// Names logs that nobody opened.
    pub invents_logs: u64,
    /// Says that a log is void that is not.
    pub invents_cuts: u64,
    /// Keeps segments to itself that were asked for.
    pub withholds: u64,
    /// Sends operations without their words.
    pub withholds_words: u64,
    /// Sends segments out of their order.
    pub disorders: u64,
    /// Alters proofs.
    pub forges_proofs: u64,
}

impl Habits {
    /// All of them, now and then.
    pub const EVERY: Self = Self {
        boasts: 150,
        hides: 150,
        invents_tips: 150,
        invents_logs: 150,
        invents_cuts: 100,
        withholds: 200,
        withholds_words: 200,
        disorders: 100,
        forges_proofs: 300,
    };
}

/// A liar.
pub struct Lies {
    habits: Habits,
    random: RefCell<Random>,
    /// What it forged or repeats, and has not said yet.
    forged: RefCell<Vec<Segment>>,
    forgeries: u64,
    /// What it was made to say unasked, forged or not.
    unasked: u64,
}

/// Logs that are invented in one answer.
const INVENTED: usize = 20;

impl Lies {
    /// A member with these habits.
    pub fn new(habits: Habits, random: Random) -> Self {
        Self { habits, random: RefCell::new(random), forged: RefCell::default(), forgeries: 0, unasked: 0 }
    }

    /// Says this again with whatever is said next: signed by whoever signed it, and wanted by nobody.
    pub fn repeat(&mut self, segment: Segment) {
        self.forged.borrow_mut().push(segment);
        self.unasked += 1;
    }

    /// Says this with whatever is said next.
    pub fn forge(&mut self, segment: Segment) {
        self.forgeries += 1;
        self.repeat(segment);
    }

    /// How many segments it was made to say unasked.
    pub fn unasked(&self) -> u64 {
        self.unasked
    }

    /// How many segments it has forged.
    pub fn forged(&self) -> u64 {
        self.forgeries
    }

    pub(crate) fn unasked_segments(&self) -> Vec<Segment> {
        self.forged.take()
    }

    fn does(&self, in_thousand: u64) -> bool {
        self.random.borrow_mut().chance(in_thousand)
    }

    pub(crate) fn of_states(&self, states: &mut Vec<LogState>) {
        let habits = self.habits;
        for state in states.iter_mut() {
            if self.does(habits.boasts / 4) {
                state.count += self.random.borrow_mut().between(1, 1 << 40);
            }
            if self.does(habits.hides / 4) {
                state.count = self.random.borrow_mut().below(state.count.max(1));
            }
            if self.does(habits.invents_tips / 4) {
                state.tip = Tip(self.random.borrow_mut().bytes());
            }
            if self.does(habits.invents_cuts / 4) {
                state.cut = Some(self.random.borrow_mut().below(4));
            }
        }
        if self.does(habits.invents_logs) {
            states.extend((0..INVENTED).map(|_| self.invented()));
            states.sort_unstable();
            states.dedup_by_key(|state| state.log);
        }
    }

    fn invented(&self) -> LogState {
        let mut random = self.random.borrow_mut();
        let cut = random.chance(300).then(|| random.below(10));
        LogState { log: LogId(random.bytes()), count: random.below(1 << 50), tip: Tip(random.bytes()), cut }
    }

    pub(crate) fn of_segments(&self, segments: Vec<Segment>) -> Vec<Segment> {
        let mut told: Vec<Segment> = segments.into_iter().filter(|_| !self.does(self.habits.withholds)).collect();
        for segment in &mut told {
            if self.does(self.habits.withholds_words) {
                let opens = |sequence: u64| sequence == 0;
                *segment = std::mem::take(segment)
                    .into_iter()
                    .map(|one| if opens(one.header().sequence) { one } else { one.without_body() })
                    .collect();
            }
        }
        if self.does(self.habits.disorders) {
            self.random.borrow_mut().shuffle(&mut told);
        }
        told
    }

    pub(crate) fn of_tips(&self, mut tips: Vec<Option<Tip>>) -> Vec<Option<Tip>> {
        for tip in &mut tips {
            if self.does(self.habits.invents_tips) {
                *tip = Some(Tip(self.random.borrow_mut().bytes()));
            }
        }
        tips
    }

    /// A proof with another signature, of another branch order, or about another's key.
    pub(crate) fn of_proofs(&self, proofs: &mut [Proof]) {
        for proof in proofs.iter_mut() {
            if self.does(self.habits.forges_proofs) {
                let mut random = self.random.borrow_mut();
                match random.below(3) {
                    0 => proof.left.signature = Signature(random.bytes()),
                    1 => std::mem::swap(&mut proof.left, &mut proof.right),
                    _ => proof.replica = ReplicaKey(random.bytes()),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_liar_with_every_habit_alters_every_kind_of_answer() {
        let lies = Lies::new(Habits::EVERY, Random::new(3));
        let truth = vec![LogState { log: LogId([1; 32]), count: 5, tip: Tip([1; 16]), cut: None }];
        let mut told = Vec::new();
        for _ in 0..100 {
            let mut states = truth.clone();
            lies.of_states(&mut states);
            told.push(states);
        }
        assert!(told.iter().any(|states| states.len() > 1));
        assert!(told.iter().any(|states| states[0].count > 5));
        assert!(told.iter().any(|states| states.iter().any(|state| state.cut.is_some())));
        assert!((0..100).any(|_| lies.of_tips(vec![None]) != vec![None]));
    }

    #[test]
    fn who_has_no_habits_tells_the_truth() {
        let lies = Lies::new(Habits::default(), Random::new(3));
        let truth = vec![LogState { log: LogId([1; 32]), count: 5, tip: Tip([1; 16]), cut: None }];
        let mut states = truth.clone();
        lies.of_states(&mut states);
        assert_eq!(states, truth);
        assert_eq!(lies.of_tips(vec![None, None]), vec![None, None]);
    }
}
