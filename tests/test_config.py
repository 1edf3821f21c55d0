"""Settings: defaults that hold together, and nonsense refused at once."""

import dataclasses
import inspect
import re

import pytest

from chrysalis_memory import config
from chrysalis_memory.config import Config


def test_settings_cannot_be_changed_behind_the_store():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().durability = "off"


@pytest.mark.parametrize(
    "wrong",
    [
        {"durability": "fast"},
        {"busy_timeout_s": 0},
        {"cache_bytes": -1},
        {"promotion_threshold": 1.5},
        {"working_ttl_s": 0},
        {"access_flush_s": float("nan")},
    ],
)
def test_nonsense_is_refused_with_the_name_of_the_setting(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Config(**wrong)


def test_what_may_be_switched_off_may_be_zero():
    assert Config(mmap_bytes=0, recall_embed_max=0, promotion_threshold=0) is not None


def test_a_number_given_as_text_is_a_type_error():
    with pytest.raises(TypeError, match="busy_timeout_s"):
        Config(busy_timeout_s="30")


@pytest.mark.parametrize("field", dataclasses.fields(Config), ids=lambda field: field.name)
def test_every_setting_has_a_default_and_says_why(field):
    assert field.default is not dataclasses.MISSING
    after = inspect.getsource(config).split(f"    {field.name}: ", 1)[1]
    assert re.match(r'.*\n    """.{40,}', after)
