//! Times that count from now: last week, three months ago, the past year, recently.

use super::calendar::Days;
use super::expression::{Firmness, Interval, Kind, Meaning, Sense};
use super::reader::Reader;
use super::unit::{calendar_unit, clock_unit, kind_of, slack, step, weekend};
use super::word::{Unit, Word};

/// So many at least and at most.
type Count = (i64, i64);

/// Larger counts say nothing about a memory.
const COUNT_MAX: u32 = 100_000;

impl Reader<'_> {
    /// "last week", "this year", "next month", "la semana pasada".
    pub(super) fn which_unit(&mut self) -> Option<Sense> {
        let (unit, which) = self
            .attempt(Self::unit_before_last)
            .or_else(|| self.attempt(Self::unit_after_which))
            .or_else(|| self.attempt(Self::unit_before_which))?;
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

    fn unit_after_which(&mut self) -> Option<(Unit, i64)> {
        let which = self.which()?;
        Some((self.unit()?, i64::from(which)))
    }

    /// "semaine prochaine", and "past weekend", which is the last one and not as much time as to the last one.
    fn unit_before_which(&mut self) -> Option<(Unit, i64)> {
        if self.word(Word::Past).is_some() {
            return self.word(Word::Unit(Unit::Weekend)).map(|()| (Unit::Weekend, -1));
        }
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

    /// So many units before or after days: a day when days are counted, and for longer units the longer a time.
    pub(super) fn shifted(&self, from: Days, count: Count, unit: Unit, sign: i64, about: bool) -> Interval {
        let zone = self.now.zone;
        if let Some(unit_ms) = clock_unit(unit) {
            return self.shifted_by(unit_ms, count, sign);
        }
        let base = if sign < 0 { from.first } else { from.last };
        if unit == Unit::Weekend {
            let days = [count.0, count.1].map(|count| weekend(base.monday().plus(7 * sign * count)));
            return zone.interval(days[0]).hull(&zone.interval(days[1]));
        }
        let days = [count.0, count.1].map(|count| step(base, unit, sign * count));
        let spread = slack(unit) * if about { 2 } else { 1 } + i64::from(about && unit == Unit::Day);
        zone.interval(Days { first: days[0].min(days[1]).plus(-spread), last: days[0].max(days[1]).plus(spread) })
    }

    /// So many hours or minutes before or after now, give or take half of one.
    fn shifted_by(&self, unit_ms: i64, count: Count, sign: i64) -> Interval {
        let moments = [count.0, count.1].map(|count| self.now.at_ms + sign * count * unit_ms);
        let between = Interval { start: moments[0].min(moments[1]), end: moments[0].max(moments[1]) };
        between.widened(unit_ms / 2)
    }

    /// "the past week", "the last 3 months", "next two days": up to now, or from now on.
    pub(super) fn rolling(&mut self) -> Option<Sense> {
        let (sign, alone) = self.take(|word| match word {
            Word::Past => Some((-1, true)),
            Word::Which(which) if which != 0 => Some((i64::from(which), false)),
            _ => None,
        })?;
        let counted = self.attempt(Self::counted_unit);
        let (count, unit) = match counted {
            Some(counted) => counted,
            None if alone => ((1, 1), self.unit()?),
            None => return None,
        };
        let interval = self.reaching(sign, count.1, unit);
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
        // A weekend that is still to come has no earlier part: all of it is meant.
        let interval = match earlier {
            true if interval.start > at_ms => interval,
            true => Interval { start: interval.start, end: at_ms + 1 },
            false => Interval { start: at_ms, end: interval.end.max(at_ms + 1) },
        };
        Some(Sense::once(kind, Firmness::Relative, interval))
    }
}
