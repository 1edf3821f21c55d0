//! News: what came to be on disk here goes to peers at once, or is announced to them.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::LogId;
use crate::limits;
use crate::operation::{Kind, Operation};
use crate::sync::message::Message;
use crate::sync::replica::{LogState, Replica, Segment};

use super::news::largest_payload;
use super::serve::frames_of;
use super::status::LinkId;
use super::step::Step;

impl<R: Replica> Step<'_, R> {
    /// Reads once what is new, whoever wrote it.
    pub(super) fn read_news(&mut self) -> Result<(), R::Error> {
        let position = self.replica.position()?;
        let pushed = *self.node.pushed.get_or_insert(position);
        if pushed >= position {
            return Ok(());
        }
        let (segments, reached) = self.read_untold(pushed)?;
        self.node.pushed = Some(reached);
        if segments.is_empty() {
            // All of it was told before: whoever is linked to none of us still compares.
            self.node.gossip.news(self.now_ms);
        }
        self.unfinished |= reached < position;
        // What was not read yet may remove someone too.
        let removes = segments.iter().any(|segment| may_end_membership(segment));
        self.members_moved |= reached < position || removes;
        if removes {
            // A forgetting may have become void, and its words are wanted again.
            self.node.words.begin_anew();
        }
        self.note_own_log(&segments)?;
        for segment in segments {
            let origin = segment.last().and_then(|last| self.origins.get(&last.fingerprint())).copied();
            self.node.news.put(segment, origin, self.now_ms);
        }
        Ok(())
    }

    /// Reads what came after a position, unless every listener has it. Mostly one peer sends and nobody else listens: then
    /// nothing of it is read again.
    fn read_untold(&self, position: u64) -> Result<(Vec<Segment>, u64), R::Error> {
        let links = &self.node.links;
        let listeners = links.listeners();
        let has = |id: &LinkId, log: &LogId, count| links.get(id).is_some_and(|link| link.has_all(log, count));
        let told = |log: &LogId, count: u64| listeners.iter().all(|id| has(id, log, count));
        self.replica.read_news(position, limits::FRAME_BYTES_MAX, &told)
    }

    /// Gives each link what is new, when it is time.
    pub(super) fn push(&mut self) -> Result<(), R::Error> {
        if self.node.news.due_ms(self.node.pace_ms()).is_some_and(|due_ms| due_ms <= self.now_ms) {
            let news = self.node.news.take(self.now_ms);
            self.spread(news);
        }
        self.say_what_was_left_unsaid()
    }

    /// The replica may have opened a new log of its own.
    fn note_own_log(&mut self, segments: &[Segment]) -> Result<(), R::Error> {
        let opens = |segment: &Segment| segment.first().is_some_and(|first| first.header().sequence == 0);
        if segments.iter().any(opens) {
            let opening = self.replica.opening()?;
            self.node.own_logs.extend(opening.map(|opening| opening.header().log));
        }
        Ok(())
    }

    /// Gives each segment to the links that gossip chooses, and leaves it to be announced to the others.
    fn spread(&mut self, news: Vec<(Segment, Option<LinkId>)>) {
        let listeners = self.node.links.listeners();
        let mut chosen: BTreeMap<LinkId, Vec<usize>> = BTreeMap::new();
        for (at, (segment, origin)) in news.iter().enumerate() {
            self.node.gossip.news(self.now_ms);
            let spread = self.node.gossip.spread(*origin, largest_payload(segment));
            for id in spread.eager.into_iter().filter(|id| listeners.contains(id)) {
                if self.goes_to(id, segment) {
                    chosen.entry(id).or_default().push(at);
                }
            }
            for id in spread.lazy.into_iter().filter(|id| listeners.contains(id)) {
                self.leave_unsaid(id, segment);
            }
        }
        self.send_chosen(chosen, &news);
    }

    /// Most links get the same: what was written for one is sent to all.
    fn send_chosen(&mut self, chosen: BTreeMap<LinkId, Vec<usize>>, news: &[(Segment, Option<LinkId>)]) {
        let mut frames: BTreeMap<Vec<usize>, Vec<Vec<u8>>> = BTreeMap::new();
        for (id, chosen) in chosen {
            let encode = || {
                let chosen = chosen.iter().filter_map(|at| news.get(*at)).map(|(segment, _)| segment.clone());
                frames_of(chosen.collect(), false, false, Message::encode)
            };
            let written = frames.entry(chosen.clone()).or_insert_with(encode).clone();
            self.send_news(id, &chosen, news, written);
        }
    }

    /// Whether a segment is news for a link that can read it now. What would leave a gap there is announced later.
    fn goes_to(&mut self, id: LinkId, segment: &[Operation]) -> bool {
        let (Some(first), Some(link)) = (segment.first(), self.node.links.get(&id)) else { return false };
        if link.knows(segment) {
            return false;
        }
        let (log, from) = (first.header().log, first.header().sequence);
        let gap = link.has.get(&log).is_some_and(|has| *has < from) || link.unsaid.contains(&log);
        if gap || link.back_off_ms > self.now_ms {
            self.leave_unsaid(id, segment);
            return false;
        }
        true
    }

    /// Notes that a link is to be told what is here, once there is room.
    fn leave_unsaid(&mut self, id: LinkId, segment: &[Operation]) {
        let (Some(first), Some(link)) = (segment.first(), self.node.links.get_mut(&id)) else { return };
        if link.knows(segment) {
            return;
        }
        if link.unsaid.len() < limits::WANTS_MAX {
            link.unsaid.insert(first.header().log);
        } else {
            link.exchange.wanted = true;
        }
    }

    /// A peer has something. Others may be sending it already, so it is asked for a little later.
    pub(super) fn hear_have(&mut self, id: LinkId, states: &[LogState]) -> Result<(), R::Error> {
        let (now_ms, graft_ms) = (self.now_ms, self.node.config.gossip.graft_ms);
        if let Some(link) = self.link(id).filter(|link| link.claims.is_empty()) {
            link.announced_ms = now_ms + graft_ms;
        }
        self.learn(id, states)
    }

    fn send_news(&mut self, id: LinkId, chosen: &[usize], news: &[(Segment, Option<LinkId>)], frames: Vec<Vec<u8>>) {
        let bytes: usize = frames.iter().map(Vec::len).sum();
        let room = self.node.links.has_room(&id, bytes, &self.node.config);
        for (segment, _) in chosen.iter().filter_map(|at| news.get(*at)) {
            let (Some(last), Some(link)) = (segment.last(), self.node.links.get_mut(&id)) else { continue };
            if room {
                link.note_has(last.header().log, last.header().sequence + 1);
            } else {
                self.leave_unsaid(id, segment);
            }
        }
        for frame in frames.into_iter().filter(|_| room) {
            self.send_counted(id, frame);
        }
    }

    /// Announces what was not sent, to links that have room again.
    fn say_what_was_left_unsaid(&mut self) -> Result<(), R::Error> {
        for id in self.node.links.moved_and_ready() {
            let room = self.node.links.has_room(&id, self.node.config.chunk_bytes, &self.node.config);
            let now_ms = self.now_ms;
            let Some(link) = self.node.links.get_mut(&id) else { continue };
            if link.unsaid.is_empty() || !room || link.back_off_ms > now_ms {
                continue;
            }
            let logs: BTreeSet<LogId> = std::mem::take(&mut link.unsaid);
            let states: Vec<LogState> = self.states_of(logs.into_iter())?.into_values().collect();
            self.send(id, &Message::Have(states));
        }
        Ok(())
    }
}

/// Whether these may change who is a member.
pub(super) fn may_end_membership(segment: &[Operation]) -> bool {
    segment.iter().any(|operation| operation.header().kind == Kind::Remove)
}
