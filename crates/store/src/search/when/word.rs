//! What single words say about time, whatever their language.

use super::expression::Firmness;
use super::recurrence::Yearly;

/// A length of time that has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Minute,
    Hour,
    Day,
    Week,
    Weekend,
    Fortnight,
    Month,
    Quarter,
    Year,
    Decade,
}

/// A part of the day, by the minutes at which it begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) from: i64,
    pub(super) to: i64,
}

pub(super) const MORNING: Part = Part { from: 5 * 60, to: 12 * 60 };
pub(super) const AFTERNOON: Part = Part { from: 12 * 60, to: 18 * 60 };
pub(super) const EVENING: Part = Part { from: 17 * 60, to: 24 * 60 };
pub(super) const NIGHT: Part = Part { from: 18 * 60, to: 30 * 60 };

/// One reading of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// A month, 1 to 12.
    Month(u8),
    /// A month whose name is also another word or a person's: a preposition, a day or a year must stand by it.
    DoubtfulMonth(u8),
    /// The beginning of a month's name: a day or a year must stand by it.
    ShortMonth(u8),
    /// A weekday from 0, Monday.
    Weekday(u8),
    /// Each such weekday.
    Weekdays(u8),
    /// The beginning of a weekday's name.
    ShortWeekday(u8),
    /// So many days from today.
    Day(i8),
    /// The same by a word that means something else in another language.
    DoubtfulDay(i8),
    /// The evening and night of a day, so many from today.
    Night(i8),
    /// This part of today.
    Today(Part),
    Part(Part),
    Unit(Unit),
    /// Last, this, next: -1, 0, 1.
    Which(i8),
    /// The same where it stands after the unit.
    WhichAfter(i8),
    /// "past", as in "the past week": up to now.
    Past,
    /// After the count and the unit.
    Ago,
    /// Before the count and the unit.
    AgoBefore,
    /// "from now", after the count and the unit.
    Hence,
    /// From so many to so many.
    Count(u8, u8),
    Half,
    Season(u8),
    /// A season whose name is also another word.
    DoubtfulSeason(u8),
    Quarter(u8),
    Holiday(Yearly),
    /// Early, in the middle, late: 0, 1, 2.
    Third(u8),
    Ordinal(u8),
    /// "nineties".
    Decade(u8),
    /// From so many days ago to so many days ago.
    Vague(i16, i16, Firmness),
    /// A minute of the day.
    Clock(i16),
    Am,
    Pm,
    OClock,
    Earlier,
    Later,
    Every,
    About,
    Before,
    After,
    Since,
    Until,
    Between,
    From,
    To,
    And,
    Or,
    In,
    On,
    At,
    Of,
    The,
    /// What can be counted, so that the number before it is no year and no day.
    Measure,
    /// A frequent word that tells its language.
    Marker,
}

impl Word {
    /// Whether a text without such a word, and without numbers, tells no time.
    pub(super) fn tells(self) -> bool {
        use Word::*;
        !matches!(
            self,
            Count(..) | Half | Third(_) | Ordinal(_) | Am | Pm | Earlier | Later | Every | About | Before | After
        ) && !matches!(self, Since | Until | Between | From | To | And | Or | In | On | At | Of | The)
            && !matches!(self, Measure | Marker | Which(_) | WhichAfter(_) | Past | Ago | AgoBefore | Hence)
    }

    /// Whether a phrase about time may begin with it.
    pub(super) fn begins(self) -> bool {
        use Word::*;
        !matches!(self, Marker | Measure | Ago | Hence | Am | Pm | OClock | And | Or | Of | WhichAfter(_))
    }

    /// Whether it tells a time without any preposition.
    pub(super) fn is_adverb(self) -> bool {
        matches!(self, Self::Day(_) | Self::DoubtfulDay(_) | Self::Night(_) | Self::Today(_) | Self::Vague(..))
    }

    /// Whether a month or a year may follow, and hardly anything else that has the same name.
    pub(super) fn places(self) -> bool {
        use Word::*;
        matches!(self, In | Since | Until | Before | After | From | Between | Of | About | Third(_))
    }
}
