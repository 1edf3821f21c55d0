"""Figures are written as Prometheus reads them."""

import re
import threading

import pytest

from chrysalis_memory.hub.metrics import LATENCIES_S, SERIES_MAX, Metrics

LINE = re.compile(r'^([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\\\|\\"|\\n)*",?)+)\})? ([0-9.e+-]+|\+Inf)$')


def read(text):
    """The series of a text by name and labels; fails on a line that is none."""
    series = {}
    for line in text.splitlines():
        if line.startswith("#"):
            assert re.match(r"^# (HELP|TYPE) [a-z_]+ ", line), line
            continue
        match = LINE.match(line)
        assert match, line
        series[match[1] + (f"{{{match[2]}}}" if match[2] else "")] = float(match[3])
    return series


def test_counters_add_up_by_label_and_keep_what_threads_say_at_once():
    metrics = Metrics()
    counter = metrics.counter("refusals_total", "Refused.")
    threads = [threading.Thread(target=lambda: [counter.add(code="malformed") for _ in range(500)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counter.add(2.5, code="other")
    assert read(metrics.text()) == {'refusals_total{code="malformed"}': 2000, 'refusals_total{code="other"}': 2.5}
    assert counter.get(code="malformed") == 2000


def test_a_histogram_counts_each_time_in_every_class_that_holds_it():
    metrics = Metrics()
    histogram = metrics.histogram("seconds", "How long.")
    for seconds in (0.0005, 0.001, 0.3, 99):
        histogram.observe(seconds, path="/x")
    series = read(metrics.text())
    classes = [series[f'seconds_bucket{{path="/x",le="{end:g}"}}'] for end in LATENCIES_S]
    assert classes == [sum(seconds <= end for seconds in (0.0005, 0.001, 0.3, 99)) for end in LATENCIES_S]
    assert series['seconds_bucket{path="/x",le="+Inf"}'] == series['seconds_count{path="/x"}'] == 4
    assert series['seconds_sum{path="/x"}'] == pytest.approx(99.3015)


def test_gauges_are_asked_when_they_are_read():
    metrics, now = Metrics(), {"links": 1.0}
    metrics.gauges("links", "Links.", lambda: now["links"])
    metrics.gauges("lag", "Lag.", lambda: {(("replica", "ab"),): 3})
    assert read(metrics.text()) == {"links": 1, 'lag{replica="ab"}': 3}
    now["links"] = 7
    assert read(metrics.text())["links"] == 7


def test_labels_can_not_break_out_of_their_quotes():
    metrics = Metrics()
    metrics.counter("x_total", "X.").add(label='a"} 1\nx_total 9\\')
    [name] = read(metrics.text())
    assert name == 'x_total{label="a\\"} 1\\nx_total 9\\\\"}'


def test_series_are_bounded():
    metrics = Metrics()
    counter, histogram = metrics.counter("x_total", "X."), metrics.histogram("y", "Y.")
    for number in range(SERIES_MAX + 5):
        counter.add(n=str(number))
        histogram.observe(1, n=str(number))
    assert metrics.text().count("\nx_total{") == SERIES_MAX
    assert metrics.text().count("y_count{") == SERIES_MAX


def test_a_figure_has_one_owner_and_a_plain_name():
    metrics = Metrics()
    metrics.counter("x_total", "X.")
    with pytest.raises(ValueError, match="there already"):
        metrics.counter("x_total", "X.")
    with pytest.raises(ValueError, match="no name"):
        metrics.counter("x total", "X.")
