//! Removals: what counts after them is the same for everyone, and no removed member can undo his removal.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use chrysalis_core::causality::{Causality, LogNumber, Place};
use chrysalis_core::id::{Fingerprint, LogId, ReplicaKey};
use chrysalis_core::member::Role;
use chrysalis_core::payload::{Position, Remove};
use chrysalis_core::standing::{Invited, Removal, Standing, Verdict, judge};
use proptest::prelude::*;

const FOUNDER: u8 = 0;

fn key(of: u8) -> ReplicaKey {
    ReplicaKey([of; 32])
}

fn token(of: u8) -> ReplicaKey {
    ReplicaKey([of ^ 0xff; 32])
}

fn log_id(number: LogNumber) -> LogId {
    LogId([number as u8; 32])
}

/// Logs of a space as they grow: member `n` writes log `n`.
#[derive(Clone, Default)]
struct History {
    logs: BTreeMap<LogNumber, Standing>,
    lengths: BTreeMap<LogNumber, u64>,
    lamports: BTreeMap<LogNumber, u64>,
    steps: Causality,
    removals: Vec<Removal>,
}

impl History {
    fn founded() -> Self {
        let mut history = Self::default();
        history.open(FOUNDER, None);
        history
    }

    fn open(&mut self, member: u8, invited: Option<Invited>) {
        self.open_log(LogNumber::from(member), member, invited);
    }

    fn open_log(&mut self, log: LogNumber, member: u8, invited: Option<Invited>) {
        self.logs.insert(log, Standing { id: log_id(log), replica: key(member), invited, proven: None });
        self.say(log, &[]);
    }

    fn invite(&mut self, by: u8, member: u8) {
        let founder = by == FOUNDER;
        let by_log = (!founder).then_some(LogNumber::from(by));
        let (issuer, token) = (Some(key(by)), token(member));
        self.open(member, Some(Invited { by: by_log, issuer, token, role: Role::Administrator }));
    }

    /// The next operation of a log, after having seen these logs as they are.
    fn say(&mut self, log: LogNumber, seen: &[LogNumber]) -> Place {
        let sequence = *self.lengths.entry(log).and_modify(|length| *length += 1).or_insert(1) - 1;
        let seen: Vec<Place> = seen
            .iter()
            .filter(|other| **other != log)
            .filter_map(|other| Some(Place { log: *other, sequence: self.lengths.get(other)?.checked_sub(1)? }))
            .collect();
        let place = Place { log, sequence };
        self.steps.insert(place, &seen);
        let times = seen.iter().map(|place| self.lamports[&place.log]).chain(self.lamports.get(&log).copied());
        let lamport = 1 + times.max().unwrap_or(0);
        self.lamports.insert(log, lamport);
        place
    }

    /// A removal by a member who has seen all, and lets count what is there.
    fn remove(&mut self, by: u8, member: u8) -> Place {
        let seen: Vec<LogNumber> = self.logs.keys().copied().collect();
        self.remove_seeing(by, member, &seen)
    }

    fn remove_seeing(&mut self, by: u8, member: u8, seen: &[LogNumber]) -> Place {
        let place = self.say(LogNumber::from(by), seen);
        let of_member = self.logs.iter().filter(|(number, log)| log.replica == key(member) && seen.contains(number));
        let last = of_member
            .map(|(number, log)| {
                let sequence = self.lengths[number] - 1;
                Position { log: log.id, sequence, fingerprint: Fingerprint([0; 48]) }
            })
            .collect();
        let said = Remove { replica: key(member), last };
        let mut fingerprint = Fingerprint([place.log as u8; 48]);
        fingerprint.0[1] = place.sequence as u8;
        self.removals.push(Removal { place, lamport: self.lamports[&place.log], fingerprint, said });
        place
    }

    fn judge(&self) -> Verdict {
        judge(&self.logs, &self.removals, &self.steps).unwrap()
    }
}

#[test]
fn what_stands_after_the_named_place_is_void_and_what_stands_before_counts() {
    let mut history = History::founded();
    history.invite(FOUNDER, 1);
    history.say(1, &[]);
    history.remove(FOUNDER, 1);
    history.say(1, &[]);
    assert_eq!(history.judge().cuts, BTreeMap::from([(1, 2)]));
    assert_eq!(history.judge().removed.keys().collect::<Vec<_>>(), [&key(1)]);
}

#[test]
fn a_log_that_the_removed_key_opens_later_is_void() {
    let mut history = History::founded();
    history.invite(FOUNDER, 1);
    history.remove(FOUNDER, 1);
    let invited = history.logs[&1].invited;
    history.open_log(50, 1, invited);
    assert_eq!(history.judge().cuts, BTreeMap::from([(1, 1), (50, 0)]));
}

#[test]
fn whom_a_removed_administrator_invited_counts_if_the_removal_saw_him() {
    let mut history = History::founded();
    history.invite(FOUNDER, 1);
    history.invite(1, 2);
    history.remove(FOUNDER, 1);
    history.invite(1, 3);
    history.invite(3, 4);
    assert_eq!(history.judge().cuts, BTreeMap::from([(1, 1), (3, 0), (4, 0)]));
}

#[test]
fn a_token_is_revoked_by_its_key() {
    let mut history = History::founded();
    history.invite(FOUNDER, 1);
    let place = history.remove(FOUNDER, 1);
    history.removals[0].said = Remove { replica: token(7), last: Vec::new() };
    let used = Some(Invited { by: None, issuer: Some(key(FOUNDER)), token: token(7), role: Role::Writer });
    history.open(7, used);
    let verdict = history.judge();
    assert_eq!((verdict.cuts, verdict.counting), (BTreeMap::from([(7, 0)]), vec![place]));
}

#[test]
fn who_came_in_before_the_token_was_revoked_stays_in_his_later_logs_too_and_rises_by_none() {
    let mut history = History::founded();
    let used = |role| Some(Invited { by: None, issuer: Some(key(FOUNDER)), token: token(7), role });
    history.open(7, used(Role::Writer));
    history.remove(FOUNDER, 1);
    history.removals[0].said = Remove { replica: token(7), last: Vec::new() };
    history.open_log(50, 7, used(Role::Writer));
    history.open_log(51, 7, used(Role::Administrator));
    history.open(8, used(Role::Writer));
    assert_eq!(history.judge().cuts, BTreeMap::from([(8, 0), (51, 0)]));
}

#[test]
fn of_two_who_remove_each_other_the_senior_stays() {
    let mut history = History::founded();
    history.invite(FOUNDER, 1);
    history.invite(1, 2);
    // The junior one dates his back: he has seen nothing but himself, so that his Lamport time is the smaller.
    for _ in 0..5 {
        history.say(1, &[0, 2]);
    }
    let senior = history.remove_seeing(1, 2, &[0, 1, 2]);
    history.remove_seeing(2, 1, &[1, 2]);
    assert!(history.removals[1].lamport <= history.removals[0].lamport + 3);
    let verdict = history.judge();
    assert_eq!((verdict.cuts, verdict.counting), (BTreeMap::from([(2, 1)]), vec![senior]));
}

#[test]
fn the_founder_takes_back_what_a_removed_administrator_did() {
    let mut history = History::founded();
    history.invite(FOUNDER, 1);
    history.invite(FOUNDER, 2);
    history.say(2, &[]);
    history.remove(1, 2);
    assert_eq!(history.judge().cuts, BTreeMap::from([(2, 2)]));
    // The founder did not see that removal when he removed its author.
    history.removals.push(history.removals[0].clone());
    history.removals.remove(0);
    let place = history.say(0, &[]);
    let last = vec![Position { log: log_id(1), sequence: 0, fingerprint: Fingerprint([0; 48]) }];
    let said = Remove { replica: key(1), last };
    let lamport = history.lamports[&0];
    history.removals.push(Removal { place, lamport, fingerprint: Fingerprint([9; 48]), said });
    let verdict = history.judge();
    assert_eq!(verdict.cuts, BTreeMap::from([(1, 1)]));
    assert_eq!(verdict.removed.keys().collect::<Vec<_>>(), [&key(1)]);
}

#[test]
fn a_removal_in_a_forked_part_of_a_log_counts_nothing() {
    let mut history = History::founded();
    history.invite(FOUNDER, 1);
    history.invite(FOUNDER, 2);
    let place = history.remove(1, 2);
    history.logs.get_mut(&1).unwrap().proven = Some(place.sequence);
    let verdict = history.judge();
    assert_eq!((verdict.cuts, verdict.removed.len()), (BTreeMap::from([(1, place.sequence)]), 0));
}

#[test]
fn two_removals_of_one_member_let_count_what_both_let_count() {
    let mut history = History::founded();
    history.invite(FOUNDER, 1);
    history.invite(FOUNDER, 2);
    history.say(2, &[]);
    history.remove(1, 2);
    history.say(2, &[]);
    history.remove(FOUNDER, 2);
    assert_eq!(history.judge().cuts, BTreeMap::from([(2, 2)]));
    assert_eq!(history.judge().counting.len(), 2);
}

/// What happens next in a random history.
#[derive(Clone, Debug)]
enum Event {
    Invite(prop::sample::Index),
    Say(prop::sample::Index, Vec<prop::sample::Index>),
    Remove(prop::sample::Index, prop::sample::Index, Vec<prop::sample::Index>),
    Fork(prop::sample::Index),
}

fn event() -> impl Strategy<Value = Event> {
    let index = any::<prop::sample::Index>;
    let some = || prop::collection::vec(any::<prop::sample::Index>(), 0..4);
    prop_oneof![
        3 => index().prop_map(Event::Invite),
        4 => (index(), some()).prop_map(|(who, seen)| Event::Say(who, seen)),
        3 => (index(), index(), some()).prop_map(|(by, whom, seen)| Event::Remove(by, whom, seen)),
        1 => index().prop_map(Event::Fork),
    ]
}

fn history_of(events: &[Event]) -> History {
    let mut history = History::founded();
    for event in events {
        let logs: Vec<LogNumber> = history.logs.keys().copied().collect();
        let pick = |index: &prop::sample::Index| *index.get(&logs);
        match event {
            Event::Invite(by) => history.invite(pick(by) as u8, logs.len() as u8),
            Event::Say(who, seen) => drop(history.say(pick(who), &seen.iter().map(pick).collect::<Vec<_>>())),
            Event::Remove(by, whom, seen) => {
                let seen: Vec<_> = seen.iter().map(pick).collect();
                history.remove_seeing(pick(by) as u8, pick(whom) as u8, &seen);
            }
            Event::Fork(who) => {
                let log = pick(who);
                let place = history.lengths[&log].saturating_sub(1);
                history.logs.get_mut(&log).unwrap().proven.get_or_insert(place);
            }
        }
    }
    history
}

proptest! {
    // Many drawn histories are of other things than the claim at hand.
    #![proptest_config(ProptestConfig { max_global_rejects: 65_536, ..ProptestConfig::default() })]

    #[test]
    fn the_verdict_does_not_depend_on_the_order_of_arrival(
        events in prop::collection::vec(event(), 0..30),
        seed in any::<u64>(),
    ) {
        let history = history_of(&events);
        let verdict = history.judge();
        let mut shuffled = history.clone();
        let mut state = seed;
        for place in (1..shuffled.removals.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            shuffled.removals.swap(place, (state >> 33) as usize % (place + 1));
        }
        prop_assert_eq!(shuffled.judge(), verdict);
    }

    #[test]
    fn only_removals_that_stand_or_stood_when_judged_count(events in prop::collection::vec(event(), 0..30)) {
        let history = history_of(&events);
        let verdict = history.judge();
        for removal in &history.removals {
            let counts = verdict.counting.contains(&removal.place);
            let void = verdict.cuts.get(&removal.place.log).is_some_and(|cut| removal.place.sequence >= *cut);
            prop_assert!(counts || void, "{removal:?} stands and does not count");
        }
        for (log, proven) in history.logs.iter().filter_map(|(number, log)| Some((number, log.proven?))) {
            prop_assert!(verdict.cuts[log] <= proven);
        }
    }

    #[test]
    fn nobody_but_the_founder_ends_what_the_founder_decides(events in prop::collection::vec(event(), 0..30)) {
        let mut history = history_of(&events);
        prop_assume!(history.logs.len() > 1);
        prop_assume!(history.logs[&0].proven.is_none());
        prop_assume!(!history.removals.iter().any(|one| one.place.log == 0 && one.said.replica == key(FOUNDER)));
        let place = history.remove(FOUNDER, 1);
        prop_assert!(history.judge().counting.contains(&place));
        prop_assert!(history.judge().removed.contains_key(&key(1)));
    }
}
