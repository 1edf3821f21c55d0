//! How well a memory's time fits the time in a question.

use super::expression::{Expression, Firmness, Interval};

/// How well a moment fits: 1 inside of what is meant, and less the farther outside, down to what the firmness of the
/// words allows. A question without a time fits every moment.
///
/// `at_ms` is when the memory was said or happened, `mentioned` what it speaks of (see [`super::mentioned`]); the
/// better of the two counts. Of several expressions any may be meant, but loose ones ("lately", "at 3pm") count only
/// where nothing firmer is said.
///
/// ```
/// use chrysalis_store::search::when;
///
/// let noon = 1_683_547_200_000; // 8 May 2023
/// let asked = when::parse("Where was I yesterday?", noon, 0);
/// assert_eq!(when::fit(&asked, noon - 86_400_000, &[]), 1.0);
/// assert!(when::fit(&asked, noon - 9 * 86_400_000, &[]) < 0.1);
/// let told_today = when::mentioned("Yesterday I was at sea", noon, 0);
/// assert_eq!(when::fit(&asked, noon, &told_today), 1.0);
/// ```
pub fn fit(expressions: &[Expression], at_ms: i64, mentioned: &[Interval]) -> f64 {
    let firmest = expressions.iter().map(|expression| expression.firmness).max();
    let Some(firmest) = firmest else { return 1.0 };
    let counts = |expression: &&Expression| expression.firmness >= firmest.min(Firmness::Recurring);
    let fits = expressions.iter().filter(counts).map(|expression| fit_one(expression, at_ms, mentioned));
    fits.fold(0.0, f64::max)
}

fn fit_one(expression: &Expression, at_ms: i64, mentioned: &[Interval]) -> f64 {
    let at = Interval { start: at_ms, end: at_ms.saturating_add(1) };
    let spoken = mentioned.iter().map(|interval| closeness(expression, interval));
    let close = spoken.fold(closeness(expression, &at), f64::max);
    1.0 - weight(expression.firmness) * (1.0 - close)
}

/// 1 where the two meet, one half a tolerance apart, falling with the square of the distance. A long time that is
/// spoken of, such as a year, says little about a day in it.
fn closeness(expression: &Expression, other: &Interval) -> f64 {
    let middle = other.start.saturating_add(other.length() / 2);
    let near = expression.near(middle);
    let each = near.iter().map(|interval| {
        let apart = interval.distance(other) as f64 / expression.tolerance(interval).max(1) as f64;
        let share = (interval.length() as f64 / other.length().max(1) as f64).min(1.0);
        share.sqrt() / (1.0 + apart * apart)
    });
    each.fold(0.0, f64::max)
}

/// How much of the fit may be lost outside. Little for loose words: asked "what did she paint recently", people mean
/// the last time that was told, however long ago; in conversations the answers lay no nearer than everything else.
fn weight(firmness: Firmness) -> f64 {
    match firmness {
        Firmness::Vague => 0.1,
        Firmness::Recent => 0.2,
        Firmness::Recurring => 0.9,
        Firmness::Relative | Firmness::Named | Firmness::Exact => 1.0,
    }
}

/// The time, from and up to, in which the answer lies if the question names its time firmly: a date, a month with its
/// year, "last week", each with a tolerance on either side. None when it does not, or names one that comes again.
///
/// An open side is `i64::MIN` or `i64::MAX`. What happened then may have been told later, and a question may count from
/// another day than the one on which it is asked: a caller that leaves out everything else will miss some answers.
pub fn narrow(expressions: &[Expression]) -> Option<(i64, i64)> {
    let firm = expressions.iter().filter(|expression| expression.firmness >= Firmness::Relative);
    let widened = firm.flat_map(|expression| {
        expression.intervals().iter().map(|interval| interval.widened(expression.tolerance(interval)))
    });
    let hull = widened.reduce(|all, one| all.hull(&one))?;
    Some((hull.start, hull.end))
}
