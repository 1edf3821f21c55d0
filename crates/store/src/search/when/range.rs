//! Ranges: "between 3 and 5 June", "from March to May 2023".

use super::clock::CLOCK_BEFORE;
use super::expression::{Firmness, Interval, Kind, Meaning, Sense};
use super::named::Named;
use super::reader::Reader;
use super::recurrence::{Recurrence, Yearly};
use super::table::ENGLISH;
use super::word::Word;

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

/// The same month on another day, if the one that is named `fits` to it: "from 9 to 5 May" is no range of days.
fn on_day(rule: Yearly, fits: impl Fn(u8) -> bool, day: u8) -> Option<Yearly> {
    match rule {
        Yearly::Dates { first, last } if first == last && fits(first.1) => Some(Yearly::day(first.0, day)),
        _ => None,
    }
}

impl Reader<'_> {
    /// "between 3 and 5 June", "from March to May 2023", "3-5 June 2023", "2020-2022".
    pub(super) fn range(&mut self) -> Option<Sense> {
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
        self.attempt(|reader| reader.named().map(End::Named))
            .or_else(|| self.number(1900..=2100, 4).map(|year| End::Year(year as i32)))
            .or_else(|| self.written().map(End::Sense))
            .or_else(|| self.attempt(Self::day_of_range))
            .or_else(|| self.attempt(Self::whole).map(End::Sense))
    }

    fn day_of_range(&mut self) -> Option<End> {
        let day = self.day_of_month()?;
        if self.mark(b'.').is_some() {
            self.exclude(ENGLISH)?;
        }
        let hour = self.sees(|word| matches!(word, Word::Am | Word::Pm | Word::OClock));
        (!hour).then_some(End::Day(day))
    }

    fn span(&mut self, first: End, second: End, opened: bool) -> Option<Sense> {
        let (first, second) = match (first, second) {
            (End::Day(day), End::Named(named)) => {
                let rule = on_day(named.rule, |last| day < last, day)?;
                return Some(self.span_of_named(Named { rule, ..named }, named));
            }
            (End::Named(named), End::Day(day)) => {
                // "June 3 to 5, 2023": the year may stand behind both.
                let year = named.year.or_else(|| self.year_after());
                let rule = on_day(named.rule, |first| first < day, day)?;
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
}
