"""Trees and lineages of what lists show: bounded, whatever chains there are, and each crystal once."""

from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from chrysalis_memory.context import CrystalEntry
from chrysalis_memory.context.entry import LINEAGE_MAX, lineage_of, tree_of

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


def entry(id, parent=None, minutes=0):
    return CrystalEntry(id, timestamp=NOON + timedelta(minutes=minutes), parent_crystal=parent)


@given(st.dictionaries(st.integers(0, 30), st.one_of(st.none(), st.integers(0, 40)), max_size=30))
def test_a_tree_holds_each_crystal_once_and_no_child_before_its_parent_but_in_circles(links):
    entries = [entry(f"c{one}", None if parent is None else f"c{parent}", one) for one, parent in links.items()]
    rows = tree_of(entries)
    assert sorted(row.entry.crystal_id for row in rows) == sorted(one.crystal_id for one in entries)
    above: list[str] = []
    for row in rows:
        above = [*above[: row.level], row.entry.crystal_id]
        assert len(above) == row.level + 1
        if row.level:
            assert above[-2] == row.entry.parent_crystal


@given(st.dictionaries(st.integers(0, 30), st.one_of(st.none(), st.integers(0, 40)), min_size=1, max_size=30))
def test_a_lineage_ends_and_says_why(links):
    entries = {f"c{one}": entry(f"c{one}", None if parent is None else f"c{parent}") for one, parent in links.items()}
    chain = lineage_of(next(iter(entries.values())), entries)
    assert len(chain) <= len(entries) + 1
    assert all(one.problem is None for one in chain[:-1])
    earlier = {one.crystal_id for one in chain[:-1]}
    if chain[-1].problem is None:
        assert chain[-1].parent_crystal is None
    else:
        assert chain[-1].crystal_id not in entries or chain[-1].crystal_id in earlier
    assert len(earlier) == len(chain) - 1


def test_a_chain_of_absurd_depth_is_cut_and_nothing_recurses():
    count = 20 * LINEAGE_MAX
    entries = {f"c{n}": entry(f"c{n}", f"c{n - 1}" if n else None, n) for n in range(count)}
    assert len(tree_of(entries.values())) == count
    assert max(row.level for row in tree_of(entries.values())) == LINEAGE_MAX
    chain = lineage_of(entries[f"c{count - 1}"], entries)
    assert len(chain) == LINEAGE_MAX + 1
    assert chain[-1].problem == f"the chain of parents is longer than {LINEAGE_MAX}"


def test_an_entry_is_plain_data():
    told = entry("c1", "c0").to_dict()
    assert (told["timestamp"], told["expires_at"], told["tokens"]) == ("2026-03-01T12:00:00.000Z", None, 0)
    assert tree_of([entry("c1")])[0].to_dict()["level"] == 0


def test_it_is_pinned_when_it_is_here_and_has_no_end():
    assert not CrystalEntry("gone").is_pinned
    assert CrystalEntry("here", author="ab").is_pinned
    fading = CrystalEntry("here", author="ab", expires_at=NOON)
    assert (fading.is_pinned, fading.is_expired(NOON), fading.is_expired(NOON - timedelta(seconds=1))) == (
        False,
        True,
        False,
    )
