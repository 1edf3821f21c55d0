//! Whole phrases: a time with its prepositions, its beginning or end, and what lies before or after it.

use super::calendar::Days;
use super::expression::{Direction, Firmness, Interval, Kind, Meaning, Sense};
use super::reader::Reader;
use super::recurrence::Recurrence;
use super::word::Word;

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
        if placed.is_some() && self.sees(Word::is_adverb) {
            // In "the shelter I help at yesterday" the preposition belongs to the shelter.
            return None;
        }
        let sense = self.time()?;
        Some(self.with_clock(sense))
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
    pub(super) fn days_of(&self, interval: &Interval) -> Days {
        let zone = self.now.zone;
        Days { first: zone.day_at(interval.start), last: zone.day_at(interval.end.saturating_sub(1)) }
    }

    pub(super) fn whole(&mut self) -> Option<Sense> {
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

    /// The one interval that is most likely meant; of a time that comes again, the last that has begun.
    pub(super) fn one_interval(&self, sense: &Sense) -> Option<Interval> {
        match &sense.meaning {
            Meaning::Once(intervals) => intervals.first().copied(),
            Meaning::Again(Recurrence::Yearly(rule)) => Some(self.now.zone.interval(rule.latest(self.now.today))),
            Meaning::Again(_) => None,
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
            // "By Friday" is the one that comes, "since Friday" the last.
            Meaning::Once(intervals) if direction == Direction::Until => vec![*intervals.last()?],
            _ => vec![self.one_interval(&sense)?],
        };
        let meaning = Meaning::Once(named.iter().map(|interval| opened(interval, direction)).collect());
        Some(Sense { direction, meaning, kind: Kind::Span, ..sense })
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
