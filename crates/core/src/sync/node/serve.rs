//! Answering requests for operations, under the peer's window, and acknowledging what came.

use crate::id::{Fingerprint, LogId};
use crate::limits;
use crate::member::log_id;
use crate::operation::Operation;
use crate::sync::carry::{carry, fill};
use crate::sync::message::Message;
use crate::sync::replica::{LogState, Replica, Segment, Want};

use super::OWN_FORKS_MAX;
use super::status::LinkId;
use super::step::Step;

/// Bytes that a segment or an operation takes on the wire beside its headers and payloads.
pub(super) const FRAMING_BYTES: usize = 128;

pub(super) fn size_of(operation: &Operation) -> usize {
    let body = operation.body().map_or(0, |body| body.payload.len());
    operation.header_bytes().len() + body + FRAMING_BYTES
}

pub(super) fn segment_size(segment: &[Operation]) -> usize {
    segment.iter().map(size_of).sum()
}

/// The frames that carry these segments, written so; one at least.
pub(super) fn frames_of(
    segments: Vec<Segment>,
    plain: bool,
    last: bool,
    encode: fn(&Message) -> Vec<u8>,
) -> Vec<Vec<u8>> {
    let (mut frames, mut left) = (Vec::new(), segments);
    loop {
        let (carried, rest) = carry(left, plain, limits::SEGMENT_BYTES_MAX);
        left = rest;
        let ends = left.is_empty();
        frames.push(encode(&Message::Segments { segments: carried, last: last && ends }));
        if ends {
            return frames;
        }
    }
}

impl<R: Replica> Step<'_, R> {
    /// A request takes the place of what is left of an earlier one for the same logs.
    pub(super) fn hear_want(&mut self, id: LinkId, wants: Vec<Want>, plain: bool) {
        let Some(link) = self.link(id) else { return };
        link.serving_plain |= plain;
        for want in wants.into_iter().take(limits::WANTS_MAX) {
            if link.serving.len() < limits::WANTS_MAX || link.serving.contains_key(&want.log) {
                link.serving.insert(want.log, want.from);
            }
        }
        link.exchange.fruitless = 0;
        self.node.gossip.grafted(id);
    }

    pub(super) fn hear_find(&mut self, id: LinkId, fingerprints: Vec<Fingerprint>) -> Result<(), R::Error> {
        if self.shows_lineage(id, &fingerprints)? {
            return Ok(());
        }
        if let Some(link) = self.link(id) {
            let room = limits::FINDS_MAX.saturating_sub(link.finds.len());
            link.finds.extend(fingerprints.into_iter().take(room));
        }
        Ok(())
    }

    /// Sends what was asked for, as far as windows and this step allow: one read's worth to each link, which takes it in
    /// while the next step reads on.
    pub(super) fn serve(&mut self) -> Result<(), R::Error> {
        let mut left = self.node.config.step_bytes_max;
        let mut ids = self.node.links.moved_and_ready();
        // Another one is first each time, or the first ones would take every step.
        let first = self.node.random.index(ids.len());
        ids.rotate_left(first);
        for id in ids {
            self.serve_finds(id)?;
            if left > 0 && self.serves(id) {
                let sent = self.serve_some(id)?;
                left = left.saturating_sub(sent);
            }
            if self.serves(id) {
                self.unserved.insert(id);
            }
        }
        Ok(())
    }

    fn serves(&self, id: LinkId) -> bool {
        let (links, config) = (&self.node.links, &self.node.config);
        let wants = |link: &super::link::Link| !link.serving.is_empty() && link.back_off_ms <= self.now_ms;
        links.get(&id).is_some_and(wants) && links.has_room(&id, config.chunk_bytes, config)
    }

    /// Sends one read's worth and moves the places on. Returns the bytes sent.
    fn serve_some(&mut self, id: LinkId) -> Result<usize, R::Error> {
        let chunk = self.node.config.chunk_bytes;
        let Some(link) = self.node.links.get(&id) else { return Ok(0) };
        let plain = link.serving_plain;
        let wants: Vec<Want> = link.serving.iter().map(|(log, from)| Want { log: *log, from: *from }).collect();
        let segments = self.wanted(id, &wants, chunk)?;
        let Some(link) = self.link(id) else { return Ok(0) };
        if segments.is_empty() {
            link.serving.clear();
            link.serving_plain = false;
            return Ok(self.send_segments(id, Vec::new(), plain, true));
        }
        let bytes: usize = segments.iter().map(|segment| segment_size(segment)).sum();
        for last in segments.iter().filter_map(|segment| segment.last()) {
            let next = last.header().sequence + 1;
            link.serving.insert(last.header().log, next);
            link.note_has(last.header().log, next);
        }
        // Mostly that was all, and the peer hears of it with the same frame.
        let wants: Vec<Want> = link.serving.iter().map(|(log, from)| Want { log: *log, from: *from }).collect();
        let last = bytes < chunk && self.wanted(id, &wants, 1)?.is_empty();
        if let Some(link) = self.link(id).filter(|_| last) {
            link.serving.clear();
            link.serving_plain = false;
        }
        Ok(self.send_segments(id, segments, plain, last))
    }

    /// What is wanted and here; after it, to the author of a log that forked, what is kept of its void words.
    fn wanted(&self, id: LinkId, wants: &[Want], bytes_max: usize) -> Result<Vec<Segment>, R::Error> {
        let segments = self.replica.read(wants, bytes_max)?;
        let Some(key) = self.node.links.get(&id).and_then(|link| link.key) else { return Ok(segments) };
        if !segments.is_empty() || wants.len() > OWN_FORKS_MAX {
            return Ok(segments);
        }
        let logs: Vec<LogId> = wants.iter().map(|want| want.log).collect();
        for proof in self.replica.proofs(&logs)?.into_iter().filter(|proof| proof.replica == key) {
            let log = log_id(&proof.space, &proof.replica, &proof.epoch, proof.role);
            let Some(want) = wants.iter().find(|want| want.log == log) else { continue };
            let void = self.replica.read_void(&log, want.from, bytes_max)?;
            if !void.is_empty() {
                return Ok(void);
            }
        }
        Ok(Vec::new())
    }

    fn send_segments(&mut self, id: LinkId, segments: Vec<Segment>, plain: bool, last: bool) -> usize {
        let frames = frames_of(segments, plain, last, Message::encode_densely);
        frames.into_iter().map(|frame| self.send_counted(id, frame)).sum()
    }

    /// Sends a frame that takes room until it is acknowledged.
    pub(super) fn send_counted(&mut self, id: LinkId, frame: Vec<u8>) -> usize {
        let (sent, now_ms) = (self.send_frame(id, frame), self.now_ms);
        if let Some(link) = self.link(id) {
            if link.unacknowledged == 0 {
                link.acknowledged_ms = now_ms;
            }
            link.unacknowledged += sent as u64;
        }
        sent
    }

    fn serve_finds(&mut self, id: LinkId) -> Result<(), R::Error> {
        let chunk = self.node.config.chunk_bytes;
        let room = self.node.links.has_room(&id, chunk, &self.node.config);
        let Some(link) = self.node.links.get_mut(&id) else { return Ok(()) };
        if link.finds.is_empty() || !room {
            return Ok(());
        }
        let wanted: Vec<Fingerprint> = std::mem::take(&mut link.finds).into_iter().collect();
        let mut left = self.with_void_before(self.replica.find(&wanted)?)?;
        while !left.is_empty() {
            let (operations, rest) = fill(left, limits::FINDS_MAX, limits::CARRIED_BYTES_MAX, size_of);
            left = rest;
            let frame = Message::Found(operations).encode();
            if self.may_answer(id, frame.len()) {
                self.send_counted(id, frame);
            }
        }
        Ok(())
    }

    /// Puts what stands before void operations behind each: who lacks the one lacks the other, and no summary tells.
    fn with_void_before(&self, found: Vec<Operation>) -> Result<Vec<Operation>, R::Error> {
        let mut all = Vec::new();
        for operation in found {
            let log = operation.header().log;
            let mut next = Some(operation);
            while let Some(operation) = next.take() {
                let (back, place) = (operation.header().back, operation.header().sequence);
                all.push(operation);
                if let Some(back) = back
                    && all.len() < limits::FINDS_MAX
                    && self.is_void(&log, place - 1)?
                {
                    next = self.replica.find(&[back])?.pop();
                }
            }
        }
        Ok(all)
    }

    /// Tells every sender what is on disk now, and gives back its room.
    pub(super) fn acknowledge(&mut self) -> Result<(), R::Error> {
        for id in self.node.links.moved() {
            let Some(link) = self.node.links.get_mut(&id).filter(|link| link.owed > 0) else { continue };
            let bytes = std::mem::take(&mut link.owed);
            let logs = std::mem::take(&mut link.owed_logs);
            let states = self.states_of(logs.iter().copied())?;
            let states: Vec<LogState> =
                logs.iter().filter_map(|log| states.get(log).copied()).take(limits::WANTS_MAX).collect();
            self.send(id, &Message::Stored { states, bytes });
        }
        for id in std::mem::take(&mut self.full) {
            let retry_ms = self.node.config.retry_ms;
            self.send(id, &Message::NotNow { retry_ms, code: "full".to_owned() });
            let until_ms = self.now_ms + retry_ms;
            if let Some(link) = self.link(id) {
                (link.fetch, link.exchange.wanted, link.back_off_ms) = (None, true, until_ms);
            }
            self.node.stop_fetching(id);
        }
        Ok(())
    }

    /// A peer has on disk what it says. Room that was never taken can't be given back.
    pub(super) fn hear_stored(&mut self, id: LinkId, states: Vec<LogState>, bytes: u64) -> Result<(), R::Error> {
        let now_ms = self.now_ms;
        let Some(link) = self.link(id) else { return Ok(()) };
        link.unacknowledged = link.unacknowledged.saturating_sub(bytes);
        link.acknowledged_ms = now_ms;
        self.learn(id, &states)
    }
}
