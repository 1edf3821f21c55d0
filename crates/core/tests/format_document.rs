//! `docs/format.md` says what the code does: its example is the golden bytes, its numbers are the code's, its links
//! lead somewhere.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;

use chrysalis_core::member::Role;
use chrysalis_core::operation::Kind;
use chrysalis_core::payload::{Collection, Field, Score};

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn document() -> String {
    std::fs::read_to_string(repository().join("docs/format.md")).unwrap()
}

fn golden(name: &str) -> String {
    let text = std::fs::read_to_string(repository().join("crates/core/tests/vectors/golden.txt")).unwrap();
    text.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned()
}

/// The hexadecimal of a fenced block, without its comments.
fn block(language: &str) -> String {
    let document = document();
    let (_, after) = document.split_once(&format!("```{language}\n")).unwrap();
    let (inside, _) = after.split_once("```").unwrap();
    inside.lines().map(|line| line.split('#').next().unwrap().trim()).collect()
}

#[test]
fn the_example_of_the_format_document_is_the_golden_operation() {
    assert_eq!(block("hex"), golden("segment.1 encoded"));
    assert_eq!(block("fingerprint"), golden("segment.1 fingerprint"));
}

#[test]
fn the_format_document_has_every_number_of_the_wire_format() {
    let document = document();
    let kinds = (0..).map_while(|number| Kind::from_number(number).ok()).map(|kind| (kind as u8, kind.name()));
    let roles = (0..).map_while(|number| Role::from_number(number).ok()).map(|role| (role as u8, role.name()));
    let fields = Field::ALL.into_iter().map(|field| (field as u8, field.name()));
    let collections = Collection::ALL.into_iter().map(|collection| (collection as u8, collection.name()));
    let scores = [Score::Importance, Score::Confidence].into_iter().map(|score| (score as u8, score.name()));
    for (number, name) in kinds.chain(roles).chain(fields).chain(collections).chain(scores) {
        assert!(document.contains(&format!("\n| {number} | {name} |")), "no row for {name}");
    }
}

#[test]
fn the_least_role_of_every_kind_is_the_one_in_the_document() {
    let document = document();
    for kind in (0..).map_while(|number| Kind::from_number(number).ok()) {
        let least = (0..).map_while(|number| Role::from_number(number).ok()).find(|role| role.may(kind)).unwrap();
        assert!(document.contains(&format!("| {} | {} | {} |", kind as u8, kind.name(), least.name())));
    }
}

#[test]
fn every_link_of_the_format_document_leads_to_a_file_or_a_heading() {
    let document = document();
    let links: Vec<&str> = document.split("](").skip(1).filter_map(|after| after.split(')').next()).collect();
    assert!(links.len() > 10);
    let named = |line: &str| line.trim_start_matches(['#', ' ', '`']).to_lowercase().replace(' ', "-").replace('`', "");
    let headings: Vec<String> = document.lines().filter(|line| line.starts_with('#')).map(named).collect();
    for link in links {
        match link.strip_prefix('#') {
            Some(heading) => assert!(headings.iter().any(|one| one == heading), "{link}"),
            None => assert!(repository().join("docs").join(link).is_file(), "{link}"),
        }
    }
}
