//! From a new transport to a link whose peer may be told of the space.

use crate::id::ReplicaKey;
use crate::limits;
use crate::member::Role;
use crate::sync::message::{Credentials, Hello, Message};
use crate::sync::replica::{Offer, Outcome, Replica};
use crate::sync::session::part;

use super::status::{Effect, LinkId, NodeEvent};
use super::step::{Parcel, Source, Step, What};

impl<R: Replica> Step<'_, R> {
    pub(super) fn begin_handshakes(&mut self) {
        let ids: Vec<LinkId> = self.node.links.keys().copied().collect();
        for id in ids {
            let terms = &self.terms;
            let hello = self.node.links.get_mut(&id).and_then(|link| link.session.begin(terms));
            if let Some(hello) = hello {
                self.send(id, &Message::Hello(hello));
            }
        }
    }

    pub(super) fn hear_hello(&mut self, id: LinkId, hello: Hello) -> Result<(), R::Error> {
        let window_bytes = hello.window_bytes.clamp(limits::FRAME_BYTES_MAX as u64, self.node.config.window_bytes * 8);
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
    pub(super) fn hear_credentials(&mut self, id: LinkId, credentials: Credentials) {
        let Some(link) = self.link(id) else { return };
        let (key, opening) = match link.session.hear_credentials(credentials) {
            Ok(proven) => proven,
            Err(parting) => return self.part(id, parting),
        };
        link.key = Some(key);
        link.blocked = true;
        let source = Source { link: id, key, what: What::Opening };
        // An empty segment changes nothing, and its verdict comes in turn.
        let opening = Offer::Segment(opening.into_iter().collect());
        self.offers.push((source, Parcel::Offer(opening)));
    }

    /// The verdict about the opening is there: the peer is let in, or not.
    pub(super) fn judge(&mut self, source: &Source, outcome: &Outcome) -> Result<(), R::Error> {
        let (id, key) = (source.link, source.key);
        let role = self.replica.role_of(&key)?;
        let open = self.is_open_space();
        let links = self.node.links.values().filter(|link| link.is_ready() && link.key == Some(key)).count();
        let links_max = self.node.config.links_per_key_max;
        let Some(link) = self.link(id) else { return Ok(()) };
        link.blocked = false;
        if role.is_none() && !open && !link.session.trusts(&key) {
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
        let Some(link) = self.link(id) else { return Ok(()) };
        link.session.admit();
        link.role = role;
        link.exchange.wanted = true;
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
}
