"""The mergeable types for direct use, and a store of documents that merges on `put`.

`GSet`, `ORSet`, `LWWRegister`, `GCounter`, `VectorClock` and `MemoryDocument` are compiled classes. Merging makes a new
object; it is commutative, associative and idempotent, so copies that have heard the same things are equal, whatever
the order and however often they heard them. All may be used from several threads: each call is atomic.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, TypeAlias

from chrysalis_memory._core import (
    PAYLOAD_BYTES_MAX,
    GCounter,
    GSet,
    LWWRegister,
    Memory,
    MemoryDocument,
    ORSet,
    VectorClock,
)
from chrysalis_memory._said import Said, said
from chrysalis_memory.config import Config
from chrysalis_memory.errors import NotFound
from chrysalis_memory.memory import ChrysalisMemory
from chrysalis_memory.records import to_ms

__all__ = ["GCounter", "GSet", "LWWRegister", "MemoryDocument", "MemoryStorage", "ORSet", "VectorClock"]

_STATE_KEY = "chrysalis_document"
"""Key of the metadata under which a stored memory carries the state of its document: which edits it has heard of."""

_STORE_USES = "(store)"
"""The name under which a document counts the uses that the store has counted."""

_TEXTS = ("content", "memory_type")
_SCORES = ("importance", "confidence")
_LINKS = ("evidence", "related", "parents")

# Inside a class with a method `list`, the type needs another name.
Documents: TypeAlias = "list[MemoryDocument]"


class MemoryStorage:
    """Memory documents in a store's folder, merged by id. Thread-safe; any number of processes may open one folder.

    The folder at `path` is a store like any other: `ChrysalisMemory` reads the same memories, and what it changes,
    `get` finds. `instance_id` is the name in which documents that come out of here are edited. Every change is one
    signed operation, on disk when the call returns. `passphrase` is that of an encrypted store.
    Raises `StoreError` and its kinds when the store can't be opened.

    >>> import tempfile
    >>> with MemoryStorage(tempfile.mkdtemp(), "agent-001") as storage:
    ...     ours = MemoryDocument("m-1", "The kiln reaches 1240 degrees", source_instance="agent-001")
    ...     ours.add_tag("kiln")
    ...     _ = storage.put(ours)
    ...     theirs = MemoryDocument("m-1", "The kiln reaches 1260 degrees", source_instance="agent-002")
    ...     theirs.add_tag("heat")
    ...     merged = storage.put(theirs)
    >>> merged.content, merged.get_tags()
    ('The kiln reaches 1260 degrees', ['heat', 'kiln'])
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        instance_id: str,
        *,
        passphrase: str | None = None,
        config: Config | None = None,
    ) -> None:
        # A document is stored with the names of its edits, so it may be as large as replicas admit.
        config = config or Config(payload_bytes_max=PAYLOAD_BYTES_MAX)
        self.instance_id = instance_id
        self._memory = ChrysalisMemory(
            path, agent_id=instance_id, passphrase=passphrase, embedder="none", config=config
        )

    def put(self, document: MemoryDocument) -> MemoryDocument:
        """Merges a document with what is stored under its id, and returns the result.

        Only the difference is written, as one operation; nothing when the store knew it all. Raises `NotAllowed`
        for an id that was deleted, `TooLarge` for more than an operation holds.
        """
        if not isinstance(document, MemoryDocument):
            raise TypeError(f"put takes a MemoryDocument, not {type(document).__name__}")
        with self._memory.batch():
            standing = self._memory.get(document.id)
            # Without this, what is edited later would be edited in the name of whoever made the document.
            joined = self._own(document) if standing is None else self._restored(standing).merge(document)
            self._write(joined, standing)
        return joined

    def _own(self, document: MemoryDocument) -> MemoryDocument:
        return MemoryDocument.from_bytes(document.to_bytes(), self.instance_id)

    def _write(self, joined: MemoryDocument, standing: Memory | None) -> None:
        changes = _difference(_reads(joined), {} if standing is None else _reads(standing))
        state = base64.b64encode(joined.to_bytes()).decode()
        if standing is None or standing.metadata.get(_STATE_KEY) != state:
            changes.setdefault("metadata", {})[_STATE_KEY] = state
        if changes:
            self._memory._core().remember(self.instance_id, said(changes) | {"id": joined.id})

    def _restored(self, standing: Memory) -> MemoryDocument:
        """The stored document, with what was changed past it: by `ChrysalisMemory`, or on another replica.

        Whoever restores the same memory gets equal documents, so nothing comes in twice.
        """
        stored = MemoryDocument._stored(standing, _STATE_KEY, self.instance_id)
        document, agrees = stored or (self._adopted(standing), False)
        if not agrees:
            changes = _difference(_reads(standing), _reads(document))
            document._replay(standing.agent_id, *_moment(standing), said(changes))
        if standing.access_count:
            document._raise_uses(_STORE_USES, standing.access_count)
        return document

    def _adopted(self, standing: Memory) -> MemoryDocument:
        """The first document of a memory that no document was made of."""
        return MemoryDocument._made(
            standing.id, standing.content, standing.agent_id, self.instance_id, *_moment(standing)
        )

    def get(self, id: str) -> MemoryDocument | None:
        """The document with this id; None when there is none. It is a copy: `put` it to store what was changed.

        >>> import tempfile
        >>> with MemoryStorage(tempfile.mkdtemp(), "ada") as storage:
        ...     storage.get("unknown") is None
        True
        """
        standing = self._memory.get(id)
        return None if standing is None else self._restored(standing)

    def query(
        self,
        text: str | None = None,
        *,
        memory_type: str | None = None,
        tags: Iterable[str] | None = None,
        min_importance: float | None = None,
        limit: int = 100,
    ) -> Documents:
        """Documents that pass the filters, at most `limit`: best first when they have to fit a question, newest first
        otherwise. `tags` must all be there.

        >>> import tempfile
        >>> with MemoryStorage(tempfile.mkdtemp(), "ada") as storage:
        ...     _ = storage.put(MemoryDocument("m-1", "Bricks come on Mondays"))
        ...     [found.id for found in storage.query("when do bricks come?")], storage.query(tags=["yard"])
        (['m-1'], [])
        """
        if text is None:
            found = self._memory.list(memory_type=memory_type, tags=tags, min_importance=min_importance, limit=limit)
        else:
            hits = self._memory.recall(
                text, k=limit, memory_type=memory_type, tags=tags, min_importance=min_importance, mode="text"
            )
            found = [hit.memory for hit in hits]
        return [self._restored(standing) for standing in found]

    def list(self, *, limit: int = 100, offset: int = 0) -> Documents:
        """The documents, newest first."""
        return [self._restored(standing) for standing in self._memory.list(limit=limit, offset=offset)]

    def delete(self, id: str) -> bool:
        """Forgets a document for good, its words and all; false when there was none. Its id can't be used again:
        otherwise a copy that somebody still holds would bring it back."""
        try:
            return self._memory.forget(id).forgotten
        except NotFound:
            return False

    def close(self) -> None:
        """Closes the store. Closing twice is no error."""
        self._memory.close()

    def __enter__(self) -> MemoryStorage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"MemoryStorage({str(self._memory.path)!r}, {self.instance_id!r})"


def _moment(standing: Memory) -> tuple[int, bytes]:
    """When a memory was written last, in µs, and sixteen bytes that stand for that write."""
    return to_ms(standing.updated_at) * 1000, bytes.fromhex(standing.fingerprint[:32])


def _reads(one: Memory | MemoryDocument) -> dict[str, Any]:
    """What both say, under the names of `remember`."""
    metadata = {key: value for key, value in one.metadata.items() if key != _STATE_KEY}
    if isinstance(one, MemoryDocument):
        tags, scores = one.get_tags(), (one.get_importance(), one.get_confidence())
    else:
        tags, scores = list(one.tags), (one.importance, one.confidence)
    links = {name: getattr(one, name) for name in _LINKS}
    texts = {name: getattr(one, name) for name in _TEXTS}
    return texts | links | dict(zip(_SCORES, scores, strict=True)) | {"tags": tags, "metadata": metadata}


def _difference(wanted: Mapping[str, Any], standing: Mapping[str, Any]) -> Said:
    """What must be said of `standing` so that it reads as `wanted`."""
    changes = {name: wanted[name] for name in (*_TEXTS, *_SCORES) if wanted[name] != standing.get(name)}
    for name in _LINKS:
        changes[name] = _beyond(wanted[name], standing.get(name, ()))
    changes["add_tags"] = _beyond(wanted["tags"], standing.get("tags", ()))
    changes["remove_tags"] = _beyond(standing.get("tags", ()), wanted["tags"])
    known = standing.get("metadata", {})
    metadata = {key: value for key, value in wanted["metadata"].items() if key not in known or known[key] != value}
    changes["metadata"] = metadata | dict.fromkeys(_beyond(known, wanted["metadata"]))
    # A score of zero is said; an empty collection says nothing.
    return {name: value for name, value in changes.items() if value or name in _SCORES}


def _beyond(these: Iterable[str], known: Iterable[str]) -> list[str]:
    return sorted(set(these) - set(known))
