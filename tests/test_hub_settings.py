"""Settings of a hub: bounds, and what must be said in as many words."""

from dataclasses import fields
from pathlib import Path

import pytest

from chrysalis_memory.hub.settings import HubSettings
from chrysalis_memory.network.addresses import is_loopback

TLS = {"tls_cert": "cert.pem", "tls_key": "key.pem"}


def test_a_hub_listens_to_this_machine_alone_and_keeps_a_closed_space_unless_told():
    settings = HubSettings()
    assert (settings.host, settings.port, settings.http_port) == ("127.0.0.1", 4444, 8082)
    assert not settings.open_space
    assert settings.loopback_right == "none"
    assert not settings.open_metrics


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "hub.example", "::ffff:10.0.0.1"])
def test_nothing_beyond_loopback_goes_without_tls_unless_told(host):
    with pytest.raises(ValueError, match="serve_without_tls_beyond_loopback"):
        HubSettings(host=host)
    assert HubSettings(host=host, serve_without_tls_beyond_loopback=True).host == host
    assert HubSettings(host=host, **TLS).host == host


def test_an_open_space_is_not_served_beyond_loopback_unless_told_with_tls_or_without():
    with pytest.raises(ValueError, match="serve_open_space_beyond_loopback"):
        HubSettings(host="0.0.0.0", open_space=True, **TLS)
    assert HubSettings(host="0.0.0.0", open_space=True, serve_open_space_beyond_loopback=True, **TLS).open_space
    assert HubSettings(open_space=True).open_space


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost", "::ffff:127.0.0.1"])
def test_addresses_of_this_machine_are_known(host):
    assert is_loopback(host)


@pytest.mark.parametrize(
    "wrong",
    [
        {"port": -1},
        {"port": 65536},
        {"http_port": 1.5},
        {"links_max": 0},
        {"links_max": True},
        {"request_timeout_s": float("inf")},
        {"request_timeout_s": "3"},
        {"open_space": 1},
        {"space": ""},
        {"loopback_right": "everything"},
        {"tls_cert": "only.pem"},
        {"body_bytes_max": -1},
    ],
)
def test_values_that_make_no_sense_are_refused_by_name(wrong):
    [name] = wrong
    with pytest.raises((ValueError, TypeError), match=name):
        HubSettings(**wrong)


def test_every_setting_says_its_reason():
    source = Path(__import__("chrysalis_memory.hub.settings", fromlist=["x"]).__file__).read_text("utf-8")
    for setting in fields(HubSettings):
        after = source.split(f"\n    {setting.name}: ", 1)[1].split("\n", 2)[1]
        assert after.strip().startswith('"""'), setting.name
