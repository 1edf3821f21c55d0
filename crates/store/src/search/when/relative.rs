//! Times that count from now or from another time: last week, three months ago, on Friday, recently.

use super::calendar::{Day, Days, HOUR_MS, MINUTE_MS};
use super::expression::{Firmness, Interval, Kind, Meaning, Sense};
use super::reader::Reader;
use super::recurrence::Recurrence;
use super::word::{Part, Unit, Word};

/// So many at least and at most.
type Count = (i64, i64);

/// Larger counts say nothing about a memory.
const COUNT_MAX: u32 = 100_000;

impl Reader<'_> {
    /// "last week", "this year", "next month", "la semana pasada".
    pub(super) fn which_unit(&mut self) -> Option<Sense> {
        let (unit, which) = self
            .attempt(Self::unit_before_last)
            .or_else(|| {
                self.attempt(|reader| {
                    Some((reader.which()?, reader.unit()?)).map(|(which, unit)| (unit, i64::from(which)))
                })
            })
            .or_else(|| self.attempt(Self::unit_which))?;
        let kind = kind_of(unit);
        let days = calendar_unit(self.now.today, unit, which)?;
        let mut sense = Sense::once(kind, Firmness::Relative, self.now.zone.interval(days));
        if let (Unit::Weekend, 1, Meaning::Once(intervals)) = (unit, which, &mut sense.meaning) {
            // Some mean the one that comes, some the one after it.
            intervals.insert(0, self.now.zone.interval(calendar_unit(self.now.today, unit, 0)?));
        }
        Some(sense)
    }

    /// "the week before last".
    fn unit_before_last(&mut self) -> Option<(Unit, i64)> {
        let unit = self.unit()?;
        let before = self.take(|word| match word {
            Word::Before => Some(true),
            Word::After => Some(false),
            _ => None,
        })?;
        let which = self.which()?;
        match (before, which) {
            (true, -1) => Some((unit, -2)),
            (false, 1) => Some((unit, 2)),
            _ => None,
        }
    }

    fn unit_which(&mut self) -> Option<(Unit, i64)> {
        let unit = self.unit()?;
        let which = self.take(|word| if let Word::WhichAfter(which) = word { Some(which) } else { None })?;
        Some((unit, i64::from(which)))
    }

    pub(super) fn unit(&mut self) -> Option<Unit> {
        self.take(|word| if let Word::Unit(unit) = word { Some(unit) } else { None })
    }

    /// "a couple", "two or three", "2-3", "12".
    pub(super) fn count(&mut self) -> Option<Count> {
        let (least, most) = self.one_count()?;
        let more = self.attempt(|reader| {
            reader.word(Word::Or).or_else(|| reader.mark(b'-')).or_else(|| reader.word(Word::To))?;
            reader.one_count()
        });
        Some((least, more.map_or(most, |(_, more)| more.max(most))))
    }

    fn one_count(&mut self) -> Option<Count> {
        let written = self.take(|word| match word {
            Word::Count(least, most) => Some((i64::from(least), i64::from(most))),
            _ => None,
        });
        if written.is_some() {
            self.skip(Word::Of);
        }
        written.or_else(|| self.number(0..=COUNT_MAX, 6).map(|count| (i64::from(count), i64::from(count))))
    }

    /// "3 days", "a year or two", "half a year" as six months.
    pub(super) fn counted_unit(&mut self) -> Option<(Count, Unit)> {
        if self.word(Word::Half).is_some() {
            return self.word(Word::Unit(Unit::Year)).map(|()| ((6, 6), Unit::Month));
        }
        let (least, most) = self.count()?;
        let _ = self.mark(b'-');
        let unit = self.unit()?;
        let more = self.attempt(|reader| {
            reader.word(Word::Or)?;
            reader.one_count()
        });
        Some(((least, more.map_or(most, |(_, more)| more.max(most))), unit))
    }

    /// "3 weeks ago", "vor drei Wochen", "in two days", "a week from now".
    pub(super) fn ago(&mut self) -> Option<Sense> {
        let about = self.word(Word::About).is_some();
        let behind = self.attempt(Self::ago_behind);
        let placed = behind.is_none();
        let (count, unit, sign) = behind.or_else(|| self.attempt(Self::ago_before))?;
        let interval = self.shifted(Days::one(self.now.today), count, unit, sign, about);
        // "In two weeks" may as well say how long something took.
        let firmness = if placed && sign > 0 { Firmness::Vague } else { Firmness::Relative };
        Some(Sense::once(kind_of(unit), firmness, interval))
    }

    fn ago_behind(&mut self) -> Option<(Count, Unit, i64)> {
        let (count, unit) = self.counted_unit()?;
        let sign = self.take(|word| match word {
            Word::Ago => Some(-1),
            Word::Hence => Some(1),
            _ => None,
        })?;
        Some((count, unit, sign))
    }

    fn ago_before(&mut self) -> Option<(Count, Unit, i64)> {
        let sign = self.take(|word| match word {
            Word::AgoBefore => Some(-1),
            Word::In => Some(1),
            _ => None,
        })?;
        let (count, unit) = self.counted_unit()?;
        Some((count, unit, sign))
    }

    /// So many units before or after a time: a day when days are counted, and for longer units the longer a time.
    pub(super) fn shifted(&self, from: Days, count: Count, unit: Unit, sign: i64, about: bool) -> Interval {
        let zone = self.now.zone;
        if let Some(unit_ms) = clock_unit(unit) {
            let base = if sign < 0 { self.now.at_ms } else { self.now.at_ms.saturating_add(1) };
            let (near, far) = (base + sign * count.0 * unit_ms, base + sign * count.1 * unit_ms);
            return Interval { start: near.min(far), end: near.max(far) }.widened(unit_ms / 2 + 1);
        }
        if unit == Unit::Weekend {
            let base = if sign < 0 { from.first } else { from.last };
            let days = [count.0, count.1].map(|count| weekend(base.monday().plus(7 * sign * count)));
            return zone.interval(days[0]).hull(&zone.interval(days[1]));
        }
        let base = if sign < 0 { from.first } else { from.last };
        let days = [count.0, count.1].map(|count| step(base, unit, sign * count));
        let spread = slack(unit) * if about { 2 } else { 1 } + i64::from(about && unit == Unit::Day);
        zone.interval(Days { first: days[0].min(days[1]).plus(-spread), last: days[0].max(days[1]).plus(spread) })
    }

    /// "the past week", "the last 3 months", "next two days": up to now, or from now on.
    pub(super) fn rolling(&mut self) -> Option<Sense> {
        let which = self.take(|word| match word {
            Word::Past => Some((-1, true)),
            Word::Which(which) if which != 0 => Some((which, false)),
            _ => None,
        });
        let (which, unit_alone) = which?;
        let counted = self.attempt(Self::counted_unit);
        let (count, unit) = match counted {
            Some(counted) => counted,
            None if unit_alone => ((1, 1), self.unit()?),
            None => return None,
        };
        let interval = self.reaching(i64::from(which), count.1, unit);
        Some(Sense::once(Kind::Span, Firmness::Relative, interval))
    }

    /// From so many units ago up to now, or from now on; whole days where days or longer units are counted.
    fn reaching(&self, sign: i64, count: i64, unit: Unit) -> Interval {
        let now = Interval { start: self.now.at_ms, end: self.now.at_ms + 1 };
        if let Some(unit_ms) = clock_unit(unit) {
            let start = self.now.at_ms + sign * count * unit_ms;
            return now.hull(&Interval { start, end: start + 1 });
        }
        let zone = self.now.zone;
        let far = step(self.now.today, unit, sign * count);
        let today = zone.interval(Days::one(self.now.today));
        zone.interval(Days::one(far)).hull(if sign < 0 { &today } else { &now })
    }

    /// "yesterday", "tomorrow evening", "tonight", "this morning".
    pub(super) fn day_word(&mut self) -> Option<Sense> {
        self.attempt(Self::part_of_today).or_else(|| self.attempt(Self::day_from_today))
    }

    fn part_of_today(&mut self) -> Option<Sense> {
        let (days, part) = self.take(|word| match word {
            Word::Night(days) => Some((days, super::word::NIGHT)),
            Word::Today(part) => Some((0, part)),
            _ => None,
        })?;
        Some(self.part_of(self.now.today.plus(i64::from(days)), part))
    }

    fn day_from_today(&mut self) -> Option<Sense> {
        let (days, sure) = self.take(|word| match word {
            Word::Day(days) => Some((days, true)),
            Word::DoubtfulDay(days) => Some((days, false)),
            _ => None,
        })?;
        if !sure && !self.is_at_home() {
            return None;
        }
        let day = self.now.today.plus(i64::from(days));
        Some(self.day_or_part(day))
    }

    fn day_or_part(&mut self, day: Day) -> Sense {
        let part = self.attempt(|reader| {
            reader.skip(Word::In);
            reader.skip(Word::The);
            reader.part()
        });
        match part {
            Some(part) => self.part_of(day, part),
            None => Sense::once(Kind::Day, Firmness::Exact, self.now.zone.interval(Days::one(day))),
        }
    }

    pub(super) fn part(&mut self) -> Option<Part> {
        self.take(|word| if let Word::Part(part) = word { Some(part) } else { None })
    }

    pub(super) fn part_of(&self, day: Day, part: Part) -> Sense {
        Sense::once(Kind::Clock, Firmness::Exact, self.now.zone.minutes(day, part.from, part.to))
    }

    /// "last Friday", "on Friday", "Friday night", "Monday of last week", "on Mondays", "every Monday".
    pub(super) fn weekday(&mut self) -> Option<Sense> {
        self.attempt(Self::each_weekday)
            .or_else(|| self.attempt(Self::weekday_of_week))
            .or_else(|| self.attempt(Self::one_weekday))
    }

    fn each_weekday(&mut self) -> Option<Sense> {
        let every = self.word(Word::Every).is_some();
        let weekday = self.take(|word| match word {
            Word::Weekdays(weekday) => Some(Some(weekday)),
            Word::Weekday(weekday) if every => Some(Some(weekday)),
            Word::Unit(Unit::Weekend) if every => Some(None),
            _ => None,
        })?;
        Some(Sense::again(Kind::Day, weekday.map_or(Recurrence::Weekends, Recurrence::Weekly)))
    }

    fn weekday_of_week(&mut self) -> Option<Sense> {
        let weekday = self.weekday_name()?;
        self.skip(Word::Of);
        let which = self.which()?;
        self.word(Word::Unit(Unit::Week))?;
        let day = self.now.today.monday().plus(7 * i64::from(which) + i64::from(weekday));
        Some(self.day_or_part(day))
    }

    pub(super) fn weekday_name(&mut self) -> Option<u8> {
        self.take(|word| if let Word::Weekday(weekday) = word { Some(weekday) } else { None })
    }

    fn one_weekday(&mut self) -> Option<Sense> {
        let on = self.follows(|word| word == Word::On);
        let before = self.which();
        let weekday = self.take(|word| match word {
            Word::Weekday(weekday) => Some(weekday),
            // "sat" and "sun" are words.
            Word::ShortWeekday(weekday) if weekday < 5 && (on || before.is_some()) => Some(weekday),
            _ => None,
        })?;
        let after = self.take(|word| if let Word::WhichAfter(which) = word { Some(which) } else { None });
        let days = self.weekdays(weekday, before.or(after));
        let part = self.part();
        let zone = self.now.zone;
        let intervals: Vec<Interval> = days
            .into_iter()
            .map(|day| part.map_or(zone.interval(Days::one(day)), |part| zone.minutes(day, part.from, part.to)))
            .collect();
        let kind = if part.is_some() { Kind::Clock } else { Kind::Day };
        let sense = Sense::once(kind, Firmness::Relative, *intervals.first()?);
        Some(Sense { meaning: Meaning::Once(intervals), ..sense })
    }

    /// The days that may be meant by a weekday.
    fn weekdays(&self, weekday: u8, which: Option<i8>) -> Vec<Day> {
        let today = self.now.today;
        let (before, after) = (today.weekday_before(weekday), today.weekday_after(weekday));
        match which {
            Some(-1) => vec![before],
            Some(0) => vec![today.monday().plus(i64::from(weekday))],
            // Some mean the one that comes, some that of next week.
            Some(_) => vec![after, after.plus(7)],
            None if today.weekday() == weekday => vec![before, today, after],
            None => vec![before, after],
        }
    }

    /// "on the 5th": of this month or the one before, and the next that comes.
    pub(super) fn day_of_some_month(&mut self) -> Option<Sense> {
        self.attempt(|reader| {
            if !reader.follows(|word| word == Word::On) {
                return None;
            }
            let day = reader.numeral(|numeral| match numeral {
                super::numerals::Numeral::Ordinal(day) => Some(day),
                _ => None,
            })?;
            let today = reader.now.today;
            let this = Day::within(today.year(), today.month(), day);
            let days = if this <= today { [this, this.plus_months(1)] } else { [this.plus_months(-1), this] };
            let intervals = days.map(|day| reader.now.zone.interval(Days::one(day)));
            let sense = Sense::once(Kind::Day, Firmness::Relative, intervals[0]);
            reader.ends().then(|| Sense { meaning: Meaning::Once(intervals.to_vec()), ..sense })
        })
    }

    /// "recently", "the other day".
    pub(super) fn vague(&mut self) -> Option<Sense> {
        let (from, to, firmness) = self.take(|word| match word {
            Word::Vague(from, to, firmness) => Some((i64::from(from), i64::from(to), firmness)),
            _ => None,
        })?;
        let today = self.now.today;
        let days = Days { first: today.plus(-from), last: today.plus(-to) };
        Some(Sense::once(Kind::Vague, firmness, self.now.zone.interval(days)))
    }

    /// "earlier this week", "so far this year", "later this month".
    pub(super) fn part_of_this(&mut self) -> Option<Sense> {
        let earlier = self.take(|word| match word {
            Word::Earlier => Some(true),
            Word::Later => Some(false),
            _ => None,
        })?;
        let (interval, kind) = if self.word(Word::Day(0)).is_some() {
            (self.now.zone.interval(Days::one(self.now.today)), Kind::Clock)
        } else {
            self.word(Word::Which(0))?;
            let unit = self.unit()?;
            (self.now.zone.interval(calendar_unit(self.now.today, unit, 0)?), kind_of(unit))
        };
        let at_ms = self.now.at_ms;
        let interval = if earlier {
            Interval { start: interval.start, end: at_ms + 1 }
        } else {
            Interval { start: at_ms, end: interval.end.max(at_ms + 1) }
        };
        Some(Sense::once(kind, Firmness::Relative, interval))
    }
}

/// The unit of the calendar that a day lies in, or one so many before or after it.
pub(super) fn calendar_unit(day: Day, unit: Unit, shift: i64) -> Option<Days> {
    let month_starts = |first: Day, months: i64| {
        let first = first.plus_months(shift.saturating_mul(months));
        Days::until(first, first.plus_months(months))
    };
    match unit {
        Unit::Week => Some(Days::from(day.monday().plus(7 * shift), 7)),
        Unit::Weekend => Some(weekend(day.monday().plus(7 * shift))),
        Unit::Month => Some(month_starts(Day::within(day.year(), day.month(), 1), 1)),
        Unit::Quarter => Some(month_starts(Day::within(day.year(), (day.month() - 1) / 3 * 3 + 1, 1), 3)),
        Unit::Year => Some(month_starts(Day::within(day.year(), 1, 1), 12)),
        Unit::Decade => Some(month_starts(Day::within(day.year() / 10 * 10, 1, 1), 120)),
        Unit::Day | Unit::Hour | Unit::Minute | Unit::Fortnight => None,
    }
}

/// Saturday and Sunday of the week that begins on `monday`.
pub(super) fn weekend(monday: Day) -> Days {
    Days::from(monday.plus(5), 2)
}

/// Moves by so many units.
pub(super) fn step(day: Day, unit: Unit, count: i64) -> Day {
    match unit {
        Unit::Week | Unit::Weekend => day.plus(7 * count),
        Unit::Fortnight => day.plus(14 * count),
        Unit::Month => day.plus_months(count),
        Unit::Quarter => day.plus_months(3 * count),
        Unit::Year => day.plus_months(12 * count),
        Unit::Decade => day.plus_months(120 * count),
        Unit::Day | Unit::Hour | Unit::Minute => day.plus(count),
    }
}

/// By how many days a memory of "so many units ago" is off: about half a unit.
fn slack(unit: Unit) -> i64 {
    match unit {
        Unit::Week => 3,
        Unit::Fortnight => 5,
        Unit::Month => 15,
        Unit::Quarter => 45,
        Unit::Year => 182,
        Unit::Decade => 1_826,
        Unit::Day | Unit::Weekend | Unit::Hour | Unit::Minute => 0,
    }
}

fn clock_unit(unit: Unit) -> Option<i64> {
    match unit {
        Unit::Minute => Some(MINUTE_MS),
        Unit::Hour => Some(HOUR_MS),
        _ => None,
    }
}

/// What sort of time a unit of the calendar is.
pub(super) fn kind_of(unit: Unit) -> Kind {
    match unit {
        Unit::Minute | Unit::Hour => Kind::Clock,
        Unit::Day => Kind::Day,
        Unit::Week | Unit::Weekend | Unit::Fortnight => Kind::Week,
        Unit::Month => Kind::Month,
        Unit::Quarter => Kind::Season,
        Unit::Year => Kind::Year,
        Unit::Decade => Kind::Decade,
    }
}
