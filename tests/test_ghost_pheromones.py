"""Pheromones: laid down by type, strengthened by repetition, faded by halves, gone below the floor."""

import json

import pytest

from chrysalis_memory.ghost import GhostCache
from chrysalis_memory.ghost.limits import STRENGTH_MAX, TRACES_MAX
from chrysalis_memory.ghost.pheromones import Pheromone
from ghost_cases import NOON, Hands

HOUR_S = 3600.0


@pytest.fixture
def hands():
    return Hands()


@pytest.fixture
def ghost(tmp_path, hands):
    return GhostCache(tmp_path, now=hands)


def lay(ghost, message="thin ice", type="warning", **named):
    return ghost.pheromones.deposit(type, message, **{"half_life": HOUR_S, **named})


def said(ghost, type=None):
    return [(one.message, round(one.strength, 6)) for one in ghost.pheromones.sniff(type)]


def test_a_trace_halves_in_each_half_life(ghost, hands):
    lay(ghost)
    assert said(ghost) == [("thin ice", 1.0)]
    hands.go(hours=1)
    assert said(ghost) == [("thin ice", 0.5)]
    hands.go(hours=2)
    assert said(ghost) == [("thin ice", 0.125)]


def test_below_the_floor_it_has_evaporated_and_its_file_goes(ghost, hands, tmp_path):
    lay(ghost)
    hands.go(hours=4.4)
    assert said(ghost) == []
    assert ghost.pheromones.strengths() == {}
    assert (tmp_path / "pheromones/by_type/WARNING.json").exists()
    assert ghost.pheromones.evaporate() == 0
    assert not (tmp_path / "pheromones/by_type/WARNING.json").exists()
    assert json.loads((tmp_path / "pheromones/active.json").read_text())["data"] == {}


def test_the_same_trace_again_adds_to_what_is_left(ghost, hands):
    lay(ghost)
    hands.go(hours=1)
    assert lay(ghost).strength == 1.5
    assert said(ghost) == [("thin ice", 1.5)]
    assert lay(ghost, agent="bo").strength == 1.0
    assert len(ghost.pheromones.sniff()) == 2


def test_strength_has_an_end(ghost):
    for _ in range(3):
        lay(ghost, strength=STRENGTH_MAX / 2)
    assert said(ghost) == [("thin ice", STRENGTH_MAX)]


def test_each_type_has_a_file_of_its_own_and_active_says_what_is_in_the_air(ghost, tmp_path):
    lay(ghost)
    lay(ghost, "flying", "Dream", strength=0.5)
    lay(ghost, "../../etc", "../../x")
    files = sorted(path.name for path in (tmp_path / "pheromones/by_type").iterdir())
    assert files[:2] == ["DREAM.json", "WARNING.json"]
    assert len(files) == 3
    active = json.loads((tmp_path / "pheromones/active.json").read_text())["data"]
    assert active["DREAM"] == {"file": "pheromones/by_type/DREAM.json", "traces": 1, "strength": 0.5}
    assert set(active) == {"DREAM", "WARNING", "../../X"}
    assert not (tmp_path.parent / "etc.json").exists()


def test_sniffing_tells_types_apart_and_the_strongest_come_first(ghost):
    lay(ghost, "weak", strength=0.2)
    lay(ghost, "strong", strength=2.0)
    lay(ghost, "other", "dream")
    assert said(ghost, "WARNING") == [("strong", 2.0), ("weak", 0.2)]
    assert said(ghost, "warning") == said(ghost, "WARNING")
    assert said(ghost, "unknown") == []
    assert ghost.pheromones.strengths() == {"WARNING": 2.2, "DREAM": 1.0}
    assert ghost.pheromones.types() == ["DREAM", "WARNING"]


def test_sniffing_writes_nothing(ghost, tmp_path):
    assert ghost.pheromones.sniff() == []
    assert list(tmp_path.iterdir()) == []


def test_of_too_many_traces_the_weakest_make_room(ghost, monkeypatch):
    monkeypatch.setattr("chrysalis_memory.ghost.pheromones.TRACES_MAX", 10)
    for number in range(15):
        lay(ghost, f"number {number}", strength=1 + number / 1000)
    found = said(ghost)
    assert len(found) == 10
    assert found[-1][0] == "number 5"


def test_of_too_many_types_the_weakest_make_room(ghost, monkeypatch):
    monkeypatch.setattr("chrysalis_memory.ghost.pheromones.TYPES_MAX", 5)
    for number in range(7):
        lay(ghost, "x", f"type{number}", strength=1 + number / 1000)
    types = ghost.pheromones.types()
    assert len(types) == 5
    assert "TYPE0" not in types
    assert "TYPE1" not in types


def test_as_much_as_is_allowed_always_fits(ghost):
    words, name = "\ud800" * 1000, "\ud800" * 250
    most = [Pheromone("WARNING", words, f"{name}{number}", 1.0, NOON) for number in range(TRACES_MAX)]
    ghost.pheromones._store("WARNING", most, NOON)
    assert len(ghost.pheromones.sniff("warning")) == TRACES_MAX


def test_a_clock_that_went_back_makes_nothing_stronger(ghost, hands):
    lay(ghost)
    hands.go(hours=-5)
    assert said(ghost) == [("thin ice", 1.0)]


@pytest.mark.parametrize(
    ("named", "error"),
    [
        ({"message": ""}, ValueError),
        ({"message": "x" * 1001}, ValueError),
        ({"message": 7}, TypeError),
        ({"type": " "}, ValueError),
        ({"strength": 0.0}, ValueError),
        ({"strength": float("nan")}, ValueError),
        ({"strength": "1"}, TypeError),
        ({"half_life": 0}, ValueError),
        ({"agent": ""}, ValueError),
    ],
)
def test_arguments_are_checked(ghost, named, error):
    with pytest.raises(error):
        lay(ghost, **named)


@pytest.mark.parametrize(
    "data",
    [
        None,
        {"type": "WARNING"},
        {"type": "warning", "traces": []},
        {"type": "WARNING", "traces": [1]},
        {"type": "WARNING", "traces": [{}]},
        {
            "type": "WARNING",
            "traces": [{"message": "x", "agent": "a", "strength": 1e9, "at": "2026-03-01", "half_life_s": 1}],
        },
        {
            "type": "WARNING",
            "traces": [{"message": "x", "agent": "a", "strength": 1, "at": "2026-03-01", "half_life_s": 0}],
        },
        {"type": "WARNING", "traces": [{"message": "x", "agent": "a", "strength": 1, "at": "never", "half_life_s": 1}]},
        {"type": "WARNING", "traces": [{}] * (TRACES_MAX + 1)},
    ],
)
def test_a_file_with_a_wrong_shape_is_set_aside_and_the_type_starts_anew(ghost, tmp_path, data):
    lay(ghost, "before", "dream")
    path = tmp_path / "pheromones/by_type/WARNING.json"
    path.write_text(json.dumps({"ghost": 1, "written_at": "2026-03-01T12:00:00Z", "data": data}))
    assert said(ghost) == [("before", 1.0)]
    assert [one.place for one in ghost.problems] == ["pheromones/by_type/WARNING.json"]
    lay(ghost)
    assert said(ghost, "warning") == [("thin ice", 1.0)]


def test_a_file_under_another_type_s_name_is_not_counted(ghost, tmp_path):
    lay(ghost)
    folder = tmp_path / "pheromones/by_type"
    (folder / "DREAM.json").write_bytes((folder / "WARNING.json").read_bytes())
    assert said(ghost) == [("thin ice", 1.0)]
    assert said(ghost, "dream") == []
