//! What each character is to a search: part of a word, a sign between words, or nothing at all; and its plain form.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The part that a character plays in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A letter, a digit or an accent.
    Letter,
    /// A letter of a script that puts no spaces between words; so many letters together tell one word from another.
    Gram(usize),
    /// An apostrophe, which may stand inside a word.
    Apostrophe,
    /// A sign that makes one word of two, as a hyphen does.
    Joint,
    /// A sign that keeps words together without making one of them, as in an address.
    Link,
    /// An emoji or another picture, which is a word by itself.
    Picture,
    /// Half of a flag.
    FlagHalf,
    /// Nothing that can be seen: it does not even end a word.
    Invisible,
    /// The end of a word.
    Gap,
}

/// The part that `letter` plays.
pub(super) fn role(letter: char) -> Role {
    match letter {
        'a'..='z' | 'A'..='Z' | '0'..='9' => Role::Letter,
        '\'' | '\u{2018}' | '\u{2019}' | '\u{2bc}' => Role::Apostrophe,
        '-' | '_' | '.' | ',' | '\u{2010}' | '\u{2011}' => Role::Joint,
        '/' | '@' | ':' | '+' | '&' | '=' | '\\' | '~' | '\u{2044}' => Role::Link,
        '\0'..='\u{7f}' => Role::Gap,
        _ if is_invisible(letter) => Role::Invisible,
        '\u{1f1e6}'..='\u{1f1ff}' => Role::FlagHalf,
        _ if is_picture(letter) => Role::Picture,
        _ if letter.is_alphanumeric() || is_combining_mark(letter) => {
            gram_letters(letter).map_or(Role::Letter, Role::Gram)
        }
        _ => Role::Gap,
    }
}

/// Soft hyphens, joiners, marks of direction, selectors of variants, tones of skin, and the line that stretches Arabic.
fn is_invisible(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{640}' | '\u{180b}'..='\u{180f}' | '\u{200c}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0000}'..='\u{e0fff}')
}

fn is_picture(letter: char) -> bool {
    matches!(letter,
        '\u{2300}'..='\u{23ff}' | '\u{2600}'..='\u{27bf}' | '\u{2b00}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}')
        && !letter.is_alphanumeric()
}

fn gram_letters(letter: char) -> Option<usize> {
    match letter {
        // Han, kana and Hangul: two syllables are about a word.
        '\u{3005}'..='\u{3007}' | '\u{3021}'..='\u{3029}' | '\u{3041}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' => {
            Some(2)
        }
        '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' => Some(2),
        '\u{f900}'..='\u{faff}' | '\u{1b000}'..='\u{1b16f}' | '\u{20000}'..='\u{323af}' => Some(2),
        // Thai, Lao, Myanmar and Khmer have alphabets, so that a pair of letters says little.
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' => Some(3),
        '\u{a9e0}'..='\u{a9ff}' | '\u{aa60}'..='\u{aa7f}' => Some(3),
        _ => None,
    }
}

/// `word` without accents, its special letters spelled with plain ones.
///
/// Marks that are vowels or consonants, as in the scripts of India, stay.
pub(super) fn fold(word: &str) -> String {
    if word.is_ascii() {
        return word.to_owned();
    }
    let mut plain = String::with_capacity(word.len());
    for letter in word.nfd().filter(|letter| !is_accent(*letter)) {
        match spelled(letter) {
            Some(letters) => plain.push_str(letters),
            None => plain.push(letter),
        }
    }
    if plain.is_ascii() { plain } else { plain.nfc().collect() }
}

/// Accents of Latin, Greek and Cyrillic letters, signs of vowels in Hebrew and Arabic, which are seldom written.
fn is_accent(letter: char) -> bool {
    matches!(letter,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5c7}' | '\u{610}'..='\u{61a}'
        | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{6d6}'..='\u{6ed}' | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
        && is_combining_mark(letter)
}

fn spelled(letter: char) -> Option<&'static str> {
    Some(match letter {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'þ' => "th",
        'ħ' => "h",
        'ı' => "i",
        'ŋ' => "n",
        'ς' => "σ",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_and_special_letters_are_folded() {
        for (written, plain) in [
            ("café", "cafe"),
            ("straße", "strasse"),
            ("łódź", "lodz"),
            ("smørrebrød", "smorrebrod"),
            ("ἄνθρωπος", "ανθρωποσ"),
            ("ещё", "еще"),
            ("क्षत्रिय", "क्षत्रिय"),
            ("がぎ", "がぎ"),
        ] {
            assert_eq!(fold(written), plain);
        }
    }

    #[test]
    fn what_folding_gives_is_never_split_by_the_index() {
        for letter in (0..=u32::from(char::MAX)).filter_map(char::from_u32) {
            let split = |letter: char| letter.is_ascii() && !letter.is_ascii_alphanumeric();
            if matches!(role(letter), Role::Letter | Role::Gram(_) | Role::Picture | Role::FlagHalf) {
                let lower: String = letter.to_lowercase().collect();
                assert!(!fold(&lower).contains(split), "{letter:?}");
            }
        }
    }
}
