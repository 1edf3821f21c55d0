//! What a peer says costs a bounded amount of memory, whatever it says, and a lie never wedges a link.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
mod network;

use std::cell::Cell;
use std::convert::Infallible;

use chrysalis_core::fork::Proof;
use chrysalis_core::id::{Fingerprint, LogId, ReplicaKey, Signature};
use chrysalis_core::limits;
use chrysalis_core::member::{Role, Space};
use chrysalis_core::operation::Operation;
use chrysalis_core::sync::memory::MemoryReplica;
use chrysalis_core::sync::message::{Carried, Message, Range, RangeContent, Summary};
use chrysalis_core::sync::node::{Effect, LinkId, Node, NodeConfig};
use chrysalis_core::sync::packed::PackedSegment;
use chrysalis_core::sync::replica::{Intake, LogState, Mark, Offer, Outcome, Replica, Segment, Tip, Want};
use chrysalis_core::sync::session::{Opened, Session, Terms};
use common::{START_MS, open_space, opened};
use network::{key_of, long_note, replica, say};

const LINK: LinkId = LinkId(1);

/// What a link may leave unread: the window of a node, and two frames that are none of it.
const INBOX_BYTES_MAX: usize = 6 * limits::FRAME_BYTES_MAX;

/// A node, and a peer that holds a true key and says what it likes.
struct Host {
    node: Node,
    replica: Watched,
    now_ms: u64,
    closed: Vec<String>,
    said: Vec<Message>,
    bytes: usize,
}

impl Host {
    fn new(config: NodeConfig) -> Self {
        Self::to_peer(config, 1 << 20)
    }

    /// One whose peer takes so many bytes before it acknowledges.
    fn to_peer(config: NodeConfig, window_bytes: u64) -> Self {
        let node = Node::new(config, 1);
        let mut host =
            Self { node, replica: Watched::new(1), now_ms: START_MS, closed: Vec::new(), said: Vec::new(), bytes: 0 };
        host.shake_hands(window_bytes);
        host
    }

    fn shake_hands(&mut self, window_bytes: u64) {
        let terms = Terms { space: open_space().id(), replica: key_of(9).public(), window_bytes, address: None };
        let dialed = Some("ws://host:1".to_owned());
        let mut session = Session::new(Opened { nonce: [9; 32], dialed, trusted: None });
        self.node.opened(LINK, Opened { nonce: [1; 32], dialed: None, trusted: None }, self.now_ms);
        self.step();
        self.hear(&Message::Hello(session.begin(&terms).unwrap()));
        let Some(Message::Hello(hello)) = self.said.pop() else { panic!("no hello") };
        session.hear_hello(&terms, hello).unwrap();
        self.hear(&Message::Credentials(session.credentials(|message| key_of(9).sign(message), None)));
        assert_eq!(self.closed, [""; 0]);
        self.said.clear();
    }

    fn hear(&mut self, message: &Message) {
        self.node.received(LINK, message.encode());
        self.step();
    }

    fn step(&mut self) {
        for effect in self.node.step(&mut self.replica, self.now_ms) {
            match effect {
                Effect::Send { frame, .. } => {
                    self.bytes += frame.len();
                    self.said.push(Message::decode(&frame).unwrap());
                }
                Effect::Close { code, .. } => self.closed.push(code),
                _ => {}
            }
        }
    }

    fn pass(&mut self, ms: u64) {
        let until = self.now_ms + ms;
        while let Some(at) = self.node.wake_at().filter(|at| *at <= until) {
            self.now_ms = at.max(self.now_ms);
            self.step();
            self.node.received(LINK, Message::Pong(0).encode());
        }
        self.now_ms = until;
        self.step();
    }

    fn wants(&self) -> usize {
        self.said.iter().filter(|message| matches!(message, Message::Want { .. } | Message::Probe { .. })).count()
    }
}

fn lie(number: u64) -> LogState {
    let mut log = [0; 32];
    log[..8].copy_from_slice(&number.to_be_bytes());
    LogState { log: LogId(log), count: 1 << 40, tip: Tip([7; 16]), cut: None }
}

fn summary(states: Vec<LogState>) -> Message {
    Message::Summary(Summary { root: [5; 48], logs: states.len() as u64, states: Some(states), complete: true })
}

#[test]
fn a_peer_that_claims_what_it_never_sends_is_believed_ever_more_rarely() {
    let mut host = Host::new(NodeConfig::default());
    for _ in 0..600 {
        host.hear(&summary(vec![lie(1)]));
        host.pass(1_000);
        host.hear(&Message::Segments { segments: vec![], last: true });
    }
    assert!(host.wants() < 20, "{} requests in ten minutes", host.wants());
    assert_eq!(host.closed, [""; 0]);
}

#[test]
fn a_request_that_is_never_answered_ends_and_its_logs_are_free_for_others() {
    let mut host = Host::new(NodeConfig::default());
    host.hear(&summary(vec![lie(1), lie(2)]));
    host.pass(200);
    assert_eq!(host.node.status().fetching, 2);
    host.pass(11_000);
    assert_eq!(host.node.status().fetching, 0);
}

#[test]
fn a_false_tip_of_a_log_leads_to_no_endless_search() {
    let mut host = Host::new(NodeConfig::default());
    let log = host.replica.inner.own_log();
    for _ in 0..10 {
        say(&mut host.replica.inner, "words");
    }
    for round in 0..300u64 {
        host.hear(&summary(vec![LogState { log, count: 11, tip: Tip([round as u8; 16]), cut: None }]));
        let probe = host.said.iter().rev().find_map(|message| match message {
            Message::Probe { places, .. } => Some(places.clone()),
            _ => None,
        });
        // Every place is said to differ.
        let tips = probe.unwrap_or_default().into_iter().map(|place| (place, Some(Tip([9; 16])))).collect();
        host.hear(&Message::Places { log, tips });
        host.pass(1_000);
    }
    assert!(host.wants() < 40, "{} requests", host.wants());
    assert_eq!(host.node.status().searches, 0);
    assert_eq!(host.closed, [""; 0]);
}

#[test]
fn unacceptable_operations_end_the_link_after_a_while() {
    let mut host = Host::new(NodeConfig::default());
    let (mut author, open) = opened(50);
    host.hear(&Message::Segments { segments: vec![Carried::Plain(vec![open])], last: false });
    let mut sent = 0;
    while host.closed.is_empty() && sent < 100 {
        let bad = author.craft(&common::note("bad"), |header| header.lamport += 5);
        host.hear(&Message::Segments { segments: vec![Carried::Plain(vec![bad])], last: false });
        sent += 1;
    }
    assert_eq!((host.closed, sent), (vec!["refused".to_owned()], 32));
}

#[test]
fn what_waits_has_bounds_and_goes_away() {
    let config = NodeConfig { waiting_log_bytes_max: 20_000, ..NodeConfig::default() };
    let mut host = Host::new(config);
    let (mut author, open) = opened(50);
    host.hear(&Message::Segments { segments: vec![Carried::Plain(vec![open])], last: false });
    for number in 0..200u8 {
        let waits = author.craft(&common::note("waits"), |header| {
            header.dependencies = vec![Fingerprint([number; 48])];
            header.lamport = 9;
        });
        host.hear(&Message::Segments { segments: vec![Carried::Plain(vec![waits])], last: false });
    }
    assert!(host.node.status().waiting_bytes <= 20_000);
    assert!(host.said.iter().any(|message| matches!(message, Message::NotNow { code, .. } if code == "full")));
    host.pass(301_000);
    assert_eq!((host.node.status().waiting_bytes, host.node.status().waiting), (0, 0));
}

#[test]
fn who_sends_more_than_the_window_before_it_is_read_is_cut_off() {
    let mut host = Host::new(NodeConfig::default());
    for _ in 0..8 {
        host.node.received(LINK, vec![0; limits::FRAME_BYTES_MAX]);
    }
    assert!(host.node.status().inbox_bytes <= INBOX_BYTES_MAX);
    host.step();
    assert_eq!(host.closed, ["over_window"]);
    assert_eq!(host.node.status().inbox_bytes, 0);
}

#[test]
fn frames_without_bytes_fill_the_window_too() {
    let mut host = Host::new(NodeConfig::default());
    for _ in 0..100_000 {
        host.node.received(LINK, Vec::new());
    }
    assert!(host.node.status().inbox_bytes <= INBOX_BYTES_MAX);
    host.step();
    assert_eq!(host.closed, ["over_window"]);
    assert_eq!(host.node.status().inbox_bytes, 0);
}

#[test]
fn small_frames_that_unfold_to_large_messages_are_taken_in_by_parts() {
    let mut host = Host::new(NodeConfig::default());
    let (mut author, open) = opened(50);
    host.hear(&Message::Segments { segments: vec![Carried::Plain(vec![open])], last: false });
    let large = author.craft(&long_note(&"x".repeat(900 << 10)), |_| {});
    let packed = Carried::Packed(PackedSegment::pack(&[large]).unwrap());
    let frame = Message::Segments { segments: vec![packed], last: false }.encode();
    assert!(frame.len() < 8 << 10, "{} bytes", frame.len());
    for _ in 0..60 {
        host.node.received(LINK, frame.clone());
    }
    host.step();
    assert!(host.replica.taken_bytes_max <= 17 << 20, "{} bytes at once", host.replica.taken_bytes_max);
    assert!(host.replica.taken_bytes_max >= 8 << 20);
    assert_eq!((host.node.status().inbox_bytes, host.closed), (0, vec![]));
}

#[test]
fn who_begins_comparisons_without_end_has_all_logs_read_so_often_and_no_more() {
    let mut host = Host::new(NodeConfig::default());
    for seed in 60..160 {
        let (_, open) = opened(seed);
        host.hear(&Message::Segments { segments: vec![Carried::Plain(vec![open])], last: false });
    }
    host.pass(1_000);
    host.replica.looks.set(0);
    let unlisted = Message::Summary(Summary { root: [5; 48], logs: 100, states: None, complete: false }).encode();
    for _ in 0..20_000 {
        host.node.received(LINK, unlisted.clone());
        host.step();
    }
    let looks = host.replica.looks.get();
    assert!(looks < 10_000, "{looks} times");
    assert_eq!(host.closed, [""; 0]);
}

#[test]
fn questions_without_end_get_answers_with_an_end() {
    let mut host = Host::new(NodeConfig::default());
    for _ in 0..50 {
        let fingerprint = say(&mut host.replica.inner, &"x".repeat(2_000)).fingerprint();
        host.said.clear();
        host.hear(&Message::Find(vec![fingerprint]));
    }
    let all: Vec<Fingerprint> = host.replica.inner.valid().map(|one| one.operation().fingerprint()).collect();
    host.bytes = 0;
    for round in 0..3_000 {
        host.node.received(LINK, Message::Find(all.clone()).encode());
        let states = vec![LogState { count: round, ..lie(round) }];
        host.node.received(LINK, summary(states).encode());
        host.node.received(LINK, Message::Stored { states: vec![], bytes: u64::MAX }.encode());
        host.step();
    }
    assert!(host.bytes < 6 << 20, "{} bytes in an instant", host.bytes);
}

/// Has a host say 5 MB that nothing shortens, and returns the wish for all of it.
fn fill(host: &mut Host) -> Message {
    let mut noise = 1_u64;
    for _ in 0..2_500 {
        let words: String = std::iter::repeat_with(|| {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from_u32(0x4e00 + (noise >> 50) as u32).unwrap()
        })
        .take(700)
        .collect();
        say(&mut host.replica.inner, &words);
    }
    host.said.clear();
    host.bytes = 0;
    Message::Want { wants: vec![Want { log: host.replica.inner.own_log(), from: 0 }], plain: true }
}

#[test]
fn what_one_read_brought_leaves_before_the_next_is_read() {
    let config = NodeConfig::default();
    let read_bytes = config.chunk_bytes;
    let mut host = Host::new(config);
    let want = fill(&mut host);
    host.hear(&want);
    let one = host.bytes;
    assert!(one > 0 && one < 2 * read_bytes, "{one} bytes");
    assert_eq!(host.node.wake_at(), Some(host.now_ms), "the next is read at once");
    host.step();
    assert!(host.bytes > one && host.bytes < 4 * read_bytes, "{} bytes", host.bytes);
}

#[test]
fn a_peer_that_acknowledges_nothing_is_sent_one_window() {
    let sent = |config: NodeConfig, window_bytes: u64| {
        let mut host = Host::to_peer(config, window_bytes);
        let want = fill(&mut host);
        for _ in 0..40 {
            host.hear(&want);
        }
        host.bytes
    };
    let within = |bytes: usize, window: usize| bytes <= window + (256 << 10) && bytes > window / 2;
    for (asked, window) in [(1 << 20, 1 << 20), (3 << 20, 3 << 20), (1 << 40, 4 << 20)] {
        let bytes = sent(NodeConfig::default(), asked);
        assert!(within(bytes, window), "{bytes} bytes to who takes {asked}");
    }
    // When much is under way in all, nobody is sent more than a frame's worth.
    let crowded = NodeConfig { under_way_bytes_max: 1, ..NodeConfig::default() };
    let bytes = sent(crowded, 3 << 20);
    assert!(within(bytes, 1 << 20), "{bytes} bytes while others take theirs");
}

#[test]
fn messages_of_every_kind_full_of_nonsense_leave_bounded_state_behind() {
    let mut host = Host::new(NodeConfig::default());
    let states: Vec<_> = (0..8_000).map(lie).collect();
    let nonsense = [
        summary(states.clone()),
        Message::Have(states.clone()),
        Message::Stored { states, bytes: 1 << 60 },
        Message::Ranges(vec![Range { until: None, content: RangeContent::Digest([3; 16]) }]),
        Message::Want {
            wants: (0..8_000).map(|number| Want { log: lie(number).log, from: 1 << 40 }).collect(),
            plain: false,
        },
        Message::Places { log: lie(1).log, tips: vec![(1 << 50, None)] },
        Message::Probe { log: lie(1).log, places: (0..64).map(|place| place << 40).collect() },
        Message::Find(vec![Fingerprint([8; 48]); 200]),
        Message::Peers(vec![]),
        Message::NotNow { retry_ms: u64::MAX, code: "busy".to_owned() },
        Message::Pong(1),
    ];
    for _ in 0..20 {
        for message in &nonsense {
            if host.closed.is_empty() {
                host.hear(message);
                host.pass(100);
            }
        }
    }
    let status = host.node.status();
    assert!(status.fetching <= 4 * limits::WANTS_MAX);
    assert_eq!((status.inbox_bytes, status.waiting_bytes, status.searches), (0, 0, 0));
    // An honest link still works beside it.
    assert_eq!(status.links.len() + host.closed.len(), 1);
}

/// A replica whose disk fails when told to, and that counts what it is asked.
struct Watched {
    inner: MemoryReplica,
    fails: bool,
    /// How often all log states were read.
    looks: Cell<usize>,
    /// Bytes of payloads that were offered at once, at most.
    taken_bytes_max: usize,
}

impl Watched {
    fn new(seed: u8) -> Self {
        Self { inner: replica(seed), fails: false, looks: Cell::new(0), taken_bytes_max: 0 }
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct DiskFull;

fn sure<T>(answer: Result<T, Infallible>) -> Result<T, DiskFull> {
    answer.map_err(|fault| match fault {})
}

impl Replica for Watched {
    type Error = DiskFull;

    fn space(&self) -> &Space {
        self.inner.space()
    }
    fn key(&self) -> ReplicaKey {
        self.inner.key()
    }
    fn sign(&self, message: &[u8]) -> Signature {
        self.inner.sign(message)
    }
    fn opening(&self) -> Result<Option<Operation>, DiskFull> {
        sure(self.inner.opening())
    }
    fn role_of(&self, key: &ReplicaKey) -> Result<Option<Role>, DiskFull> {
        sure(self.inner.role_of(key))
    }
    fn position(&self) -> Result<u64, DiskFull> {
        sure(self.inner.position())
    }
    fn states(&self) -> Result<Vec<LogState>, DiskFull> {
        self.looks.set(self.looks.get() + 1);
        sure(self.inner.states())
    }
    fn state(&self, log: &LogId) -> Result<Option<LogState>, DiskFull> {
        sure(self.inner.state(log))
    }
    fn states_since(&self, position: u64) -> Result<Vec<LogState>, DiskFull> {
        sure(self.inner.states_since(position))
    }
    fn read(&self, wants: &[Want], bytes_max: usize) -> Result<Vec<Segment>, DiskFull> {
        sure(self.inner.read(wants, bytes_max))
    }
    fn read_after(&self, position: u64, bytes_max: usize) -> Result<(Vec<Segment>, u64), DiskFull> {
        sure(self.inner.read_after(position, bytes_max))
    }
    fn tips(&self, log: &LogId, places: &[u64]) -> Result<Vec<Option<Tip>>, DiskFull> {
        sure(self.inner.tips(log, places))
    }
    fn standing_at(&self, log: &LogId, place: u64) -> Result<Option<Fingerprint>, DiskFull> {
        sure(Replica::standing_at(&self.inner, log, place))
    }
    fn resolve(&self, mark: &Mark) -> Result<Option<Fingerprint>, DiskFull> {
        sure(Replica::resolve(&self.inner, mark))
    }
    fn find(&self, fingerprints: &[Fingerprint]) -> Result<Vec<Operation>, DiskFull> {
        sure(self.inner.find(fingerprints))
    }
    fn proofs(&self, logs: &[LogId]) -> Result<Vec<Proof>, DiskFull> {
        sure(self.inner.proofs(logs))
    }
    fn without_words(&self, after: Option<&Fingerprint>, limit: usize) -> Result<Vec<Fingerprint>, DiskFull> {
        sure(self.inner.without_words(after, limit))
    }
    fn agreed(&self, peer: &ReplicaKey) -> Result<Option<u64>, DiskFull> {
        sure(self.inner.agreed(peer))
    }
    fn take(&mut self, intake: Intake) -> Result<Vec<Outcome>, DiskFull> {
        let payload = |one: &Operation| one.body().map_or(0, |body| body.payload.len());
        let segments = intake.offers.iter().filter_map(|(_, offer)| match offer {
            Offer::Segment(segment) => Some(segment.iter().map(payload).sum::<usize>()),
            Offer::Proof(_) => None,
        });
        self.taken_bytes_max = self.taken_bytes_max.max(segments.sum());
        if self.fails { Err(DiskFull) } else { sure(self.inner.take(intake)) }
    }
}

/// Steps both ends of a link until neither says anything, and lets time pass up to a moment.
fn run(ends: &mut [(Node, Watched); 2], now_ms: &mut u64, until_ms: u64) -> (usize, Vec<Message>) {
    let (mut faults, mut said) = (0, Vec::new());
    for _ in 0..2_000 {
        let mut quiet = true;
        for at in [0, 1] {
            let (node, replica) = &mut ends[at];
            for effect in node.step(replica, *now_ms) {
                match effect {
                    Effect::Send { frame, .. } => {
                        said.push(Message::decode(&frame).unwrap());
                        ends[1 - at].0.received(LINK, frame);
                        quiet = false;
                    }
                    Effect::Fault(DiskFull) => faults += 1,
                    _ => {}
                }
            }
        }
        let next = ends.iter().filter_map(|(node, _)| node.wake_at()).min();
        match next.filter(|at| *at <= until_ms) {
            Some(at) if quiet => *now_ms = at.max(*now_ms + 1),
            None if quiet => break,
            _ => {}
        }
    }
    (faults, said)
}

#[test]
fn a_full_disk_is_told_counts_for_nothing_and_is_made_up_for() {
    let end = |seed| (Node::new(NodeConfig::default(), u64::from(seed)), Watched::new(seed));
    let (mut ends, mut now_ms) = ([end(1), end(2)], START_MS);
    let nonces = [([1; 32], Some("ws://there:1".to_owned())), ([2; 32], None)];
    for ((node, _), (nonce, dialed)) in ends.iter_mut().zip(nonces) {
        node.opened(LINK, Opened { nonce, dialed, trusted: None }, now_ms);
    }
    run(&mut ends, &mut now_ms, START_MS + 2_000);
    ends[1].1.fails = true;
    let said = say(&mut ends[0].1.inner, "while the disk is full");
    let until_ms = now_ms + 5_000;
    let (faults, messages) = run(&mut ends, &mut now_ms, until_ms);
    assert!(faults > 0);
    assert!(messages.iter().any(|message| matches!(message, Message::NotNow { code, .. } if code == "fault")));
    let (log, peer) = (said.header().log, ends[1].1.inner.key());
    assert_eq!(ends[0].1.inner.acknowledged(&peer, &log), 1);
    ends[1].1.fails = false;
    let until_ms = now_ms + 30_000;
    assert_eq!(run(&mut ends, &mut now_ms, until_ms).0, 0);
    assert_eq!(ends[1].1.inner.find(&[said.fingerprint()]), Ok(vec![said]));
    assert_eq!(ends[0].1.inner.acknowledged(&peer, &log), 2);
}
