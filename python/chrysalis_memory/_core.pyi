"""The compiled core. Private: use the names that `chrysalis_memory` exports."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, final

__all__ = ["LogicalTime", "Memory", "Replica", "fingerprint", "verify_signature"]

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
        """`local`: on this machine alone."""
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
        space: str,
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
    def remember(self, agent: str, said: dict[str, Any]) -> Memory: ...
    def remember_many(self, agent: str, said: Sequence[dict[str, Any]]) -> list[tuple[Memory, bool]]: ...
    def update(self, agent: str, id: str, said: dict[str, Any]) -> Memory: ...
    def forget(self, id: str, reason: str, withdraw: bool) -> int: ...
    def get(self, id: str) -> Memory | None: ...
    def get_many(self, ids: Sequence[str]) -> list[Memory | None]: ...
    def ids_with_prefix(self, prefix: str, limit: int) -> list[str]: ...
    def list(self, filter: dict[str, Any], order: str, descending: bool, limit: int, offset: int) -> list[Memory]: ...
    def recall(
        self,
        text: str,
        k: int,
        filter: dict[str, Any],
        as_of: int | None,
        mode: str,
        vector: tuple[str, Sequence[float]] | None,
    ) -> tuple[
        Sequence[tuple[Memory, float, tuple[float | None, float | None, float | None, Sequence[str]]]], int, int, bool
    ]: ...
    def count_uses(self, ids: Sequence[str]) -> None: ...
    def flush_uses(self) -> None: ...
    def catch_up_text(self) -> None: ...
    def pending_vectors(self, model: str, limit: int) -> Sequence[tuple[int, str, bytes]]: ...
    def put_vectors(self, model: str, vectors: Sequence[tuple[int, bytes, Sequence[float]]]) -> int: ...
    def history(self, id: str) -> Sequence[dict[str, Any]]: ...
    def conflicts(self, id: str) -> Sequence[tuple[str, Any, str]]: ...
    def lineage(self, id: str, down: bool, limit: int) -> Sequence[str]: ...
    def position(self) -> tuple[int, int]: ...
    def changes_after(
        self, position: int, log_position: int, limit: int
    ) -> tuple[Sequence[tuple[int, str, bool]], Sequence[tuple[int, str]]]: ...
    def begin_batch(self) -> None: ...
    def commit_batch(self) -> None: ...
    def rollback_batch(self) -> None: ...
    def sweep(self) -> int: ...
    def rebuild(self) -> None: ...
    def verify(self, id: str | None) -> tuple[int, int, Sequence[tuple[str, str, str]]]: ...
    def export(self, path: str) -> int: ...
    def import_bundle(self, path: str) -> tuple[int, int, int, Sequence[tuple[int, str, str]]]: ...
    def stats(self) -> dict[str, Any]: ...
    def close(self) -> None: ...
