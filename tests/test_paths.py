"""The paths of self.memory: live answers are written into the ghost, and stand in when the store can't be reached."""

import asyncio
import json
from datetime import datetime, timedelta, timezone

import pytest

from chrysalis_memory import (
    AgentMemory,
    ChrysalisMemory,
    Config,
    NotFound,
    Refused,
    StoreCorrupt,
    StoreError,
    StoreLocked,
)
from chrysalis_memory.context import ContextWindow, Crystals, StateCrystal, TaskState
from chrysalis_memory.ghost import GhostCache, Staleness
from chrysalis_memory.paths import Paths
from ghost_cases import Hands

WINDOW = ContextWindow().add("user", "Which cone?").add("assistant", "[FOCUS:decision] Cone 6, since the clay is fine.")


@pytest.fixture
def hands():
    return Hands(datetime.now(timezone.utc))


@pytest.fixture
def ghost(tmp_path, hands):
    return GhostCache(tmp_path / "ghost", base_threshold=3600, now=hands)


@pytest.fixture
def store(tmp_path):
    with ChrysalisMemory(tmp_path / "store", agent_id="ada", embedder="none") as memory:
        yield memory


@pytest.fixture
def paths(store, ghost):
    return Paths(store, ghost=ghost)


async def crystallized(paths, **more):
    return (await paths.invoke("self.memory.crystallize", context=WINDOW, **more)).value


# Live.


async def test_a_window_is_crystallized_resumed_cherished_and_composted(paths, store):
    made = await paths.invoke(
        "self.memory.crystallize", context=WINDOW, task_state=TaskState("fire the kiln"), focus_hints=["cone"]
    )
    assert isinstance(made.value, StateCrystal)
    assert not made.is_ghost
    assert made.warnings == ()
    assert f"crystal {made.value.crystal_id} of ada" in made.text
    resumed = await paths.invoke("self.memory.resume", crystal_id=made.value.crystal_id)
    assert isinstance(resumed.value, ContextWindow)
    assert "Cone 6, since the clay is fine." in resumed.text
    whole = await paths.invoke("self.memory.inspect", crystal_id=made.value.crystal_id)
    assert whole.value == made.value
    branch = await paths.invoke("self.memory.branch", crystal_id=made.value.crystal_id, reason="try cone 10")
    assert (branch.value.parent_crystal, branch.value.branch_depth) == (made.value.crystal_id, 1)
    assert "a branch (try cone 10)" in branch.text
    cherished = await paths.invoke("self.memory.cherish", crystal_id=made.value.crystal_id)
    assert cherished.value.pinned
    composted = await paths.invoke("self.memory.compost", crystal_id=made.value.crystal_id, reason="done")
    assert composted.text == f"composted {made.value.crystal_id}"
    assert store.get(made.value.crystal_id) is None


async def test_each_success_writes_the_ghost(paths, ghost):
    crystal = await crystallized(paths)
    assert ghost.stability().recent == "1"
    assert ghost.last_sync() is not None
    assert [one["crystal_id"] for one in ghost.read("map").data["crystals"]] == [crystal.crystal_id]
    assert ghost.read("status").data["memories"] == 1
    assert ghost.read("cluster").data["running"] is False
    (answers,) = [one.agent for one in ghost.agents()]
    assert crystal.crystal_id in json.dumps(ghost.read_agent(answers).data)


async def test_it_works_over_an_agent_memory_too(tmp_path, ghost):
    async with AgentMemory("bo", path=tmp_path / "store", embedder="none") as memory:
        paths = Paths(memory, ghost=ghost)
        crystal = await crystallized(paths)
        assert crystal.agent == "bo"
    answer = await paths.invoke("self.memory.resume", crystal_id=crystal.crystal_id)
    assert answer.is_ghost


async def test_the_store_is_opened_by_the_first_call_that_needs_it_and_closed_at_the_end(tmp_path, ghost):
    folder = tmp_path / "later"
    async with Paths(folder, ghost=ghost, agent_id="ada", embedder="none") as paths:
        await paths.invoke("self.memory.engram", state="nothing yet")
        assert not folder.exists()
        crystal, _ = await asyncio.gather(crystallized(paths), crystallized(paths))
        opened = await paths.memory()
    with pytest.raises(StoreError):
        opened.stats()
    with ChrysalisMemory(folder, embedder="none") as memory:
        assert memory.get(crystal.crystal_id).agent_id == "ada"


async def test_without_arguments_the_default_store_and_its_ghost_are_used(tmp_path, monkeypatch):
    monkeypatch.setattr("chrysalis_memory.config.user_data_path", lambda *_, **__: tmp_path / "chrysalis-memory")
    async with Paths(embedder="none") as paths:
        answer = await paths.invoke("self.memory.manifest")
    assert answer.text == "0 memories in the space default"
    assert (tmp_path / "chrysalis-memory/default/chrysalis.db").exists()
    assert (tmp_path / "chrysalis-memory/ghost/status.json").exists()


# The ghost in place of the live answer.


async def test_when_the_store_is_closed_the_last_known_window_is_resumed_behind_a_mark(paths, store, ghost, hands):
    crystal = await crystallized(paths)
    store.close()
    hands.go(minutes=20)
    answer = await paths.invoke("self.memory.resume", crystal_id=crystal.crystal_id)
    assert answer.is_ghost
    assert answer.value == crystal.window
    assert answer.level is Staleness.FRESH
    assert answer.age_s == pytest.approx(1200, abs=1)
    assert answer.text.startswith("[GHOST] 20 minutes old: the store is closed\nuser: Which cone?")
    assert ghost.stability().recent == "10"


async def test_what_one_agent_knew_of_a_crystal_serves_the_others_and_nothing_else_does(paths, store, ghost):
    def nowhere():
        raise StoreError("the disk is not there")

    crystal = await crystallized(paths)
    paths.register("self.harbour.berth", lambda: "berth 3")
    await paths.invoke("self.harbour.berth")
    others = Paths(store.path, ghost=ghost, agent_id="bo", opener=nowhere)
    answer = await others.invoke("self.memory.resume", crystal_id=crystal.crystal_id)
    assert (answer.is_ghost, answer.value) == (True, crystal.window)
    others.register("self.harbour.berth", nowhere)
    with pytest.raises(StoreError, match="the disk is not there; the ghost has no such answer"):
        await others.invoke("self.harbour.berth")


async def test_an_answer_that_is_too_old_is_refused_with_the_reason_and_the_error(paths, store, hands):
    crystal = await crystallized(paths, ttl=timedelta(days=30))
    store.close()
    hands.go(hours=2, minutes=30)
    assert (await paths.invoke("self.memory.resume", crystal_id=crystal.crystal_id)).level is Staleness.STALE
    hands.go(hours=2, minutes=30)
    with pytest.raises(StoreError, match="the ghost does not answer: 5 hours old; after") as caught:
        await paths.invoke("self.memory.resume", crystal_id=crystal.crystal_id)
    assert caught.value.code == "closed"


async def test_what_is_not_in_the_ghost_is_a_clear_miss(paths, store):
    store.close()
    with pytest.raises(StoreError, match="the store is closed; the ghost has no such answer") as caught:
        await paths.invoke("self.memory.resume", crystal_id="crystal-unknown")
    assert (caught.value.code, caught.value.ghost) == ("closed", None)


async def test_a_locked_store_is_no_answer_to_a_change_and_says_what_was_last_known(tmp_path, ghost):
    config = Config(busy_timeout_s=0.05)
    with (
        ChrysalisMemory(tmp_path / "store", agent_id="ada", embedder="none", config=config) as memory,
        ChrysalisMemory(tmp_path / "store", embedder="none") as other,
    ):
        paths = Paths(memory, ghost=ghost)
        crystal = await crystallized(paths)
        with other.batch():
            other.remember("keeps the lock")
            with pytest.raises(StoreLocked, match="nothing was changed") as caught:
                await paths.invoke("self.memory.cherish", crystal_id=crystal.crystal_id)
        assert caught.value.ghost.startswith("[GHOST]")
        assert crystal.crystal_id in caught.value.ghost
        assert memory.get(crystal.crystal_id).expires_at is not None
        assert (await paths.invoke("self.memory.cherish", crystal_id=crystal.crystal_id)).value.pinned


async def test_a_damaged_store_is_answered_for_by_the_ghost(tmp_path, ghost):
    folder = tmp_path / "store"
    async with Paths(folder, ghost=ghost, agent_id="ada", embedder="none") as paths:
        crystal = await crystallized(paths)
    for file in folder.glob("chrysalis.db*"):
        file.write_bytes(b"no database" * 1000)
    async with Paths(folder, ghost=ghost, agent_id="ada", embedder="none") as paths:
        answer = await paths.invoke("self.memory.resume", crystal_id=crystal.crystal_id)
        assert answer.is_ghost
        assert answer.value == crystal.window
        with pytest.raises(StoreCorrupt):
            await crystallized(paths)


async def test_arguments_that_are_wrong_are_raised_and_count_for_nothing(paths, ghost):
    crystal = await crystallized(paths)
    with pytest.raises(TypeError, match=r"self\.memory\.resume\(crystal_id\): missing a required argument"):
        await paths.invoke("self.memory.resume", id=crystal.crystal_id)
    with pytest.raises(ValueError, match="greater than zero"):
        await crystallized(paths, ttl=0)
    with pytest.raises(NotFound, match="there is no crystal"):
        await paths.invoke("self.memory.resume", crystal_id="crystal-unknown")
    assert ghost.stability().recent == "1"


async def test_what_was_composted_does_not_come_back_out_of_the_ghost(paths, store, ghost):
    crystal = await crystallized(paths)
    await paths.invoke("self.memory.compost", crystal_id=crystal.crystal_id)
    assert "Cone 6" not in "".join(file.read_text() for file in ghost.path.rglob("*.json"))
    store.close()
    with pytest.raises(StoreError, match="no such answer"):
        await paths.invoke("self.memory.resume", crystal_id=crystal.crystal_id)


async def test_what_was_forgotten_by_others_leaves_the_ghost_as_soon_as_that_is_known(paths, store, ghost):
    crystal = await crystallized(paths)
    store.forget(crystal.crystal_id)
    with pytest.raises(NotFound):
        await paths.invoke("self.memory.resume", crystal_id=crystal.crystal_id)
    assert "Cone 6" not in "".join(file.read_text() for file in ghost.path.rglob("*.json"))


async def test_a_crystal_of_which_parts_are_on_their_way_stays_in_the_ghost(paths, ghost, monkeypatch):
    def incomplete(*_):
        raise NotFound("parts are on their way", code="crystal_incomplete")

    crystal = await crystallized(paths)
    with monkeypatch.context() as patch:
        patch.setattr(Crystals, "get", incomplete)
        with pytest.raises(NotFound, match="on their way"):
            await paths.invoke("self.memory.resume", crystal_id=crystal.crystal_id)
    assert any(crystal.crystal_id in file.read_text() for file in ghost.path.glob("agents/*~*.json"))


async def test_a_crystal_that_faded_is_not_resumed_from_the_ghost(paths, store, monkeypatch):
    crystal = await crystallized(paths)
    store.close()
    monkeypatch.setattr(StateCrystal, "is_expired", lambda *_: True)
    with pytest.raises(StoreError, match="has faded"):
        await paths.invoke("self.memory.resume", crystal_id=crystal.crystal_id)


async def test_a_ghost_that_lies_about_a_crystal_is_a_miss_and_no_crash(paths, store, ghost):
    crystal = await crystallized(paths)
    store.close()
    (name,) = [one.agent for one in ghost.agents()]

    def spoil(kept):
        kept["answers"][f"crystal {crystal.crystal_id}"]["answer"]["window"] = {"turns": [7]}
        return dict(kept)

    ghost.change_agent(name, spoil)
    with pytest.raises(StoreError, match="what the ghost has can't be used"):
        await paths.invoke("self.memory.resume", crystal_id=crystal.crystal_id)


async def test_a_ghost_that_can_t_be_written_costs_a_warning_and_no_answer(store, tmp_path):
    (tmp_path / "ghost").write_text("a file")
    paths = Paths(store, ghost=tmp_path / "ghost")
    answer = await paths.invoke("self.memory.crystallize", context=WINDOW)
    assert answer.value.window
    assert "the answer was not kept in the ghost" in answer.warnings[0]
    assert (await paths.invoke("self.memory.manifest")).warnings


# Manifest and engram.


async def test_manifest_shows_a_fresh_entry_as_it_is_and_asks_anew_for_an_older_one(paths, store, hands):
    first = await paths.invoke("self.memory.manifest")
    assert (first.is_ghost, first.value["memories"]) == (False, 0)
    store.remember("one more")
    hands.go(minutes=30)
    known = await paths.invoke("self.memory.manifest", what="status")
    assert (known.is_ghost, known.value["memories"]) == (False, 0)
    assert known.age_s == pytest.approx(1800, abs=1)
    assert (await paths.invoke("self.memory.manifest", anew=True)).value["memories"] == 1
    store.remember("and another")
    hands.go(hours=2)
    assert (await paths.invoke("self.memory.manifest")).value["memories"] == 2


async def test_manifest_shows_a_ghost_when_the_store_is_gone_and_refuses_an_old_one(paths, store, hands):
    for what in ("status", "map", "cluster"):
        await paths.invoke("self.memory.manifest", what=what)
    store.close()
    hands.go(hours=2, minutes=1)
    answer = await paths.invoke("self.memory.manifest", what="status")
    assert answer.is_ghost
    assert answer.text == "[GHOST] 2 hours 1 minute old: the store is closed\n0 memories in the space default"
    assert (await paths.invoke("self.memory.manifest", what="map")).text.endswith("no crystals")
    hands.go(hours=2)
    with pytest.raises(StoreError, match="what is kept of the status is not shown: 4 hours 1 minute old"):
        await paths.invoke("self.memory.manifest")


async def test_manifest_of_what_was_never_known_is_a_clear_miss(paths, store):
    with pytest.raises(NotFound, match="nothing is kept of the agent") as caught:
        await paths.invoke("self.memory.manifest", what="agent")
    assert caught.value.code == "ghost_miss"
    store.close()
    with pytest.raises(StoreError, match="the store is closed; and nothing is kept of the status"):
        await paths.invoke("self.memory.manifest")


async def test_engram_keeps_the_state_of_any_agent_with_its_own_age(paths, hands):
    await paths.invoke("self.memory.engram", state={"text": "reading", "page": 3})
    await paths.invoke("self.memory.engram", state=[1], name="../bo")
    hands.go(minutes=90)
    await crystallized(paths)
    own = await paths.invoke("self.memory.manifest", what="agent")
    assert (own.is_ghost, own.value["page"]) == (False, 3)
    assert own.age_s == pytest.approx(5400, abs=1)
    hands.go(minutes=60)
    others = await paths.invoke("self.memory.manifest", what="agent", name="../bo")
    assert others.is_ghost
    assert others.text.startswith("[GHOST] 2 hours 30 minutes old")
    hands.go(hours=2)
    with pytest.raises(Refused, match="the agent is not shown") as caught:
        await paths.invoke("self.memory.manifest", what="agent")
    assert caught.value.code == "ghost_refused"


async def test_manifest_shows_pheromones_and_proposals(paths, ghost):
    assert (await paths.invoke("self.memory.manifest", what="pheromones")).text == "nothing is in the air"
    ghost.pheromones.deposit("warning", "thin ice", agent="bo")
    ghost.proposals.propose("close pier 3", agent="bo")
    answer = await paths.invoke("self.memory.manifest", what="pheromones", name="warning")
    assert answer.text == "WARNING 1.00 bo: thin ice"
    assert (await paths.invoke("self.memory.manifest", what="proposals")).value["pending"][0]["text"] == "close pier 3"


async def test_one_store_does_not_answer_for_another_that_shares_the_ghost(paths, store, tmp_path, ghost):
    await paths.invoke("self.memory.manifest")
    with ChrysalisMemory(tmp_path / "other", embedder="none") as other:
        other.remember("only here")
        others = Paths(other, ghost=ghost)
        assert (await others.invoke("self.memory.manifest")).value["memories"] == 1
    store.close()
    with pytest.raises(StoreError, match="nothing is kept of the status"):
        await paths.invoke("self.memory.manifest")


@pytest.mark.parametrize(
    "arguments", [{"what": "nonsense"}, {"what": "map", "name": "x"}, {"what": "agent", "name": ""}]
)
async def test_manifest_says_what_it_does_not_know(paths, arguments):
    with pytest.raises(ValueError, match=r"nothing that the ghost keeps|there is one map only|is empty"):
        await paths.invoke("self.memory.manifest", **arguments)


# The registry.


async def test_a_misspelt_path_is_answered_with_those_near_it(paths):
    for wrong, meant in [
        ("self.memory.resum", "self.memory.resume"),
        ("memory.cherish", "self.memory.cherish"),
        ("manifst", "self.memory.manifest"),
        ("Self.Memory.Compost", "self.memory.compost"),
    ]:
        with pytest.raises(NotFound) as caught:
            await paths.invoke(wrong)
        assert caught.value.code == "unknown_path"
        assert caught.value.near[0] == meant
        assert meant in str(caught.value)
    with pytest.raises(NotFound, match=r"there is no path 'x'$") as caught:
        await paths.invoke("x")
    assert "self.memory.crystallize" in caught.value.hint


async def test_own_paths_have_the_ghost_behind_them_too(paths, ghost):
    reachable = True

    def tide(port: str) -> dict[str, float]:
        assert port in {"west", "east"}
        if not reachable:
            raise ConnectionRefusedError("the gauge does not answer")
        return {"height_m": 2.4}

    paths.register(
        "self.harbour.tide", tide, about="How high the water stands", to_text=lambda now: f"{now['height_m']} m"
    )
    assert paths.paths()["self.harbour.tide"] == "How high the water stands"
    live = await paths.invoke("self.harbour.tide", port="west")
    assert (live.is_ghost, live.text) == (False, "2.4 m")
    reachable = False
    last = await paths.invoke("self.harbour.tide", port="west")
    assert last.is_ghost
    assert last.text == "[GHOST] less than a second old: the gauge does not answer\n2.4 m"
    with pytest.raises(StoreError, match="the gauge does not answer; the ghost has no such answer"):
        await paths.invoke("self.harbour.tide", port="east")
    assert ghost.stability().recent == "100"


async def test_own_paths_may_be_async_and_replace_others(paths):
    async def depth() -> float:
        await asyncio.sleep(0)
        return 3.5

    paths.register("self.harbour.depth", depth)
    paths.register("self.memory.resume", depth)
    assert (await paths.invoke("self.harbour.depth")).value == 3.5
    assert (await paths.invoke("self.memory.resume")).value == 3.5


@pytest.mark.parametrize(
    ("path", "call", "error"),
    [
        ("nodots", print, ValueError),
        ("Self.Memory", print, ValueError),
        ("a..b", print, ValueError),
        ("a." + "b" * 300, print, ValueError),
        (7, print, TypeError),
        ("a.b", "no function", TypeError),
    ],
)
def test_what_is_no_path_is_not_registered(paths, path, call, error):
    with pytest.raises(error):
        paths.register(path, call)
