//! Days, and the moments between them: arithmetic that never leaves the years 1 to 9999.

use chrono::{Datelike, Months, NaiveDate, Weekday};

use super::Interval;

pub(super) const MINUTE_MS: i64 = 60_000;
pub(super) const HOUR_MS: i64 = 60 * MINUTE_MS;
pub(super) const DAY_MS: i64 = 24 * HOUR_MS;

/// Offsets from UTC lie within a day; a wilder one is taken for the nearest that is possible.
const OFFSET_MINUTES_MAX: i32 = 24 * 60;

const FIRST_DAY: i64 = -719_162; // 1 January 1
const LAST_DAY: i64 = 2_932_896; // 31 December 9999

/// A day of the calendar, counted from 1 January 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Day(i32);

impl Day {
    /// The day so many days after 1 January 1970; beyond the calendar, its first or last day.
    pub(super) fn new(days: i64) -> Self {
        Self(days.clamp(FIRST_DAY, LAST_DAY) as i32)
    }

    /// None when no calendar has the date, such as 30 February.
    pub(super) fn of(year: i32, month: u8, day: u8) -> Option<Self> {
        let date = NaiveDate::from_ymd_opt(year, u32::from(month), u32::from(day))?;
        (1..=9999).contains(&year).then(|| Self::on(date))
    }

    /// The date, or the last day of its month when the month is too short for it.
    pub(super) fn within(year: i32, month: u8, day: u8) -> Self {
        let year = year.clamp(1, 9999);
        let found = (0..4).find_map(|less| Self::of(year, month, day.saturating_sub(less)));
        found.unwrap_or(Self::new(0))
    }

    fn on(date: NaiveDate) -> Self {
        Self::new(i64::from(date.to_epoch_days()))
    }

    fn date(self) -> NaiveDate {
        NaiveDate::from_epoch_days(self.0).unwrap_or_default()
    }

    pub(super) fn number(self) -> i64 {
        i64::from(self.0)
    }

    pub(super) fn plus(self, days: i64) -> Self {
        Self::new(self.number().saturating_add(days))
    }

    /// The same day some months later, or earlier when negative; the last of the month when that is shorter.
    pub(super) fn plus_months(self, months: i64) -> Self {
        let count = Months::new(u32::try_from(months.unsigned_abs()).unwrap_or(u32::MAX));
        let date = self.date();
        let moved = if months < 0 { date.checked_sub_months(count) } else { date.checked_add_months(count) };
        moved.map_or(Self::new(months.saturating_mul(31)), Self::on)
    }

    pub(super) fn year(self) -> i32 {
        self.date().year()
    }

    pub(super) fn month(self) -> u8 {
        self.date().month() as u8
    }

    pub(super) fn day(self) -> u8 {
        self.date().day() as u8
    }

    /// From 0, Monday, to 6, Sunday.
    pub(super) fn weekday(self) -> u8 {
        self.date().weekday().num_days_from_monday() as u8
    }

    /// The Monday of the week that the day lies in.
    pub(super) fn monday(self) -> Self {
        self.plus(-i64::from(self.weekday()))
    }

    /// The last such weekday before the day.
    pub(super) fn weekday_before(self, weekday: u8) -> Self {
        let back = (i64::from(self.weekday()) - i64::from(weekday) + 6) % 7 + 1;
        self.plus(-back)
    }

    /// The first such weekday after the day.
    pub(super) fn weekday_after(self, weekday: u8) -> Self {
        let on = (i64::from(weekday) - i64::from(self.weekday()) + 6) % 7 + 1;
        self.plus(on)
    }

    /// The n-th (from 1) such weekday of a month.
    pub(super) fn weekday_of_month(year: i32, month: u8, weekday: u8, nth: u8) -> Self {
        let weekday = Weekday::try_from(weekday % 7).unwrap_or(Weekday::Mon);
        let date = NaiveDate::from_weekday_of_month_opt(year.clamp(1, 9999), u32::from(month), weekday, nth);
        date.map_or(Self::within(year, month, 1), Self::on)
    }

    /// Easter Sunday of the Gregorian calendar, by the method that Meeus, Jones and Butcher published.
    pub(super) fn easter(year: i32) -> Self {
        let year = year.clamp(1, 9999);
        let (golden, century, rest) = (year % 19, year / 100, year % 100);
        let moon = (19 * golden + century - century / 4 - (8 * century + 13) / 25 + 15) % 30;
        let sunday = (32 + 2 * (century % 4) + 2 * (rest / 4) - moon - rest % 4) % 7;
        let late = (golden + 11 * moon + 22 * sunday) / 451;
        let sum = moon + sunday - 7 * late + 114;
        Self::within(year, (sum / 31) as u8, (sum % 31 + 1) as u8)
    }
}

/// Whole days, the last one among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Days {
    pub(super) first: Day,
    pub(super) last: Day,
}

impl Days {
    pub(super) fn one(day: Day) -> Self {
        Self { first: day, last: day }
    }

    /// So many days from `first` on.
    pub(super) fn from(first: Day, count: i64) -> Self {
        Self { first, last: first.plus(count - 1) }
    }

    /// The days before `next` from `first` on.
    pub(super) fn until(first: Day, next: Day) -> Self {
        Self { first, last: next.plus(-1) }
    }

    pub(super) fn year(year: i32) -> Self {
        Self { first: Day::within(year, 1, 1), last: Day::within(year, 12, 31) }
    }

    pub(super) fn count(self) -> i64 {
        self.last.number() - self.first.number() + 1
    }

    /// The first, second or last of three nearly equal parts.
    pub(super) fn third(self, part: u8) -> Self {
        let (count, part) = (self.count(), i64::from(part.min(2)));
        let next = if part == 2 { self.last.plus(1) } else { self.first.plus((count * (part + 1) + 1) / 3) };
        let first = self.first.plus((count * part + 1) / 3);
        Self::until(first, next.max(first.plus(1)))
    }
}

/// The time from which "yesterday" and "last week" count, where the asker's clocks stand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reference {
    pub(super) at_ms: i64,
    pub(super) today: Day,
    pub(super) zone: Zone,
}

/// How far the asker's clocks are ahead of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Zone {
    offset_ms: i64,
}

impl Zone {
    pub(super) fn new(offset_minutes: i32) -> Self {
        let minutes = offset_minutes.clamp(-OFFSET_MINUTES_MAX, OFFSET_MINUTES_MAX);
        Self { offset_ms: i64::from(minutes) * MINUTE_MS }
    }

    /// The day at a moment, by the clocks of the zone.
    pub(super) fn day_at(self, at_ms: i64) -> Day {
        Day::new(at_ms.saturating_add(self.offset_ms).div_euclid(DAY_MS))
    }

    /// The moment of a day at so many minutes after its midnight.
    pub(super) fn moment(self, day: Day, minute: i64) -> i64 {
        day.number() * DAY_MS + minute * MINUTE_MS - self.offset_ms
    }

    pub(super) fn interval(self, days: Days) -> Interval {
        let start = self.moment(days.first, 0);
        Interval { start, end: start + days.count().max(1) * DAY_MS }
    }

    /// From one minute of a day to another; of the next day when that is the earlier one.
    pub(super) fn minutes(self, day: Day, from: i64, to: i64) -> Interval {
        let to = if to <= from { to + 24 * 60 } else { to };
        Interval { start: self.moment(day, from), end: self.moment(day, to) }
    }

    /// Minutes from the midnight before.
    pub(super) fn minute_at(self, at_ms: i64) -> i64 {
        at_ms.saturating_add(self.offset_ms).rem_euclid(DAY_MS) / MINUTE_MS
    }
}

impl Reference {
    pub(super) fn new(at_ms: i64, offset_minutes: i32) -> Self {
        let zone = Zone::new(offset_minutes);
        let today = zone.day_at(at_ms);
        // A clock far off the calendar stands still at its first or last day.
        let start = zone.moment(today, 0);
        Self { at_ms: at_ms.clamp(start, start + DAY_MS - 1), today, zone }
    }
}
