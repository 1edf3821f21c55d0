"""`chrysalis simulate`: the curve, the table, the beliefs."""

import pytest


def test_the_curve_ends_with_everyone_and_stands_beside_the_formula(chrysalis):
    shown = chrysalis("simulate", "--agents", "50", terminal=True)
    assert shown.code == 0
    assert "100 %" in shown.out
    assert "The formula says" in shown.out
    assert max(len(line) for line in shown.out.splitlines()) <= 100


def test_a_pipe_gets_a_line_for_each_round(chrysalis):
    rows = chrysalis("simulate", "--agents", "20", "--mode", "push-pull").rows
    assert rows[0] == ["0", "0.050000"]
    assert rows[-1][1] == "1.000000"


def test_a_program_gets_the_figures_and_the_same_seed_the_same(chrysalis):
    told = [chrysalis("simulate", "--agents", "30", "--seed", "5", "--json").json for _ in range(2)]
    assert told[0] == told[1]
    assert told[0]["complete"] == 1
    assert told[0]["shares"][-1] == 1.0


def test_the_table_has_a_line_for_each_size(chrysalis):
    shown = chrysalis("simulate", "--agents", "100", "--table", "--seeds", "2", terminal=True)
    assert "2 of 2" in shown.out
    assert [row[0] for row in chrysalis("simulate", "--agents", "100", "--table").rows] == ["10", "30", "100"]


def test_the_beliefs_show_how_far_each_reading_is_off(chrysalis):
    shown = chrysalis("simulate", "--agents", "60", "--liars", "0.33", terminal=True)
    assert "Off by: trimmed mean 0.0" in shown.out
    told = chrysalis("simulate", "--agents", "60", "--liars", "0.33", "--json").json
    last = told["rounds"][-1]
    assert abs(last["trimmed_mean"] - told["truth"]) < abs(last["mean"] - told["truth"])
    assert len(chrysalis("simulate", "--agents", "60", "--liars", "0.33").rows) == len(told["rounds"])


@pytest.mark.parametrize("wrong", [["--agents", "1"], ["--loss", "2"], ["--mode", "shout"], ["--liars", "7"]])
def test_misuse_is_told(chrysalis, wrong):
    assert chrysalis("simulate", *wrong).code == 2
