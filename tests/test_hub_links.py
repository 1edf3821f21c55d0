"""A hub and its agents, over real sockets and processes: what is learned arrives, and who is no member stays out."""

import asyncio
import os
import socket
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from time import monotonic

import pytest
from benchmarks.hub_agents import crowd
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from chrysalis_memory import AgentMemory, ChrysalisMemory, NotAllowed
from chrysalis_memory.hub.audit import read_audit
from chrysalis_memory.hub.collective import REFUSED_BURST
from chrysalis_memory.hub.running import Running
from chrysalis_memory.hub.settings import HubSettings
from chrysalis_memory.network import SyncConfig
from hub_process import WITHIN_S, hub_process
from memory_cases import contents, eventually
from network_cases import Line

LINKS = 1_000
FILES_MIN = 2_500


@contextmanager
def agent(path, token=None, **more):
    """An agent that is linked to whatever its token named."""
    with ChrysalisMemory(path, agent_id=path.name, invite=token, sync=True, embedder="none", **more) as memory:
        yield memory


def has(memory, *ids):
    return lambda: None not in memory.get_many(ids)


def arrives(memory, *ids):
    assert eventually(has(memory, *ids), WITHIN_S), f"{ids} did not arrive"


# B12. The promise is one of seconds, so that a test has to look at the clock: at the best of three, since the machine
# may be busy.


async def recalled_after(learner, other, words):
    """Seconds from the learning of one agent to the recall of the other."""
    learned = await learner.learn(f"The {words} is open")
    began = monotonic()
    while [hit.id for hit in await other.recall(words)] != [learned.id]:
        assert monotonic() - began < WITHIN_S
        await asyncio.sleep(0.005)
    return monotonic() - began


@pytest.mark.parametrize("way", ["hub", "gossip", "both"])
async def test_what_one_agent_learns_the_other_recalls_within_two_seconds(tmp_path, way):
    with ExitStack() as hubs:
        shared = {"embedder": "none"}
        if way != "gossip":
            shared["invite"] = hubs.enter_context(hub_process(tmp_path / "hub")).invite()
        listen = None if way == "hub" else "127.0.0.1:0"
        async with AgentMemory("ada", path=tmp_path / "ada", listen=listen, **shared) as ada:
            peers = [] if listen is None else [(await ada.status()).address]
            async with AgentMemory("bob", path=tmp_path / "bob", peers=peers, **shared) as bob:
                places = ["kiln", "quay", "sluice"]
                assert min([await recalled_after(ada, bob, place) for place in places]) <= 2.0


async def test_two_agents_need_a_token_and_nothing_else(tmp_path):
    with hub_process(tmp_path / "hub") as hub:
        token = hub.invite()
        async with (
            AgentMemory("ada", path=tmp_path / "ada", invite=token, embedder="none") as ada,
            AgentMemory("bob", path=tmp_path / "bob", invite=token, embedder="none") as bob,
        ):
            learned = await ada.learn("The kiln reaches 1240 degrees")
            end = monotonic() + WITHIN_S
            while not (hits := await bob.recall("how hot does the kiln get?")) and monotonic() < end:
                await asyncio.sleep(0.005)
            assert [hit.id for hit in hits] == [learned.id]
            assert hits[0].memory.author == learned.author
            assert await bob.verify(learned.id)


def test_agents_on_links_and_agents_over_http_share_one_memory(tmp_path):
    with (
        hub_process(tmp_path / "hub") as hub,
        hub.client("write") as thin,
        agent(tmp_path / "ada", hub.invite()) as ada,
    ):
        said = thin.post("/v1/memories", json={"content": "The sill lies at 2.40 m"}).json()
        arrives(ada, said["id"])
        assert ada.get(said["id"]).agent_id == "tests"
        learned = ada.remember("The kiln reaches 1240 degrees")

        def recalled():
            hits = thin.post("/v1/recall", json={"query": "how hot does the kiln get?"}).json()["hits"]
            return [hit["memory"]["id"] for hit in hits] == [learned.id]

        assert eventually(recalled, WITHIN_S)
        thin.delete(f"/v1/memories/{learned.id}")
        assert eventually(lambda: ada.get(learned.id) is None, WITHIN_S)


def test_a_relay_carries_between_members_and_shows_nothing(tmp_path):
    with hub_process(tmp_path / "founder") as founder:
        relay_token = founder.invite("relay")
        with ChrysalisMemory(tmp_path / "relay", invite=relay_token, embedder="none") as joined:
            assert joined.role == "relay"
        with hub_process(tmp_path / "relay") as relay, relay.client() as client:
            assert relay.ready["role"] == "relay"
            with ChrysalisMemory(tmp_path / "founder", embedder="none") as administrator:
                token = administrator.invite("writer", urls=[relay.links])
            with agent(tmp_path / "ada", token) as ada, agent(tmp_path / "bob", token) as bob:
                arrives(bob, ada.remember("carried").id)
            refused = client.get("/v1/memories")
            assert (refused.status_code, refused.json()["error"]["code"]) == (403, "relay")
            assert client.get("/health").json()["status"] == "well"


# Who is in, and who is not.


def test_a_stranger_stays_out_and_is_told_nothing(tmp_path):
    with hub_process(tmp_path / "hub", "--space", "team") as hub, hub.client() as client:
        client.post("/v1/memories", json={"content": "for members"})
        with ExitStack() as strangers:
            for name, more in (("open", {"space": "team"}), ("closed", {"space": "team", "closed": True})):
                stranger = ChrysalisMemory(tmp_path / name, peers=[hub.links], embedder="none", **more)
                strangers.enter_context(stranger)
                assert eventually(lambda memory=stranger: memory.status().counters.get("closed", 0) > 0, WITHIN_S)
                assert stranger.stats().memories == 0
                assert eventually(lambda memory=stranger: not any(peer.connected for peer in memory.status().peers))
        assert eventually(lambda: client.get("/v1/status").json()["links"] == 0, WITHIN_S)
        assert eventually(lambda: read_audit(hub.store, limit=9, what="link_refused") != [], WITHIN_S)


def test_who_is_refused_without_end_does_not_drive_all_else_out_of_the_audit_log(tmp_path):
    settings = HubSettings(port=0, http_port=0, space="team", embedder="none")
    with Running(tmp_path, settings) as hub:
        for link, key in enumerate(("mallory", "bob")):
            hub.collective._heard("ready", {"link": link, "key": key, "role": "writer"})
            for count in range(2_000):
                hub.collective._heard("refused", {"link": link, "code": "bad_signature", "count": count})
    told = Counter(one["key"] for one in read_audit(tmp_path, limit=10_000, what="refused"))
    # A few more than at once, when the hub took its time.
    assert set(told) == {"mallory", "bob"}
    assert all(REFUSED_BURST <= count < 2 * REFUSED_BURST for count in told.values())


def test_who_joins_and_who_is_removed_is_seen_and_a_removed_member_is_cut_off(tmp_path):
    with hub_process(tmp_path / "hub") as hub, hub.client() as client, ExitStack() as agents:
        token = hub.invite()
        ada, bob = (agents.enter_context(agent(tmp_path / name, token)) for name in ("ada", "bob"))
        arrives(bob, ada.remember("before").id)

        def members():
            return {one["key"]: one for one in client.get("/v1/members").json()["members"]}

        assert eventually(
            lambda: {key for key, one in members().items() if one["linked"]} == {ada.public_key, bob.public_key},
            WITHIN_S,
        )
        with ChrysalisMemory(hub.store, embedder="none") as administrator:
            administrator.remove(bob.public_key)
        assert eventually(lambda: not members()[bob.public_key]["linked"], WITHIN_S)
        after = ada.remember("after the removal")
        # It may have heard of its removal before it was cut off, and then says nothing more by itself.
        with suppress(NotAllowed):
            bob.remember("from a removed member", id="late")
        with ChrysalisMemory(hub.store, embedder="none") as kept:
            arrives(kept, after.id)
            assert kept.get("late") is None
        assert bob.get(after.id) is None
        assert members()[bob.public_key]["removed"] is True

        def told(what):
            return {entry["key"] for entry in read_audit(hub.store, limit=99, what=what)}

        assert eventually(lambda: told("joined") >= {ada.public_key, bob.public_key}, WITHIN_S)
        assert eventually(lambda: told("removed") == {bob.public_key}, WITHIN_S)


def test_a_token_that_was_taken_back_lets_nobody_else_in_at_the_hub_or_at_a_peer(tmp_path):
    with hub_process(tmp_path / "hub") as hub, ExitStack() as agents:
        token = hub.invite()
        ada = agents.enter_context(agent(tmp_path / "ada", token, listen="127.0.0.1:0"))
        with ChrysalisMemory(hub.store, embedder="none") as administrator:
            assert eventually(lambda: len(administrator.members()) == 2, WITHIN_S)
            (invited,) = administrator.invitations()
            assert (invited.joined, administrator.revoke(token)) == (1, True)
            notice = administrator.remember("the token is void")
        # Whoever has this has the removal that was said before it.
        arrives(ada, notice.id)
        late = agents.enter_context(ChrysalisMemory(tmp_path / "late", invite=token, embedder="none"))
        late.remember("from nobody", id="late")
        for address in (hub.links, ada.status().address):
            with pytest.raises(NotAllowed, match="taken back"):
                late.sync_once(address)
        assert late.get(notice.id) is None
        with ChrysalisMemory(tmp_path / "late", sync=True, embedder="none") as linked:
            assert eventually(lambda: linked.status().refused is not None, WITHIN_S)
            assert "taken back" in linked.status().refused
        # Who had come in before goes on.
        after = ada.remember("after")
        with ChrysalisMemory(hub.store, embedder="none") as kept:
            arrives(kept, after.id)
            assert kept.get("late") is None
            assert ada.get("late") is None

        def told():
            return [entry["invitation"] for entry in read_audit(hub.store, limit=9, what="revoked")]

        assert eventually(lambda: told() == [invited.id], WITHIN_S)


def test_lag_is_told_for_each_replica_and_is_none_when_all_is_acknowledged(tmp_path):
    with hub_process(tmp_path / "hub") as hub, hub.client() as client, agent(tmp_path / "ada", hub.invite()) as ada:
        client.post("/v1/memories", json={"content": "x"})

        def lags():
            return {
                one["key"]: (one["lag"], one["lag_bytes"])
                for one in client.get("/v1/replicas").json()["replicas"]
                if one["linked"]
            }

        assert eventually(lambda: lags() == {ada.public_key: (0, 0)}, WITHIN_S)
        figures = client.get("/metrics").text
        assert f'chrysalis_hub_lag_bytes{{replica="{ada.public_key}"}} 0' in figures
        assert "\nchrysalis_hub_links 1\n" in figures


# What goes wrong.


@pytest.mark.skipif(os.name != "posix", reason="this system kills otherwise")
def test_a_hub_that_is_killed_in_the_middle_loses_nothing(tmp_path):
    with hub_process(tmp_path / "hub") as hub:
        token, ports = hub.invite(), hub.ports
        with agent(tmp_path / "ada", token) as ada, agent(tmp_path / "bob", token) as bob:
            ids = [ada.remember(f"note {number}").id for number in range(200)]
            arrives(bob, ids[0])
            hub.kill()
            ids += [ada.remember(f"while it was away {number}").id for number in range(20)]
            with hub_process(tmp_path / "hub", *ports) as again:
                arrives(bob, *ids)
                with ChrysalisMemory(again.store, embedder="none") as kept:
                    arrives(kept, *ids)
                    assert kept.verify()
        assert bob.path != ada.path


@pytest.fixture
def small_disk(tmp_path):
    """A disk of a few MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounting a small disk needs rights that this user does not have")
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this system does not let a disk be mounted")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_hub_whose_disk_fills_says_so_agents_work_on_and_all_arrives_later(tmp_path, small_disk):
    settings = ["--set", "disk_free_bytes_min=1", "--set", "probe_interval_s=0.05"]
    with ExitStack() as stack:
        hub = stack.enter_context(hub_process(small_disk / "hub", *settings))
        client, kept = (
            stack.enter_context(hub.client()),
            stack.enter_context(ChrysalisMemory(hub.store, embedder="none")),
        )
        ada = stack.enter_context(agent(tmp_path / "ada", hub.invite()))
        arrives(kept, ada.remember("before").id)
        fill(small_disk / "filler")
        assert eventually(lambda: client.get("/health").status_code == 503, WITHIN_S)
        assert any(reason.startswith("disk: ") for reason in client.get("/health").json()["reasons"])
        assert client.post("/v1/memories", json={"content": "x" * 50_000}).status_code in {503, 507}
        ids = [ada.remember(f"{number} " + "y" * 1000).id for number in range(50)]
        (small_disk / "filler").unlink()
        assert eventually(lambda: client.get("/health").status_code == 200, WITHIN_S)
        arrives(kept, *ids)
        assert kept.verify()


def fill(path):
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)) == 4096:
                pass
        except OSError:
            return


def test_a_link_that_is_half_open_gives_its_place_back_and_is_made_anew(tmp_path):
    with ExitStack() as stack:
        hub = stack.enter_context(hub_process(tmp_path / "hub", "--set", "silence_s=1"))
        line, client = Line(hub.links), stack.enter_context(hub.client())
        stack.callback(line.close)
        config = SyncConfig(silence_s=1)
        ada = stack.enter_context(agent(tmp_path / "ada", hub.invite(url=line.url), sync_config=config))
        kept = stack.enter_context(ChrysalisMemory(hub.store, embedder="none"))
        arrives(kept, ada.remember("before").id)
        line.silence()
        assert eventually(lambda: client.get("/v1/status").json()["links"] == 0, WITHIN_S)
        later = ada.remember("while nothing passed")
        line.heal()
        arrives(kept, later.id)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\x00\xff" * 10_000,
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
    ],
)
def test_whoever_speaks_rubbish_or_nothing_on_the_port_of_links_harms_nobody(tmp_path, said):
    with hub_process(tmp_path / "hub", "--set", "open_timeout_s=0.5") as hub, hub.client() as client:
        port = int(hub.links.rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port)) as connection, suppress(ConnectionError):
            # The hub may have had enough before all is said.
            connection.sendall(said)
            connection.settimeout(WITHIN_S)
            while connection.recv(65536):
                pass
        assert client.get("/health").json()["status"] == "well"


async def to_the_end(connection):
    while True:
        await connection.recv()


async def test_whoever_upgrades_and_speaks_rubbish_is_closed_with_a_reason(tmp_path):
    with hub_process(tmp_path / "hub") as hub, hub.client() as client:
        for said in (b"", b"\xff" * 1000, b"\x81" + b"\x00" * 60_000, "text"):
            async with connect(hub.links, compression=None, proxy=None) as connection:
                await connection.send(said)
                with pytest.raises(ConnectionClosed):
                    await asyncio.wait_for(to_the_end(connection), WITHIN_S)
        assert client.get("/health").json()["status"] == "well"
        assert eventually(lambda: client.get("/v1/status").json()["links"] == 0, WITHIN_S)


def test_links_of_many_agents_hold_and_what_one_says_reaches_all(tmp_path):
    count = 12
    with hub_process(tmp_path / "hub") as hub, ExitStack() as agents:
        token = hub.invite()
        linked = [agents.enter_context(agent(tmp_path / f"agent-{number}", token)) for number in range(count)]
        ids = [memory.remember(f"said by {number}").id for number, memory in enumerate(linked)]
        for memory in linked:
            arrives(memory, *ids)
        texts = {tuple(sorted(contents(memory.list(limit=100)))) for memory in linked}
        assert len(texts) == 1


def test_a_hub_keeps_a_hundred_links_and_what_one_says_reaches_all(tmp_path):
    flags = ("--open-space", "--space", "bench", "--set", "arrivals_per_s=1000")
    with ExitStack() as stack:
        hub = stack.enter_context(hub_process(tmp_path / "hub", *flags))
        linked = stack.enter_context(crowd(tmp_path, hub.links, 100))
        ada = stack.enter_context(
            ChrysalisMemory(tmp_path / "ada", space="bench", peers=[hub.links], agent_id="ada", embedder="none")
        )
        for number in range(10):
            ada.remember(f"said to everyone, {number}")
        linked.until_all_have(10)
        assert linked.linked() == 100
        client = stack.enter_context(hub.client())
        assert eventually(lambda: client.get("/v1/status").json()["links"] == 101, WITHIN_S)


@pytest.fixture
def many_files():
    """Room for a thousand sockets in this process and those that it starts."""
    resource = pytest.importorskip("resource", reason="this system counts open files otherwise")
    usual, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < FILES_MIN:
        pytest.skip(f"a hub with a thousand links needs {FILES_MIN} open files, and this system allows {most}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (usual, most))


@contextmanager
def light_agents(folder, url, count):
    """So many that are let in and hold their links; what it yields says how many do. See `light_agents.py`."""
    command = [sys.executable, str(Path(__file__).with_name("light_agents.py")), str(folder), url, str(count)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def linked():
        process.stdin.write("\n")
        process.stdin.flush()
        return int(process.stdout.readline())

    try:
        assert process.stdout.readline() == "linked\n"
        yield linked
    finally:
        process.kill()
        process.communicate()


@pytest.mark.usefixtures("many_files")
def test_a_thousand_live_links_hold_what_one_says_arrives_and_the_hub_is_well_and_ends_well(tmp_path):
    # Whole replicas on the first links and on the last ones; between them those that hold a link and nothing else.
    flags = ("--open-space", "--space", "bench", "--set", "arrivals_per_s=100000", "--set", "handshakes_max=2000")
    with ExitStack() as stack:
        hub = stack.enter_context(hub_process(tmp_path / "hub", *flags, "--set", "silence_s=600"))
        client = stack.enter_context(hub.client())
        ada = stack.enter_context(
            ChrysalisMemory(tmp_path / "ada", space="bench", peers=[hub.links], agent_id="ada", embedder="none")
        )
        first = stack.enter_context(crowd(tmp_path / "first", hub.links, 25, processes=1))
        light = [
            stack.enter_context(light_agents(tmp_path / name, hub.links, LINKS // 2 - 25)) for name in ("one", "other")
        ]
        last = stack.enter_context(crowd(tmp_path / "last", hub.links, 24, processes=1))
        assert eventually(lambda: client.get("/v1/status").json()["links"] == LINKS, WITHIN_S)
        assert client.get("/health").json()["status"] == "well"
        ada.remember("said to everyone")
        for whole in (first, last):
            whole.until_all_have(1)
        assert client.get("/health").json()["status"] == "well"
        assert f"\nchrysalis_hub_links {LINKS}\n" in client.get("/metrics").text
        assert [linked() for linked in light] == [LINKS // 2 - 25] * 2
        assert (first.linked(), last.linked()) == (25, 24)
        assert hub.stop() == 0


def test_more_links_than_the_bound_are_turned_away_and_the_rest_go_on(tmp_path):
    with ExitStack() as stack:
        hub = stack.enter_context(hub_process(tmp_path / "hub", "--set", "links_max=3"))
        client, kept = (
            stack.enter_context(hub.client()),
            stack.enter_context(ChrysalisMemory(hub.store, embedder="none")),
        )
        ada = stack.enter_context(agent(tmp_path / "ada", hub.invite()))
        arrives(kept, ada.remember("first").id)
        port = int(hub.links.rsplit(":", 1)[1])
        for _ in range(10):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        arrives(kept, ada.remember("second").id)
        # The port itself is taken by those who say nothing, and health says so until they are turned out.
        assert eventually(lambda: client.get("/health").json()["status"] == "well", WITHIN_S)
