//! The words of a time, so that "in May 2023" finds what happened then.

use rusqlite::{Connection, params};

use super::Number;
use super::query::Term;
use crate::error::StoreError;

/// Stands before every term of a time. No term of a text has it, so that the month May is not the verb.
const MARK: char = '§';

const DAY_MS: i64 = 86_400_000;

/// A part of a time that people name, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DateWord {
    /// The year.
    Year(i64),
    /// The month, from 1.
    Month(u8),
    /// The day of the month, from 1.
    Day(u8),
    /// The day of the week: Monday is 1, Sunday is 7.
    Weekday(u8),
}

impl DateWord {
    /// The term under which memories of that time are indexed, in the column `dates`.
    pub fn term(self) -> String {
        match self {
            Self::Year(year) => format!("{MARK}y{year}").replace('-', "b"),
            Self::Month(month) => format!("{MARK}m{month}"),
            Self::Day(day) => format!("{MARK}d{day}"),
            Self::Weekday(day) => format!("{MARK}w{day}"),
        }
    }
}

/// The words of a time in ms since the Unix epoch: year, month, day and day of the week.
///
/// ```
/// use chrysalis_store::search::dates::{DateWord, date_words};
/// let words = [DateWord::Year(2023), DateWord::Month(5), DateWord::Day(7), DateWord::Weekday(7)];
/// assert_eq!(date_words(1_683_460_800_000), words);
/// ```
pub fn date_words(at_ms: i64) -> [DateWord; 4] {
    let days = at_ms.div_euclid(DAY_MS);
    let (year, month, day) = civil(days);
    // The first of January 1970 was a Thursday.
    let weekday = (days + 3).rem_euclid(7) + 1;
    [DateWord::Year(year), DateWord::Month(month), DateWord::Day(day), DateWord::Weekday(weekday as u8)]
}

/// The newest memories that happened on dates with all of these words, at most `most`; none without a word.
///
/// # Errors
/// Those of the database.
pub fn newest(reader: &Connection, words: &[DateWord], most: usize) -> Result<Vec<Number>, StoreError> {
    if words.is_empty() {
        return Ok(Vec::new());
    }
    let terms: Vec<String> = words.iter().map(|word| Term::of(word.term()).expression()).collect();
    let mut statement = reader
        .prepare_cached("SELECT rowid FROM text_index.words WHERE words MATCH ?1 ORDER BY rowid DESC LIMIT ?2")?;
    let numbers = statement.query_map(params![terms.join(" AND "), most as i64], |row| row.get(0))?;
    Ok(numbers.collect::<Result<_, _>>()?)
}

/// The terms of a time with spaces between, as the index holds them.
pub(super) fn date_terms(at_ms: i64) -> String {
    date_words(at_ms).map(DateWord::term).join(" ")
}

/// Year, month and day from days since 1970, by counting years from March, so that the leap day comes last.
fn civil(days: i64) -> (i64, u8, u8) {
    const DAYS_OF_400_YEARS: i64 = 146_097;
    // From the first of March of the year 0 to 1970.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(DAYS_OF_400_YEARS), days.rem_euclid(DAYS_OF_400_YEARS));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, carried) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + carried, month as u8, day as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_before_and_after_leap_days_are_told() {
        for (days, date) in [
            (0, (1970, 1, 1)),
            (-1, (1969, 12, 31)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (19_484, (2023, 5, 7)),
            (47_540, (2100, 2, 28)),
            (47_541, (2100, 3, 1)),
            (-719_468, (0, 3, 1)),
        ] {
            assert_eq!(civil(days), date);
        }
    }

    #[test]
    fn the_terms_of_a_time_are_marked() {
        assert_eq!(date_terms(0), "§y1970 §m1 §d1 §w4");
    }

    #[test]
    fn every_time_has_terms() {
        for at in [i64::MIN, i64::MAX, -1, 0] {
            assert_eq!(date_terms(at).split(' ').count(), 4);
        }
    }
}
