"""The compiled core. Private: use the names that `chrysalis_memory` exports."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final, final

__all__ = [
    "FRAME_BYTES_MAX",
    "HAS_ENCRYPTION",
    "PAYLOAD_BYTES_MAX",
    "GCounter",
    "GSet",
    "LWWRegister",
    "LogicalTime",
    "Memory",
    "MemoryDocument",
    "Node",
    "ORSet",
    "Replica",
    "VectorClock",
    "change_passphrase",
    "diagnose",
    "encrypt",
    "fingerprint",
    "repair",
    "rounds_estimate",
    "simulate",
    "simulate_liars",
    "verify_signature",
]

FRAME_BYTES_MAX: Final[int]
HAS_ENCRYPTION: Final[bool]
"""Whether this build can keep stores encrypted."""
PAYLOAD_BYTES_MAX: Final[int]
"""Bytes of one payload that replicas admit at all."""

def rounds_estimate(replicas: int, fanout: int, mode: str) -> float:
    """See `chrysalis_memory.network.rounds_estimate`."""

def fingerprint(data: bytes | str) -> str:
    """SHA-384 (FIPS 180-4) of bytes, or of the UTF-8 of text, as 96 hex characters.

    >>> fingerprint("abc")[:16]
    'cb00753f45a35e8b'
    """

def verify_signature(public_key: bytes | str, message: bytes | str, signature: bytes | str) -> bool:
    """Whether an Ed25519 signature (RFC 8032) holds, by the strict rules that every replica follows: small-order keys
    and non-canonical points are refused. Keys and signatures are bytes or hex; what is neither verifies nothing.

    >>> verify_signature("00" * 32, "words", "00" * 64)
    False
    """

def diagnose(path: str, passphrase: str | None) -> Sequence[tuple[str, str, str, str, str | None]]:
    """Findings about a store's folder, as (level, code, where, what, repair); changes nothing."""

def repair(path: str, passphrase: str | None) -> Sequence[tuple[str, str, str, str, str | None]]:
    """Mends what can be mended; what was done and what was lost, as `diagnose` tells it."""

def encrypt(path: str, before: str | None, after: str | None) -> None:
    """Writes a store anew under another passphrase and key; None stands for plain."""

def change_passphrase(path: str, before: str, after: str) -> None:
    """Has another passphrase open an encrypted store."""

def simulate(
    replicas: int,
    fanout: int = 3,
    loss: float = 0.0,
    mode: str = "gossip",
    seed: int = 1,
    seeds: int = 1,
    watch: Callable[[int, int, float | None], object] | None = None,
) -> dict[str, Any]:
    """How a memory reaches everyone: see `chrysalis_memory.simulation`."""

def simulate_liars(
    agents: int, share: float, truth: float = 0.6, tries: int = 20, rounds: int = 20, seed: int = 1
) -> Sequence[tuple[float, float, float, float]]:
    """Trimmed mean, median, mean and maximum after each round: see `chrysalis_memory.simulation`."""

@final
class LogicalTime:
    """When an operation happened, as far as replicas can know: by cause, not by clock."""

    @property
    def lamport(self) -> int:
        """One more than the greatest Lamport time that its author had seen."""
    @property
    def vector(self) -> dict[str, int]:
        """The vector clock: for each log (its id in hex) the greatest sequence number known there. Derived."""
    def happens_before(self, other: LogicalTime) -> bool:
        """Whether this came before `other` and could have caused it; its cost does not grow with the replicas.

        Raises `ValueError` for times of two stores.
        """

@final
class Memory:
    """A memory as it read when it was fetched. Frozen; equal when all fields are equal."""

    @property
    def id(self) -> str: ...
    @property
    def content(self) -> str: ...
    @property
    def tier(self) -> str: ...
    @property
    def memory_type(self) -> str: ...
    @property
    def scope(self) -> str: ...
    @property
    def tags(self) -> tuple[str, ...]:
        """Sorted, each once."""
    @property
    def importance(self) -> float:
        """0 to 1: the greatest that any author gave; 0.5 when none did."""
    @property
    def confidence(self) -> float:
        """0 to 1: the greatest that any author gave; 0.5 when none did."""
    @property
    def access_count(self) -> int:
        """How often it was a hit, as far as that is written down: counting is buffered."""
    @property
    def created_at(self) -> datetime: ...
    @property
    def updated_at(self) -> datetime: ...
    @property
    def author(self) -> str:
        """The public key, in hex, of the replica that created it."""
    @property
    def agent_id(self) -> str:
        """The name of the agent that wrote last."""
    @property
    def parents(self) -> tuple[str, ...]: ...
    @property
    def related(self) -> tuple[str, ...]: ...
    @property
    def evidence(self) -> tuple[str, ...]: ...
    @property
    def thread(self) -> str | None: ...
    @property
    def speaker(self) -> str | None: ...
    @property
    def occurred_at(self) -> datetime | None: ...
    @property
    def metadata(self) -> dict[str, Any]:
        """A dict of its own each time."""
    @property
    def valid_from(self) -> datetime | None: ...
    @property
    def valid_until(self) -> datetime | None: ...
    @property
    def expires_at(self) -> datetime | None: ...
    @property
    def fingerprint(self) -> str:
        """96 hex characters: the id of the signed operation that wrote last."""
    @property
    def signature(self) -> str:
        """128 hex characters: its author's Ed25519 signature of that operation."""
    @property
    def logical_time(self) -> LogicalTime: ...
    @property
    def sync_status(self) -> str:
        """Where what was written here of it is now: `local` (no other replica was ever met), `pending` (not yet
        acknowledged) or `synced` (on another replica's disk). Read from the store each time."""
    @property
    def version(self) -> int:
        """How many writes it is the join of."""
    @property
    def conflicts(self) -> tuple[str, ...]:
        """Names of the fields in which concurrent values stand; see `ChrysalisMemory.conflicts`."""
    def to_dict(self) -> dict[str, Any]:
        """Every field as plain data, as `json.dumps` takes it: ISO times, lists."""
    def __hash__(self) -> int: ...

@final
class Replica:
    """A store, as the core has it. Times are ms since the Unix epoch."""

    def __new__(
        cls,
        path: str,
        *,
        passphrase: str | None,
        space: str | None,
        closed: bool,
        invite: str | None,
        durability: str,
        busy_timeout_ms: int,
        cache_bytes: int,
        mmap_bytes: int,
        payload_bytes_max: int,
    ) -> Replica: ...
    @property
    def public_key(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def encrypted(self) -> bool: ...
    @property
    def space(self) -> str: ...
    @property
    def closed(self) -> bool: ...
    @property
    def brought(self) -> int:
        """Memories that came along when this opening founded or joined the space."""
    def role(self) -> str | None:
        """None when this replica's membership has ended."""
    def invite(self, role: str, expires_ms: int | None, urls: Sequence[str]) -> str: ...
    def members(self) -> list[dict[str, Any]]: ...
    def remove(self, key: str) -> bool: ...
    def invitations(self) -> list[dict[str, Any]]: ...
    def revoke(self, invitation: str) -> bool: ...
    def is_robust(self) -> bool: ...
    def set_robust(self, robust: bool) -> None: ...
    def attest(self, id: str, confidence: float) -> None: ...
    def ballots(self, id: str) -> tuple[list[tuple[str, float, bool, int]], list[str]]:
        """Votes as (voter, confidence, current, at in ms), and the keys of all validators."""
    def peers(self) -> list[str]: ...
    def add_peer(self, url: str) -> bool: ...
    def forget_peer(self, url: str) -> bool: ...
    def remember(self, agent: str, said: dict[str, Any]) -> Memory: ...
    def remember_many(self, agent: str, said: Sequence[dict[str, Any]]) -> list[tuple[Memory, bool]]: ...
    def update(self, agent: str, id: str, said: dict[str, Any]) -> Memory: ...
    def forget(self, id: str, reason: str, withdraw: bool) -> int: ...
    def get(self, id: str) -> Memory | None: ...
    def get_many(self, ids: Sequence[str]) -> list[Memory | None]: ...
    def list(self, filter: dict[str, Any], order: str, descending: bool, limit: int, offset: int) -> list[Memory]: ...
    def recall(self, text: str, k: int, filter: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
        """Hits as (memory, score, evidence), what was missing, and the seconds of each stage."""
    def count_uses(self, ids: Sequence[str]) -> int: ...
    def flush_uses(self) -> None: ...
    def catch_up_text(self) -> None: ...
    def pending_vectors(self, model: str, limit: int) -> Sequence[tuple[int, Sequence[str], bytes]]:
        """Memories without vectors of their present content: (number, passages to embed, digest of the content)."""
    def put_vectors(self, model: str, made: Sequence[tuple[int, bytes, Sequence[Sequence[float]]]]) -> int:
        """Takes (number, digest, a vector for each passage); returns of how many memories they were taken."""
    def vector_state(self, model: str) -> tuple[int, int]:
        """How many memories there are, and how many of them have vectors of this model."""
    def vector_index(self, model: str) -> tuple[int, int, float | None]:
        """Vectors of this model, how many of them are in a file of cells, and how far the writing of a new one has
        come, from 0 to 1; none when this process writes none."""
    def vector_models(self) -> Sequence[tuple[str, int, int, int]]:
        """Models that have vectors here, oldest first: (name, dimensions, memories, vectors)."""
    def drop_vectors(self, model: str) -> int:
        """Erases all vectors of a model from the files; returns of how many memories."""
    def history(self, id: str) -> Sequence[dict[str, Any]]: ...
    def conflicts(self, id: str) -> Sequence[tuple[str, Any, str]]: ...
    def proofs(self) -> Sequence[tuple[str, str, str, int, tuple[str, str]]]: ...
    def lineage(self, id: str, down: bool, limit: int) -> Sequence[str]: ...
    def position(self) -> tuple[int, int]: ...
    def changes_after(
        self, position: int, log_position: int, limit: int
    ) -> tuple[Sequence[tuple[int, str, bool]], Sequence[tuple[int, str]]]: ...
    def begin_batch(self) -> None: ...
    def commit_batch(self) -> None: ...
    def rollback_batch(self) -> None: ...
    def sync_state(self, id: str) -> tuple[str, int]:
        """`local`, `pending` or `synced`, and how many peers have all of it."""
    def unsent_by_peer(self) -> tuple[int, dict[str, int]]:
        """How many operations this replica has said that count, and how many of them each peer that ever acknowledged
        some has not, by its key."""

    def membership(self) -> tuple[int, Sequence[str]]:
        """How many logs count here, and the keys that were removed: cheap, and other whenever members are."""

    def unsent(self, peer: str | None = None) -> int:
        """Operations of this replica that this peer, or anyone, has not acknowledged."""
    def sync_counts(self) -> tuple[int, int, int]:
        """Operations of this replica: local, pending, synced."""
    def forgetting(self, id: str) -> tuple[Sequence[str], Sequence[str]]:
        """Keys of replicas that have erased a forgotten memory, and of those not known to have."""
    def sweep(self) -> int: ...
    def faded(self, memory_type: str, key: str, limit: int) -> Sequence[tuple[str, int, str | None, int]]:
        """Ids, ends in ms, JSON text of a key of the metadata, and bytes of memories of this type that are past their
        end and whose words are still here, because they had been said to stay."""
    def rebuild(self) -> None: ...
    def verify(self, id: str | None) -> tuple[int, int, Sequence[tuple[str, str, str]]]: ...
    def export(self, path: str) -> int: ...
    def import_bundle(self, path: str) -> tuple[int, int, int, Sequence[tuple[int, str, str]]]: ...
    def stats(self) -> dict[str, Any]: ...
    def close(self) -> None: ...

@final
class Node:
    """All links of one store: a machine without sockets, threads and clock. Times are ms of a clock that never runs
    back. Links are numbered by the caller, and no number is used twice.

    One thread at a time: a step holds the node until it ends.
    """

    def __new__(cls, replica: Replica, settings: dict[str, Any], seed: int) -> Node: ...
    def opened(self, link: int, nonce: bytes, dialed: str | None, trusted: str | None, now_ms: int) -> None: ...
    def closed(self, link: int, now_ms: int) -> None: ...
    def unreachable(self, address: str, now_ms: int) -> None: ...
    def received(self, link: int, frame: bytes) -> None:
        """Queues a frame for the next step."""
    def know(self, address: str, replica: str | None, now_ms: int) -> None: ...
    def forget_peer(self, address: str) -> None: ...
    def hold(self) -> None:
        """Shows peers nothing that this replica writes from now on."""
    def held(self) -> int:
        """How many operations are held back."""
    def show(self, now_ms: int) -> None:
        """Shows peers all that is there by now."""
    def step(self, now_ms: int) -> Sequence[tuple[Any, ...]]:
        """Does all that is due. Returns what is to be done: ("send", link, frame), ("close", link, code, why),
        ("dial", address), ("event", name, facts), ("fault", error)."""
    def wake_at(self) -> int | None:
        """When to step next although nothing happened; none when nothing is due."""
    def status(self) -> dict[str, Any]: ...

@final
class GSet:
    """A set of texts that only grows. Merging takes what is in either. Elements are at most 64 KiB each.

    >>> ours, theirs = GSet(["important", "learning"]), GSet(["learning", "crdt"])
    >>> ours.merge(theirs)
    GSet(['crdt', 'important', 'learning'])
    """

    def __new__(cls, elements: Iterable[str] | None = None) -> GSet: ...
    def add(self, element: str) -> bool:
        """Adds an element; false when it was there. Raises `TooLarge`."""
    def elements(self) -> list[str]:
        """Sorted by code point, each once."""
    def merge(self, other: GSet) -> GSet:
        """What is in either, as a new set; takes time in proportion to both."""
    def to_dict(self) -> dict[str, Any]: ...
    def __contains__(self, element: object, /) -> bool: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[str]: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: None  # type: ignore[assignment]
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class ORSet:
    """A set of texts to add and remove. A removal takes away what was seen of the element; an add that it has not
    seen, in another copy, wins.

    Removals are kept, so a copy that missed one does not bring the element back. Equal sets have heard of the same
    adds and removals; compare `elements()` to know whether two read alike. Each add has a name of its own, in copies
    and in unpickled sets, too. Elements are at most 64 KiB each.

    >>> import copy
    >>> ours = ORSet(["draft", "kiln"])
    >>> theirs = copy.copy(ours)
    >>> ours.remove("draft"), ours.remove("kiln"), theirs.add("kiln")
    (True, True, None)
    >>> ours.merge(theirs)
    ORSet(['kiln'])
    """

    def __new__(cls, elements: Iterable[str] | None = None) -> ORSet: ...
    def add(self, element: str) -> None:
        """Adds an element, anew even when it is there. Raises `TooLarge`."""
    def remove(self, element: str) -> bool:
        """Removes an element as far as it was seen here; false when it was not there."""
    def elements(self) -> list[str]:
        """Sorted by code point, each once."""
    def merge(self, other: ORSet) -> ORSet:
        """The join of both, as a new set."""
    def to_dict(self) -> dict[str, Any]: ...
    def __contains__(self, element: object, /) -> bool: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[str]: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: None  # type: ignore[assignment]
    def __reduce__(self) -> tuple[Any, ...]: ...
    @staticmethod
    def _restore(adds: Sequence[tuple[str, bytes, int]], removals: Sequence[tuple[str, bytes, int]]) -> ORSet: ...

@final
class LWWRegister:
    """One JSON value. Of two assignments the later wins, then the greater writer, then the greater value as JSON text.

    Timestamps are Unix seconds, kept to the microsecond, from 0 to the year 2255. One that is not given is now, or
    just after what is held, should the clock have gone backwards. Values come out as `json.loads` makes them: tuples
    as lists, keys as texts.

    >>> ours, theirs = LWWRegister("draft", 10, "ada"), LWWRegister("final", 11, "bob")
    >>> ours.merge(theirs)
    LWWRegister('final', 11.0, 'bob')
    """

    def __new__(cls, value: Any, timestamp: float | None = None, writer: str = "") -> LWWRegister: ...
    @property
    def value(self) -> Any:
        """A value of its own each time."""
    @property
    def timestamp(self) -> float:
        """Unix seconds."""
    @property
    def writer(self) -> str: ...
    def set(self, value: Any, timestamp: float | None = None, writer: str = "") -> bool:
        """Assigns, unless what is held is later; says whether it took effect. Raises `TypeError` or `ValueError` for
        what is no JSON value, and `TooLarge`."""
    def merge(self, other: LWWRegister) -> LWWRegister:
        """The later of both, as a new register."""
    def to_dict(self) -> dict[str, Any]: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: None  # type: ignore[assignment]
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class GCounter:
    """A count that only grows, added up over replicas. Only a replica itself may count under its name: of two counts
    under one name, merging keeps the greater.

    >>> ours, theirs = GCounter({"a": 2}), GCounter()
    >>> theirs.increment("b", 3)
    3
    >>> ours.merge(theirs).value
    5
    """

    def __new__(cls, counts: dict[str, int] | None = None) -> GCounter: ...
    def increment(self, replica: str, by: int | None = None) -> int:
        """Adds to one replica's count, 1 unless said otherwise, and returns it. Raises `ValueError` for less than 0
        and `TooLarge` above 2**63 - 2."""
    def get(self, replica: str) -> int:
        """One replica's count; 0 when it has none."""
    @property
    def value(self) -> int:
        """All counts together; it stops at 2**64 - 1."""
    def counts(self) -> dict[str, int]:
        """The counts that are not 0, by name."""
    def merge(self, other: GCounter) -> GCounter:
        """The greatest count of each replica, as a new counter."""
    def to_dict(self) -> dict[str, Any]: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: None  # type: ignore[assignment]
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class VectorClock:
    """How many events of each replica are known: tells what came before what, and what is concurrent.

    >>> sent = VectorClock()
    >>> sent.increment("a")
    1
    >>> received = VectorClock({"b": 4}).merge(sent)
    >>> sent.compare(received), received.compare(sent), sent.compare(VectorClock({"b": 4}))
    ('before', 'after', 'concurrent')
    """

    def __new__(cls, counts: dict[str, int] | None = None) -> VectorClock: ...
    def increment(self, replica: str) -> int:
        """Counts an event of one replica and returns its new count."""
    def get(self, replica: str) -> int:
        """Events of one replica; 0 when none is known."""
    def counts(self) -> dict[str, int]:
        """The counts that are not 0, by name."""
    def compare(self, other: VectorClock) -> str:
        """`before`, `after`, `equal` or `concurrent`: how this moment lies to the other."""
    def happens_before(self, other: VectorClock) -> bool:
        """Whether this came before `other` and could have caused it."""
    def merge(self, other: VectorClock) -> VectorClock:
        """The least clock that is after both, as a new one."""
    def to_dict(self) -> dict[str, Any]: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: None  # type: ignore[assignment]
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class MemoryDocument:
    """A memory to edit in place and to merge with other copies of itself, without a store.

    Content, type and metadata are the latest that was written; tags are an observed-remove set; evidence, related
    and parents only grow; scores are each writer's own, and the greatest is read; uses are counted by writer. A call
    that names no `writer` edits in the name of `source_instance`, for a copy too. Names are believed: signatures are
    what a store adds. Equal documents have heard of the same edits.

    Texts are at most 1 KiB each, the content somewhat under 1 MiB, the id 256 bytes: `TooLarge` above. Empty texts
    and scores outside 0 to 1 raise `ValueError`.

    >>> ours = MemoryDocument("m-1", "Glaze G7 needs 1180 degrees", source_instance="ada")
    >>> ours.add_tag("glaze")
    >>> theirs = MemoryDocument("m-1", "Glaze G7 needs 1190 degrees", source_instance="bob")
    >>> theirs.set_importance(0.9)
    >>> merged = ours.merge(theirs)
    >>> merged == theirs.merge(ours), merged.get_tags(), merged.get_importance()
    (True, ['glaze'], 0.9)
    """

    def __new__(
        cls, id: str, content: str, memory_type: str | None = None, source_instance: str = "agent"
    ) -> MemoryDocument: ...
    @property
    def id(self) -> str: ...
    @property
    def content(self) -> str: ...
    @content.setter
    def content(self, content: str) -> None: ...
    def set_content(self, content: str, writer: str | None = None) -> None: ...
    @property
    def memory_type(self) -> str:
        """`episodic` when nobody said."""
    @property
    def source_instance(self) -> str:
        """Who made it; of several, the first by their clocks."""
    @property
    def created_at(self) -> datetime: ...
    @property
    def updated_at(self) -> datetime: ...
    def add_tag(self, tag: str, writer: str | None = None) -> None: ...
    def remove_tag(self, tag: str, writer: str | None = None) -> bool:
        """Removes a tag as far as it was seen here; false when it was not there."""
    def get_tags(self) -> list[str]:
        """Sorted, each once."""
    def set_importance(self, value: float, writer: str | None = None) -> None:
        """Sets the writer's own, 0 to 1."""
    def get_importance(self) -> float:
        """The greatest of all writers; 0.5 when none said."""
    def set_confidence(self, value: float, writer: str | None = None) -> None:
        """Sets the writer's own, 0 to 1."""
    def get_confidence(self) -> float:
        """The greatest of all writers; 0.5 when none said."""
    def add_evidence(self, evidence: str, writer: str | None = None) -> None: ...
    @property
    def evidence(self) -> tuple[str, ...]: ...
    def add_related(self, memory: str, writer: str | None = None) -> None:
        """Adds the id of a memory that has to do with this one."""
    @property
    def related(self) -> tuple[str, ...]: ...
    def add_parent(self, memory: str, writer: str | None = None) -> None:
        """Adds the id of a memory that this one came from."""
    @property
    def parents(self) -> tuple[str, ...]: ...
    def set_metadata(self, key: str, value: Any, writer: str | None = None) -> None:
        """Sets a key to a JSON value; None takes it away."""
    @property
    def metadata(self) -> dict[str, Any]:
        """A dict of its own each time."""
    def record_access(self, writer: str | None = None, uses: int | None = None) -> None:
        """Counts uses by one writer, 1 unless said otherwise. Copies that count under one name at the same time
        count once: each running copy needs a name of its own."""
    @property
    def access_count(self) -> int:
        """Over all writers."""
    def merge(self, other: MemoryDocument) -> MemoryDocument:
        """The join of both, as a new document. Raises `ValueError` for a document of another memory."""
    def to_bytes(self) -> bytes:
        """All of its state: equal bytes for equal documents."""
    @staticmethod
    def from_bytes(data: bytes, instance: str = "agent") -> MemoryDocument:
        """What `to_bytes` gave, to be edited in the name of `instance`. Raises `Malformed` and its kin for other
        bytes, whoever made them: safe for what comes from a network.

        >>> document = MemoryDocument("m-1", "words")
        >>> MemoryDocument.from_bytes(document.to_bytes()) == document
        True
        """
    def to_dict(self) -> dict[str, Any]:
        """What it reads as, as `json.dumps` takes it: ISO times, lists."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: None  # type: ignore[assignment]
    def __reduce__(self) -> tuple[Any, ...]: ...
    @staticmethod
    def _stored(memory: Memory, key: str, instance: str) -> tuple[MemoryDocument, bool] | None: ...
    @staticmethod
    def _made(
        id: str, content: str, source_instance: str, instance: str, now_us: int, salt: bytes
    ) -> MemoryDocument: ...
    def _replay(self, writer: str, now_us: int, salt: bytes, said: dict[str, Any]) -> None: ...
    def _raise_uses(self, writer: str, uses: int) -> None: ...
