"""Focus marks as people type them."""

import pytest

from chrysalis_memory.context import focus_marks


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("[FOCUS:decision] Cone 6.", ("decision",)),
        ("We said: [focus: Open Question ] which glaze?", ("open question",)),
        ("[FOCUS:error] one [FOCUS:decision] two [FOCUS:error]", ("error", "decision")),
        ("[FOCUS:fehler-größe]", ("fehler-größe",)),
        ("no mark, FOCUS:decision, [FOCUS], [FOCUS:], [FOCUS:  ]", ()),
        ("[FOCUS:over\na line]", ()),
        (f"[FOCUS:{'x' * 65}]", ()),
    ],
)
def test_marks_are_found_in_order_and_once(content, names):
    assert focus_marks(content) == names


def test_a_text_of_half_marks_is_searched_in_one_pass():
    assert focus_marks("[FOCUS:" * 100_000 + " " * 100_000) == ()
    assert focus_marks(("[FOCUS:" + " " * 100) * 10_000) == ()
