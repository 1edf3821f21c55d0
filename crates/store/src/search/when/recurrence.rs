//! Times that come again: every May, on Mondays, at Christmas, at three in the afternoon.

use super::Interval;
use super::calendar::{Day, Days, Zone};
use super::describe;
use crate::search::dates::DateWord;

/// A time that comes once a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Yearly {
    /// From a month and day to another, both included; into the next year when the second is the earlier one.
    Dates { first: (u8, u8), last: (u8, u8) },
    /// Good Friday to Easter Monday.
    Easter,
    /// The fourth Thursday of November.
    Thanksgiving,
}

impl Yearly {
    pub(super) const fn month(month: u8) -> Self {
        Self::Dates { first: (month, 1), last: (month, 31) }
    }

    pub(super) const fn day(month: u8, day: u8) -> Self {
        Self::Dates { first: (month, day), last: (month, day) }
    }

    /// The one that begins in a year.
    pub(super) fn in_year(self, year: i32) -> Days {
        match self {
            Self::Dates { first, last } => {
                let ends = if last < first { year + 1 } else { year };
                Days { first: Day::within(year, first.0, first.1), last: Day::within(ends, last.0, last.1) }
            }
            Self::Easter => {
                let sunday = Day::easter(year);
                Days { first: sunday.plus(-2), last: sunday.plus(1) }
            }
            Self::Thanksgiving => Days::one(Day::weekday_of_month(year, 11, 3, 4)),
        }
    }

    /// Whether it runs into the next year, as winter does, so that "winter 2022" may be either.
    pub(super) fn wraps(self) -> bool {
        matches!(self, Self::Dates { first, last } if last < first)
    }

    /// The last one that began before `day` or on it.
    pub(super) fn latest(self, day: Day) -> Days {
        let this = self.in_year(day.year());
        if this.first <= day { this } else { self.in_year(day.year() - 1) }
    }

    /// The last one that was over before `day`.
    pub(super) fn last_over(self, day: Day) -> Days {
        let latest = self.latest(day);
        if latest.last < day { latest } else { self.latest(latest.first.plus(-1)) }
    }

    /// The first one that begins after `day`.
    pub(super) fn next(self, day: Day) -> Days {
        let this = self.in_year(day.year());
        if this.first > day { this } else { self.in_year(day.year() + 1) }
    }

    /// Its first, second or last third, where its length is the same each year.
    pub(super) fn third(self, part: u8) -> Option<Self> {
        let Self::Dates { .. } = self else { return None };
        let days = self.in_year(2001).third(part);
        let (first, mut last) = ((days.first.month(), days.first.day()), (days.last.month(), days.last.day()));
        if last == (2, 28) {
            last = (2, 29);
        }
        Some(Self::Dates { first, last })
    }
}

/// A time that comes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recurrence {
    /// Once a year.
    Yearly(Yearly),
    /// On a day of the week, 0 being Monday.
    Weekly(u8),
    /// Each Saturday and Sunday.
    Weekends,
    /// From one minute of the day to another; into the next day when the second is the earlier one.
    Daily { from: i64, to: i64 },
}

impl Recurrence {
    /// The intervals around a moment, so many that the nearest is among them.
    pub(super) fn around(self, at_ms: i64, zone: Zone) -> Vec<Interval> {
        let today = zone.day_at(at_ms);
        match self {
            Self::Yearly(yearly) => {
                let years = today.year() - 1..=today.year() + 1;
                years.map(|year| zone.interval(yearly.in_year(year))).collect()
            }
            Self::Weekly(weekday) => {
                let before = today.weekday_before(weekday);
                [0, 7, 14].map(|days| zone.interval(Days::one(before.plus(days)))).to_vec()
            }
            Self::Weekends => {
                let before = today.weekday_before(5);
                [-7, 0, 7].map(|days| zone.interval(Days::from(before.plus(days), 2))).to_vec()
            }
            Self::Daily { from, to } => [-1, 0, 1].map(|days| zone.minutes(today.plus(days), from, to)).to_vec(),
        }
    }

    /// What the dates of all its times share.
    pub(super) fn date_words(self) -> Vec<DateWord> {
        match self {
            Self::Yearly(Yearly::Dates { first, last }) if first == last => {
                vec![DateWord::Month(first.0), DateWord::Day(first.1)]
            }
            Self::Yearly(Yearly::Dates { first, last }) if first.0 == last.0 => vec![DateWord::Month(first.0)],
            Self::Yearly(Yearly::Thanksgiving) => vec![DateWord::Month(11), DateWord::Weekday(4)],
            Self::Weekly(weekday) => vec![DateWord::Weekday(weekday + 1)],
            _ => Vec::new(),
        }
    }

    pub(super) fn describe(self) -> String {
        match self {
            Self::Yearly(Yearly::Easter) => "every Easter".to_owned(),
            Self::Yearly(Yearly::Thanksgiving) => "the fourth Thursday of every November".to_owned(),
            Self::Yearly(Yearly::Dates { first, last }) => format!("{} of every year", describe::dates(first, last)),
            Self::Weekly(weekday) => format!("every {}", describe::weekday(weekday)),
            Self::Weekends => "every weekend".to_owned(),
            Self::Daily { from, to } => format!("{} to {} of every day", describe::clock(from), describe::clock(to)),
        }
    }
}
