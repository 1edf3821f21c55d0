//! Whether a question asks for a time, and whether it asks for the newest or the oldest.

use super::bounded;

/// Which of several memories a question wants, if it says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wants {
    /// The newest: "the latest", "currently".
    Latest,
    /// The oldest: "the first time".
    Earliest,
    /// It does not say.
    None,
}

/// Words of a question beyond this many are not looked at.
const WORDS_MAX: usize = 256;

/// Phrases that ask for a time wherever they stand.
const TIME_PHRASES: &[&str] = &[
    "how long ago",
    "since when",
    "until when",
    "from when",
    "what date",
    "which date",
    "what day",
    "which day",
    "what year",
    "which year",
    "what month",
    "which month",
    "what week",
    "which week",
    "what time",
    "which weekend",
    "how recently",
    "how many days ago",
    "how many weeks ago",
    "how many months ago",
    "how many years ago",
    // Other languages.
    "wann",
    "seit wann",
    "um wie viel uhr",
    "an welchem tag",
    "in welchem jahr",
    "wie lange ist es her",
    "quand",
    "depuis quand",
    "quelle date",
    "quelle annee",
    "quel jour",
    "quelle année",
    "cuándo",
    "desde cuándo",
    "qué día",
    "qué año",
    "quale data",
    "quale anno",
    "quale giorno",
    "desde quando",
    "que dia",
    "que ano",
    "wanneer",
    "sinds wanneer",
    "welke dag",
    "welk jaar",
];

/// Words that ask for a time where they begin a question, since they also join sentences.
const WHEN: &[&str] = &["when", "quando", "cuando"];

/// After these, "when" asks although it does not begin the question.
const BEFORE_WHEN: &[&str] = &[
    "and",
    "but",
    "so",
    "then",
    "exactly",
    "know",
    "remember",
    "recall",
    "me",
    "say",
    "said",
    "mention",
    "mentioned",
    "sure",
    "idea",
    "out",
    "check",
    "ok",
    "okay",
    "hey",
    "hi",
    "please",
    "roughly",
    "about",
    "of",
    "e",
    "y",
];

/// With one of these, a question that begins with "when" asks for something else.
const OTHER_QUESTIONS: &[&str] = &["what", "where", "who", "whom", "whose", "which", "why", "how"];

/// What may stand behind a "when" that asks.
const AUXILIARIES: &[&str] = &[
    "did", "do", "does", "was", "were", "is", "are", "am", "will", "would", "can", "could", "should", "shall", "has",
    "have", "had", "might", "may", "exactly",
];

const LATEST: &[&str] = &[
    "latest",
    "newest",
    "most recent",
    "most recently",
    "currently",
    "right now",
    "at the moment",
    "nowadays",
    "these days",
    "as of now",
    "as of today",
    "up to date",
    "last time",
    "at present",
    "presently",
];

const EARLIEST: &[&str] =
    &["first time", "first ever", "earliest", "oldest", "originally", "initially", "at first", "very first"];

/// Nouns with which "first" and "last" say something else than an order in time.
const NO_ORDER: &[&str] = &[
    "name",
    "names",
    "place",
    "prize",
    "class",
    "aid",
    "half",
    "floor",
    "grade",
    "language",
    "lady",
    "person",
    "step",
    "week",
    "weeks",
    "weekend",
    "month",
    "months",
    "year",
    "years",
    "night",
    "summer",
    "winter",
    "spring",
    "fall",
    "autumn",
    "day",
    "days",
    "few",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
    "christmas",
    "minute",
    "decade",
    "quarter",
    "century",
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// Whether the question asks for a time: "when did", "what date", "how long ago". Not so "what did I eat when I was
/// there".
pub fn asks_for_time(question: &str) -> bool {
    let words = words(question);
    if TIME_PHRASES.iter().any(|phrase| find(&words, phrase).is_some()) {
        return true;
    }
    let place = words.iter().position(|word| WHEN.contains(&word.as_str()));
    place.is_some_and(|at| asks_when(&words, at, question))
}

fn asks_when(words: &[String], at: usize, question: &str) -> bool {
    let next = words.get(at + 1).map(String::as_str);
    let asks = next.is_none_or(|next| AUXILIARIES.contains(&next));
    let before = at.checked_sub(1).map(|before| words[before].as_str());
    match before {
        None if asks => true,
        // "When Jon lost his job?", while "When Jon lost his job, what did he do?" asks for something else.
        None => !question.contains(',') && !words.iter().any(|word| OTHER_QUESTIONS.contains(&word.as_str())),
        Some(before) => BEFORE_WHEN.contains(&before) || (asks && question.contains(',')),
    }
}

/// Which of several memories the question wants, in clear cases only: "currently", "the latest" or "the first time"
/// are such, "the last idea" is not.
pub fn wants(question: &str) -> Wants {
    let words = words(question);
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| find(&words, phrase).is_some());
    if says(EARLIEST) || orders(&words, "first") {
        Wants::Earliest
    } else if says(LATEST) || orders(&words, "last") || words.last().is_some_and(|word| word == "now") {
        Wants::Latest
    } else {
        Wants::None
    }
}

/// Whether a question for a time has "first" or "last" as its order, as "when did I last see her" has.
fn orders(words: &[String], order: &str) -> bool {
    let Some(at) = words.iter().position(|word| word == order) else { return false };
    let noun = words.get(at + 1).is_some_and(|next| NO_ORDER.contains(&next.as_str()));
    let article = at > 0 && matches!(words[at - 1].as_str(), "the" | "at" | "a");
    words.first().is_some_and(|word| word == "when") && at > 1 && !noun && !article
}

fn words(question: &str) -> Vec<String> {
    let words = bounded(question).split(|letter: char| !letter.is_alphanumeric());
    words.filter(|word| !word.is_empty()).take(WORDS_MAX).map(str::to_lowercase).collect()
}

/// Where the words of a phrase stand one behind another.
fn find(words: &[String], phrase: &str) -> Option<usize> {
    let length = phrase.split(' ').count();
    words.windows(length).position(|window| window.iter().eq(phrase.split(' ')))
}
