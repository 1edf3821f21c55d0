//! What a phrase about time means.

use std::ops::Range;

use super::calendar::{DAY_MS, Day, Zone};
use super::describe;
use super::recurrence::Recurrence;
use crate::search::dates::DateWord;

/// The time from `start` up to, and not including, `end`: milliseconds since 1970 in UTC.
///
/// `i64::MIN` and `i64::MAX` stand for an open side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interval {
    /// The first millisecond of it.
    pub start: i64,
    /// The first millisecond after it, always after `start`.
    pub end: i64,
}

impl Interval {
    /// Whether the moment lies in it.
    pub fn contains(&self, at_ms: i64) -> bool {
        (self.start..self.end).contains(&at_ms)
    }

    /// Whether either side is open, as of "since 2020".
    pub fn is_open(&self) -> bool {
        self.start == i64::MIN || self.end == i64::MAX
    }

    /// Milliseconds; `i64::MAX` when a side is open.
    pub fn length(&self) -> i64 {
        if self.is_open() { i64::MAX } else { self.end.saturating_sub(self.start) }
    }

    /// Milliseconds between the two, 0 when they touch or overlap.
    pub fn distance(&self, other: &Self) -> i64 {
        let gap = self.start.saturating_sub(other.end).max(other.start.saturating_sub(self.end));
        gap.max(0)
    }

    /// The same with so many milliseconds more on either side.
    pub fn widened(&self, by_ms: i64) -> Self {
        Self { start: self.start.saturating_sub(by_ms), end: self.end.saturating_add(by_ms) }
    }

    /// From the start of the one that begins first to the end of the one that ends last.
    pub fn hull(&self, other: &Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// What sort of time is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Less than a day: "this morning", "at 3pm", "two hours ago".
    Clock,
    /// One day: "yesterday", "7 May 2023", "last Friday".
    Day,
    /// A week or a weekend.
    Week,
    /// A month or a part of one.
    Month,
    /// A quarter or a season.
    Season,
    /// A holiday.
    Holiday,
    /// A year or a part of one.
    Year,
    /// Ten years.
    Decade,
    /// From one time to another.
    Span,
    /// No certain time: "recently".
    Vague,
}

/// How firmly a phrase narrows, loosest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Firmness {
    /// "lately", "at 3pm".
    Vague,
    /// "recently", "the other day".
    Recent,
    /// "in May" without a year, "on Mondays".
    Recurring,
    /// "last week", "three months ago".
    Relative,
    /// "May 2023", "2023", "summer 2022".
    Named,
    /// A day or less: "7 May 2023", "yesterday".
    Exact,
}

/// How the time asked for lies to the time named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Within it.
    Within,
    /// Before it: the interval has no start.
    Before,
    /// After it: the interval has no end.
    After,
    /// From its start on: the interval has no end.
    Since,
    /// Up to its end: the interval has no start.
    Until,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    Once(Vec<Interval>),
    Again(Recurrence),
}

/// What a phrase means, before it is known where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sense {
    pub(super) kind: Kind,
    pub(super) firmness: Firmness,
    pub(super) direction: Direction,
    pub(super) meaning: Meaning,
}

impl Sense {
    pub(super) fn once(kind: Kind, firmness: Firmness, interval: Interval) -> Self {
        Self { kind, firmness, direction: Direction::Within, meaning: Meaning::Once(vec![interval]) }
    }

    /// The same, or what `other` means.
    pub(super) fn or(mut self, other: Self) -> Self {
        if let (Meaning::Once(intervals), Meaning::Once(others)) = (&mut self.meaning, other.meaning) {
            intervals.extend(others);
        }
        self
    }

    pub(super) fn again(kind: Kind, recurrence: Recurrence) -> Self {
        let meaning = Meaning::Again(recurrence);
        Self { kind, firmness: Firmness::Recurring, direction: Direction::Within, meaning }
    }
}

/// A phrase about time in a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression {
    /// Where it stands in the question, in bytes.
    pub range: Range<usize>,
    /// It as written.
    pub words: String,
    /// What sort of time is meant.
    pub kind: Kind,
    /// How firmly it narrows.
    pub firmness: Firmness,
    /// How the intervals came from the time that is named.
    pub direction: Direction,
    meaning: Meaning,
    zone: Zone,
}

impl Expression {
    pub(super) fn new(range: Range<usize>, words: &str, sense: Sense, zone: Zone) -> Self {
        let Sense { kind, firmness, direction, meaning } = sense;
        Self { range, words: words.to_owned(), kind, firmness, direction, meaning, zone }
    }

    /// The intervals that it means, more than one when it can be read in more ways; empty for a time that comes again.
    pub fn intervals(&self) -> &[Interval] {
        match &self.meaning {
            Meaning::Once(intervals) => intervals,
            Meaning::Again(_) => &[],
        }
    }

    /// Whether it comes again, as "in May" or "on Mondays" do.
    pub fn recurs(&self) -> bool {
        matches!(self.meaning, Meaning::Again(_))
    }

    /// Whether the moment is among those that it means.
    pub fn matches(&self, at_ms: i64) -> bool {
        self.near(at_ms).iter().any(|interval| interval.contains(at_ms))
    }

    /// Its intervals; of a time that comes again, those around a moment.
    pub(super) fn near(&self, at_ms: i64) -> Vec<Interval> {
        match &self.meaning {
            Meaning::Once(intervals) => intervals.clone(),
            Meaning::Again(recurrence) => recurrence.around(at_ms, self.zone),
        }
    }

    /// It and its intervals in words: "last week: 1 May to 7 May 2023".
    pub fn describe(&self) -> String {
        let meant = match &self.meaning {
            Meaning::Once(intervals) => describe::intervals(intervals, self.zone),
            Meaning::Again(recurrence) => recurrence.describe(),
        };
        format!("{}: {meant}", self.words.trim())
    }

    /// The words that the dates of all its times share, in the asker's zone: of "in May 2023" the year and the month,
    /// of "on Mondays" the weekday, of "before 2020" none.
    pub fn date_words(&self) -> Vec<DateWord> {
        match &self.meaning {
            Meaning::Once(intervals) => match intervals.as_slice() {
                [one] if !one.is_open() => {
                    date_words(self.zone.day_at(one.start), self.zone.day_at(one.end.saturating_sub(1)))
                }
                _ => Vec::new(),
            },
            Meaning::Again(recurrence) => recurrence.date_words(),
        }
    }

    /// Milliseconds by which a memory may lie beside an interval and still be meant by somebody whose memory is
    /// inexact: a guess, to be weighed by [`super::fit`] and [`super::narrow`].
    pub(super) fn tolerance(&self, interval: &Interval) -> i64 {
        let least = match self.firmness {
            Firmness::Exact => DAY_MS,
            Firmness::Relative => 2 * DAY_MS,
            _ => 3 * DAY_MS,
        };
        let longest = 92 * DAY_MS;
        least.saturating_add(if interval.is_open() { 4 * DAY_MS } else { (interval.length() / 4).min(longest) })
    }
}

/// What the dates from one day to another share.
fn date_words(first: Day, last: Day) -> Vec<DateWord> {
    let year = (first.year() == last.year()).then_some(DateWord::Year(i64::from(first.year())));
    let month = year.filter(|_| first.month() == last.month()).map(|_| DateWord::Month(first.month()));
    let one_day = month.filter(|_| first == last);
    let day = one_day.map(|_| DateWord::Day(first.day()));
    let weekday = one_day.map(|_| DateWord::Weekday(first.weekday() + 1));
    [year, month, day, weekday].into_iter().flatten().collect()
}
