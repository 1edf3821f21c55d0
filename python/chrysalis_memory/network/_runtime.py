"""`Network`: the links of one store, in a thread with a loop of its own, for blocking and async programs alike."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from chrysalis_memory._core import Node, Replica
from chrysalis_memory.errors import LinkClosed, LinkError, LinkTimeout, StoreError
from chrysalis_memory.network import _tls
from chrysalis_memory.network._contacts import Contacts
from chrysalis_memory.network._exchange import AT_ONCE
from chrysalis_memory.network._gate import Gate
from chrysalis_memory.network._links import Links, Word
from chrysalis_memory.network._listener import Listener
from chrysalis_memory.network._pace import Pace
from chrysalis_memory.network._steps import Effect, Steps
from chrysalis_memory.network.addresses import (
    Address,
    Listen,
    is_loopback,
    is_unspecified,
    read_address,
    read_listen,
)
from chrysalis_memory.network.config import SyncConfig
from chrysalis_memory.network.policies import Policy, policy_of
from chrysalis_memory.network.status import SyncStatus

if TYPE_CHECKING:
    from chrysalis_memory._background import Background

__all__ = ["Network", "OnEvent"]

T = TypeVar("T")

_log = logging.getLogger("chrysalis_memory")

OnEvent = Callable[[str, Mapping[str, Any]], None]
"""Told of every event of the node, in the network's own thread: it must return at once, and not ask the network."""

_RETRY_S: Final = 1.0
_BETWEEN_TURNS_S: Final = 25e-6
"""Seconds for each link that are let pass between two turns, so that a turn of a hub with a thousand links finds more
than one frame: most of what a turn takes does not hang on what it finds. Half of what the node lets pass between two
tellings of its news."""
_SHORTEST_PAUSE_S: Final = 0.001
_ASK_S: Final = 30.0


class OpenMemory(Protocol):
    """What a network needs of the memory that it links."""

    _background: Background

    @property
    def closed(self) -> bool:
        """Whether only members belong to the space."""

    def _core(self) -> Replica: ...


class Network:
    """Links one store to others: `start()`, and until `stop()` it listens, dials, exchanges and pushes by itself.

    `memory` is an open `ChrysalisMemory`; it must stay open. `listen` is `host:port`; `peers` are addresses to dial;
    with `only`, no others are dialed, whatever peers tell of.
    """

    def __init__(
        self,
        memory: OpenMemory,
        *,
        peers: Iterable[str] = (),
        listen: str | None = None,
        policy: Policy | str = "streaming",
        config: SyncConfig | None = None,
        on_event: OnEvent | None = None,
        only: bool = False,
    ) -> None:
        self.config = config or SyncConfig()
        self.policy = policy_of(policy)
        self._replica = memory._core()
        self._memory = weakref.ref(memory)
        self._on_event = on_event
        self._only = only
        self._parked: set[str] = set()
        self._listen = None if listen is None else self._checked_listen(read_listen(listen), memory.closed)
        self._wanted = [read_address(peer, allow_plain=self.config.allow_plain) for peer in _addresses(peers)]
        self._pace = Pace(self.policy, self._replica)
        self._pid = os.getpid()
        self._counts: Counter[str] = Counter()
        self._address: str | None = None
        self._last_error: str | None = None
        self._stopping = False
        self._turned_s = 0.0
        self._gate: Gate | None = None
        self._woken = asyncio.Event()
        self._asked: set[Future[Any]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._words: list[Word] = []
        self._links = Links(self.config, self._tell)
        self._contacts = Contacts()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def _checked_listen(self, listen: Listen, closed: bool) -> Listen:
        if is_loopback(listen.host):
            return listen
        if self.config.tls_certificate is None and not self.config.allow_plain:
            raise ValueError(
                f"{listen.host} is reached from beyond this machine, and there is no TLS: give a certificate and key, "
                "or say allow_plain"
            )
        if not closed and not self.config.allow_open:
            raise ValueError(
                f"{listen.host} is reached from beyond this machine, and the space is open to whoever knows its name: "
                "found a closed space, or say allow_open"
            )
        return listen

    # For any thread.

    @property
    def address(self) -> str | None:
        """Where it listens, once started."""
        return self._address

    def start(self) -> Network:
        """Takes the port and begins. Raises `LinkError` when the port or the certificate can't be had."""
        if self._thread is not None:
            raise ValueError("a network is started once")
        started: Future[None] = Future()
        self._thread = threading.Thread(target=self._main, args=(started,), name="chrysalis-network", daemon=True)
        self._thread.start()
        started.result()
        return self

    def stop(self) -> None:
        """Says good-bye to everyone and ends. Stopping twice is no error; after a fork there is nothing to stop."""
        if self._thread is None or os.getpid() != self._pid:
            return
        self._stopping = True
        self.wake()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def wake(self) -> None:
        """Something was written here. Costs next to nothing."""
        loop = self._loop
        if loop is not None and not self._stopping_done():
            self._post(loop, self._woken.set)

    def _stopping_done(self) -> bool:
        return self._thread is None or not self._thread.is_alive()

    def status(self) -> SyncStatus:
        """How it stands. Waits for the step that runs. Raises `LinkClosed` when it is not running."""
        return self._ask(self._status)

    def counters(self) -> dict[str, int]:
        """What happened since the start, by name; they only grow: events of the node (`ready`, `stored`, ...), links
        `accepted` and `dialed`, calls that failed (`unreachable`), readers that were too `slow`, connections that the
        gate turned away (`too_many`, ...), and bytes."""
        counts = self._counts + self._links.counts
        return dict(counts + (Counter() if self._gate is None else self._gate.refused))

    def error_of(self, url: str) -> LinkError | None:
        """Why the last call of this address failed."""
        return self._links.errors.get(url)

    def know(self, peer: str) -> None:
        """Dials this address from now on, too. Raises `ValueError` for what is none."""
        address = read_address(peer, allow_plain=self.config.allow_plain)

        async def know() -> None:
            self._know(address)

        self._ask(know)

    def forget(self, peer: str) -> None:
        """Dials this address no more; a link that is up stays."""

        async def forget() -> None:
            self._wanted = [address for address in self._wanted if address.url != peer]
            self._tell(("forget_peer", peer))

        self._ask(forget)

    def contact(self) -> None:
        """What the policy holds leaves now, and everyone who is wanted is called."""

        async def contact() -> None:
            self._pace.hurry()
            self._woken.set()

        self._ask(contact)

    def _ask(self, question: Callable[[], Coroutine[Any, Any, T]]) -> T:
        loop = self._loop
        if loop is None or self._stopping_done() or os.getpid() != self._pid:
            raise LinkClosed("the network is not running", code="not_running", hint="Start it first.")
        if threading.current_thread() is self._thread:
            raise ValueError("the network can't be asked from within its own events")
        answer: Future[T] = Future()
        self._asked.add(answer)
        try:
            if not self._post(loop, self._answer, question, answer):
                answer.cancel()
            return answer.result(_ASK_S)
        except CancelledError as error:
            raise LinkClosed("the network stopped meanwhile", code="not_running", hint="Start it again.") from error
        except (TimeoutError, FutureTimeoutError) as error:  # two classes before Python 3.11
            raise LinkTimeout(f"the network did not answer within {_ASK_S:g} s", hint="Ask again.") from error
        finally:
            self._asked.discard(answer)

    @staticmethod
    def _post(loop: asyncio.AbstractEventLoop, call: Callable[..., Any], *arguments: Any) -> bool:
        """Has the loop call this, unless it ended this moment."""
        try:
            loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:
            return False
        return True

    # In the network's own thread.

    def _main(self, started: Future[None]) -> None:
        try:
            asyncio.run(self._live(started))
        except BaseException as error:  # noqa: BLE001 - a thread that dies is noticed by nobody
            if started.done():
                self._last_error = str(error)
                _log.error("the network ended: %s", error)
            else:
                started.set_exception(error)
        finally:
            # Who asked in the last moment is told, rather than left to wait.
            for answer in list(self._asked):
                answer.cancel()

    def _answer(self, question: Callable[[], Coroutine[Any, Any, T]], answer: Future[T]) -> None:
        if self._loop is None:
            answer.cancel()
            return
        task = self._loop.create_task(self._answering(question, answer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answering(self, question: Callable[[], Coroutine[Any, Any, T]], answer: Future[T]) -> None:
        if not answer.set_running_or_notify_cancel():
            return
        try:
            answer.set_result(await question())
        except asyncio.CancelledError:
            answer.set_exception(CancelledError())
        except Exception as error:  # noqa: BLE001 - whoever asked raises it
            answer.set_exception(CancelledError() if self._stopping else error)

    async def _live(self, started: Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        listener = await self._bind()
        self._steps = Steps(self._node(), self._replica, self._pace, self.config.watch_interval_ms / 1000)
        try:
            await self._steps.ask(self._steps.begin)
            for address in list(self._wanted):
                self._know(address)
            if listener is not None:
                await listener.start()
            started.set_result(None)
            await self._pump()
        finally:
            await self._links.end()
            if listener is not None:
                await listener.close()
            self._steps.end()
            # From here on the loop ends what it has, and begins nothing new.
            self._loop = None

    async def _bind(self) -> Listener | None:
        if self._listen is None:
            return None
        config = self.config
        self._gate = Gate(
            links_max=config.links_max,
            links_per_source_max=config.links_per_source_max,
            arrivals_per_s=config.arrivals_per_s,
        )
        try:
            tls = None if config.tls_certificate is None else _tls.listening(config.tls_certificate, config.tls_key)
            listener = await Listener.bind(
                self._listen,
                serve_link=self._links.serve,
                gate=self._gate,
                tls=tls,
                open_timeout_s=config.open_timeout_s,
                write_bytes_max=config.write_bytes_max,
            )
        except OSError as error:
            where = f"{self._listen.host}:{self._listen.port}"
            raise LinkError(
                f"can't listen on {where}: {error}",
                code="cannot_listen",
                hint="Choose another port, or check the files.",
            ) from error
        self._address = listener.address(self._listen.host).url
        return listener

    def _node(self) -> Node:
        gossip = self.config.gossip
        settings = {
            "address": self._announced(),
            "fanout": gossip.fanout,
            "interval_ms": gossip.interval_ms,
            "anti_entropy_ms": gossip.anti_entropy_ms,
            "revive_ms": gossip.revive_ms,
            "links_max": self.config.links_max,
            "handshakes_max": self.config.handshakes_max,
            "dead_ms": int(self.config.silence_s * 1000),
            "idle_ms": int(self.config.silence_s * 1000 / 3),
        }
        if gossip.fanout is None:
            # A hub hangs up on nobody: its bound is that on links, and not the one of gossip among equals.
            settings["gossip_links_max"] = self.config.links_max
        if self._only:
            settings |= AT_ONCE
        return Node(self._replica, settings, secrets.randbits(64))

    def _announced(self) -> str | None:
        if self.config.announce is not None:
            return self.config.announce
        # Every interface is no address that others could dial.
        return None if self._listen is None or is_unspecified(self._listen.host) else self._address

    def _know(self, address: Address) -> None:
        self._links.know(address)
        if address not in self._wanted:
            self._wanted.append(address)
        self._tell(("know", address.url, address.key))

    def _tell(self, word: Word) -> None:
        if word[0] == "unreachable":
            self._happened("unreachable", {"url": word[1], "why": str(self._links.errors[word[1]])})
        self._words.append(word)
        self._woken.set()

    async def _pump(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._stopping:
            timer = loop.call_later(self._steps.sleep_s(len(self._links) > 0), self._woken.set)
            await self._woken.wait()
            timer.cancel()
            await self._pause(loop.time())
            self._woken.clear()
            await self._turn(loop)
            self._turned_s = loop.time()

    async def _pause(self, now_s: float) -> None:
        left_s = self._turned_s + len(self._links) * _BETWEEN_TURNS_S - now_s
        if left_s >= _SHORTEST_PAUSE_S:
            await asyncio.sleep(left_s)

    async def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        words, self._words = self._words, []
        try:
            effects, contact = await self._steps.advance(words)
        except StoreError as error:
            # Nothing that was received counts as received; peers send it again.
            self._fault(error)
            await asyncio.sleep(_RETRY_S)
            effects, contact = [], False
        self._links.dealt_with(words)
        if contact:
            self._begin_contact()
        for effect in effects:
            self._do_alone(effect)
        await self._end_contact()
        self._links.sweep(loop.time())

    def _begin_contact(self) -> None:
        parked, self._parked = self._parked, set()
        for url in parked:
            self._dial(url)

    async def _end_contact(self) -> None:
        if not await self._steps.contact_is_over(self._links.calling):
            return
        self._links.hang_up()
        problems = await self._steps.ask(self._pace.verify)
        self._counts["contact"] += 1
        for code, where, what in problems:
            self._last_error = f"{where}: {what}"
            self._happened("unverified", {"code": code, "where": where, "what": what})

    def _do_alone(self, effect: Effect) -> None:
        """What goes wrong on one link ends that one, and not all."""
        try:
            self._do(effect)
        except Exception as error:  # noqa: BLE001 - a thread that dies is noticed by nobody
            self._last_error = str(error)
            _log.error("a link is cut: %s", error)
            if effect[0] in {"send", "close"}:
                self._links.cut(effect[1])

    def _do(self, effect: Effect) -> None:
        kind, *facts = effect
        if kind == "send":
            self._links.send(*facts)
        elif kind == "close":
            self._links.close(*facts)
        elif kind == "dial":
            self._call(*facts)
        elif kind == "event":
            self._happened(*facts)
        else:
            self._fault(*facts)

    def _call(self, url: str) -> None:
        if self._only and not self._is_wanted(url):
            return
        if self._pace.calls:
            self._dial(url)
        else:
            # The policy calls nobody now. The node takes it for a call that rings; it is made when contact is due.
            self._parked.add(url)

    def _dial(self, url: str) -> None:
        self._links.dial(url, hearsay=not self._is_wanted(url))

    def _is_wanted(self, url: str) -> bool:
        return any(address.url == url for address in self._wanted)

    def _happened(self, name: str, facts: Mapping[str, Any]) -> None:
        self._contacts.heard(name, facts)
        if name == "closed":
            self._look_at_refusal(facts)
        self._counts[name] += facts.get("count", 1) if name == "stored" else 1
        if name == "stored":
            self._wake_memory()
        if self._on_event is None:
            return
        try:
            self._on_event(name, facts)
        except Exception as error:  # noqa: BLE001 - what others do with an event must not end the network
            _log.warning("an event of the network was not taken: %s", error)

    def _look_at_refusal(self, facts: Mapping[str, Any]) -> None:
        url = self._links.dialed(facts["link"])
        # Whoever asked for one exchange is told by its error.
        if self._contacts.shut_out(url, facts) and not self._only:
            # The words are the other side's: they stay on one line.
            _log.warning("%s does not let this replica in: %r", url, facts["why"])

    def _wake_memory(self) -> None:
        memory = self._memory()
        if memory is not None:
            memory._background.wake()

    def _fault(self, error: Exception) -> None:
        self._counts["fault"] += 1
        self._last_error = str(error)
        _log.warning("the network could not store, next try in a moment: %s", error)

    async def _status(self) -> SyncStatus:
        links, wanted = await self._steps.links(), [address.url for address in self._wanted]
        lags = await self._steps.lags({link["key"] for link in links if link["ready"]})
        local, pending, synced = await self._steps.counts()
        next_s = self._pace.next_s
        return SyncStatus(
            running=True,
            address=self._address,
            policy=type(self.policy).__name__,
            peers=self._contacts.peers(links, wanted, self._links.errors, lags),
            local=local,
            pending=pending,
            synced=synced,
            held=self._pace.held,
            next_contact=None if next_s is None else datetime.fromtimestamp(next_s, timezone.utc),
            last_error=self._last_error,
            refused=self._contacts.refused,
            counters=self.counters(),
        )


def _addresses(peers: Iterable[str]) -> list[str]:
    if isinstance(peers, str):
        raise TypeError("peers is a list of addresses, not one text")
    return list(peers)
