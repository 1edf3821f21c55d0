//! Looking for words that are missing here: operations came without them, from who had forgotten them or held them back,
//! or a forgetting that erased them turned out not to count.
//!
//! A peer may have them, or nobody has them any more: that can't be known. So everyone who is linked is asked for each
//! of them once, a part at a time, and all of them again after rests that grow to hours. Who links anew is asked soon,
//! and so is everyone when more is missing than before.

use std::collections::BTreeSet;

use crate::id::Fingerprint;
use crate::sync::replica::Replica;

use super::config::NodeConfig;
use super::status::LinkId;
use super::step::Step;

/// Words that are asked for at a time.
const PART: usize = 64;

/// How the search stands.
#[derive(Default, Debug)]
pub(super) struct Words {
    /// When to look again.
    pub(super) due_ms: u64,
    /// Whom is being asked, one part after another.
    asking: Vec<LinkId>,
    /// Who was asked for all that is missing, in this round.
    asked: BTreeSet<LinkId>,
    /// The last one of the part before.
    after: Option<Fingerprint>,
    /// The last one that was missing when somebody had been asked for all.
    end: Option<Fingerprint>,
    /// When the round began, and how long after that the next one may.
    round_ms: u64,
    rest_ms: u64,
}

impl Words {
    /// Everyone is asked for everything again, as if for the first time.
    pub(super) fn begin_anew(&mut self) {
        *self = Self { due_ms: self.due_ms, ..Self::default() };
    }

    /// Decides whom to ask now; nobody when everyone was asked. A single one of them may have the words.
    fn choose(&mut self, ready: &BTreeSet<LinkId>, fanout: usize) {
        self.asked.retain(|id| ready.contains(id));
        self.asking.retain(|id| ready.contains(id));
        if self.asking.is_empty() {
            self.after = None;
            self.asking = ready.difference(&self.asked).take(fanout).copied().collect();
        }
    }

    /// After its rest a new round begins, whose own rest is twice as long.
    fn begin_round(&mut self, config: &NodeConfig, now_ms: u64) {
        let rest_ms = (self.rest_ms * 2).clamp(config.words_ms, config.words_rest_ms.max(config.words_ms));
        *self = Self { due_ms: self.due_ms, end: self.end, round_ms: now_ms, rest_ms, ..Self::default() };
    }

    fn may_begin_round(&self, now_ms: u64) -> bool {
        self.round_ms + self.rest_ms <= now_ms
    }

    /// Notes a part that those who are being asked are asked for.
    fn note_part(&mut self, part: &[Fingerprint]) {
        self.after = part.last().copied().or(self.after);
        if part.len() < PART {
            let before = std::mem::replace(&mut self.end, self.after.take());
            if self.end != before {
                // Who was asked before was not asked for the same.
                self.asked.clear();
            }
            self.asked.extend(self.asking.drain(..));
        }
    }
}

impl<R: Replica> Step<'_, R> {
    /// Goes on with the search when it is time.
    pub(super) fn seek_words(&mut self) -> Result<(), R::Error> {
        if self.node.words.due_ms > self.now_ms {
            return Ok(());
        }
        self.node.words.due_ms = self.now_ms + self.node.config.words_ms;
        let ready: BTreeSet<LinkId> = self.node.links.ready().into_iter().collect();
        if ready.is_empty() || !self.may_ask(&ready)? {
            return Ok(());
        }
        let part = self.replica.without_words(self.node.words.after.as_ref(), PART)?;
        let asking = self.node.words.asking.clone();
        self.node.words.note_part(&part);
        if !part.is_empty() {
            asking.into_iter().for_each(|id| self.seek(id, part.iter().copied().collect()));
        }
        Ok(())
    }

    /// Whether there is somebody to ask: who was not asked yet, or everyone, for what is new or after the rest.
    fn may_ask(&mut self, ready: &BTreeSet<LinkId>) -> Result<bool, R::Error> {
        let fanout = self.node.config.gossip.fanout;
        self.node.words.choose(ready, fanout);
        if self.node.words.asking.is_empty() {
            if !self.replica.without_words(self.node.words.end.as_ref(), 1)?.is_empty() {
                self.node.words.begin_anew();
            } else if !self.node.words.may_begin_round(self.now_ms) {
                return Ok(false);
            }
            self.node.words.begin_round(&self.node.config, self.now_ms);
            self.node.words.choose(ready, fanout);
        }
        Ok(true)
    }
}
