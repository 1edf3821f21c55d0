//! From a memory's text to the terms that the index holds of it.

use super::letters::fold;
use super::stem::{self, Language, Languages};
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

/// Reads the words of a memory; `dates` are ready-made terms.
pub(super) fn analyse(content: &str, labels: &str, dates: String) -> Analysis {
    let read = pieces(content);
    let language = stem::language_of(&read, Languages::ALL);
    let mut terms = Terms::default();
    let mut length = 0;
    for piece in &read {
        let added = add_piece(&mut terms, piece, language);
        if !is_common(piece, language) {
            length += added;
        }
    }
    let labels = pieces(labels);
    let mut label_terms = Terms::default();
    for piece in &labels {
        add_piece(&mut label_terms, piece, language);
    }
    let parts = parts(&read, &labels, language);
    let text = IndexedText { content: terms.0, labels: label_terms.0, dates, parts };
    Analysis { text, length, language }
}

pub(super) fn is_common(piece: &Piece, language: Language) -> bool {
    piece.kind == Kind::Word && stem::is_function_word(&piece.text, language)
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

/// Returns how many terms it added.
fn add_piece(terms: &mut Terms, piece: &Piece, language: Language) -> u32 {
    match piece.kind {
        Kind::Word => terms.add(&stem::term(&piece.text, language)),
        Kind::Run(size) => grams(&fold(&piece.text), size).map(|gram| terms.add(gram)).sum(),
        Kind::Picture => terms.add(&piece.text),
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
        let text = analyse(content, "", String::new()).text;
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
    fn function_words_do_not_count() {
        assert_eq!(analyse("what is the name of my dog", "", String::new()).length, 2);
    }
}
