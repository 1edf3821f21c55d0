//! The handshake of one link: who speaks, with which key, and whether that key may.
//!
//! The dialer speaks first and proves first. Whoever is dialed answers a hello only when it names this space, and
//! shows its own opening, which tells the space's name, only to a key that holds. Until then nothing about the space
//! is said but what both must name to meet: its digest and the speaker's key.
//!
//! Each side signs both hellos and which side it is. A hello holds fresh random bytes, the space, the key and all that
//! is agreed on; so no signature serves in another handshake, on the other side, in another space, or with other terms.

use crate::codec::Encoder;
use crate::id::{ReplicaKey, Signature, SpaceId};
use crate::operation::Operation;
use crate::payload::Payload;
use crate::sign;

use super::message::{Address, Credentials, Hello, Nonce};

/// The version of the protocol that this release speaks, least and greatest.
pub const VERSIONS: (u64, u64) = (1, 1);

const DOMAIN: &[u8] = b"chrysalis/sig/session/1\0";

/// Why a link is closed: a stable code, and words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parting {
    /// The code.
    pub code: &'static str,
    /// For people.
    pub why: String,
}

/// A parting with this code.
pub(super) fn part(code: &'static str, why: impl Into<String>) -> Parting {
    Parting { code, why: why.into() }
}

/// What a driver knows of a transport that was just opened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opened {
    /// Fresh random bytes, never used before: what makes the handshake unrepeatable. From the system's generator.
    pub nonce: [u8; 32],
    /// The address that was dialed; none when the other side dialed.
    pub dialed: Option<Address>,
    /// A key that may hold the other end without a role in the space: a relay that the user named.
    pub trusted: Option<ReplicaKey>,
}

/// How far the handshake is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Nothing was said yet.
    Silent,
    /// The peer's hello is awaited.
    Greeting,
    /// The peer's credentials are awaited.
    Proving,
    /// The peer's key is proven; whether it may is being found out.
    Judging,
    /// Both may speak of the space.
    Ready,
}

/// One side of a handshake.
#[derive(Debug)]
pub struct Session {
    opened: Opened,
    phase: Phase,
    own: Option<Hello>,
    theirs: Option<Hello>,
}

impl Session {
    /// Before the first word.
    pub fn new(opened: Opened) -> Self {
        Self { opened, phase: Phase::Silent, own: None, theirs: None }
    }

    /// How far it is.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Where this side dialed; none if the other did.
    pub fn dialed(&self) -> Option<&Address> {
        self.opened.dialed.as_ref()
    }

    /// What the peer said of itself first.
    pub fn theirs(&self) -> Option<&Hello> {
        self.theirs.as_ref()
    }

    /// Whether this key may hold the other end without a role.
    pub fn trusts(&self, key: &ReplicaKey) -> bool {
        self.opened.trusted.as_ref() == Some(key)
    }

    /// The first word of the side that dialed. The other side waits.
    pub fn begin(&mut self, terms: &Terms) -> Option<Hello> {
        if self.phase != Phase::Silent {
            return None;
        }
        self.phase = Phase::Greeting;
        self.opened.dialed.is_some().then(|| self.greet(terms))
    }

    fn greet(&mut self, terms: &Terms) -> Hello {
        let hello = Hello {
            versions: VERSIONS,
            space: terms.space,
            replica: terms.replica,
            nonce: Nonce(self.opened.nonce),
            window_bytes: terms.window_bytes,
            address: terms.address.clone(),
        };
        self.own = Some(hello.clone());
        hello
    }

    /// Takes the peer's hello. The dialed side answers with its own; the dialer goes on to its credentials.
    ///
    /// # Errors
    /// Why the link must close.
    pub fn hear_hello(&mut self, terms: &Terms, hello: Hello) -> Result<Option<Hello>, Parting> {
        if self.phase != Phase::Greeting {
            return Err(part("malformed", "a hello out of turn"));
        }
        if hello.versions.0 > VERSIONS.1 || hello.versions.1 < VERSIONS.0 {
            return Err(part("unknown_version", format!("versions {} to {} are spoken here", VERSIONS.0, VERSIONS.1)));
        }
        if hello.space != terms.space {
            return Err(part("wrong_space", "another space is kept here"));
        }
        if hello.replica == terms.replica {
            return Err(part("own_key", "the other end has this replica's own key"));
        }
        if hello.nonce == Nonce(self.opened.nonce) {
            return Err(part("malformed", "the other end repeats our nonce"));
        }
        self.theirs = Some(hello);
        self.phase = Phase::Proving;
        Ok(self.own.is_none().then(|| self.greet(terms)))
    }

    /// Whether this side shows its credentials before it has seen the peer's.
    pub fn proves_first(&self) -> bool {
        self.opened.dialed.is_some()
    }

    /// This side's credentials.
    pub fn credentials(&self, sign: impl FnOnce(&[u8]) -> Signature, opening: Option<Operation>) -> Credentials {
        Credentials { signature: sign(&self.message(self.proves_first())), opening: opening.map(Box::new) }
    }

    /// Takes the peer's credentials: its key, proven, and what it opens its log with, if it shows that.
    ///
    /// # Errors
    /// Why the link must close.
    pub fn hear_credentials(&mut self, credentials: Credentials) -> Result<(ReplicaKey, Option<Operation>), Parting> {
        let Some(theirs) = self.theirs.as_ref().filter(|_| self.phase == Phase::Proving) else {
            return Err(part("malformed", "credentials out of turn"));
        };
        let key = theirs.replica;
        let message = self.message(!self.proves_first());
        sign::verify(&key, &message, &credentials.signature)
            .map_err(|_| part("not_allowed", "the signature does not prove the key"))?;
        let opening = credentials.opening.map(|opening| *opening);
        if opening.as_ref().is_some_and(|opening| !opens_for(opening, &key)) {
            return Err(part("not_allowed", "what was shown does not open a log of this key"));
        }
        self.phase = Phase::Judging;
        Ok((key, opening))
    }

    /// What both sides drew for this link: nobody knew it before.
    pub fn salt(&self) -> Vec<u8> {
        let nonce = |hello: &Option<Hello>| hello.as_ref().map_or([0; 32], |hello| hello.nonce.0);
        let (own, theirs) = (nonce(&self.own), nonce(&self.theirs));
        if self.proves_first() { [own, theirs].concat() } else { [theirs, own].concat() }
    }

    /// The peer may: both can speak of the space.
    pub fn admit(&mut self) {
        self.phase = Phase::Ready;
    }

    /// What one side signs.
    fn message(&self, dialer: bool) -> Vec<u8> {
        let hellos = if self.opened.dialed.is_some() { [&self.own, &self.theirs] } else { [&self.theirs, &self.own] };
        let mut encoder = Encoder::default();
        encoder.array(3).uint(u64::from(dialer));
        for hello in hellos {
            encoder.optional(hello.as_ref(), write_hello);
        }
        [DOMAIN, &encoder.finish()].concat()
    }
}

/// What this side brings into every handshake.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Terms {
    /// The space.
    pub space: SpaceId,
    /// This replica's key.
    pub replica: ReplicaKey,
    /// Bytes of segments that are taken before they are acknowledged.
    pub window_bytes: u64,
    /// Where this replica listens, if others may know.
    pub address: Option<Address>,
}

fn write_hello(e: &mut Encoder, hello: &Hello) {
    e.array(7).uint(hello.versions.0).uint(hello.versions.1);
    e.bytes(hello.space.as_bytes()).bytes(hello.replica.as_bytes()).bytes(&hello.nonce.0);
    e.uint(hello.window_bytes).optional(hello.address.as_ref(), |e, address| {
        e.text(address);
    });
}

fn opens_for(operation: &Operation, key: &ReplicaKey) -> bool {
    let header = operation.header();
    let payload = operation.body().and_then(|body| Payload::decode(header.kind, &body.payload).ok());
    matches!(payload, Some(Payload::Open(open)) if open.replica == *key && open.log() == header.log)
}
