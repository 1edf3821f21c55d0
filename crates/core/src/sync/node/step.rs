//! One step: everything that is due, in an order that needs one transaction.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::{Fingerprint, LogId, ReplicaKey};
use crate::member::Space;
use crate::sync::book::{Source as Known, is_address};
use crate::sync::frame::unfolded_bytes;
use crate::sync::gossip::PEERS_MAX;
use crate::sync::message::{Message, Peer};
use crate::sync::packed::PackedSegment;
use crate::sync::replica::{LogState, Offer, Replica};
use crate::sync::session::{Parting, Phase, Terms, part};

use super::link::Link;
use super::status::{Effect, LinkId, NodeEvent};
use super::{Node, queued_bytes};

/// From where an offer came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Source {
    pub(super) link: LinkId,
    pub(super) key: ReplicaKey,
    pub(super) what: What,
}

/// What an offer is, besides its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum What {
    /// The opening that a peer showed with its credentials.
    Opening,
    /// Sent over a link.
    Received,
    /// A part of what was sent, by a signature that its sender need not have checked.
    Part,
}

/// What was brought, as it came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Parcel {
    /// To be offered.
    Offer(Offer),
    /// To be completed first.
    Packed(PackedSegment),
}

/// A step under way.
pub(super) struct Step<'a, R: Replica> {
    pub(super) node: &'a mut Node,
    pub(super) replica: &'a mut R,
    pub(super) now_ms: u64,
    pub(super) terms: Terms,
    pub(super) effects: Vec<Effect<R::Error>>,
    pub(super) offers: Vec<(Source, Parcel)>,
    /// Bytes to which the frames unfolded that were read since something was last taken in.
    pub(super) unfolded_bytes: usize,
    /// Log states that were read since something was last taken in.
    pub(super) states: BTreeMap<LogId, Option<LogState>>,
    /// Logs of which something came in this step.
    pub(super) touched: BTreeSet<LogId>,
    /// Who sent the last operation of each segment that was new: it is not pushed back there.
    pub(super) origins: BTreeMap<Fingerprint, LinkId>,
    /// Links whose answer ended.
    pub(super) ended: BTreeSet<LinkId>,
    /// Links whose answers this step had no room for.
    pub(super) unserved: BTreeSet<LinkId>,
    /// Links to be told that something can't be kept now.
    pub(super) full: BTreeSet<LinkId>,
    pub(super) stored: usize,
    /// Something came that may end a membership.
    pub(super) members_moved: bool,
    /// Something is left to do at once.
    pub(super) unfinished: bool,
}

impl<'a, R: Replica> Step<'a, R> {
    pub(super) fn new(node: &'a mut Node, replica: &'a mut R, now_ms: u64) -> Self {
        let terms = Terms {
            space: replica.space().id(),
            replica: replica.key(),
            window_bytes: node.config.window_bytes,
            address: node.config.address.clone(),
        };
        Self {
            node,
            replica,
            now_ms,
            terms,
            effects: Vec::new(),
            offers: Vec::new(),
            unfolded_bytes: 0,
            states: BTreeMap::new(),
            touched: BTreeSet::new(),
            origins: BTreeMap::new(),
            ended: BTreeSet::new(),
            unserved: BTreeSet::new(),
            full: BTreeSet::new(),
            stored: 0,
            members_moved: false,
            unfinished: false,
        }
    }

    pub(super) fn run(mut self) -> Vec<Effect<R::Error>> {
        self.node.links.wake(self.now_ms);
        self.say_goodbyes();
        match self.work() {
            Ok(()) => self.end_looks(),
            // What was not looked at is looked at by the next step.
            Err(fault) => self.fail(fault),
        }
        if self.stored > 0 {
            self.effects.push(Effect::Event(NodeEvent::Stored { count: self.stored }));
        }
        self.node.wake_ms = self.next_wake();
        self.effects
    }

    /// What is left to do at once is looked at by the next step.
    fn end_looks(&mut self) {
        self.node.links.settle(&self.node.config, self.now_ms);
        self.unfinished |= !self.unserved.is_empty();
        for id in std::mem::take(&mut self.unserved) {
            self.node.links.touch(id);
        }
    }

    fn work(&mut self) -> Result<(), R::Error> {
        self.node.gossip.set_own(self.terms.replica);
        self.begin_handshakes();
        self.read_and_take()?;
        self.read_news()?;
        self.look_at_members()?;
        self.end_fetches()?;
        self.look_at_clocks()?;
        self.begin_exchanges()?;
        self.plan_fetches()?;
        self.acknowledge()?;
        self.serve()?;
        self.push()?;
        self.write_notes()
    }

    /// Reads all frames and offers what they brought. More rounds follow only when a handshake was decided, behind
    /// which frames wait, when what came was waited for, or when it unfolded to more than is held at once.
    fn read_and_take(&mut self) -> Result<(), R::Error> {
        loop {
            self.unfolded_bytes = 0;
            self.read_frames()?;
            if self.offers.is_empty() && self.has_room_to_read() {
                return Ok(());
            }
            self.take()?;
        }
    }

    /// Whether what was read since the last transaction leaves room for one more frame.
    fn has_room_to_read(&self) -> bool {
        self.unfolded_bytes < self.node.config.unfolded_bytes_max
    }

    fn read_frames(&mut self) -> Result<(), R::Error> {
        for id in self.node.links.moved() {
            while self.has_room_to_read()
                && let Some(frame) = self.next_frame(id)
            {
                self.unfolded_bytes += unfolded_bytes(&frame);
                if self.must_wait(id, &frame) {
                    continue;
                }
                match Message::decode(&frame) {
                    Ok(message) => self.handle(id, message, frame.len() as u64)?,
                    Err(refusal) => self.part(id, part("malformed", refusal.to_string())),
                }
            }
        }
        Ok(())
    }

    fn next_frame(&mut self, id: LinkId) -> Option<Vec<u8>> {
        let now_ms = self.now_ms;
        let link = self.node.links.get_mut(&id).filter(|link| !link.blocked)?;
        let frame = link.inbox.pop_front()?;
        link.inbox_bytes -= queued_bytes(&frame);
        self.node.inbox_bytes -= queued_bytes(&frame);
        link.heard_ms = now_ms;
        link.counters.frames_in += 1;
        link.counters.bytes_in += frame.len() as u64;
        Some(frame)
    }

    fn handle(&mut self, id: LinkId, message: Message, bytes: u64) -> Result<(), R::Error> {
        let Some(phase) = self.node.links.get(&id).map(|link| link.session.phase()) else { return Ok(()) };
        match (phase, message) {
            (_, Message::Bye { code, why }) => self.hear_bye(id, code, why),
            (Phase::Greeting, Message::Hello(hello)) => self.hear_hello(id, hello)?,
            (Phase::Proving, Message::Credentials(credentials)) => self.hear_credentials(id, credentials)?,
            (Phase::Proving, Message::Find(wanted)) => self.show_lineage(id, &wanted)?,
            (Phase::Judging, Message::Found(lineage)) => self.hear_lineage(id, lineage),
            (Phase::Ready, message) => self.hear(id, message, bytes)?,
            _ => self.part(id, part("malformed", "a message out of turn")),
        }
        Ok(())
    }

    /// What a peer whose credentials hold says.
    fn hear(&mut self, id: LinkId, message: Message, bytes: u64) -> Result<(), R::Error> {
        match message {
            Message::Summary(summary) => self.hear_summary(id, summary)?,
            Message::Ranges(ranges) => self.hear_ranges(id, ranges)?,
            Message::Want { wants, plain } => self.hear_want(id, wants, plain),
            Message::Segments { segments, last } => self.hear_segments(id, segments, last, bytes),
            Message::Stored { states, bytes } => self.hear_stored(id, states, bytes)?,
            Message::Have(states) => self.hear_have(id, &states)?,
            Message::Probe { log, places } => self.hear_probe(id, log, &places)?,
            Message::Places { log, tips } => self.hear_places(id, log, &tips)?,
            Message::WantProofs(logs) => self.hear_want_proofs(id, &logs)?,
            Message::Proofs(proofs) => self.hear_proofs(id, proofs),
            Message::Find(fingerprints) => self.hear_find(id, fingerprints)?,
            Message::Found(operations) => self.hear_found(id, operations, bytes),
            Message::Peers(peers) => self.hear_peers(id, peers),
            Message::NotNow { retry_ms, .. } => self.hear_not_now(id, retry_ms),
            Message::Ping(number) => self.answer(id, &Message::Pong(number)),
            Message::Pong(_) => {}
            Message::Hello(_) | Message::Credentials(_) | Message::Bye { .. } => {
                self.part(id, part("malformed", "a message out of turn"));
            }
        }
        Ok(())
    }

    fn hear_peers(&mut self, id: LinkId, peers: Vec<Peer>) {
        let Some(key) = self.node.links.get(&id).and_then(|link| link.key) else { return };
        for peer in peers.into_iter().take(PEERS_MAX).filter(|peer| is_address(&peer.address)) {
            self.node.gossip.know(peer, Known::Announced(key));
        }
    }

    /// The peer has no room: what it did not acknowledge was not sent.
    fn hear_not_now(&mut self, id: LinkId, retry_ms: u64) {
        let (now_ms, least_ms) = (self.now_ms, self.node.config.retry_ms);
        if let Some(link) = self.link(id) {
            link.back_off_ms = now_ms + retry_ms.clamp(least_ms, 60 * least_ms);
            link.take_back_sent();
        }
    }

    pub(super) fn link(&mut self, id: LinkId) -> Option<&mut Link> {
        self.node.links.get_mut(&id)
    }

    /// Sends a message. Returns the bytes of its frame.
    pub(super) fn send(&mut self, id: LinkId, message: &Message) -> usize {
        self.send_frame(id, message.encode())
    }

    pub(super) fn send_frame(&mut self, id: LinkId, frame: Vec<u8>) -> usize {
        let bytes = frame.len();
        let Some(link) = self.node.links.get_mut(&id) else { return 0 };
        link.counters.frames_out += 1;
        link.counters.bytes_out += bytes as u64;
        self.effects.push(Effect::Send { link: id, frame });
        bytes
    }

    /// Answers a question, if the peer has not asked for too much already.
    pub(super) fn answer(&mut self, id: LinkId, message: &Message) {
        let frame = message.encode();
        if self.may_answer(id, frame.len()) {
            self.send_frame(id, frame);
        }
    }

    /// Whether the peer has not asked for too much already; the bytes are spent if so.
    pub(super) fn may_answer(&mut self, id: LinkId, bytes: usize) -> bool {
        let now_ms = self.now_ms;
        let Some(link) = self.node.links.get_mut(&id) else { return false };
        let may = link.answers.spend(bytes as u64, now_ms);
        link.counters.dropped += u64::from(!may);
        may
    }

    /// Says why, closes the link and forgets it.
    pub(super) fn part(&mut self, id: LinkId, parting: Parting) {
        let Parting { code, why } = parting;
        self.send(id, &Message::Bye { code: code.to_owned(), why: why.clone() });
        self.close(id, code.to_owned(), why);
    }

    fn hear_bye(&mut self, id: LinkId, code: String, why: String) {
        self.close(id, code, why);
    }

    fn close(&mut self, id: LinkId, code: String, why: String) {
        let key = self.node.drop_link(id, self.now_ms).and_then(|link| link.key());
        self.effects.push(Effect::Close { link: id, code: code.clone(), why: why.clone() });
        self.effects.push(Effect::Event(NodeEvent::Closed { link: id, key, code, why }));
    }

    /// Tells of links that went away, and closes those that were one too many or took too much room.
    fn say_goodbyes(&mut self) {
        for (link, key) in std::mem::take(&mut self.node.gone) {
            let (code, why) = ("closed".to_owned(), "the transport went away".to_owned());
            self.effects.push(Effect::Event(NodeEvent::Closed { link, key, code, why }));
        }
        for (link, parting) in std::mem::take(&mut self.node.parting) {
            let (code, why) = (parting.code.to_owned(), parting.why);
            let frame = Message::Bye { code: code.clone(), why: why.clone() }.encode();
            self.effects.push(Effect::Send { link, frame });
            self.effects.push(Effect::Close { link, code, why });
        }
        for id in self.node.links.moved() {
            if !self.node.links.get(&id).is_some_and(|link| link.overfull) {
                continue;
            }
            self.part(id, part("over_window", "more was sent than the window allows"));
        }
    }

    pub(super) fn is_open_space(&self) -> bool {
        matches!(self.replica.space(), Space::Open { .. })
    }
}
