//! Tokens: they read back, and nothing that was cut, mistyped or grown passes for one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use chrysalis_core::Refusal;
use chrysalis_core::limits;
use chrysalis_core::member::{Invitation, Open, Role, Space};
use chrysalis_core::sign::SecretKey;
use chrysalis_core::token::{TOKEN_PREFIX, Token};
use common::{START_MS, closed_space, open_space};
use proptest::prelude::*;

const FOUNDER: u8 = 9;
const SEED: [u8; 32] = [77; 32];

fn invitation(space: &Space, role: Role) -> Invitation {
    let ephemeral = SecretKey::from_seed(&SEED).public();
    Invitation::sign(&space.id(), role, Some(START_MS), ephemeral, None, &SecretKey::from_seed(&[FOUNDER; 32]))
}

fn token(addresses: &[&str]) -> Token {
    let space = closed_space(FOUNDER);
    let invitation = invitation(&space, Role::Writer);
    Token::new(space, invitation, SEED, addresses.iter().map(|one| (*one).to_owned()).collect()).unwrap()
}

#[test]
fn a_token_reads_back_and_lets_its_reader_in() {
    let written = token(&["wss://hub.example:4444", "192.0.2.7:4444"]).encode();
    let read = Token::decode(&format!("  {}\n", *written)).unwrap();
    assert_eq!(read.space, closed_space(FOUNDER));
    assert_eq!(read.addresses, ["wss://hub.example:4444", "192.0.2.7:4444"]);
    assert_eq!(*read.encode(), *written);
    for seed in [3, 4] {
        let replica = SecretKey::from_seed(&[seed; 32]).public();
        let epoch = chrysalis_core::id::Epoch([seed; 16]);
        let open = Open { space: read.space.clone(), replica, epoch, grant: Some(read.accept(&replica)) };
        assert_eq!(open.role(START_MS, None), Ok(Role::Writer));
    }
}

#[test]
fn a_token_is_one_line_of_characters_that_need_no_quoting() {
    let text = token(&["wss://hub.example:4444"]).encode();
    assert!(text.starts_with(TOKEN_PREFIX));
    assert!(text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'), "{}", *text);
}

#[test]
fn a_token_cut_anywhere_says_that_it_was_cut() {
    let text = token(&[]).encode();
    for length in TOKEN_PREFIX.len()..text.len() {
        let Err(Refusal::Malformed(what)) = Token::decode(&text[..length]) else { panic!("{length} passed") };
        assert!(what.contains("cut"), "{length}: {what}");
    }
    assert!(matches!(Token::decode("hello"), Err(Refusal::Malformed("this is no invitation token"))));
}

#[test]
fn the_secret_stays_out_of_debug_output() {
    let token = token(&[]);
    let shown = format!("{token:?}");
    assert_eq!(shown, "Token(space \"tests\", role writer, secret)");
}

#[test]
fn a_token_has_bounds() {
    let space = closed_space(FOUNDER);
    let made = |addresses: Vec<String>| {
        Token::new(space.clone(), invitation(&space, Role::Reader), SEED, addresses).map(|_| ()).map_err(|r| r.code())
    };
    assert_eq!(made(vec!["a:1".to_owned(); limits::TOKEN_ADDRESSES_MAX]), Ok(()));
    assert_eq!(made(vec!["a:1".to_owned(); limits::TOKEN_ADDRESSES_MAX + 1]), Err("too_large"));
    assert_eq!(made(vec!["a".repeat(limits::ADDRESS_BYTES_MAX + 1)]), Err("too_large"));
    assert_eq!(made(vec!["a b".to_owned()]), Err("malformed"));
    assert_eq!(made(vec![String::new()]), Err("malformed"));
    let long = format!("{TOKEN_PREFIX}{}", "A".repeat(limits::TOKEN_BYTES_MAX + 1));
    assert_eq!(Token::decode(&long).map(|_| ()).unwrap_err().code(), "too_large");
    let longest = vec!["a".repeat(limits::ADDRESS_BYTES_MAX); limits::TOKEN_ADDRESSES_MAX];
    let longest = Token::new(space.clone(), invitation(&space, Role::Reader), SEED, longest).unwrap();
    assert!(Token::decode(&longest.encode()).is_ok());
}

#[test]
fn a_secret_that_is_not_the_invitation_s_makes_no_token() {
    let space = closed_space(FOUNDER);
    let other = Token::new(space.clone(), invitation(&space, Role::Writer), [1; 32], Vec::new());
    assert_eq!(other.map(|_| ()).unwrap_err().code(), "malformed");
    let open = Token::new(open_space(), invitation(&open_space(), Role::Writer), SEED, Vec::new()).unwrap();
    assert_eq!(Token::decode(&open.encode()).map(|_| ()).unwrap_err().code(), "malformed");
}

proptest! {
    #[test]
    fn a_mistyped_character_is_always_noticed(at in any::<prop::sample::Index>(), other in "[A-Za-z0-9_=+/-]") {
        let text = token(&["hub.example:4444"]).encode();
        let at = TOKEN_PREFIX.len() + at.index(text.len() - TOKEN_PREFIX.len());
        let mistyped = format!("{}{other}{}", &text[..at], &text[at + 1..]);
        prop_assume!(mistyped != *text);
        prop_assert!(Token::decode(&mistyped).is_err());
    }

    #[test]
    fn any_text_is_read_without_a_panic(rest in ".{0,200}", coded in "[A-Za-z0-9_-]{0,300}") {
        let _ = Token::decode(&rest);
        let _ = Token::decode(&format!("{TOKEN_PREFIX}{coded}"));
    }
}
