//! A store as a whole forgets: after a long history no file holds a word that is no longer in a memory.

#![allow(clippy::unwrap_used)]

mod search_ground;

use std::collections::HashSet;
use std::fs;

use chrysalis_core::payload::{Field, Value};
use chrysalis_store::search::mode::Mode;
use chrysalis_store::{Durability, Edit, Query, Remember, Store, StoreOptions};
use search_ground::Dice;

fn saying(content: &str) -> Edit {
    let mut edit = Edit::default();
    edit.set(Field::Content, Value::Text(content.to_owned()));
    edit
}

/// Remembers, updates, recalls and forgets; every content has a word of its own.
fn live(store: &Store, dice: &mut Dice, living: &mut Vec<(String, String)>, gone: &mut Vec<String>) {
    for _ in 0..12 {
        let word = dice.word(14);
        let padding = "and so on ".repeat(dice.below(200));
        let edit = saying(&format!("about {word} in the garden {padding}"));
        let written = store.remember("anna", Remember { id: None, edit }).unwrap();
        living.push((written.id, word));
    }
    let updated = living[dice.below(living.len())].0.clone();
    let mut tagged = Edit::default();
    tagged.add_tags.insert(dice.word(5));
    store.update("anna", &updated, tagged).unwrap();
    let query = Query { text: "garden".to_owned(), k: 3, mode: Mode::Text, ..Default::default() };
    store.recall(&query).unwrap();
    for _ in 0..8 {
        let (id, word) = living.swap_remove(dice.below(living.len()));
        store.forget(&id, "no longer needed", false).unwrap();
        gone.push(word);
    }
}

#[test]
fn after_a_long_history_no_file_holds_a_forgotten_word() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = StoreOptions::default();
    options.connection.durability = Durability::Off;
    let store = Store::open(folder.path(), options).unwrap();
    let mut dice = Dice(0x005e_ed77);
    let (mut living, mut gone) = (Vec::new(), Vec::new());
    for _ in 0..200 {
        live(&store, &mut dice, &mut living, &mut gone);
    }
    for entry in fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        let present: HashSet<&[u8]> = bytes.windows(8).collect();
        let traces: Vec<&String> = gone.iter().filter(|word| present.contains(&word.as_bytes()[..8])).collect();
        assert_eq!(traces, Vec::<&String>::new(), "{}", path.display());
    }
    assert!(living.len() > 400);
}
