//! Languages: telling in which one a text is written, and taking the endings off its words.
//!
//! The stemmers are those of the Snowball project. Words of a script that one language of ours uses alone go to that
//! language; a text as a whole is only asked for the language of its Latin words.

use std::collections::HashMap;
use std::sync::OnceLock;

use snowstem::{Algorithm, Stemmer};

use super::function_words::FUNCTION_WORDS;
use super::letters::fold;
use super::words::{Kind, Piece};

/// A longer word has no endings that anybody would leave out.
const STEMMED_BYTES_MAX: usize = 64;

/// A language other than English is told by so many function words: "door" is one of them in Dutch.
const TELLING_MIN: u32 = 2;

/// A language whose words we know to stem, by its place in the list of languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Language(u8);

impl Language {
    /// What a text is taken for when nothing tells.
    pub const ENGLISH: Self = Self(0);

    /// The language with this number, as [`Self::number`] gives it.
    pub fn from_number(number: i64) -> Option<Self> {
        let number = u8::try_from(number).ok()?;
        (usize::from(number) < FUNCTION_WORDS.len()).then_some(Self(number))
    }

    /// Its number in an index.
    pub fn number(self) -> i64 {
        i64::from(self.0)
    }

    /// Its code of ISO 639-1.
    pub fn code(self) -> &'static str {
        FUNCTION_WORDS[usize::from(self.0)].code
    }

    fn all() -> impl Iterator<Item = Self> {
        (0..FUNCTION_WORDS.len()).map(|number| Self(number as u8))
    }

    fn bit(self) -> u32 {
        1 << self.0
    }

    fn stemmer(self) -> Stemmer {
        Stemmer::create(match self.code() {
            "de" => Algorithm::German,
            "fr" => Algorithm::French,
            "es" => Algorithm::Spanish,
            "it" => Algorithm::Italian,
            "pt" => Algorithm::Portuguese,
            "nl" => Algorithm::Dutch,
            "sv" => Algorithm::Swedish,
            "da" => Algorithm::Danish,
            "no" => Algorithm::Norwegian,
            "fi" => Algorithm::Finnish,
            "ru" => Algorithm::Russian,
            "pl" => Algorithm::Polish,
            "cs" => Algorithm::Czech,
            "tr" => Algorithm::Turkish,
            "hu" => Algorithm::Hungarian,
            "ro" => Algorithm::Romanian,
            "el" => Algorithm::Greek,
            "ar" => Algorithm::Arabic,
            "ta" => Algorithm::Tamil,
            _ => Algorithm::English,
        })
    }
}

/// A set of languages, English always among them: the words of an index may have been stemmed by each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Languages(u32);

impl Default for Languages {
    fn default() -> Self {
        Self(Language::ENGLISH.bit())
    }
}

impl Languages {
    /// All there are.
    pub(super) const ALL: Self = Self((1 << FUNCTION_WORDS.len()) - 1);

    /// Adds one.
    pub fn insert(&mut self, language: Language) {
        self.0 |= language.bit();
    }

    /// The languages, English first.
    pub fn iter(self) -> impl Iterator<Item = Language> {
        Language::all().filter(move |language| self.0 & language.bit() != 0)
    }
}

impl FromIterator<Language> for Languages {
    fn from_iter<I: IntoIterator<Item = Language>>(languages: I) -> Self {
        let mut all = Self::default();
        languages.into_iter().for_each(|language| all.insert(language));
        all
    }
}

/// For each function word, folded, the languages that have it.
fn function_words() -> &'static HashMap<String, u32> {
    static WORDS: OnceLock<HashMap<String, u32>> = OnceLock::new();
    WORDS.get_or_init(|| {
        let mut words = HashMap::new();
        for (language, listed) in Language::all().zip(&FUNCTION_WORDS) {
            for word in listed.words.split_whitespace() {
                *words.entry(fold(&word.replace(['\'', ','], ""))).or_default() |= language.bit();
            }
        }
        words
    })
}

fn languages_of(word: &str) -> u32 {
    let words = function_words();
    if word.is_ascii() { words.get(word) } else { words.get(&fold(word)) }.copied().unwrap_or(0)
}

/// What a word says of the language it is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    /// A bit for each language in which it is a function word.
    function_word_of: u32,
    /// The language of its script, if that has one alone.
    script: Option<Language>,
    is_letter: bool,
}

impl Origin {
    /// Of a word in lower case.
    pub(super) fn of(word: &str) -> Self {
        Self { function_word_of: languages_of(word), script: script_language(word), is_letter: word.len() == 1 }
    }

    /// Whether it is a function word of the language, or of the one that its script belongs to.
    pub(super) fn is_function_word_of(&self, language: Language) -> bool {
        self.function_word_of & self.script.unwrap_or(language).bit() != 0
    }
}

/// How many function words of each language occur among the Latin words of a text. Single letters are not counted:
/// they number points and abbreviate names.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LanguageCount([u32; FUNCTION_WORDS.len()]);

impl LanguageCount {
    /// Counts a word.
    pub(super) fn add(&mut self, word: &Origin) {
        let mut found = if word.is_letter || word.script.is_some() { 0 } else { word.function_word_of };
        while found != 0 {
            self.0[found.trailing_zeros() as usize] += 1;
            found &= found - 1;
        }
    }

    /// The one of `languages` with most; English when no other has more, or none has two.
    pub(super) fn most(&self, languages: Languages) -> Language {
        let count = |language: Language| self.0[usize::from(language.0)];
        let most = languages.iter().map(count).max().unwrap_or(0);
        let first = languages.iter().find(|language| count(*language) == most);
        first.filter(|_| most >= TELLING_MIN).unwrap_or(Language::ENGLISH)
    }
}

/// The one of `languages` in which `pieces` are written, as far as their function words tell.
pub(super) fn language_of(pieces: &[Piece], languages: Languages) -> Language {
    let mut count = LanguageCount::default();
    for piece in pieces.iter().filter(|piece| piece.kind == Kind::Word) {
        count.add(&Origin::of(&piece.text));
    }
    count.most(languages)
}

/// The term under which `word`, in lower case, is indexed in a text of that language; empty for a word of accents alone.
pub(super) fn term(word: &str, language: Language) -> String {
    if word.len() > STEMMED_BYTES_MAX || word.chars().any(char::is_numeric) {
        return fold(word);
    }
    let language = script_language(word).unwrap_or(language);
    // English endings are looked for behind English letters; other languages have rules for their accents.
    let written = if language == Language::ENGLISH { fold(word) } else { word.to_owned() };
    let folded = fold(&language.stemmer().stem(&written));
    if folded.is_empty() { fold(word) } else { folded }
}

/// The language that alone, of ours, is written in the script of the word.
fn script_language(word: &str) -> Option<Language> {
    let code = match word.chars().next()? {
        '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => "el",
        '\u{400}'..='\u{52f}' => "ru",
        '\u{600}'..='\u{6ff}' | '\u{750}'..='\u{77f}' => "ar",
        '\u{b80}'..='\u{bff}' => "ta",
        _ => return None,
    };
    Language::all().find(|language| language.code() == code)
}

#[cfg(test)]
mod tests {
    use super::super::words::pieces;
    use super::*;

    fn language(text: &str) -> &'static str {
        language_of(&pieces(text), Languages::ALL).code()
    }

    #[test]
    fn function_words_tell_the_language() {
        for (code, text) in [
            ("en", "We met at the harbour and talked about the boats"),
            ("de", "Wir haben uns am Hafen getroffen und über die Boote gesprochen"),
            ("fr", "Nous nous sommes rencontrés au port et nous avons parlé des bateaux"),
            ("es", "Nos vimos en el puerto y hablamos de los barcos"),
            ("it", "Ci siamo visti al porto e abbiamo parlato delle barche"),
            ("pt", "Nós nos vimos no porto e falamos dos barcos que não são seus"),
            ("nl", "Wij zagen elkaar in de haven en spraken over het schip"),
            ("sv", "Vi sågs i hamnen och pratade om båtarna som inte var där"),
            ("pl", "Spotkaliśmy się w porcie i rozmawialiśmy o tym, że są łodzie"),
            ("en", "Harbour 2023"),
            ("en", ""),
            ("en", "漢字 ελληνικά"),
        ] {
            assert_eq!(language(text), code, "{text}");
        }
    }

    #[test]
    fn one_word_has_one_term_whatever_its_ending_and_accents() {
        let numbered = |code| Language::all().find(|language| language.code() == code).unwrap();
        for (code, one, other) in [
            ("en", "running", "runs"),
            ("de", "häuser", "haus"),
            ("fr", "chansons", "chanson"),
            ("es", "canciones", "canción"),
            ("ru", "книги", "книга"),
            ("en", "книги", "книга"),
            ("el", "θάλασσες", "θάλασσα"),
            ("tr", "kitaplar", "kitap"),
        ] {
            assert_eq!(term(one, numbered(code)), term(other, numbered(code)), "{one} {other}");
        }
    }

    #[test]
    fn numbers_and_long_words_keep_their_endings() {
        assert_eq!(term("v2s", Language::ENGLISH), "v2s");
        assert_eq!(term(&"running".repeat(10), Language::ENGLISH), "running".repeat(10));
    }
}
