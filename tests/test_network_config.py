"""Settings of links and gossip."""

from dataclasses import fields

import pytest

from chrysalis_memory._core import Node
from chrysalis_memory.network import GossipConfig, Network, SyncConfig, _runtime


def test_each_setting_has_its_default_and_is_checked():
    for config in (SyncConfig(), GossipConfig()):
        numbers = [one.name for one in fields(config) if str(one.type).split()[0] in {"int", "float"}]
        assert numbers
        for name in numbers:
            assert getattr(config, name) > 0
            for wrong in (0, -1, float("inf")):
                with pytest.raises((ValueError, TypeError), match=name):
                    type(config)(**{name: wrong})
            with pytest.raises(TypeError, match=name):
                type(config)(**{name: "many"})


def test_a_hub_tells_everyone():
    assert GossipConfig(fanout=None).fanout is None


def test_a_key_without_a_certificate_is_refused():
    with pytest.raises(ValueError, match="tls_certificate"):
        SyncConfig(tls_key="host.key")


def test_what_is_announced_is_an_address():
    assert SyncConfig(announce="wss://hub.example").announce == "wss://hub.example"
    with pytest.raises(ValueError, match="no address"):
        SyncConfig(announce="hub.example")


@pytest.mark.parametrize(("fanout", "bound"), [(None, 2_000), (3, None)])
def test_a_hub_holds_as_many_links_as_it_may_and_gossip_hangs_up_on_none(memory, monkeypatch, fanout, bound):
    told = []

    def noted(replica, settings, seed):
        told.append(settings)
        return Node(replica, settings, seed)

    monkeypatch.setattr(_runtime, "Node", noted)
    config = SyncConfig(links_max=2_000, gossip=GossipConfig(fanout=fanout))
    Network(memory, listen="127.0.0.1:0", config=config).start().stop()
    assert [settings.get("gossip_links_max") for settings in told] == [bound]
