"""File names of the ghost: nothing leaves its folder, and no two names share a file."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chrysalis_memory.ghost.limits import NAME_CHARACTERS_MAX
from chrysalis_memory.ghost.names import checked_name, file_name, type_file, type_name

HOSTILE = ["../x", "..", ".", "a/b", "a\\b", "/etc/passwd", "\0", "CON", "con", "nul", "com1", "LPT9", "a.b", "x" * 200]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_become_plain_ones(name):
    file = file_name(name)
    assert set(file) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_~")
    assert file.partition("~")[0] not in {"con", "nul", "com1", "lpt9"} or "~" in file
    assert len(file) <= 70


def test_names_that_differ_only_in_case_have_files_that_differ_in_more():
    files = [file_name(name).lower() for name in ("ada", "Ada", "ADA", "adA")]
    assert len(set(files)) == 4


@given(st.lists(st.text(min_size=1, max_size=NAME_CHARACTERS_MAX), min_size=2, max_size=6, unique=True))
def test_no_two_names_share_a_file_even_where_case_is_the_same(names):
    assert len({file_name(name).lower() for name in names}) == len(names)
    assert len({type_file(name) for name in names}) == len(names)


@given(st.text(min_size=1, max_size=40))
def test_a_file_name_begins_with_no_dot_and_no_underscore(name):
    assert file_name(name)[0] not in "._~"
    assert file_name(name) != "_index"


def test_a_name_that_looks_like_a_digest_of_another_gets_its_own():
    assert file_name(file_name("Ada")) != file_name("Ada")


def test_names_are_text_that_is_not_empty_and_not_endless():
    assert checked_name("the agent", "x" * NAME_CHARACTERS_MAX)
    with pytest.raises(ValueError, match="the agent is empty"):
        checked_name("the agent", "")
    with pytest.raises(ValueError, match=f"at most {NAME_CHARACTERS_MAX}"):
        checked_name("the agent", "x" * (NAME_CHARACTERS_MAX + 1))
    with pytest.raises(TypeError, match="the agent is text, not int"):
        checked_name("the agent", 7)


def test_a_type_is_the_same_in_small_letters_and_in_capitals():
    assert type_name(" dream ") == type_name("DREAM") == "DREAM"
    assert type_file(type_name("dream")) == "DREAM"
    assert type_file(type_name("con")) != "CON"
