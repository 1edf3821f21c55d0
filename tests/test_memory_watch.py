"""Watching: changes of this process and of others, in order, none lost."""

import threading
from time import monotonic

import pytest

from chrysalis_memory import Change, ChrysalisMemory, StoreError
from memory_cases import WITHIN_S


def kinds(changes):
    return [(change.kind, change.id) for change in changes]


def test_every_change_is_told_in_order(memory):
    memory.remember("before the watch")
    changes = memory.watch(timeout=0.2)
    note = memory.remember("one", id="one")
    assert next(changes).to_dict() == {"kind": "created", "id": "one", "position": memory._core().position()[0]}
    memory.update(note.id, content="changed")
    assert kinds([next(changes)]) == [("updated", "one")]
    memory.forget(note.id)
    assert kinds([next(changes)]) == [("forgotten", "one")]
    memory.remember_many([{"content": str(n), "id": f"m{n}"} for n in range(3)])
    assert kinds(changes) == [("created", f"m{n}") for n in range(3)]


def test_what_was_before_the_call_is_not_told_and_what_comes_before_the_first_look_is(memory):
    memory.remember("before")
    changes = memory.watch(timeout=0.1)
    memory.remember("after", id="after")
    assert kinds(changes) == [("created", "after")]


def test_a_memory_that_changed_twice_in_between_is_told_of_once(memory):
    memory.remember("one", id="one")
    changes = memory.watch(timeout=0.1)
    memory.update("one", content="two")
    memory.update("one", content="three")
    assert kinds(changes) == [("updated", "one")]


def test_positions_only_grow(memory):
    changes = memory.watch(timeout=0.1)
    memory.remember_many({"content": str(number)} for number in range(2_500))
    positions = [change.position for change in changes]
    assert len(positions) == 2_500
    assert positions == sorted(set(positions))


def test_a_watch_ends_after_its_timeout_without_a_change(memory):
    started = monotonic()
    assert list(memory.watch(timeout=0.1)) == []
    assert monotonic() - started >= 0.1
    assert list(memory.watch(timeout=0)) == []


def test_what_is_rolled_back_is_not_told(memory):
    changes = memory.watch(timeout=0.1)

    def interrupted():
        with memory.batch():
            memory.remember("never")
            raise LookupError

    with pytest.raises(LookupError):
        interrupted()
    memory.remember("there", id="there")
    assert kinds(changes) == [("created", "there")]


def test_another_store_object_is_heard_while_the_watch_waits(tmp_path):
    with ChrysalisMemory(tmp_path) as one, ChrysalisMemory(tmp_path) as other:
        heard = []
        changes = one.watch(timeout=WITHIN_S)
        listener = threading.Thread(target=lambda: heard.append(next(changes)))
        listener.start()
        other.remember("listen", id="x")
        listener.join(WITHIN_S)
        assert kinds(heard) == [("created", "x")]
        assert isinstance(heard[0], Change)


def test_reading_is_no_change(memory):
    note = memory.remember("quiet")
    changes = memory.watch(timeout=0.1)
    memory.get(note.id)
    memory.recall("quiet")
    assert list(changes) == []


def test_a_watch_of_a_store_that_was_closed_ends_with_an_error(tmp_path):
    memory = ChrysalisMemory(tmp_path)
    changes = memory.watch(timeout=30)
    memory.close()
    with pytest.raises(StoreError, match="closed"):
        next(changes)
