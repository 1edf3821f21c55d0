//! A node that hears arbitrary frames, in any order, before and after the handshake, at arbitrary times.
//!
//! It never panics, what it keeps stays within its bounds, and what it sends can be read.

#![no_main]

#[path = "../../crates/core/tests/common/mod.rs"]
mod common;

use std::convert::Infallible;

use chrysalis_core::id::{Epoch, Salt};
use chrysalis_core::sign::SecretKey;
use chrysalis_core::sync::memory::MemoryReplica;
use chrysalis_core::sync::message::Message;
use chrysalis_core::sync::node::{Effect, LinkId, Node, NodeConfig};
use chrysalis_core::sync::session::{Opened, Session, Terms};
use common::{START_MS, note, open_space};
use libfuzzer_sys::fuzz_target;

/// Bounds so small that a script reaches them.
fn config() -> NodeConfig {
    NodeConfig {
        waiting_bytes_max: 8_192,
        waiting_link_bytes_max: 8_192,
        waiting_log_bytes_max: 4_096,
        links_max: 3,
        listed_logs_max: 2,
        ..NodeConfig::default()
    }
}

fn replica() -> MemoryReplica {
    let mut replica = MemoryReplica::new(open_space(), SecretKey::from_seed(&[1; 32]), None);
    replica.open(Epoch([1; 16]), Salt([1; 16]), START_MS).unwrap();
    replica.say(note("words"), Salt([2; 16]), START_MS).unwrap();
    replica
}

struct Host {
    node: Node,
    replica: MemoryReplica,
    now_ms: u64,
    /// The peer's side of the handshake over the first link.
    session: Session,
}

impl Host {
    fn step(&mut self) {
        for effect in self.node.step(&mut self.replica, self.now_ms) {
            let Effect::<Infallible>::Send { link, frame } = effect else { continue };
            let message = Message::decode(&frame).expect("what a node sends can be read");
            if let (LinkId(1), Message::Hello(hello)) = (link, message) {
                let _ = self.session.hear_hello(&terms(), hello);
            }
        }
        let status = self.node.status();
        assert!(status.waiting_bytes <= 8_192 && status.inbox_bytes == 0 && status.links.len() <= 3);
    }

    fn shake_hands(&mut self) {
        if let Some(hello) = self.session.begin(&terms()) {
            self.node.received(LinkId(1), Message::Hello(hello).encode());
            self.step();
            let credentials = self.session.credentials(|message| SecretKey::from_seed(&[9; 32]).sign(message), None);
            self.node.received(LinkId(1), Message::Credentials(credentials).encode());
            self.step();
        }
    }
}

fn terms() -> Terms {
    let replica = SecretKey::from_seed(&[9; 32]).public();
    Terms { space: open_space().id(), replica, window_bytes: 1 << 20, address: None }
}

fn opened(nonce: u8, dialed: bool) -> Opened {
    Opened { nonce: [nonce; 32], dialed: dialed.then(|| "ws://a:1".to_owned()), trusted: None }
}

fuzz_target!(|data: &[u8]| {
    let session = Session::new(opened(9, true));
    let mut host = Host { node: Node::new(config(), 1), replica: replica(), now_ms: START_MS, session };
    host.node.opened(LinkId(1), opened(1, false), START_MS);
    host.node.opened(LinkId(2), opened(2, true), START_MS);
    host.step();
    let mut rest = data;
    while let [how, length, tail @ ..] = rest {
        let (frame, next) = tail.split_at(usize::from(*length).min(tail.len()));
        rest = next;
        match how % 8 {
            0 => host.shake_hands(),
            1 => host.now_ms += u64::from(*length) * 100,
            2 => host.node.closed(LinkId(u64::from(*length) % 4), host.now_ms),
            3 => host.node.received(LinkId(2), frame.to_vec()),
            // Most frames begin as true ones do, so that what stands behind is read.
            _ => host.node.received(LinkId(1), [&[0], frame].concat()),
        }
        host.step();
    }
});
