//! Times of day: "at 3pm", "at noon", "in the morning", and those of a day that is named.

use super::expression::{Firmness, Kind, Meaning, Sense};
use super::numerals::Numeral;
use super::reader::Reader;
use super::recurrence::Recurrence;
use super::word::Word;

/// Minutes before and after "at 3pm" that are still meant.
pub(super) const CLOCK_BEFORE: i64 = 30;
const CLOCK_AFTER: i64 = 60;

impl Reader<'_> {
    /// "at 3pm", "at noon", "in the morning".
    pub(super) fn time_of_day(&mut self) -> Option<Sense> {
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
    pub(super) fn with_clock(&mut self, sense: Sense) -> Sense {
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
