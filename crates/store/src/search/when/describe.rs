//! Times in words that a person would use.

use super::Interval;
use super::calendar::{Day, Zone};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

fn month(number: u8) -> &'static str {
    MONTHS[usize::from(number.clamp(1, 12)) - 1]
}

/// The name of a weekday, 0 being Monday.
pub(super) fn weekday(number: u8) -> &'static str {
    WEEKDAYS[usize::from(number.min(6))]
}

/// A time of day from its minute.
pub(super) fn clock(minute: i64) -> String {
    format!("{:02}:{:02}", minute.rem_euclid(24 * 60) / 60, minute.rem_euclid(60))
}

/// Days of the year: one of them, a month, or from one to another.
pub(super) fn dates(first: (u8, u8), last: (u8, u8)) -> String {
    let date = |(month_number, day): (u8, u8)| format!("{day} {}", month(month_number));
    match (first, last) {
        _ if first == last => date(first),
        ((from, 1), (to, 31)) if from == to => month(from).to_owned(),
        ((_, 1), (to, 31)) => format!("{} to {}", month(first.0), month(to)),
        _ => format!("{} to {}", date(first), date(last)),
    }
}

pub(super) fn intervals(intervals: &[Interval], zone: Zone) -> String {
    let each: Vec<String> = intervals.iter().map(|one| interval(one, zone)).collect();
    each.join(" or ")
}

fn interval(interval: &Interval, zone: Zone) -> String {
    match (interval.start, interval.end) {
        (i64::MIN, i64::MAX) => "any time".to_owned(),
        (i64::MIN, end) => format!("before {}", moment(end, zone)),
        (start, i64::MAX) => format!("from {} on", moment(start, zone)),
        (start, end) if on_midnight(start, zone) && on_midnight(end, zone) => {
            days(zone.day_at(start), zone.day_at(end.saturating_sub(1)))
        }
        (start, end) if zone.day_at(start) == zone.day_at(end.saturating_sub(1)) => {
            format!("{} to {}", moment(start, zone), clock(zone.minute_at(end)))
        }
        (start, end) => format!("{} to {}", moment(start, zone), moment(end, zone)),
    }
}

fn on_midnight(at_ms: i64, zone: Zone) -> bool {
    at_ms == zone.moment(zone.day_at(at_ms), 0)
}

fn moment(at_ms: i64, zone: Zone) -> String {
    let day = date(zone.day_at(at_ms));
    if on_midnight(at_ms, zone) { day } else { format!("{day} {}", clock(zone.minute_at(at_ms))) }
}

fn date(day: Day) -> String {
    format!("{} {}", day_and_month(day), day.year())
}

fn day_and_month(day: Day) -> String {
    format!("{} {}", day.day(), month(day.month()))
}

fn days(first: Day, last: Day) -> String {
    if first == last {
        date(first)
    } else if first.year() == last.year() {
        format!("{} to {}", day_and_month(first), date(last))
    } else {
        format!("{} to {}", date(first), date(last))
    }
}
