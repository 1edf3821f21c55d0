//! All tables as one dictionary, by the word as it is looked up: in lower case and without accents.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::english;
use super::languages;
use super::word::Word;

/// A set of languages, one bit each.
pub(super) type Languages = u8;

pub(super) const ENGLISH: Languages = 1;
pub(super) const GERMAN: Languages = 1 << 1;
pub(super) const FRENCH: Languages = 1 << 2;
pub(super) const SPANISH: Languages = 1 << 3;
pub(super) const ITALIAN: Languages = 1 << 4;
pub(super) const PORTUGUESE: Languages = 1 << 5;
pub(super) const DUTCH: Languages = 1 << 6;
pub(super) const ALL: Languages = u8::MAX;

/// Longer words say nothing about time.
pub(super) const WORD_BYTES_MAX: usize = 15;

/// The number of a phrase: no phrase is part of another.
const NO_WORD: u16 = u16::MAX;

/// The words of one language. How they are written is said in [`super::languages`].
pub(super) struct Table {
    pub(super) language: Languages,
    pub(super) months: &'static str,
    /// Months whose names need company: see [`Word::DoubtfulMonth`].
    pub(super) doubtful_months: &'static str,
    pub(super) weekdays: &'static str,
    pub(super) words: &'static [(Word, &'static str)],
}

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

/// The dictionary of all languages.
#[derive(Debug)]
pub(super) struct Lexicon {
    entries: HashMap<&'static str, Entry>,
    /// By first byte, one bit for each length of a word: most words of a text end here.
    lengths: [u16; 256],
}

impl Lexicon {
    pub(super) fn get() -> &'static Self {
        static LEXICON: OnceLock<Lexicon> = OnceLock::new();
        LEXICON.get_or_init(Self::from_tables)
    }

    fn from_tables() -> Self {
        let mut lexicon = Self { entries: HashMap::new(), lengths: [0; 256] };
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

    fn entry(&mut self, spelling: &'static str) -> &mut Entry {
        self.lengths[usize::from(spelling.as_bytes()[0])] |= 1 << spelling.len();
        let number = u16::try_from(self.entries.len()).unwrap_or(NO_WORD);
        self.entries.entry(spelling).or_insert_with(|| Entry { number, ..Entry::default() })
    }

    /// The entry of a word in lower case without accents.
    pub(super) fn find(&self, word: &[u8]) -> Option<&Entry> {
        let first = *word.first()?;
        if word.len() > WORD_BYTES_MAX || self.lengths[usize::from(first)] & (1 << word.len()) == 0 {
            return None;
        }
        self.entries.get(std::str::from_utf8(word).ok()?)
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
