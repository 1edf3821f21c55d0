"""Values of metadata: what a member signs as one can be read by everybody, whatever it is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as some

from chrysalis_memory import ChrysalisMemory
from chrysalis_memory._metadata import DEPTH_MAX, as_text, deeper_than, of_text
from hub_cases import serving


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


NO_VALUES = {
    "no JSON": "{not json",
    "nothing": "",
    "no number": "NaN",
    "a number beyond all": "[1e999]",
    "half a letter": '{"a":"\\ud800"}',
    "half a letter as a key": '{"\\udfff":1}',
    "more digits than Python reads": "9" * 6_000,
    "deep": nested(DEPTH_MAX + 1),
    "deep enough to end a stack": nested(900),
    "endless": "[" * 50_000,
}
plain = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False, allow_infinity=False) | some.text(),
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(some.text(), inner, max_size=4),
    max_leaves=20,
)


@given(plain)
def test_every_value_that_json_can_say_comes_back_as_it_was(value):
    assert of_text(as_text("k", value)) == value


@pytest.mark.parametrize("text", NO_VALUES.values(), ids=NO_VALUES)
def test_what_is_no_value_reads_as_the_text_that_it_is(text):
    assert of_text(text) == text


def test_brackets_in_words_and_values_side_by_side_do_not_count_as_depth():
    deepest = json.loads(nested(DEPTH_MAX - 1))
    value = {"words": "[" * 1_000, "many": [[] for _ in range(1_000)], "as deep as may be": deepest}
    assert of_text(as_text("k", value)) == value


@pytest.mark.parametrize("value", [json.loads(nested(DEPTH_MAX + 1)), "\ud800", float("nan"), {1, 2}])
def test_what_others_could_not_use_is_not_written(value):
    with pytest.raises(ValueError, match="k"):
        as_text("k", value)


def test_depth_counts_lists_and_objects_within_one_another():
    assert [deeper_than([{"a": [1]}], levels) for levels in (2, 3)] == [True, False]


@pytest.mark.parametrize("text", NO_VALUES.values(), ids=NO_VALUES)
def test_a_member_who_signs_rubbish_as_metadata_keeps_nobody_from_listing_and_recalling(tmp_path, text):
    with serving(tmp_path) as hub, hub.client("read") as client:
        memory = hub.desk.memory
        memory.remember("the kiln reaches 1240 degrees", id="honest")
        # As another program, or another release, might sign it: beside all that is checked in Python.
        memory._core().remember("mallory", {"id": "rubbish", "content": "the kiln is cold", "metadata": {"k": text}})
        listed = client.get("/v1/memories").json()["memories"]
        assert {one["id"]: one["metadata"] for one in listed} == {"honest": {}, "rubbish": {"k": text}}
        found = client.post("/v1/recall", json={"query": "kiln"}).json()["hits"]
        assert {hit["memory"]["id"] for hit in found} == {"honest", "rubbish"}
        assert memory.history("rubbish")[0].changes["metadata"] == {"k": text}


def test_over_http_metadata_that_is_nested_too_deeply_is_refused_and_nothing_of_it_kept(tmp_path):
    with serving(tmp_path) as hub, hub.client("write") as client:
        body = '{"content":"words","metadata":{"k":' + nested(700) + "}}"
        answer = client.post("/v1/memories", content=body, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "misuse")
        assert client.get("/v1/memories").json() == {"memories": []}


def test_a_store_of_an_earlier_release_with_deeper_metadata_is_still_read(tmp_path):
    with ChrysalisMemory(tmp_path, embedder="none") as memory:
        memory._core().remember("ada", {"id": "deep", "content": "words", "metadata": {"k": nested(200)}})
        assert memory.get("deep").metadata == {"k": nested(200)}
