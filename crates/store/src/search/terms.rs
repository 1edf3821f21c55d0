//! From a memory's text to the terms that the index holds of it.

use std::collections::HashMap;

use super::letters::fold;
use super::stem::{self, Language, LanguageCount, Languages, Origin};
use super::words::{Hold, Kind, Piece, grams, pieces};

/// Words of more parts than this are addresses, whose parts written as one nobody asks for.
const JOINED_PARTS_MAX: usize = 4;

/// The terms of a memory. They hold no space and nothing that FTS5 would split at, and stand with single spaces
/// between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexedText {
    /// Of the content, in its order, so that phrases are found.
    pub content: String,
    /// Of tags and speaker.
    pub labels: String,
    /// Of the time at which it happened.
    pub dates: String,
    /// Other ways to write the words of content and labels: the parts of `userName`, and `email` for `e-mail`.
    pub parts: String,
}

/// What the index keeps of a memory's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Analysis {
    pub text: IndexedText,
    /// Terms of the content without function words.
    pub length: u32,
    pub language: Language,
}

/// Words whose terms are remembered while memories are read, some 100 bytes each.
const REMEMBERED_MAX: usize = 32_768;

/// Reads the words of memories, and remembers those it has met: most words of a text are common ones.
#[derive(Default)]
pub(super) struct Analyser {
    places: HashMap<String, usize>,
    met: Vec<Met>,
}

/// A word with what is known of it.
struct Met {
    origin: Origin,
    /// The term that it has in this language.
    term: String,
    language: Language,
}

impl Analyser {
    /// Reads the words of one memory; `dates` are ready-made terms.
    pub(super) fn analyse(&mut self, content: &str, labels: &str, dates: String) -> Analysis {
        let (content, labels) = (pieces(content), pieces(labels));
        let mut count = LanguageCount::default();
        for piece in content.iter().filter(|piece| piece.kind == Kind::Word) {
            count.add(&self.meet(&piece.text).origin);
        }
        let language = count.most(Languages::ALL);
        let (mut content_terms, mut label_terms) = (Terms::default(), Terms::default());
        let length = content.iter().map(|piece| self.add_piece(&mut content_terms, piece, language)).sum();
        for piece in &labels {
            self.add_piece(&mut label_terms, piece, language);
        }
        let parts = parts(&content, &labels, language);
        let text = IndexedText { content: content_terms.0, labels: label_terms.0, dates, parts };
        Analysis { text, length, language }
    }

    fn meet(&mut self, word: &str) -> &mut Met {
        if let Some(&place) = self.places.get(word) {
            return &mut self.met[place];
        }
        if self.met.len() >= REMEMBERED_MAX {
            self.places.clear();
            self.met.clear();
        }
        let (place, language) = (self.met.len(), Language::ENGLISH);
        self.places.insert(word.to_owned(), place);
        self.met.push(Met { origin: Origin::of(word), term: stem::term(word, language), language });
        &mut self.met[place]
    }

    /// Returns how many terms it added that are no function words.
    fn add_piece(&mut self, terms: &mut Terms, piece: &Piece, language: Language) -> u32 {
        match piece.kind {
            Kind::Word => {
                let met = self.meet(&piece.text);
                if met.language != language {
                    (met.language, met.term) = (language, stem::term(&piece.text, language));
                }
                let added = terms.add(&met.term);
                if met.origin.is_function_word_of(language) { 0 } else { added }
            }
            Kind::Run(size) => grams(&fold(&piece.text), size).map(|gram| terms.add(gram)).sum(),
            Kind::Picture => terms.add(&piece.text),
        }
    }
}

/// Whether a text ends in a question; a remark in brackets after it does not count.
pub(super) fn asks(content: &str) -> bool {
    let mut rest = content.trim_end();
    while rest.ends_with([']', ')']) {
        let Some(open) = rest.rfind(if rest.ends_with(']') { '[' } else { '(' }) else { break };
        rest = rest[..open].trim_end();
    }
    rest.trim_end_matches(['"', '\'', '”', '’', '»', '!', '*']).ends_with(['?', '？', '؟', '՞', ';'])
}

/// Terms with spaces between them.
#[derive(Default)]
struct Terms(String);

impl Terms {
    fn add(&mut self, term: &str) -> u32 {
        if term.is_empty() {
            return 0;
        }
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        self.0.push_str(term);
        1
    }
}

fn parts(content: &[Piece], labels: &[Piece], language: Language) -> String {
    let mut terms = Terms::default();
    for hump in content.iter().chain(labels).flat_map(|piece| &piece.humps) {
        terms.add(&stem::term(hump, language));
    }
    let is_joined = |_: &Piece, next: &Piece| next.hold == Hold::Joined;
    for compound in content.chunk_by(is_joined).chain(labels.chunk_by(is_joined)) {
        if let Some(joined) = joined(compound) {
            terms.add(&stem::term(&joined, language));
        }
    }
    terms.0
}

/// Words with hyphens between them, written as one.
pub(super) fn joined(compound: &[Piece]) -> Option<String> {
    let joins = (2..=JOINED_PARTS_MAX).contains(&compound.len());
    joins.then(|| compound.iter().map(|piece| piece.text.as_str()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn analysed(content: &str) -> (String, String) {
        let text = Analyser::default().analyse(content, "", String::new()).text;
        (text.content, text.parts)
    }

    fn content(text: &str) -> String {
        analysed(text).0
    }

    #[test]
    fn words_lose_case_accents_and_endings() {
        assert_eq!(content("She ordered CAFÉ crèmes, while running!"), "she order cafe creme while run");
        assert_eq!(content("Anna's friends don't; ＡＢＣ ﬁt"), "anna friend dont abc fit");
        assert_eq!(content("l\u{ad}on\u{200d}g cafe\u{301}"), "long cafe");
    }

    #[test]
    fn scripts_without_spaces_become_overlapping_pieces() {
        assert_eq!(content("漢字変換"), "漢字 字変 変換 換");
        assert_eq!(content("東京でlunch"), "東京 京で で lunch");
        assert_eq!(content("한국어 공부"), "한국 국어 어 공부 부");
        assert_eq!(content("ไทย"), "ไทย ทย ย");
    }

    #[test]
    fn young_scripts_pictures_and_flags_are_found() {
        assert_eq!(content("𞤀𞤣𞤤𞤢𞤥"), "𞤢𞤣𞤤𞤢𞤥");
        assert_eq!(content("good👍🏽 job🎉🇩🇪"), "good 👍 job 🎉 🇩🇪");
    }

    #[test]
    fn identifiers_are_found_whole_and_by_their_parts() {
        assert_eq!(analysed("getUserName"), ("getusernam".to_owned(), "get user name".to_owned()));
        assert_eq!(analysed("gpt4 GPT-4"), ("gpt4 gpt 4".to_owned(), "gpt 4 gpt4".to_owned()));
        assert_eq!(analysed("snake_case"), ("snake case".to_owned(), "snakecas".to_owned()));
        assert_eq!(analysed("C++ C# F"), ("cplusplus csharp f".to_owned(), String::new()));
        assert_eq!(analysed("1,000 2023-05-07"), ("1 000 2023 05 07".to_owned(), "1000 20230507".to_owned()));
        assert_eq!(analysed("anna@example.com"), ("anna exampl com".to_owned(), "examplecom".to_owned()));
    }

    #[test]
    fn a_text_that_ends_in_a_question_asks() {
        assert!(
            asks("Fine. And you?") && asks("Is it \"here?\" ") && asks("どこですか？") && asks("See? [a map] (old)?!")
        );
        assert!(asks("Which one? [a photo of two boats]"));
        assert!(!asks("Why? Because.") && !asks("") && !asks("[?]") && !asks("a)"));
    }

    #[test]
    fn function_words_do_not_count() {
        assert_eq!(Analyser::default().analyse("what is the name of my dog", "", String::new()).length, 2);
    }
}
