//! Numbers, and the dates and times of day that are written with them.

/// What a run of digits, with what belongs to it, says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numeral {
    /// A plain number of so many digits.
    Number { value: u32, digits: u8 },
    /// "7th".
    Ordinal(u8),
    /// "1990s", "90s": its first year.
    Decade(i32),
    /// A date, and the other way to read it.
    Date { date: (i32, u8, u8), other: Option<(i32, u8, u8)> },
    /// "2023-05".
    Month(i32, u8),
    /// A date with a time of day: the minute, and how many minutes its clock is ahead of UTC if it says so.
    Stamp { date: (i32, u8, u8), minute: i64, offset: Option<i32> },
    /// "15:30", "3pm": a minute of the day.
    Clock(i64),
}

impl Numeral {
    /// Whether it tells a time by itself. A number of four digits may be a year.
    pub(super) fn tells(self) -> bool {
        match self {
            Self::Number { value, digits } => digits == 4 && (1900..=2100).contains(&value),
            _ => true,
        }
    }
}

/// Reads from the front of `text`, which begins with a digit: how many bytes, and what they say if it can be a time.
pub(super) fn read(text: &[u8]) -> (usize, Option<Numeral>) {
    let all = run(text);
    let found = [stamp, dashed, dotted, slashed, clock, suffixed, plain].iter().find_map(|read| read(all));
    match found {
        Some((bytes, numeral)) => (bytes, Some(numeral)),
        None => (all.len(), None),
    }
}

/// Digits and letters, and the signs that stand between digits.
fn run(text: &[u8]) -> &[u8] {
    let digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
    let thousands = |at: usize| (1..=3).all(|more| digit(at + more)) && !digit(at + 4);
    let joins = |at: usize| match text[at] {
        // "1,2023" is a day and a year.
        b',' => digit(at - 1) && thousands(at),
        b'.' | b':' | b'/' | b'-' => digit(at - 1) && digit(at + 1),
        b'+' => digit(at + 1),
        byte => byte.is_ascii_alphanumeric(),
    };
    let end = (1..text.len()).find(|at| !joins(*at)).unwrap_or(text.len());
    &text[..end]
}

/// Reads the digits in front, at most nine: their number, how many, and what follows.
fn number(text: &[u8]) -> Option<(u32, usize, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=9).contains(&digits) {
        return None;
    }
    let value = text[..digits].iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    Some((value, digits, &text[digits..]))
}

/// A number of `digits` digits behind `sign`.
fn after(sign: u8, digits: std::ops::RangeInclusive<usize>, text: &[u8]) -> Option<(u32, &[u8])> {
    let (value, count, rest) = number(text.strip_prefix(&[sign])?)?;
    digits.contains(&count).then_some((value, rest))
}

/// The date, if a calendar could have it; the days of its month are counted later.
fn date(year: u32, month: u32, day: u32) -> Option<(i32, u8, u8)> {
    let fits = (1..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    fits.then_some((year as i32, month as u8, day as u8))
}

type Found = Option<(usize, Numeral)>;

/// "2023-05-07T10:30", with seconds and zone or without.
fn stamp(all: &[u8]) -> Found {
    let (year, digits, rest) = number(all)?;
    let (month, rest) = after(b'-', 2..=2, rest)?;
    let (day, rest) = after(b'-', 2..=2, rest)?;
    let (hour, rest) = after(b'T', 2..=2, rest)?;
    let (minute, rest) = after(b':', 2..=2, rest)?;
    let rest = after(b':', 2..=2, rest).map_or(rest, |(_, rest)| rest);
    let rest = after(b'.', 1..=9, rest).map_or(rest, |(_, rest)| rest);
    if digits != 4 || hour > 23 || minute > 59 {
        return None;
    }
    let (offset, rest) = offset(rest);
    let stamp = Numeral::Stamp { date: date(year, month, day)?, minute: i64::from(hour * 60 + minute), offset };
    rest.is_empty().then_some((all.len(), stamp))
}

/// "Z", "+02:00", "-0530".
fn offset(text: &[u8]) -> (Option<i32>, &[u8]) {
    if let Some(rest) = text.strip_prefix(b"Z") {
        return (Some(0), rest);
    }
    let sign = if text.first() == Some(&b'-') { -1 } else { 1 };
    let hours = after(b'+', 2..=4, text).or_else(|| after(b'-', 2..=4, text));
    match hours {
        Some((hours, rest)) if hours < 24 => {
            let (minutes, rest) = after(b':', 2..=2, rest).unwrap_or((0, rest));
            (Some(sign * (hours * 60 + minutes) as i32), rest)
        }
        Some((both, rest)) => (Some(sign * (both / 100 * 60 + both % 100) as i32), rest),
        None => (None, text),
    }
}

/// "2023-05-07", "2023/05/07", "2023-05", and "7-5-2023", which begins with the day.
fn dashed(all: &[u8]) -> Found {
    let (first, digits, rest) = number(all)?;
    let sign = *rest.first().filter(|sign| matches!(sign, b'-' | b'/'))?;
    let (second, rest) = after(sign, 1..=2, rest)?;
    if digits == 4 && rest.is_empty() && sign == b'-' {
        let (year, month, _) = date(first, second, 1)?;
        return (all.len() == 7).then_some((all.len(), Numeral::Month(year, month)));
    }
    let (third, rest) = after(sign, 1..=4, rest)?;
    let date = match (digits, sign) {
        (4, _) if third < 100 => date(first, second, third)?,
        (1..=2, b'-') if third > 999 => date(third, second, first).or_else(|| date(third, first, second))?,
        _ => return None,
    };
    rest.is_empty().then_some((all.len(), Numeral::Date { date, other: None }))
}

/// "7.5.2023": the day first unless that is impossible.
fn dotted(all: &[u8]) -> Found {
    let (first, digits, rest) = number(all)?;
    let (second, rest) = after(b'.', 1..=2, rest)?;
    let (year, rest) = after(b'.', 4..=4, rest)?;
    let date = date(year, second, first).or_else(|| date(year, first, second))?;
    (digits <= 2 && rest.is_empty()).then_some((all.len(), Numeral::Date { date, other: None }))
}

/// "5/7/2023": the day or the month first, so that both are kept where both are possible.
fn slashed(all: &[u8]) -> Found {
    let (first, digits, rest) = number(all)?;
    let (second, rest) = after(b'/', 1..=2, rest)?;
    let (year, after_year) = after(b'/', 2..=4, rest)?;
    let year = match rest.len() - after_year.len() - 1 {
        2 if year < 70 => 2000 + year,
        2 => 1900 + year,
        _ => year,
    };
    let (day_first, month_first) = (date(year, second, first), date(year, first, second));
    let date = day_first.or(month_first)?;
    let other = month_first.filter(|other| *other != date);
    let fits = digits <= 2 && year > 999 && after_year.is_empty();
    fits.then_some((all.len(), Numeral::Date { date, other }))
}

/// "15:30", "3:30pm", "3pm".
fn clock(all: &[u8]) -> Found {
    let (hour, digits, rest) = number(all)?;
    let (minute, rest) = after(b':', 2..=2, rest).map_or((None, rest), |(minute, rest)| (Some(minute), rest));
    let rest = minute.and_then(|_| after(b':', 2..=2, rest)).map_or(rest, |(_, rest)| rest);
    let half = match rest {
        b"" => None,
        _ if rest.eq_ignore_ascii_case(b"am") => Some(0),
        _ if rest.eq_ignore_ascii_case(b"pm") => Some(12),
        _ => return None,
    };
    let hour = match half {
        Some(half) if (1..=12).contains(&hour) => hour % 12 + half,
        Some(_) => return None,
        None => hour,
    };
    let told = half.is_some() || minute.is_some();
    let fits = told && digits <= 2 && hour < 24 && minute.unwrap_or(0) < 60;
    fits.then(|| (all.len(), Numeral::Clock(i64::from(hour * 60 + minute.unwrap_or(0)))))
}

/// "7th", "1er", "90s", "1990s".
fn suffixed(all: &[u8]) -> Found {
    let (value, _, rest) = number(all)?;
    let numeral = match rest.to_ascii_lowercase().as_slice() {
        b"st" | b"nd" | b"rd" | b"th" | b"er" if (1..=31).contains(&value) => Numeral::Ordinal(value as u8),
        b"s" if value % 10 == 0 && (50..=90).contains(&value) => Numeral::Decade(1900 + value as i32),
        b"s" if value % 10 == 0 && (1900..=2090).contains(&value) => Numeral::Decade(value as i32),
        _ => return None,
    };
    Some((all.len(), numeral))
}

/// A number by itself, or the first of two with a hyphen between, such as "3-5".
fn plain(all: &[u8]) -> Found {
    let (value, digits, rest) = number(all)?;
    let alone = match rest {
        [] => true,
        [b'-', more @ ..] => number(more).is_some_and(|(_, _, rest)| rest.is_empty()) || more.is_empty(),
        _ => false,
    };
    alone.then_some((digits, Numeral::Number { value, digits: digits as u8 }))
}
