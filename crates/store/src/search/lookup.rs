//! What the words of a question find: rare words first, so that common ones cost next to nothing.
//!
//! Words are taken from the rarest up, for as long as their postings fit a budget. The commoner ones tell memories
//! apart least and would take longer than all others together; they are looked at only when the rare ones find fewer
//! memories than asked for, and then the newest postings first.

use std::collections::{BTreeSet, HashSet};
use std::ops::Range;

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::Number;
use super::filter::{Condition, Filter};
use super::frequency::Frequencies;
use super::fuse::LONG_TERMS;
use super::place::{extent, places};
use super::postings::{Column, Posting, postings_of_counted};
use super::query::{Asked, AskedKind};
use super::terms::IndexedText;
use super::text::attached_text;
use crate::error::StoreError;

/// Postings read for one question, some 0.2 microseconds each.
const POSTINGS_BUDGET: u64 = 3_000;

/// A question's rarest word may be this common and still be read whole.
const FIRST_WORD_MAX: u64 = 8_000;

/// Postings read of each commoner word.
const COMMON_POSTINGS_MAX: usize = 4_000;

/// Commoner words looked at together; the next ones only if these find too little.
const COMMON_WORDS_AT_A_TIME: usize = 6;

/// When no more memories than this pass a filter, they are read one by one.
const FEW_ALLOWED: usize = 1_000;

/// A store of this size is searched by every word.
const SMALL_STORE_ROWS: u64 = 2_000;

/// How soon a word that stands several times in a memory stops to count for more: BM25's k1.
const SATURATION: f64 = 0.9;

/// A word of a question, and how much it says.
#[derive(Debug, Clone, PartialEq)]
pub struct Word {
    /// As it was asked.
    pub asked: Asked,
    /// Its place in the question.
    pub order: usize,
    /// The logarithm of how rare it is: BM25's inverse document frequency.
    pub rarity: f64,
    /// The same, beside some memories of any store: in a store of three a word that stands in all is not yet common.
    pub weight: f64,
    /// In how many memories it stands.
    pub memories: u64,
    /// The same for each of its terms.
    memories_of_terms: Vec<u64>,
    /// Whether it was looked for, or stands nowhere; the commonest words of a question often are not needed.
    pub is_read: bool,
}

/// A word that stands in a memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Standing {
    /// Which memory.
    pub number: Number,
    /// Which word, as its place in [`Words::words`].
    pub word: usize,
    /// How often.
    pub count: u32,
}

impl Standing {
    /// How fully the word stands there, from 0 towards 2: once in a short memory is 1.
    pub fn fullness(count: f64, length: u32) -> f64 {
        let long = (f64::from(length) / LONG_TERMS).max(1.0);
        count * (SATURATION + 1.0) / (count + SATURATION * long)
    }
}

/// What the words of a question found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Words {
    /// The words, rarest first.
    pub words: Vec<Word>,
    /// Ascending by memory and word.
    standings: Vec<Standing>,
}

/// How many memories a search is to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// At most so many.
    pub most: usize,
    /// Common words are looked at only when the others find fewer than this.
    pub enough: usize,
}

/// Finds what the words of a question stand in, and the memories that they fit best among those that pass the filter.
///
/// `reader` is a connection to the ground with the text index attached (see [`super::text::attach`]). With nothing
/// that fits, nothing is found. A selective filter gives enough memories whenever so many fit.
///
/// # Errors
/// [`StoreError::Corrupt`] when the index is damaged (then reset it, catch up and search again), or a fault.
pub fn search(
    reader: &Connection,
    frequencies: &Frequencies,
    asked: &[Asked],
    filter: &Filter,
    wanted: Wanted,
) -> Result<(Words, Vec<Number>), StoreError> {
    let rows = extent(reader)?.rows;
    let mut words = Words { words: counted(reader, frequencies, asked, rows)?, standings: Vec::new() };
    let present = words.words.iter().take_while(|word| word.memories > 0).count();
    let rare = rare_words(&words.words[..present], rows);
    words.read(reader, 0..rare, usize::MAX, None)?;
    let search = Search { reader, condition: filter.condition(), most: wanted.most };
    let mut found = search.best(&words, |_| true)?;
    if found.len() < wanted.enough {
        search.add_common(&mut words, rare..present, &mut found, wanted.enough)?;
    }
    for (at, word) in words.words.iter_mut().enumerate() {
        // What stands nowhere was asked for all the same.
        word.is_read = word.is_read || at >= present;
    }
    Ok((words, found))
}

/// The words with their rarity, rarest first, those that stand nowhere last.
fn counted(
    reader: &Connection,
    frequencies: &Frequencies,
    asked: &[Asked],
    rows: u64,
) -> Result<Vec<Word>, StoreError> {
    let mut words = Vec::with_capacity(asked.len());
    for (order, asked) in asked.iter().enumerate() {
        let of_terms = asked.terms.iter().map(|term| frequencies.count(reader, term, rows));
        let memories_of_terms = of_terms.collect::<Result<Vec<u64>, _>>()?;
        let memories = memories_of_terms.iter().sum();
        words.push(Word {
            asked: asked.clone(),
            order,
            rarity: rarity(memories, rows),
            weight: weight(memories, rows),
            memories,
            memories_of_terms,
            is_read: false,
        });
    }
    words.sort_by_key(|word| if word.memories == 0 { u64::MAX } else { word.memories });
    Ok(words)
}

fn rarity(memories: u64, rows: u64) -> f64 {
    let (holding, others) = (memories.min(rows) as f64, rows.saturating_sub(memories) as f64);
    (1.0 + (others + 0.5) / (holding + 0.5)).ln()
}

fn weight(memories: u64, rows: u64) -> f64 {
    const OTHERS: (u64, u64) = (10, 1_000);
    rarity(memories.min(rows) + OTHERS.0, rows + OTHERS.1)
}

/// How many of the words, from the rarest, are read whole.
fn rare_words(words: &[Word], rows: u64) -> usize {
    if rows <= SMALL_STORE_ROWS {
        return words.len();
    }
    let mut read = 0;
    let within = words.iter().take_while(|word| {
        read += word.memories;
        read <= POSTINGS_BUDGET
    });
    match within.count() {
        0 => usize::from(words.first().is_some_and(|word| word.memories <= FIRST_WORD_MAX)),
        count => count,
    }
}

impl Words {
    /// The weight of all words together, found or not.
    pub fn weight(&self) -> f64 {
        self.asked().map(|word| word.weight).sum()
    }

    /// The rarity of all words together, found or not.
    pub fn rarity(&self) -> f64 {
        self.asked().map(|word| word.rarity).sum()
    }

    /// The words that were looked for. The parts of a compound count, not the compound as well.
    fn asked(&self) -> impl Iterator<Item = &Word> {
        self.words.iter().filter(|word| word.is_read && word.asked.kind != AskedKind::Compound)
    }

    /// The words that stand in a memory.
    pub fn of(&self, number: Number) -> &[Standing] {
        let start = self.standings.partition_point(|standing| standing.number < number);
        let rest = &self.standings[start..];
        &rest[..rest.partition_point(|standing| standing.number == number)]
    }

    /// The words at these places as they were asked for, in the order of the question. A compound is told by its parts.
    pub fn named(&self, places: &BTreeSet<usize>) -> Vec<String> {
        let mut named: Vec<&Word> = places.iter().map(|at| &self.words[*at]).collect();
        named.retain(|word| word.asked.kind != AskedKind::Compound);
        named.sort_by_key(|word| word.order);
        let as_asked = |word: &Word| match word.asked.kind {
            AskedKind::Beginning => format!("{}*", word.asked.surface),
            _ => word.asked.surface.clone(),
        };
        named.into_iter().map(as_asked).collect()
    }

    /// What stands in a text that the index does not hold.
    pub fn standing_in(&self, number: Number, text: &IndexedText) -> Vec<Standing> {
        let (written, parts) = (format!(" {} {} ", text.content, text.labels), format!(" {} ", text.parts));
        let count_in = |word: &Word, text: &str| word.asked.terms.iter().map(|term| term.count_in(text)).sum::<usize>();
        let count = |word: &Word| count_in(word, &written).max(count_in(word, &parts).min(1));
        let counts = self.words.iter().enumerate().map(|(at, word)| (at, count(word)));
        let standing = |(word, count): (usize, usize)| Standing { number, word, count: count as u32 };
        counts.filter(|(_, count)| *count > 0).map(standing).collect()
    }

    /// Puts what stands in memories that the index does not hold, or not as they are meant.
    pub fn replace(&mut self, numbers: &BTreeSet<Number>, standings: Vec<Standing>) {
        self.standings.retain(|standing| !numbers.contains(&standing.number));
        self.standings.extend(standings);
        self.standings.sort_unstable();
    }

    /// Reads the postings of some words: those of the newest `most` memories, of those allowed.
    fn read(
        &mut self,
        reader: &Connection,
        words: Range<usize>,
        most: usize,
        allowed: Option<&[Number]>,
    ) -> Result<(), StoreError> {
        for at in words {
            self.words[at].is_read = true;
            let mut found = Vec::new();
            let word = &self.words[at];
            for (term, memories) in word.asked.terms.iter().zip(&word.memories_of_terms) {
                found.extend(postings_of_counted(reader, term, *memories, most)?);
            }
            if let Some(allowed) = allowed {
                found.retain(|posting| allowed.binary_search(&posting.number).is_ok());
            }
            found.sort_unstable();
            let of_each = found.chunk_by(|a, b| a.number == b.number);
            self.standings.extend(of_each.map(|of_one| Standing {
                number: of_one[0].number,
                word: at,
                count: count(of_one),
            }));
        }
        self.standings.sort_unstable();
        self.standings.dedup_by_key(|standing| (standing.number, standing.word));
        Ok(())
    }

    /// Reads what stands in these memories from their own terms: for few of them that costs less than the postings of a
    /// common word, some 10 microseconds each.
    fn read_texts(&mut self, reader: &Connection, numbers: &[Number]) -> Result<(), StoreError> {
        let mut standings = Vec::new();
        for &number in numbers {
            if let Some(text) = attached_text(reader, number)? {
                standings.extend(self.standing_in(number, &text));
            }
        }
        self.replace(&numbers.iter().copied().collect(), standings);
        self.words.iter_mut().for_each(|word| word.is_read = true);
        Ok(())
    }

    /// Memories with the sum of what stands in them, as if all were short; best first, the newest among equals.
    fn ranked(&self, pick: impl Fn(Number) -> bool) -> Vec<(Number, f64)> {
        let mut ranked: Vec<(Number, f64)> = Vec::new();
        for of_one in self.standings.chunk_by(|a, b| a.number == b.number) {
            if pick(of_one[0].number) {
                ranked.push((of_one[0].number, self.score(of_one, 0)));
            }
        }
        sort(&mut ranked);
        ranked
    }

    fn score(&self, standings: &[Standing], length: u32) -> f64 {
        let one = |standing: &Standing| {
            self.words[standing.word].rarity * Standing::fullness(f64::from(standing.count), length)
        };
        standings.iter().map(one).sum()
    }
}

/// How often a word stands in a memory. A tag or a speaker counts like a word of the content; another way to write a
/// word does not count again.
fn count(of_one: &[Posting]) -> u32 {
    let written = of_one.iter().filter(|posting| posting.column != Column::Parts);
    written.map(|posting| posting.count).sum::<u32>().max(1)
}

fn sort(ranked: &mut [(Number, f64)]) {
    ranked.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(b.0.cmp(&a.0)));
}

/// A search under one filter.
struct Search<'a> {
    reader: &'a Connection,
    condition: Condition,
    most: usize,
}

impl Search<'_> {
    /// The memories that the words fit best, best first.
    ///
    /// Lengths are read only for what ranks high when all memories are taken to be short.
    fn best(&self, words: &Words, pick: impl Fn(Number) -> bool) -> Result<Vec<Number>, StoreError> {
        let ranked = words.ranked(pick);
        let passed = self.first_passing(&ranked, self.most.saturating_mul(2))?;
        let places = places(self.reader, passed.iter().copied())?;
        let length = |number: Number| places.get(&number).map_or(0, |place| place.length);
        let scored = passed.iter().map(|&number| (number, words.score(words.of(number), length(number))));
        let mut scored: Vec<(Number, f64)> = scored.collect();
        sort(&mut scored);
        scored.truncate(self.most);
        Ok(scored.into_iter().map(|(number, _)| number).collect())
    }

    /// Adds what the common words find beyond what was found, after it.
    ///
    /// When few memories pass, their own words are read. Else the newest postings are read and checked first, which is
    /// enough unless the filter is selective; only then is it worth to find out all that passes.
    fn add_common(
        &self,
        words: &mut Words,
        common: Range<usize>,
        found: &mut Vec<Number>,
        enough: usize,
    ) -> Result<(), StoreError> {
        let few = first_allowed(self.reader, &self.condition, FEW_ALLOWED + 1)?;
        if few.len() <= FEW_ALLOWED {
            words.read_texts(self.reader, &few)?;
            *found = self.best(words, |number| few.binary_search(&number).is_ok())?;
            return Ok(());
        }
        self.add_steps(words, common.clone(), None, found, enough)?;
        let was_cut = words.words[common.clone()].iter().any(|word| word.memories > COMMON_POSTINGS_MAX as u64);
        if found.len() < enough && was_cut {
            let allowed = allowed(self.reader, &self.condition)?;
            self.add_steps(words, common, Some(&allowed), found, enough)?;
        }
        Ok(())
    }

    fn add_steps(
        &self,
        words: &mut Words,
        common: Range<usize>,
        allowed: Option<&[Number]>,
        found: &mut Vec<Number>,
        enough: usize,
    ) -> Result<(), StoreError> {
        let most = if allowed.is_some() { usize::MAX } else { COMMON_POSTINGS_MAX };
        for start in common.clone().step_by(COMMON_WORDS_AT_A_TIME) {
            if found.len() >= enough {
                break;
            }
            words.read(self.reader, start..common.end.min(start + COMMON_WORDS_AT_A_TIME), most, allowed)?;
            let known: HashSet<Number> = found.iter().copied().collect();
            found.extend(self.best(words, |number| !known.contains(&number))?);
            found.truncate(self.most);
        }
        Ok(())
    }

    /// The first of `ranked` that the ground holds and the condition lets pass, in growing steps: most often the first
    /// step is enough, and asking for each memory while it is scored costs as much as scoring.
    fn first_passing(&self, ranked: &[(Number, f64)], most: usize) -> Result<Vec<Number>, StoreError> {
        let mut passed = Vec::new();
        let mut start = 0;
        let mut step = most.saturating_mul(2).clamp(32, 4_096);
        while start < ranked.len() && passed.len() < most {
            let part = &ranked[start..ranked.len().min(start + step)];
            let passing = passing(self.reader, part.iter().map(|(number, _)| *number), &self.condition)?;
            let kept = part.iter().map(|(number, _)| *number).filter(|number| passing.binary_search(number).is_ok());
            passed.extend(kept);
            start += part.len();
            step = (step * 4).min(4_096);
        }
        passed.truncate(most);
        Ok(passed)
    }
}

/// Those of `numbers` that the ground holds and the condition lets pass, in ascending order.
///
/// # Errors
/// Those of the database.
pub fn passing(
    reader: &Connection,
    numbers: impl Iterator<Item = Number>,
    condition: &Condition,
) -> Result<Vec<Number>, StoreError> {
    let listed: Vec<String> = numbers.map(|number| number.to_string()).collect();
    let list = format!("[{}]", listed.join(","));
    let sql = format!(
        "SELECT m.number FROM json_each(?) j CROSS JOIN main.memory m ON m.number = j.value WHERE {}",
        condition.sql
    );
    let values = std::iter::once(Value::Text(list)).chain(condition.values.iter().cloned());
    let mut statement = reader.prepare_cached(&sql)?;
    let mut passing: Vec<Number> =
        statement.query_map(params_from_iter(values), |row| row.get(0))?.collect::<Result<_, _>>()?;
    passing.sort_unstable();
    Ok(passing)
}

/// Every memory that the condition lets pass, in ascending order. Costs a scan unless an index serves the condition.
///
/// # Errors
/// Those of the database.
pub fn allowed(reader: &Connection, condition: &Condition) -> Result<Vec<Number>, StoreError> {
    first_allowed(reader, condition, usize::MAX)
}

/// As [`allowed`], but no more than `most`, whichever come first.
fn first_allowed(reader: &Connection, condition: &Condition, most: usize) -> Result<Vec<Number>, StoreError> {
    let sql = format!("SELECT m.number FROM main.memory m WHERE {} LIMIT ?", condition.sql);
    let mut statement = reader.prepare_cached(&sql)?;
    let most = Value::Integer(i64::try_from(most).unwrap_or(i64::MAX));
    let values = condition.values.iter().chain(std::iter::once(&most));
    let numbers = statement.query_map(params_from_iter(values), |row| row.get(0))?;
    let mut allowed: Vec<Number> = numbers.collect::<Result<_, _>>()?;
    allowed.sort_unstable();
    Ok(allowed)
}
