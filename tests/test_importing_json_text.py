"""Cutting a huge JSON text into its elements without parsing it whole."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as some

from chrysalis_memory.importing.json_text import BadJson, array_keys, elements, parse, top_level

VALUES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text() | some.floats(allow_nan=False, allow_infinity=False),
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(some.text(), inner, max_size=4),
    max_leaves=12,
)


@given(some.lists(VALUES), some.sampled_from([None, 0, 2]))
def test_elements_are_what_a_parser_finds(values, indent):
    text = json.dumps(values, indent=indent)
    assert [json.loads(element.text) for element in elements(text)] == values


@given(some.dictionaries(some.text(), VALUES), some.lists(VALUES))
def test_a_list_is_found_under_its_key(others, values):
    document = {**{f"other {key}": inner for key, inner in others.items()}, "wanted": values, "after": [1]}
    found = elements(json.dumps(document), "wanted")
    assert [json.loads(element.text) for element in found] == values


def test_each_element_has_the_line_on_which_it_begins():
    text = '\n[\n  {"a": 1,\n   "b": "x\\ny"},\n  2, 3\n]'
    assert [(element.line, json.loads(element.text)) for element in elements(text)] == [
        (3, {"a": 1, "b": "x\ny"}),
        (5, 2),
        (5, 3),
    ]


def test_brackets_and_quotes_in_strings_end_nothing():
    values = ['a "quoted" [bracket', "back\\slash\\", "{", {"]": "},"}]
    assert [json.loads(element.text) for element in elements(json.dumps(values))] == values


def test_a_broken_element_leaves_its_neighbours_whole():
    found = list(elements('[{"a": 1}, {"a": tru}, {"a": 3}]'))
    assert [element.text for element in found] == ['{"a": 1}', '{"a": tru}', '{"a": 3}']


@pytest.mark.parametrize("text", ['[{"a": 1}, {"b', '[{"a": 1}, {"b": "', "[[1, 2]"])
def test_a_file_cut_off_gives_what_was_whole_and_then_says_so(text):
    reader = elements(text)
    if text.startswith('[{"a": 1},'):
        assert next(reader).text == '{"a": 1}'
    with pytest.raises(BadJson, match="cut off"):
        next(reader)


@pytest.mark.parametrize("text", ["{}", "", "12", '{"other": []}'])
def test_no_list_is_said_to_be_none(text):
    with pytest.raises(BadJson, match=r"no JSON list|no list named"):
        list(elements(text, None if text != '{"other": []}' else "wanted"))


def test_keys_of_lists_are_seen_as_far_as_the_text_goes():
    assert array_keys('{"count": {"n": [1]}, "results": [{"a"') == ["results"]
    assert array_keys('{"a": [1], "b": 2, "c": []}') == ["a", "c"]
    assert array_keys("[1]") == []


def test_the_first_mark_tells_the_kind_of_document():
    assert (top_level(" \n[1]"), top_level("{}"), top_level(" ")) == ("[", "{", "")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{", 1),
        ('{"a":\n tru}', 2),
        ("NaN", 1),
        ('{"a": Infinity}', 1),
        ("9" * 5000, 1),
        ("[" * 100_000, 1),
        ('{"a":' * 100_000, 1),
    ],
)
def test_what_is_no_usable_json_is_refused_with_its_line(text, line):
    with pytest.raises(BadJson) as refusal:
        parse(text)
    assert refusal.value.line == line


@given(some.text(alphabet='[]{}",:\\ \n1a', max_size=60))
def test_any_text_is_cut_or_refused(text):
    try:
        lines = [element.line for element in elements(text)]
    except BadJson as error:
        lines = [error.line]
    assert all(1 <= line <= text.count("\n") + 1 for line in lines)
