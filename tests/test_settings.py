"""One checker for all settings: what each kind of field takes."""

from dataclasses import dataclass

import pytest

from chrysalis_memory._settings import check_settings


@dataclass
class Settings:
    # Annotations as objects and as the texts that they are in most modules.
    flag: bool = True
    name: "str" = "kiln"
    secret: "str | None" = None
    count: int = 3
    pace: "float" = 0.5
    bound: int | None = None
    other: "list[int]" = ()


@pytest.mark.parametrize(
    "right", [{}, {"secret": "x"}, {"pace": 3}, {"bound": 1}, {"other": None}, {"flag": False}], ids=str
)
def test_what_an_annotation_says_is_taken(right):
    check_settings(Settings(**right))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"flag": 1}, "flag is '1'; it must be true or false"),
        ({"name": 3}, "name is int; it must be text"),
        ({"secret": b"hidden"}, "secret is bytes; it must be text"),
        ({"count": 1.5}, "count is '1.5'; it must be a whole number"),
        ({"count": True}, "count is 'True'; it must be a whole number"),
        ({"count": None}, "count is 'None'; it must be a whole number"),
        ({"pace": "fast"}, "pace is 'fast'; it must be a number"),
    ],
    ids=str,
)
def test_another_type_is_refused_and_nothing_secret_is_shown(wrong, says):
    with pytest.raises(TypeError) as refused:
        check_settings(Settings(**wrong))
    assert str(refused.value) == says


@pytest.mark.parametrize(
    "wrong",
    [{"name": ""}, {"count": 0}, {"count": -1}, {"pace": float("inf")}, {"pace": float("nan")}, {"bound": 0}],
    ids=str,
)
def test_values_that_make_no_sense_are_refused_by_name(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        check_settings(Settings(**wrong))


def test_zero_is_taken_where_it_turns_something_off():
    check_settings(Settings(count=0), may_be_zero={"count"})
