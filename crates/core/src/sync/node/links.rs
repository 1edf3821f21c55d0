//! All links of a node, and which of them a step must look at.
//!
//! A step looks at links to which something happened, and at those of which something is due by the clock. All others
//! cost it nothing: a thousand that rest are as cheap as one.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::ReplicaKey;
use crate::limits;

use super::config::NodeConfig;
use super::link::Link;
use super::status::LinkId;
use super::timers;

/// The links.
#[derive(Default, Debug)]
pub(super) struct Links {
    all: BTreeMap<LinkId, Link>,
    /// Those that were looked into, or that something is due of, since the last step ended: each once.
    moved: Vec<LinkId>,
    /// When each that has anything before it is to be looked at.
    due: BTreeSet<(u64, LinkId)>,
    /// Those whose peers have proven who they are and may be told of the space.
    ready: BTreeMap<ReplicaKey, BTreeSet<LinkId>>,
    ready_count: usize,
    /// Those that had claims when the last step ended.
    claiming: BTreeSet<LinkId>,
    /// Bytes that were sent and not acknowledged when the last step ended.
    under_way: u64,
}

impl Links {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// How many have not come to the end of their handshake.
    pub(super) fn handshakes(&self) -> usize {
        self.all.len() - self.ready_count
    }

    pub(super) fn insert(&mut self, id: LinkId, link: Link) {
        self.all.insert(id, link);
        self.touch(id);
    }

    pub(super) fn remove(&mut self, id: LinkId) -> Option<Link> {
        let link = self.all.remove(&id)?;
        if let Some(due_ms) = link.due_ms {
            self.due.remove(&(due_ms, id));
        }
        if let Some(key) = link.key.filter(|_| link.is_ready()) {
            self.ready_count -= 1;
            let of_key = self.ready.entry(key).or_default();
            of_key.remove(&id);
            if of_key.is_empty() {
                self.ready.remove(&key);
            }
        }
        self.claiming.remove(&id);
        self.under_way -= link.under_way;
        Some(link)
    }

    pub(super) fn get(&self, id: &LinkId) -> Option<&Link> {
        self.all.get(id)
    }

    /// The link, to be changed: so the step looks at it.
    pub(super) fn get_mut(&mut self, id: &LinkId) -> Option<&mut Link> {
        let link = self.all.get_mut(id)?;
        if !std::mem::replace(&mut link.moved, true) {
            self.moved.push(*id);
        }
        Some(link)
    }

    /// Has the step look at a link.
    pub(super) fn touch(&mut self, id: LinkId) {
        self.get_mut(&id);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&LinkId, &Link)> {
        self.all.iter()
    }

    /// Whether a frame of so many bytes may be sent over a link now. When much is under way, no link fills its window.
    pub(super) fn has_room(&self, id: &LinkId, bytes: usize, config: &NodeConfig) -> bool {
        let full = self.under_way >= config.under_way_bytes_max;
        let window_bytes = |link: &Link| if full { limits::FRAME_BYTES_MAX as u64 } else { link.window_bytes };
        self.all.get(id).is_some_and(|link| link.has_room(bytes, window_bytes(link)))
    }

    /// The peer has proven who it is, and may be told of the space.
    pub(super) fn admit(&mut self, id: LinkId) {
        let Some(link) = self.get_mut(&id) else { return };
        let Some(key) = link.key.filter(|_| !link.is_ready()) else { return };
        link.session.admit();
        self.ready_count += 1;
        self.ready.entry(key).or_default().insert(id);
    }

    /// How many links to one key there are.
    pub(super) fn of_key(&self, key: &ReplicaKey) -> usize {
        self.ready.get(key).map_or(0, BTreeSet::len)
    }

    pub(super) fn ready_count(&self) -> usize {
        self.ready_count
    }

    /// Those that may be told of the space, sorted.
    pub(super) fn ready(&self) -> Vec<LinkId> {
        let ready: BTreeSet<LinkId> = self.ready.values().flatten().copied().collect();
        ready.into_iter().collect()
    }

    /// Links to tell what is new: one for each key.
    pub(super) fn listeners(&self) -> BTreeSet<LinkId> {
        self.ready.values().filter_map(|of_key| of_key.first().copied()).collect()
    }

    /// Those that something is due of.
    pub(super) fn wake(&mut self, now_ms: u64) {
        while let Some((due_ms, id)) = self.due.first().copied().filter(|(due_ms, _)| *due_ms <= now_ms) {
            self.due.remove(&(due_ms, id));
            if let Some(link) = self.get_mut(&id) {
                link.due_ms = None;
            }
        }
    }

    /// Those that the step looks at by now, sorted.
    pub(super) fn moved(&self) -> Vec<LinkId> {
        let mut moved = self.moved.clone();
        moved.sort_unstable();
        moved.retain(|id| self.all.contains_key(id));
        moved
    }

    /// Of those that the step looks at, the ones that may be told of the space, sorted.
    pub(super) fn moved_and_ready(&self) -> Vec<LinkId> {
        let mut moved = self.moved();
        moved.retain(|id| self.all.get(id).is_some_and(Link::is_ready));
        moved
    }

    /// Those that claim to have more of some log, sorted.
    pub(super) fn claiming(&self) -> Vec<LinkId> {
        let all: BTreeSet<LinkId> = self.claiming.iter().chain(&self.moved).copied().collect();
        let claims = |id: &LinkId| self.all.get(id).is_some_and(|link| !link.claims.is_empty());
        all.into_iter().filter(claims).collect()
    }

    /// The step is over: notes when each link that it looked at is to be looked at again.
    pub(super) fn settle(&mut self, config: &NodeConfig, now_ms: u64) {
        let mut unread = Vec::new();
        for id in std::mem::take(&mut self.moved) {
            let Some(link) = self.all.get_mut(&id) else { continue };
            link.moved = !link.inbox.is_empty();
            if link.moved {
                unread.push(id);
            }
            self.under_way = self.under_way - link.under_way + link.unacknowledged;
            link.under_way = link.unacknowledged;
            if link.claims.is_empty() {
                self.claiming.remove(&id);
            } else {
                self.claiming.insert(id);
            }
            // What is overdue was looked at in this step and waits for something else.
            let due_ms = timers::due_ms(link, config, now_ms).max(now_ms + 1);
            if let Some(before_ms) = link.due_ms.replace(due_ms) {
                self.due.remove(&(before_ms, id));
            }
            self.due.insert((due_ms, id));
        }
        self.moved = unread;
    }

    /// When a link next needs a look.
    pub(super) fn wake_at(&self) -> Option<u64> {
        self.due.first().map(|(due_ms, _)| *due_ms)
    }
}
