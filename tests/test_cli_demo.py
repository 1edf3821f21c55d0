"""The demonstration's processes: heard, ended with it, and never left behind."""

import pytest

from chrysalis_memory.cli.demo.processes import Agent, Hub


def is_running(process):
    return process._child.poll() is None


@pytest.fixture
def hub(tmp_path):
    server = Hub(tmp_path / "hub", "quay")
    yield server
    server.stop()


def test_a_hub_that_was_killed_comes_back_at_the_same_address(hub):
    before = hub.links
    hub.kill()
    assert not is_running(hub)
    hub.start()
    assert hub.links == before
    assert is_running(hub)


def test_a_hub_that_can_not_run_is_not_left_behind(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(RuntimeError, match="ended with exit code"):
        Hub(tmp_path / "file" / "hub", "quay")


def test_an_agent_does_what_it_is_asked_and_ends_in_good_order(tmp_path):
    agent = Agent("ada", tmp_path / "ada")
    try:
        learnt = agent.ask("learn", content="the kiln is hot", id="kiln")
        assert learnt["id"] == "kiln"
        assert agent.ask("find", query="kiln", id="kiln", timeout=10)["content"] == "the kiln is hot"
        assert agent.ask("state", id="kiln") == {"state": "local"}
        assert agent.ask("await_all", ids=["nothing"], timeout=0.01) == {}
    finally:
        agent.stop()
    assert agent._child.returncode == 0


def test_an_agent_ends_when_whoever_asks_it_goes_away(tmp_path):
    agent = Agent("ada", tmp_path / "ada").begun()
    assert is_running(agent)
    agent._child.stdin.close()
    assert agent._child.wait(timeout=60) == 0
    agent.stop()
