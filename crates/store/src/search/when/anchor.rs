//! Times that hang on another: "the week before 9 June 2023", "the first week of May 2023".

use super::calendar::{Day, Days};
use super::expression::{Firmness, Interval, Kind, Meaning, Sense};
use super::reader::Reader;
use super::recurrence::Recurrence;
use super::unit::{calendar_unit, clock_unit, kind_of, step, weekend};
use super::word::{Part, Unit, Word};

/// What is placed beside another time.
#[derive(Clone, Copy)]
enum Hanging {
    Count((i64, i64), Unit),
    Unit(Unit),
    Weekday(u8),
    Part(Part),
}

impl Reader<'_> {
    /// "the week before 9 June 2023", "two days after Christmas", "the Friday before 15 July", "the weekend of 3 June".
    pub(super) fn anchored(&mut self) -> Option<Sense> {
        let _ = self.word(Word::In).or_else(|| self.word(Word::On)).or_else(|| self.word(Word::About));
        self.skip(Word::The);
        let last = self.word(Word::Which(-1)).is_some();
        let hanging = self.hanging()?;
        let direction = self.take(|word| match word {
            Word::Before => Some(-1),
            Word::After => Some(1),
            Word::Of if !last => Some(0),
            _ => None,
        })?;
        let anchor = self.time()?;
        if matches!(anchor.kind, Kind::Vague) || matches!(anchor.meaning, Meaning::Again(Recurrence::Daily { .. })) {
            return None;
        }
        let hung = |interval: Interval| self.hang(hanging, direction, self.days_of(&interval));
        match &anchor.meaning {
            Meaning::Again(Recurrence::Yearly(rule)) => {
                // Without a year the last one may be meant, or the next.
                let both = [rule.latest(self.now.today), rule.next(self.now.today)];
                let [last, next] = both.map(|days| hung(self.now.zone.interval(days)));
                Some(last?.or(next?))
            }
            _ => hung(self.one_interval(&anchor)?),
        }
    }

    fn hanging(&mut self) -> Option<Hanging> {
        self.attempt(|reader| reader.counted_unit().map(|(count, unit)| Hanging::Count(count, unit)))
            .or_else(|| self.unit().map(Hanging::Unit))
            .or_else(|| self.weekday_name().map(Hanging::Weekday))
            .or_else(|| self.part().map(Hanging::Part))
    }

    fn hang(&self, hanging: Hanging, direction: i64, anchor: Days) -> Option<Sense> {
        let zone = self.now.zone;
        let day = |day: Day| Sense::once(Kind::Day, Firmness::Exact, zone.interval(Days::one(day)));
        match (hanging, direction) {
            (Hanging::Count(count, unit), -1 | 1) if clock_unit(unit).is_none() => {
                let interval = self.shifted(anchor, count, unit, direction, false);
                Some(Sense::once(kind_of(unit), Firmness::Relative, interval))
            }
            (Hanging::Count(..), _) => None,
            (Hanging::Unit(unit), _) => {
                let days = unit_beside(unit, direction, anchor)?;
                let kind = kind_of(unit);
                let firmness = if unit == Unit::Day { Firmness::Exact } else { Firmness::Relative };
                Some(Sense::once(kind, firmness, zone.interval(days)))
            }
            (Hanging::Weekday(weekday), -1) => Some(day(anchor.first.weekday_before(weekday))),
            (Hanging::Weekday(weekday), 1) => Some(day(anchor.last.weekday_after(weekday))),
            (Hanging::Weekday(weekday), _) => Some(day(anchor.first.monday().plus(i64::from(weekday)))),
            (Hanging::Part(part), -1) => Some(self.part_of(anchor.first.plus(-1), part)),
            (Hanging::Part(part), 1) => Some(self.part_of(anchor.last.plus(1), part)),
            (Hanging::Part(part), _) => (anchor.count() == 1).then(|| self.part_of(anchor.first, part)),
        }
    }

    /// "the first week of May 2023", "the last weekend of June".
    pub(super) fn week_of_month(&mut self) -> Option<Sense> {
        let nth = self.ordinal().or_else(|| self.word(Word::Which(-1)).map(|()| u8::MAX))?;
        let unit = self.unit().filter(|unit| matches!(unit, Unit::Week | Unit::Weekend))?;
        self.word(Word::Of).or_else(|| self.word(Word::In))?;
        self.skip(Word::The);
        let month = self.named_sense().filter(|sense| sense.kind == Kind::Month)?;
        let month = self.days_of(&self.one_interval(&month)?);
        let days = nth_of_month(month, nth, unit).filter(|days| days.first <= month.last)?;
        Some(Sense::once(Kind::Week, Firmness::Named, self.now.zone.interval(days)))
    }
}

/// The unit just before, just after or around an anchor.
fn unit_beside(unit: Unit, direction: i64, anchor: Days) -> Option<Days> {
    match (unit, direction) {
        (Unit::Hour | Unit::Minute, _) => None,
        (Unit::Day, 0) => Some(anchor).filter(|days| days.count() == 1),
        (_, 0) => calendar_unit(anchor.first, unit, 0),
        (Unit::Weekend, 1) => Some(weekend(anchor.last.weekday_after(5).monday())),
        (Unit::Weekend, _) => Some(weekend(anchor.first.monday().plus(-7))),
        (_, 1) => Some(Days::until(anchor.last.plus(1), step(anchor.last.plus(1), unit, 1))),
        _ => Some(Days::until(step(anchor.first, unit, -1), anchor.first)),
    }
}

/// The n-th week or weekend of a month, or the last one when `nth` is the greatest number.
fn nth_of_month(month: Days, nth: u8, unit: Unit) -> Option<Days> {
    let last = nth == u8::MAX;
    let nth = i64::from(nth);
    match unit {
        Unit::Weekend if last => Some(weekend(month.last.plus(1).weekday_before(5).monday())),
        Unit::Weekend => Some(weekend(month.first.plus(-1).weekday_after(5).monday().plus(7 * (nth - 1)))),
        _ if last => Some(Days::from(month.last.plus(-6), 7)),
        _ => Some(Days::from(month.first.plus(7 * (nth - 1)), 7)),
    }
}
