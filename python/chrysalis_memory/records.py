"""What the store answers with: frozen, plain records, and the times they carry.

A memory itself is `Memory`, a compiled class. Every record has `to_dict()`, whose result `json.dumps` takes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias, cast, overload

if TYPE_CHECKING:
    from chrysalis_memory._core import Memory

__all__ = [
    "Change",
    "Conflict",
    "Duration",
    "Hit",
    "ImportProblem",
    "ImportReport",
    "Instant",
    "Invitation",
    "Member",
    "MemoryType",
    "Outcome",
    "Problem",
    "Proof",
    "Recall",
    "Receipt",
    "Revision",
    "Stats",
    "Tier",
    "VectorModel",
    "Verification",
    "duration_to_ms",
    "from_ms",
    "iso",
    "to_ms",
]

Instant: TypeAlias = "datetime | str | int | float"
"""A moment, as callers give it: a datetime (naive means local time), ISO 8601 text, or Unix seconds."""

Duration: TypeAlias = "timedelta | int | float"
"""A length of time, as callers give it: a timedelta or seconds."""


class MemoryType(str, Enum):
    """The usual types of memory; any other non-empty text is a type, too.

    >>> MemoryType.DECISION == "decision", MemoryType("recipe") == "recipe"
    (True, True)
    >>> f"{MemoryType.SKILL}"
    'skill'
    """

    EPISODIC = "episodic"
    SEMANTIC = "semantic"
    PROCEDURAL = "procedural"
    OBSERVATION = "observation"
    KNOWLEDGE = "knowledge"
    PREFERENCE = "preference"
    DECISION = "decision"
    SKILL = "skill"
    BEAD = "bead"

    # Without this, formatting would give "MemoryType.SKILL" on some versions of Python and "skill" on others.
    __str__ = str.__str__

    @classmethod
    def _missing_(cls, value: object) -> MemoryType | None:
        if not isinstance(value, str) or not value:
            return None
        other = str.__new__(cls, value)
        other._name_ = value.upper()
        other._value_ = value
        return other


class Tier(str, Enum):
    """`WORKING` fades unless promoted, `LONG_TERM` stays until it is forgotten."""

    WORKING = "working"
    LONG_TERM = "long_term"

    __str__ = str.__str__


class Record:
    """Gives every record its `to_dict()`."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """The record as plain data: ISO times, lists for sequences."""
        return {item.name: plain(getattr(self, item.name)) for item in fields(cast(Any, self))}


def plain(value: Any) -> Any:
    """The value as plain data, as `json.dumps` takes it: ISO times, lists for sequences, dicts for records."""
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner) for inner in value]
    convert = getattr(value, "to_dict", None)
    return convert() if callable(convert) else value


@dataclass(frozen=True, slots=True)
class Outcome(Record):
    """Whether an answer took everything into account, and if not, why."""

    complete: bool = True
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hit(Record):
    """One memory that a recall found: its score (0 to 1, greater is better) and the reason in plain words.

    The score says how likely the best hit is an answer, times how near this one comes to the best. `parts` says what
    each kind of evidence added before that: `words` and `meaning` (1 for the best of all candidates), `speaker`,
    `asking` (it asks something itself), `answering` (it follows a question that fits) and `thread` (something in its
    thread fits). `id`, `content` and `get_importance()` are the memory's own, for code that only wants to read what was
    found.
    """

    memory: Memory
    score: float
    why: str
    parts: Mapping[str, float] = field(default_factory=dict, repr=False)

    @property
    def id(self) -> str:
        """The memory's id."""
        return self.memory.id

    @property
    def content(self) -> str:
        """The memory's words."""
        return self.memory.content

    def get_importance(self) -> float:
        """The memory's importance, 0 to 1."""
        return self.memory.importance


@dataclass(frozen=True, slots=True)
class Recall(Record, Sequence[Hit]):
    """What a recall found, best first; empty when nothing fits.

    >>> nothing = Recall((), Outcome(False, ("the text index is being rebuilt",)))
    >>> len(nothing), nothing.outcome.complete
    (0, False)
    """

    hits: tuple[Hit, ...] = ()
    outcome: Outcome = Outcome()
    stages: Mapping[str, float] = field(default_factory=dict, compare=False, repr=False)
    """Seconds that each step took, in order."""

    @overload
    def __getitem__(self, index: int) -> Hit: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Hit]: ...

    def __getitem__(self, index: int | slice) -> Hit | Sequence[Hit]:
        return self.hits[index]

    def __len__(self) -> int:
        return len(self.hits)

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)


@dataclass(frozen=True, slots=True)
class Receipt(Record):
    """Proof of forgetting: how many operations lost their words, and which replicas have said so.

    `acknowledged` and `pending` are public keys of replicas, in hex.
    """

    id: str
    forgotten: bool
    operations: int = 0
    acknowledged: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Problem(Record):
    """One thing that does not hold: a stable code, where it is, and what it is in plain words."""

    code: str
    where: str
    what: str


@dataclass(frozen=True, slots=True)
class Verification(Record):
    """The result of checking signatures and chains; true when all of them hold.

    >>> bool(Verification(operations=3, memories=1))
    True
    >>> bool(Verification(3, 1, (Problem("bad_signature", "log 5f, number 2", "altered after signing"),)))
    False
    """

    operations: int
    memories: int
    problems: tuple[Problem, ...] = ()

    def __bool__(self) -> bool:
        return not self.problems


@dataclass(frozen=True, slots=True)
class Revision(Record):
    """One signed operation on a memory: who did what and when, and what became of it."""

    fingerprint: str
    author: str
    agent_id: str
    at: datetime
    lamport: int
    kind: str
    changes: Mapping[str, Any]
    state: str
    signature: str


@dataclass(frozen=True, slots=True)
class Conflict(Record):
    """A value that was written without knowledge of the one that won; it stands until an edit that saw both."""

    value: Any
    author: str
    at: datetime
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Proof(Record):
    """Proof that a replica told two stories: two signed operations stand at one place of one log of it.

    From `place` on nothing of that log counts, in any branch, on any replica. `replica` is its public key and
    `operations` the two fingerprints, in hex.
    """

    replica: str
    role: str
    log: str
    place: int
    operations: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Change(Record):
    """Something happened to a memory, in this process or another; positions only grow."""

    kind: str
    id: str
    position: int


@dataclass(frozen=True, slots=True)
class Stats(Record):
    """Counts and sizes of one store; sizes in bytes, by file name.

    `vectors` are those of all models. Of the present embedder's model, `vectors_pending` memories wait for theirs,
    `vectors_indexed` vectors are in cells, and `vectors_indexing` says how far this process has come in writing new
    cells, from 0 to 1; None while it writes none. A search compares all vectors that are in no cells.
    """

    path: str
    space: str
    replica: str
    memories: int
    working: int
    long_term: int
    forgotten: int
    operations: int
    logs: int
    conflicts: int = 0
    memory_types: Mapping[str, int] = field(default_factory=dict)
    vectors: int = 0
    vectors_pending: int = 0
    vectors_indexed: int = 0
    vectors_indexing: float | None = None
    embedder: str | None = None
    lamport: int = 0
    file_bytes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Member(Record):
    """A replica that takes part, or took part, in the space. `key` is its public key; `agents` are those whose word is
    the latest on some memory; `invited_by` is the inviter's key and `invitation` the id of what it joined by, both None
    for the founder and in an open space."""

    key: str
    role: str
    agents: tuple[str, ...]
    joined_at: datetime
    invited_by: str | None
    invitation: str | None
    removed: bool
    you: bool


@dataclass(frozen=True, slots=True)
class Invitation(Record):
    """An invitation of this replica that can still be used. `id` is the public half of its token, and no secret;
    `expires_at` is None when it never ends; `joined` replicas came in by it, as far as is known here."""

    id: str
    role: str
    expires_at: datetime | None
    joined: int


@dataclass(frozen=True, slots=True)
class VectorModel(Record):
    """A model that has vectors in a store: their length, of how many memories, and how many; long ones have several.

    `pending` memories have none of this model. `indexed` vectors are in cells; `indexing` says how far this process has
    come in writing new cells, from 0 to 1, and is None while it writes none.
    """

    name: str
    dimensions: int
    memories: int
    vectors: int
    pending: int = 0
    indexed: int = 0
    indexing: float | None = None


@dataclass(frozen=True, slots=True)
class ImportProblem(Record):
    """A record that was left out of an import: its file, its line (0: the file as a whole), and the reason."""

    file: str
    line: int
    what: str


@dataclass(frozen=True, slots=True)
class ImportReport(Record):
    """What an import did: records read, added, and already there; the failed ones by name."""

    read: int = 0
    added: int = 0
    unchanged: int = 0
    failed: tuple[ImportProblem, ...] = ()


_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MILLISECOND = timedelta(milliseconds=1)
_LAST = datetime.max.replace(tzinfo=timezone.utc)
_FIRST = datetime.min.replace(tzinfo=timezone.utc)

_ISO_8601 = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)"
    r"(?:[T ](?P<time>\d\d:\d\d(?::\d\d)?)(?:[.,](?P<fraction>\d{1,9}))?"
    r"\s?(?P<zone>Z|z|UTC|[+-]\d\d(?::?\d\d)?)?)?"
)


def to_ms(moment: Instant) -> int:
    """Milliseconds since the Unix epoch, rounded down; raises `ValueError` or `TypeError` if it is no moment.

    >>> to_ms("2026-03-01T12:00:00Z"), to_ms(1772366400), to_ms("2026-03-01 13:00+01:00")
    (1772366400000, 1772366400000, 1772366400000)
    """
    if isinstance(moment, bool) or not isinstance(moment, datetime | str | int | float):
        raise TypeError(f"a time is a datetime, ISO 8601 text or Unix seconds, not {type(moment).__name__}")
    if isinstance(moment, str):
        moment = _parse_iso(moment)
    if isinstance(moment, datetime):
        return (_aware(moment) - _EPOCH) // _MILLISECOND
    if not -_SECONDS_MAX <= moment <= _SECONDS_MAX:
        raise ValueError(f"{str(moment)[:20]} is no time in seconds since 1970; milliseconds must be divided by 1000")
    return math.floor(moment * 1000)


# Greater numbers are nearly always milliseconds given for seconds: 1e11 s is the year 5138.
_SECONDS_MAX = 1e11


def _aware(moment: datetime) -> datetime:
    try:
        return moment.astimezone(timezone.utc)
    except OverflowError:
        raise ValueError(f"{moment} lies outside the years 1 to 9999 in UTC") from None


def _parse_iso(text: str) -> datetime:
    match = _ISO_8601.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no ISO 8601 time, such as 2026-03-01 or 2026-03-01T12:00:00Z")
    fraction = (match["fraction"] or "").ljust(6, "0")[:6]
    return datetime.fromisoformat(f"{match['date']}T{_seconds(match['time'])}.{fraction}{_zone(match['zone'])}")


def _seconds(time: str | None) -> str:
    time = time or "00:00"
    return time if len(time) == 8 else f"{time}:00"


def _zone(zone: str | None) -> str:
    if not zone:
        return ""
    if not zone.startswith(("+", "-")):
        return "+00:00"
    digits = zone[1:].replace(":", "").ljust(4, "0")
    return f"{zone[0]}{digits[:2]}:{digits[2:]}"


def from_ms(milliseconds: int) -> datetime:
    """The moment as a datetime in UTC; what no calendar holds becomes the first or last moment of it.

    >>> from_ms(1772366400000)
    datetime.datetime(2026, 3, 1, 12, 0, tzinfo=datetime.timezone.utc)
    """
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return _LAST if milliseconds > 0 else _FIRST


def duration_to_ms(length: Duration) -> int:
    """Milliseconds of a timedelta or of seconds; raises `ValueError` unless it is greater than zero.

    >>> duration_to_ms(timedelta(hours=1)), duration_to_ms(0.5)
    (3600000, 500)
    """
    if isinstance(length, bool) or not isinstance(length, timedelta | int | float):
        raise TypeError(f"a duration is a timedelta or seconds, not {type(length).__name__}")
    seconds = length.total_seconds() if isinstance(length, timedelta) else length
    if not 0 < seconds <= _SECONDS_MAX:
        raise ValueError(f"a duration must be greater than zero and finite, not {str(seconds)[:20]} s")
    return max(1, math.floor(seconds * 1000))


def iso(moment: datetime) -> str:
    """ISO 8601 text in UTC with milliseconds, as in every `to_dict()`.

    >>> iso(from_ms(1772366400250))
    '2026-03-01T12:00:00.250Z'
    """
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
