//! Times that have a name in the calendar: dates, months, quarters, seasons, holidays, years, decades.

use super::calendar::{Day, Days};
use super::expression::{Firmness, Kind, Meaning, Sense};
use super::numerals::Numeral;
use super::reader::Reader;
use super::recurrence::{Recurrence, Yearly};
use super::table::ENGLISH;
use super::word::{Unit, Word};

/// A time of the year, in a year or in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) kind: Kind,
    pub(super) rule: Yearly,
    pub(super) year: Option<i32>,
}

impl Named {
    /// None for a date that the year does not have.
    fn new(kind: Kind, rule: Yearly, year: Option<i32>) -> Option<Self> {
        let named = Self { kind, rule, year };
        match (rule, year) {
            (Yearly::Dates { first, .. }, Some(year)) => Day::of(year, first.0, first.1).map(|_| named),
            _ => Some(named),
        }
    }

    pub(super) fn sense(self, reader: &Reader) -> Sense {
        let zone = reader.now.zone;
        let Some(year) = self.year else { return Sense::again(self.kind, Recurrence::Yearly(self.rule)) };
        let firmness = if self.kind == Kind::Day { Firmness::Exact } else { Firmness::Named };
        let mut sense = Sense::once(self.kind, firmness, zone.interval(self.rule.in_year(year)));
        if let (true, Meaning::Once(intervals)) = (self.rule.wraps(), &mut sense.meaning) {
            // "Winter 2022" may be the one that began in it or the one that ended in it.
            intervals.push(zone.interval(self.rule.in_year(year - 1)));
        }
        sense
    }
}

/// Meteorological seasons of the northern half of the earth.
const SEASONS: [Yearly; 4] = [
    Yearly::Dates { first: (3, 1), last: (5, 31) },
    Yearly::Dates { first: (6, 1), last: (8, 31) },
    Yearly::Dates { first: (9, 1), last: (11, 30) },
    Yearly::Dates { first: (12, 1), last: (2, 29) },
];

const QUARTERS: [Yearly; 4] = [
    Yearly::Dates { first: (1, 1), last: (3, 31) },
    Yearly::Dates { first: (4, 1), last: (6, 30) },
    Yearly::Dates { first: (7, 1), last: (9, 30) },
    Yearly::Dates { first: (10, 1), last: (12, 31) },
];

impl Reader<'_> {
    /// A date, month, quarter, season or holiday, with its year if that is said.
    pub(super) fn named(&mut self) -> Option<Named> {
        self.attempt(Self::day_and_month)
            .or_else(|| self.attempt(Self::month_and_day))
            .or_else(|| self.attempt(Self::month_alone))
            .or_else(|| self.attempt(Self::quarter))
            .or_else(|| self.attempt(Self::season))
            .or_else(|| self.attempt(Self::holiday))
    }

    /// The same behind "last", "this" or "next" or in "last year", and with a weekday before it or not.
    pub(super) fn named_sense(&mut self) -> Option<Sense> {
        self.attempt(Self::named_by_which).or_else(|| {
            self.attempt(|reader| {
                reader.attempt(Self::weekday_of_date);
                reader.skip(Word::Every);
                let named = reader.named()?;
                Some(named.sense(reader))
            })
        })
    }

    fn weekday_of_date(&mut self) -> Option<()> {
        self.take(|word| matches!(word, Word::Weekday(_) | Word::ShortWeekday(_)).then_some(()))?;
        let _ = self.mark(b',').or_else(|| self.mark(b'.'));
        self.skip(Word::On);
        self.skip(Word::The);
        Some(())
    }

    fn day_and_month(&mut self) -> Option<Named> {
        let placed = self.begins() || self.expects_time;
        let placed = placed || self.follows(|word| word.places() || matches!(word, Word::On | Word::The | Word::To));
        let in_digits = !self.sees(|word| matches!(word, Word::Ordinal(_)));
        let day = self.day_of_month()?;
        if self.mark(b'.').is_some() {
            // "7. Mai" is a date, while "in room 7. May I" is none.
            self.exclude(ENGLISH)?;
        }
        let of = self.word(Word::Of).is_some();
        let verb = !of && self.sees(|word| matches!(word, Word::DoubtfulMonth(3 | 5)));
        let month = self.any_month()?;
        let year = self.year_after();
        // "Step 2 may fail", "the second may help".
        let told = !verb || year.is_some() || (in_digits && (placed || self.ends()));
        Named::new(Kind::Day, valid(month, day)?, year).filter(|_| told)
    }

    fn month_and_day(&mut self) -> Option<Named> {
        let month = self.any_month()?;
        self.skip(Word::The);
        let day = self.day_of_month()?;
        let year = self.year_after();
        Named::new(Kind::Day, valid(month, day)?, year)
    }

    pub(super) fn day_of_month(&mut self) -> Option<u8> {
        self.number(1..=31, 2).map(|day| day as u8).or_else(|| self.ordinal())
    }

    pub(super) fn ordinal(&mut self) -> Option<u8> {
        self.numeral(|numeral| if let Numeral::Ordinal(value) = numeral { Some(value) } else { None })
            .or_else(|| self.take(|word| if let Word::Ordinal(value) = word { Some(value) } else { None }))
    }

    /// A month beside a day or a year, where its name can hardly mean anything else.
    fn any_month(&mut self) -> Option<u8> {
        let month = self.take(|word| match word {
            Word::Month(month) | Word::DoubtfulMonth(month) | Word::ShortMonth(month) => Some(month),
            _ => None,
        })?;
        self.attempt(|reader| {
            let dot = reader.token(reader.at - 1)?.end - reader.token(reader.at - 1)?.start <= 4;
            reader.mark(b'.').filter(|()| dot && !reader.ends())
        });
        Some(month)
    }

    fn month_alone(&mut self) -> Option<Named> {
        let placed = self.expects_time || self.follows(Word::places);
        let sure = self.attempt(|reader| {
            let month = reader.any_month()?;
            Some((month, reader.year_after()?))
        });
        if let Some((month, year)) = sure {
            return Named::new(Kind::Month, Yearly::month(month), Some(year));
        }
        let month = self.take(|word| match word {
            Word::Month(month) => Some(month),
            Word::DoubtfulMonth(month) if placed => Some(month),
            _ => None,
        })?;
        Named::new(Kind::Month, Yearly::month(month), None)
    }

    fn quarter(&mut self) -> Option<Named> {
        let short = self.take(|word| if let Word::Quarter(number) = word { Some(number) } else { None });
        let number = short.or_else(|| {
            let number = self.ordinal()?;
            self.word(Word::Unit(Unit::Quarter)).map(|()| number)
        })?;
        let year = self.year_after();
        let rule = *QUARTERS.get(usize::from(number).checked_sub(1)?)?;
        // Matches have a "third quarter", too.
        (short.is_some() || year.is_some()).then_some(Named { kind: Kind::Season, rule, year })
    }

    fn season(&mut self) -> Option<Named> {
        let placed = self.follows(|word| word.places() || matches!(word, Word::Every | Word::At));
        let articled = self.follows(|word| word == Word::The);
        let (season, sure) = self.take(|word| match word {
            Word::Season(season) => Some((season, true)),
            Word::DoubtfulSeason(season) => Some((season, false)),
            _ => None,
        })?;
        let year = self.year_after();
        let told = year.is_some() || placed || (sure && (articled || self.ends()));
        Named::new(Kind::Season, SEASONS[usize::from(season.min(3))], year).filter(|_| told)
    }

    fn holiday(&mut self) -> Option<Named> {
        let placed = self.follows(|word| word.places() || matches!(word, Word::Every | Word::At | Word::On | Word::To));
        let rule = self.take(|word| if let Word::Holiday(rule) = word { Some(rule) } else { None })?;
        let year = self.year_after();
        let told = year.is_some() || placed || self.ends();
        Named::new(Kind::Holiday, rule, year).filter(|_| told)
    }

    /// ", 2023", "of 2023", "last year".
    pub(super) fn year_after(&mut self) -> Option<i32> {
        self.attempt(|reader| {
            let _ = reader.mark(b',').or_else(|| reader.mark(b'.'));
            let _ = reader.word(Word::Of).or_else(|| reader.word(Word::In));
            reader.skip(Word::The);
            reader.year_number().or_else(|| reader.year_by_which())
        })
    }

    fn year_number(&mut self) -> Option<i32> {
        self.attempt(|reader| {
            let year = reader.number(1900..=2100, 4)?;
            Some(year as i32)
        })
    }

    fn year_by_which(&mut self) -> Option<i32> {
        self.attempt(|reader| {
            let which = reader.which()?;
            reader.word(Word::Unit(Unit::Year))?;
            Some(reader.now.today.year() + i32::from(which))
        })
    }

    pub(super) fn which(&mut self) -> Option<i8> {
        self.take(|word| if let Word::Which(which) = word { Some(which) } else { None })
    }

    fn which_after(&mut self) -> Option<i8> {
        self.take(|word| if let Word::WhichAfter(which) = word { Some(which) } else { None })
    }

    /// "last May", "next Christmas", "mayo pasado".
    fn named_by_which(&mut self) -> Option<Sense> {
        let before = self.which();
        let named = self.rule_beside_which()?;
        let which = before.or_else(|| self.which_after())?;
        let today = self.now.today;
        let days = match which {
            -1 => named.rule.last_over(today),
            0 => named.rule.in_year(today.year()),
            _ => named.rule.next(today),
        };
        Some(Sense::once(named.kind, Firmness::Named, self.now.zone.interval(days)))
    }

    fn rule_beside_which(&mut self) -> Option<Named> {
        let (kind, rule) = self.take(|word| match word {
            Word::Month(month) | Word::DoubtfulMonth(month) => Some((Kind::Month, Yearly::month(month))),
            Word::Season(season) | Word::DoubtfulSeason(season) => {
                Some((Kind::Season, SEASONS[usize::from(season.min(3))]))
            }
            Word::Holiday(rule) => Some((Kind::Holiday, rule)),
            _ => None,
        })?;
        Named::new(kind, rule, None)
    }

    /// A date or a moment in digits.
    pub(super) fn written(&mut self) -> Option<Sense> {
        let zone = self.now.zone;
        self.attempt(|reader| {
            reader.attempt(Self::weekday_of_date);
            reader.numeral(|numeral| match numeral {
                Numeral::Date { date, other } => {
                    let days = [Some(date), other].into_iter().flatten();
                    let days = days.filter_map(|(year, month, day)| Day::of(year, month, day));
                    let intervals: Vec<_> = days.map(|day| zone.interval(Days::one(day))).collect();
                    let first = *intervals.first()?;
                    let meaning = Meaning::Once(intervals);
                    Some(Sense { meaning, ..Sense::once(Kind::Day, Firmness::Exact, first) })
                }
                Numeral::Month(year, month) => {
                    let named = Named::new(Kind::Month, Yearly::month(month), Some(year))?;
                    Some(Sense::once(Kind::Month, Firmness::Named, zone.interval(named.rule.in_year(year))))
                }
                Numeral::Stamp { date: (year, month, day), minute, offset } => {
                    let zone = offset.map_or(zone, super::calendar::Zone::new);
                    let moment = zone.minutes(Day::of(year, month, day)?, minute, minute + 1);
                    Some(Sense::once(Kind::Clock, Firmness::Exact, moment))
                }
                _ => None,
            })
        })
    }

    /// A year by itself, where a preposition or the ends of a phrase say that it is one.
    pub(super) fn year(&mut self) -> Option<Sense> {
        let placed = self.follows(|word| word.places() || word == Word::Unit(Unit::Year));
        let begins = self.begins();
        self.attempt(|reader| {
            let counted = reader.word(Word::Unit(Unit::Year)).is_some();
            let year = reader.number(1900..=2100, 4).filter(|_| reader.four_digits())? as i32;
            (counted || placed || (begins && reader.ends())).then(|| reader.whole_year(year))
        })
    }

    fn four_digits(&self) -> bool {
        self.token(self.at - 1).is_some_and(|token| token.end - token.start == 4)
    }

    pub(super) fn whole_year(&self, year: i32) -> Sense {
        Sense::once(Kind::Year, Firmness::Named, self.now.zone.interval(Days::year(year)))
    }

    /// "1990s", "the 90s", "the nineties".
    pub(super) fn decade(&mut self) -> Option<Sense> {
        let first =
            self.numeral(|numeral| if let Numeral::Decade(year) = numeral { Some(year) } else { None }).or_else(
                || self.take(|word| if let Word::Decade(year) = word { Some(1900 + i32::from(year)) } else { None }),
            )?;
        // "The 1900s" are a century more often than ten years.
        let years = if first % 100 == 0 { 100 } else { 10 };
        let days = Days { first: Days::year(first).first, last: Days::year(first + years - 1).last };
        Some(Sense::once(Kind::Decade, Firmness::Named, self.now.zone.interval(days)))
    }
}

/// The day of the month, if some year has it.
fn valid(month: u8, day: u8) -> Option<Yearly> {
    Day::of(2000, month, day).map(|_| Yearly::day(month, day))
}
