//! Reconciliation: two sorted lists of log states find where they differ, in few messages and few bytes.
//!
//! Range-based set reconciliation (Meyer, "Range-Based Set Reconciliation", 2023): digests of ranges are compared, and
//! those that differ are split until so few states are left that they are sent themselves. Digests are SHA-384 over
//! the encoded states, never a sum or XOR of theirs, which anyone can steer. They are salted with what both sides drew
//! for this link and cut to sixteen bytes: a collision would have to be found while the link is up.

use std::collections::BTreeMap;

use crate::codec::Encoder;
use crate::error::{Refusal, Result};
use crate::id::{LogId, digest};
use crate::limits;

use super::message::{Range, RangeContent};
use super::message_codec::write_state;
use super::replica::LogState;

/// Parts into which a range that differs is split: fewer cost more messages, more cost more bytes.
const PARTS: usize = 16;

/// States that are sent rather than split: sixteen digests cost as much as seven states, and a message more.
const LISTED_MAX: usize = 16;

/// What follows from ranges that came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reconciled {
    /// To be sent; nothing when it is empty.
    pub answer: Vec<Range>,
    /// What the other side has and we lack or have otherwise, in order. May repeat what an earlier message told.
    pub theirs: Vec<LogState>,
    /// Whether this side has nothing more to learn: once `answer` is sent, the exchange is over.
    pub done: bool,
}

/// Messages that an honest exchange of so many logs on both sides together never exceeds: whoever sends more is
/// playing for time.
pub fn messages_max(logs: u64) -> u64 {
    32 + logs / 512
}

/// Digest of all states of a replica: equal roots end an exchange before it begins.
pub fn root(states: &[LogState]) -> [u8; 48] {
    digest("chrysalis/states/1", &[&encoded(states)])
}

/// The first message, of the sorted states. Both sides give the same `salt`, which nobody knew before the link.
pub fn initial(states: &[LogState], salt: &[u8]) -> Vec<Range> {
    let mut answer = Answer::new(states, salt, 0);
    answer.split_or_list(0..states.len(), None);
    answer.ranges
}

/// Reads the other side's ranges beside our sorted states; refuses what is out of order.
pub fn respond(states: &[LogState], salt: &[u8], ranges: &[Range]) -> Result<Reconciled> {
    let mut answer = Answer::new(states, salt, ranges.len());
    let mut from = Some(LogId([0; 32]));
    for range in ranges {
        let lower = from.ok_or(OUT_OF_ORDER)?;
        if range.until.is_some_and(|until| until <= lower) {
            return Err(OUT_OF_ORDER);
        }
        answer.coming -= 1;
        answer.read(lower, range)?;
        from = range.until;
    }
    Ok(answer.finish())
}

const OUT_OF_ORDER: Refusal = Refusal::Malformed("ranges or their states are out of order");

/// The answer as it grows, within the bounds of one message.
struct Answer<'a> {
    states: &'a [LogState],
    salt: &'a [u8],
    /// Ranges of the other side still to be read: each needs room for one of ours.
    coming: usize,
    /// States that the message may still hold.
    room: usize,
    ranges: Vec<Range>,
    theirs: Vec<LogState>,
}

impl<'a> Answer<'a> {
    fn new(states: &'a [LogState], salt: &'a [u8], coming: usize) -> Self {
        Self { states, salt, coming, room: limits::WANTS_MAX, ranges: Vec::new(), theirs: Vec::new() }
    }

    fn read(&mut self, lower: LogId, range: &Range) -> Result<()> {
        let begin = self.states.partition_point(|state| state.log < lower);
        let end = range.until.map_or(self.states.len(), |until| self.states.partition_point(|s| s.log < until));
        let ours = begin..end;
        match &range.content {
            RangeContent::Digest(theirs) if *theirs != self.digest(ours.clone()) => {
                self.split_or_list(ours, range.until);
            }
            RangeContent::Skip | RangeContent::Digest(_) => self.skip(range.until),
            RangeContent::States { states, answer } => {
                check_within(states, lower, range.until)?;
                self.learn(ours.clone(), states);
                if *answer {
                    self.skip(range.until);
                } else {
                    self.tell(ours, states, range.until);
                }
            }
        }
        Ok(())
    }

    /// Notes what of these states is not ours.
    fn learn(&mut self, ours: std::ops::Range<usize>, theirs: &[LogState]) {
        let ours = by_log(&self.states[ours]);
        let news = theirs.iter().filter(|state| ours.get(&state.log) != Some(state));
        self.theirs.extend(news);
    }

    /// Answers listed states with ours that are not among them; what finds no room is left for the next message.
    fn tell(&mut self, ours: std::ops::Range<usize>, theirs: &[LogState], until: Option<LogId>) {
        let listed = by_log(theirs);
        let news: Vec<usize> = ours.clone().filter(|at| !is_listed(&listed, &self.states[*at])).collect();
        if news.is_empty() {
            return self.skip(until);
        }
        let fits = self.room.min(news.len());
        let rest = news.get(fits).copied();
        if rest.is_some() && (fits == 0 || !self.has_room_for(2)) {
            return self.push_digest(ours, until);
        }
        let states = news[..fits].iter().map(|at| self.states[*at]).collect();
        self.room -= fits;
        let content = RangeContent::States { states, answer: true };
        match rest {
            None => self.ranges.push(Range { until, content }),
            Some(rest) => {
                self.ranges.push(Range { until: Some(self.bound(rest)), content });
                self.push_digest(rest..ours.end, until);
            }
        }
    }

    fn split_or_list(&mut self, ours: std::ops::Range<usize>, until: Option<LogId>) {
        if ours.len() <= LISTED_MAX && ours.len() <= self.room {
            self.room -= ours.len();
            let content = RangeContent::States { states: self.states[ours].to_vec(), answer: false };
            return self.ranges.push(Range { until, content });
        }
        if ours.len() <= LISTED_MAX || !self.has_room_for(PARTS) {
            return self.push_digest(ours, until);
        }
        for part in 0..PARTS {
            let from = ours.start + ours.len() * part / PARTS;
            let to = ours.start + ours.len() * (part + 1) / PARTS;
            let is_last = part + 1 == PARTS;
            self.push_digest(from..to, if is_last { until } else { Some(self.bound(to)) });
        }
    }

    fn push_digest(&mut self, ours: std::ops::Range<usize>, until: Option<LogId>) {
        let content = RangeContent::Digest(self.digest(ours));
        self.ranges.push(Range { until, content });
    }

    fn skip(&mut self, until: Option<LogId>) {
        match self.ranges.last_mut() {
            Some(last) if last.content == RangeContent::Skip => last.until = until,
            _ => self.ranges.push(Range { until, content: RangeContent::Skip }),
        }
    }

    fn has_room_for(&self, ranges: usize) -> bool {
        self.ranges.len() + self.coming + ranges <= limits::RANGES_MAX
    }

    fn digest(&self, ours: std::ops::Range<usize>) -> [u8; 16] {
        let whole = digest("chrysalis/range/1", &[self.salt, &encoded(&self.states[ours])]);
        let mut cut = [0; 16];
        cut.copy_from_slice(&whole[..16]);
        cut
    }

    /// The shortest bound that parts this state, never the first, from the one before it: zeros at its end do not travel.
    fn bound(&self, at: usize) -> LogId {
        let (before, log) = (&self.states[at - 1].log.0, &self.states[at].log.0);
        let shared = before.iter().zip(log).take_while(|(one, other)| one == other).count();
        let mut bound = [0; 32];
        let length = (shared + 1).min(bound.len());
        bound[..length].copy_from_slice(&log[..length]);
        LogId(bound)
    }

    fn finish(mut self) -> Reconciled {
        // What stands behind the last range counts as skipped.
        self.ranges.pop_if(|last| last.content == RangeContent::Skip);
        let done = self
            .ranges
            .iter()
            .all(|range| matches!(range.content, RangeContent::Skip | RangeContent::States { answer: true, .. }));
        Reconciled { answer: self.ranges, theirs: self.theirs, done }
    }
}

fn check_within(states: &[LogState], lower: LogId, until: Option<LogId>) -> Result<()> {
    let ascending = states.windows(2).all(|pair| pair[0].log < pair[1].log);
    let inside = states.iter().all(|state| state.log >= lower && until.is_none_or(|until| state.log < until));
    if ascending && inside { Ok(()) } else { Err(OUT_OF_ORDER) }
}

fn by_log(states: &[LogState]) -> BTreeMap<LogId, &LogState> {
    states.iter().map(|state| (state.log, state)).collect()
}

fn is_listed(listed: &BTreeMap<LogId, &LogState>, state: &LogState) -> bool {
    listed.get(&state.log) == Some(&state)
}

fn encoded(states: &[LogState]) -> Vec<u8> {
    let mut e = Encoder::with_capacity(states.len() * 64);
    e.list(states.iter(), write_state);
    e.finish()
}
