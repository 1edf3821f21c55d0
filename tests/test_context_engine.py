"""From windows to crystals and back: what was preserved comes back verbatim and in order, wherever it is resumed."""

import asyncio
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chrysalis_memory import AgentMemory, NotFound, TooLarge
from chrysalis_memory.context import (
    ContextProjector,
    ContextWindow,
    CrystallizationEngine,
    Crystals,
    Linearity,
    TaskState,
    Turn,
)
from crystal_cases import store


def run(awaitable):
    return asyncio.run(awaitable)


def long_window():
    grown = ContextWindow().add("system", "You fire kilns.", linearity="preserved")
    for number in range(40):
        grown = grown.add("user", f"Question {number}: how hot is shelf {number}? " + "It matters to me. " * 20)
        grown = grown.add("tool", f"reading {number} " * 40)
    grown = grown.add("assistant", "[FOCUS:decision] Cone 6, because cone 10 warps the bowls.")
    return grown.add("user", "The error was E42 on shelf 9.").add("user", "Go on.")


def test_what_is_preserved_comes_back_verbatim_and_the_rest_fits_the_budget(tmp_path):
    with store(tmp_path) as memory:
        engine, window = CrystallizationEngine(memory, budget_tokens=400), long_window()
        crystal = run(engine.crystallize(window, ["E42"]))
        assert [(one.hint, one.content, one.position) for one in crystal.focus_fragments] == [
            ("preserved", "You fire kilns.", 0),
            ("decision", window.turns[81].content, 81),
            ("E42", window.turns[82].content, 82),
        ]
        assert crystal.total_tokens() <= 400
        assert crystal.window.tokens() == crystal.total_tokens()
        resumed = run(engine.resume(crystal.crystal_id))
        assert resumed == crystal.window
        assert [turn.position for turn in resumed.turns] == sorted(turn.position for turn in resumed.turns)
        assert any(turn.masked for turn in resumed.turns)
        assert run(engine.get(crystal.crystal_id)) == crystal


def test_another_machine_resumes_what_one_crystallized(tmp_path):
    async def main():
        async with (
            AgentMemory("ada", path=tmp_path / "a", embedder="none", listen="127.0.0.1:0") as one,
            AgentMemory("ben", path=tmp_path / "b", embedder="none", sync=False) as other,
        ):
            made = await CrystallizationEngine(one, budget_tokens=60_000).crystallize(
                long_window(), task_state=TaskState("fire"), working_memory={"cone": 6}, thread="talk"
            )
            await other.sync_once((await one.status()).address)
            there = CrystallizationEngine(other)
            assert await there.get(made.crystal_id) == made
            return made, await there.resume(made.crystal_id)

    made, resumed = run(main())
    assert (made.agent, made.task_state.task, made.thread) == ("ada", "fire", "talk")
    assert resumed == long_window()


texts = st.text(alphabet=st.characters(codec="utf-8"), max_size=60)
turns = st.tuples(
    st.sampled_from(["user", "assistant", "tool"]), texts, st.sampled_from([None, *Linearity]), st.integers(1, 3)
)


@given(st.lists(turns, max_size=25), st.integers(1, 300))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_any_window_is_resumed_as_it_was_projected(memory, said, budget):
    position, made = 0, []
    for role, words, linearity, step in said:
        made.append(Turn(role, words, linearity=linearity, position=position))
        position += step
    window = ContextWindow(made)
    engine = CrystallizationEngine(memory, budget_tokens=budget)
    resumed = run(engine.resume(run(engine.crystallize(window)).crystal_id))
    assert resumed == ContextProjector().project(window, budget).window
    preserved = [turn for turn in window.turns if turn.linearity_class is Linearity.PRESERVED]
    assert [turn for turn in resumed.turns if turn.linearity_class is Linearity.PRESERVED] == preserved


def test_it_fades_after_its_time_or_is_pinned_from_the_beginning(tmp_path):
    with store(tmp_path) as memory:
        engine, window = CrystallizationEngine(memory), ContextWindow().add("user", "hello")
        usual = run(engine.crystallize(window))
        short = run(engine.crystallize(window, None, timedelta(minutes=5)))
        pinned = run(engine.crystallize(window, pinned=True))
        assert (usual.ttl, short.ttl) == (timedelta(hours=24), timedelta(minutes=5))
        assert (pinned.pinned, memory.get(pinned.crystal_id).expires_at) == (True, None)
        left = memory.get(short.crystal_id).expires_at - short.timestamp
        assert abs(left - timedelta(minutes=5)) < timedelta(seconds=1)


def test_a_line_goes_on_from_its_parent_and_a_branch_is_one_deeper(tmp_path):
    with store(tmp_path) as memory:
        engine, window = CrystallizationEngine(memory), ContextWindow().add("user", "hello")
        first = run(engine.crystallize(window))
        second = run(engine.crystallize(window.add("user", "more"), parent=first))
        branch = run(engine.crystallize(window, parent=second.crystal_id, branch_reason="try cone 10"))
        deeper = run(engine.branch(branch.crystal_id, "cooler"))
        assert [one.branch_depth for one in (first, second, branch, deeper)] == [0, 0, 1, 2]
        assert [one.crystal_id for one in Crystals(memory).lineage(deeper.crystal_id)] == [
            one.crystal_id for one in (deeper, branch, second, first)
        ]
        with pytest.raises(NotFound):
            run(engine.crystallize(window, parent="nowhere"))
        with pytest.raises(ValueError, match="branch_reason"):
            run(engine.crystallize(window, branch_reason="why"))
        assert len(Crystals(memory).list()) == 4


def test_a_summariser_is_asked_and_when_it_fails_the_crystal_says_so(tmp_path):
    async def short(_text, _tokens_max):
        return "They asked about shelves."

    def broken(_text, _tokens_max):
        raise RuntimeError("secret words")

    with store(tmp_path) as memory:
        asked = run(CrystallizationEngine(memory, summariser=short, budget_tokens=400).crystallize(long_window()))
        assert "They asked about shelves." in asked.history_summary
        assert asked.warning is None
        failed = run(CrystallizationEngine(memory, summariser=broken, budget_tokens=400).crystallize(long_window()))
        plain = run(CrystallizationEngine(memory, budget_tokens=400).crystallize(long_window()))
        assert (failed.window, failed.history_summary) == (plain.window, plain.history_summary)
        assert "RuntimeError" in failed.warning
        assert "secret" not in failed.warning
        assert Crystals(memory).get(failed.crystal_id) == failed


def test_a_counter_of_ones_own_counts(tmp_path):
    with store(tmp_path) as memory:
        engine = CrystallizationEngine(memory, counter=lambda text: len(text.split()), budget_tokens=100)
        assert run(engine.crystallize(long_window())).total_tokens() <= 100


def test_more_that_must_stay_than_a_crystal_holds_is_refused_and_nothing_is_written(tmp_path):
    window = ContextWindow(
        Turn("user", "x" * 2_000_000, linearity=Linearity.PRESERVED, position=number) for number in range(3)
    )
    with store(tmp_path) as memory:
        with pytest.raises(TooLarge):
            run(CrystallizationEngine(memory).crystallize(window))
        assert memory.stats().memories == 0


def test_the_summary_is_in_the_data_once(tmp_path):
    with store(tmp_path) as memory:
        crystal = run(CrystallizationEngine(memory, budget_tokens=4_000).crystallize(long_window()))
        data = memory.get(crystal.crystal_id).metadata["crystal.0000"]
        assert crystal.history_summary.count("Question 39") == data.count("Question 39") == 1
