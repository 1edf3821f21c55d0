"""A store that is open in this process: what reading and writing stand on."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import time
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from chrysalis_memory._background import Background
from chrysalis_memory._core import Replica
from chrysalis_memory._said import text
from chrysalis_memory._vectors import Progress, Vectors
from chrysalis_memory.config import Config, default_path
from chrysalis_memory.embedding import Chooser, EmbedderLike, Servers
from chrysalis_memory.errors import NotFound, StoreError
from chrysalis_memory.records import VectorModel

if TYPE_CHECKING:
    from chrysalis_memory.network import Network

__all__ = ["Opened", "named", "now_ms", "secret"]


Self = TypeVar("Self", bound="Opened")


class Opened:
    """Opens a store, closes it, and keeps its background work going."""

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        agent_id: str = "agent",
        space: str | None = None,
        closed: bool = False,
        invite: str | None = None,
        passphrase: str | None = None,
        embedder: EmbedderLike = "auto",
        config: Config | None = None,
    ) -> None:
        if not text("agent_id", agent_id):
            raise ValueError("agent_id is empty")
        self.config = config or Config()
        self.agent_id = agent_id
        self._pid = os.getpid()
        self._closed = False
        servers = Servers(
            url=self.config.embedder_url, key=self.config.embedder_key, timeout_s=self.config.embedder_timeout_s
        )
        chooser = Chooser(embedder, servers)
        self._replica = Replica(
            _folder(path),
            passphrase=None if passphrase is None else secret(passphrase),
            space=None if space is None else text("space", space),
            closed=bool(closed),
            invite=None if invite is None else text("invite", invite),
            durability=self.config.durability,
            busy_timeout_ms=int(self.config.busy_timeout_s * 1000),
            cache_bytes=self.config.cache_bytes,
            mmap_bytes=self.config.mmap_bytes,
            payload_bytes_max=self.config.payload_bytes_max,
        )
        self.space = self._replica.space
        self._network: Network | None = None
        # Held weakly: what the background holds must not keep this object alive.
        opened = weakref.ref(self)
        self._vectors = Vectors(self._replica, chooser, self.config.embed_batch, lambda: _wake(opened()))
        self._background = Background(self._work, self._replica, self.config.access_flush_s)
        # Also runs when nobody holds this object any more, and when the interpreter ends.
        self._end = weakref.finalize(self, _end, self._pid, self._vectors, self._background, self._replica)

    def _work(self) -> float | None:
        self._replica.flush_uses()
        self._replica.sweep()
        return self._vectors.work()

    def _changed(self) -> None:
        """Something was written: whoever is linked is told at once."""
        if self._network is not None:
            self._network.wake()

    def _core(self) -> Replica:
        if self._closed:
            raise StoreError("the store is closed", code="closed", hint="Open it again.")
        if os.getpid() != self._pid:
            raise StoreError(
                "this store was opened before the process forked",
                code="forked",
                hint="Open the store again in the new process; any number of processes may have it open.",
            )
        return self._replica

    @property
    def path(self) -> Path:
        """The store's folder."""
        return Path(self._replica.path)

    @property
    def encrypted(self) -> bool:
        """Whether the store's files are encrypted.

        >>> example_store().encrypted
        False
        """
        return self._replica.encrypted

    @property
    def public_key(self) -> str:
        """The replica's Ed25519 key in hex: what `Memory.author` says of memories created here."""
        return self._replica.public_key

    def close(self) -> None:
        """Writes what is buffered and closes the store. Closing twice is no error."""
        self._closed = True
        self._end()

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._replica.path)!r}, agent_id={self.agent_id!r}, space={self.space!r})"

    @contextmanager
    def batch(self: Self) -> Iterator[Self]:
        """A transaction of this thread: what is written inside is on disk together at the end, or, after an
        exception, not at all. Other writers wait meanwhile. Batches do not nest; recall inside one does not find what
        the batch itself wrote, `get` and `list` do.

        >>> memory = example_store()
        >>> with memory.batch():
        ...     one, two = memory.remember("one"), memory.remember("two")
        >>> memory.stats().memories
        2
        """
        core = self._core()
        core.begin_batch()
        try:
            yield self
        except BaseException:
            core.rollback_batch()
            raise
        core.commit_batch()
        self._background.wake()
        self._changed()

    def flush(self, *, progress: Progress | None = None) -> None:
        """Brings everything derived up to date: access counts written, text index and vectors caught up.

        `progress` is told, after each batch of the embedder, how many memories have their vectors and how many there
        are. Raises whatever the embedder raises.
        """
        core = self._core()
        core.flush_uses()
        core.catch_up_text()
        self._vectors.embed_waiting(progress)

    def vector_models(self) -> list[VectorModel]:
        """The models that have vectors here, in the order in which they came. Only those of the store's present
        embedder are searched.

        >>> example_store().vector_models()
        []
        """
        core = self._core()
        found = []
        for name, dimensions, memories, vectors in core.vector_models():
            every, embedded = core.vector_state(name)
            _, indexed, indexing = core.vector_index(name)
            found.append(VectorModel(name, dimensions, memories, vectors, every - embedded, indexed, indexing))
        return found

    def drop_vectors(self, model: str) -> int:
        """Erases the vectors of a model that is no longer used; returns of how many memories.

        Raises `NotFound` if it has none here, and `ValueError` for the model of the present embedder.
        """
        core, embedder = self._core(), self._vectors.embedder
        if embedder is not None and embedder.name == model:
            raise ValueError(f"{model} is the store's embedder; its vectors would be made again at once")
        if model not in {one.name for one in self.vector_models()}:
            raise NotFound(f"no vectors of {model!r} are in the store", hint="See `chrysalis models list`.", id=model)
        return core.drop_vectors(model)


def _end(pid: int, vectors: Vectors, background: Background, replica: Replica) -> None:
    if os.getpid() != pid:
        # The store is the parent's, and its threads and locks are not here.
        return
    vectors.stop()
    background.stop()
    replica.close()


def _wake(opened: Opened | None) -> None:
    if opened is not None:
        opened._background.wake()


def now_ms() -> int:
    return int(time() * 1000)


def _folder(path: str | os.PathLike[str] | None) -> str:
    if path is not None:
        return os.path.expanduser(named(path))
    return str(default_path())


def secret(passphrase: str) -> str:
    """The passphrase, if it is one; no error repeats it."""
    if not isinstance(passphrase, str):
        raise TypeError(f"passphrase is text, not {type(passphrase).__name__}")
    return passphrase


def named(path: str | os.PathLike[str]) -> str:
    """The path as text. Anything else is refused: `open` would take a number for a descriptor, and close it."""
    if not isinstance(path, str | os.PathLike) or not isinstance(name := os.fspath(path), str):
        raise TypeError(f"path is text or a Path, not {type(path).__name__}")
    if not name:
        raise ValueError("path is empty")
    return name
