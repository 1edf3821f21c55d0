//! Hostile queries, rare words, filters: what a search by words finds.

#![allow(clippy::unwrap_used)]

mod search_ground;

use std::collections::BTreeSet;

use chrysalis_store::search::filter::Filter;
use chrysalis_store::search::query::{Asked, Star, TERMS_MAX};
use chrysalis_store::search::stem::Languages;
use proptest::prelude::*;
use search_ground::{Dice, Finder, Ground, said};

/// Memories of ten words, the first words of the list far more common than the last.
fn skewed(count: usize) -> Ground {
    let ground = Ground::new();
    let mut dice = Dice(42);
    ground.remember_all((0..count).map(|at| {
        let mut words: Vec<String> = (0..10).map(|_| format!("w{}q", dice.below(dice_sides(at)))).collect();
        words.push("everywhere".to_owned());
        words.extend((at % 2 == 0).then(|| "often".to_owned()));
        words.extend((at % 3 == 0).then(|| "sometimes".to_owned()));
        let mut memory = said(&words.join(" "));
        memory.scope = format!("team/{}", at % 200);
        memory.tags = vec![format!("tag{}", at % 50)];
        memory.created_at = at as i64;
        memory
    }));
    ground
}

fn dice_sides(at: usize) -> usize {
    [10, 40, 300, 3_000][at / 200 % 4]
}

fn parse(query: &str) -> Vec<Asked> {
    chrysalis_store::search::query::parse(query, Languages::default(), Star::Ignored).telling()
}

fn terms(query: &str) -> Vec<String> {
    parse(query).into_iter().map(|asked| asked.surface).collect()
}

#[test]
fn function_words_are_left_out_unless_there_is_nothing_else() {
    assert_eq!(terms("What is the name of my dog?"), vec!["name", "dog"]);
    assert_eq!(terms("to be or not to be"), vec!["not"]);
    assert_eq!(terms("who are you"), vec!["who", "are", "you"]);
}

#[test]
fn quoted_words_are_one_phrase_and_a_lone_quote_is_nothing() {
    assert_eq!(terms("say \"The Big Trip\" twice"), vec!["say", "the big trip", "twice"]);
    assert_eq!(terms("“big trip” and a 5\" screen"), vec!["big trip", "5", "screen"]);
    assert_eq!(terms("a \"x y\" b's c"), vec!["x y", "b", "c"]);
}

#[test]
fn a_query_has_a_bounded_number_of_distinct_terms() {
    let long: String = (0..200_000).map(|at| format!("word{at} ")).collect();
    assert_eq!(parse(&long).len(), TERMS_MAX);
    assert_eq!(terms(&"dog ".repeat(300_000)), vec!["dog"]);
    assert_eq!(terms(&"x".repeat(2_000_000)), vec!["x".repeat(96)]);
}

#[test]
fn hostile_queries_are_only_words() {
    let ground = Ground::with(&["near miss and not or column", "plain"]);
    let finder = ground.finder();
    for query in [
        "\"",
        "\"\"",
        "'",
        "''; DROP TABLE words; --",
        "NEAR(",
        "NEAR(a b, 5)",
        "content:plain",
        "^plain",
        "pla*",
        "{content tags}: plain",
        "-plain",
        "plain AND",
        "OR OR OR",
        "NOT",
        "(((((",
        "a\0b",
        "\0",
        "\u{feff}",
        "+",
        "plain\" OR \"miss",
        "\\",
        "%",
        "\u{202e}nialp",
        "\u{300}",
        "🦋",
        "漢字",
        "؟",
        "\u{1F600}\"",
    ] {
        finder.search(query, &Filter::default(), 5);
    }
    assert_eq!(finder.find("content:plain"), vec![2]);
    assert_eq!(finder.find("NEAR(miss)"), vec![1]);
    assert_eq!(finder.find(&format!("plain {}", "\"(*".repeat(300_000))), vec![2]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn no_query_is_an_error(query in any::<String>(), odd in "[\"'*^(){}:+\\-\0 a-cA-C,\u{300}]{0,40}") {
        FINDER.with(|(finder, _)| {
            for text in [&query, &odd, &format!("{odd}{query}")] {
                finder.search(text, &Filter::default(), 3);
            }
        });
    }
}

thread_local! {
    static FINDER: (Finder, Ground) = {
        let ground = Ground::with(&["a b c", "aa bb cc", "and or not near"]);
        (ground.finder(), ground)
    };
}

#[test]
fn a_phrase_is_found_only_where_it_stands_as_written() {
    let ground = Ground::with(&["the big blue trip", "a trip so big", "we planned the big trip well"]);
    let finder = ground.finder();
    assert_eq!(finder.find("\"big trip\""), vec![3]);
    assert_eq!(finder.find("big trip").len(), 3);
    assert_eq!(finder.find("\"trip big\""), Vec::<i64>::new());
}

#[test]
fn a_query_whose_words_stand_nowhere_finds_nothing() {
    let finder = skewed(3_000).finder();
    let (words, found) = finder.search("zeppelin kazoo", &Filter::default(), 10);
    assert_eq!((found.len(), words.words.len()), (0, 2));
    assert!(words.weight() > 0.0);
    assert_eq!(finder.find(""), Vec::<i64>::new());
    assert_eq!(finder.find("?!"), Vec::<i64>::new());
}

#[test]
fn an_empty_store_finds_nothing() {
    assert_eq!(Ground::new().finder().find("anything"), Vec::<i64>::new());
}

#[test]
fn leaving_out_common_words_does_not_change_what_a_rare_word_finds() {
    let ground = skewed(20_000);
    for number in [300, 9_000, 17_000] {
        ground.update(number, &said("xanthic w1q w2q w3q everywhere"));
    }
    let finder = ground.finder();
    let (words, found) = finder.search("xanthic w1q w2q everywhere", &Filter::default(), 3);
    assert!(words.words.iter().any(|word| !word.is_read), "{:?}", words.words);
    let uncut: BTreeSet<i64> = top_of_all_words(&finder, "\"xanthic\" OR \"w1q\" OR \"w2q\" OR \"everywhere\"", 3);
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), uncut);
    assert_eq!(uncut, BTreeSet::from([300, 9_000, 17_000]));
}

fn top_of_all_words(finder: &Finder, expression: &str, k: usize) -> BTreeSet<i64> {
    let sql = "SELECT rowid FROM words WHERE words MATCH ?1 ORDER BY rank LIMIT ?2";
    let mut statement = finder.index.prepare(sql).unwrap();
    let rows = statement.query_map(rusqlite::params![expression, k as i64], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[test]
fn a_query_of_common_words_only_finds_memories_that_hold_most_of_them() {
    let ground = skewed(30_000);
    let number = ground.remember(&said("everywhere, often or sometimes"));
    let finder = ground.finder();
    let (_, found) = finder.search("often everywhere sometimes", &Filter::default(), 10);
    assert_eq!(found.len(), 10);
    assert_eq!(found[0], number);
}

#[test]
fn commoner_words_fill_up_what_rare_words_leave_and_come_after_them() {
    let ground = skewed(20_000);
    let number = ground.remember(&said("a xanthic remark"));
    let finder = ground.finder();
    let (_, found) = finder.search("xanthic everywhere", &Filter::default(), 5);
    assert_eq!(found.len(), 5);
    assert_eq!(found[0], number);
}

#[test]
fn a_selective_filter_never_starves_a_search() {
    let ground = skewed(20_000);
    let finder = ground.finder();
    let one_of_two_hundred = Filter { scope: Some("team/7".to_owned()), ..Filter::default() };
    for query in ["everywhere", "w1q everywhere", "w2q w1q", "w1999q everywhere"] {
        assert_eq!(finder.find_filtered(query, &one_of_two_hundred, 10).len(), 10, "{query}");
    }
    let narrow = Filter { tags: vec!["tag7".to_owned()], until: Some(300), ..one_of_two_hundred };
    // The two that were made at 7 and 207 are all that pass.
    let found: BTreeSet<i64> = finder.find_filtered("w1999q everywhere", &narrow, 10).into_iter().collect();
    assert_eq!(found, BTreeSet::from([8, 208]));
}

#[test]
fn few_memories_that_pass_are_found_by_common_words_phrases_and_parts_alike() {
    let ground = skewed(20_000);
    let mut memory = said("everywhere and often, the getUserName of the e-mail");
    memory.scope = "apart".to_owned();
    let number = ground.remember(&memory);
    let finder = ground.finder();
    let apart = Filter { scope: Some("apart".to_owned()), ..Filter::default() };
    for query in ["everywhere", "often everywhere", "\"everywhere and often\"", "email", "user", "everywhere zeppelin"]
    {
        assert_eq!(finder.find_filtered(query, &apart, 10), vec![number], "{query}");
    }
    assert_eq!(finder.find_filtered("\"often everywhere\"", &apart, 10), Vec::<i64>::new());
}

#[test]
fn memories_that_have_all_expired_do_not_hide_those_that_have_not() {
    let ground = Ground::new();
    ground.remember_all((0..9_000).map(|at| {
        let mut memory = said("everywhere");
        memory.expires_at = (at >= 20).then_some(100);
        memory
    }));
    let finder = ground.finder();
    let filter = Filter { now: Some(200), ..Filter::default() };
    assert_eq!(finder.find_filtered("everywhere", &filter, 10).len(), 10);
    assert_eq!(finder.find_filtered("everywhere", &filter, 50).len(), 20);
}

#[test]
fn a_scope_holds_its_path_and_what_lies_below_and_no_namesake() {
    let ground = Ground::new();
    for scope in ["", "project", "project/api", "project/api/v2", "projects", "project-x", "Project", "project%"] {
        let mut memory = said("note");
        memory.scope = scope.to_owned();
        ground.remember(&memory);
    }
    let finder = ground.finder();
    let within = |scope: &str| {
        let filter = Filter { scope: Some(scope.to_owned()), ..Filter::default() };
        finder.find_filtered("note", &filter, 20).into_iter().collect::<BTreeSet<_>>()
    };
    assert_eq!(within("project"), BTreeSet::from([2, 3, 4]));
    assert_eq!(within("project/"), BTreeSet::from([2, 3, 4]));
    assert_eq!(within("project/api"), BTreeSet::from([3, 4]));
    assert_eq!(within("").len(), 8);
    assert_eq!(within("pro"), BTreeSet::new());
}

#[test]
fn every_filter_keeps_what_fits_and_nothing_else() {
    let ground = Ground::new();
    let mut memory = said("note");
    memory.tags = vec!["red".to_owned(), "round".to_owned()];
    memory.created_at = 1_000;
    memory.importance = 50_000;
    memory.valid = (Some(500), Some(2_000));
    memory.expires_at = Some(9_000);
    ground.remember(&memory);
    let finder = ground.finder();
    let passes = |filter: Filter| finder.find_filtered("note", &filter, 5) == vec![1];
    let any = Filter::default;
    let text = |text: &str| Some(text.to_owned());
    let tags = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    for (fits, filter) in [
        (true, any()),
        (true, Filter { tier: text("long_term"), ..any() }),
        (false, Filter { tier: text("working"), ..any() }),
        (true, Filter { memory_type: text("episodic"), ..any() }),
        (false, Filter { memory_type: text("semantic"), ..any() }),
        (false, Filter { thread: text("chat"), ..any() }),
        (false, Filter { speaker: text("Mara"), ..any() }),
        (true, Filter { happened: Some((1_000, 1_001)), ..any() }),
        (false, Filter { happened: Some((1_001, 2_000)), ..any() }),
        (false, Filter { happened: Some((0, 1_000)), ..any() }),
        (true, Filter { tags: tags(&["red", "round"]), ..any() }),
        (false, Filter { tags: tags(&["red", "square"]), ..any() }),
        (true, Filter { since: Some(1_000), until: Some(1_001), ..any() }),
        (false, Filter { since: Some(1_001), ..any() }),
        (false, Filter { until: Some(1_000), ..any() }),
        (true, Filter { valid_at: Some(500), ..any() }),
        (false, Filter { valid_at: Some(499), ..any() }),
        (false, Filter { valid_at: Some(2_000), ..any() }),
        (true, Filter { importance_min: Some(50_000), ..any() }),
        (false, Filter { importance_min: Some(50_001), ..any() }),
        (true, Filter { now: Some(8_999), ..any() }),
        (false, Filter { now: Some(9_000), ..any() }),
    ] {
        assert_eq!(passes(filter.clone()), fits, "{filter:?}");
    }
}

#[test]
fn a_megabyte_of_query_costs_no_more_than_its_beginning() {
    let finder = skewed(5_000).finder();
    let mut dice = Dice(5);
    let query: String = (0..150_000).map(|_| format!("w{}q ", dice.below(3_000))).collect();
    let beginning = &query[..100_000];
    assert_eq!(parse(&query), parse(beginning));
    assert!(parse(&query).len() <= TERMS_MAX);
    assert_eq!(finder.find(&query), finder.find(beginning));
    assert_eq!(finder.find(&query).len(), 10);
}
