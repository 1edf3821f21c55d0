//! Units of time in the calendar.

use super::calendar::{Day, Days, HOUR_MS, MINUTE_MS};
use super::expression::Kind;
use super::word::Unit;

/// The unit of the calendar that a day lies in, or one so many before or after it.
pub(super) fn calendar_unit(day: Day, unit: Unit, shift: i64) -> Option<Days> {
    let month_starts = |first: Day, months: i64| {
        let first = first.plus_months(shift.saturating_mul(months));
        Days::until(first, first.plus_months(months))
    };
    match unit {
        Unit::Week => Some(Days::from(day.monday().plus(7 * shift), 7)),
        Unit::Weekend => Some(weekend(day.monday().plus(7 * shift))),
        Unit::Month => Some(month_starts(Day::within(day.year(), day.month(), 1), 1)),
        Unit::Quarter => Some(month_starts(Day::within(day.year(), (day.month() - 1) / 3 * 3 + 1, 1), 3)),
        Unit::Year => Some(month_starts(Day::within(day.year(), 1, 1), 12)),
        Unit::Decade => Some(month_starts(Day::within(day.year() / 10 * 10, 1, 1), 120)),
        Unit::Day | Unit::Hour | Unit::Minute | Unit::Fortnight => None,
    }
}

/// Saturday and Sunday of the week that begins on `monday`.
pub(super) fn weekend(monday: Day) -> Days {
    Days::from(monday.plus(5), 2)
}

/// Moves by so many units.
pub(super) fn step(day: Day, unit: Unit, count: i64) -> Day {
    match unit {
        Unit::Week | Unit::Weekend => day.plus(7 * count),
        Unit::Fortnight => day.plus(14 * count),
        Unit::Month => day.plus_months(count),
        Unit::Quarter => day.plus_months(3 * count),
        Unit::Year => day.plus_months(12 * count),
        Unit::Decade => day.plus_months(120 * count),
        Unit::Day | Unit::Hour | Unit::Minute => day.plus(count),
    }
}

/// By how many days a memory of "so many units ago" is off: about half a unit.
pub(super) fn slack(unit: Unit) -> i64 {
    match unit {
        Unit::Week => 3,
        Unit::Fortnight => 5,
        Unit::Month => 15,
        Unit::Quarter => 45,
        Unit::Year => 182,
        Unit::Decade => 1_826,
        Unit::Day | Unit::Weekend | Unit::Hour | Unit::Minute => 0,
    }
}

/// How long a unit of less than a day is.
pub(super) fn clock_unit(unit: Unit) -> Option<i64> {
    match unit {
        Unit::Minute => Some(MINUTE_MS),
        Unit::Hour => Some(HOUR_MS),
        _ => None,
    }
}

/// What sort of time a unit of the calendar is.
pub(super) fn kind_of(unit: Unit) -> Kind {
    match unit {
        Unit::Minute | Unit::Hour => Kind::Clock,
        Unit::Day => Kind::Day,
        Unit::Week | Unit::Weekend | Unit::Fortnight => Kind::Week,
        Unit::Month => Kind::Month,
        Unit::Quarter => Kind::Season,
        Unit::Year => Kind::Year,
        Unit::Decade => Kind::Decade,
    }
}
