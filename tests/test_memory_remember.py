"""What is remembered reads back the same, now and after opening the store again."""

import json
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chrysalis_memory import ChrysalisMemory, Config, Memory, MemoryType, Tier, TooLarge, verify_signature
from memory_cases import contents

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)

EVERYTHING = {
    "id": "glaze-1",
    "tier": "working",
    "memory_type": "procedural",
    "scope": "studio/glazes",
    "importance": 0.8,
    "confidence": 0.25,
    "tags": ["zinc", "ash", "ash"],
    "parents": ["recipe-0"],
    "related": ["kiln-2", "kiln-1"],
    "evidence": ["https://example.org/glaze", "test tile 4"],
    "thread": "tuesday",
    "speaker": "Mara",
    "occurred_at": NOON,
    "metadata": {"batch": 7, "parts": [0.5, 1.25], "nested": {"unit": "°C"}},
    "ttl": 3600,
    "valid_from": NOON,
    "valid_until": NOON + timedelta(days=1),
}

READ_BACK = EVERYTHING | {
    "content": "Glaze G7 melts at 1180 °C",
    "tags": ("ash", "zinc"),
    "parents": ("recipe-0",),
    "related": ("kiln-1", "kiln-2"),
    "evidence": ("https://example.org/glaze", "test tile 4"),
    "agent_id": "ada",
    "access_count": 0,
    "version": 1,
    "conflicts": (),
    "sync_status": "local",
}
del READ_BACK["ttl"]


def read(memory, names):
    return {name: getattr(memory, name) for name in names}


def test_every_field_reads_back_as_it_was_said(memory):
    told = memory.remember("Glaze G7 melts at 1180 °C", **EVERYTHING)
    assert read(told, READ_BACK) == READ_BACK
    assert told.expires_at - told.created_at == pytest.approx(timedelta(hours=1), abs=timedelta(seconds=1))
    assert told.created_at == told.updated_at
    assert (told.author, len(told.fingerprint), len(told.signature)) == (memory.public_key, 96, 128)
    assert memory.get("glaze-1") == told


def test_what_is_not_said_has_the_default(memory):
    told = memory.remember("plain")
    assert read(told, ["tier", "memory_type", "scope", "importance", "confidence", "metadata"]) == {
        "tier": "long_term",
        "memory_type": "episodic",
        "scope": "",
        "importance": 0.5,
        "confidence": 0.5,
        "metadata": {},
    }
    assert {told.tags, told.parents, told.related, told.evidence} == {()}
    assert {told.thread, told.speaker, told.occurred_at, told.valid_from, told.valid_until, told.expires_at} == {None}


def test_all_of_it_survives_closing_and_opening(tmp_path):
    with ChrysalisMemory(tmp_path, agent_id="ada") as first:
        told = first.remember("Glaze G7 melts at 1180 °C", **EVERYTHING)
        key = first.public_key
    with ChrysalisMemory(tmp_path, agent_id="ben") as second:
        again = second.get("glaze-1")
        assert again == told
        assert again.to_dict() == told.to_dict()
        assert second.public_key == key
        assert contents([hit.memory for hit in second.recall("when does the glaze melt")]) == [told.content]


def test_a_memory_is_plain_data_for_json(memory):
    told = memory.remember("Glaze G7 melts at 1180 °C", **EVERYTHING)
    plain = json.loads(json.dumps(told.to_dict()))
    assert plain["occurred_at"] == "2026-03-01T12:00:00.000Z"
    assert plain["tags"] == ["ash", "zinc"]
    assert plain["metadata"] == EVERYTHING["metadata"]
    assert plain["fingerprint"] == told.fingerprint


def test_each_memory_has_an_id_of_its_own_and_ids_sort_by_time(memory):
    ids = [memory.remember("the same words").id for _ in range(50)]
    assert len(set(ids)) == 50
    # The first ten characters are the time in milliseconds.
    assert [one[:10] for one in ids] == sorted(one[:10] for one in ids)


def test_the_same_words_twice_are_two_memories_with_two_fingerprints(memory):
    one, other = memory.remember("said twice"), memory.remember("said twice")
    assert one.fingerprint != other.fingerprint
    assert one != other


def test_a_known_id_is_edited_and_keeps_what_is_not_said(memory):
    memory.remember("first wording", id="note", tags=["one"], thread="t", metadata={"a": 1})
    told = memory.remember("second wording", id="note", tags=["two"], metadata={"b": 2})
    assert (told.content, told.tags, told.thread, told.metadata) == (
        "second wording",
        ("one", "two"),
        "t",
        {"a": 1, "b": 2},
    )
    assert told.version == 2
    assert memory.stats().memories == 1


def test_saying_the_same_twice_writes_once(memory):
    first = memory.remember("said again", id="note", tags=["x"], metadata={"a": [1]})
    before = memory.stats().operations
    assert memory.remember("said again", id="note", tags=["x"], metadata={"a": [1]}) == first
    assert memory.stats().operations == before


@pytest.mark.parametrize(
    ("given_time", "read_time"),
    [
        (NOON, NOON),
        (NOON.astimezone(timezone(timedelta(hours=5, minutes=30))), NOON),
        ("2026-03-01T12:00:00Z", NOON),
        ("2026-03-01 13:00+01:00", NOON),
        ("2026-03-01T12:00:00.123456Z", NOON + timedelta(milliseconds=123)),
        (1772366400, NOON),
        (1772366400.5, NOON + timedelta(milliseconds=500)),
        (0, datetime(1970, 1, 1, tzinfo=timezone.utc)),
        (-1.5, datetime(1969, 12, 31, 23, 59, 58, 500000, tzinfo=timezone.utc)),
        (datetime(2026, 3, 1, 12), datetime(2026, 3, 1, 12).astimezone(timezone.utc)),
        ("2026-03-01", datetime(2026, 3, 1).astimezone(timezone.utc)),
    ],
    ids=str,
)
def test_times_come_out_aware_and_in_utc_however_they_are_given(memory, given_time, read_time):
    told = memory.remember("at a time", occurred_at=given_time, valid_from=given_time)
    assert (told.occurred_at, told.valid_from) == (read_time, read_time)
    assert told.occurred_at.tzinfo == timezone.utc


@pytest.mark.parametrize("ttl", [90, 90.0, timedelta(seconds=90)], ids=str)
def test_a_ttl_is_seconds_or_a_timedelta(memory, ttl):
    told = memory.remember("fades", ttl=ttl)
    assert told.expires_at - told.created_at == pytest.approx(timedelta(seconds=90), abs=timedelta(seconds=1))


def test_types_and_tiers_may_be_given_as_enums_and_come_out_as_text(memory):
    told = memory.remember("a choice", memory_type=MemoryType.DECISION, tier=Tier.LONG_TERM)
    assert (told.memory_type, told.tier) == ("decision", "long_term")
    assert {type(told.memory_type), type(told.tier)} == {str}
    assert memory.remember("a dish", memory_type="recipe").memory_type == "recipe"


def test_links_may_be_given_as_memories(memory):
    one, two = memory.remember("one"), memory.remember("two")
    told = memory.remember("three", parents=[one], related=(two, one.id), evidence=two)
    assert (told.parents, told.related, told.evidence) == ((one.id,), tuple(sorted([one.id, two.id])), (two.id,))


@pytest.mark.parametrize(
    "content",
    [
        "a\0b",
        "🜂 glaze",
        "שלום עולם",
        "e\u0301" * 3,
        " spaces at both ends ",
        "line\r\nline\n",
        "\ufeffmark",
        "x" * 60_000,
    ],
    ids=lambda text: ascii(text)[:20],
)
def test_content_is_kept_to_the_letter(memory, content):
    told = memory.remember(content)
    assert memory.get(told.id).content == content


@pytest.mark.parametrize("score", [0, 0.0, 1, 1.0, 0.1, 0.3333, 0.9999, 0.0001])
def test_scores_read_back_to_four_decimals(memory, score):
    told = memory.remember("scored", importance=score, confidence=score)
    assert (told.importance, told.confidence) == (score, score)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4)
    ),
    max_leaves=12,
)
KEYS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.dictionaries(KEYS, JSON.filter(lambda value: value is not None), max_size=4))
def test_metadata_of_any_json_reads_back_the_same(memory, metadata):
    told = memory.remember("with metadata", metadata=metadata)
    assert told.metadata == metadata
    assert memory.get(told.id).metadata == metadata


def test_a_memory_gives_its_metadata_as_a_dict_of_its_own(memory):
    told = memory.remember("with metadata", metadata={"list": [1]})
    told.metadata["list"].append(2)
    assert told.metadata == {"list": [1]}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=300).filter(str.strip))
def test_any_text_can_be_remembered_and_tagged_and_found_by_id(memory, text):
    told = memory.remember(text, tags=[text], thread=text, speaker=text, scope=text, evidence=[text])
    assert memory.get(told.id) == told
    assert (told.content, told.tags, told.thread, told.speaker, told.scope) == (text, (text,), text, text, text)


def test_a_memory_cannot_be_changed(memory):
    told = memory.remember("frozen")
    with pytest.raises(AttributeError):
        told.content = "thawed"
    with pytest.raises(AttributeError):
        del told.tags


def test_a_memory_is_not_made_by_hand():
    with pytest.raises(TypeError):
        Memory()


def test_a_memory_hashes_and_compares_by_value(memory):
    told = memory.remember("one")
    again = memory.get(told.id)
    assert told is not again
    assert {told, again} == {told}
    assert (told == "one", told != again, told == None) == (False, False, False)  # noqa: E711


def test_origin_can_be_checked_without_the_store(memory):
    told = memory.remember("signed")
    message = b"chrysalis/sig/op/1\0" + bytes.fromhex(told.fingerprint)
    assert verify_signature(told.author, message, told.signature)
    assert not verify_signature(told.author, message, "00" * 64)
    assert not verify_signature("00" * 32, message, told.signature)
    assert not verify_signature(told.author, message + b"!", told.signature)


def test_what_is_too_large_is_refused_with_the_limit_and_what_to_do(memory):
    with pytest.raises(TooLarge, match="65536") as caught:
        memory.remember("x" * 65_537)
    assert caught.value.code == "too_large"
    assert caught.value.hint
    assert memory.stats().memories == 0


def test_the_limit_is_a_setting(tmp_path):
    with ChrysalisMemory(tmp_path, config=Config(payload_bytes_max=200_000)) as memory:
        assert len(memory.get(memory.remember("x" * 150_000).id).content) == 150_000
        with pytest.raises(TooLarge):
            memory.remember("x" * 200_001)


def test_numbers_of_other_kinds_in_metadata_are_refused_by_name(memory):
    with pytest.raises(ValueError, match="'price'"):
        memory.remember("costs", metadata={"price": Decimal("1.5")})
