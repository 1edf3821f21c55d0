"""A question goes before the next batch."""

import threading

from chrysalis_memory.embedding.turns import Turns
from memory_cases import eventually


def in_thread(work):
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_one_at_a_time():
    turns, inside, most = Turns(), [], []

    def work(door):
        for _ in range(50):
            with door():
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [in_thread(lambda door=door: work(door)) for door in (turns.of_agent, turns.of_background) * 3]
    for thread in threads:
        thread.join(30)
    assert max(most) == 1
    assert len(most) == 300


def test_who_comes_for_an_agent_goes_before_who_works_in_the_background():
    turns, order = Turns(), []
    agent_waits = threading.Event()

    def background():
        with turns.of_background():
            order.append("background")

    def agent():
        agent_waits.set()
        with turns.of_agent():
            order.append("agent")

    with turns.of_background():
        first = in_thread(background)
        second = in_thread(agent)
        assert agent_waits.wait(10)
        assert eventually(lambda: turns._agents == 1)
    first.join(10)
    second.join(10)
    assert order == ["agent", "background"]


def test_patience_ends():
    turns = Turns()
    with turns.of_background(), turns.of_agent(0.01) as mine:
        assert mine is False
    with turns.of_agent(0.01) as mine:
        assert mine is True
