//! Whole phrases: a time with its prepositions, times that hang on others, ranges, times of day.

use super::calendar::{Day, Days};
use super::expression::{Direction, Firmness, Interval, Kind, Meaning, Sense};
use super::lexicon::ENGLISH;
use super::named::Named;
use super::numerals::Numeral;
use super::reader::Reader;
use super::recurrence::{Recurrence, Yearly};
use super::relative::{calendar_unit, kind_of, step, weekend};
use super::word::{Part, Unit, Word};

/// Minutes before and after "at 3pm" that are still meant.
const CLOCK_BEFORE: i64 = 30;
const CLOCK_AFTER: i64 = 60;

impl Reader<'_> {
    /// The longest phrase about time that begins here.
    pub(super) fn sense(&mut self) -> Option<Sense> {
        self.attempt(Self::range)
            .or_else(|| self.attempt(Self::anchored))
            .or_else(|| self.attempt(Self::directed))
            .or_else(|| self.attempt(Self::placed))
    }

    /// "in May 2023", "on the 7th of May at 3pm", "early in 2022".
    fn placed(&mut self) -> Option<Sense> {
        if let Some(sense) = self.attempt(Self::ago) {
            return Some(sense);
        }
        let placed = self.take(|word| matches!(word, Word::In | Word::On | Word::At | Word::Of).then_some(()));
        if placed.is_some() && self.at_adverb() {
            // In "the shelter I help at yesterday" the preposition belongs to the shelter.
            return None;
        }
        let sense = self.time()?;
        Some(self.with_clock(sense))
    }

    /// Whether a word such as "yesterday" stands here, which needs no preposition.
    fn at_adverb(&mut self) -> bool {
        let at = self.at;
        let adverb = self.take(|word| {
            let adverb =
                matches!(word, Word::Day(_) | Word::DoubtfulDay(_) | Word::Night(_) | Word::Today(_) | Word::Vague(..));
            adverb.then_some(())
        });
        self.at = at;
        adverb.is_some()
    }

    /// A time, perhaps with its article, and perhaps only the beginning, middle or end of it.
    pub(super) fn time(&mut self) -> Option<Sense> {
        self.attempt(|reader| {
            reader.skip(Word::The);
            reader.third().or_else(|| reader.whole())
        })
        .or_else(|| self.attempt(Self::whole))
    }

    fn third(&mut self) -> Option<Sense> {
        self.attempt(|reader| {
            let part = reader.take(|word| if let Word::Third(part) = word { Some(part) } else { None })?;
            let _ = reader.mark(b'-');
            let _ = reader.word(Word::Of).or_else(|| reader.word(Word::In));
            reader.skip(Word::The);
            let sense = reader.whole()?;
            reader.third_of(part, sense)
        })
    }

    fn third_of(&self, part: u8, sense: Sense) -> Option<Sense> {
        let zone = self.now.zone;
        let meaning = match &sense.meaning {
            Meaning::Again(Recurrence::Yearly(rule)) => Meaning::Again(Recurrence::Yearly(rule.third(part)?)),
            Meaning::Again(_) => return None,
            Meaning::Once(intervals) => {
                let third = |interval: &Interval| zone.interval(self.days_of(interval).third(part));
                Meaning::Once(intervals.iter().map(third).collect())
            }
        };
        (!matches!(sense.kind, Kind::Day | Kind::Clock | Kind::Vague)).then_some(Sense { meaning, ..sense })
    }

    /// The days that an interval touches.
    fn days_of(&self, interval: &Interval) -> Days {
        let zone = self.now.zone;
        Days { first: zone.day_at(interval.start), last: zone.day_at(interval.end.saturating_sub(1)) }
    }

    fn whole(&mut self) -> Option<Sense> {
        if self.begins_nothing() {
            return None;
        }
        self.attempt(Self::week_of_month)
            .or_else(|| self.written())
            .or_else(|| self.attempt(Self::named_sense))
            .or_else(|| self.attempt(Self::weekday))
            .or_else(|| self.attempt(Self::ago))
            .or_else(|| self.attempt(Self::which_unit))
            .or_else(|| self.attempt(Self::rolling))
            .or_else(|| self.attempt(Self::day_word))
            .or_else(|| self.attempt(Self::part_of_this))
            .or_else(|| self.year())
            .or_else(|| self.attempt(Self::decade))
            .or_else(|| self.attempt(Self::vague))
            .or_else(|| self.day_of_some_month())
            .or_else(|| self.attempt(Self::time_of_day))
    }

    /// "the first week of May 2023", "the last weekend of June".
    fn week_of_month(&mut self) -> Option<Sense> {
        let nth = self.ordinal().or_else(|| self.word(Word::Which(-1)).map(|()| u8::MAX))?;
        let unit = self.unit().filter(|unit| matches!(unit, Unit::Week | Unit::Weekend))?;
        self.word(Word::Of).or_else(|| self.word(Word::In))?;
        self.skip(Word::The);
        let month = self.named_sense().filter(|sense| sense.kind == Kind::Month)?;
        let month = self.days_of(&self.one_interval(&month)?);
        let days = nth_of_month(month, nth, unit).filter(|days| days.first <= month.last)?;
        Some(Sense::once(Kind::Week, Firmness::Named, self.now.zone.interval(days)))
    }

    /// The one interval that is most likely meant; of a time that comes again, the last that has begun.
    fn one_interval(&self, sense: &Sense) -> Option<Interval> {
        match &sense.meaning {
            Meaning::Once(intervals) => intervals.first().copied(),
            Meaning::Again(Recurrence::Yearly(rule)) => Some(self.now.zone.interval(rule.latest(self.now.today))),
            Meaning::Again(_) => None,
        }
    }

    /// "the week before 9 June 2023", "two days after Christmas", "the Friday before 15 July", "the weekend of 3 June".
    fn anchored(&mut self) -> Option<Sense> {
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
            (Hanging::Count(count, unit), -1 | 1) => {
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

    /// "before 2020", "since last week", "until Friday".
    fn directed(&mut self) -> Option<Sense> {
        let direction = self.take(|word| match word {
            Word::Before => Some(Direction::Before),
            Word::After => Some(Direction::After),
            Word::Since => Some(Direction::Since),
            Word::Until => Some(Direction::Until),
            _ => None,
        })?;
        self.skip(Word::About);
        let sense = self.time().filter(|sense| sense.kind != Kind::Vague)?;
        let named = match &sense.meaning {
            Meaning::Once(intervals) if readings_differ(&sense) => intervals.clone(),
            _ => vec![self.one_interval(&sense)?],
        };
        let meaning = Meaning::Once(named.iter().map(|interval| opened(interval, direction)).collect());
        Some(Sense { direction, meaning, kind: Kind::Span, ..sense })
    }

    /// "between 3 and 5 June", "from March to May 2023", "3-5 June 2023", "2020-2022".
    fn range(&mut self) -> Option<Sense> {
        let opening = self.take(|word| matches!(word, Word::Between | Word::From).then_some(word));
        self.skip(Word::The);
        let first = self.end_of_range()?;
        match opening {
            Some(Word::Between) => self.word(Word::And)?,
            _ => self.word(Word::To).or_else(|| self.mark(b'-'))?,
        }
        self.skip(Word::The);
        self.expects_time = opening.is_some();
        let second = self.end_of_range();
        self.expects_time = false;
        let second = second?;
        self.span(first, second, opening.is_some())
    }

    fn end_of_range(&mut self) -> Option<End> {
        if self.begins_nothing() {
            return None;
        }
        self.attempt(|reader| {
            reader.attempt(|reader| reader.weekday_name().and_then(|_| reader.mark(b',')));
            reader.named().map(End::Named)
        })
        .or_else(|| self.attempt(|reader| reader.number(1900..=2100, 4).map(|year| End::Year(year as i32))))
        .or_else(|| self.attempt(|reader| reader.written().map(End::Sense)))
        .or_else(|| {
            self.attempt(|reader| {
                let day = reader.day_of_month()?;
                if reader.mark(b'.').is_some() {
                    reader.exclude(ENGLISH)?;
                }
                (!reader.clock_follows()).then_some(End::Day(day))
            })
        })
        .or_else(|| self.attempt(Self::whole).map(End::Sense))
    }

    /// Whether the number before is the hour of a time of day.
    fn clock_follows(&mut self) -> bool {
        let at = self.at;
        let found = self.take(|word| matches!(word, Word::Am | Word::Pm | Word::OClock).then_some(())).is_some();
        self.at = at;
        found
    }

    fn span(&mut self, first: End, second: End, opened: bool) -> Option<Sense> {
        let (first, second) = match (first, second) {
            (End::Day(day), End::Named(named)) => {
                let rule = on_day(named.rule, day)?;
                return Some(self.span_of_named(Named { rule, ..named }, named));
            }
            (End::Named(named), End::Day(day)) => {
                // "June 3 to 5, 2023": the year may stand behind both.
                let year = named.year.or_else(|| self.year_after());
                let rule = on_day(named.rule, day)?;
                return Some(self.span_of_named(Named { year, ..named }, Named { rule, year, ..named }));
            }
            (End::Named(from), End::Named(to)) => return Some(self.span_of_named(from, to)),
            (End::Day(_), _) | (_, End::Day(_)) => return None,
            (first, second) if opened || first.is_calendar() && second.is_calendar() => {
                (self.end_sense(first)?, self.end_sense(second)?)
            }
            _ => return None,
        };
        self.joined(&first, &second)
    }

    fn span_of_named(&self, from: Named, to: Named) -> Sense {
        let from_year = from.year.or_else(|| {
            // "From November to February 2023" began the year before.
            let year = to.year?;
            Some(if from.rule.in_year(year).first > to.rule.in_year(year).last { year - 1 } else { year })
        });
        let first = Named { year: from_year, ..from };
        let second = Named { year: to.year.or(from.year), ..to };
        let (first_sense, second_sense) = (first.sense(self), second.sense(self));
        let both = (&first.rule, &second.rule);
        match both {
            (Yearly::Dates { first, .. }, Yearly::Dates { last, .. }) if from_year.is_none() => {
                Sense::again(Kind::Span, Recurrence::Yearly(Yearly::Dates { first: *first, last: *last }))
            }
            _ => self.joined(&first_sense, &second_sense).unwrap_or(second_sense),
        }
    }

    fn end_sense(&self, end: End) -> Option<Sense> {
        match end {
            End::Named(named) => Some(named.sense(self)),
            End::Year(year) => Some(self.whole_year(year)),
            End::Sense(sense) => Some(sense),
            End::Day(_) => None,
        }
    }

    /// From the start of the one to the end of the other.
    fn joined(&self, first: &Sense, second: &Sense) -> Option<Sense> {
        let firmness = first.firmness.min(second.firmness);
        if let (Meaning::Again(Recurrence::Daily { from, .. }), Meaning::Again(Recurrence::Daily { from: to, .. })) =
            (&first.meaning, &second.meaning)
        {
            let times = Recurrence::Daily { from: from + CLOCK_BEFORE, to: to + CLOCK_BEFORE };
            return Some(Sense { firmness: Firmness::Vague, ..Sense::again(Kind::Clock, times) });
        }
        let start = self.one_interval(first)?;
        let ends = match &second.meaning {
            Meaning::Once(intervals) => intervals.clone(),
            Meaning::Again(_) => vec![self.one_interval(second)?],
        };
        let end = ends.iter().find(|end| end.end > start.start)?;
        let interval = Interval { start: start.start, end: end.end };
        Some(Sense::once(Kind::Span, firmness, interval))
    }

    /// "at 3pm", "at noon", "in the morning".
    fn time_of_day(&mut self) -> Option<Sense> {
        let placed = self.follows(|word| matches!(word, Word::In | Word::At));
        if let Some(minute) = self.clock() {
            let times = Recurrence::Daily { from: minute - CLOCK_BEFORE, to: minute + CLOCK_AFTER };
            return Some(Sense { firmness: Firmness::Vague, ..Sense::again(Kind::Clock, times) });
        }
        let part = self.part().filter(|_| placed)?;
        let times = Recurrence::Daily { from: part.from, to: part.to % (24 * 60) };
        Some(Sense { firmness: Firmness::Vague, ..Sense::again(Kind::Clock, times) })
    }

    /// The minute of the day.
    fn clock(&mut self) -> Option<i64> {
        self.attempt(Self::clock_in_digits)
            .or_else(|| self.attempt(Self::hour))
            .or_else(|| self.take(|word| if let Word::Clock(minute) = word { Some(i64::from(minute)) } else { None }))
    }

    /// "15:30", "3pm", "3:30 pm".
    fn clock_in_digits(&mut self) -> Option<i64> {
        let minute = self.numeral(|numeral| if let Numeral::Clock(minute) = numeral { Some(minute) } else { None })?;
        let half = if minute < 13 * 60 { self.half_of_day() } else { None };
        Some(half.map_or(minute, |half| minute % (12 * 60) + half))
    }

    /// "3 pm", "3 o'clock".
    fn hour(&mut self) -> Option<i64> {
        let hour = i64::from(self.number(1..=12, 2)?);
        if let Some(half) = self.half_of_day() {
            return Some(hour % 12 * 60 + half);
        }
        self.word(Word::OClock)?;
        // Whoever names no half of the day rarely means the night.
        Some(if hour < 7 { hour + 12 } else { hour } * 60)
    }

    /// The minute at which the half of the day begins that "am" or "pm" names.
    fn half_of_day(&mut self) -> Option<i64> {
        self.take(|word| match word {
            Word::Am => Some(0),
            Word::Pm => Some(12 * 60),
            _ => None,
        })
    }

    /// A day with the time of day that follows it, or the day itself.
    fn with_clock(&mut self, sense: Sense) -> Sense {
        let Meaning::Once(days) = &sense.meaning else { return sense };
        if sense.kind != Kind::Day {
            return sense;
        }
        let minute = self.attempt(|reader| {
            let _ = reader.mark(b',');
            reader.take(|word| matches!(word, Word::At | Word::About | Word::In).then_some(()));
            reader.clock()
        });
        let Some(minute) = minute else { return sense };
        let zone = self.now.zone;
        let times =
            days.iter().map(|day| zone.minutes(zone.day_at(day.start), minute - CLOCK_BEFORE, minute + CLOCK_AFTER));
        Sense { kind: Kind::Clock, meaning: Meaning::Once(times.collect()), ..sense }
    }
}

/// What is placed beside another time.
#[derive(Clone, Copy)]
enum Hanging {
    Count((i64, i64), Unit),
    Unit(Unit),
    Weekday(u8),
    Part(Part),
}

/// One end of a range.
enum End {
    /// A day of the month whose month the other end says.
    Day(u8),
    Named(Named),
    Year(i32),
    Sense(Sense),
}

impl End {
    /// Whether it stands in the calendar, so that a hyphen between two of them makes a range.
    fn is_calendar(&self) -> bool {
        match self {
            Self::Named(_) | Self::Year(_) => true,
            Self::Sense(sense) => sense.firmness >= Firmness::Named,
            Self::Day(_) => false,
        }
    }
}

fn on_day(rule: Yearly, day: u8) -> Option<Yearly> {
    match rule {
        Yearly::Dates { first, last } if first == last => Some(Yearly::day(first.0, day)),
        _ => None,
    }
}

/// Whether the intervals are ways to read one date, and not days of which the first is the likeliest.
fn readings_differ(sense: &Sense) -> bool {
    sense.firmness >= Firmness::Named
}

fn opened(interval: &Interval, direction: Direction) -> Interval {
    let Interval { start, end } = *interval;
    match direction {
        Direction::Before => Interval { start: i64::MIN, end: start },
        Direction::Until => Interval { start: i64::MIN, end },
        Direction::Since => Interval { start, end: i64::MAX },
        Direction::After => Interval { start: end, end: i64::MAX },
        Direction::Within => *interval,
    }
}

/// The unit just before, just after or around an anchor.
fn unit_beside(unit: Unit, direction: i64, anchor: Days) -> Option<Days> {
    match (unit, direction) {
        (Unit::Hour | Unit::Minute, _) => None,
        (Unit::Day, 0) => Some(anchor).filter(|days| days.count() == 1),
        (_, 0) => calendar_unit(anchor.first, unit, 0),
        (Unit::Weekend, 1) => Some(weekend_after(anchor.last)),
        (Unit::Weekend, _) => Some(weekend_after(weekend_after(anchor.first).first.plus(-9))),
        (_, 1) => Some(Days::until(anchor.last.plus(1), step(anchor.last.plus(1), unit, 1))),
        _ => Some(Days::until(step(anchor.first, unit, -1), anchor.first)),
    }
}

/// The first weekend that begins after a day.
fn weekend_after(day: Day) -> Days {
    weekend(day.weekday_after(5).monday())
}

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
