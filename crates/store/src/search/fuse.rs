//! Putting together what speaks for a memory: its words, its meaning, who said it, and what stands around it.
//!
//! The weights are one configuration for every kind of memory. Each was kept only because it helps, or does no harm,
//! on every kind of data it was measured on (`docs/recall.md`).

use std::collections::HashMap;

use super::Number;
use super::confidence::{confidence, generous};
use super::mode::Mode;

/// A memory of more words than this is long. Long memories hold more words and more passages, and so more chances to
/// fit by accident.
pub const LONG_TERMS: f64 = 30.0;

/// What a cosine loses for each e-fold of length beyond [`LONG_TERMS`].
const LONG_COSINE: f64 = 0.1;

/// The share of the rarity of a question's words that must stand in the best memory for words to count in full.
const WORDS_IN_FULL: f64 = 0.5;

/// For the speaker whom the question names.
const SPEAKER: f64 = 0.3;

/// For a memory that asks something itself: it seldom is the answer.
const ASKING: f64 = -0.1;

/// The share of a question's own score that the memory after it gets: it may be the answer.
const ANSWERING: f64 = 1.0 / 15.0;

/// The share of what the best in a thread has more that a memory of the thread gets. The best itself, and a memory in no
/// thread, get nothing, and need nothing.
const THREAD: f64 = 1.0 / 3.0;

/// What is known of one candidate.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Evidence {
    /// Which memory.
    pub number: Number,
    /// The rarity of the question's words that stand in it or beside it, each weighed by how fully it does.
    pub words: f64,
    /// The weight of the question's words that stand in it, or for less beside it, however long it is.
    pub covered: f64,
    /// Between question and memory, from -1 to 1; `None` when the memory has no vector.
    pub cosine: Option<f64>,
    /// How many words it has, function words not counted.
    pub length: u32,
    /// Whether the question names who said it.
    pub speaker_named: bool,
    /// Whether it asks something.
    pub asks: bool,
    /// The memory before it in its thread.
    pub before: Option<Number>,
    /// Its thread.
    pub thread: Option<i64>,
}

/// What each kind of evidence added to a score. The words of the best memory count 1, and so does the nearest meaning.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Parts {
    /// The words of the question.
    pub words: f64,
    /// The meaning.
    pub meaning: f64,
    /// Being said by whom the question names.
    pub speaker: f64,
    /// Asking something itself, which counts against it.
    pub asking: f64,
    /// Following a question that fits.
    pub answering: f64,
    /// Standing in a thread in which something fits.
    pub thread: f64,
}

impl Parts {
    /// The parts with their names, in the order in which they are told.
    pub fn named(&self) -> [(&'static str, f64); 6] {
        [
            ("words", self.words),
            ("meaning", self.meaning),
            ("speaker", self.speaker),
            ("asking", self.asking),
            ("answering", self.answering),
            ("thread", self.thread),
        ]
    }

    fn sum(&self) -> f64 {
        self.named().iter().map(|(_, part)| part).sum()
    }
}

/// One memory with the parts of its score, so that it can be told why it was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fused {
    /// Which memory.
    pub number: Number,
    /// From 0 to 1: how likely the best hit is an answer, times how near this one comes to the best.
    pub score: f64,
    /// How likely it is an answer by its own words and meaning, whatever else was found; from 0 to 1.
    pub likely: f64,
    /// What made the score.
    pub parts: Parts,
    /// The cosine between question and memory, from -1 to 1.
    pub cosine: Option<f64>,
}

/// What scores are measured by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// The weight of all words of the question together, found or not.
    pub weight: f64,
    /// The rarity of all words of the question together, found or not.
    pub rarity: f64,
    /// Whether the cosines are those of the model that the confidence was fitted to.
    pub is_fitted: bool,
}

impl Scale {
    fn confidence(&self, mode: Mode, covered: f64, cosine: Option<f64>) -> f64 {
        let coverage = if self.weight > 0.0 { covered / self.weight } else { 0.0 };
        confidence(mode, coverage, if self.is_fitted { cosine } else { cosine.map(generous) })
    }
}

/// Fuses what speaks for each candidate; best first, the newest among equals.
///
/// Words and meaning are each measured by the best among the candidates, words at least by half of what was asked for;
/// a memory that has no vector yet is taken to mean what its words say.
pub fn fuse(mode: Mode, candidates: &[Evidence], scale: Scale) -> Vec<Fused> {
    // Without a single vector the words are all there is.
    let has_vectors = candidates.iter().any(|candidate| candidate.cosine.is_some());
    let mode = if mode == Mode::Hybrid && !has_vectors { Mode::Text } else { mode };
    let of_one = |(candidate, parts): (&Evidence, Parts)| Fused {
        number: candidate.number,
        score: parts.sum(),
        likely: scale.confidence(mode, candidate.covered, candidate.cosine),
        parts,
        cosine: candidate.cosine,
    };
    let mut fused: Vec<Fused> = candidates.iter().zip(of_themselves(mode, candidates, scale)).map(of_one).collect();
    if mode != Mode::Vector {
        add_surroundings(candidates, &mut fused);
    }
    let best = fused.iter().map(|hit| hit.score).fold(0.0, f64::max);
    let covered = candidates.iter().map(|candidate| candidate.covered).fold(0.0, f64::max);
    let nearest = candidates.iter().filter_map(|candidate| candidate.cosine).reduce(f64::max);
    let likely = scale.confidence(mode, covered, nearest);
    for hit in &mut fused {
        hit.score = if best > 0.0 { likely * (hit.score / best).max(0.0) } else { 0.0 };
    }
    fused.sort_by(|a, b| b.score.total_cmp(&a.score).then(b.number.cmp(&a.number)));
    fused
}

/// A cosine, less what length alone brings.
fn meaning(candidate: &Evidence) -> Option<f64> {
    let excess = (f64::from(candidate.length) / LONG_TERMS).max(1.0).ln();
    candidate.cosine.map(|cosine| (cosine - LONG_COSINE * excess).max(0.0))
}

/// What each candidate is worth by itself.
fn of_themselves(mode: Mode, candidates: &[Evidence], scale: Scale) -> Vec<Parts> {
    // Where meaning speaks too, a few words that fit by chance must not count as much as all that were asked for.
    let least = if mode == Mode::Hybrid { WORDS_IN_FULL * scale.rarity } else { 0.0 };
    let most_words = candidates.iter().map(|candidate| candidate.words).fold(least, f64::max);
    // By meaning alone, the nearest is the best, however long.
    let meaning = |candidate: &Evidence| {
        if mode == Mode::Vector { candidate.cosine.map(|cosine| cosine.max(0.0)) } else { meaning(candidate) }
    };
    let most_meaning = candidates.iter().filter_map(meaning).fold(0.0, f64::max);
    let share = |part: f64, most: f64| if most > 0.0 { part / most } else { 0.0 };
    let parts = |candidate: &Evidence| {
        let words = share(candidate.words, most_words);
        let meaning = meaning(candidate).map(|part| share(part, most_meaning));
        match mode {
            Mode::Vector => Parts { meaning: meaning.unwrap_or(0.0), ..Parts::default() },
            Mode::Text => with_circumstances(Parts { words, ..Parts::default() }, candidate),
            Mode::Hybrid => {
                with_circumstances(Parts { words, meaning: meaning.unwrap_or(words), ..Parts::default() }, candidate)
            }
        }
    };
    candidates.iter().map(parts).collect()
}

fn with_circumstances(parts: Parts, candidate: &Evidence) -> Parts {
    Parts {
        speaker: if candidate.speaker_named { SPEAKER } else { 0.0 },
        asking: if candidate.asks { ASKING } else { 0.0 },
        ..parts
    }
}

/// Adds what neighbours and thread lend to each candidate.
fn add_surroundings(candidates: &[Evidence], fused: &mut [Fused]) {
    let mut of_number: HashMap<Number, (f64, bool)> = HashMap::new();
    let mut of_thread: HashMap<i64, f64> = HashMap::new();
    for (candidate, hit) in candidates.iter().zip(fused.iter()) {
        of_number.insert(candidate.number, (hit.score, candidate.asks));
        if let Some(thread) = candidate.thread {
            let best = of_thread.entry(thread).or_insert(0.0);
            *best = best.max(hit.score);
        }
    }
    for (candidate, hit) in candidates.iter().zip(fused.iter_mut()) {
        let before = candidate.before.and_then(|number| of_number.get(&number));
        hit.parts.answering = before.filter(|(_, asks)| *asks).map_or(0.0, |(score, _)| ANSWERING * score.max(0.0));
        let best = candidate.thread.and_then(|thread| of_thread.get(&thread)).copied();
        hit.parts.thread = THREAD * best.map_or(0.0, |best| best - hit.score);
        hit.score = hit.parts.sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(number: Number, words: f64, cosine: impl Into<Option<f64>>) -> Evidence {
        Evidence { number, words, covered: words, cosine: cosine.into(), ..Evidence::default() }
    }

    fn scale(asked: f64) -> Scale {
        Scale { weight: asked, rarity: asked, is_fitted: true }
    }

    fn numbers(mode: Mode, candidates: &[Evidence]) -> Vec<Number> {
        fuse(mode, candidates, scale(10.0)).into_iter().map(|hit| hit.number).collect()
    }

    #[test]
    fn words_and_meaning_count_the_same_each_measured_by_its_best() {
        let fused =
            fuse(Mode::Hybrid, &[candidate(1, 8.0, 0.2), candidate(2, 4.0, 0.4), candidate(3, 0.0, 0.4)], scale(8.0));
        let sums: Vec<(Number, f64)> = fused.iter().map(|hit| (hit.number, hit.parts.sum())).collect();
        assert_eq!(sums, vec![(2, 1.5), (1, 1.5), (3, 1.0)]);
    }

    #[test]
    fn a_score_is_the_confidence_times_how_near_a_hit_comes_to_the_best() {
        let fused = fuse(Mode::Text, &[candidate(1, 4.0, None), candidate(2, 1.0, None)], scale(4.0));
        assert_eq!(fused[0].score, confidence(Mode::Text, 1.0, None));
        assert_eq!(fused[1].score, fused[0].score / 4.0);
    }

    #[test]
    fn few_of_the_words_count_less_than_a_near_meaning() {
        let candidates = [candidate(1, 1.0, 0.3), candidate(2, 0.0, 0.6)];
        assert_eq!(numbers(Mode::Hybrid, &candidates), vec![2, 1]);
    }

    #[test]
    fn a_mode_does_not_look_at_what_it_does_not_go_by() {
        let candidates = [candidate(1, 2.0, 0.1), candidate(2, 1.0, 0.9)];
        assert_eq!(numbers(Mode::Text, &candidates), vec![1, 2]);
        assert_eq!(numbers(Mode::Vector, &candidates), vec![2, 1]);
    }

    #[test]
    fn a_memory_without_a_vector_is_taken_to_mean_what_its_words_say() {
        let candidates = [candidate(1, 10.0, None), candidate(2, 5.0, 0.4), candidate(3, 2.5, 0.8)];
        assert_eq!(numbers(Mode::Hybrid, &candidates), vec![1, 3, 2]);
    }

    #[test]
    fn a_long_memory_needs_a_nearer_passage() {
        let long = Evidence { length: 600, ..candidate(1, 0.0, 0.6) };
        assert_eq!(numbers(Mode::Hybrid, &[long, candidate(2, 0.0, 0.5)]), vec![2, 1]);
        assert_eq!(numbers(Mode::Vector, &[long, candidate(2, 0.0, 0.5)]), vec![1, 2]);
    }

    #[test]
    fn the_speaker_who_is_named_ranks_higher_and_who_asks_lower() {
        let named = Evidence { speaker_named: true, ..candidate(1, 1.0, None) };
        let asks = Evidence { asks: true, ..candidate(3, 1.0, None) };
        assert_eq!(numbers(Mode::Text, &[asks, candidate(2, 1.0, None), named]), vec![1, 2, 3]);
    }

    #[test]
    fn what_follows_a_question_that_fits_and_what_shares_its_thread_rank_higher() {
        let question = Evidence { asks: true, thread: Some(7), ..candidate(1, 4.0, None) };
        let answer = Evidence { before: Some(1), thread: Some(7), ..candidate(2, 1.0, None) };
        let beside = Evidence { thread: Some(7), ..candidate(3, 1.0, None) };
        let elsewhere = candidate(4, 1.0, None);
        assert_eq!(numbers(Mode::Text, &[elsewhere, beside, answer, question]), vec![1, 2, 3, 4]);
    }

    #[test]
    fn standing_in_a_thread_alone_is_no_merit() {
        let threaded = Evidence { thread: Some(7), ..candidate(1, 1.0, None) };
        assert_eq!(numbers(Mode::Text, &[threaded, candidate(2, 1.1, None)]), vec![2, 1]);
    }

    #[test]
    fn nothing_found_fuses_to_nothing() {
        assert_eq!(fuse(Mode::Hybrid, &[], scale(0.0)), vec![]);
    }
}
