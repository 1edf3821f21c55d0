//! From the user's words to expressions that FTS5 reads, whatever those words are.

use std::collections::HashSet;

/// Terms of a query beyond this many are not looked at: a page pasted into a query stays a query.
pub const TERMS_MAX: usize = 64;

/// Bytes of a query that are read.
const QUERY_BYTES_MAX: usize = 64 << 10;

/// Words within one quoted phrase.
const PHRASE_WORDS_MAX: usize = 32;

/// A longer word is no word that somebody asks for, and FTS5 would carry it through every comparison.
const WORD_BYTES_MAX: usize = 512;

/// English function words. They say how a sentence is built and not what it is about, so that a question would
/// otherwise find every other question.
const STOP_WORDS: &[&str] = &[
    "a", "about", "am", "an", "and", "any", "are", "as", "at", "be", "been", "being", "but", "by", "can", "could", "d",
    "did", "do", "does", "doing", "for", "from", "had", "has", "have", "having", "he", "her", "hers", "him", "his",
    "how", "i", "if", "in", "into", "is", "it", "its", "just", "ll", "m", "may", "me", "might", "must", "my", "of",
    "on", "or", "our", "ours", "re", "s", "shall", "she", "should", "so", "some", "such", "t", "than", "that", "the",
    "their", "theirs", "them", "then", "there", "these", "they", "this", "those", "to", "us", "ve", "was", "we",
    "were", "what", "when", "where", "which", "while", "who", "whom", "whose", "why", "will", "with", "would", "you",
    "your", "yours",
];

/// One thing to look for: a word, or a phrase that must stand as written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Term {
    words: String,
}

impl Term {
    /// The word, or the words of the phrase with single spaces between, in lower case.
    pub fn text(&self) -> &str {
        &self.words
    }

    /// The term as an FTS5 string. It holds letters, digits and spaces only, so nothing in it can end the string.
    pub fn expression(&self) -> String {
        format!("\"{}\"", self.words)
    }
}

/// Joins terms into an expression that any of them satisfies.
pub fn any_of(terms: &[Term]) -> String {
    let expressions: Vec<String> = terms.iter().map(Term::expression).collect();
    expressions.join(" OR ")
}

/// Reads the terms of a query: distinct, in the order written, at most [`TERMS_MAX`].
///
/// Text in double quotes is a phrase; a quote without its partner is ignored. Function words are left out unless
/// the query has nothing else.
pub fn parse(query: &str) -> Vec<Term> {
    let mut reader = Reader::default();
    let mut rest = bounded(query);
    while let Some((before, quoted, after)) = split_at_quotes(rest) {
        reader.add_words(before);
        reader.add_phrase(quoted);
        rest = after;
    }
    reader.add_words(rest);
    reader.finish()
}

fn bounded(query: &str) -> &str {
    let mut end = query.len().min(QUERY_BYTES_MAX);
    while !query.is_char_boundary(end) {
        end -= 1;
    }
    &query[..end]
}

/// Splits at the first pair of double quotes: what stands before, between and after.
fn split_at_quotes(text: &str) -> Option<(&str, &str, &str)> {
    let is_quote = |letter: char| matches!(letter, '"' | '\u{201c}' | '\u{201d}' | '\u{201e}');
    let (open, quote) = text.char_indices().find(|(_, letter)| is_quote(*letter))?;
    let inner = &text[open + quote.len_utf8()..];
    let (close, partner) = inner.char_indices().find(|(_, letter)| is_quote(*letter))?;
    Some((&text[..open], &inner[..close], &inner[close + partner.len_utf8()..]))
}

/// Splits roughly as the index's tokenizer does. Where the two differ, FTS5 splits once more and reads a phrase.
fn words_of(text: &str) -> impl Iterator<Item = String> {
    text.split(|letter: char| !(letter.is_alphanumeric() || is_combining(letter)))
        .filter(|word| !word.is_empty() && word.len() <= WORD_BYTES_MAX)
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .map(str::to_lowercase)
}

/// Accents written as letters of their own belong to the word they stand in.
fn is_combining(letter: char) -> bool {
    matches!(letter, '\u{300}'..='\u{36f}')
}

#[derive(Default)]
struct Reader {
    seen: HashSet<String>,
    telling: Vec<Term>,
    function_words: Vec<Term>,
}

impl Reader {
    fn add_words(&mut self, text: &str) {
        for word in words_of(text) {
            if self.telling.len() >= TERMS_MAX {
                return;
            }
            self.add(word);
        }
    }

    fn add_phrase(&mut self, text: &str) {
        let words: Vec<String> = words_of(text).take(PHRASE_WORDS_MAX).collect();
        if !words.is_empty() && self.telling.len() < TERMS_MAX {
            self.add(words.join(" "));
        }
    }

    fn add(&mut self, words: String) {
        if !self.seen.insert(words.clone()) {
            return;
        }
        if STOP_WORDS.binary_search(&words.as_str()).is_err() {
            self.telling.push(Term { words });
        } else {
            self.function_words.push(Term { words });
        }
    }

    fn finish(self) -> Vec<Term> {
        let mut terms = if self.telling.is_empty() { self.function_words } else { self.telling };
        terms.truncate(TERMS_MAX);
        terms
    }
}
