//! From a new transport to a link whose peer may be told of the space.

use crate::admit::Missing;
use crate::id::{Fingerprint, ReplicaKey};
use crate::limits;
use crate::member::{Invitation, Role};
use crate::operation::{Kind, Operation};
use crate::payload::Payload;
use crate::sync::message::{Credentials, Hello, Message};
use crate::sync::replica::{Offer, Outcome, Replica};
use crate::sync::session::{Phase, part};

use super::queued_bytes;
use super::status::{Effect, LinkId, NodeEvent};
use super::step::{Parcel, Source, Step, What};

/// Invitations between the founder and a member that a handshake follows: administrators who invited each other.
const LINEAGE_MAX: usize = 16;

impl<R: Replica> Step<'_, R> {
    pub(super) fn begin_handshakes(&mut self) {
        for id in self.node.links.moved() {
            let terms = &self.terms;
            let hello = self.node.links.get_mut(&id).and_then(|link| link.session.begin(terms));
            if let Some(hello) = hello {
                self.send(id, &Message::Hello(hello));
            }
        }
    }

    pub(super) fn hear_hello(&mut self, id: LinkId, hello: Hello) -> Result<(), R::Error> {
        let window_bytes = hello.window_bytes.clamp(limits::FRAME_BYTES_MAX as u64, self.node.config.window_bytes);
        let Some(link) = self.node.links.get_mut(&id) else { return Ok(()) };
        link.window_bytes = window_bytes;
        match link.session.hear_hello(&self.terms, hello) {
            Err(parting) => self.part(id, parting),
            Ok(Some(own)) => {
                self.send(id, &Message::Hello(own));
            }
            Ok(None) => self.show_credentials(id)?,
        }
        Ok(())
    }

    fn show_credentials(&mut self, id: LinkId) -> Result<(), R::Error> {
        let opening = self.replica.opening()?;
        self.node.own_logs.extend(opening.as_ref().map(|opening| opening.header().log));
        let Some(link) = self.node.links.get(&id) else { return Ok(()) };
        let credentials = link.session.credentials(|message| self.replica.sign(message), opening);
        self.send(id, &Message::Credentials(credentials));
        Ok(())
    }

    /// Takes the peer's credentials. What it opens its log with goes through admission like all else.
    pub(super) fn hear_credentials(&mut self, id: LinkId, credentials: Credentials) -> Result<(), R::Error> {
        let Some(link) = self.link(id) else { return Ok(()) };
        let (key, opening) = match link.session.hear_credentials(credentials) {
            Ok(proven) => proven,
            Err(parting) => {
                self.part(id, parting);
                return Ok(());
            }
        };
        if self.comes_too_late(&key, opening.as_ref())? {
            self.part(id, part("not_allowed", "the invitation by which this key came was taken back"));
            return Ok(());
        }
        let Some(link) = self.link(id) else { return Ok(()) };
        link.key = Some(key);
        link.blocked = true;
        link.opening = opening.clone();
        let source = Source { link: id, key, what: What::Opening };
        // An empty segment changes nothing, and its verdict comes in turn.
        let opening = Offer::Segment(opening.into_iter().collect());
        self.offers.push((source, Parcel::Offer(opening)));
        Ok(())
    }

    /// Whether a key that is no member comes by an invitation that was taken back. Its opening would be void, and is not
    /// even kept: whoever has the token can make as many keys as he likes.
    fn comes_too_late(&self, key: &ReplicaKey, opening: Option<&Operation>) -> Result<bool, R::Error> {
        let Some(invitation) = opening.and_then(invitation_of) else { return Ok(false) };
        Ok(self.replica.is_revoked(&invitation.ephemeral)? && self.replica.role_of(key)?.is_none())
    }

    /// The verdict about the opening is there: the peer is let in, or not.
    pub(super) fn judge(&mut self, source: &Source, outcome: &Outcome) -> Result<(), R::Error> {
        let (id, key) = (source.link, source.key);
        let role = self.replica.role_of(&key)?;
        let open = self.is_open_space();
        let links = self.node.links.of_key(&key);
        let links_max = self.node.config.links_per_key_max;
        let Some(link) = self.link(id) else { return Ok(()) };
        link.blocked = false;
        if role.is_none() && !open && !link.session.trusts(&key) {
            if let Outcome::Waiting(missing) = outcome
                && self.ask_lineage(id, missing)
            {
                return Ok(());
            }
            let why = match outcome {
                Outcome::Refused(refusal) => refusal.to_string(),
                Outcome::Waiting(_) => "who invited this key is not known here".to_owned(),
                _ => "this key is no member".to_owned(),
            };
            self.part(id, part("not_allowed", why));
            return Ok(());
        }
        if links >= links_max {
            self.part(id, part("too_many", "this key has enough links"));
            return Ok(());
        }
        self.become_ready(id, key, role)
    }

    fn become_ready(&mut self, id: LinkId, key: ReplicaKey, role: Option<Role>) -> Result<(), R::Error> {
        self.node.links.admit(id);
        let Some(link) = self.node.links.get_mut(&id) else { return Ok(()) };
        link.opening = None;
        link.held_bytes = 0;
        while let Some(frame) = link.held.pop_back() {
            link.inbox_bytes += queued_bytes(&frame);
            self.node.inbox_bytes += queued_bytes(&frame);
            link.inbox.push_front(frame);
        }
        link.role = role;
        link.exchange.wanted = true;
        link.own_words = true;
        let dialed = link.session.dialed().cloned();
        let inbound = dialed.is_none();
        let address = dialed.or_else(|| link.session.theirs().and_then(|hello| hello.address.clone()));
        if inbound {
            self.show_credentials(id)?;
        }
        self.node.gossip.linked(id, key, address, inbound, self.now_ms);
        self.effects.push(Effect::Event(NodeEvent::Ready { link: id, key, role }));
        Ok(())
    }

    /// Members may have been removed. Links with them end before anything more is said over them.
    pub(super) fn look_at_members(&mut self) -> Result<(), R::Error> {
        let due = std::mem::take(&mut self.members_moved) && !self.is_open_space();
        for id in if due { self.node.links.ready() } else { Vec::new() } {
            self.still_belongs(id)?;
        }
        Ok(())
    }

    /// Whether the peer may still be told of the space. Who was removed meanwhile is told nothing more.
    pub(super) fn still_belongs(&mut self, id: LinkId) -> Result<bool, R::Error> {
        let Some(key) = self.node.links.get(&id).and_then(|link| link.key) else { return Ok(false) };
        let (role, open) = (self.replica.role_of(&key)?, self.is_open_space());
        let Some(link) = self.link(id) else { return Ok(false) };
        link.role = role;
        let belongs = role.is_some() || open || link.session.trusts(&key);
        if !belongs {
            self.part(id, part("not_allowed", "this key is no member any more"));
        }
        Ok(belongs)
    }

    /// A peer may have been invited by someone whose log is not here. It is asked to show how the chain of invitations
    /// leads to the founder: once, and before anything else is said.
    fn ask_lineage(&mut self, id: LinkId, missing: &[Missing]) -> bool {
        let wanted = missing.iter().filter_map(|missing| match missing {
            Missing::Operation(fingerprint) => Some(*fingerprint),
            Missing::Log(_) => None,
        });
        let wanted: Vec<Fingerprint> = wanted.collect();
        let Some(link) = self.link(id) else { return false };
        let first = link.sought.is_empty() && !wanted.is_empty();
        if first {
            link.sought.extend(wanted.iter().copied());
            self.send(id, &Message::Find(wanted));
        }
        first
    }

    /// Shows the openings that led to this replica's invitation, to a peer that has seen its opening already.
    pub(super) fn show_lineage(&mut self, id: LinkId, wanted: &[Fingerprint]) -> Result<(), R::Error> {
        if !self.node.links.get(&id).is_some_and(|link| link.session.proves_first()) {
            self.part(id, part("malformed", "a message out of turn"));
            return Ok(());
        }
        let lineage = self.lineage()?;
        if lineage.iter().any(|opening| wanted.contains(&opening.fingerprint())) {
            self.answer(id, &Message::Found(lineage));
        }
        Ok(())
    }

    /// The first thing that a peer asks for by fingerprint may be how this replica came to be invited: then it gets
    /// the whole chain. Returns whether that was so.
    pub(super) fn shows_lineage(&mut self, id: LinkId, wanted: &[Fingerprint]) -> Result<bool, R::Error> {
        let Some(link) = self.link(id) else { return Ok(false) };
        if std::mem::replace(&mut link.asked_before, true) || wanted.len() != 1 {
            return Ok(false);
        }
        let lineage = self.lineage()?;
        let asked = lineage.iter().any(|opening| wanted.contains(&opening.fingerprint()));
        if asked {
            self.answer(id, &Message::Found(lineage));
        }
        Ok(asked)
    }

    /// The openings of those who invited this replica, the nearest first.
    fn lineage(&self) -> Result<Vec<Operation>, R::Error> {
        let mut lineage: Vec<Operation> = Vec::new();
        let mut next = self.replica.opening()?.as_ref().and_then(issuer_of);
        while let Some(issuer) = next.filter(|_| lineage.len() < LINEAGE_MAX) {
            let Some(opening) = self.replica.find(&[issuer])?.pop() else { break };
            next = issuer_of(&opening);
            lineage.push(opening);
        }
        Ok(lineage)
    }

    /// Takes the chain of invitations, the founder's end first, and then the peer's opening again.
    pub(super) fn hear_lineage(&mut self, id: LinkId, mut lineage: Vec<Operation>) {
        let Some(link) = self.node.links.get_mut(&id) else { return };
        let (Some(key), Some(opening)) = (link.key, link.opening.take()) else { return };
        link.blocked = true;
        lineage.truncate(LINEAGE_MAX);
        lineage.retain(|opening| opening.header().kind == Kind::Open);
        let part = Source { link: id, key, what: What::Part };
        for opening in lineage.into_iter().rev() {
            self.offers.push((part, Parcel::Offer(Offer::Segment(vec![opening]))));
        }
        let source = Source { what: What::Opening, ..part };
        self.offers.push((source, Parcel::Offer(Offer::Segment(vec![opening]))));
    }

    /// Whether a frame came before the peer's invitation is understood, and is read after that.
    pub(super) fn must_wait(&mut self, id: LinkId, frame: &[u8]) -> bool {
        let Some(link) = self.node.links.get_mut(&id) else { return false };
        let awaited = || matches!(Message::decode(frame), Ok(Message::Found(_) | Message::Bye { .. }) | Err(_));
        if link.session.phase() != Phase::Judging || awaited() {
            return false;
        }
        link.held_bytes += queued_bytes(frame);
        if link.held_bytes > limits::FRAME_BYTES_MAX {
            self.part(id, part("over_window", "too much was sent before the handshake ended"));
        } else {
            link.held.push_back(frame.to_vec());
        }
        true
    }
}

/// The opening of whoever signed the invitation that this opening carries; none when it was the founder.
fn issuer_of(opening: &Operation) -> Option<Fingerprint> {
    invitation_of(opening)?.issuer
}

/// The invitation that an opening carries.
fn invitation_of(opening: &Operation) -> Option<Invitation> {
    let body = opening.body()?;
    match Payload::decode(opening.header().kind, &body.payload).ok()? {
        Payload::Open(open) => Some(open.grant?.invitation),
        _ => None,
    }
}
