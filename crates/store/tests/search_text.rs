//! The text index follows the ground, from any number of connections, and heals itself.

#![allow(clippy::unwrap_used)]

mod search_ground;

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::thread;

use chrysalis_store::StoreError;
use chrysalis_store::search::feed::{CatchUp, catch_up, text_position};
use chrysalis_store::search::query::{Star, parse};
use chrysalis_store::search::stem::Languages;
use chrysalis_store::search::{StoreMark, text};
use proptest::prelude::*;
use search_ground::{Dice, Finder, Ground, MARK, Said, index, reader, said};

fn numbered(count: usize) -> impl Iterator<Item = Said> {
    (1..=count).map(|number| said(&format!("entry token{number}x of the diary")))
}

fn large_ground(count: usize) -> Ground {
    let ground = Ground::new();
    ground.remember_all(numbered(count));
    ground
}

/// Answers of the index for a sample of words that each stand in one memory.
fn assert_answers(finder: &Finder, count: usize) {
    for number in (1..=count).step_by(count / 40 + 1) {
        assert_eq!(finder.find(&format!("token{number}x")), vec![number as i64]);
    }
    assert!(text::is_sound(&finder.index).unwrap());
}

#[test]
fn what_was_written_is_found_after_catching_up() {
    let ground = Ground::with(&["the parrot likes walnuts", "the dentist is on friday"]);
    let finder = ground.finder();
    assert_eq!(finder.find("which nut does the parrot like? walnut!"), vec![1]);
    assert_eq!(finder.find("dentists"), vec![2]);
    assert_eq!(finder.find("PARROT DENTIST").len(), 2);
}

#[test]
fn accents_and_endings_do_not_matter() {
    let ground = Ground::with(&["she ordered a café crème while running"]);
    let finder = ground.finder();
    for query in ["cafe", "CRÈME", "cre\u{300}me", "runs", "order"] {
        assert_eq!(finder.find(query), vec![1], "{query}");
    }
}

#[test]
fn nothing_is_read_when_nothing_changed() {
    let ground = large_ground(50);
    let mut finder = ground.finder();
    let idle = CatchUp { rows: 0, current: true, rebuilt: false };
    assert_eq!(finder.catch_up(), idle);
    ground.touch(7);
    assert_eq!(finder.catch_up(), CatchUp { rows: 1, ..idle });
    assert_eq!(finder.catch_up(), idle);
}

#[test]
fn a_position_without_a_row_is_passed_once() {
    let ground = large_ground(5);
    let mut finder = ground.finder();
    ground.connection.execute("UPDATE clock SET changed = changed + 10", []).unwrap();
    finder.catch_up();
    assert_eq!(text_position(&finder.index).unwrap(), 15);
    ground.remember(&said("later"));
    assert_eq!(finder.catch_up().rows, 1);
    assert_eq!(finder.find("later").len(), 1);
}

#[test]
fn a_bounded_catch_up_says_that_more_is_waiting() {
    let ground = large_ground(250);
    let mut index = ground.index();
    let first = catch_up(&ground.connection, &mut index, MARK, 100).unwrap();
    assert_eq!(first, CatchUp { rows: 100, current: false, rebuilt: false });
    let second = catch_up(&ground.connection, &mut index, MARK, 1_000).unwrap();
    assert_eq!(second, CatchUp { rows: 150, current: true, rebuilt: false });
    assert_answers(&ground.finder(), 250);
}

#[test]
fn an_update_is_found_by_its_new_words_and_by_no_old_ones() {
    let ground = large_ground(300);
    let mut finder = ground.finder();
    for number in (3..=300).step_by(3) {
        ground.update(number, &said(&format!("changed fresh{number}y")));
    }
    finder.catch_up();
    for number in (3..=300).step_by(3) {
        assert_eq!(finder.find(&format!("token{number}x")), Vec::<i64>::new());
        assert_eq!(finder.find(&format!("fresh{number}y")), vec![number]);
    }
    assert!(text::is_sound(&finder.index).unwrap());
}

#[test]
fn catching_up_inside_a_transaction_is_refused() {
    let ground = large_ground(3);
    let mut index = ground.index();
    ground.connection.execute_batch("BEGIN").unwrap();
    let refused = catch_up(&ground.connection, &mut index, MARK, 10);
    assert!(matches!(refused, Err(StoreError::Invalid(_))));
}

#[test]
fn many_connections_catch_up_at_once_and_agree() {
    let ground = large_ground(9_000);
    let folder = ground.folder.path();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let (reader, mut index) = (reader(folder), index(folder));
                assert!(catch_up(&reader, &mut index, MARK, usize::MAX).unwrap().current);
            });
        }
    });
    assert_answers(&ground.finder(), 9_000);
}

#[test]
fn many_connections_create_the_index_at_once() {
    let ground = large_ground(100);
    let folder = ground.folder.path();
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| catch_up(&reader(folder), &mut index(folder), MARK, usize::MAX).unwrap());
        }
    });
    assert_answers(&ground.finder(), 100);
}

#[test]
fn writing_erasing_and_catching_up_at_once_leave_what_the_ground_holds() {
    let ground = large_ground(1_000);
    let folder = ground.folder.path();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let (reader, mut index) = (reader(folder), index(folder));
                for _ in 0..40 {
                    catch_up(&reader, &mut index, MARK, 150).unwrap();
                }
            });
        }
        scope.spawn(|| remove_some(folder));
    });
    let mut finder = ground.finder();
    finder.catch_up();
    for number in 1..=1_000 {
        let expected = if number % 10 == 0 { vec![] } else { vec![number] };
        assert_eq!(finder.find(&format!("token{number}x")), expected);
    }
    let held: i64 = finder.index.query_row("SELECT rows FROM state", [], |row| row.get(0)).unwrap();
    assert_eq!(held, 900);
    assert!(text::is_sound(&finder.index).unwrap());
}

fn remove_some(folder: &Path) {
    let (ground, mut index) = (reader(folder), index(folder));
    for number in (10..=1_000).step_by(10) {
        ground.execute("DELETE FROM memory WHERE number = ?1", [number]).unwrap();
        text::erase(&mut index, &[number]).unwrap();
    }
}

#[test]
fn a_lost_index_is_built_again() {
    let ground = large_ground(200);
    drop(ground.finder());
    for name in ["text.db", "text.db-wal", "text.db-shm"] {
        let _ = fs::remove_file(ground.path(name));
    }
    assert_answers(&ground.finder(), 200);
}

#[test]
fn an_index_of_another_store_is_built_again() {
    let other = Ground::with(&["a parrot of somebody else"]);
    drop(text::open(&other.path("text.db"), StoreMark([9; 16]), None).unwrap());
    let ground = large_ground(20);
    fs::copy(other.path("text.db"), ground.path("text.db")).unwrap();
    let finder = ground.finder();
    assert_eq!(finder.find("parrot"), Vec::<i64>::new());
    assert_answers(&finder, 20);
}

#[test]
fn an_index_ahead_of_the_ground_is_built_again() {
    let ground = large_ground(100);
    drop(ground.finder());
    // As after restoring an older copy of the ground.
    ground.connection.execute_batch("DELETE FROM memory WHERE number > 60; UPDATE clock SET changed = 60").unwrap();
    let mut index = ground.index();
    let done = catch_up(&ground.connection, &mut index, MARK, usize::MAX).unwrap();
    assert_eq!(done, CatchUp { rows: 60, current: true, rebuilt: true });
    let finder = ground.finder();
    assert_eq!(finder.find("token61x"), Vec::<i64>::new());
    assert_answers(&finder, 60);
}

#[test]
fn a_truncated_index_is_built_again() {
    let ground = large_ground(2_000);
    drop(ground.finder());
    let length = fs::metadata(ground.path("text.db")).unwrap().len();
    for keep in [0, 1, 100, 4_096, length / 3, length - 4_096] {
        let file = fs::OpenOptions::new().write(true).open(ground.path("text.db")).unwrap();
        file.set_len(keep).unwrap();
        drop(file);
        let mut finder = ground.finder();
        heal_as_a_store_does(&mut finder);
        assert_answers(&finder, 2_000);
    }
}

#[test]
fn an_index_that_is_no_database_is_built_again() {
    let ground = large_ground(20);
    fs::write(ground.path("text.db"), b"these are not the pages you are looking for".repeat(300)).unwrap();
    assert_answers(&ground.finder(), 20);
}

/// What `doctor` does, and what a recall does that meets damage: reset, catch up.
fn heal_as_a_store_does(finder: &mut Finder) {
    if !text::is_sound(&finder.index).unwrap() {
        text::reset(&mut finder.index, MARK).unwrap();
        finder.catch_up();
    }
}

#[test]
fn a_reset_is_seen_by_connections_that_were_open() {
    let ground = large_ground(500);
    let (mut first, second) = (ground.finder(), ground.finder());
    assert_eq!(second.find("token5x"), vec![5]);
    text::reset(&mut first.index, MARK).unwrap();
    assert_eq!(second.find("token5x"), Vec::<i64>::new());
    first.catch_up();
    assert_answers(&second, 500);
}

#[test]
fn a_search_in_a_damaged_index_says_so_or_answers() {
    let ground = large_ground(1_500);
    drop(ground.finder());
    let mut dice = Dice(11);
    for _ in 0..30 {
        flip_bytes(&ground.path("text.db"), &mut dice, 40);
        let mut index = ground.index();
        catch_up(&ground.connection, &mut index, MARK, usize::MAX).unwrap();
        let mut finder = ground.finder();
        let terms = parse("token7x diary", Languages::default(), Star::Ignored).telling();
        let filter = chrysalis_store::search::filter::Filter::default();
        let wanted = chrysalis_store::search::lookup::Wanted { most: 5, enough: 5 };
        let answer =
            chrysalis_store::search::lookup::search(&finder.reader, &finder.frequencies, &terms, &filter, wanted);
        assert!(answer.as_ref().is_ok() || matches!(answer, Err(StoreError::Corrupt { .. })), "{answer:?}");
        heal_as_a_store_does(&mut finder);
        // A store opens its connections anew after damage: they may have read damaged definitions of tables.
        drop(finder);
        assert_answers(&ground.finder(), 1_500);
    }
}

fn flip_bytes(path: &Path, dice: &mut Dice, count: usize) {
    let length = fs::metadata(path).unwrap().len() as usize;
    let mut file = fs::OpenOptions::new().write(true).open(path).unwrap();
    for _ in 0..count {
        file.seek(SeekFrom::Start(dice.below(length) as u64)).unwrap();
        file.write_all(&[dice.below(256) as u8]).unwrap();
    }
}

#[derive(Debug, Clone)]
enum Step {
    Remember(u8),
    Update(usize, u8),
    Forget(usize),
    Touch(usize),
    CatchUp(usize),
    Tidy,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => any::<u8>().prop_map(Step::Remember),
        2 => (any::<usize>(), any::<u8>()).prop_map(|(at, word)| Step::Update(at, word)),
        2 => any::<usize>().prop_map(Step::Forget),
        1 => any::<usize>().prop_map(Step::Touch),
        2 => (1_usize..5).prop_map(Step::CatchUp),
        1 => Just(Step::Tidy),
    ]
}

fn words(seed: u8) -> String {
    format!("common{} shared{} word{seed}z", seed % 3, seed % 7)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever happens in whatever order, the index answers as one that is built from the ground at once.
    #[test]
    fn an_index_kept_up_equals_an_index_built_at_once(steps in prop::collection::vec(step(), 1..60)) {
        let ground = Ground::new();
        let mut kept_up = ground.finder();
        let mut living: Vec<i64> = Vec::new();
        for step in steps {
            take(&ground, &mut kept_up, &mut living, step);
        }
        kept_up.catch_up();
        prop_assert!(text::is_sound(&kept_up.index).unwrap());
        let fresh_path = ground.path("fresh.db");
        let mut fresh = text::open(&fresh_path, MARK, None).unwrap();
        catch_up(&ground.connection, &mut fresh, MARK, usize::MAX).unwrap();
        prop_assert_eq!(contents(&kept_up.index), contents(&fresh));
        prop_assert_eq!(vocabulary(&kept_up.index), vocabulary(&fresh));
    }
}

fn take(ground: &Ground, finder: &mut Finder, living: &mut Vec<i64>, step: Step) {
    let pick = |at: usize| (!living.is_empty()).then(|| at % living.len());
    match step {
        Step::Remember(word) => living.push(ground.remember(&said(&words(word)))),
        Step::Update(at, word) => {
            if let Some(at) = pick(at) {
                ground.update(living[at], &said(&words(word)));
            }
        }
        Step::Touch(at) => {
            if let Some(at) = pick(at) {
                ground.touch(living[at]);
            }
        }
        Step::Forget(at) => {
            if let Some(at) = pick(at) {
                let number = living.swap_remove(at);
                ground.remove(number);
                text::erase(&mut finder.index, &[number]).unwrap();
            }
        }
        Step::CatchUp(rows) => {
            catch_up(&finder.reader, &mut finder.index, MARK, rows).unwrap();
        }
        Step::Tidy => {
            text::tidy(&finder.index).unwrap();
        }
    }
}

fn contents(index: &rusqlite::Connection) -> Vec<(i64, String)> {
    let mut statement = index.prepare("SELECT rowid, content FROM words ORDER BY rowid").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

fn vocabulary(index: &rusqlite::Connection) -> Vec<(String, i64, i64)> {
    let mut statement = index.prepare("SELECT term, doc, cnt FROM vocabulary ORDER BY term").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[test]
fn many_threads_make_a_new_index_at_once() {
    for _ in 0..20 {
        let ground = large_ground(1);
        let folder = ground.folder.path();
        thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| drop(index(folder)));
            }
        });
    }
}
