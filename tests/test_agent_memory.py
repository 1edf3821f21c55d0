"""The memory of a running agent: everything awaited, nothing left half done."""

import asyncio
import threading

import pytest

from chrysalis_memory import AgentMemory, ChrysalisMemory, Config, NotFound, StoreError
from memory_cases import UNHURRIED, WITHIN_S, bag_of_words, begun_since, contents, found


@pytest.fixture
async def agent(tmp_path):
    async with AgentMemory("ada", path=tmp_path, embedder="none", config=UNHURRIED) as opened:
        yield opened


async def within(awaitable):
    """Awaits with a bound: a call that hangs fails instead."""
    return await asyncio.wait_for(awaitable, WITHIN_S)


async def eventually(holds):
    async def poll():
        while not await holds():
            await asyncio.sleep(0.005)

    await within(poll())


async def test_what_an_agent_learns_it_recalls(agent):
    note = await agent.learn("the kiln is hot", tags=["kiln"], importance=0.9)
    assert (note.agent_id, note.tags, note.importance) == ("ada", ("kiln",), 0.9)
    assert found(await agent.recall("kiln", tags=["kiln"])) == ["the kiln is hot"]
    assert await agent.get(note.id) == note


async def test_every_method_does_what_the_blocking_one_does(agent, tmp_path):
    _, b = await agent.remember_many([{"content": "a b c d", "id": "a"}, {"content": "a b c d e", "id": "b"}])
    assert (await agent.update("a", content="a b c d!")).version == 2
    assert (await agent.relate("a", b, kind="parents")).parents == ("b",)
    assert (await agent.add_evidence("a", "said so")).evidence == ("said so",)
    assert contents(await agent.get_many(["b", "a"])) == ["a b c d e", "a b c d!"]
    assert contents(await agent.list(descending=False)) == ["a b c d!", "a b c d e"]
    assert contents(await agent.range(None, None)) == ["a b c d!", "a b c d e"]
    assert len(await agent.history("a")) == 4
    assert await agent.conflicts("a") == {}
    assert contents(await agent.ancestors("a")) == ["a b c d e"]
    assert contents(await agent.descendants("b")) == ["a b c d!"]
    working = await agent.create_working_memory("scratch", importance=0.9)
    assert contents(await agent.promote([working.id])) == ["scratch"]
    assert (await agent.create_episodic_memory("lasting")).tier == "long_term"
    assert len(await agent.get_episodic_memories()) == 4
    assert len(await agent.consolidate(similarity=0.5)) == 1
    await agent.flush()
    await agent.rebuild()
    assert await agent.verify()
    assert (await agent.stats()).memories == 5
    assert await agent.export(tmp_path / "bundle") > 0
    assert (await agent.import_(tmp_path / "bundle")).added == 0
    assert (await agent.forget("a", reason="done")).forgotten
    with pytest.raises(NotFound):
        await agent.forget("a")


async def test_before_start_and_after_stop_every_call_says_so(tmp_path):
    agent = AgentMemory("ada", path=tmp_path)
    for _ in range(2):
        for call in (agent.learn("x"), agent.recall("x"), agent.list()):
            with pytest.raises(StoreError, match="not started") as caught:
                await call
            assert "start()" in caught.value.hint
        with pytest.raises(StoreError):
            agent.watch()
        with pytest.raises(StoreError):
            async with agent.batch():
                pass
        assert await agent.start() is agent
        await agent.stop()


async def test_starting_and_stopping_twice_is_no_error(tmp_path):
    before = set(threading.enumerate())
    agent = AgentMemory("ada", path=tmp_path)
    await agent.stop()
    await asyncio.gather(*[agent.start() for _ in range(5)])
    first = agent.blocking
    await agent.start()
    assert agent.blocking is first
    await agent.learn("kept")
    await asyncio.gather(*[agent.stop() for _ in range(5)])
    await agent.close()
    async with agent:
        assert contents(await agent.list()) == ["kept"]
    assert begun_since(before) == []


async def test_a_store_that_cannot_be_opened_leaves_an_agent_that_can_start_later(tmp_path):
    (tmp_path / "store").write_text("a file")
    agent = AgentMemory("ada", path=tmp_path / "store")
    with pytest.raises(ValueError, match="folder"):
        await agent.start()
    (tmp_path / "store").unlink()
    async with agent:
        await agent.learn("works")


async def test_two_hundred_at_once_are_all_learned(agent):
    notes = await within(asyncio.gather(*[agent.learn(f"note {number}") for number in range(200)]))
    assert [note.content for note in notes] == [f"note {number}" for number in range(200)]
    assert (await agent.stats()).memories == 200
    assert len({note.id for note in notes}) == 200
    assert await agent.verify()


async def test_the_loop_goes_on_while_a_call_waits_for_the_store(agent, tmp_path):
    with ChrysalisMemory(tmp_path) as other:
        with other.batch():
            other.remember("holds the lock")
            waiting = asyncio.create_task(agent.learn("waits"))
            for _ in range(20):
                await asyncio.sleep(0.001)
            assert not waiting.done()
        assert (await within(waiting)).content == "waits"


async def test_an_async_embedding_function_runs_in_the_agents_loop(tmp_path):
    loops = set()

    async def embed(text):
        loops.add(asyncio.get_running_loop())
        await asyncio.sleep(0)
        return bag_of_words(text.replace("oven", "kiln"))

    async with AgentMemory("ada", path=tmp_path, embedding_fn=embed) as agent:
        await agent.learn("the oven is hot")
        await within(agent.flush())
        recall = await within(agent.recall("kiln"))
        assert (found(recall), recall.outcome.complete) == (["the oven is hot"], True)
        assert loops == {asyncio.get_running_loop()}
        assert (await agent.stats()).vectors == 1


async def test_a_plain_embedding_function_runs_beside_the_loop(tmp_path):
    threads = set()

    def embed(text):
        threads.add(threading.current_thread())
        return bag_of_words(text.replace("oven", "kiln"))

    async with AgentMemory("ada", path=tmp_path, embedding_fn=embed) as agent:
        await agent.learn("the oven is hot")
        assert found(await within(agent.recall("kiln"))) == ["the oven is hot"]
    assert threading.current_thread() not in threads


async def test_a_callable_object_may_embed_and_names_its_vectors(tmp_path):
    class Model:
        async def __call__(self, text):
            return bag_of_words(text)

    async with AgentMemory("ada", path=tmp_path, embedding_fn=Model()) as agent:
        await agent.learn("the kiln")
        await within(agent.flush())
        assert (await agent.stats()).embedder.partition("#")[0].endswith("Model")


async def test_an_embedding_function_that_fails_is_told_of_in_the_outcome(tmp_path):
    async def embed(text):
        raise RuntimeError(f"no model for {text[:3]}")

    async with AgentMemory("ada", path=tmp_path, embedding_fn=embed) as agent:
        await agent.learn("the kiln")
        recall = await within(agent.recall("kiln"))
        assert (found(recall), recall.outcome.complete) == (["the kiln"], False)
        with pytest.raises(RuntimeError):
            await within(agent.flush())


async def test_stopping_while_an_embedding_is_awaited_does_not_hang(tmp_path):
    started = asyncio.Event()

    async def slow(text):
        started.set()
        await asyncio.sleep(0.2)
        return bag_of_words(text)

    agent = AgentMemory("ada", path=tmp_path, embedding_fn=slow)
    await agent.start()
    await agent.learn("the kiln")
    recalls = [asyncio.create_task(agent.recall("kiln")) for _ in range(3)]
    await within(started.wait())
    await within(agent.stop())
    for outcome in await within(asyncio.gather(*recalls, return_exceptions=True)):
        assert isinstance(outcome, StoreError) or found(outcome) == ["the kiln"]


async def test_a_batch_is_one_transaction_across_awaits(agent, tmp_path):
    with ChrysalisMemory(tmp_path) as other:
        async with agent.batch() as same:
            assert same is agent
            note = await agent.learn("one")
            await asyncio.sleep(0.01)
            await agent.update(note.id, content="two")
            assert contents(await agent.list()) == ["two"]
            assert other.list() == []
        assert contents(other.list()) == ["two"]


async def test_an_exception_in_a_batch_takes_it_back(agent):
    async def interrupted():
        async with agent.batch():
            await agent.learn("never")
            raise LookupError

    with pytest.raises(LookupError):
        await interrupted()
    assert await agent.list() == []
    await agent.learn("goes on")
    assert await agent.verify()


async def test_batches_do_not_nest(agent):
    async with agent.batch():
        await agent.learn("one")
        with pytest.raises(ValueError, match="nest"):
            async with agent.batch():
                pass
        await agent.learn("two")
    assert len(await agent.list()) == 2


async def test_tasks_started_inside_a_batch_belong_to_it(agent):
    async with agent.batch():
        await within(asyncio.gather(*[agent.learn(f"note {number}") for number in range(20)]))
        late = asyncio.create_task(asyncio.sleep(0.05))
        outliving = asyncio.create_task(after(late, agent.learn))
    assert len(await agent.list()) == 20
    assert (await within(outliving)).content == "after the batch"


async def after(task, learn):
    await task
    return await learn("after the batch")


async def test_batches_of_several_tasks_follow_one_another(agent):
    async def write(task):
        async with agent.batch():
            for number in range(5):
                await agent.learn(f"task {task} note {number}", tags=[f"t{task}"])
                await asyncio.sleep(0)

    others = [agent.learn(f"beside {number}") for number in range(20)]
    await within(asyncio.gather(*[write(task) for task in range(6)], *others))
    assert {len(await agent.list(tags=[f"t{task}"])) for task in range(6)} == {5}
    assert (await agent.stats()).memories == 50


async def test_a_task_that_is_cancelled_inside_a_batch_takes_it_back(agent):
    inside = asyncio.Event()

    async def write():
        async with agent.batch():
            await agent.learn("never")
            inside.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(write())
    await within(inside.wait())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(task)
    assert await agent.list() == []
    assert (await within(agent.learn("goes on"))).content == "goes on"


async def test_a_task_that_is_cancelled_while_it_waits_for_its_batch_leaves_the_store_free(agent, tmp_path):
    async def write():
        async with agent.batch():
            await agent.learn("never")

    with ChrysalisMemory(tmp_path) as other:
        with other.batch():
            other.remember("holds the lock")
            task = asyncio.create_task(write())
            await asyncio.sleep(0.05)
            task.cancel()
            await asyncio.sleep(0.05)
        with pytest.raises(asyncio.CancelledError):
            await within(task)
        assert other.remember("free again").content == "free again"
    assert (await within(agent.learn("me too"))).content == "me too"
    assert sorted(contents(await agent.list())) == ["free again", "holds the lock", "me too"]


async def test_a_call_that_is_cancelled_leaves_the_store_whole(agent):
    for number in range(20):
        task = asyncio.create_task(agent.learn(f"note {number}"))
        await asyncio.sleep(0 if number % 2 else 0.001)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await agent.learn("last")
    assert "last" in contents(await agent.list())
    assert await agent.verify()


async def test_a_watch_tells_of_changes_of_everyone(agent, tmp_path):
    changes = agent.watch(timeout=WITHIN_S)
    with ChrysalisMemory(tmp_path, agent_id="ben") as other:
        mine = await agent.learn("mine")
        other.remember("theirs", id="theirs")
        told = [await within(anext_of(changes)) for _ in range(2)]
    assert [(change.kind, change.id) for change in told] == [("created", mine.id), ("created", "theirs")]
    await changes.aclose()


def anext_of(changes):
    return changes.__anext__()


async def test_a_watch_ends_after_its_timeout(agent):
    changes = agent.watch(timeout=0.1)
    await agent.learn("one")
    assert len([change async for change in changes]) == 1


async def test_leaving_or_cancelling_a_watch_holds_nothing_up(agent):
    async def first_change():
        async for change in agent.watch():
            return change
        return None

    async def for_ever():
        return [change async for change in agent.watch()]

    listening = [asyncio.create_task(first_change()) for _ in range(12)]
    endless = [asyncio.create_task(for_ever()) for _ in range(12)]
    await asyncio.sleep(0.05)
    note = await within(agent.learn("heard"))
    assert {change.id for change in await within(asyncio.gather(*listening))} == {note.id}
    for task in endless:
        task.cancel()
    ended = await within(asyncio.gather(*endless, return_exceptions=True))
    assert {type(one) for one in ended} == {asyncio.CancelledError}


async def test_a_watch_ends_with_an_error_when_the_agent_stops(tmp_path):
    agent = AgentMemory("ada", path=tmp_path)
    await agent.start()
    changes = agent.watch()
    waiting = asyncio.create_task(anext_of(changes))
    await asyncio.sleep(0.05)
    await within(agent.stop())
    with pytest.raises((StoreError, RuntimeError)):
        await within(waiting)


async def test_two_agents_share_what_they_learn(tmp_path):
    async with AgentMemory("ada", path=tmp_path) as ada, AgentMemory("ben", path=tmp_path) as ben:
        note = await ada.learn("the kiln is hot")
        assert found(await ben.recall("kiln")) == ["the kiln is hot"]
        assert (await ben.update(note.id, content="the kiln is cold")).agent_id == "ben"
        assert (await ada.get(note.id)).content == "the kiln is cold"


async def test_settings_and_space_are_passed_on(tmp_path):
    async with AgentMemory("ada", path=tmp_path, space="studio", config=Config(durability="normal")) as agent:
        assert agent.blocking.space == "studio"
        assert agent.blocking.config.durability == "normal"
        assert (await agent.stats()).space == "studio"


def test_an_agent_may_be_used_in_one_loop_after_another(tmp_path):
    agent = AgentMemory("ada", path=tmp_path)

    async def session(words):
        async with agent:
            await agent.learn(words)
            return contents(await agent.list(descending=False))

    assert asyncio.run(session("first")) == ["first"]
    assert asyncio.run(session("second")) == ["first", "second"]
