//! What is said in any language is found by its own words; places, postings and neighbours are what was written.

#![allow(clippy::unwrap_used)]

mod search_ground;

use std::collections::HashMap;

use chrysalis_store::search::dates::{DateWord, date_words};
use chrysalis_store::search::place::{self, Neighbours, extent, languages, neighbours, places};
use chrysalis_store::search::postings::{Column, Posting, count, postings};
use chrysalis_store::search::query::{Asked, AskedKind, Star, Term, parse};
use chrysalis_store::search::stem::Languages;
use chrysalis_store::search::text;
use proptest::prelude::*;
use search_ground::{Finder, Ground, MARK, Said, said};

fn asked(finder: &Finder, query: &str, star: Star) -> Vec<Asked> {
    parse(query, languages(&finder.reader).unwrap(), star).telling()
}

#[test]
fn words_of_many_languages_and_scripts_are_found() {
    let contents = [
        "Wir haben uns am Hafen getroffen und über die neuen Häuser gesprochen",
        "Nous avons parlé des vieilles chansons de la région",
        "Мы говорили о новых книгах и о море",
        "昨日は東京で友達に会いました",
        "我们在北京吃了烤鸭",
        "서울에서 친구를 만났습니다",
        "ฉันชอบกินข้าวผัด",
        "التقينا في الميناء يوم الجمعة",
        "𞤢𞤣𞤤𞤢𞤥 𞤨𞤵𞤤𞤢𞤪",
        "the build of release v2.1-rc fails in src/search/text.rs, ask anna.k@example.com about getUserName",
        "we celebrated 🎉 with 🇩🇪 friends",
        "Łódź, smørrebrød, crème brûlée, ＦＵＬＬ width",
    ];
    let finder = Ground::with(&contents).finder();
    for (number, queries) in [
        (1, &["haus", "Häuser", "hafen", "getroffen"][..]),
        (2, &["chanson", "régions", "region", "vieille"]),
        (3, &["книга", "книги", "МОРЕ"]),
        (4, &["東京", "友達", "友", "昨日"]),
        (5, &["北京", "烤鸭", "鸭"]),
        (6, &["서울", "친구"]),
        (7, &["ข้าวผัด", "กิน", "ข้าว"]),
        (8, &["الميناء", "الجمعة"]),
        (9, &["𞤀𞤣𞤤𞤢𞤥"]),
        (10, &["v2.1", "text.rs", "anna.k@example.com", "user name", "getusername", "GetUserName", "src/search"]),
        (11, &["🎉", "🇩🇪", "celebrating"]),
        (12, &["lodz", "SMORREBROD", "creme brulee", "full"]),
    ] {
        for query in queries {
            assert_eq!(finder.find(query), vec![number], "{query}");
        }
    }
}

#[test]
fn a_memory_taken_for_another_language_is_found_by_the_very_same_word() {
    let finder = Ground::with(&[
        "Ich habe der Nachbarin die alten Zeitungen und die Bücher gegeben",
        "Zeitungen: alte",
        "the newspapers were old",
    ])
    .finder();
    let mut found = finder.find("Zeitungen");
    found.sort_unstable();
    assert_eq!(found, vec![1, 2]);
    assert_eq!(finder.find("newspaper"), vec![3]);
}

#[test]
fn hyphens_and_capitals_make_no_difference() {
    let finder =
        Ground::with(&["send an e-mail over Wi-Fi", "send an email over wifi", "ask GPT-4", "ask gpt4"]).finder();
    for (query, numbers) in
        [("email", [1, 2]), ("e-mail", [1, 2]), ("wifi", [1, 2]), ("gpt4", [3, 4]), ("GPT-4", [3, 4])]
    {
        let mut found = finder.find(query);
        found.sort_unstable();
        assert_eq!(found, numbers, "{query}");
    }
}

#[test]
fn a_star_stands_for_the_rest_of_a_word_when_it_is_meant() {
    let ground = Ground::with(&["the deployment failed", "she deploys on friday", "depot", "a \"de* quote"]);
    let finder = ground.finder();
    let kinds = |star| asked(&finder, "fast deplo*", star).iter().map(|asked| asked.kind).collect::<Vec<_>>();
    assert_eq!(kinds(Star::Ignored), vec![AskedKind::Word, AskedKind::Word]);
    assert_eq!(kinds(Star::Meant), vec![AskedKind::Word, AskedKind::Beginning]);
    for (query, numbers) in
        [("deplo*", vec![1, 2]), ("deployments*", vec![1, 2]), ("dep*", vec![1, 2, 3]), ("d*", vec![])]
    {
        let mut found: Vec<i64> = Vec::new();
        for term in asked(&finder, query, Star::Meant).iter().flat_map(|asked| &asked.terms) {
            found.extend(postings(&finder.reader, term, 100).unwrap().iter().map(|posting| posting.number));
        }
        found.sort_unstable();
        found.dedup();
        assert_eq!(found, numbers, "{query}");
    }
}

#[test]
fn postings_tell_column_and_count() {
    let ground = Ground::new();
    let mut memory = said("boat after boat, and a houseBoat");
    memory.tags = vec!["boats".to_owned()];
    memory.occurred_at = Some(1_683_460_800_000);
    ground.remember(&memory);
    ground.remember(&said("a boat"));
    let finder = ground.finder();
    let boat = Term::of("boat".to_owned());
    let posting = |number, column, count| Posting { number, column, count };
    let expected = vec![
        posting(1, Column::Content, 2),
        posting(1, Column::Labels, 1),
        posting(1, Column::Parts, 1),
        posting(2, Column::Content, 1),
    ];
    assert_eq!(postings(&finder.reader, &boat, 10).unwrap(), expected);
    assert_eq!(count(&finder.reader, &boat).unwrap(), 2);
    assert_eq!(postings(&finder.reader, &boat, 1).unwrap(), vec![posting(2, Column::Content, 1)]);
    for word in date_words(1_683_460_800_000) {
        let found = postings(&finder.reader, &Term::of(word.term()), 10).unwrap();
        assert_eq!(found, vec![posting(1, Column::Dates, 1)], "{word:?}");
    }
    assert_eq!(postings(&finder.reader, &Term::of(DateWord::Day(8).term()), 10).unwrap(), vec![]);
}

#[test]
fn may_the_month_is_not_may_the_verb() {
    let ground = Ground::new();
    let mut memory = said("we met");
    memory.occurred_at = Some(1_683_460_800_000);
    ground.remember(&memory);
    ground.remember(&said("it may rain in May 2023"));
    let finder = ground.finder();
    assert_eq!(finder.find("\"may 2023\""), vec![2]);
    assert_eq!(finder.find("§m5 §y2023 §d7"), Vec::<i64>::new());
}

fn in_thread(thread: &str, scope: &str, occurred_at: Option<i64>, created_at: i64) -> Said {
    let mut memory = said("said in a thread");
    memory.thread = Some(thread.to_owned());
    memory.scope = scope.to_owned();
    memory.occurred_at = occurred_at;
    memory.created_at = created_at;
    memory
}

#[test]
fn neighbours_are_those_of_the_same_thread_and_scope_in_the_order_of_time() {
    let ground = Ground::new();
    ground.remember(&in_thread("a", "", None, 30));
    ground.remember(&in_thread("a", "", Some(10), 99));
    ground.remember(&in_thread("a", "team", None, 20));
    ground.remember(&in_thread("b", "", None, 20));
    ground.remember(&in_thread("a", "", None, 20));
    ground.remember(&in_thread("a", "", None, 20));
    ground.remember(&said("in no thread"));
    let finder = ground.finder();
    let places = places(&finder.reader, 1..=8).unwrap();
    assert_eq!(places.len(), 7);
    let all = neighbours(&finder.reader, &places, 2).unwrap();
    let expected = |before: &[i64], after: &[i64]| Neighbours { before: before.to_vec(), after: after.to_vec() };
    assert_eq!(all[&2], expected(&[], &[5, 6]));
    assert_eq!(all[&5], expected(&[2], &[6, 1]));
    assert_eq!(all[&6], expected(&[5, 2], &[1]));
    assert_eq!(all[&1], expected(&[6, 5], &[]));
    assert_eq!((&all[&3], &all[&4]), (&expected(&[], &[]), &expected(&[], &[])));
    assert!(!all.contains_key(&7));
}

#[test]
fn places_follow_every_change_and_totals_with_them() {
    let ground = Ground::new();
    let mut memory = said("the harbour is full of boats");
    memory.speaker = Some("Anna ".to_owned());
    memory.created_at = 5;
    ground.remember(&memory);
    ground.remember(&said("Wir haben uns am Hafen getroffen"));
    let mut finder = ground.finder();
    let read = |finder: &Finder| places(&finder.reader, [1]).unwrap().get(&1).copied();
    let place = read(&finder).unwrap();
    assert_eq!((place.length, place.at, place.occurred, place.thread), (3, 5, false, None));
    assert_eq!(place.speaker, Some(place::speaker_digest(MARK, "anna")));
    assert_eq!(
        languages(&finder.reader).unwrap().iter().map(|language| language.code()).collect::<Vec<_>>(),
        ["en", "de"]
    );

    memory.content = "boats".to_owned();
    memory.occurred_at = Some(77);
    ground.update(1, &memory);
    ground.remove(2);
    text::erase(&mut finder.index, &[2]).unwrap();
    finder.catch_up();
    let place = read(&finder).unwrap();
    assert_eq!((place.length, place.at, place.occurred), (1, 77, true));
    let totals = extent(&finder.reader).unwrap();
    assert_eq!((totals.rows, totals.mean_length), (1, 1.0));
    assert_eq!(languages(&finder.reader).unwrap(), Languages::default());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Whatever a memory holds is indexed, and each of its words, as people split words, finds it.
    #[test]
    fn every_word_of_a_memory_finds_it(content in "\\PC{0,60}", wild in any::<String>()) {
        let content = format!("{content} {wild}");
        let ground = Ground::with(&[&content]);
        let finder = ground.finder();
        prop_assert!(text::is_sound(&finder.index).unwrap());
        for word in content.split_whitespace().take(8) {
            let asked = asked(&finder, word, Star::Ignored);
            prop_assert_eq!(asked.is_empty(), finder.find(word).is_empty(), "{:?}", word);
        }
    }

    /// What is erased takes every term with it, whatever it was.
    #[test]
    fn nothing_of_a_memory_stays_in_the_vocabulary(content in any::<String>()) {
        let ground = Ground::with(&[&content]);
        let mut finder = ground.finder();
        ground.remove(1);
        text::erase(&mut finder.index, &[1]).unwrap();
        for (table, rows) in [("vocabulary", 0), ("words_content", 0), ("place", 0)] {
            let sql = format!("SELECT count(*) FROM {table}");
            prop_assert_eq!(finder.index.query_row(&sql, [], |row| row.get::<_, i64>(0)).unwrap(), rows);
        }
    }

    /// No query is refused, with a star or without, and every term it gives can be asked for.
    #[test]
    fn every_term_of_a_query_can_be_asked_for(query in any::<String>(), odd in "[\"'«»*^(){}:+\\-\0 a-cA-C,漢字ไท§]{0,40}") {
        let ground = Ground::with(&["a b c 漢字 ไทย"]);
        let finder = ground.finder();
        for text in [&query, &odd, &format!("{query}*"), &format!("{odd}*")] {
            for term in asked(&finder, text, Star::Meant).iter().flat_map(|asked| &asked.terms) {
                postings(&finder.reader, term, 5).unwrap();
                count(&finder.reader, term).unwrap();
            }
        }
    }
}

/// One memory for each character there is: FTS5 neither splits a term of ours nor folds two of them into one.
#[test]
fn no_character_is_split_or_folded_by_fts5() {
    let letters: Vec<char> = (1..=u32::from(char::MAX)).filter_map(char::from_u32).collect();
    let ground = Ground::new();
    ground.remember_all(letters.chunks(200).map(|letters| {
        let words: Vec<String> = letters.iter().map(|letter| format!("x{letter}")).collect();
        said(&words.join(" "))
    }));
    let finder = ground.finder();
    let mut written: HashMap<String, i64> = HashMap::new();
    let mut statement = finder.index.prepare("SELECT content || ' ' || parts FROM words").unwrap();
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    for term in rows.flat_map(|row| row.unwrap().split(' ').map(str::to_owned).collect::<Vec<_>>()) {
        *written.entry(term).or_default() += 1;
    }
    written.remove("");
    let mut statement = finder.index.prepare("SELECT term, cnt FROM vocabulary").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let held: HashMap<String, i64> = rows.collect::<Result<_, _>>().unwrap();
    assert_eq!(held.len(), written.len());
    assert!(held == written);
    assert!(held.len() > 100_000);
}
