//! Days by their place beside today: "yesterday", "last Friday", "on the 5th".

use super::calendar::{Day, Days};
use super::expression::{Firmness, Interval, Kind, Meaning, Sense};
use super::numerals::Numeral;
use super::reader::Reader;
use super::recurrence::Recurrence;
use super::word::{NIGHT, Part, Unit, Word};

impl Reader<'_> {
    /// "yesterday", "tomorrow evening", "tonight", "this morning".
    pub(super) fn day_word(&mut self) -> Option<Sense> {
        self.attempt(Self::part_of_today).or_else(|| self.attempt(Self::day_from_today))
    }

    fn part_of_today(&mut self) -> Option<Sense> {
        let (days, part) = self.take(|word| match word {
            Word::Night(days) => Some((days, NIGHT)),
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
                Numeral::Ordinal(day) => Some(day),
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
}
