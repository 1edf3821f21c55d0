"""The mergeable types from Python: their laws, and what a plain model of each says."""

import copy
import itertools
import json
import pickle
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chrysalis_memory import GCounter, GSet, LWWRegister, ORSet, TooLarge, VectorClock

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=3)
elements = st.sampled_from("abcd") | texts
names = st.sampled_from(["ada", "bob", "eve"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
seconds = st.integers(0, 3) | st.integers(0, 4 * 10**15).map(lambda us: us / 1e6)

g_sets = st.lists(elements).map(GSet)
counts = st.dictionaries(names, st.integers(0, 5))
g_counters = counts.map(GCounter)
clocks = counts.map(VectorClock)
registers = st.builds(LWWRegister, json_values, seconds, names)


@st.composite
def or_sets(draw):
    """One of three copies that edit and now and then hear of each other."""
    return played(draw(steps))[0][0]


step = st.tuples(st.integers(0, 2), st.sampled_from(["add", "remove", "hear"]), st.sampled_from("abc"))
steps = st.lists(step, max_size=25)


def played(steps):
    """Three copies, each beside a plain model: the adds and the removals it has heard of, by number."""
    copies = [(ORSet(), set(), set()) for _ in range(3)]
    for number, (which, action, element) in enumerate(steps):
        ours, adds, removals = copies[which]
        if action == "add":
            ours.add(element)
            adds.add((element, number))
        elif action == "remove":
            seen = {add for add in adds - removals if add[0] == element}
            assert ours.remove(element) == bool(seen)
            removals |= seen
        else:
            theirs = copies["abc".index(element)]
            copies[which] = (ours.merge(theirs[0]), adds | theirs[1], removals | theirs[2])
    return copies


LAWFUL = st.one_of(
    *(st.tuples(kind, kind, kind) for kind in (g_sets, or_sets(), registers, g_counters, clocks)),
    steps.map(lambda history: tuple(ours for ours, _, _ in played(history))),
)


@given(LAWFUL)
def test_merging_is_commutative_associative_and_idempotent(three):
    a, b, c = three
    assert a.merge(b) == b.merge(a)
    assert a.merge(b).merge(c) == a.merge(b.merge(c))
    assert a.merge(a) == a
    assert a.merge(b).merge(b) == a.merge(b)


@given(LAWFUL, st.lists(st.integers(0, 2), max_size=6))
def test_any_order_with_any_duplicates_gives_one_value(three, again):
    joined = three[0].merge(three[1]).merge(three[2])
    for order in itertools.permutations(range(3)):
        heard = three[order[0]]
        for one in (*order, *again):
            heard = heard.merge(three[one])
        assert heard == joined


@given(LAWFUL)
def test_merging_changes_neither_side(three):
    a, b, _ = three
    before = pickle.dumps((a, b))
    a.merge(b)
    assert pickle.dumps((a, b)) == before


@given(LAWFUL)
def test_copies_and_pickles_are_equal_and_lead_lives_of_their_own(three):
    one = three[0]
    for made in (copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert made == one
        assert made is not one
        assert repr(made) == repr(one)
        assert json.loads(json.dumps(made.to_dict())) == made.to_dict()


@given(st.lists(elements), st.lists(elements))
def test_a_grow_only_set_is_what_a_set_is(ours, theirs):
    merged = GSet(ours).merge(GSet(theirs))
    model = set(ours) | set(theirs)
    assert merged.elements() == list(merged) == sorted(model)
    assert len(merged) == len(model)
    assert all(element in merged for element in model)
    assert "not there at all" not in merged
    assert 7 not in merged


def test_adding_to_a_grow_only_set_says_whether_it_was_new():
    tags = GSet()
    assert [tags.add("a"), tags.add("a"), tags.add("b")] == [True, False, True]
    assert repr(tags) == "GSet(['a', 'b'])"


@given(steps)
def test_an_observed_remove_set_is_what_its_adds_less_its_removals_say(steps):
    for ours, adds, removals in played(steps):
        reads = sorted({element for element, _ in adds - removals})
        assert ours.elements() == list(ours) == reads
        assert len(ours) == len(reads)
        assert all(element in ours for element in reads)


def test_merging_with_a_copy_that_missed_a_removal_does_not_bring_the_element_back():
    stale = ORSet(["old"])
    current = copy.copy(stale)
    assert current.remove("old")
    assert current.merge(stale).elements() == stale.merge(current).elements() == []
    assert pickle.loads(pickle.dumps(current)).merge(stale).elements() == []


def test_a_concurrent_add_wins_over_a_removal():
    ours = ORSet(["tag"])
    theirs = copy.copy(ours)
    ours.remove("tag")
    theirs.add("tag")
    assert ours.merge(theirs).elements() == ["tag"]


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_copy_never_names_its_adds_as_the_original_does(copied):
    original = ORSet()
    other = copied(original)
    original.add("tag")
    other.add("tag")
    original.remove("tag")
    assert original.merge(other).elements() == ["tag"]


@given(st.lists(st.tuples(seconds, names, json_values), min_size=1))
def test_of_many_assignments_the_latest_holds_in_whatever_order(assignments):
    register = LWWRegister(assignments[0][2], assignments[0][0], assignments[0][1])
    for timestamp, writer, value in reversed(assignments):
        register.set(value, timestamp, writer)
    greatest = max((round(at * 1e6), writer, as_json(value)) for at, writer, value in assignments)
    assert (round(register.timestamp * 1e6), register.writer, as_json(register.value)) == greatest


def as_json(value):
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def test_an_assignment_without_a_time_is_later_than_what_is_held():
    ahead = LWWRegister("from the future", 8e9, "bob")
    assert ahead.set("seen and replaced", writer="ada")
    assert ahead.value == "seen and replaced"
    assert ahead.timestamp > 8e9
    assert not ahead.set("too late", 5.0, "ada")
    assert LWWRegister(None).value is None


@given(counts, counts)
def test_a_grow_only_counter_adds_up_the_greatest_counts(ours, theirs):
    merged = GCounter(ours).merge(GCounter(theirs))
    model = {name: max(ours.get(name, 0), theirs.get(name, 0)) for name in {*ours, *theirs}}
    assert merged.value == sum(model.values())
    assert merged.counts() == {name: count for name, count in model.items() if count}
    assert merged.increment("ada", 2) == merged.get("ada") == model.get("ada", 0) + 2


@given(counts, counts)
def test_a_vector_clock_knows_what_came_before_what(ours, theirs):
    a, b = VectorClock(ours), VectorClock(theirs)
    within = all(count <= theirs.get(name, 0) for name, count in ours.items())
    around = all(count <= ours.get(name, 0) for name, count in theirs.items())
    order = {(True, True): "equal", (True, False): "before", (False, True): "after"}
    assert a.compare(b) == order.get((within, around), "concurrent")
    assert a.happens_before(b) == (within and not around)
    after = a.merge(b)
    assert after.increment("eve") == max(ours.get("eve", 0), theirs.get("eve", 0)) + 1
    assert a.happens_before(after)
    assert b.happens_before(after)


@pytest.mark.parametrize("value", [GSet(), ORSet(), LWWRegister(1), GCounter(), VectorClock()])
def test_values_that_change_have_no_hash_and_equal_nothing_else(value):
    with pytest.raises(TypeError, match="unhashable"):
        hash(value)
    assert value != "something else"
    with pytest.raises(TypeError):
        value.merge("something else")


@pytest.mark.parametrize(
    ("misuse", "error"),
    [
        (lambda: GSet("abc"), TypeError),
        (lambda: ORSet("abc"), TypeError),
        (lambda: GSet([1]), TypeError),
        (lambda: GSet().add("\ud800"), ValueError),
        (lambda: GSet().add("x" * 70_000), TooLarge),
        (lambda: ORSet().add("x" * 70_000), TooLarge),
        (lambda: GCounter({"a": -1}), ValueError),
        (lambda: GCounter({"a": 1 << 70}), ValueError),
        (lambda: GCounter({"a": 1.5}), TypeError),
        (lambda: GCounter([("a", 1)]), TypeError),
        (lambda: GCounter().increment("a", -1), ValueError),
        (lambda: GCounter({"a": (1 << 63) - 2}).increment("a"), TooLarge),
        (lambda: GCounter().increment("x" * 2_000), TooLarge),
        (lambda: VectorClock({"a": (1 << 63) - 2}).increment("a"), TooLarge),
        (lambda: LWWRegister(float("nan")), ValueError),
        (lambda: LWWRegister({1, 2}), TypeError),
        (lambda: LWWRegister("x" * (1 << 20)), TooLarge),
        (lambda: LWWRegister(1, -1), ValueError),
        (lambda: LWWRegister(1, float("nan")), ValueError),
        (lambda: LWWRegister(1, 1_800_000_000_000), ValueError),
        (lambda: LWWRegister(1, 1, "x" * 2_000), TooLarge),
    ],
)
def test_misuse_has_an_error_of_its_own(misuse, error):
    with pytest.raises(error):
        misuse()


def test_threads_may_share_one_value():
    ours, theirs, counter = ORSet(), ORSet(), GCounter()

    def work(mine, other, name):
        for number in range(200):
            mine.add(f"{name}{number}")
            mine.merge(other)
            counter.increment("shared")

    threads = [
        threading.Thread(target=work, args=sides)
        for sides in ((ours, theirs, "a"), (theirs, ours, "b"), (ours, theirs, "c"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in threads)
    assert (len(ours), len(theirs), counter.value) == (400, 200, 600)
