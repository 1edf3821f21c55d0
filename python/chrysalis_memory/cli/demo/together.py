"""The chapters that take more than one machine: a hub, a partition, gossip, a liar, votes. Each agent is a process."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import time

from chrysalis_memory import ChrysalisError, ChrysalisMemory
from chrysalis_memory.cli.demo.processes import Agent, Hub
from chrysalis_memory.cli.demo.stage import SPACE, Stage

_WAIT_S = 30.0
_SOON_S = 2.0
_GOSSIPS = 5


def hub(stage: Stage) -> None:
    """Two agents and a hub; a stranger; the hub is killed, and nothing is lost."""
    stage.chapter("9  Hub", "A hub and two agents, three processes. A token is all that an agent needs to join.")
    server = Hub(stage.store("hub"), SPACE)
    agents: list[Agent] = []
    try:
        token = _invited(stage.store("hub"), "writer", server.links)
        agents.extend(Agent(name, stage.store(f"{name}-away"), invite=token) for name in ("scribe", "builder"))
        _through_hub(stage, *agents)
        _stranger(stage, server)
        server.kill()
        _partition(stage, server, *agents)
    finally:
        for agent in agents:
            agent.stop()
        server.stop()


def _invited(store: Path, role: str, url: str) -> str:
    # Any process that may open the hub's store may invite; `chrysalis invite` does the same.
    with ChrysalisMemory(store, agent_id="owner", embedder="none") as owner:
        return owner.invite(role, urls=[url])  # type: ignore[arg-type]


def _through_hub(stage: Stage, scribe: Agent, builder: Agent) -> None:
    for agent in (scribe, builder):
        agent.ask("await_peers", count=1, timeout=_WAIT_S)
    learnt = scribe.ask("learn", content="The pilot boat berths at pier four after dark")
    found = builder.ask("find", query="where does the pilot boat berth?", id=learnt["id"], timeout=_WAIT_S)
    seconds = found["at"] - learnt["at"] if found else _WAIT_S
    stage.show(f"scribe      learned “{'The pilot boat berths at pier four after dark'}”")
    stage.show(f"builder     recalled it {seconds * 1000:.0f} ms after it was on scribe's disk")
    stage.check(bool(found) and seconds < _SOON_S, "what one agent learned the other recalls within two seconds")


def _stranger(stage: Stage, server: Hub) -> None:
    with ChrysalisMemory(stage.store("eve"), agent_id="eve", space=SPACE, embedder="none") as eve:
        try:
            eve.sync_once(server.links, timeout=_WAIT_S)
            refused = ""
        except ChrysalisError as error:
            refused = f"{error.code}: {error}"
        stage.show(f"stranger    turned away, {refused}")
        stage.check(bool(refused) and not eve.recall("pilot boat"), "who is no member gets nothing, and says nothing")


def _partition(stage: Stage, server: Hub, scribe: Agent, builder: Agent) -> None:
    stage.chapter("10  Partition", "The hub is killed (SIGKILL). Both agents go on; then it comes back.")
    written = [
        agent.ask("learn", content=f"{agent.name} saw no hub at low water, note {number}")["id"]
        for number in range(10)
        for agent in (scribe, builder)
    ]
    states = [agent.ask("state", id=note)["state"] for agent, note in ((scribe, written[-2]), (builder, written[-1]))]
    stage.show(f"alone       {len(written)} memories written, the last ones {' and '.join(states)}")
    began = time()
    server.start()
    came = [agent.ask("await_all", ids=written, timeout=_WAIT_S) for agent in (scribe, builder)]
    stage.check(states == ["pending", "pending"], "alone, both write on, and know what nobody else has yet")
    whole = all(came)
    if whole:
        stage.show(f"together    both have all of them {max(one['at'] for one in came) - began:.1f} s after its return")
    stage.check(whole, "nothing that was written on either side is lost")


def gossip(stage: Stage) -> None:
    """Five agents without a hub; a liar among them; votes."""
    stage.chapter("11  Gossip", f"{_GOSSIPS} agents, no hub: each was told one address, and peers tell of peers.")
    founder = stage.store("peer-1")
    with ChrysalisMemory(founder, agent_id="peer-1", space="quay", closed=True, embedder="none") as memory:
        token = memory.invite("validator")
    with _peers(stage, token) as agents:
        linked = [agent.ask("await_peers", count=2, timeout=_WAIT_S)["linked"] for agent in agents]
        stage.show(f"links       {', '.join(str(count) for count in linked)}")
        learnt = agents[0].ask("learn", content="The fog signal fails below four degrees", id="fog")
        for agent in agents[1:]:
            agent.tell("await_all", ids=["fog"], timeout=_WAIT_S)
        came = [agent.answer() for agent in agents[1:]]
        if all(came):
            times = sorted((one["at"] - learnt["at"]) * 1000 for one in came)
            stage.show(f"spread      to all within {times[-1]:.0f} ms, to half within {times[len(times) // 2]:.0f} ms")
        stage.check(all(came), "a memory reaches every agent, from one to the next")
        _votes(stage, agents, founder)
    _liar(stage, token)


@contextmanager
def _peers(stage: Stage, token: str) -> Iterator[list[Agent]]:
    """The agents, each told the address of the one before."""
    agents: list[Agent] = []
    try:
        for number in range(1, _GOSSIPS + 1):
            name = f"peer-{number}"
            more = {} if number == 1 else {"invite": token, "peers": [agents[-1].address]}
            agents.append(Agent(name, stage.store(name), listen="127.0.0.1:0", **more))
        yield agents
    finally:
        for agent in agents:
            agent.stop()


def _votes(stage: Stage, agents: Sequence[Agent], founder: Path) -> None:
    stage.chapter("12  Votes", "All five vote on that memory. One of them lies: nobody could know which.")
    confidences = [0.9, 0.85, 0.95, 0.9, 0.0]
    for agent, confidence in zip(agents, confidences, strict=True):
        agent.ask("attest", id="fog", confidence=confidence)
        agent.ask("synced", timeout=_WAIT_S)
    with ChrysalisMemory(founder, agent_id="peer-1", embedder="none") as memory:
        end = time() + _WAIT_S
        result = memory.validate("fog")
        while len(result.votes) < _GOSSIPS and time() < end:
            result = memory.validate("fog")
        stage.show(f"votes       {', '.join(f'{vote.confidence:.2f}' for vote in result.votes)}")
        median, trimmed = result.median or 0.0, result.trimmed_mean or 0.0
        stage.show(f"read        median {median:.2f}, trimmed mean {trimmed:.2f}, plain mean {result.mean or 0.0:.2f}")
        honest = 0.84 < median < 0.96 and 0.84 < trimmed < 0.96
        stage.check(result.accepted and honest, "more than two thirds agree, and one liar moves nothing out of range")


def _liar(stage: Stage, token: str) -> None:
    stage.chapter("13  Liar", "A member tells one agent this and another that, under one number of its signed log.")
    store = stage.store("liar")
    with ChrysalisMemory(store, agent_id="liar", invite=token, embedder="none") as liar:
        key = liar.public_key
    kept = stage.folder / "liar-kept"
    shutil.copytree(store, kept)
    _tell(store, stage.store("peer-1"), "The lock opens at six")
    _rewind(kept, store)
    _tell(store, stage.store("peer-5"), "The lock opens at nine")
    with _peers(stage, token) as agents:
        for agent in agents:
            agent.tell("await_proof", replica=key, timeout=_WAIT_S)
        proven = [agent.answer() for agent in agents]
        believed = [agent.ask("find", query="when does the lock open?", id="lock", timeout=0.1) for agent in agents]
        stage.show(f"proven      to {sum(map(bool, proven))} of {len(agents)}, by the liar's own two signatures")
        stage.check(all(proven), "every agent holds the proof")
        stage.check(not any(believed), "and no agent believes either story")


def _tell(liar: Path, other: Path, story: str) -> None:
    with (
        ChrysalisMemory(liar, agent_id="liar", embedder="none") as one,
        ChrysalisMemory(other, agent_id="listener", embedder="none") as two,
    ):
        one.remember(story, id="lock")
        two.merge(one)


def _rewind(kept: Path, store: Path) -> None:
    """Puts the earlier bytes back into the very same files, so that the store takes itself for what it was."""
    for file in store.iterdir():
        earlier = kept / file.name
        data = earlier.read_bytes() if earlier.exists() else b""
        descriptor = os.open(file, os.O_WRONLY | os.O_TRUNC)
        with os.fdopen(descriptor, "wb") as target:
            target.write(data)
