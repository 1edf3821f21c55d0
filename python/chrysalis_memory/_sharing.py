"""Sharing: links to other replicas, how far what was written has come, and merging with other stores."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from threading import Event
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Final

from chrysalis_memory._belonging import Belonging
from chrysalis_memory._core import Replica
from chrysalis_memory._opened import Opened, named
from chrysalis_memory._said import known_id
from chrysalis_memory.config import Config
from chrysalis_memory.embedding import EmbedderLike
from chrysalis_memory.errors import LinkClosed, LinkTimeout, NotFound
from chrysalis_memory.network._exchange import Agreement, join
from chrysalis_memory.network.addresses import read_address
from chrysalis_memory.network.config import SyncConfig
from chrysalis_memory.network.policies import Policy
from chrysalis_memory.network.status import MergeReport, SyncReport, SyncStatus

if TYPE_CHECKING:
    from chrysalis_memory.agent import AgentMemory

__all__ = ["SYNCED_LOOK_S", "Sharing"]

SYNCED_LOOK_S: Final = 0.01
"""Between two looks whether all is acknowledged."""
_NOTED_S: Final = 2.0  # acknowledgements are written down within half a second


class Sharing(Belonging):
    """What an open store has to do with others."""

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
        peers: Iterable[str] = (),
        listen: str | None = None,
        policy: Policy | str = "streaming",
        sync: bool | None = None,
        sync_config: SyncConfig | None = None,
    ) -> None:
        super().__init__(
            path,
            agent_id=agent_id,
            space=space,
            closed=closed,
            invite=invite,
            passphrase=passphrase,
            embedder=embedder,
            config=config,
        )
        self.sync_config = sync_config or SyncConfig()
        try:
            self._share(peers, listen, policy, sync)
        except BaseException:
            self.close()
            raise

    def _share(self, peers: Iterable[str], listen: str | None, policy: Policy | str, sync: bool | None) -> None:
        if isinstance(peers, str):
            raise TypeError("peers is a list of addresses, not one text")
        named = list(peers)
        if sync is None:
            sync = bool(named) or listen is not None
        for url in named:
            read_address(url, allow_plain=self.sync_config.allow_plain)
            super().add_peer(url)
        if not sync or (listen is None and not self.peers()):
            return
        from chrysalis_memory.network import Network  # only now: see there

        network = Network(self, peers=self._dialable(), listen=listen, policy=policy, config=self.sync_config)
        self._network = network.start()
        # Runs before the store is closed: what is made later is finalised first.
        self._end_network = weakref.finalize(self, network.stop)

    def _dialable(self) -> list[str]:
        """The addresses that are kept and may be dialed: plain ones beyond this machine only when that was said."""
        found = []
        for url in self.peers():
            try:
                read_address(url, allow_plain=self.sync_config.allow_plain)
            except ValueError:
                continue
            found.append(url)
        return found

    def add_peer(self, url: str) -> bool:
        """Keeps the address of another replica, and dials it if sync runs; returns whether it was new."""
        if self._network is not None:
            self._network.know(url)
        return super().add_peer(url)

    def forget_peer(self, url: str) -> bool:
        """Drops an address, and dials it no more; returns whether it was kept."""
        if self._network is not None:
            self._network.forget(url)
        return super().forget_peer(url)

    def close(self) -> None:
        """Says good-bye to others, writes what is buffered and closes the store. Closing twice is no error."""
        if self._network is not None:
            self._end_network()
        super().close()

    def status(self) -> SyncStatus:
        """How the sync with others stands: who is linked, what is pending, where this replica listens.

        >>> memory = example_store()
        >>> _ = memory.remember("nobody else knows this")
        >>> status = memory.status()
        >>> status.running, status.local, status.pending, status.synced
        (False, 2, 0, 0)
        """
        core = self._core()
        if self._network is not None:
            return self._network.status()
        local, pending, synced = core.sync_counts()
        return SyncStatus(
            running=False,
            address=None,
            policy=None,
            peers=(),
            local=local,
            pending=pending,
            synced=synced,
            held=0,
            next_contact=None,
            last_error=None,
        )

    def sync_state(self, id: str) -> str:
        """Where what this replica wrote of a memory is: `local` (here, and no other replica was ever met), `pending`
        (not yet acknowledged), or `synced` (another replica has it on disk). What others wrote of it counts as synced.

        Raises `NotFound`.

        >>> memory = example_store()
        >>> memory.sync_state(memory.remember("nobody else knows this").id)
        'local'
        """
        return self._core().sync_state(known_id(id))[0]

    def synced(self, *, timeout: float | None = None) -> None:
        """Waits until everything written so far is on the disk of at least one other replica. What a policy holds back
        leaves now. Raises `LinkTimeout` after `timeout` seconds, and `LinkClosed` when no sync runs here.
        """
        looks = self._looks_synced(timeout)
        while not next(looks):
            sleep(SYNCED_LOOK_S)

    def _looks_synced(self, timeout: float | None) -> Iterator[bool]:
        """What each look finds, from now on: whether all that was written before the first is acknowledged."""
        deadline = None if timeout is None else monotonic() + timeout
        wanted = self._wanted_synced()
        while True:
            missing = wanted - self._core().sync_counts()[2]
            if missing > 0 and deadline is not None and monotonic() >= deadline:
                raise LinkTimeout(f"{missing} operations were not acknowledged within {timeout:g} s")
            yield missing <= 0

    def _wanted_synced(self) -> int:
        core = self._core()
        if self._network is None:
            raise LinkClosed(
                "no sync runs in this program", code="not_running", hint="Open the store with peers= or listen=."
            )
        self._network.contact()
        return sum(core.sync_counts())

    def sync_once(self, url: str, *, timeout: float = 60.0) -> SyncReport:
        """Exchanges with the replica at an address until both hold the same, and hangs up: for scripts.

        Raises `Unreachable`, `LinkTimeout`, `LinkClosed`, `NotAllowed` (no member there), and `ValueError` for what is
        no address.
        """
        return once(self, url, timeout)

    def merge(self, other: Sharing | AgentMemory | str | os.PathLike[str], *, timeout: float = 600.0) -> MergeReport:
        """Merges another store: one that is open in this program, the folder of one, or a bundle.

        Both stores come to hold the same; a bundle is only read. Every operation passes the same checks as over a
        network. Raises `NotAllowed` for a store of another space, and `NotFound` for a path where there is none.

        >>> ada, ben = example_store(), example_store()
        >>> _ = ada.remember("the kiln is hot"), ben.remember("the glaze is dry")
        >>> report = ada.merge(ben)
        >>> ben.recall("kiln")[0].content, ada.recall("glaze")[0].content, ada.merge(ben).stored
        ('the kiln is hot', 'the glaze is dry', 0)
        """
        if isinstance(other, str | os.PathLike):
            return self._merge_path(Path(os.path.expanduser(named(other))), timeout)
        memory = getattr(other, "blocking", other)
        if not isinstance(memory, Opened):
            raise TypeError(f"merge takes a memory or a path, not {type(other).__name__}")
        report = self._merge_core(memory._core(), timeout)
        memory._background.wake()
        return report

    def _merge_path(self, path: Path, timeout: float) -> MergeReport:
        if path.is_file():
            _, stored, _, refused = self._core().import_bundle(str(path))
            self._background.wake()
            self._changed()
            return MergeReport(stored, 0, tuple(f"at byte {offset}: {what}" for offset, _, what in refused))
        if not (path / "chrysalis.db").is_file():
            raise NotFound(f"there is neither a store nor a bundle at {path}", hint="Check the path.", id=str(path))
        with Belonging(path, embedder="none", config=self.config) as other:
            return self._merge_core(other._core(), timeout)

    def _merge_core(self, other: Replica, timeout: float) -> MergeReport:
        core = self._core()
        if other.public_key == core.public_key:
            raise ValueError("a store is not merged with itself")
        near, far = join(core, other, timeout_s=timeout)
        self._background.wake()
        self._changed()
        return MergeReport(near.stored, far.stored, tuple(near.refused))


def once(memory: Sharing, url: str, timeout: float) -> SyncReport:
    """One exchange over a network of its own, which dials nobody else."""
    from chrysalis_memory.network import Network  # only now: see there

    began, heard, done = monotonic(), Agreement(), Event()

    def listen(name: str, facts: Mapping[str, Any]) -> None:
        heard.heard(name, facts)
        if heard.agreed or heard.closed is not None or name == "unreachable":
            done.set()

    network = Network(memory, peers=[url], config=memory.sync_config, on_event=listen, only=True).start()
    try:
        done.wait(timeout)
        error = network.error_of(url)
        if error is not None and heard.key is None:
            raise error
        if heard.closed is not None and not heard.agreed:
            raise heard.error(url)
        if not heard.agreed or heard.key is None:
            raise LinkTimeout(f"{url} and this store did not come to agree within {timeout:g} s", url=url)
        acknowledged = _noted(memory._core(), heard.key)
        return SyncReport(
            url=url,
            key=heard.key,
            role=heard.role,
            stored=heard.stored,
            sent_bytes=network.counters().get("sent_bytes", 0),
            received_bytes=network.counters().get("received_bytes", 0),
            acknowledged=acknowledged,
            seconds=monotonic() - began,
        )
    finally:
        network.stop()


def _noted(core: Replica, key: str) -> bool:
    deadline = monotonic() + _NOTED_S
    while core.unsent(key) > 0:
        if monotonic() >= deadline:
            return False
        sleep(SYNCED_LOOK_S)
    return True
