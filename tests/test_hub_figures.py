"""The figures of a running hub are those of its store and its links."""

import pytest

from chrysalis_memory.hub.running import Running
from chrysalis_memory.hub.settings import HubSettings
from test_hub_metrics import read


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    settings = HubSettings(port=0, http_port=0, embedder="none", space="team", probe_interval_s=0.001)
    with Running(tmp_path_factory.mktemp("hub"), settings) as running:
        running.memory.remember("one")
        running.memory.remember("two")
        yield running


def test_figures_are_those_of_the_store(hub):
    figures, stats = read(hub.desk.metrics.text()), hub.memory.stats()
    for name in ("memories", "operations", "logs", "conflicts"):
        assert figures[f"chrysalis_hub_{name}"] == getattr(stats, name), name
    assert figures['chrysalis_hub_store_bytes{file="chrysalis.db"}'] >= 4096
    assert figures["chrysalis_hub_disk_free_bytes"] > 0
    assert figures["chrysalis_hub_uptime_seconds"] > 0
    assert figures["chrysalis_hub_audit_lost_total"] == 0


def test_figures_count_members_by_role_and_links(hub):
    figures = read(hub.desk.metrics.text())
    assert figures['chrysalis_hub_members{role="administrator"}'] == 1
    assert figures["chrysalis_hub_links"] == 0


def test_the_figure_of_health_is_that_of_health(hub):
    assert read(hub.desk.metrics.text())["chrysalis_hub_well"] == 1

    def broken():
        raise OSError("no")

    hub.desk.health.add("broken", broken)
    assert read(hub.desk.metrics.text())["chrysalis_hub_well"] == 0


def test_every_figure_says_what_it_is(hub):
    text = hub.desk.metrics.text()
    names = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(names) == len(set(names))
    assert all(name.startswith("chrysalis_hub_") for name in names)
    assert text.count("# HELP") == len(names) > 15
