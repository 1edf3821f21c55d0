//! Splitting a text of any language into the pieces that can be asked for.
//!
//! The same splitting serves what is indexed and what is asked, so that a word is found by itself however it is
//! written. It is pure, takes time in proportion to the text, and has an answer for every text.

use std::iter::Peekable;
use std::str::Chars;

use unicode_normalization::UnicodeNormalization;

use super::letters::{Role, role};

/// Letters of a word beyond so many bytes are not looked at: what is longer is a key or an encoded file.
const WORD_BYTES_MAX: usize = 96;

/// A word that changes its case more often than this is no name of an identifier.
const HUMPS_MAX: usize = 6;

/// What kind of piece it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A word of letters and digits.
    Word,
    /// Letters of a script without spaces; words in it are found by so many letters at a time.
    Run(usize),
    /// A picture.
    Picture,
}

/// How a piece hangs on the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// Not at all.
    Apart,
    /// By a sign that keeps words together, as in an address.
    Linked,
    /// By a sign that makes one word of two, as a hyphen.
    Joined,
}

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// In lower case, composed, accents kept; never empty, without spaces.
    pub text: String,
    pub kind: Kind,
    pub hold: Hold,
    /// The words of which an identifier consists: `user`, `name` of `userName`. Empty for other words.
    pub humps: Vec<String>,
}

/// The pieces of `text`, in order.
pub(super) fn pieces(text: &str) -> Vec<Piece> {
    if text.is_ascii() {
        return Splitter::new(text).split();
    }
    let composed: String = text.nfkc().collect();
    Splitter::new(&composed).split()
}

struct Splitter<'a> {
    rest: Peekable<Chars<'a>>,
    pieces: Vec<Piece>,
    /// The letters of the word or run that is being read.
    letters: String,
    /// How many letters tell a word, when a run is being read.
    gram: Option<usize>,
    flag: Option<char>,
    hold: Hold,
}

impl<'a> Splitter<'a> {
    fn new(text: &'a str) -> Self {
        let rest = text.chars().peekable();
        Self { rest, pieces: Vec::new(), letters: String::new(), gram: None, flag: None, hold: Hold::Apart }
    }

    fn split(mut self) -> Vec<Piece> {
        while let Some(letter) = self.rest.next() {
            self.take(letter);
        }
        self.end_word();
        self.pieces
    }

    fn take(&mut self, letter: char) {
        let role = role(letter);
        if role != Role::FlagHalf {
            self.flag = None;
        }
        match role {
            Role::Letter => self.push(letter, None),
            Role::Gram(size) => self.push(letter, Some(size)),
            Role::Invisible => {}
            Role::Apostrophe if self.is_inside_word() => self.letters.push('\''),
            Role::Joint if self.is_inside_word() && self.joins(letter) => self.end_word_with(Hold::Joined),
            Role::Joint | Role::Link if self.is_inside_word() && letter != ',' => self.end_word_with(Hold::Linked),
            Role::Picture => self.add_picture(letter.to_string()),
            Role::FlagHalf => self.add_half_of_flag(letter),
            _ => self.end_with_gap(letter),
        }
    }

    fn push(&mut self, letter: char, gram: Option<usize>) {
        if self.gram != gram {
            // A mark that no letter carries belongs to the script before it.
            self.end_word();
        }
        self.gram = gram;
        self.letters.push(letter);
    }

    fn is_inside_word(&mut self) -> bool {
        let next_is_letter = self.rest.peek().is_some_and(|next| role(*next) == Role::Letter);
        next_is_letter && self.gram.is_none() && !self.letters.is_empty()
    }

    /// A comma stands inside a number only.
    fn joins(&mut self, sign: char) -> bool {
        let digit = |letter: Option<char>| letter.is_some_and(|letter| letter.is_ascii_digit());
        sign != ',' || (digit(self.letters.chars().next_back()) && digit(self.rest.peek().copied()))
    }

    fn end_word_with(&mut self, hold: Hold) {
        self.end_word();
        self.hold = hold;
    }

    /// Ends a word; the languages C++, C# and F# keep their signs, spelled out.
    fn end_with_gap(&mut self, sign: char) {
        if self.letters.len() == 1 && self.gram.is_none() {
            if sign == '#' {
                self.letters.push_str("sharp");
            } else if sign == '+' && self.rest.next_if_eq(&'+').is_some() {
                self.letters.push_str("plusplus");
            }
        }
        self.end_word();
    }

    fn end_word(&mut self) {
        let hold = std::mem::replace(&mut self.hold, Hold::Apart);
        if self.letters.is_empty() {
            return;
        }
        let gram = self.gram.take();
        let letters = if gram.is_none() { bounded(&self.letters) } else { &self.letters };
        let lower = letters.to_lowercase();
        let humps = if gram.is_none() { humps(letters) } else { Vec::new() };
        self.letters.clear();
        match gram {
            Some(size) => self.add(lower, Kind::Run(size), hold, humps),
            None if lower.contains('\'') => self.add_parts(&lower, hold),
            None => self.add(lower, Kind::Word, hold, humps),
        }
    }

    fn add_parts(&mut self, word: &str, hold: Hold) {
        for (at, word) in without_apostrophes(word).into_iter().enumerate() {
            self.add(word, Kind::Word, if at == 0 { hold } else { Hold::Linked }, Vec::new());
        }
    }

    fn add_half_of_flag(&mut self, letter: char) {
        match self.flag.take() {
            Some(first) => {
                self.pieces.pop();
                self.add_picture([first, letter].iter().collect());
            }
            None => {
                self.add_picture(letter.to_string());
                self.flag = Some(letter);
            }
        }
    }

    fn add_picture(&mut self, text: String) {
        self.end_word();
        self.add(text, Kind::Picture, Hold::Apart, Vec::new());
    }

    fn add(&mut self, text: String, kind: Kind, hold: Hold, humps: Vec<String>) {
        if text.chars().any(|letter| role(letter) != Role::Letter || letter.is_alphanumeric()) {
            self.pieces.push(Piece { text, kind, hold, humps });
        }
    }
}

fn bounded(letters: &str) -> &str {
    let mut end = letters.len().min(WORD_BYTES_MAX);
    while !letters.is_char_boundary(end) {
        end -= 1;
    }
    &letters[..end]
}

/// "Anna's" is about Anna, "don't" is one word, and in "l'amico" and "o'brien" there are two.
fn without_apostrophes(word: &str) -> Vec<String> {
    let parts: Vec<&str> = word.split('\'').filter(|part| !part.is_empty()).collect();
    match parts.as_slice() {
        [word, "s" | "ll" | "re" | "ve" | "d" | "m"] => vec![(*word).to_owned()],
        [word, "t"] if word.ends_with('n') => vec![format!("{word}t")],
        parts => parts.iter().map(|part| (*part).to_owned()).collect(),
    }
}

/// The words of an identifier such as `getUserName`, `HTTPServer` or `gpt4`, in lower case; none when it is but one.
fn humps(letters: &str) -> Vec<String> {
    if !letters.chars().skip(1).any(|letter| letter.is_uppercase() || letter.is_ascii_digit()) {
        return Vec::new();
    }
    let all: Vec<char> = letters.chars().collect();
    let starts: Vec<usize> = (1..all.len()).filter(|&at| is_start_of_hump(&all, at)).collect();
    if starts.is_empty() || starts.len() >= HUMPS_MAX {
        return Vec::new();
    }
    let bounds = std::iter::once(0).chain(starts.iter().copied()).zip(starts.iter().copied().chain([all.len()]));
    bounds.map(|(start, end)| all[start..end].iter().collect::<String>().to_lowercase()).collect()
}

fn is_start_of_hump(letters: &[char], at: usize) -> bool {
    let (before, letter, after) = (letters[at - 1], letters[at], letters.get(at + 1));
    let ends_capitals = before.is_uppercase() && after.is_some_and(|after| after.is_lowercase());
    let capital = letter.is_uppercase() && (before.is_lowercase() || ends_capitals);
    capital || (letter.is_ascii_digit() && before.is_alphabetic())
}

/// The terms under which a run is indexed: at each letter the letters from there on, so many that they tell a word;
/// the last ones are shorter. A word of a single letter is thereby the beginning of some term wherever it stands.
pub(super) fn grams(run: &str, size: usize) -> impl Iterator<Item = &str> {
    let starts: Vec<usize> = run.char_indices().map(|(at, _)| at).collect();
    (0..starts.len()).map(move |at| &run[starts[at]..starts.get(at + size).copied().unwrap_or(run.len())])
}
