"""`Paths`: the memory of an agent by paths, with the ghost behind every answer.

An answer is tried for in the store. If it comes, it is also written into the ghost; if the store can't be reached, the
ghost is read. What is wrong with the arguments, and what the store refuses or does not have, is an answer of its own
and raised as such.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from chrysalis_memory._opened import named
from chrysalis_memory.agent import AgentMemory
from chrysalis_memory.config import Config, default_path
from chrysalis_memory.context._threads import AnyMemory, in_thread
from chrysalis_memory.embedding import EmbedderLike
from chrysalis_memory.errors import ChrysalisError, NotFound
from chrysalis_memory.ghost import GhostCache, GhostProblem, GhostReading, Staleness, ghost_of
from chrysalis_memory.memory import ChrysalisMemory
from chrysalis_memory.paths.answer import PathAnswer
from chrysalis_memory.paths.cached import ENGRAM, MANIFEST, NOT_REACHED, Cached, count_failure, now, unreached
from chrysalis_memory.paths.crystals import CrystalPaths
from chrysalis_memory.paths.kept import Answers
from chrysalis_memory.paths.live import cluster_of, map_of, status_of
from chrysalis_memory.paths.registry import PathSpec, Registry
from chrysalis_memory.records import plain

__all__ = ["Paths"]

_ON_ITS_WAY: Final = "crystal_incomplete"


class Paths:
    """The paths of one memory.

    `memory` is an open `ChrysalisMemory`, a started `AgentMemory`, or a store's folder. A folder, or the default store
    if nothing is given, is opened by the first call that needs it, in the name of `agent_id`, with `embedder` and
    `config`, or by `opener` if that is given; `close()` and the end of `async with` close it. A memory that was given
    stays open. `ghost` is a `GhostCache` or a folder; without one, a store that is encrypted has no ghost, whose files
    would be plain. `passphrase` opens such a store. `engine` are settings of the `CrystallizationEngine`.

    >>> import asyncio, tempfile
    >>> async def main():
    ...     async with Paths(example_store(), ghost=tempfile.mkdtemp()) as paths:
    ...         await paths.invoke("self.memory.engram", state={"text": "reading the tide tables"})
    ...         answer = await paths.invoke("self.memory.manifest", what="agent")
    ...         return answer.is_ghost, answer.text
    >>> asyncio.run(main())
    (False, 'reading the tide tables')
    """

    def __init__(
        self,
        memory: AnyMemory | str | os.PathLike[str] | None = None,
        *,
        ghost: GhostCache | str | os.PathLike[str] | None = None,
        agent_id: str = "agent",
        passphrase: str | None = None,
        embedder: EmbedderLike = "auto",
        config: Config | None = None,
        engine: Mapping[str, Any] | None = None,
        opener: Callable[[], ChrysalisMemory] | None = None,
    ) -> None:
        self._given = memory if isinstance(memory, ChrysalisMemory | AgentMemory) else None
        self._folder = _folder(memory)
        self._open = opener or partial(
            ChrysalisMemory,
            self._folder,
            agent_id=agent_id,
            passphrase=passphrase,
            embedder=embedder,
            config=config,
        )
        self._opened: ChrysalisMemory | None = None
        self._opening = asyncio.Lock()
        self.agent_id = agent_id if self._given is None else self._given.agent_id
        if not isinstance(ghost, GhostCache):
            ghost = ghost_of(self._folder, ghost, encrypted=passphrase is not None)
        self.ghost = ghost
        self._answers = Answers(self.ghost, self.agent_id)
        live = {"status": self._live(status_of), "map": self._live(map_of), "cluster": self._live(cluster_of)}
        self._cached = Cached(self.ghost, self.agent_id, live, str(self._folder))
        self._registry = Registry()
        for spec in (*self._of_the_ghost(), *CrystalPaths(self.memory, self._drop, engine or {}).specs()):
            self._registry.add(spec)

    def _of_the_ghost(self) -> list[PathSpec]:
        return [
            PathSpec(MANIFEST, self._cached.manifest, "Shows what is known, live or last", is_of_the_ghost=True),
            PathSpec(ENGRAM, self._cached.engram, "Keeps a state as the last known one", is_of_the_ghost=True),
        ]

    def _live(self, call: Callable[[ChrysalisMemory], dict[str, Any]]) -> Callable[[], Awaitable[dict[str, Any]]]:
        async def had() -> dict[str, Any]:
            return await in_thread(await self.memory(), call)

        return had

    def register(self, path: str, call: Callable[..., Any], **more: Any) -> None:
        """Adds a path of one's own: `call` is a function, plain (run in a thread) or async, of named arguments.

        `about` says what it does, `writes=True` that it changes something. `to_plain` and `from_plain` turn an answer
        into JSON and back, for the ghost; `to_text` into words; `key(arguments, answer)` names what is kept, by default
        the path with its arguments. Raises `ValueError` or `TypeError`.
        """
        self._registry.add(PathSpec(path, call, **more))

    def paths(self) -> dict[str, str]:
        """The paths that there are, each with what it does, in order."""
        return self._registry.about()

    async def memory(self) -> AnyMemory:
        """The memory behind the paths; opened if it is not yet. Raises what opening a store raises."""
        if self._given is not None:
            return self._given
        async with self._opening:
            if self._opened is None:
                self._opened = await asyncio.to_thread(self._open)
            return self._opened

    async def close(self) -> None:
        """Closes the store that was opened here. The next call opens it again."""
        async with self._opening:
            opened, self._opened = self._opened, None
            if opened is not None:
                await asyncio.to_thread(opened.close)

    async def __aenter__(self) -> Paths:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def invoke(self, path: str, /, **arguments: Any) -> PathAnswer:
        """Walks the path and returns its answer: live, or, if that can't be had, the last known one.

        Raises `NotFound` (code `unknown_path`) for a path that there is not, `TypeError` and `ValueError` for
        arguments, what the path itself raises, and, if the store can't be reached, that error, unless the ghost can
        answer.
        What failed to change something always raises; `error.ghost` is then the text of what was last known, or None.
        """
        spec = self._registry.get(path)
        spec.bind(arguments)
        if spec.is_of_the_ghost:
            answer: PathAnswer = await spec.call(**arguments)
            return answer
        try:
            value = await _called(spec.call, arguments)
        except NOT_REACHED as error:
            return await asyncio.to_thread(self._last_known, spec, arguments, error)
        except NotFound as error:
            if error.code != _ON_ITS_WAY:
                await asyncio.to_thread(self._drop, _key(spec, arguments, None))
            raise
        answer = PathAnswer(path, spec.to_value(value), spec.to_text(value), now())
        wrong = await asyncio.to_thread(self._keep, spec, arguments, value)
        wrong = (*wrong, *await self._cached.refresh(spec.refreshes))
        return replace(answer, warnings=wrong)

    def _keep(self, spec: PathSpec, arguments: Mapping[str, Any], value: Any) -> tuple[str, ...]:
        """Writes a live answer into the ghost; if that fails, the answer stands. Returns what went wrong."""
        if not self.ghost.keeps:
            return ()
        try:
            self.ghost.record_call(True)
            key = _key(spec, arguments, value) if spec.keeps else None
            if key is not None:
                self._answers.keep(spec.path, key, spec.to_plain(value), self.ghost.now())
        except (ChrysalisError, ValueError, TypeError) as error:
            return (f"the answer was not kept in the ghost: {error}",)
        return ()

    def _drop(self, key: str | None) -> None:
        """What the store does not have any more must not come back out of the ghost."""
        try:
            if key is not None and self.ghost.keeps:
                self._answers.drop(key)
        except ChrysalisError as error:
            self.ghost.problems.append(GhostProblem("agents", f"an answer was not taken away: {error}"))

    def _last_known(self, spec: PathSpec, arguments: Mapping[str, Any], error: Exception) -> PathAnswer:
        """The answer of the ghost; raises the error, with what the ghost has to say, if that is none."""
        known, why = self._known(spec, arguments, error)
        if spec.writes:
            raise unreached(error, "nothing was changed", known) from error
        if known is None:
            raise unreached(error, why, None) from error
        return known

    def _known(self, spec: PathSpec, arguments: Mapping[str, Any], error: Exception) -> tuple[PathAnswer | None, str]:
        """What the ghost knows instead; or None and the reason."""
        count_failure(self.ghost)
        try:
            key = _key(spec, arguments, None)
            reading = self._reading(spec, key)
            if reading is None:
                return None, "the ghost has no such answer"
            if reading.level is Staleness.REFUSE:
                return None, f"the ghost does not answer: {reading.why}"
            return self._from_ghost(spec, reading, error), ""
        except (ChrysalisError, ValueError, TypeError) as bad:
            return None, f"what the ghost has can't be used: {bad}"

    def _reading(self, spec: PathSpec, key: str | None) -> GhostReading | None:
        if key is None:
            return self._answers.newest(spec.path)
        return self._answers.find(key, of_anyone=spec.is_everyones)

    def _from_ghost(self, spec: PathSpec, reading: GhostReading, error: Exception) -> PathAnswer:
        value = spec.from_plain(reading.data["is"])
        why = str(error) if reading.age_s >= 0 else f"{error}; {reading.why}"
        known = PathAnswer(spec.path, spec.to_value(value), spec.to_text(value), reading.written_at)
        return replace(known, is_ghost=True, age_s=reading.age_s, level=reading.level, why=why)


async def _called(call: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    if inspect.iscoroutinefunction(call):
        return await call(**arguments)
    value = await asyncio.to_thread(partial(call, **arguments))
    return await value if inspect.isawaitable(value) else value


def _key(spec: PathSpec, arguments: Mapping[str, Any], value: Any) -> str | None:
    if spec.key is not None:
        return spec.key(arguments, value)
    return f"{spec.path} {json.dumps(plain(dict(arguments)), sort_keys=True, default=repr)}"


def _folder(memory: Any) -> Path:
    """Where the memory's store lies."""
    path = memory.path if isinstance(memory, ChrysalisMemory) else memory
    path = path._path if isinstance(path, AgentMemory) else path
    return default_path() if path is None else Path(named(path)).expanduser()
