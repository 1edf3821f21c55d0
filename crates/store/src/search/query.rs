//! From the user's words to the terms of the index, whatever those words are.

use std::collections::HashSet;

use super::letters::fold;
use super::quotes::parts;
use super::stem::{self, Language, Languages, Origin, language_of};
use super::terms::joined;
use super::words::{Hold, Kind, Piece, grams, pieces};

/// Words of a query beyond this many are not looked at: a page pasted into a query stays a query.
pub const TERMS_MAX: usize = 64;

/// Bytes of a query that are read.
const QUERY_BYTES_MAX: usize = 64 << 10;

/// Terms within one phrase.
const PHRASE_TERMS_MAX: usize = 32;

/// A beginning of fewer letters would stand for half of the words there are.
const BEGINNING_LETTERS_MIN: usize = 2;

/// How the last term of a sequence is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Tail {
    Whole,
    /// The beginning of longer terms, as a single letter of a script without spaces is.
    Grams,
    /// The beginning of a word, as asked for with a star.
    Beginning,
}

/// What the index is asked for: a term, terms that stand one after the other, or the beginning of a term.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Term {
    terms: String,
    tail: Tail,
}

impl Term {
    /// One term as the index holds it, such as [`super::dates::DateWord::term`] gives.
    pub fn of(term: String) -> Self {
        Self { terms: term, tail: Tail::Whole }
    }

    /// The term, or terms with single spaces between, as the index holds them.
    pub fn text(&self) -> &str {
        &self.terms
    }

    /// As an FTS5 string. No term holds a quote, so nothing in it can end the string.
    pub fn expression(&self) -> String {
        let star = if self.tail == Tail::Grams { "*" } else { "" };
        format!("\"{}\"{star}", self.terms.replace('"', ""))
    }

    /// How often it stands in terms with single spaces between, before and after them.
    pub(super) fn count_in(&self, terms: &str) -> usize {
        let end = if self.tail == Tail::Whole { " " } else { "" };
        terms.matches(&format!(" {}{end}", self.terms)).count()
    }

    /// The term when it is one and whole.
    pub(super) fn single(&self) -> Option<&str> {
        (self.tail == Tail::Whole && !self.terms.contains(' ')).then_some(&*self.terms)
    }

    /// The beginning that was asked for with a star.
    pub(super) fn beginning(&self) -> Option<&str> {
        (self.tail == Tail::Beginning).then_some(&*self.terms)
    }
}

/// Joins terms into an expression that any of them satisfies.
pub fn any_of(terms: &[Term]) -> String {
    let expressions: Vec<String> = terms.iter().map(Term::expression).collect();
    expressions.join(" OR ")
}

/// What one word of a query is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AskedKind {
    /// A word.
    Word,
    /// Words in quotes, which must stand as written.
    Phrase,
    /// A word of several parts, such as `e-mail`, `v2.1` or an address: the parts in this order, or written as one.
    /// The parts are asked for as words too.
    Compound,
    /// The beginning of a word.
    Beginning,
}

/// One word of a query, with every term under which the index may hold it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Asked {
    /// As it was written, in lower case.
    pub surface: String,
    /// What it is.
    pub kind: AskedKind,
    /// Whether it is a function word of the query's language, which is one of the index.
    pub is_common: bool,
    /// Distinct, never empty: one for each way in which the languages of the index stem it.
    pub terms: Vec<Term>,
}

impl Asked {
    /// What FTS5 is asked to find any of the terms; beginnings have to be written out before.
    pub fn expression(&self) -> String {
        any_of(&self.terms)
    }
}

/// A query as it was understood.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parsed {
    /// Distinct, in the order written.
    pub asked: Vec<Asked>,
}

impl Parsed {
    /// What to look for, at most [`TERMS_MAX`]: all but function words, or these when there is nothing else.
    pub fn telling(&self) -> Vec<Asked> {
        let all_common = self.asked.iter().all(|asked| asked.is_common);
        self.asked.iter().filter(|asked| all_common || !asked.is_common).take(TERMS_MAX).cloned().collect()
    }
}

/// Whether a star after the last word makes it a beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Star {
    /// It is a sign like others.
    #[default]
    Ignored,
    /// The last word stands for all that begin so.
    Meant,
}

/// Reads a query for an index that holds these languages.
///
/// Text in quotes of any kind is a phrase; a quote without its partner is ignored.
///
/// ```
/// use chrysalis_store::search::query::{Star, parse};
/// use chrysalis_store::search::stem::Languages;
/// let asked = parse("Where are the \"Blue Boats\"?", Languages::default(), Star::Ignored).telling();
/// assert_eq!((asked.len(), &*asked[0].surface, asked[0].terms[0].text()), (1, "blue boats", "blue boat"));
/// ```
pub fn parse(query: &str, languages: Languages, star: Star) -> Parsed {
    let query = bounded(query);
    let all = pieces(query);
    let mut reader =
        Reader { languages, own: language_of(&all, languages), seen: HashSet::new(), asked: Vec::new(), telling: 0 };
    for (text, is_quoted) in parts(query) {
        let read = pieces(text);
        if is_quoted { reader.add_phrase(&read) } else { reader.add_words(&read) }
    }
    if star == Star::Meant && query.trim_end().ends_with('*') {
        reader.make_last_a_beginning();
    }
    Parsed { asked: reader.asked }
}

fn bounded(query: &str) -> &str {
    let mut end = query.len().min(QUERY_BYTES_MAX);
    while !query.is_char_boundary(end) {
        end -= 1;
    }
    &query[..end]
}

struct Reader {
    languages: Languages,
    /// The language of the query.
    own: Language,
    seen: HashSet<(AskedKind, String)>,
    asked: Vec<Asked>,
    telling: usize,
}

impl Reader {
    fn add_words(&mut self, pieces: &[Piece]) {
        for compound in pieces.chunk_by(|_, next| next.hold != Hold::Apart) {
            for piece in compound {
                self.add_piece(piece);
            }
            if compound.len() > 1 {
                self.add_compound(compound);
            }
        }
    }

    fn add_piece(&mut self, piece: &Piece) {
        match piece.kind {
            Kind::Run(size) => self.add_run(&fold(&piece.text), size),
            Kind::Picture => {
                self.add(piece.text.clone(), AskedKind::Word, false, vec![Term::of(piece.text.clone())]);
            }
            Kind::Word => {
                let terms = self.in_each_language(|language| stem::term(&piece.text, language), Tail::Whole);
                let is_common = Origin::of(&piece.text).is_function_word_of(self.own);
                self.add(piece.text.clone(), AskedKind::Word, is_common, terms);
            }
        }
    }

    fn add_run(&mut self, run: &str, size: usize) {
        let letters = run.chars().count();
        if letters < size {
            return self.add(
                run.to_owned(),
                AskedKind::Word,
                false,
                vec![Term { terms: run.to_owned(), tail: Tail::Grams }],
            );
        }
        for gram in grams(run, size).take((letters + 1 - size).min(TERMS_MAX)) {
            self.add(gram.to_owned(), AskedKind::Word, false, vec![Term::of(gram.to_owned())]);
        }
    }

    fn add_compound(&mut self, compound: &[Piece]) {
        let mut terms = self.sequences(compound);
        if let Some(joined) = joined(compound) {
            terms.extend(self.in_each_language(|language| stem::term(&joined, language), Tail::Whole));
        }
        let words: Vec<&str> = compound.iter().map(|piece| &*piece.text).collect();
        self.add(words.join("-"), AskedKind::Compound, false, terms);
    }

    fn add_phrase(&mut self, pieces: &[Piece]) {
        let pieces = &pieces[..pieces.len().min(PHRASE_TERMS_MAX)];
        let words: Vec<&str> = pieces.iter().map(|piece| &*piece.text).collect();
        self.add(words.join(" "), AskedKind::Phrase, false, self.sequences(pieces));
    }

    /// The terms of all pieces in a row, for each language.
    fn sequences(&self, pieces: &[Piece]) -> Vec<Term> {
        let tail = match pieces.last().map(|piece| (piece.kind, piece.text.chars().count())) {
            Some((Kind::Run(size), letters)) if letters < size => Tail::Grams,
            _ => Tail::Whole,
        };
        self.in_each_language(|language| sequence(pieces, language), tail)
    }

    fn in_each_language(&self, term: impl Fn(Language) -> String, tail: Tail) -> Vec<Term> {
        let mut terms: Vec<Term> = Vec::new();
        for language in self.languages.iter() {
            let term = Term { terms: term(language), tail };
            if !term.terms.is_empty() && !terms.contains(&term) {
                terms.push(term);
            }
        }
        terms
    }

    fn add(&mut self, surface: String, kind: AskedKind, is_common: bool, terms: Vec<Term>) {
        let is_full = if is_common { self.asked.len() >= 4 * TERMS_MAX } else { self.telling >= TERMS_MAX };
        if is_full || terms.is_empty() || !self.seen.insert((kind, surface.clone())) {
            return;
        }
        self.telling += usize::from(!is_common);
        self.asked.push(Asked { surface, kind, is_common, terms });
    }

    /// The word itself is still looked for, since its term may be shorter than what was written of it.
    fn make_last_a_beginning(&mut self) {
        let Some(last) = self.asked.last_mut().filter(|last| last.kind == AskedKind::Word) else { return };
        if last.surface.chars().count() < BEGINNING_LETTERS_MIN {
            return;
        }
        last.kind = AskedKind::Beginning;
        last.is_common = false;
        last.terms.insert(0, Term { terms: fold(&last.surface), tail: Tail::Beginning });
    }
}

/// The terms of `pieces` as they stand one after the other in an index.
fn sequence(pieces: &[Piece], language: Language) -> String {
    let mut terms: Vec<String> = Vec::new();
    for (at, piece) in pieces.iter().enumerate() {
        match piece.kind {
            Kind::Word => terms.push(stem::term(&piece.text, language)),
            Kind::Picture => terms.push(piece.text.clone()),
            Kind::Run(size) => {
                let run = fold(&piece.text);
                let letters = run.chars().count();
                // The text may go on where the phrase ends, and then has no shorter terms there.
                let whole = if at + 1 == pieces.len() { (letters + 1).saturating_sub(size).max(1) } else { letters };
                terms.extend(grams(&run, size).take(whole).map(str::to_owned));
            }
        }
    }
    terms.retain(|term| !term.is_empty());
    terms.truncate(PHRASE_TERMS_MAX);
    terms.join(" ")
}
