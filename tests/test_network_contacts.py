"""What is remembered of other replicas."""

from chrysalis_memory.errors import Unreachable
from chrysalis_memory.network._contacts import Contacts

KEY = "ab" * 32
LINK = {"link": 1, "key": KEY, "role": "writer", "address": "ws://127.0.0.1:1", "dialed": True, "ready": True}
STATE = {"agreed": True, "ahead_logs": 0, "unacknowledged_bytes": 0}


def ready(contacts, link=1, key=KEY):
    contacts.heard("ready", {"link": link, "key": key, "role": "writer"})


def test_a_peer_that_is_linked_is_shown_with_what_it_lacks():
    contacts = Contacts()
    ready(contacts)
    [peer] = contacts.peers([LINK | STATE], ["ws://127.0.0.1:1"], {}, {KEY: 7})
    assert (peer.key, peer.role, peer.connected, peer.lag, peer.last_error) == (KEY, "writer", True, 7, None)
    assert peer.last_contact is not None


def test_a_peer_that_is_wanted_and_not_there_is_shown_with_the_reason():
    url = "wss://hub.example:4444"
    [peer] = Contacts().peers([], [url], {url: Unreachable("nobody answers")}, {})
    assert (peer.url, peer.connected, peer.key, peer.last_error) == (url, False, None, "nobody answers")


def test_the_reason_of_an_end_is_kept_unless_it_was_wished_for():
    contacts = Contacts()
    for code, shown in (("timeout", "timeout: too late"), ("closed", None), ("enough", None)):
        ready(contacts)
        contacts.heard("closed", {"link": 1, "key": KEY, "code": code, "why": "too late"})
        [peer] = contacts.peers([LINK | STATE], [], {}, {})
        assert peer.last_error == shown
    ready(contacts)
    [peer] = contacts.peers([LINK | STATE], [], {}, {})
    assert peer.last_error is None


REFUSED = {"link": 1, "key": None, "code": "not_allowed", "why": "the invitation was taken back"}


def test_who_lets_this_replica_in_nowhere_is_named_until_somebody_does():
    contacts, url = Contacts(), "wss://hub.example:4444"
    assert contacts.refused is None
    # Once: what says the same again is no news.
    assert [contacts.shut_out(url, REFUSED) for _ in range(2)] == [True, False]
    assert contacts.refused == f"{url}: the invitation was taken back"
    [peer] = contacts.peers([], [url], {}, {})
    assert peer.last_error == "the invitation was taken back"
    ready(contacts)
    assert contacts.refused is None


def test_whom_this_replica_refuses_itself_or_who_called_it_is_no_refusal_of_it():
    contacts = Contacts()
    assert not contacts.shut_out(None, REFUSED)
    assert not contacts.shut_out("wss://hub.example:4444", REFUSED | {"key": KEY})
    assert not contacts.shut_out("wss://hub.example:4444", REFUSED | {"code": "timeout"})
    assert contacts.refused is None


def test_strangers_by_the_thousand_take_no_more_room_than_there_is():
    contacts = Contacts()
    for number in range(10_000):
        ready(contacts, number, f"{number:064x}")
        contacts.heard("closed", {"link": number, "key": f"{number:064x}", "code": "closed", "why": ""})
    assert len(contacts._by_key) == 4_096
    assert contacts._of_link == {}
