"""What is an address, and what may be reached or served there."""

import pytest

from chrysalis_memory.network.addresses import is_loopback, is_unspecified, read_address, read_listen

KEY = "ab" * 32


def test_an_address_says_host_port_and_whether_tls_is_spoken():
    address = read_address("wss://Hub.Example:9000/team/")
    assert (address.host, address.port, address.tls, address.path) == ("hub.example", 9000, True, "/team")
    assert address.url == "wss://hub.example:9000/team"


def test_an_address_without_a_port_means_the_hub_s():
    assert read_address("ws://localhost").url == "ws://localhost:4444"
    assert read_address("wss://[2001:db8::1]").url == "wss://[2001:db8::1]:4444"


def test_the_key_that_is_believed_there_may_follow():
    address = read_address(f"wss://hub.example#{KEY}")
    assert (address.key, address.url) == (KEY, "wss://hub.example:4444")


@pytest.mark.parametrize("url", ["ws://192.0.2.1:4444", "ws://hub.example", "ws://0.0.0.0:1", "ws://localhost.example"])
def test_plain_text_beyond_this_machine_must_be_asked_for_in_as_many_words(url):
    with pytest.raises(ValueError, match="plain text beyond this machine"):
        read_address(url)
    assert read_address(url, allow_plain=True).tls is False


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hub.example",
        "http://hub.example",
        "ws://",
        "wss://hub.example:0",
        "wss://hub.example:70000",
        "wss://user:secret@hub.example",
        "wss://hub.example?a=b",
        f"wss://hub.example#{KEY[:-1]}",
        f"wss://hub.example#{KEY.upper()}",
        "wss://hub.example/\x00",
        "wss://hüb.example",
        "wss://hub.example/" + "a" * 256,
        "wss://[::1",
        "wss://a b",
    ],
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(ValueError, match=r"address|key"):
        read_address(text)


def test_an_address_is_text():
    with pytest.raises(TypeError, match="not int"):
        read_address(4444)
    with pytest.raises(TypeError, match="not int"):
        read_listen(4444)


@pytest.mark.parametrize("text", ["", "4444", "localhost", "localhost:", ":4444", "localhost:70000", "a/b:1", "h:-1"])
def test_what_is_no_place_to_listen_is_refused(text):
    with pytest.raises(ValueError, match="no place to listen"):
        read_listen(text)


def test_loopback_is_what_only_this_machine_reaches():
    assert [is_loopback(host) for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost")] == [True] * 4
    assert [is_loopback(host) for host in ("0.0.0.0", "::", "10.0.0.1", "localhost.example", "")] == [False] * 5
    assert [is_unspecified(host) for host in ("0.0.0.0", "::", "", "127.0.0.1", "hub")] == [True] * 3 + [False] * 2
