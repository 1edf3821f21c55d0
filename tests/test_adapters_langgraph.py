"""The checkpointer for LangGraph: its own conformance suite, real graphs, other processes, other machines."""

from __future__ import annotations

import operator
import random
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Annotated, Any

import pytest
from langgraph.channels import DeltaChannel
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from chrysalis_memory import AgentMemory, ChrysalisMemory, NotFound, TooLarge
from chrysalis_memory.adapters.langgraph import ChrysalisSaver
from chrysalis_memory.context.crystal import new_crystal_id
from chrysalis_memory.context.crystals import Crystals


@pytest.fixture
def memory(tmp_path: Path):
    with ChrysalisMemory(tmp_path / "store", agent_id="ada", embedder="none") as opened:
        yield opened


async def test_the_conformance_suite_passes_in_every_capability(tmp_path: Path) -> None:
    @checkpointer_test(name="ChrysalisSaver")
    async def checkpointer():
        with ChrysalisMemory(tmp_path / "store", embedder="none") as opened:
            yield ChrysalisSaver(opened)

    report = await validate(checkpointer)
    failures = [failure for result in report.results.values() for failure in result.failures or ()]
    assert failures == []
    assert report.conformance_level() == "FULL"


class State(TypedDict):
    topic: str
    notes: Annotated[list[str], operator.add]


def joined(state: list[str], writes: list[list[str]]) -> list[str]:
    return [*state, *(note for notes in writes for note in notes)]


class Deltas(TypedDict):
    notes: Annotated[list[str], DeltaChannel(joined, snapshot_frequency=5)]


def graph_over(saver: ChrysalisSaver, **more: Any):
    """Two steps; each adds a note."""

    def look(state: State) -> dict[str, Any]:
        return {"notes": [f"looked at {state['topic']}"]}

    def fire(state: State) -> dict[str, Any]:
        return {"notes": [f"fired after {len(state['notes'])}"]}

    builder = StateGraph(State)
    builder.add_node("look", look)
    builder.add_node("fire", fire)
    builder.add_edge(START, "look")
    builder.add_edge("look", "fire")
    builder.add_edge("fire", END)
    return builder.compile(checkpointer=saver, **more)


def at_thread(name: str, **more: str) -> dict[str, Any]:
    return {"configurable": {"thread_id": name, "checkpoint_ns": "", **more}}


def put(saver: ChrysalisSaver, thread: str, id: str, **values: Any) -> dict[str, Any]:
    checkpoint = empty_checkpoint() | {
        "id": id,
        "channel_values": values,
        "channel_versions": dict.fromkeys(values, 1),
    }
    return saver.put(at_thread(thread), checkpoint, {"source": "loop", "step": 0, "parents": {}}, {})


def test_a_graph_that_was_interrupted_goes_on_in_another_process_of_the_store(tmp_path: Path) -> None:
    with ChrysalisMemory(tmp_path / "store", embedder="none") as first:
        graph = graph_over(ChrysalisSaver(first), interrupt_before=["fire"])
        graph.invoke({"topic": "glaze G7", "notes": []}, at_thread("t"))
    with ChrysalisMemory(tmp_path / "store", embedder="none") as second:
        graph = graph_over(ChrysalisSaver(second))
        assert graph.get_state(at_thread("t")).next == ("fire",)
        assert graph.invoke(None, at_thread("t"))["notes"] == ["looked at glaze G7", "fired after 1"]
        assert second.verify()


def test_a_graph_goes_on_at_another_replica(memory: ChrysalisMemory, tmp_path: Path) -> None:
    graph_over(ChrysalisSaver(memory), interrupt_before=["fire"]).invoke({"topic": "G7", "notes": []}, at_thread("t"))
    with ChrysalisMemory(tmp_path / "other", agent_id="ben", embedder="none") as other:
        other.merge(memory)
        assert graph_over(ChrysalisSaver(other)).invoke(None, at_thread("t"))["notes"][-1] == "fired after 1"
        memory.merge(other)
    assert graph_over(ChrysalisSaver(memory)).get_state(at_thread("t")).next == ()


def test_a_graph_goes_back_in_time_and_a_fork_is_a_branch_of_crystals(memory: ChrysalisMemory) -> None:
    graph = graph_over(ChrysalisSaver(memory))
    graph.invoke({"topic": "G7", "notes": []}, at_thread("t"))
    before = next(one for one in graph.get_state_history(at_thread("t")) if one.next == ("fire",))
    again = graph.invoke(None, graph.update_state(before.config, {"notes": ["waited"]}))
    assert again["notes"] == ["looked at G7", "waited", "fired after 2"]
    assert max(row.level for row in Crystals(memory).tree(scope="langgraph")) >= 3


async def test_an_awaited_graph_runs_over_an_agents_memory(tmp_path: Path) -> None:
    async with AgentMemory("ada", path=tmp_path / "store", embedder="none") as agent:
        graph = graph_over(ChrysalisSaver(agent))
        result = await graph.ainvoke({"topic": "G7", "notes": []}, at_thread("t"))
        assert result["notes"][-1] == "fired after 1"
        assert (await graph.aget_state(at_thread("t"))).values == result


def test_what_a_graph_said_is_recalled(memory: ChrysalisMemory) -> None:
    graph_over(ChrysalisSaver(memory)).invoke({"topic": "the tenmoku recipe", "notes": []}, at_thread("t"))
    hit = memory.recall("tenmoku recipe")[0].memory
    assert (hit.memory_type, hit.thread) == ("crystal", "t")


def test_a_deleted_thread_leaves_no_word_in_any_file(memory: ChrysalisMemory) -> None:
    saver = ChrysalisSaver(memory)
    graph_over(saver).invoke({"topic": "xylophonic", "notes": []}, at_thread("t"))
    saver.delete_thread("t")
    assert saver.get_tuple(at_thread("t")) is None
    memory.close()
    files = [file.read_bytes() for file in memory.path.rglob("*") if file.is_file()]
    assert not any(b"xylophonic" in content for content in files)


def test_a_thread_that_was_deleted_can_be_used_again(memory: ChrysalisMemory) -> None:
    saver = ChrysalisSaver(memory)
    put(saver, "t", "1", topic="first")
    saver.delete_thread("t")
    put(saver, "t", "1", topic="second")
    assert saver.get_tuple(at_thread("t")).checkpoint["channel_values"] == {"topic": "second"}


def test_a_checkpoint_that_is_put_again_is_replaced_and_keeps_its_writes(memory: ChrysalisMemory) -> None:
    saver = ChrysalisSaver(memory)
    saver.put_writes(put(saver, "t", "1", topic="first"), [("topic", "next")], "task")
    put(saver, "t", "1", topic="second")
    (found,) = saver.list(at_thread("t"))
    assert found.checkpoint["channel_values"] == {"topic": "second"}
    assert found.pending_writes == [("task", "topic", "next")]


def test_large_states_and_writes_come_back_whole_on_another_replica(memory: ChrysalisMemory, tmp_path: Path) -> None:
    noise = random.Random(7).randbytes(300_000)
    saver = ChrysalisSaver(memory)
    saver.put_writes(put(saver, "t", "1", noise=noise), [("noise", noise[::-1])], "task")
    with ChrysalisMemory(tmp_path / "other", embedder="none") as other:
        other.merge(memory)
        found = ChrysalisSaver(other).get_tuple(at_thread("t"))
    assert found.checkpoint["channel_values"]["noise"] == noise
    assert found.pending_writes == [("task", "noise", noise[::-1])]


def test_a_state_that_is_too_large_is_refused_before_anything_is_written(memory: ChrysalisMemory) -> None:
    with pytest.raises(TooLarge):
        put(ChrysalisSaver(memory), "t", "1", noise=random.Random(7).randbytes(2_000_000))
    assert memory.stats().memories == 0


def test_the_newest_is_found_however_many_there_are_and_in_whatever_order_they_came(memory: ChrysalisMemory) -> None:
    saver = ChrysalisSaver(memory)
    for number in [*range(10, 70), 3, 2]:
        put(saver, "t", f"{number:03}", topic=str(number))
    assert saver.get_tuple(at_thread("t")).checkpoint["id"] == "069"
    assert [one.checkpoint["id"] for one in saver.list(at_thread("t"), limit=2)] == ["069", "068"]


def test_writes_of_parallel_tasks_come_back_in_the_order_in_which_they_are_applied(memory: ChrysalisMemory) -> None:
    saver = ChrysalisSaver(memory)
    at = put(saver, "t", "1", topic="x")
    saver.put_writes(at, [("topic", "late"), ("topic", "later")], "a", task_path="~2")
    saver.put_writes(at, [("topic", "early")], "b", task_path="~1")
    assert [value for _, _, value in saver.get_tuple(at).pending_writes] == ["early", "late", "later"]


def test_checkpoints_fade_where_a_life_was_given(memory: ChrysalisMemory) -> None:
    put(ChrysalisSaver(memory, ttl=timedelta(seconds=1)), "t", "1", topic="x")
    deadline = monotonic() + 30
    while ChrysalisSaver(memory).get_tuple(at_thread("t")) is not None:
        assert monotonic() < deadline


def test_pruning_keeps_what_a_delta_channel_is_restored_from(memory: ChrysalisMemory) -> None:
    builder = StateGraph(Deltas)
    builder.add_node("note", lambda state: {"notes": [f"note {len(state['notes'])}"]})
    builder.add_edge(START, "note")
    builder.add_edge("note", END)
    saver = ChrysalisSaver(memory)
    graph = builder.compile(checkpointer=saver)
    for _ in range(7):
        graph.invoke({"notes": ["said"]}, at_thread("t"))
    before, count = graph.get_state(at_thread("t")).values["notes"], len(list(saver.list(at_thread("t"))))
    saver.prune(["t"])
    assert graph.get_state(at_thread("t")).values["notes"] == before
    assert len(list(saver.list(at_thread("t")))) < count


def test_what_others_wrote_restores_no_type_that_the_graph_does_not_name(memory: ChrysalisMemory) -> None:
    open_to_all = JsonPlusSerializer(allowed_msgpack_modules=True)
    put(ChrysalisSaver(memory, serde=open_to_all), "t", "1", topic=Outsider("x"))
    restored = ChrysalisSaver(memory).get_tuple(at_thread("t")).checkpoint["channel_values"]["topic"]
    assert not isinstance(restored, Outsider)


@dataclass
class Outsider:
    name: str


@pytest.mark.parametrize("header", [None, {"format": 1}])
def test_a_checkpoint_that_somebody_spoiled_is_passed_over(memory: ChrysalisMemory, header: Any) -> None:
    saver = ChrysalisSaver(memory)
    put(saver, "t", "1", topic="good")
    put(saver, "t", "2", topic="spoiled")
    (spoiled,) = memory.list(tags=["checkpoint:2"])
    memory.update(spoiled.id, metadata={"crystal": header})
    assert saver.get_tuple(at_thread("t")).checkpoint["channel_values"] == {"topic": "good"}
    assert [one.checkpoint["id"] for one in saver.list(at_thread("t"))] == ["1"]


def test_a_crystal_that_only_says_that_it_holds_a_checkpoint_is_passed_over(memory: ChrysalisMemory) -> None:
    saver = ChrysalisSaver(memory)
    put(saver, "t", "1", topic="good")
    (good,) = memory.list(tags=["checkpoint:1"])
    tags = ["checkpoint:2" if tag == "checkpoint:1" else tag for tag in good.tags]
    empty = replace(Crystals(memory).get(good.id), crystal_id=new_crystal_id(), working_memory={})
    Crystals(memory).save(empty, scope=good.scope, tags=tags)
    saver.copy_thread("t", "u")
    for thread in ("t", "u"):
        assert [one.checkpoint["id"] for one in saver.list(at_thread(thread))] == ["1"]


@pytest.mark.parametrize(
    "part",
    [
        "no part",
        [1, "no json"],
        [1, '["task"]'],
        [1, '["task", "", "topic", "msgpack", "!"]'],
        [1, '["task", "", "topic", "msgpack", "bm90IHpsaWI="]'],
        [1, '["task", "", "topic", "msgpack", ""]'],
        [2, '["task", "", '],
    ],
)
def test_a_write_that_is_none_or_has_not_all_come_is_passed_over(memory: ChrysalisMemory, part: Any) -> None:
    saver = ChrysalisSaver(memory)
    at = put(saver, "t", "1", topic="x")
    saver.put_writes(at, [("topic", "good")], "other")
    (crystal,) = memory.list(tags=["checkpoint:1"])
    memory.update(crystal.id, metadata={"write:0:task.0000": part})
    assert saver.get_tuple(at).pending_writes == [("other", "topic", "good")]


def test_writes_that_come_before_their_checkpoint_wait_for_it(memory: ChrysalisMemory) -> None:
    saver = ChrysalisSaver(memory)
    saver.put_writes(at_thread("t", checkpoint_id="1"), [("topic", "early")], "task")
    assert saver.get_tuple(at_thread("t")) is None
    found = saver.get_tuple(put(saver, "t", "1", topic="x"))
    assert found.pending_writes == [("task", "topic", "early")]


def test_writes_for_checkpoints_that_never_come_are_bounded(memory: ChrysalisMemory) -> None:
    saver = ChrysalisSaver(memory)
    for number in range(1000):
        saver.put_writes(at_thread("t", checkpoint_id=str(number)), [("topic", 1)], "task")
    with pytest.raises(NotFound, match="no checkpoint '1000'"):
        saver.put_writes(at_thread("t", checkpoint_id="1000"), [("topic", 1)], "task")


def test_misuse_is_told(memory: ChrysalisMemory) -> None:
    saver = ChrysalisSaver(memory)
    with pytest.raises(ValueError, match="names no thread"):
        saver.get_tuple({"configurable": {}})
    with pytest.raises(ValueError, match="strategy is 'all'"):
        saver.prune(["t"], strategy="all")
    with pytest.raises(ValueError, match="1 to 200 letters"):
        put(saver, "t", "9" * 201)
