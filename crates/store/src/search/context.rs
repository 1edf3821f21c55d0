//! What stands around the candidates of a recall: the memories before and after them, who said them, and when.

use std::collections::{BTreeSet, HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension};

use super::filter::Condition;
use super::fuse::Evidence;
use super::lookup::{Standing, Words, passing};
use super::place::{Neighbours, Place, neighbours, places, speaker_digest};
use super::when::{self, Expression, Interval};
use super::{Number, StoreMark};
use crate::error::StoreError;

/// How much a word counts that stands in the memory before, and in the one after.
const BEFORE: f64 = 0.4;
const AFTER: f64 = 0.3;

/// What a word of the memory before counts more if that memory asks something.
const BEFORE_ASKING: f64 = 0.4;

/// A word of time that fits the time of a memory counts as if it stood there so often.
const TIME_COUNT: f64 = 0.5;

/// Words of a name that are looked for in a question.
const NAME_WORDS_MAX: usize = 4;

/// What a question says of who and when.
pub struct Circumstances {
    speakers: HashSet<i64>,
    /// The times, each with the words that name it, as their places in [`Words::words`].
    times: Vec<(Expression, Vec<usize>)>,
}

impl Circumstances {
    /// Reads a question in which `times` were found.
    pub fn read(mark: StoreMark, question: &str, words: &Words, times: &[Expression]) -> Self {
        let spoken: Vec<&str> =
            question.split(|letter: char| !letter.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
        let mut speakers = HashSet::new();
        for length in 1..=NAME_WORDS_MAX {
            speakers.extend(spoken.windows(length).map(|name| speaker_digest(mark, &name.join(" "))));
        }
        let times = times.iter().map(|time| (time.clone(), words_of(time, words))).collect();
        Self { speakers, times }
    }

    /// Counts the words of a time as standing, to some degree, in a memory of that time.
    fn add_times(&self, (place, told): (&Place, &[Interval]), standing: &[Standing], fullness: &mut [Fullness]) {
        for (time, named) in &self.times {
            let fit = fit(time, place.at, told);
            for &word in named.iter().filter(|_| fit > 0.0) {
                let count = standing.iter().find(|standing| standing.word == word).map_or(0, |standing| standing.count);
                let standing = Standing::fullness(f64::from(count) + TIME_COUNT * fit, place.length);
                fullness[word].raise(standing, fit);
            }
        }
    }
}

/// How well one time of the question fits a memory, from 0 to 1.
fn fit(time: &Expression, at_ms: i64, told: &[Interval]) -> f64 {
    when::fit(std::slice::from_ref(time), at_ms, told)
}

fn words_of(time: &Expression, words: &Words) -> Vec<usize> {
    let named = time.words.to_lowercase();
    let named: HashSet<&str> = named.split(|letter: char| !letter.is_alphanumeric()).collect();
    let is_named = |(_, word): &(usize, &super::lookup::Word)| named.contains(&*word.asked.surface);
    words.words.iter().enumerate().filter(is_named).map(|(at, _)| at).collect()
}

/// The candidates of a recall with all that is known of what stands around them.
#[derive(Default)]
pub struct Context {
    /// The candidates and those of their neighbours that pass the filter.
    pub candidates: Vec<Number>,
    places: HashMap<Number, Place>,
    neighbours: HashMap<Number, Neighbours>,
    /// The times that candidates tell of.
    told: HashMap<Number, Vec<Interval>>,
}

impl Context {
    /// The candidates by themselves.
    ///
    /// # Errors
    /// Those of the database.
    pub fn alone(reader: &Connection, found: Vec<Number>) -> Result<Self, StoreError> {
        let places = places(reader, found.iter().copied())?;
        Ok(Self { candidates: found, places, ..Self::default() })
    }

    /// Looks around the candidates. A neighbour of one of the `leading` becomes a candidate too: it may be the answer to
    /// what that one asks.
    ///
    /// # Errors
    /// Those of the database.
    pub fn read(
        reader: &Connection,
        found: Vec<Number>,
        leading: &HashSet<Number>,
        condition: &Condition,
    ) -> Result<Self, StoreError> {
        let mut context = Self { candidates: found, ..Self::default() };
        context.look_around(reader, 0)?;
        let mut beside: HashSet<Number> = context.beside(|number| leading.contains(&number)).collect();
        for known in &context.candidates {
            beside.remove(known);
        }
        let start = context.candidates.len();
        context.candidates.extend(passing(reader, beside.into_iter(), condition)?);
        context.look_around(reader, start)?;
        let farther: HashSet<Number> =
            context.beside(|_| true).filter(|number| !context.places.contains_key(number)).collect();
        context.places.extend(places(reader, farther)?);
        Ok(context)
    }

    fn look_around(&mut self, reader: &Connection, start: usize) -> Result<(), StoreError> {
        let places = places(reader, self.candidates[start..].iter().copied())?;
        self.neighbours.extend(neighbours(reader, &places, 1)?);
        self.places.extend(places);
        Ok(())
    }

    fn beside(&self, of: impl Fn(Number) -> bool) -> impl Iterator<Item = Number> {
        let chosen = self.neighbours.iter().filter(move |(number, _)| of(**number));
        chosen.flat_map(|(_, beside)| beside.before.iter().chain(&beside.after)).copied()
    }

    /// Reads the times that the candidates tell of: "yesterday", said on 8 May, is 7 May.
    ///
    /// # Errors
    /// Those of the database.
    pub fn read_told(&mut self, reader: &Connection, offset_minutes: i32) -> Result<(), StoreError> {
        let mut statement = reader.prepare_cached("SELECT content FROM main.memory WHERE number = ?1")?;
        for &number in &self.candidates {
            let Some(place) = self.places.get(&number) else { continue };
            let content: Option<String> = statement.query_row([number], |row| row.get(0)).optional()?;
            let told = content.map(|content| when::mentioned(&content, place.at, offset_minutes));
            self.told.insert(number, told.unwrap_or_default());
        }
        Ok(())
    }

    fn told(&self, number: Number) -> &[Interval] {
        self.told.get(&number).map_or(&[], Vec::as_slice)
    }

    /// The times of the question that a candidate fits.
    pub fn fitting<'a>(
        &'a self,
        number: Number,
        circumstances: &'a Circumstances,
    ) -> impl Iterator<Item = &'a Expression> {
        let place = self.places.get(&number);
        let fits = move |time: &&Expression| place.is_some_and(|place| fit(time, place.at, self.told(number)) > 0.5);
        circumstances.times.iter().map(|(time, _)| time).filter(fits)
    }

    /// Takes up a memory as it was at another time than the index holds it.
    pub fn put(&mut self, number: Number, place: Place) {
        // Whoever the index could not find by these words has no place yet, or one only as a neighbour.
        if !self.neighbours.contains_key(&number) {
            self.candidates.retain(|candidate| *candidate != number);
            self.candidates.push(number);
        }
        self.places.insert(number, place);
    }

    /// The words of the question that stand in a memory, and those that stand only beside it.
    pub fn words_at(&self, number: Number, words: &Words) -> (Vec<String>, Vec<String>) {
        let own: BTreeSet<usize> = words.of(number).iter().map(|standing| standing.word).collect();
        let beside = [self.before(number), self.after(number)].into_iter().flatten();
        let beside: BTreeSet<usize> =
            beside.flat_map(|number| words.of(number)).map(|standing| standing.word).collect();
        (words.named(&own), words.named(&beside.difference(&own).copied().collect()))
    }

    fn before(&self, number: Number) -> Option<Number> {
        self.neighbours.get(&number).and_then(|beside| beside.before.first().copied())
    }

    fn after(&self, number: Number) -> Option<Number> {
        self.neighbours.get(&number).and_then(|beside| beside.after.first().copied())
    }

    /// What speaks for a candidate; its cosine is still to be set.
    pub fn evidence(&self, number: Number, words: &Words, circumstances: &Circumstances) -> Evidence {
        let place = self.places.get(&number);
        let spoken_by = place.and_then(|place| place.speaker);
        let fullness = self.fullness(number, words, circumstances);
        let pairs = || words.words.iter().zip(&fullness);
        Evidence {
            number,
            words: pairs().map(|(word, fullness)| word.rarity * fullness.standing).sum(),
            covered: pairs().map(|(word, fullness)| word.weight * fullness.presence).sum(),
            cosine: None,
            length: place.map_or(0, |place| place.length),
            speaker_named: spoken_by.is_some_and(|who| circumstances.speakers.contains(&who)),
            asks: place.is_some_and(|place| place.asks),
            before: self.before(number),
            thread: place.and_then(|place| place.thread),
        }
    }

    /// How fully each word of the question stands in a memory or, for less, beside it.
    fn fullness(&self, number: Number, words: &Words, circumstances: &Circumstances) -> Vec<Fullness> {
        let mut fullness = vec![Fullness::default(); words.words.len()];
        self.add(number, words, 1.0, &mut fullness);
        if let Some(place) = self.places.get(&number) {
            circumstances.add_times((place, self.told(number)), words.of(number), &mut fullness);
        }
        if let Some(before) = self.before(number) {
            let asks = self.places.get(&before).is_some_and(|place| place.asks);
            self.add(before, words, BEFORE + if asks { BEFORE_ASKING } else { 0.0 }, &mut fullness);
        }
        if let Some(after) = self.after(number) {
            self.add(after, words, AFTER, &mut fullness);
        }
        fullness
    }

    /// Takes for each word that stands in `number` the greater of what is known and what stands there.
    fn add(&self, number: Number, words: &Words, weight: f64, fullness: &mut [Fullness]) {
        let length = self.places.get(&number).map_or(0, |place| place.length);
        for standing in words.of(number) {
            let there = Standing::fullness(f64::from(standing.count), length);
            fullness[standing.word].raise(weight * there, weight);
        }
    }
}

/// How fully a word stands in a memory.
#[derive(Clone, Copy, Default)]
struct Fullness {
    /// For the order of memories: less in a long one, more where it stands often.
    standing: f64,
    /// For whether there is an answer at all: 1 where it stands.
    presence: f64,
}

impl Fullness {
    fn raise(&mut self, standing: f64, presence: f64) {
        self.standing = self.standing.max(standing);
        self.presence = self.presence.max(presence);
    }
}
