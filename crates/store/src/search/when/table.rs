//! The shape in which the words of a language are written down.

use super::word::Word;

/// A set of languages, one bit each.
pub(super) type Languages = u8;

pub(super) const ENGLISH: Languages = 1;
pub(super) const GERMAN: Languages = 1 << 1;
pub(super) const FRENCH: Languages = 1 << 2;
pub(super) const SPANISH: Languages = 1 << 3;
pub(super) const ITALIAN: Languages = 1 << 4;
pub(super) const PORTUGUESE: Languages = 1 << 5;
pub(super) const DUTCH: Languages = 1 << 6;
pub(super) const ALL: Languages = u8::MAX;

/// The words of one language. How they are written is said in [`super::languages`].
pub(super) struct Table {
    pub(super) language: Languages,
    pub(super) months: &'static str,
    /// Months whose names need company: see [`Word::DoubtfulMonth`].
    pub(super) doubtful_months: &'static str,
    pub(super) weekdays: &'static str,
    pub(super) words: &'static [(Word, &'static str)],
}
