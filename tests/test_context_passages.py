"""Cutting turns into sentences, and putting them together again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chrysalis_memory.context.passages import ELLIPSIS, Passage, joined, passages

PROSE = st.lists(
    st.sampled_from(["Cone 6", "yes", ". ", "? ", "!", "\n", "\n\n", "。", " ", "1.", "x" * 700, "…"])
).map("".join)


@given(PROSE | st.text())
def test_passages_are_the_whole_text_in_order(text):
    cut = passages(text)
    assert "".join(text[start:end] for start, end in cut) == text
    assert all(start < end for start, end in cut)
    assert joined(text, cut) == text.strip()


@given(PROSE, st.data())
def test_what_is_kept_is_word_for_word_and_what_is_left_out_is_marked(text, data):
    cut = passages(text)
    kept = sorted(data.draw(st.sets(st.sampled_from(cut)))) if cut else []
    said = joined(text, kept)
    place = 0
    for start, end in kept:
        place = said.index(text[start:end].strip(), place)
    left_out = len(kept) < len(cut)
    assert (said.count(ELLIPSIS) > sum(text[start:end].count(ELLIPSIS) for start, end in kept)) == left_out


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Cone 6 it is. Not cone 10! Why not?", ["Cone 6 it is. ", "Not cone 10! ", "Why not?"]),
        ("At 3.5 bar it leaks, e.g. here.", ["At 3.5 bar it leaks, e.g. ", "here."]),
        ('He said "cone 6." Then he left.', ['He said "cone 6." ', "Then he left."]),
        ("Yes! We fire at noon.", ["Yes! We fire at noon."]),
        ("first line\nsecond line\n\nthird line", ["first line\nsecond line\n\n", "third line"]),
        ("窯は明日の朝に焚きます。釉薬は青磁です。", ["窯は明日の朝に焚きます。", "釉薬は青磁です。"]),
        ("", []),
    ],
)
def test_sentences_end_where_readers_see_an_end(text, sentences):
    assert [text[start:end] for start, end in passages(text)] == sentences


def test_a_line_without_end_is_cut_between_words_or_anywhere():
    words = "kiln " * 1000
    assert all(words[end - 1] == " " for _, end in passages(words))
    assert max(end - start for start, end in passages("x" * 10_000)) == 600


def test_an_ellipsis_stands_where_passages_are_missing():
    text = "One sentence here. Two sentences here. Three sentences here."
    one, two, three = passages(text)
    assert joined(text, [one, three]) == "One sentence here. … Three sentences here."
    assert joined(text, [two]) == "… Two sentences here. …"
    assert joined("word for word", [Passage(0, 4)]) == "word …"


@pytest.mark.parametrize("piece", [". ", "\n", " ", '."', "!", "。", "a "])
def test_long_runs_are_cut_in_one_pass(piece):
    assert "".join((piece * 100_000)[start:end] for start, end in passages(piece * 100_000)) == piece * 100_000
