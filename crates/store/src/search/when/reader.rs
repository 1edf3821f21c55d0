//! A place among the tokens, and taking one after another.

use std::ops::RangeInclusive;

use super::calendar::Reference;
use super::numerals::Numeral;
use super::table::{ALL, Languages};
use super::tokens::{Lexeme, Token, Tokens};
use super::word::Word;

/// Reads a phrase token by token. All words of a phrase must have a language in common.
pub(super) struct Reader<'a> {
    tokens: &'a Tokens,
    pub(super) now: Reference,
    pub(super) at: usize,
    languages: Languages,
    /// Whether a time must come next, so that no name of one is doubtful.
    pub(super) expects_time: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(tokens: &'a Tokens, now: Reference) -> Self {
        Self { tokens, now, at: 0, languages: ALL, expects_time: false }
    }

    /// Goes to a token, to read a phrase of whatever language there.
    pub(super) fn go_to(&mut self, at: usize) {
        (self.at, self.languages) = (at, ALL);
    }

    pub(super) fn token(&self, at: usize) -> Option<&'a Token> {
        self.tokens.all.get(at)
    }

    fn lexeme(&self) -> Option<Lexeme> {
        self.token(self.at).map(|token| token.lexeme)
    }

    /// Whether no phrase about time begins here, which most attempts would otherwise find out one by one.
    pub(super) fn begins_nothing(&self) -> bool {
        !self.token(self.at).is_some_and(Token::may_begin)
    }

    /// Reads something, or stays where it was.
    pub(super) fn attempt<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let (at, languages) = (self.at, self.languages);
        let found = read(self);
        if found.is_none() {
            (self.at, self.languages) = (at, languages);
        }
        found
    }

    /// Takes a word of which `choose` makes something.
    pub(super) fn take<T>(&mut self, choose: impl Fn(Word) -> Option<T>) -> Option<T> {
        let (languages, found) = self.peek(self.at, self.languages, choose)?;
        self.at += 1;
        self.languages = languages;
        Some(found)
    }

    fn peek<T>(&self, at: usize, among: Languages, choose: impl Fn(Word) -> Option<T>) -> Option<(Languages, T)> {
        let Lexeme::Word(entry) = self.token(at)?.lexeme else { return None };
        let mut shared = entry.readings.iter().filter(|reading| reading.languages & among != 0);
        shared.find_map(|reading| Some((reading.languages & among, choose(reading.word)?)))
    }

    /// Whether such a word stands here.
    pub(super) fn sees(&self, wanted: impl Fn(Word) -> bool) -> bool {
        self.peek(self.at, self.languages, |word| wanted(word).then_some(())).is_some()
    }

    pub(super) fn word(&mut self, word: Word) -> Option<()> {
        self.take(|found| (found == word).then_some(()))
    }

    /// Passes over the word if it is there.
    pub(super) fn skip(&mut self, word: Word) {
        let _ = self.word(word);
    }

    pub(super) fn mark(&mut self, mark: u8) -> Option<()> {
        matches!(self.lexeme()?, Lexeme::Mark(found) if found == mark).then(|| self.at += 1)
    }

    pub(super) fn numeral<T>(&mut self, choose: impl Fn(Numeral) -> Option<T>) -> Option<T> {
        let Lexeme::Numeral(numeral) = self.lexeme()? else { return None };
        let found = choose(numeral)?;
        self.at += 1;
        Some(found)
    }

    /// A plain number within bounds that is no quantity of something else.
    pub(super) fn number(&mut self, within: RangeInclusive<u32>, digits_max: u8) -> Option<u32> {
        self.attempt(|reader| {
            let number = reader.numeral(|numeral| match numeral {
                Numeral::Number { value, digits } => (within.contains(&value) && digits <= digits_max).then_some(value),
                _ => None,
            })?;
            (!reader.measures()).then_some(number)
        })
    }

    /// Whether something that can be counted stands here.
    fn measures(&self) -> bool {
        let percent = matches!(self.lexeme(), Some(Lexeme::Mark(b'*')));
        percent && self.touches() || self.peek(self.at, ALL, |word| (word == Word::Measure).then_some(())).is_some()
    }

    /// Whether no space stands before this token.
    fn touches(&self) -> bool {
        let before = self.at.checked_sub(1).and_then(|at| self.token(at));
        before.zip(self.token(self.at)).is_some_and(|(before, token)| before.end == token.start)
    }

    /// Leaves out a language from here on.
    pub(super) fn exclude(&mut self, languages: Languages) -> Option<()> {
        self.languages &= !languages;
        (self.languages != 0).then_some(())
    }

    /// Whether a phrase or a sentence ends here.
    pub(super) fn ends(&self) -> bool {
        matches!(self.lexeme(), None | Some(Lexeme::Mark(b',' | b'.' | b'(')))
    }

    /// Whether one begins here.
    pub(super) fn begins(&self) -> bool {
        let before = self.at.checked_sub(1).and_then(|at| self.token(at));
        matches!(before.map(|token| token.lexeme), None | Some(Lexeme::Mark(b',' | b'.' | b'(')))
    }

    /// Whether the word before this token, articles aside, satisfies `wanted` in a language of the token.
    pub(super) fn follows(&self, wanted: impl Fn(Word) -> bool) -> bool {
        let languages = self.languages_here();
        let mut at = self.at;
        while let Some(before) = at.checked_sub(1) {
            if self.peek(before, languages, |word| wanted(word).then_some(())).is_some() {
                return true;
            }
            if self.peek(before, languages, |word| (word == Word::The).then_some(())).is_none() {
                return false;
            }
            at = before;
        }
        false
    }

    fn languages_here(&self) -> Languages {
        match self.lexeme() {
            Some(Lexeme::Word(entry)) => {
                let all = entry.readings.iter().fold(0, |languages, reading| languages | reading.languages);
                all & self.languages
            }
            _ => self.languages,
        }
    }

    /// Whether the text seems to be in a language of the phrase read so far.
    pub(super) fn is_at_home(&self) -> bool {
        self.tokens.is_in(self.languages)
    }
}
