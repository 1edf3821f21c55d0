//! Which parts of a query stand in quotes.

/// Pairs of quotes of many languages: what opens, and what may close.
const PAIRS: [(char, &str); 11] = [
    ('"', "\"\u{201c}\u{201d}\u{201e}"),
    ('\u{201c}', "\"\u{201c}\u{201d}\u{201e}"),
    ('\u{201d}', "\"\u{201c}\u{201d}\u{201e}"),
    ('\u{201e}', "\"\u{201c}\u{201d}\u{201e}"),
    ('«', "»"),
    ('»', "«"),
    ('‹', "›"),
    ('「', "」"),
    ('『', "』"),
    ('\u{201a}', "\u{2018}"),
    ('\u{2018}', "\u{2019}"),
];

/// Letters that are searched for the second quote: a phrase is short, and a lone quote must not cost a whole text.
const QUOTED_LETTERS_MAX: usize = 1_000;

/// The parts of `query` in order, each with whether it is quoted. A quote without its partner is no quote.
pub(super) fn parts(query: &str) -> Vec<(&str, bool)> {
    let mut parts = Vec::new();
    let (mut start, mut at) = (0, 0);
    while let Some((open, close)) = next_pair(query, at) {
        let (inner, after) = (open.1, close.1);
        parts.push((&query[start..open.0], false));
        parts.push((&query[inner..close.0], true));
        (start, at) = (after, after);
    }
    parts.push((&query[start..], false));
    parts
}

/// Where a quote begins and ends.
type Span = (usize, usize);

fn next_pair(query: &str, from: usize) -> Option<(Span, Span)> {
    for (at, letter) in query[from..].char_indices().map(|(at, letter)| (from + at, letter)) {
        let Some((_, closing)) = PAIRS.iter().find(|(opening, _)| *opening == letter) else { continue };
        let inner = at + letter.len_utf8();
        let after_letter = query[..at].chars().next_back().is_some_and(char::is_alphanumeric);
        // Inside a word a single quote is an apostrophe.
        if letter == '\u{2018}' && after_letter {
            continue;
        }
        if let Some(close) = close_of(query, inner, closing) {
            return Some(((at, inner), close));
        }
    }
    None
}

fn close_of(query: &str, inner: usize, closing: &str) -> Option<Span> {
    let mut letters = query[inner..].char_indices().take(QUOTED_LETTERS_MAX).peekable();
    while let Some((at, letter)) = letters.next() {
        let before_letter = letters.peek().is_some_and(|(_, next)| next.is_alphanumeric());
        if closing.contains(letter) && !(letter == '\u{2019}' && before_letter) {
            return Some((inner + at, inner + at + letter.len_utf8()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(query: &str) -> Vec<&str> {
        parts(query).into_iter().filter(|(_, is_quoted)| *is_quoted).map(|(text, _)| text).collect()
    }

    #[test]
    fn quotes_of_many_languages_are_known() {
        for query in ["\"a b\"", "“a b”", "„a b“", "«a b»", "»a b«", "‹a b›", "「a b」", "『a b』", "‚a b‘", "‘a b’"]
        {
            assert_eq!(quoted(&format!("say {query} twice")), ["a b"], "{query}");
        }
    }

    #[test]
    fn lone_quotes_and_apostrophes_are_none() {
        for query in ["a 5\" screen", "don’t and won’t", "the boys’ dog", "\"", "»", "O‘Brien’s"] {
            assert_eq!(quoted(query), Vec::<&str>::new(), "{query}");
        }
        assert_eq!(quoted("‘it isn’t so’ she said"), ["it isn’t so"]);
    }

    #[test]
    fn many_lone_quotes_cost_little() {
        assert_eq!(quoted(&"«".repeat(20_000)), Vec::<&str>::new());
    }
}
