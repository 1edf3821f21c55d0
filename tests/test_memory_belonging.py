"""Spaces and members: founding, inviting, joining."""

from datetime import timedelta
from time import time_ns

import pytest

from chrysalis_memory import ChrysalisMemory, Malformed, NotAllowed, NotFound
from memory_cases import contents, eventually


@pytest.fixture
def opened(tmp_path):
    """Opens stores by name in the folder of the test, and closes them at its end."""
    stores = []

    def open_one(name, **more):
        stores.append(ChrysalisMemory(tmp_path / name, agent_id=name, embedder="none", **more))
        return stores[-1]

    yield open_one
    for store in stores:
        store.close()


def carry(tmp_path, one, other):
    one.export(tmp_path / "bundle")
    assert other.import_(tmp_path / "bundle").failed == ()


def test_a_new_store_keeps_the_open_space_default(opened):
    store = opened("ada")
    assert (store.space, store.closed, store.role, store.brought_along, store.peers()) == (
        "default",
        False,
        "administrator",
        0,
        [],
    )


def test_a_store_opens_whatever_space_it_keeps_unless_another_is_named(opened):
    opened("ada", space="studio").close()
    assert opened("ada").space == "studio"
    with pytest.raises(ValueError, match='keeps the space "studio", not "default"'):
        opened("ada", space="default")


def test_members_of_a_closed_space_share_it(opened, tmp_path):
    founder = opened("founder", space="team", closed=True)
    founder.remember("said by the founder")
    member = opened("member", invite=founder.invite("writer"))
    member.remember("said by the member")
    carry(tmp_path, founder, member)
    carry(tmp_path, member, founder)
    assert sorted(contents(founder.list())) == sorted(contents(member.list()))
    assert len(member.list()) == 2


def test_joining_brings_along_what_the_store_remembers(opened):
    token = opened("founder", space="team", closed=True).invite("writer", urls=["wss://hub.example:4444"])
    own = opened("own")
    note = own.remember("the kiln is hot", tags=["kiln"], metadata={"shelf": 3}, importance=0.8, scope="workshop")
    own.close()
    own = opened("own", invite=token)
    kept = own.get(note.id)
    assert (own.brought_along, own.space, own.role, own.peers()) == (1, "team", "writer", ["wss://hub.example:4444"])
    assert (kept.content, kept.tags, kept.metadata, kept.importance, kept.scope) == (
        note.content,
        note.tags,
        note.metadata,
        note.importance,
        note.scope,
    )
    assert kept.occurred_at == note.created_at
    assert contents(hit.memory for hit in own.recall("how hot is the kiln?")) == ["the kiln is hot"]


def test_an_invitation_is_listed_until_it_is_taken_back_by_id_or_token(opened):
    founder = opened("founder", space="team", closed=True)
    one, other = founder.invite("reader", expires=None), founder.invite("validator", expires=60)
    first, last = founder.invitations()
    assert (first.role, last.role, last.expires_at, last.joined) == ("validator", "reader", None, 0)
    assert abs(first.expires_at.timestamp() - time_ns() / 1e9 - 60) < 30
    assert founder.revoke(first.id)
    assert not founder.revoke(other)
    assert founder.revoke(f"  {one}\n")
    assert founder.invitations() == []


def test_what_is_no_invitation_is_not_taken_back(opened):
    founder = opened("founder", space="team", closed=True)
    member = opened("member", invite=founder.invite())
    with pytest.raises(NotFound):
        founder.revoke(founder.public_key)
    with pytest.raises(Malformed):
        founder.revoke(founder.invite()[:-3])
    with pytest.raises(ValueError, match="not this one"):
        founder.revoke(opened("elsewhere", space="team", closed=True).invite())
    with pytest.raises(ValueError, match="64 hexadecimal"):
        founder.revoke("not an id")
    with pytest.raises(NotAllowed):
        member.revoke("ab" * 32)
    assert founder.role == "administrator"


def test_a_token_is_one_line_that_no_representation_shows(opened):
    token = opened("founder", space="team", closed=True).invite()
    assert token.startswith("chrysalis1")
    assert len(token.split()) == 1
    assert token not in repr(opened("member", invite=token))


def with_two_letters_swapped(token: str) -> str:
    at = next(at for at in range(40, len(token)) if token[at] != token[at + 1])
    return token[:at] + token[at + 1] + token[at] + token[at + 2 :]


@pytest.mark.parametrize("spoilt", [lambda token: token[:-5], with_two_letters_swapped, lambda _: "a-password"])
def test_a_token_that_was_cut_or_mistyped_is_refused_and_not_repeated(opened, spoilt):
    token = spoilt(opened("founder", space="team", closed=True).invite())
    with pytest.raises(Malformed) as refused:
        opened("member", invite=token)
    assert token not in str(refused.value)


def test_a_reader_writes_nothing_and_is_told_what_to_do(opened):
    reader = opened("reader", invite=opened("founder", space="team", closed=True).invite("reader"))
    with pytest.raises(NotAllowed, match="reader of the space, and may not write") as refused:
        reader.remember("no")
    assert refused.value.code == "role_lacking"
    assert "invitation" in refused.value.hint
    assert reader.recall("anything").hits == ()


def test_who_has_memories_does_not_join_as_a_reader(opened):
    token = opened("founder", space="team", closed=True).invite("relay")
    own = opened("own")
    own.remember("mine")
    own.close()
    with pytest.raises(NotAllowed, match="1 memories of its own, and as a relay"):
        opened("own", invite=token)
    assert contents(opened("own").list()) == ["mine"]


def test_only_an_administrator_of_a_closed_space_invites(opened):
    founder = opened("founder", space="team", closed=True)
    with pytest.raises(NotAllowed, match="to invite takes an administrator"):
        opened("validator", invite=founder.invite("validator")).invite()
    with pytest.raises(NotAllowed) as refused:
        opened("open").invite()
    assert refused.value.code == "space_open"


def test_an_invitation_that_has_expired_is_refused(opened):
    token = opened("founder", space="team", closed=True).invite(expires=timedelta(milliseconds=1))

    def is_refused():
        try:
            opened(f"late-{time_ns()}", invite=token)
        except NotAllowed as refused:
            return refused.code == "invitation_expired"
        return False

    assert eventually(is_refused)


def test_misuse_of_invitations_is_refused(opened):
    founder = opened("founder", space="team", closed=True)
    for arguments, error in [
        ({"role": "king"}, ValueError),
        ({"role": 3}, TypeError),
        ({"expires": 0}, ValueError),
        ({"urls": "wss://one"}, TypeError),
        ({"urls": ["a b"]}, ValueError),
        ({"urls": ["a:1"] * 9}, ValueError),
    ]:
        with pytest.raises(error):
            founder.invite(**arguments)
    with pytest.raises(ValueError, match="founded or joined"):
        opened("both", closed=True, invite=founder.invite())


def test_addresses_are_kept_until_they_are_forgotten(opened):
    store = opened("ada")
    assert (store.add_peer("b.example:1"), store.add_peer("a.example:1"), store.add_peer("a.example:1")) == (
        True,
        True,
        False,
    )
    store.close()
    store = opened("ada")
    assert store.peers() == ["a.example:1", "b.example:1"]
    assert (store.forget_peer("a.example:1"), store.forget_peer("a.example:1")) == (True, False)
    with pytest.raises(ValueError, match="address"):
        store.add_peer("not an address")
