"""How crystals are cut into parts: nothing is lost, nothing is said twice, and each part fits one operation."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chrysalis_memory import Malformed, TooLarge
from chrysalis_memory.context import FocusFragment
from chrysalis_memory.context._crystal_codec import CRYSTAL_BYTES_MAX, Header, lay_out, split
from crystal_cases import crystal, large_window


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=2_000), st.integers(16, 400))
def test_pieces_join_to_the_text_and_each_fits(text, bytes_max):
    pieces = split(text, bytes_max)
    assert "".join(pieces) == text
    assert all(len(json.dumps(piece, ensure_ascii=False).encode()) <= bytes_max for piece in pieces)
    assert len(pieces) == 1 or all(pieces)


@pytest.mark.parametrize("letter", ["a", "é", "\u2028", "\0", '"', "\U0001f3fa"])
def test_long_texts_of_any_letter_are_cut_into_few_pieces(letter):
    pieces = split(letter * 100_000, 10_000)
    size = len(json.dumps(letter * 100_000, ensure_ascii=False).encode())
    assert len(pieces) <= 2 + 1.1 * size / 10_000


def test_what_fits_one_operation_is_laid_into_one():
    laid = lay_out(crystal(), 64 << 10)
    assert (set(laid.first), laid.rest) == ({"crystal", "crystal.0000"}, ())


def test_parts_leave_room_for_the_rest_of_their_operation():
    laid = lay_out(crystal(window=large_window(200_000)), 64 << 10)
    parts = [laid.parts_of_first(), *laid.rest]
    assert sum(bool(part) for part in parts) > 3
    assert all(len(json.dumps(part, ensure_ascii=False).encode()) <= 57 << 10 for part in parts)


def test_the_words_of_a_fragment_stand_once_and_others_are_kept():
    made = crystal()
    kept = made.focus_fragments[0].content
    elsewhere = FocusFragment("said earlier", "words of no turn", 1)
    both = crystal(focus_fragments=[*made.focus_fragments, elsewhere])
    data = lay_out(both, 64 << 10).first["crystal.0000"]
    assert data.count(json.dumps(kept, ensure_ascii=False)) == 1
    assert "words of no turn" in data


def test_above_the_bound_it_is_refused_with_a_hint():
    with pytest.raises(TooLarge) as caught:
        lay_out(crystal(window=large_window(CRYSTAL_BYTES_MAX + 100_000)), 64 << 10)
    assert (caught.value.limit, "budget" in caught.value.hint) == (CRYSTAL_BYTES_MAX, True)


def test_a_header_comes_back_and_passes_over_what_it_does_not_know():
    told = lay_out(crystal(branch_reason="why"), 64 << 10).first["crystal"]
    header = Header.from_json(json.loads(json.dumps(told)) | {"later": 1})
    assert (header.to_json(), header.reason, header.task) == (told, "why", "fire the kiln")
    with pytest.raises(Malformed, match="format 'x'"):
        Header.from_json(told | {"format": "x"})
