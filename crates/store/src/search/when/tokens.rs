//! A text as words of the dictionary, numbers and marks.

use super::lexicon::{Entry, Lexicon, WORD_BYTES_MAX, key};
use super::numerals::{self, Numeral};
use super::table::Languages;
use super::word::Word;

/// What a token is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lexeme {
    /// A word that the dictionary has.
    Word(&'static Entry),
    /// Any other word.
    Unknown,
    Numeral(Numeral),
    /// A comma, a hyphen, a full stop for whatever ends a sentence, a bracket for brackets and quotes, and a star for
    /// all other signs.
    Mark(u8),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Token {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) lexeme: Lexeme,
}

impl Token {
    /// Whether a phrase about time may begin with it.
    pub(super) fn may_begin(&self) -> bool {
        match self.lexeme {
            Lexeme::Word(entry) => entry.begins,
            Lexeme::Numeral(_) => true,
            _ => false,
        }
    }

    /// The languages of which it is a frequent word.
    fn marked(&self) -> Option<Languages> {
        let Lexeme::Word(entry) = self.lexeme else { return None };
        entry.readings.iter().find(|reading| reading.word == Word::Marker).map(|reading| reading.languages)
    }

    /// Whether a text without such a token tells no time.
    fn tells(&self) -> bool {
        match self.lexeme {
            Lexeme::Word(entry) => entry.tells,
            Lexeme::Numeral(numeral) => numeral.tells(),
            _ => false,
        }
    }
}

/// Tokens that may stand before the first one of a phrase that tells a time: "zwischen dem 3. und dem 5. Juni".
const PHRASE_TOKENS_MAX: usize = 8;

/// The tokens of a text.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    pub(super) all: Vec<Token>,
    /// The words since the last sign other than a hyphen, by number and start: what phrases are made of.
    words: Vec<(u16, usize)>,
    /// Which tokens tell a time.
    telling: Vec<usize>,
}

impl Tokens {
    pub(super) fn read(text: &str) -> Self {
        let mut scanner = Scanner { text: text.as_bytes(), at: 0, lexicon: Lexicon::get(), found: Self::default() };
        scanner.found.all.reserve(text.len() / 5 + 4);
        while scanner.at < text.len() {
            scanner.step(text);
        }
        let mut found = scanner.found;
        found.telling = (0..found.all.len()).filter(|at| found.all[*at].tells()).collect();
        found
    }

    /// Whether it is worth to look for phrases.
    pub(super) fn tell(&self) -> bool {
        !self.telling.is_empty()
    }

    /// Whether a token that tells a time is near enough for a phrase that begins at `at`.
    pub(super) fn tell_soon(&self, at: usize) -> bool {
        let next = self.telling.partition_point(|telling| *telling < at);
        self.telling.get(next).is_some_and(|telling| *telling <= at + PHRASE_TOKENS_MAX)
    }

    /// Whether the text is in one of these languages, as far as its frequent words say.
    pub(super) fn is_in(&self, languages: Languages) -> bool {
        let mut counts = [0; Languages::BITS as usize];
        for marked in self.all.iter().filter_map(Token::marked) {
            (0..).zip(&mut counts).for_each(|(bit, count)| *count += u32::from(marked >> bit & 1));
        }
        let most = |within: bool| {
            let counts = (0..).zip(counts).filter(|(bit, _)| (languages >> bit & 1 == 1) == within);
            counts.map(|(_, count)| count).max().unwrap_or(0)
        };
        most(true) > 0 && most(true) >= most(false)
    }

    /// Takes in what is part of no phrase.
    fn push_other(&mut self, start: usize, end: usize, lexeme: Lexeme) {
        self.words.clear();
        self.push(start, end, lexeme);
    }

    fn push(&mut self, start: usize, end: usize, lexeme: Lexeme) {
        self.all.push(Token { start, end, lexeme });
    }

    /// Takes in a word, and makes one token of it and of those before it when they are a phrase.
    fn push_word(&mut self, start: usize, end: usize, entry: &'static Entry) {
        for phrase in &entry.phrases {
            if let Some(first) = self.ends_with(&phrase.before) {
                self.words.push((entry.number, start));
                while self.all.pop_if(|token| token.start >= first).is_some() {}
                return self.push(first, end, Lexeme::Word(&phrase.meaning));
            }
        }
        self.words.push((entry.number, start));
        self.push(start, end, Lexeme::Word(entry));
    }

    /// Where these words begin, last first, if the text read so far ends with them.
    fn ends_with(&self, words: &[u16]) -> Option<usize> {
        let known = self.words.len().checked_sub(words.len())?;
        let ours = &self.words[known..];
        let same = ours.iter().rev().map(|(number, _)| number).eq(words);
        let start = ours.first().map(|(_, start)| *start).filter(|_| same)?;
        let inside_another =
            self.all.iter().rev().find(|token| token.start < start).is_some_and(|token| token.end > start);
        (!inside_another).then_some(start)
    }
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    lexicon: &'static Lexicon,
    found: Tokens,
}

impl Scanner<'_> {
    fn step(&mut self, text: &str) {
        match self.text[self.at] {
            b' ' | b'\t' | b'\'' => self.at += 1,
            b'0'..=b'9' => self.numeral(),
            b'a'..=b'z' | b'A'..=b'Z' => self.word(text),
            b'.' | b'!' | b'?' | b';' | b'\n' => self.mark(b'.', 1),
            b',' => self.mark(b',', 1),
            b'-' => self.mark(b'-', 1),
            b'(' | b')' | b'[' | b']' | b'"' => self.mark(b'(', 1),
            0..=0x7f => self.mark(b'*', 1),
            _ => self.letter_or_sign(text),
        }
    }

    fn mark(&mut self, mark: u8, bytes: usize) {
        if mark != b'-' {
            self.found.words.clear();
        }
        self.found.push(self.at, self.at + bytes, Lexeme::Mark(mark));
        self.at += bytes;
    }

    fn letter_or_sign(&mut self, text: &str) {
        let letter = text[self.at..].chars().next().unwrap_or(' ');
        match letter {
            '’' | 'ʼ' | '\u{a0}' | '\u{202f}' => self.at += letter.len_utf8(),
            '“' | '”' | '„' | '«' | '»' => self.mark(b'(', letter.len_utf8()),
            '–' | '—' | '‐' | '‑' => self.mark(b'-', letter.len_utf8()),
            _ if letter.is_alphanumeric() => self.word(text),
            _ => self.mark(b'*', letter.len_utf8()),
        }
    }

    fn numeral(&mut self) {
        let (bytes, numeral) = numerals::read(&self.text[self.at..]);
        let lexeme = numeral.map_or(Lexeme::Unknown, Lexeme::Numeral);
        self.found.push_other(self.at, self.at + bytes, lexeme);
        self.at += bytes;
    }

    fn word(&mut self, text: &str) {
        let start = self.at;
        let mut folded = Folded::default();
        while let Some(byte) = self.text.get(self.at) {
            match LETTERS[usize::from(*byte)] {
                0 if byte.is_ascii() => break,
                0 => match letter_at(text, self.at) {
                    Some(letter) => {
                        folded.push_letter(letter);
                        self.at += letter.len_utf8();
                    }
                    None => break,
                },
                plain => {
                    folded.push(plain);
                    self.at += 1;
                }
            }
        }
        match self.lexicon.find(key(folded.letters)) {
            Some(entry) => self.found.push_word(start, self.at, entry),
            None => self.found.push_other(start, self.at, Lexeme::Unknown),
        }
    }
}

/// For each byte the ASCII letter in lower case, or the digit, that it is; 0 for any other.
const LETTERS: [u8; 256] = {
    let mut letters = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        if byte.is_ascii_alphanumeric() {
            letters[byte as usize] = byte.to_ascii_lowercase();
        }
        byte += 1;
    }
    letters
};

/// The letter beyond ASCII at a place, or the accent that belongs to the letter before.
fn letter_at(text: &str, at: usize) -> Option<char> {
    let letter = text[at..].chars().next()?;
    (letter.is_alphanumeric() || ('\u{300}'..='\u{36f}').contains(&letter)).then_some(letter)
}

/// A word in lower case without accents, as far as the dictionary could have it.
#[derive(Default)]
struct Folded {
    letters: [u8; WORD_BYTES_MAX + 1],
    count: usize,
}

impl Folded {
    fn push(&mut self, letter: u8) {
        if let Some(place) = self.letters.get_mut(self.count) {
            *place = letter;
            self.count += 1;
        }
    }

    fn push_letter(&mut self, letter: char) {
        let plain = match letter {
            'à'..='å' | 'À'..='Å' => "a",
            'ç' | 'Ç' => "c",
            'è'..='ë' | 'È'..='Ë' => "e",
            'ì'..='ï' | 'Ì'..='Ï' => "i",
            'ñ' | 'Ñ' => "n",
            'ò'..='ö' | 'Ò'..='Ö' => "o",
            'ù'..='ü' | 'Ù'..='Ü' => "u",
            'œ' | 'Œ' => "oe",
            'ß' => "ss",
            '\u{300}'..='\u{36f}' => "",
            _ => "?",
        };
        plain.bytes().for_each(|letter| self.push(letter));
    }
}
