//! What the golden file holds, made anew from fixed keys, salts and times.

use chrysalis_core::admit::Admission;
use chrysalis_core::fork::Proof;
use chrysalis_core::id::{Fingerprint, WithdrawalDigest, content_digest};
use chrysalis_core::log::Draft;
use chrysalis_core::member::{Role, Space};
use chrysalis_core::operation::Operation;
use chrysalis_core::payload::{
    Attest, Change, Collection, Configure, Field, Forget, Payload, Position, Remove, Score, Value, Write,
};

use super::{Author, MemoryLedger, START_MS, closed_space, memory, open_space};

/// The closed space's founder is the author with this seed.
pub const FOUNDER: u8 = 0xf0;

/// A named operation and what it says.
pub struct Named {
    pub name: String,
    pub operation: Operation,
    pub payload: Payload,
}

/// Everything in the golden file, in its order.
pub struct Golden {
    /// The log of one author of the open space: one operation of every kind, and every change.
    pub log: Vec<Named>,
    /// Openings in the closed space: founder, invited writer, invited administrator, a writer invited by the latter.
    pub openings: Vec<Named>,
    /// A fork proof with one header a side.
    pub proof_short: Proof,
    /// A fork proof whose sides need two and three headers to reach a signature.
    pub proof_long: Proof,
    /// A run of one log that is admitted by its last signature.
    pub segment: Vec<Operation>,
}

fn write(root: Option<Fingerprint>, changes: Vec<Change>) -> Payload {
    Payload::Write(Write { memory: memory("memory-1"), agent: "golden".to_owned(), root, changes })
}

fn register(field: Field, value: Value, replaces: Vec<Fingerprint>) -> Change {
    Change::Register { field, value, replaces }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn creation() -> Payload {
    let registers = vec![
        register(Field::Content, text("The harbour opens at six."), Vec::new()),
        register(Field::Tier, text("long_term"), Vec::new()),
        register(Field::MemoryType, text("semantic"), Vec::new()),
        register(Field::Scope, text("town/harbour"), Vec::new()),
        register(Field::Thread, text("thread-7"), Vec::new()),
        register(Field::Speaker, text("Ines"), Vec::new()),
        register(Field::OccurredAt, Value::Integer(-1), Vec::new()),
        register(Field::Validity, Value::Span(Some(START_MS as i64), None), Vec::new()),
        register(Field::Expiry, Value::Null, Vec::new()),
    ];
    write(None, registers)
}

/// Every change besides the first registers, on the memory that the operation `root` created.
fn edits(root: Fingerprint) -> Vec<(&'static str, Payload)> {
    let edit = |change| write(Some(root), vec![change]);
    let metadata = |value: Option<&str>, replaces| Change::Metadata {
        key: "source".to_owned(),
        value: value.map(str::to_owned),
        replaces,
    };
    let grow = |collection, elements| edit(Change::Grow { collection, elements });
    vec![
        ("write.register", edit(register(Field::Content, text("It opens at seven: ☀."), vec![root]))),
        ("write.span", edit(register(Field::Validity, Value::Span(None, Some(1_800_000_000_000)), vec![root]))),
        ("write.null", edit(register(Field::Speaker, Value::Null, vec![root]))),
        ("write.metadata", edit(metadata(Some("{\"page\":3}"), Vec::new()))),
        ("write.metadata_cleared", edit(metadata(None, vec![root]))),
        ("write.add_tags", edit(Change::AddTags(texts(&["harbour", "hours"])))),
        ("write.remove_tag", edit(Change::RemoveTag { tag: "hours".to_owned(), adds: vec![root] })),
        ("write.evidence", grow(Collection::Evidence, texts(&["a sign at the gate"]))),
        ("write.related", grow(Collection::Related, texts(&["memory-2", "memory-3"]))),
        ("write.parents", grow(Collection::Parents, texts(&["memory-0"]))),
        ("write.importance", edit(Change::Rate { score: Score::Importance, value: 65_535 })),
        ("write.confidence", edit(Change::Rate { score: Score::Confidence, value: 0 })),
        (
            "write.embed",
            edit(Change::Embed {
                model: "tiny".to_owned(),
                content: content_digest("It opens at seven: ☀."),
                vector: vec![0, 1, 0x7f, 0x80, 0xff],
            }),
        ),
        (
            "write.many",
            write(
                Some(root),
                vec![
                    register(Field::Tier, text("working"), vec![root]),
                    metadata(Some("1"), Vec::new()),
                    Change::AddTags(texts(&["sea"])),
                    Change::RemoveTag { tag: "harbour".to_owned(), adds: Vec::new() },
                    Change::Grow { collection: Collection::Related, elements: texts(&["memory-4"]) },
                    Change::Rate { score: Score::Importance, value: 32_768 },
                ],
            ),
        ),
    ]
}

/// Every other kind, one or two of each.
fn others(root: Fingerprint, author: &Author) -> Vec<(&'static str, Payload)> {
    let forget = |withdrawal: Option<WithdrawalDigest>, root| {
        Payload::Forget(Forget { memory: memory("memory-1"), root, reason: "asked to".to_owned(), withdrawal })
    };
    let last = Position { log: author.log(), sequence: 1, fingerprint: root };
    let content = content_digest("The harbour opens at six.");
    vec![
        ("touch", Payload::Touch(vec![(memory("memory-1"), 1), (memory("memory-2"), 100)])),
        ("attest", Payload::Attest(Attest { memory: memory("memory-1"), content, confidence: 40_000 })),
        (
            "configure",
            Payload::Configure(Configure {
                key: "scores".to_owned(),
                value: "robust".to_owned(),
                replaces: vec![root],
            }),
        ),
        ("remove", Payload::Remove(Remove { replica: author.open.replica, last: vec![last] })),
        ("forget", forget(None, None)),
        ("forget.withdrawn", forget(Some(open_space().withdrawal_digest("The harbour opens at six.")), Some(root))),
    ]
}

fn log() -> Vec<Named> {
    let (mut author, mut other) = (Author::new(&open_space(), 1), Author::new(&open_space(), 2));
    let seen = [other.open_log(), Author::new(&open_space(), 3).open_log()];
    let open = Payload::Open(Box::new(author.open.clone()));
    let mut named = Vec::new();
    let mut keep = |name: &str, payload: Payload, operation: Operation| {
        named.push(Named { name: name.to_owned(), operation, payload });
    };
    // The two operations that one of the author's depends on stand in logs of their own.
    keep("other.open", Payload::Open(Box::new(other.open.clone())), seen[0].clone());
    let third = Author::new(&open_space(), 3).open;
    keep("third.open", Payload::Open(Box::new(third)), seen[1].clone());
    keep("open", open, author.open_log());
    let created = author.say(creation(), &[]);
    let root = created.fingerprint();
    keep("write.create", creation(), created);
    for (name, payload) in edits(root).into_iter().chain(others(root, &author)) {
        let operation = author.say(payload.clone(), &[]);
        keep(name, payload, operation);
    }
    let dependent = author.note_after("after two others", &[&seen[0], &seen[1]]);
    keep("write.dependent", super::note("after two others"), dependent);
    let fading = expiring(&mut author);
    keep("write.expiring", super::note("gone tomorrow"), fading);
    named
}

fn expiring(author: &mut Author) -> Operation {
    let draft = Draft {
        payload: super::note("gone tomorrow"),
        salt: chrysalis_core::id::Salt([0xee; 16]),
        now_ms: START_MS + 1000,
        expires_ms: Some(START_MS + 86_400_000),
        dependencies: Vec::new(),
        payload_bytes_max: 1024,
    };
    author.head.extend(&author.key, draft).unwrap().operation().clone()
}

/// Founder, invited writer, invited administrator, and a writer whom that administrator invited.
fn openings() -> Vec<Named> {
    let space = closed_space(FOUNDER);
    let mut founder = Author::new(&space, FOUNDER);
    let by_founder = founder.open_log();
    let mut writer = founder.invite_until(0xf1, Role::Writer, Some(START_MS + 86_400_000));
    let mut administrator = founder.invite(0xf2, Role::Administrator);
    let by_administrator = administrator.open_log();
    let mut guest = administrator.invite(0xf3, Role::Validator);
    let opened = [
        ("closed.founder.open", by_founder, &founder.open),
        ("closed.writer.open", writer.open_log(), &writer.open),
        ("closed.administrator.open", by_administrator, &administrator.open),
        ("closed.guest.open", guest.open_log(), &guest.open),
    ];
    let named = opened.map(|(name, operation, open)| Named {
        name: name.to_owned(),
        operation,
        payload: Payload::Open(Box::new(open.clone())),
    });
    named.into()
}

fn proof(lengths: (usize, usize)) -> Proof {
    let mut author = Author::new(&open_space(), 4);
    let open = author.open_log();
    let mut copy = author.copy();
    let run = |author: &mut Author, length| -> Vec<Operation> {
        (0..length).map(|number| author.note(&format!("branch {number}"))).collect()
    };
    let mut ledger = MemoryLedger::new(&open_space());
    ledger.accept(&[vec![open], run(&mut author, lengths.0)].concat());
    match ledger.offer(&run(&mut copy, lengths.1)) {
        Ok(Admission::Forked { proof: Some(proof), .. }) => *proof,
        other => panic!("no fork: {other:?}"),
    }
}

fn segment() -> Vec<Operation> {
    let mut author = Author::new(&open_space(), 5);
    let open = author.open_log();
    let notes = ["first words", "second words"].map(|words| author.note(words));
    [vec![open], Vec::from(notes)].concat()
}

impl Golden {
    pub fn make() -> Self {
        Self {
            log: log(),
            openings: openings(),
            proof_short: proof((1, 1)),
            proof_long: proof((2, 3)),
            segment: segment(),
        }
    }

    /// The file: a name, what of it, and hexadecimal, a line each.
    pub fn text(&self) -> String {
        let mut lines = vec![
            "# Bytes that every later release must read. Made by tests/golden.rs; never edited, only added to."
                .to_owned(),
        ];
        let mut line = |name: &str, what: &str, hex: String| lines.push(format!("{name} {what} {hex}"));
        for (name, space) in [("space.open", open_space()), ("space.closed", closed_space(FOUNDER))] {
            line(name, "encoded", chrysalis_core::id::to_hex(&space.encode()));
            line(name, "id", Space::id(&space).to_hex());
        }
        line("content", "digest", content_digest("The harbour opens at six.").to_hex());
        let segment = self.segment.iter().enumerate().map(|(place, operation)| (format!("segment.{place}"), operation));
        let named = self.log.iter().chain(&self.openings).map(|named| (named.name.clone(), &named.operation));
        for (name, operation) in named.chain(segment) {
            line(&name, "encoded", chrysalis_core::id::to_hex(&operation.encode()));
            line(&name, "fingerprint", operation.fingerprint().to_hex());
            line(&name, "signature", operation.signature().to_hex());
        }
        line("proof.short", "encoded", chrysalis_core::id::to_hex(&self.proof_short.encode()));
        line("proof.long", "encoded", chrysalis_core::id::to_hex(&self.proof_long.encode()));
        lines.join("\n") + "\n"
    }
}
