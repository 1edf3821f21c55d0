//! How likely it is that a recall found an answer at all, and thresholds by name.
//!
//! The figures were fitted by logistic regression on questions with an answer and questions asked of the wrong store,
//! as many of each, over six kinds of data: short chats, long chats with an assistant, notes asked for in other words,
//! reference texts, chapters of books, and headings; those of the words alone over the four in which words can find.
//! `docs/recall.md` shows what each threshold costs and keeps away.

use std::str::FromStr;

use super::mode::Mode;
use crate::error::StoreError;

/// The log-odds that the best hit answers the question: a line through what was matched.
struct Line {
    words: f64,
    cosine: f64,
    at_nothing: f64,
}

const HYBRID: Line = Line { words: 1.17, cosine: 14.95, at_nothing: -7.48 };
const TEXT: Line = Line { words: 9.33, cosine: 0.0, at_nothing: -4.91 };
const VECTOR: Line = Line { words: 0.0, cosine: 16.17, at_nothing: -7.50 };

/// What the words alone are trusted less, in log-odds, when a distant meaning speaks against them. It lets a rare word
/// be found whatever a model makes of it, and costs next to nothing where there is no answer.
const WORDS_AGAINST_MEANING: f64 = 3.0;

impl Line {
    fn odds(&self, coverage: f64, cosine: f64) -> f64 {
        self.at_nothing + self.words * coverage.clamp(0.0, 1.0) + self.cosine * cosine
    }
}

/// How likely an answer was found, from 0 to 1, if beforehand it was as likely as not.
///
/// `coverage` is the share of the question's words, weighed by how much they tell, that some memory holds; `cosine` that of
/// the nearest memory. What the mode does not go by is not looked at; a hybrid recall without vectors goes by words.
pub fn confidence(mode: Mode, coverage: f64, cosine: Option<f64>) -> f64 {
    let words = TEXT.odds(coverage, 0.0);
    let odds = match (mode, cosine) {
        (Mode::Text, _) | (Mode::Hybrid, None) => words,
        (Mode::Hybrid, Some(cosine)) => HYBRID.odds(coverage, cosine).max(words - WORDS_AGAINST_MEANING),
        (Mode::Vector, cosine) => VECTOR.odds(0.0, cosine.unwrap_or(0.0)),
    };
    1.0 / (1.0 + (-odds).exp())
}

/// What a cosine of another model than ours is taken for: models differ in where likeness begins, so all but opposites
/// may be alike.
pub fn generous(cosine: f64) -> f64 {
    0.25 + 0.75 * cosine
}

/// The least score of a hit, by name.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Threshold {
    /// Everything that was found.
    None,
    /// Keeps all but what is as good as certainly no answer.
    #[default]
    Lenient,
    /// Keeps away most answers to questions that have none.
    Balanced,
    /// Keeps what is likely to be an answer.
    Strict,
    /// A score of the caller's own, from 0 to 1.
    Score(f64),
}

impl Threshold {
    const NAMED: [(&'static str, Self); 4] =
        [("none", Self::None), ("lenient", Self::Lenient), ("balanced", Self::Balanced), ("strict", Self::Strict)];

    /// The least score that passes.
    pub fn least(self) -> f64 {
        match self {
            Self::None => 0.0,
            Self::Lenient => 0.02,
            Self::Balanced => 0.3,
            Self::Strict => 0.7,
            Self::Score(least) => least,
        }
    }
}

impl FromStr for Threshold {
    type Err = StoreError;

    fn from_str(name: &str) -> Result<Self, StoreError> {
        Self::NAMED.into_iter().find(|(known, _)| *known == name).map(|(_, threshold)| threshold).ok_or_else(|| {
            let what =
                format!("{name:?} is no threshold: choose none, lenient, balanced, strict or a score from 0 to 1");
            StoreError::Invalid(what)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_words_and_nearer_meaning_make_an_answer_likelier() {
        let least = confidence(Mode::Hybrid, 0.0, Some(0.1));
        let words = confidence(Mode::Hybrid, 0.9, Some(0.1));
        let both = confidence(Mode::Hybrid, 0.9, Some(0.8));
        assert!(0.0 < least && least < words && words < both && both < 1.0);
    }

    #[test]
    fn a_mode_does_not_look_at_what_it_does_not_go_by() {
        assert_eq!(confidence(Mode::Text, 0.4, Some(0.9)), confidence(Mode::Text, 0.4, None));
        assert_eq!(confidence(Mode::Vector, 0.0, Some(0.9)), confidence(Mode::Vector, 1.0, Some(0.9)));
        assert_eq!(confidence(Mode::Hybrid, 0.4, None), confidence(Mode::Text, 0.4, None));
    }

    #[test]
    fn names_of_thresholds_grow_stricter() {
        let least: Vec<f64> = Threshold::NAMED.iter().map(|(_, threshold)| threshold.least()).collect();
        assert!(least.is_sorted());
        assert_eq!("balanced".parse::<Threshold>().ok(), Some(Threshold::Balanced));
        assert!("sure".parse::<Threshold>().is_err());
    }
}
