//! All tables as one dictionary, by the word as it is looked up: in lower case and without accents.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::OnceLock;

use super::english;
use super::languages;
use super::table::{Languages, Table};
use super::word::Word;

/// Longer words say nothing about time.
pub(super) const WORD_BYTES_MAX: usize = 15;

/// The number of a phrase: no phrase is part of another.
const NO_WORD: u16 = u16::MAX;

/// What a word or a phrase means in some languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) languages: Languages,
    pub(super) word: Word,
}

/// A phrase by its last word: the words before that, last first, and what it means.
#[derive(Debug)]
pub(super) struct Phrase {
    pub(super) before: Vec<u16>,
    pub(super) meaning: Entry,
}

/// A word of the dictionary.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// Tells words apart; phrases name theirs by it.
    pub(super) number: u16,
    pub(super) readings: Vec<Reading>,
    /// Those that end with the word, longest first.
    pub(super) phrases: Vec<Phrase>,
    /// Whether one of its readings tells a time: see [`Word::tells`].
    pub(super) tells: bool,
    /// Whether a phrase may begin with it.
    pub(super) begins: bool,
}

impl Entry {
    fn read(&mut self, languages: Languages, word: Word) {
        self.tells |= word.tells();
        self.begins |= word.begins();
        match self.readings.iter_mut().find(|reading| reading.word == word) {
            Some(known) => known.languages |= languages,
            None => self.readings.push(Reading { languages, word }),
        }
    }
}

/// A word of at most [`WORD_BYTES_MAX`] bytes as one number, its letters from the lowest byte on.
pub(super) type Key = u128;

/// The key of a word in lower case without accents. A longer word than the dictionary has gets a key of no word.
pub(super) fn key(letters: [u8; WORD_BYTES_MAX + 1]) -> Key {
    Key::from_le_bytes(letters)
}

/// Hashes keys by one multiplication. The words are ours, so that nobody can choose them to collide.
#[derive(Debug, Default)]
pub(super) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u128(u128::from(*byte)));
    }

    fn write_u128(&mut self, key: u128) {
        let folded = self.0.rotate_left(5) ^ key as u64 ^ ((key >> 64) as u64).rotate_left(29);
        self.0 = folded.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// The dictionary of all languages.
#[derive(Debug, Default)]
pub(super) struct Lexicon {
    entries: HashMap<Key, Entry, BuildHasherDefault<KeyHasher>>,
}

impl Lexicon {
    pub(super) fn get() -> &'static Self {
        static LEXICON: OnceLock<Lexicon> = OnceLock::new();
        LEXICON.get_or_init(Self::from_tables)
    }

    fn from_tables() -> Self {
        let mut lexicon = Self::default();
        lexicon.add_table(&english::TABLE);
        languages::TABLES.iter().for_each(|table| lexicon.add_table(table));
        lexicon
    }

    fn add_table(&mut self, table: &Table) {
        self.add_row(table.language, table.months, |place| Word::Month(place + 1));
        self.add_row(table.language, table.doubtful_months, |place| Word::DoubtfulMonth(place + 1));
        self.add_row(table.language, table.weekdays, Word::Weekday);
        for (word, spellings) in table.words {
            spellings.split(',').for_each(|spelling| self.add(table.language, spelling.trim(), *word));
        }
    }

    fn add_row(&mut self, language: Languages, row: &'static str, word: impl Fn(u8) -> Word) {
        for (place, spellings) in (0..).zip(row.split(',')) {
            spellings.split('/').for_each(|spelling| self.add(language, spelling.trim(), word(place)));
        }
    }

    fn add(&mut self, language: Languages, spelling: &'static str, word: Word) {
        let (before, last) = spelling.rsplit_once(' ').unwrap_or(("", spelling));
        if last.is_empty() {
            return;
        }
        let before: Vec<u16> = before.split_whitespace().rev().map(|part| self.entry(part).number).collect();
        let entry = self.entry(last);
        if before.is_empty() {
            entry.read(language, word);
        } else {
            phrase(&mut entry.phrases, before).read(language, word);
        }
    }

    fn entry(&mut self, spelling: &str) -> &mut Entry {
        let mut letters = [0; WORD_BYTES_MAX + 1];
        letters.iter_mut().zip(spelling.bytes()).for_each(|(place, letter)| *place = letter);
        let number = u16::try_from(self.entries.len()).unwrap_or(NO_WORD);
        self.entries.entry(key(letters)).or_insert_with(|| Entry { number, ..Entry::default() })
    }

    pub(super) fn find(&self, key: Key) -> Option<&Entry> {
        self.entries.get(&key)
    }
}

fn phrase(phrases: &mut Vec<Phrase>, before: Vec<u16>) -> &mut Entry {
    let known = phrases.iter().position(|phrase| phrase.before == before);
    let place = known.unwrap_or_else(|| {
        // Longest first: "the day before yesterday" is not read as "yesterday".
        let place = phrases.iter().position(|phrase| phrase.before.len() < before.len()).unwrap_or(phrases.len());
        phrases.insert(place, Phrase { before, meaning: Entry { number: NO_WORD, ..Entry::default() } });
        place
    });
    &mut phrases[place].meaning
}
