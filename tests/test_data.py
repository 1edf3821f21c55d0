"""The text that ships with the package: whole, in order, and fit for what the demonstration shows."""

from importlib import resources

from chrysalis_memory import data
from chrysalis_memory.data import harbour_memories, harbour_questions
from importing_cases import read

MEMORIES = harbour_memories()
IDS = {memory["id"] for memory in MEMORIES}


def test_every_line_is_a_valid_record():
    with resources.as_file(resources.files(data).joinpath("harbour.jsonl")) as path:
        records, problems = read(path)
    assert problems == []
    assert [record["id"] for record in records] == [memory["id"] for memory in MEMORIES]


def test_memories_are_distinct_and_in_the_order_of_time():
    times = [memory["occurred_at"] for memory in MEMORIES]
    assert len(MEMORIES) == len(IDS) == len({memory["content"] for memory in MEMORIES})
    assert times == sorted(times)


def test_two_people_and_two_agents_speak():
    assert {memory["speaker"] for memory in MEMORIES} == {"Ines", "Tomasz", "scribe", "builder"}
    assert {memory["metadata"]["agent"] for memory in MEMORIES} == {"scribe", "builder"}


def test_links_corrections_and_questions_lead_to_memories():
    for memory in MEMORIES:
        links = [*memory.get("parents", ()), *memory.get("related", ()), *memory.get("evidence", ())]
        assert set(links) <= IDS
    corrected = {memory["metadata"]["corrects"] for memory in MEMORIES if "corrects" in memory["metadata"]}
    assert corrected == {"first-date", "gauge-interval", "database-first"}
    assert [memory["id"] for memory in MEMORIES if memory["metadata"].get("asks_to_forget")] == ["secret-regret"]
    assert {answer for question in harbour_questions() for answer in question["answers"]} <= IDS
    assert {question["kind"] for question in harbour_questions()} == {"plain", "paraphrase", "unanswerable"}
