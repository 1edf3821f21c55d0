"""`AgentMemory` has every method of `ChrysalisMemory`, with the same arguments."""

import inspect

import pytest

from chrysalis_memory import AgentMemory, ChrysalisMemory

METHODS = [
    name
    for name, value in inspect.getmembers(ChrysalisMemory)
    if not name.startswith("_") and inspect.isfunction(value)
]
OWN = {"learn", "start", "stop", "blocking"}


def parameters(kind, name):
    return {one.name: one for one in inspect.signature(getattr(kind, name)).parameters.values() if one.name != "self"}


@pytest.mark.parametrize("name", METHODS)
def test_each_method_takes_what_the_blocking_one_takes(name):
    blocking, awaited = parameters(ChrysalisMemory, name), parameters(AgentMemory, name)
    passed_on = any(one.kind is one.VAR_KEYWORD for one in awaited.values())
    for argument in blocking.values():
        if argument.name in awaited:
            own = awaited[argument.name]
            assert (own.kind, own.default) == (argument.kind, argument.default)
        else:
            assert passed_on
            assert argument.kind in {argument.KEYWORD_ONLY, argument.VAR_KEYWORD}
    more = {name for name, one in awaited.items() if one.kind is not one.VAR_KEYWORD} - set(blocking)
    assert more == set()


def test_nothing_is_missing_and_nothing_is_made_up():
    public = {name for name in vars(AgentMemory) if not name.startswith("_")}
    assert public - set(METHODS) == OWN
    assert set(METHODS) - public == set()


@pytest.mark.parametrize("name", sorted(set(METHODS) - {"batch", "watch"}))
def test_each_method_is_awaited(name):
    assert inspect.iscoroutinefunction(getattr(AgentMemory, name))


@pytest.mark.parametrize("name", METHODS)
def test_each_method_says_where_it_is_described(name):
    assert getattr(AgentMemory, name).__doc__


def test_learn_is_remember():
    assert inspect.signature(AgentMemory.learn) == inspect.signature(AgentMemory.remember)


def test_an_agent_is_made_as_promised():
    made = inspect.signature(AgentMemory).parameters
    assert {name: one.default for name, one in made.items()} == {
        "agent_id": inspect.Parameter.empty,
        "path": None,
        "embedding_fn": None,
        "embedder": "auto",
        "space": None,
        "closed": False,
        "invite": None,
        "passphrase": None,
        "config": None,
        "peers": (),
        "listen": None,
        "policy": "streaming",
        "sync": True,
        "sync_config": None,
    }
    assert {one.kind for name, one in made.items() if name != "agent_id"} == {inspect.Parameter.KEYWORD_ONLY}
