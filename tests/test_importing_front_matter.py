"""Front matter: the small part of YAML that people write."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from chrysalis_memory.importing.front_matter import as_list, split_front_matter


def test_fields_lists_and_the_rest_are_told_apart():
    text = "---\nTitle: 'Firing log'\ntags:\n  - kiln\n  - \"test fire\"\naliases: [a, b]\nempty:\n---\n# Text\n"
    assert split_front_matter(text) == (
        {"title": "Firing log", "tags": ["kiln", "test fire"], "aliases": ["a", "b"]},
        "# Text\n",
        8,
    )


@pytest.mark.parametrize("text", ["# No front matter", "---\nnever closed: yes\n", "", "text\n---\na: b\n---\n"])
def test_text_without_front_matter_is_left_alone(text):
    assert split_front_matter(text) == ({}, text, 0)


def test_yaml_that_is_more_than_fields_is_left_alone():
    fields, body, _ = split_front_matter(
        "---\nobject: !!python/object:os.system\n nested: x\n- stray\n? odd\n---\nbody"
    )
    assert (fields, body) == ({"object": ["stray"]}, "body")


def test_comments_are_no_values():
    assert split_front_matter("---\na: b # why\n# c: d\n---\n")[0] == {"a": "b"}


def test_lists_are_written_in_many_ways():
    assert as_list("a, b") == as_list("#a #b") == as_list(["a", " #b"]) == ["a", "b"]
    assert as_list(None) == []


@given(some.text(alphabet="-: ab\n#[]'\"\t"))
def test_any_text_is_taken(text):
    fields, body, lines = split_front_matter(text)
    assert text.endswith(body)
    assert lines <= text.count("\n") + 1
    assert isinstance(fields, dict)
