//! Putting the scores of words and vectors together.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::Number;
use crate::error::StoreError;

/// What a recall goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Words and meaning, half and half.
    #[default]
    Hybrid,
    /// Words alone.
    Text,
    /// Meaning alone.
    Vector,
}

impl Mode {
    /// The name that [`Mode::from_str`] reads.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hybrid => "hybrid",
            Self::Text => "text",
            Self::Vector => "vector",
        }
    }

    /// The part of the words; the rest is the part of the vectors.
    fn text_share(self) -> f64 {
        match self {
            Self::Hybrid => 0.5,
            Self::Text => 1.0,
            Self::Vector => 0.0,
        }
    }
}

impl FromStr for Mode {
    type Err = StoreError;

    fn from_str(name: &str) -> Result<Self, StoreError> {
        [Self::Hybrid, Self::Text, Self::Vector]
            .into_iter()
            .find(|mode| mode.name() == name)
            .ok_or_else(|| StoreError::Invalid(format!("{name:?} is no mode of recall: choose hybrid, text or vector")))
    }
}

/// One memory with the parts of its score, so that it can be told why it was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fused {
    /// Which memory.
    pub number: Number,
    /// From 0 to 1.
    pub score: f64,
    /// The part of the words before it was weighed, from 0 to 1; `None` when no word of the query fits.
    pub text: Option<f64>,
    /// The part of the vectors before it was weighed, from 0 to 1; `None` when the memory has no vector.
    pub vector: Option<f64>,
    /// The cosine between query and memory, from -1 to 1.
    pub cosine: Option<f64>,
}

/// Fuses the scores of two searches; best first, the newest among equals, at most `k`.
///
/// Each list is brought to 0..1 between its least and its greatest score. For words the least score is 0, that of
/// memories which hold none of them, so that the worst of many good hits is not taken for nothing. Candidates whose
/// cosine is known should be given with it even when the words alone found them. A list the mode does not go by is
/// not looked at.
pub fn fuse(mode: Mode, text: &[(Number, f64)], cosines: &[(Number, f64)], k: usize) -> Vec<Fused> {
    // Without a single vector the words are all there is; half a score would only look like a doubt.
    let mode = if mode == Mode::Hybrid && cosines.is_empty() { Mode::Text } else { mode };
    let share = mode.text_share();
    let mut all: BTreeMap<Number, Fused> = BTreeMap::new();
    if share > 0.0 {
        let best = text.iter().map(|(_, score)| *score).fold(0.0, f64::max);
        for &(number, score) in text {
            entry(&mut all, number).text = Some(between(score, 0.0, best));
        }
    }
    if share < 1.0 {
        let least = cosines.iter().map(|(_, cosine)| *cosine).fold(f64::INFINITY, f64::min);
        let best = cosines.iter().map(|(_, cosine)| *cosine).fold(f64::NEG_INFINITY, f64::max);
        for &(number, cosine) in cosines {
            let fused = entry(&mut all, number);
            fused.vector = Some(between(cosine, least, best));
            fused.cosine = Some(cosine);
        }
    }
    ranked(all, share, k)
}

fn entry(all: &mut BTreeMap<Number, Fused>, number: Number) -> &mut Fused {
    all.entry(number).or_insert(Fused { number, score: 0.0, text: None, vector: None, cosine: None })
}

fn between(score: f64, least: f64, best: f64) -> f64 {
    if best > least { ((score - least) / (best - least)).clamp(0.0, 1.0) } else { 1.0 }
}

fn ranked(all: BTreeMap<Number, Fused>, text_share: f64, k: usize) -> Vec<Fused> {
    let mut ranked: Vec<Fused> = all.into_values().collect();
    for fused in &mut ranked {
        let text = fused.text.unwrap_or(0.0);
        let vector = fused.vector.unwrap_or(0.0);
        fused.score = text_share * text + (1.0 - text_share) * vector;
    }
    ranked.sort_by(|a, b| b.score.total_cmp(&a.score).then(b.number.cmp(&a.number)));
    ranked.truncate(k);
    ranked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hybrid_is_half_words_and_half_vectors() {
        let fused = fuse(Mode::Hybrid, &[(1, 8.0), (2, 4.0)], &[(1, 0.1), (2, 0.9), (3, 0.5)], 10);
        let scores: Vec<(Number, f64)> = fused.iter().map(|hit| (hit.number, hit.score)).collect();
        assert_eq!(scores, vec![(2, 0.75), (1, 0.5), (3, 0.25)]);
    }

    #[test]
    fn parts_are_kept_so_that_it_can_be_told_why() {
        let fused = fuse(Mode::Hybrid, &[(1, 8.0)], &[(2, 0.25)], 1);
        let expected = Fused { number: 2, score: 0.5, text: None, vector: Some(1.0), cosine: Some(0.25) };
        assert_eq!(fused, vec![expected]);
    }

    #[test]
    fn text_mode_does_not_look_at_vectors() {
        let fused = fuse(Mode::Text, &[(1, 2.0)], &[(2, 0.9)], 10);
        assert_eq!(fused.iter().map(|hit| (hit.number, hit.score)).collect::<Vec<_>>(), vec![(1, 1.0)]);
    }

    #[test]
    fn vector_mode_does_not_look_at_words() {
        let fused = fuse(Mode::Vector, &[(1, 2.0)], &[(2, 0.9), (3, -0.1)], 10);
        assert_eq!(fused.iter().map(|hit| hit.number).collect::<Vec<_>>(), vec![2, 3]);
    }

    #[test]
    fn nothing_found_fuses_to_nothing() {
        assert_eq!(fuse(Mode::Hybrid, &[], &[], 10), vec![]);
    }

    #[test]
    fn names_of_modes_are_read_back() {
        for mode in [Mode::Hybrid, Mode::Text, Mode::Vector] {
            assert_eq!(mode.name().parse::<Mode>().ok(), Some(mode));
        }
        assert!("fuzzy".parse::<Mode>().is_err());
    }
}
