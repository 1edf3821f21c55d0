"""`AgentMemory`: a running agent's memory, awaited. A line for each method of `ChrysalisMemory`."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import ContextVar
from functools import partial, wraps
from types import TracebackType
from typing import Any, TypeAlias, TypeVar

from chrysalis_memory._belonging import Role
from chrysalis_memory._core import Memory
from chrysalis_memory._sharing import SYNCED_LOOK_S, Sharing
from chrysalis_memory._vectors import Progress
from chrysalis_memory.config import Config
from chrysalis_memory.embedding import EmbedderLike, Vector
from chrysalis_memory.embedding.callables import awaited_in
from chrysalis_memory.errors import StoreError
from chrysalis_memory.memory import ChrysalisMemory
from chrysalis_memory.network import MergeReport, Policy, SyncConfig, SyncReport, SyncStatus
from chrysalis_memory.records import (
    Change,
    Conflict,
    ImportReport,
    Instant,
    Invitation,
    Member,
    Proof,
    Recall,
    Receipt,
    Revision,
    Stats,
    VectorModel,
    Verification,
)
from chrysalis_memory.validation import Validation

__all__ = ["AgentMemory"]

T = TypeVar("T")

# Inside a class with a method `list`, the type needs another name.
Memories: TypeAlias = "list[Memory]"
Texts: TypeAlias = "list[str]"
Invitations: TypeAlias = "list[Invitation]"
Members: TypeAlias = "list[Member]"
MaybeMemories: TypeAlias = "list[Memory | None]"
Revisions: TypeAlias = "list[Revision]"
Conflicts: TypeAlias = "dict[str, list[Conflict]]"
Proofs: TypeAlias = "list[Proof]"
Changes: TypeAlias = "list[Change]"
Models: TypeAlias = "list[VectorModel]"

EmbeddingFunction = Callable[[str], "Vector | Awaitable[Vector]"]

_THREADS = 8  # calls of one agent that wait for the disk at a time


class AgentMemory:
    """The memory of a running agent: every method of `ChrysalisMemory`, awaited, with the same arguments and results.

    Use it as an async context manager, or call `start()` and `stop()`. `embedding_fn` is a function from text to
    vector, plain or async; it stands for `embedder`. Unlike there, sync runs by itself once started, if the store keeps
    addresses of others; `sync=False` turns it off. A blocking call runs in a thread of the agent's own, so the loop
    goes on. Two calls that are awaited one after the other happen in that order.

    >>> import asyncio, tempfile
    >>> async def main():
    ...     async with AgentMemory("ada", path=tempfile.mkdtemp()) as memory:
    ...         await memory.learn("The user prefers Python", importance=0.9, tags=["preference"])
    ...         return [hit.memory.content for hit in await memory.recall("which language does the user prefer?")]
    >>> asyncio.run(main())
    ['The user prefers Python']
    """

    def __init__(
        self,
        agent_id: str,
        *,
        path: str | os.PathLike[str] | None = None,
        embedding_fn: EmbeddingFunction | None = None,
        embedder: EmbedderLike = "auto",
        space: str | None = None,
        closed: bool = False,
        invite: str | None = None,
        passphrase: str | None = None,
        config: Config | None = None,
        peers: Iterable[str] = (),
        listen: str | None = None,
        policy: Policy | str = "streaming",
        sync: bool = True,
        sync_config: SyncConfig | None = None,
    ) -> None:
        self.agent_id = agent_id
        self._path = path
        self._embedding_fn = embedding_fn
        self._embedder = embedder
        self._space = space
        self._closed = closed
        self._invite = invite
        self._passphrase = passphrase
        self._config = config
        self._sync: dict[str, Any] = {
            "peers": peers,
            "listen": listen,
            "policy": policy,
            "sync": sync,
            "sync_config": sync_config,
        }
        self._memory: ChrysalisMemory | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._changing = asyncio.Lock()
        # A batch belongs to one thread, and to the task that opened it and the tasks which that one starts. Such a
        # task may outlive the batch, so what it inherited holds only while the batch is among the open ones.
        self._batch_thread: ContextVar[ThreadPoolExecutor | None] = ContextVar("batch_thread", default=None)
        self._batches: set[ThreadPoolExecutor] = set()

    async def start(self) -> AgentMemory:
        """Opens the store. Starting twice is no error."""
        async with self._changing:
            if self._memory is None:
                await _to_its_end(self._start())
        return self

    async def _start(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix=f"chrysalis-{self.agent_id}")
        try:
            self._memory = await self._in_thread(self._open(asyncio.get_running_loop()))
        except BaseException:
            self._threads.shutdown(wait=False)
            raise

    async def stop(self) -> None:
        """Writes what is buffered and closes the store. Stopping twice is no error."""
        async with self._changing:
            if self._memory is not None:
                await _to_its_end(self._stop(self._memory))

    async def _stop(self, memory: ChrysalisMemory) -> None:
        self._memory = None
        await self._in_thread(memory.close)
        if self._threads is not None:
            # Not in the loop's own thread: a call that is still running may wait for an embedding in the loop.
            await asyncio.get_running_loop().run_in_executor(None, self._threads.shutdown)

    async def __aenter__(self) -> AgentMemory:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _open(self, loop: asyncio.AbstractEventLoop) -> Callable[[], ChrysalisMemory]:
        embedder = self._embedder if self._embedding_fn is None else _blocking(self._embedding_fn, loop)
        return partial(
            ChrysalisMemory,
            self._path,
            agent_id=self.agent_id,
            space=self._space,
            closed=self._closed,
            invite=self._invite,
            passphrase=self._passphrase,
            embedder=embedder,
            config=self._config,
            **self._sync,
        )

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._open_batch() or self._threads, call)

    def _open_batch(self) -> ThreadPoolExecutor | None:
        thread = self._batch_thread.get()
        return thread if thread in self._batches else None

    @property
    def blocking(self) -> ChrysalisMemory:
        """The blocking memory underneath; raises `StoreError` before `start()` and after `stop()`."""
        if self._memory is None:
            raise StoreError(
                "the agent's memory is not started", code="closed", hint="Use `async with`, or await start()."
            )
        return self._memory

    async def _call(self, call: Callable[..., T], *args: Any, **more: Any) -> T:
        return await self._in_thread(partial(call, *args, **more))

    # A line for each method; tests hold names and arguments together with ChrysalisMemory's.

    async def learn(self, content: str, **more: Any) -> Memory:
        """The same as `remember`."""
        return await self.remember(content, **more)

    async def remember(self, content: str, **more: Any) -> Memory:
        """See `ChrysalisMemory.remember`."""
        return await self._call(self.blocking.remember, content, **more)

    async def remember_many(self, records: Iterable[Mapping[str, Any]]) -> Memories:
        """See `ChrysalisMemory.remember_many`."""
        return await self._call(self.blocking.remember_many, records)

    async def update(self, id: str, **more: Any) -> Memory:
        """See `ChrysalisMemory.update`."""
        return await self._call(self.blocking.update, id, **more)

    async def relate(self, id: str, other: str | Memory, **more: Any) -> Memory:
        """See `ChrysalisMemory.relate`."""
        return await self._call(self.blocking.relate, id, other, **more)

    async def add_evidence(self, id: str, *evidence: str | Memory) -> Memory:
        """See `ChrysalisMemory.add_evidence`."""
        return await self._call(self.blocking.add_evidence, id, *evidence)

    async def forget(self, id: str, **more: Any) -> Receipt:
        """See `ChrysalisMemory.forget`."""
        return await self._call(self.blocking.forget, id, **more)

    async def invite(self, role: Role = "writer", **more: Any) -> str:
        """See `ChrysalisMemory.invite`."""
        return await self._call(self.blocking.invite, role, **more)

    async def invitations(self) -> Invitations:
        """See `ChrysalisMemory.invitations`."""
        return await self._call(self.blocking.invitations)

    async def revoke(self, invitation: str) -> bool:
        """See `ChrysalisMemory.revoke`."""
        return await self._call(self.blocking.revoke, invitation)

    async def members(self) -> Members:
        """See `ChrysalisMemory.members`."""
        return await self._call(self.blocking.members)

    async def remove(self, key: str) -> bool:
        """See `ChrysalisMemory.remove`."""
        return await self._call(self.blocking.remove, key)

    async def configure(self, *, robust: bool) -> None:
        """See `ChrysalisMemory.configure`."""
        await self._call(self.blocking.configure, robust=robust)

    async def attest(self, id: str, confidence: float) -> None:
        """See `ChrysalisMemory.attest`."""
        await self._call(self.blocking.attest, id, confidence)

    async def validate(self, id: str, **more: Any) -> Validation:
        """See `ChrysalisMemory.validate`."""
        return await self._call(self.blocking.validate, id, **more)

    async def peers(self) -> Texts:
        """See `ChrysalisMemory.peers`."""
        return await self._call(self.blocking.peers)

    async def add_peer(self, url: str) -> bool:
        """See `ChrysalisMemory.add_peer`."""
        return await self._call(self.blocking.add_peer, url)

    async def forget_peer(self, url: str) -> bool:
        """See `ChrysalisMemory.forget_peer`."""
        return await self._call(self.blocking.forget_peer, url)

    async def receipt(self, id: str) -> Receipt:
        """See `ChrysalisMemory.receipt`."""
        return await self._call(self.blocking.receipt, id)

    async def status(self) -> SyncStatus:
        """See `ChrysalisMemory.status`."""
        return await self._call(self.blocking.status)

    async def sync_state(self, id: str) -> str:
        """See `ChrysalisMemory.sync_state`."""
        return await self._call(self.blocking.sync_state, id)

    async def synced(self, *, timeout: float | None = None) -> None:
        """See `ChrysalisMemory.synced`."""
        # It waits in the loop and not in a thread, which nothing could take back when this task is cancelled.
        looks = self.blocking._looks_synced(timeout)
        while not await self._call(next, looks):
            await asyncio.sleep(SYNCED_LOOK_S)

    async def sync_once(self, url: str, *, timeout: float = 60.0) -> SyncReport:
        """See `ChrysalisMemory.sync_once`."""
        return await self._call(self.blocking.sync_once, url, timeout=timeout)

    async def merge(
        self, other: Sharing | AgentMemory | str | os.PathLike[str], *, timeout: float = 600.0
    ) -> MergeReport:
        """See `ChrysalisMemory.merge`."""
        return await self._call(self.blocking.merge, other, timeout=timeout)

    async def get(self, id: str) -> Memory | None:
        """See `ChrysalisMemory.get`."""
        return await self._call(self.blocking.get, id)

    async def get_many(self, ids: Iterable[str]) -> MaybeMemories:
        """See `ChrysalisMemory.get_many`."""
        return await self._call(self.blocking.get_many, ids)

    async def recall(self, query: str, **more: Any) -> Recall:
        """See `ChrysalisMemory.recall`."""
        return await self._call(self.blocking.recall, query, **more)

    async def history(self, id: str) -> Revisions:
        """See `ChrysalisMemory.history`."""
        return await self._call(self.blocking.history, id)

    async def conflicts(self, id: str) -> Conflicts:
        """See `ChrysalisMemory.conflicts`."""
        return await self._call(self.blocking.conflicts, id)

    async def ancestors(self, id: str) -> Memories:
        """See `ChrysalisMemory.ancestors`."""
        return await self._call(self.blocking.ancestors, id)

    async def descendants(self, id: str) -> Memories:
        """See `ChrysalisMemory.descendants`."""
        return await self._call(self.blocking.descendants, id)

    async def create_working_memory(self, content: str, **more: Any) -> Memory:
        """See `ChrysalisMemory.create_working_memory`."""
        return await self._call(self.blocking.create_working_memory, content, **more)

    async def create_episodic_memory(self, content: str, **more: Any) -> Memory:
        """See `ChrysalisMemory.create_episodic_memory`."""
        return await self._call(self.blocking.create_episodic_memory, content, **more)

    async def get_episodic_memories(self, **more: Any) -> Memories:
        """See `ChrysalisMemory.get_episodic_memories`."""
        return await self._call(self.blocking.get_episodic_memories, **more)

    async def promote(self, ids: Iterable[str] | None = None, **more: Any) -> Memories:
        """See `ChrysalisMemory.promote`."""
        return await self._call(self.blocking.promote, ids, **more)

    async def consolidate(self, **more: Any) -> Memories:
        """See `ChrysalisMemory.consolidate`."""
        return await self._call(self.blocking.consolidate, **more)

    async def verify(self, id: str | None = None) -> Verification:
        """See `ChrysalisMemory.verify`."""
        return await self._call(self.blocking.verify, id)

    async def proofs(self) -> Proofs:
        """See `ChrysalisMemory.proofs`."""
        return await self._call(self.blocking.proofs)

    async def stats(self) -> Stats:
        """See `ChrysalisMemory.stats`."""
        return await self._call(self.blocking.stats)

    async def flush(self, *, progress: Progress | None = None) -> None:
        """See `ChrysalisMemory.flush`; `progress` is called in another thread."""
        await self._call(self.blocking.flush, progress=progress)

    async def vector_models(self) -> Models:
        """See `ChrysalisMemory.vector_models`."""
        return await self._call(self.blocking.vector_models)

    async def drop_vectors(self, model: str) -> int:
        """See `ChrysalisMemory.drop_vectors`."""
        return await self._call(self.blocking.drop_vectors, model)

    async def rebuild(self) -> None:
        """See `ChrysalisMemory.rebuild`."""
        await self._call(self.blocking.rebuild)

    async def export(self, path: str | os.PathLike[str]) -> int:
        """See `ChrysalisMemory.export`."""
        return await self._call(self.blocking.export, path)

    async def import_(self, path: str | os.PathLike[str], **more: Any) -> ImportReport:
        """See `ChrysalisMemory.import_`."""
        return await self._call(self.blocking.import_, path, **more)

    async def range(self, start: Instant | None, end: Instant | None, **more: Any) -> Memories:
        """See `ChrysalisMemory.range`."""
        return await self._call(self.blocking.range, start, end, **more)

    async def list(self, **more: Any) -> Memories:
        """See `ChrysalisMemory.list`."""
        return await self._call(self.blocking.list, **more)

    @asynccontextmanager
    async def batch(self) -> AsyncIterator[AgentMemory]:
        """See `ChrysalisMemory.batch`: `async with memory.batch(): ...`. It holds for the calls of this task."""
        if self._open_batch() is not None:
            raise ValueError("batches do not nest")
        batch = self.blocking.batch()
        thread = ThreadPoolExecutor(1, thread_name_prefix=f"chrysalis-{self.agent_id}-batch")
        self._batches.add(thread)
        token = self._batch_thread.set(thread)
        try:
            # A task that is cancelled while it begins or ends a batch must not leave the store locked.
            try:
                await _to_its_end(self._in_thread(batch.__enter__))
                yield self
            except BaseException as error:
                await _to_its_end(self._in_thread(partial(batch.__exit__, type(error), error, error.__traceback__)))
                raise
            await _to_its_end(self._in_thread(partial(batch.__exit__, None, None, None)))
        finally:
            self._batch_thread.reset(token)
            self._batches.discard(thread)
            thread.shutdown(wait=False)

    def watch(self, *, timeout: float | None = None) -> AsyncIterator[Change]:
        """See `ChrysalisMemory.watch`: `async for change in memory.watch(): ...`."""
        return self._told(self.blocking, self.blocking._looks(timeout))

    async def _told(self, memory: ChrysalisMemory, looks: Iterator[Changes]) -> AsyncIterator[Change]:
        # Between two looks it waits in the loop and not in a thread, which nothing could take back when the task that
        # watches is cancelled.
        while (changes := await self._call(next, looks, None)) is not None:
            for change in changes:
                yield change
            if not changes:
                await asyncio.sleep(memory.config.watch_interval_ms / 1000)

    async def close(self) -> None:
        """The same as `stop`."""
        await self.stop()


def _blocking(function: EmbeddingFunction, loop: asyncio.AbstractEventLoop) -> Callable[[str], Vector]:
    """The function as one that blocks: what it awaits runs in the agent's loop."""

    @wraps(function)
    def embed(text: str) -> Vector:
        vector = function(text)
        if inspect.isawaitable(vector):
            return awaited_in(loop, vector)
        return vector

    if not hasattr(function, "__qualname__"):
        # Vectors are kept under the name of the function, or of its class.
        embed.__module__, embed.__qualname__ = type(function).__module__, type(function).__qualname__
    return embed


async def _to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """Awaits work that must not be left half done: it ends even when this task is cancelled meanwhile."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        # Its own error, if it has one, is not what the caller hears of; asking for it keeps it from being reported.
        task.cancelled() or task.exception()
        raise cancelled
    return task.result()
