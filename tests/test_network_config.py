"""Settings of links and gossip."""

from dataclasses import fields

import pytest

from chrysalis_memory.network import GossipConfig, SyncConfig


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
