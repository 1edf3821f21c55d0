//! What a node remembers of one link. Every collection in it has a bound.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::id::{Fingerprint, LogId, ReplicaKey};
use crate::limits;
use crate::member::Role;
use crate::operation::Operation;
use crate::sync::replica::LogState;
use crate::sync::session::{Opened, Phase, Session};

use super::config::NodeConfig;
use super::status::{Counters, LinkId, LinkStatus};

/// Logs of which a link remembers what the peer has said. One more is not remembered; the next comparison brings it.
const CLAIMS_MAX: usize = 4 * limits::WANTS_MAX;

/// Least and greatest pause, in ms, in which a claim that was not kept is not believed again. It doubles each time.
const DISTRUST_MS: (u64, u64) = (1_000, 300_000);

/// One link.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) session: Session,
    /// Whether the present step looks at it, and when the next one must.
    pub(super) moved: bool,
    pub(super) due_ms: Option<u64>,
    pub(super) key: Option<ReplicaKey>,
    pub(super) role: Option<Role>,
    pub(super) opened_ms: u64,
    pub(super) heard_ms: u64,
    pub(super) pinged_ms: u64,
    pub(super) inbox: VecDeque<Vec<u8>>,
    pub(super) inbox_bytes: usize,
    pub(super) overfull: bool,
    /// Waits for the verdict about its opening; its next frames are read after that.
    pub(super) blocked: bool,
    /// What the peer opens its log with, while the openings of those who invited it are awaited, and the frames that
    /// came meanwhile.
    pub(super) opening: Option<Operation>,
    pub(super) held: VecDeque<Vec<u8>>,
    pub(super) held_bytes: usize,

    // What this side sends.
    /// Bytes that the peer takes before it acknowledges.
    pub(super) window_bytes: u64,
    pub(super) unacknowledged: u64,
    /// The same when a step last looked: so much of all that is under way.
    pub(super) under_way: u64,
    /// When an acknowledgement last came, or the first of what waits for one was sent.
    pub(super) acknowledged_ms: u64,
    pub(super) serving: BTreeMap<LogId, u64>,
    pub(super) serving_plain: bool,
    pub(super) finds: BTreeSet<Fingerprint>,
    /// Whether the peer has asked for anything by fingerprint.
    pub(super) asked_before: bool,
    /// Logs to be announced once there is room: news that was not sent.
    pub(super) unsaid: BTreeSet<LogId>,
    /// How much of a log the peer is known to have, as far as it was said.
    pub(super) has: BTreeMap<LogId, u64>,
    pub(super) back_off_ms: u64,
    pub(super) answers: Answers,

    // What this side receives.
    /// Bytes of frames with operations, dealt with and not acknowledged.
    pub(super) owed: u64,
    pub(super) owed_logs: BTreeSet<LogId>,
    /// What the peer has more of than is here.
    pub(super) claims: BTreeMap<LogId, LogState>,
    pub(super) distrust: BTreeMap<LogId, Distrust>,
    pub(super) fetch: Option<Outstanding>,
    /// What is to be asked for in another way once the present answer ended: from where, and whether in full.
    pub(super) later: BTreeMap<LogId, (u64, bool)>,
    /// Whether the peer is still to be asked for what it keeps of this replica's own void words.
    pub(super) own_words: bool,
    /// Until when news that was announced may still come by itself from someone else.
    pub(super) announced_ms: u64,
    /// What was asked for by fingerprint.
    pub(super) sought: BTreeSet<Fingerprint>,
    pub(super) exchange: Exchange,
    pub(super) told_proofs: BTreeMap<LogId, u64>,
    /// How much of our own logs the peer has said to have on disk.
    pub(super) acknowledged: BTreeMap<LogId, u64>,
    pub(super) counters: Counters,
}

/// A request for operations that is being answered.
#[derive(Debug)]
pub(super) struct Outstanding {
    pub(super) logs: BTreeSet<LogId>,
    pub(super) deadline_ms: u64,
}

/// How the comparison with this peer goes.
#[derive(Default, Debug)]
pub(super) struct Exchange {
    /// Until when the peer's own summary is awaited, after ours was sent.
    pub(super) asked_ms: Option<u64>,
    /// When it was last begun.
    pub(super) begun_ms: u64,
    /// To be begun as soon as may be.
    pub(super) wanted: bool,
    /// The digests are to be compared when what is being fetched has come.
    pub(super) compare: bool,
    /// Comparisons in a row that ended unequal although nothing moved: the next one tells more.
    pub(super) fruitless: u32,
    pub(super) agreed: bool,
    /// The position at which both last held the same, as far as it was found on this link.
    pub(super) agreed_at: Option<u64>,
    /// When that was found, in ms.
    pub(super) agreed_ms: u64,
    /// Whether this side said that it has too many logs to list them.
    pub(super) unlisted: bool,
    /// How many logs the peer says to have.
    pub(super) logs: u64,
    /// Messages with ranges that came in this comparison.
    pub(super) ranges: u64,
}

impl Exchange {
    /// Whether both held the same so lately, and nothing came here since.
    pub(super) fn is_fresh(&self, position: Option<u64>, now_ms: u64, within_ms: u64) -> bool {
        self.agreed && self.agreed_at.is_some() && self.agreed_at == position && now_ms < self.agreed_ms + within_ms
    }
}

/// A claim that was not kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Distrust {
    pub(super) until_ms: u64,
    pause_ms: u64,
}

/// How much a link may still ask for: bounds what one peer's questions cost.
#[derive(Debug)]
pub(super) struct Answers {
    left: u64,
    max: u64,
    refill_ms: u64,
    filled_ms: u64,
}

impl Answers {
    /// Whether an answer of about so many bytes may be given now.
    pub(super) fn spend(&mut self, bytes: u64, now_ms: u64) -> bool {
        let passed = now_ms.saturating_sub(self.filled_ms).min(self.refill_ms);
        self.left = (self.left + self.max * passed / self.refill_ms.max(1)).min(self.max);
        self.filled_ms = now_ms;
        let may = self.left >= bytes;
        self.left -= if may { bytes } else { 0 };
        may
    }
}

impl Link {
    pub(super) fn new(opened: Opened, config: &NodeConfig, now_ms: u64) -> Self {
        let max = config.answers_bytes_max;
        Self {
            session: Session::new(opened),
            moved: false,
            due_ms: None,
            key: None,
            role: None,
            opened_ms: now_ms,
            heard_ms: now_ms,
            pinged_ms: now_ms,
            inbox: VecDeque::new(),
            inbox_bytes: 0,
            overfull: false,
            blocked: false,
            window_bytes: 0,
            unacknowledged: 0,
            under_way: 0,
            acknowledged_ms: now_ms,
            serving: BTreeMap::new(),
            serving_plain: false,
            finds: BTreeSet::new(),
            asked_before: false,
            unsaid: BTreeSet::new(),
            has: BTreeMap::new(),
            back_off_ms: 0,
            answers: Answers { left: max, max, refill_ms: config.answers_ms, filled_ms: now_ms },
            owed: 0,
            owed_logs: BTreeSet::new(),
            claims: BTreeMap::new(),
            distrust: BTreeMap::new(),
            fetch: None,
            later: BTreeMap::new(),
            sought: BTreeSet::new(),
            exchange: Exchange::default(),
            told_proofs: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            held: VecDeque::new(),
            held_bytes: 0,
            opening: None,
            announced_ms: 0,
            own_words: false,
            counters: Counters::default(),
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        self.session.phase() == Phase::Ready
    }

    /// Who is at the other end, once that is proven.
    pub(super) fn key(&self) -> Option<ReplicaKey> {
        self.key
    }

    /// Whether a frame of so many bytes fits this window. One always does when nothing is under way.
    pub(super) fn has_room(&self, bytes: usize, window_bytes: u64) -> bool {
        self.unacknowledged == 0 || self.unacknowledged + bytes as u64 <= window_bytes
    }

    /// What was not acknowledged was not sent: the next comparison finds it again.
    pub(super) fn take_back_sent(&mut self) {
        self.unacknowledged = 0;
        self.serving.clear();
        self.has.clear();
        self.exchange.wanted = true;
    }

    /// Notes that the peer has so much of a log.
    pub(super) fn note_has(&mut self, log: LogId, count: u64) {
        if self.has.len() < CLAIMS_MAX || self.has.contains_key(&log) {
            let known = self.has.entry(log).or_insert(0);
            *known = count.max(*known);
        }
    }

    /// Whether the peer has this, as far as it was said, or is being sent it by way of what it asked for.
    pub(super) fn knows(&self, segment: &[Operation]) -> bool {
        let Some(last) = segment.last() else { return true };
        self.has_all(&last.header().log, last.header().sequence + 1)
    }

    /// The same of a log's first operations.
    pub(super) fn has_all(&self, log: &LogId, count: u64) -> bool {
        self.serving.contains_key(log) || self.has.get(log).is_some_and(|has| *has >= count)
    }

    /// Notes that the peer says to have more of a log than is here, unless it said so lately and kept nothing.
    pub(super) fn claim(&mut self, state: LogState, now_ms: u64) {
        if !self.distrusts(&state.log, now_ms)
            && (self.claims.len() < CLAIMS_MAX || self.claims.contains_key(&state.log))
        {
            self.claims.insert(state.log, state);
        }
    }

    /// Whether a claim about this log was not kept lately.
    pub(super) fn distrusts(&self, log: &LogId, now_ms: u64) -> bool {
        self.distrust.get(log).is_some_and(|distrust| distrust.until_ms > now_ms)
    }

    /// Notes that a log is to be asked for in another way, when there is time.
    pub(super) fn ask_later(&mut self, log: LogId, from: u64, plain: bool) {
        if self.later.len() < limits::WANTS_MAX {
            self.later.entry(log).or_insert((from, plain));
        }
    }

    /// A claim was not kept: it is not believed for a while, and longer each time.
    pub(super) fn doubt(&mut self, log: LogId, now_ms: u64) {
        self.claims.remove(&log);
        if self.distrust.len() >= CLAIMS_MAX {
            self.distrust.retain(|_, distrust| distrust.until_ms > now_ms);
        }
        if self.distrust.len() < CLAIMS_MAX || self.distrust.contains_key(&log) {
            let known = self.distrust.get(&log).map_or(DISTRUST_MS.0, |distrust| distrust.pause_ms * 2);
            let pause_ms = known.min(DISTRUST_MS.1);
            self.distrust.insert(log, Distrust { until_ms: now_ms + pause_ms, pause_ms });
        }
    }

    /// Something of this log came and was new.
    pub(super) fn trust(&mut self, log: &LogId) {
        self.distrust.remove(log);
    }

    pub(super) fn status(&self, link: LinkId) -> LinkStatus {
        let theirs = self.session.theirs().and_then(|hello| hello.address.clone());
        LinkStatus {
            link,
            key: self.key,
            role: self.role,
            address: self.session.dialed().cloned().or(theirs),
            dialed: self.session.dialed().is_some(),
            phase: self.session.phase(),
            unacknowledged_bytes: self.unacknowledged,
            ahead_logs: self.claims.len(),
            serving_logs: self.serving.len(),
            remembered_logs: self.has.len(),
            agreed: self.exchange.agreed,
            counters: self.counters,
        }
    }
}
