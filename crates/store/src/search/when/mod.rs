//! Time in a question: which intervals of time its words mean.
//!
//! Everything here is pure. "Yesterday" counts from a reference that the caller gives, in a zone that is no more than
//! an offset from UTC. Precision comes before recall: "may I", "march on" and "the second idea" are no times, and
//! neither is a number that only could be a year.
//!
//! What the phrases mean, where a person might have meant something else:
//! - Weeks begin on Monday. "Last week" is the one before the week of the reference; "the past week" is the seven days
//!   up to it. A weekend is Saturday and Sunday. "Last Friday" is the last before today; "on Friday" that and the
//!   next; "next Friday" the next and the one after it.
//! - Seasons are those of the northern half of the earth, by whole months; "winter 2022" is either that touches it.
//! - 7.5.2023 and 7-5-2023 begin with the day unless no month is left; 5/7/2023 is both.
//! - "In May" without a year is every May; "last May" the last that is over, "since May" the last that has begun.
//! - "Three weeks ago" is a week wide, "three months ago" a month; "a few" is two to five.
//!
//! The words are tables of [`english`] and [`languages`]; to add a language is to add a table.

mod anchor;
mod ask;
mod calendar;
mod clock;
mod day;
mod describe;
mod english;
mod expression;
mod fit;
mod languages;
mod lexicon;
mod named;
mod numerals;
mod phrase;
mod range;
mod reader;
mod recurrence;
mod relative;
mod table;
mod tokens;
mod unit;
mod word;

pub use ask::{Wants, asks_for_time, wants};
pub use expression::{Direction, Expression, Firmness, Interval, Kind};
pub use fit::{fit, narrow};

use calendar::Reference;
use reader::Reader;
use tokens::Tokens;

/// Bytes of a text that are read.
const TEXT_BYTES_MAX: usize = 64 << 10;

/// Expressions of a text beyond this many are not looked for.
pub const EXPRESSIONS_MAX: usize = 32;

/// Reads what a question says about time: expressions in the order in which they stand, at most [`EXPRESSIONS_MAX`].
///
/// `reference_ms`, milliseconds since 1970 in UTC, is when the question is asked; beyond the years 1 to 9999 it
/// counts as the nearest day within. `offset_minutes` is how far the asker's clocks are ahead of UTC then. Only the
/// first 64 KiB are read.
///
/// ```
/// use chrysalis_store::search::when;
///
/// let asked_at = 1_683_547_200_000; // 8 May 2023, noon in UTC
/// let found = when::parse("What did we decide last week?", asked_at, 0);
/// assert_eq!(found[0].describe(), "last week: 1 May to 7 May 2023");
/// assert!(found[0].matches(asked_at - 2 * 86_400_000));
/// assert!(when::parse("May I march on to the second idea?", asked_at, 0).is_empty());
/// ```
pub fn parse(question: &str, reference_ms: i64, offset_minutes: i32) -> Vec<Expression> {
    let text = bounded(question);
    let tokens = Tokens::read(text);
    let now = Reference::new(reference_ms, offset_minutes);
    let mut found = Vec::new();
    if !tokens.tell() {
        return found;
    }
    let mut reader = Reader::new(&tokens, now);
    let mut at = 0;
    while let (Some(token), true) = (reader.token(at), found.len() < EXPRESSIONS_MAX) {
        reader.go_to(at);
        let sense = (token.may_begin() && tokens.tell_soon(at)).then(|| reader.sense()).flatten();
        if let Some((sense, last)) = sense.zip(reader.token(reader.at.saturating_sub(1))) {
            let range = token.start..last.end;
            found.push(Expression::new(range.clone(), &text[range], sense, now.zone));
        }
        at = reader.at.max(at + 1);
    }
    found
}

/// The intervals that a memory speaks of, given when it was said: "I was there yesterday" speaks of the day before.
///
/// In no order; without times that come again, vague ones and those with an open side. Arguments as for [`parse`].
pub fn mentioned(content: &str, said_at_ms: i64, offset_minutes: i32) -> Vec<Interval> {
    let firm = parse(content, said_at_ms, offset_minutes).into_iter();
    let firm = firm.filter(|expression| expression.firmness >= Firmness::Relative);
    firm.flat_map(|expression| expression.intervals().to_vec()).filter(|interval| !interval.is_open()).collect()
}

fn bounded(text: &str) -> &str {
    let mut end = text.len().min(TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
