//! What is erased from the text index and the vectors is in no byte of their files.

#![allow(clippy::unwrap_used)]

mod search_ground;

use std::collections::HashSet;
use std::fs;

use chrysalis_store::search::derived::{Erasure, truncate_log};
use chrysalis_store::search::feed::{catch_up, erase_orphans};
use chrysalis_store::search::{text, vector};
use search_ground::{Dice, Finder, Ground, MARK, files_with, said};

/// The files of the text index alone: the ground of these tests is not the one that forgets.
fn words_in_index(ground: &Ground, word: &str) -> Vec<String> {
    let mut files = files_with(ground.folder.path(), word);
    files.retain(|name| name.starts_with("text.db"));
    files
}

#[test]
fn a_forgotten_word_and_its_beginning_are_in_no_file_of_the_index() {
    let ground =
        Ground::with(&["the parrot likes walnuts", "the secret is xylophagous", "xylophone lessons on friday"]);
    let mut finder = ground.finder();
    assert!(!words_in_index(&ground, "xylophag").is_empty());

    ground.remove(2);
    let erasure = text::erase(&mut finder.index, &[2]).unwrap();

    assert_eq!(erasure, Erasure { erased: 1, log_truncated: true });
    assert_eq!(words_in_index(&ground, "xylophag"), Vec::<String>::new());
    assert_eq!(finder.find("xylophagous"), Vec::<i64>::new());
    assert_eq!(finder.find("xylophone"), vec![3]);
}

#[test]
fn nothing_remains_of_many_forgotten_among_many_kept() {
    let ground = Ground::new();
    let mut dice = Dice(0x9e37_79b9);
    let secrets: Vec<String> = (0..4_000).map(|_| dice.word(14)).collect();
    ground.remember_all(secrets.iter().map(|secret| said(&format!("we met at the harbour about {secret} again"))));
    let mut finder = ground.finder();
    let (mut gone, mut kept) = (Vec::new(), Vec::new());
    for (number, secret) in (1..).zip(&secrets) {
        if number % 3 == 0 { gone.push((number, secret)) } else { kept.push((number, secret)) }
    }

    let numbers: Vec<i64> = gone.iter().map(|(number, _)| *number).collect();
    for &number in &numbers {
        ground.remove(number);
    }
    text::erase(&mut finder.index, &numbers).unwrap();

    let bytes = fs::read(ground.path("text.db")).unwrap();
    let log = fs::read(ground.path("text.db-wal")).unwrap();
    assert_eq!(log.len(), 0);
    let present: HashSet<&[u8]> = bytes.windows(7).collect();
    let traces: Vec<&str> = gone
        .iter()
        .map(|(_, secret)| secret.as_str())
        .filter(|secret| present.contains(&secret.as_bytes()[..7]))
        .filter(|secret| !kept.iter().any(|(_, word)| word.starts_with(&secret[..7])))
        .collect();
    assert_eq!(traces, Vec::<&str>::new());
    for (number, secret) in kept.iter().step_by(97) {
        assert_eq!(finder.find(secret), vec![*number]);
    }
    assert!(text::is_sound(&finder.index).unwrap());
}

#[test]
fn a_page_that_began_with_a_forgotten_word_does_not_keep_it() {
    // Words side by side in the alphabet, all forgotten but one in fifty: many pages of a segment begin with one.
    let ground = Ground::new();
    let words: Vec<String> = (0..6_000).map(|at| format!("kryptonite{at:05}q")).collect();
    ground.remember_all(words.iter().map(|word| said(word)));
    let mut finder = ground.finder();
    let gone: Vec<i64> = (1..=6_000).filter(|number| number % 50 != 0).collect();
    for &number in &gone {
        ground.remove(number);
    }
    for part in gone.chunks(700) {
        text::erase(&mut finder.index, part).unwrap();
    }

    let bytes = fs::read(ground.path("text.db")).unwrap();
    let traces: Vec<&String> = gone
        .iter()
        .map(|number| &words[*number as usize - 1])
        .filter(|word| bytes.windows(15).any(|window| window == &word.as_bytes()[..15]))
        .collect();
    assert_eq!(traces, Vec::<&String>::new());
    for number in (50..=6_000).step_by(50) {
        assert_eq!(finder.find(&words[number - 1]), vec![number as i64]);
    }
    assert!(text::is_sound(&finder.index).unwrap());
}

#[test]
fn words_of_an_older_content_are_gone_with_the_update_and_after_forgetting() {
    let ground = Ground::with(&["the code was bumfuzzle", "another memory"]);
    let mut finder = ground.finder();
    ground.update(1, &said("the code is now gardyloo"));
    finder.catch_up();

    assert_eq!(finder.find("bumfuzzle"), Vec::<i64>::new());
    assert_eq!(finder.find("gardyloo"), vec![1]);

    ground.remove(1);
    text::erase(&mut finder.index, &[1]).unwrap();
    assert_eq!(words_in_index(&ground, "bumfuz"), Vec::<String>::new());
    assert_eq!(words_in_index(&ground, "gardyl"), Vec::<String>::new());
}

#[test]
fn tags_and_speaker_are_forgotten_too() {
    let ground = Ground::new();
    let mut memory = said("we talked");
    memory.tags = vec!["zymurgyclub".to_owned()];
    memory.speaker = Some("Quetzalina".to_owned());
    let number = ground.remember(&memory);
    let mut finder = ground.finder();
    assert_eq!(finder.find("zymurgyclub"), vec![number]);
    assert_eq!(finder.find("quetzalina"), vec![number]);

    ground.remove(number);
    text::erase(&mut finder.index, &[number]).unwrap();
    assert_eq!(words_in_index(&ground, "zymur"), Vec::<String>::new());
    assert_eq!(words_in_index(&ground, "quetz"), Vec::<String>::new());
}

#[test]
fn erasing_twice_or_what_was_never_indexed_does_nothing() {
    let ground = Ground::with(&["one thing"]);
    let mut finder = ground.finder();
    ground.remove(1);
    text::erase(&mut finder.index, &[1]).unwrap();
    let again = text::erase(&mut finder.index, &[1, 99]).unwrap();
    assert_eq!(again, Erasure { erased: 0, log_truncated: true });
}

#[test]
fn a_reader_of_an_old_snapshot_delays_truncation_and_is_reported() {
    let ground = Ground::with(&["the secret is xylophagous"]);
    let mut finder = ground.finder();
    let other = ground.index();
    other.execute_batch("BEGIN; SELECT count(*) FROM words;").unwrap();
    finder.index.busy_timeout(std::time::Duration::from_millis(1)).unwrap();

    ground.remove(1);
    let erasure = text::erase(&mut finder.index, &[1]).unwrap();
    assert_eq!(erasure, Erasure { erased: 1, log_truncated: false });

    other.execute_batch("COMMIT").unwrap();
    assert!(truncate_log(&finder.index).unwrap());
    assert_eq!(words_in_index(&ground, "xylop"), Vec::<String>::new());
}

#[test]
fn removals_that_a_killed_process_did_not_pass_on_are_found() {
    let ground = Ground::with(&["the secret is xylophagous", "kept"]);
    let mut finder = ground.finder();
    ground.remove(1);

    assert_eq!(erase_orphans(&finder.reader, &mut finder.index).unwrap(), 1);
    assert_eq!(words_in_index(&ground, "xylop"), Vec::<String>::new());
    assert_eq!(finder.find("kept"), vec![2]);
}

#[test]
fn a_removed_memory_is_never_an_answer_even_before_it_is_erased() {
    let ground = Ground::with(&["the secret is xylophagous"]);
    let finder = ground.finder();
    ground.remove(1);
    assert_eq!(finder.find("xylophagous"), Vec::<i64>::new());
}

#[test]
fn catching_up_does_not_bring_an_erased_memory_back() {
    let ground = Ground::with(&["the secret is xylophagous"]);
    let mut finder = ground.finder();
    ground.touch(1);
    ground.remove(1);
    text::erase(&mut finder.index, &[1]).unwrap();
    catch_up(&finder.reader, &mut finder.index, MARK, usize::MAX).unwrap();
    assert_eq!(words_in_index(&ground, "xylop"), Vec::<String>::new());
}

#[test]
fn a_long_history_of_changes_leaves_only_the_words_that_are_held() {
    let ground = Ground::new();
    let mut finder = ground.finder();
    let mut dice = Dice(0x5eed);
    let (mut living, mut gone): (Vec<(i64, String)>, Vec<String>) = (Vec::new(), Vec::new());
    for _ in 0..150 {
        change_some(&ground, &mut finder, &mut dice, &mut living, &mut gone);
    }
    finder.catch_up();
    assert!(truncate_log(&finder.index).unwrap());

    let bytes = fs::read(ground.path("text.db")).unwrap();
    let present: HashSet<&[u8]> = bytes.windows(7).collect();
    let traces: Vec<&String> = gone.iter().filter(|word| present.contains(&word.as_bytes()[..7])).collect();
    assert_eq!(traces, Vec::<&String>::new());
    assert!(gone.len() > 1_000 && living.len() > 300);
    assert!(living.iter().all(|(_, word)| present.contains(&word.as_bytes()[..7])));
    assert!(text::is_sound(&finder.index).unwrap());
}

/// Remembers, updates and forgets, with a word of its own in each content, and indexes in between.
fn change_some(
    ground: &Ground,
    finder: &mut Finder,
    dice: &mut Dice,
    living: &mut Vec<(i64, String)>,
    gone: &mut Vec<String>,
) {
    for _ in 0..12 {
        let word = dice.word(14);
        living.push((ground.remember(&said(&format!("about {word} in the garden"))), word));
    }
    finder.catch_up();
    for _ in 0..4 {
        let at = dice.below(living.len());
        let word = dice.word(14);
        ground.update(living[at].0, &said(&format!("rather about {word} behind the house")));
        gone.push(std::mem::replace(&mut living[at].1, word));
    }
    finder.catch_up();
    let forgotten: Vec<(i64, String)> = (0..8).map(|_| living.swap_remove(dice.below(living.len()))).collect();
    for (number, word) in forgotten {
        ground.remove(number);
        text::erase(&mut finder.index, &[number]).unwrap();
        gone.push(word);
    }
    if dice.below(5) == 0 {
        text::tidy(&finder.index).unwrap();
    }
}

#[test]
fn resetting_a_damaged_index_forgets_too() {
    let ground = Ground::with(&["the secret is xylophagous", "kept"]);
    let mut finder = ground.finder();
    finder.index.execute("DELETE FROM words_data WHERE id > 10", []).unwrap();
    ground.remove(1);

    assert!(!text::is_sound(&finder.index).unwrap());
    text::reset(&mut finder.index, MARK).unwrap();
    finder.catch_up();
    assert_eq!(words_in_index(&ground, "xylop"), Vec::<String>::new());
    assert_eq!(finder.find("kept"), vec![2]);
}

#[test]
fn the_bytes_of_an_erased_vector_are_gone() {
    let ground = Ground::with(&["the secret", "kept"]);
    let mut vectors = vector::open(&ground.path("vectors.db"), MARK, None).unwrap();
    let pending = vector::pending(&ground.connection, &vectors, "model", 10).unwrap();
    let new: Vec<vector::NewVector> = pending
        .iter()
        .map(|memory| {
            let passages = vec![wave(memory.number as f32)];
            vector::NewVector { number: memory.number, digest: memory.digest, passages }
        })
        .collect();
    assert_eq!(vector::put(&ground.connection, &mut vectors, "model", &new).unwrap(), 2);
    ground.remove(1);
    let erasure = vector::erase(&ground.connection, &mut vectors, &[1]).unwrap();

    assert_eq!(erasure, Erasure { erased: 1, log_truncated: true });
    let bytes = fs::read(ground.path("vectors.db")).unwrap();
    // As the file keeps them: in 8 bits, the greatest being 127.
    let has = |step: f32| {
        let wanted: Vec<u8> = wave(step)[200..224].iter().map(|value| (value * 127.0).round() as i8 as u8).collect();
        bytes.windows(wanted.len()).any(|window| window == wanted)
    };
    assert_eq!((has(1.0), has(2.0)), (false, true));
}

/// Values of which the greatest is 1.
fn wave(step: f32) -> Vec<f32> {
    (0..384).map(|at| (at as f32 * step).cos()).collect()
}
