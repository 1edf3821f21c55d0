//! Cutting a long text into passages, each short enough to be embedded by itself.
//!
//! A model reads the beginning of a text only, and one vector of a long text is near to nothing in particular.

use std::cmp::Reverse;

/// The greatest size of a passage, in characters. Where one character stands for a syllable or a word it counts as
/// [`WIDE_SIZE`]: models read so many tokens, not characters.
const SIZE_MAX: usize = 800;

/// What a character of a script without letters counts.
const WIDE_SIZE: usize = 3;

/// A memory has at most so many passages; of a longer text, passages spread evenly over it are kept.
pub const PASSAGES_MAX: usize = 32;

/// Where a text can be cut, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Bound {
    /// Inside a word.
    Character,
    Word,
    Line,
    Sentence,
    Paragraph,
}

/// The passages of `text`, in its order: at least one, at most [`PASSAGES_MAX`], of about equal size, cut at
/// paragraphs, sentences, lines or words, whichever is the best that is near. A short text is one passage, unchanged.
///
/// ```
/// use chrysalis_store::search::passages::passages;
///
/// assert_eq!(passages("A short text."), ["A short text."]);
/// let long = "One sentence after another. ".repeat(50);
/// assert!(passages(&long).iter().all(|passage| passage.ends_with("another.") && passage.len() <= 800));
/// ```
pub fn passages(text: &str) -> Vec<&str> {
    let mut size_left: usize = text.chars().map(size_of).sum();
    let mut passages = Vec::new();
    let mut rest = text;
    while size_left > SIZE_MAX {
        let pieces = size_left.div_ceil(SIZE_MAX);
        let cut = cut(rest, size_left.div_ceil(pieces));
        let (passage, after) = rest.split_at(cut);
        passages.push(passage.trim());
        size_left -= passage.chars().map(size_of).sum::<usize>();
        rest = after;
    }
    if passages.is_empty() {
        return vec![text];
    }
    passages.push(rest.trim());
    passages.retain(|passage| !passage.is_empty());
    if passages.is_empty() { vec![text] } else { spread(&passages) }
}

/// Of too many passages those that stand at even distances, with the first and the last.
fn spread<'text>(passages: &[&'text str]) -> Vec<&'text str> {
    let kept = passages.len().min(PASSAGES_MAX);
    let last = passages.len() - 1;
    (0..kept).map(|at| passages[if kept == 1 { 0 } else { at * last / (kept - 1) }]).collect()
}

/// Where to end the first passage of a text that is larger than one: at the best bound between half of `ideal` and
/// the greatest size, and of equal ones the nearest to `ideal`.
fn cut(text: &str, ideal: usize) -> usize {
    let mut best: Option<((Bound, Reverse<usize>), usize)> = None;
    let mut size = 0;
    let mut before = Before::default();
    for (at, character) in text.char_indices() {
        if size > SIZE_MAX - WIDE_SIZE && best.is_some() && size + size_of(character) > SIZE_MAX {
            break;
        }
        if size >= ideal.div_ceil(2)
            && let Some(bound) = before.bound(character)
        {
            let rank = (bound, Reverse(size.abs_diff(ideal)));
            if best.is_none_or(|(known, _)| rank > known) {
                best = Some((rank, at));
            }
        }
        size += size_of(character);
        before.read(character);
    }
    best.map_or(text.len(), |(_, at)| at)
}

/// What stands before a place in the text.
#[derive(Default)]
struct Before {
    last: Option<char>,
    last_solid: Option<char>,
    lines_ended: usize,
}

impl Before {
    fn read(&mut self, character: char) {
        self.last = Some(character);
        if character == '\n' {
            self.lines_ended += 1;
        } else if !character.is_whitespace() {
            self.last_solid = Some(character);
            self.lines_ended = 0;
        }
    }

    /// The kind of bound before `next`; none where a cut would split a character as it is read.
    fn bound(&self, next: char) -> Option<Bound> {
        let (last, solid) = (self.last?, self.last_solid.unwrap_or(' '));
        if next.is_whitespace() || clings(next) || last == '\u{200d}' {
            return None;
        }
        let spaced = last.is_whitespace();
        Some(match () {
            () if self.lines_ended >= 2 => Bound::Paragraph,
            () if ends_wide_sentence(solid) || (spaced && ".!?…".contains(solid)) => Bound::Sentence,
            () if self.lines_ended == 1 => Bound::Line,
            () if spaced || "、，；：".contains(last) => Bound::Word,
            () => Bound::Character,
        })
    }
}

fn ends_wide_sentence(character: char) -> bool {
    "。！？｡".contains(character)
}

/// Marks that are drawn onto the character before them.
fn clings(character: char) -> bool {
    matches!(character, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{200d}' | '\u{20d0}'..='\u{20ff}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{fe20}'..='\u{fe2f}' | '\u{1f3fb}'..='\u{1f3ff}')
}

fn size_of(character: char) -> usize {
    let wide = matches!(character, '\u{1100}'..='\u{11ff}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7af}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}');
    if wide { WIDE_SIZE } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(passages: &[&str]) -> Vec<usize> {
        passages.iter().map(|passage| passage.chars().map(size_of).sum()).collect()
    }

    #[test]
    fn a_short_text_is_one_passage_unchanged() {
        for text in ["", " ", "one", "  spaced  ", &"x".repeat(SIZE_MAX)] {
            assert_eq!(passages(text), [text]);
        }
    }

    #[test]
    fn a_long_text_is_cut_at_paragraphs_before_sentences_before_words() {
        let sentence = "Some words that make a sentence. ";
        let paragraphs = format!("{}\n\n{}", sentence.repeat(14).trim(), sentence.repeat(20).trim());
        let cut = passages(&paragraphs);
        assert_eq!(cut, [sentence.repeat(14).trim(), sentence.repeat(20).trim()]);
        assert!(passages(&sentence.repeat(60)).iter().all(|passage| passage.ends_with("sentence.")));
        let words = "word ".repeat(500);
        assert!(passages(&words).iter().all(|passage| passage.split(' ').all(|word| word == "word")));
    }

    #[test]
    fn passages_are_of_about_equal_size() {
        let sizes = sizes(&passages(&"word ".repeat(170)));
        assert_eq!(sizes.len(), 2);
        assert!(sizes[0].abs_diff(sizes[1]) <= 10, "{sizes:?}");
    }

    #[test]
    fn code_is_cut_between_lines() {
        let code = "    let value = compute(first, second)\n".repeat(60);
        let cut = passages(&code);
        assert!(cut.len() > 2 && cut.iter().all(|passage| passage.starts_with("let") && passage.ends_with(')')));
    }

    #[test]
    fn one_giant_word_is_cut_anyway_but_not_inside_a_drawn_character() {
        let word = "e\u{301}".repeat(1_500);
        let cut = passages(&word);
        assert_eq!(cut.concat(), word);
        assert!(cut.iter().all(|passage| passage.starts_with('e') && passage.ends_with('\u{301}')));
    }

    #[test]
    fn text_without_spaces_is_cut_after_its_own_full_stops_and_sooner() {
        let text = "山の上に古い寺がある。".repeat(100);
        let cut = passages(&text);
        assert_eq!(cut.concat(), text);
        assert!(cut.iter().all(|passage| passage.ends_with('。')));
        assert!(sizes(&cut).iter().all(|size| *size <= SIZE_MAX));
    }

    #[test]
    fn marks_without_end_are_one_passage() {
        let marks = format!("a{}", "\u{301}".repeat(5_000));
        assert_eq!(passages(&marks), [marks.as_str()]);
        assert_eq!(passages(&" ".repeat(3_000)).len(), 1);
    }

    #[test]
    fn of_a_very_long_text_even_parts_are_kept_with_beginning_and_end() {
        let text: String = (0..20_000).map(|at| format!("word{at} ")).collect();
        let cut = passages(&text);
        assert_eq!(cut.len(), PASSAGES_MAX);
        assert!(cut[0].starts_with("word0 ") && cut[PASSAGES_MAX - 1].ends_with("word19999"));
    }

    #[test]
    fn nothing_is_lost_and_no_passage_is_too_large_whatever_is_written() {
        let alphabet = ['a', 'b', ' ', '.', '\n', '語', '。', 'é', '🙂', '!'];
        let mut seed = 9_u64;
        for length in [801, 900, 1_600, 2_401, 5_000] {
            let text: String = (0..length)
                .map(|_| {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    alphabet[(seed >> 33) as usize % alphabet.len()]
                })
                .collect();
            let cut = passages(&text);
            let solid = |text: &str| text.chars().filter(|letter| !letter.is_whitespace()).collect::<String>();
            assert_eq!(solid(&cut.concat()), solid(&text));
            assert!(sizes(&cut).iter().all(|size| *size <= SIZE_MAX), "{:?}", sizes(&cut));
        }
    }
}
