"""The exact names and defaults that other programs build on."""

import inspect

import pytest

from chrysalis_memory import ChrysalisMemory
from chrysalis_memory._said import UNSET

REQUIRED = object()

SIGNATURES = {
    "__init__": {
        "path": None,
        "agent_id": "agent",
        "space": None,
        "closed": False,
        "invite": None,
        "passphrase": None,
        "embedder": "auto",
        "config": None,
        "peers": (),
        "listen": None,
        "policy": "streaming",
        "sync": None,
        "sync_config": None,
    },
    "receipt": {"id": REQUIRED},
    "status": {},
    "sync_state": {"id": REQUIRED},
    "synced": {"timeout": None},
    "sync_once": {"url": REQUIRED, "timeout": 60.0},
    "merge": {"other": REQUIRED, "timeout": 600.0},
    "invite": {"role": "writer", "expires": 86400.0, "urls": ()},
    "invitations": {},
    "revoke": {"invitation": REQUIRED},
    "members": {},
    "remove": {"key": REQUIRED},
    "configure": {"robust": REQUIRED},
    "attest": {"id": REQUIRED, "confidence": REQUIRED},
    "validate": {"id": REQUIRED, "threshold": None},
    "peers": {},
    "add_peer": {"url": REQUIRED},
    "forget_peer": {"url": REQUIRED},
    "remember": {
        "content": REQUIRED,
        "id": None,
        "tier": "long_term",
        "memory_type": "episodic",
        "scope": "",
        "importance": 0.5,
        "confidence": 0.5,
        "tags": (),
        "parents": (),
        "related": (),
        "evidence": (),
        "thread": None,
        "speaker": None,
        "occurred_at": None,
        "metadata": None,
        "ttl": None,
        "valid_from": None,
        "valid_until": None,
    },
    "remember_many": {"records": REQUIRED},
    "recall": {
        "query": REQUIRED,
        "k": 10,
        "scope": None,
        "tier": None,
        "memory_type": None,
        "tags": None,
        "thread": None,
        "speaker": None,
        "since": None,
        "until": None,
        "as_of": None,
        "min_importance": None,
        "verified_only": False,
        "mode": "hybrid",
        "ranking": None,
        "threshold": "lenient",
        "reference_time": None,
        "dates": "lift",
        "prefix": False,
    },
    "get": {"id": REQUIRED},
    "get_many": {"ids": REQUIRED},
    "range": {
        "start": REQUIRED,
        "end": REQUIRED,
        "scope": None,
        "tier": None,
        "memory_type": None,
        "tags": None,
        "limit": 1000,
    },
    "list": {
        "scope": None,
        "tier": None,
        "memory_type": None,
        "tags": None,
        "thread": None,
        "min_importance": None,
        "order": "created",
        "descending": True,
        "limit": 100,
        "offset": 0,
    },
    "update": {
        "id": REQUIRED,
        "content": UNSET,
        "tier": UNSET,
        "memory_type": UNSET,
        "scope": UNSET,
        "importance": UNSET,
        "confidence": UNSET,
        "add_tags": (),
        "remove_tags": (),
        "thread": UNSET,
        "speaker": UNSET,
        "occurred_at": UNSET,
        "metadata": UNSET,
        "ttl": UNSET,
        "valid_from": UNSET,
        "valid_until": UNSET,
    },
    "relate": {"id": REQUIRED, "other": REQUIRED, "kind": "related"},
    "add_evidence": {"id": REQUIRED, "evidence": REQUIRED},
    "history": {"id": REQUIRED},
    "conflicts": {"id": REQUIRED},
    "ancestors": {"id": REQUIRED},
    "descendants": {"id": REQUIRED},
    "forget": {"id": REQUIRED, "reason": "", "withdraw": False},
    "consolidate": {"scope": None, "similarity": 0.8},
    "promote": {"ids": None, "threshold": None, "scope": None},
    "batch": {},
    "flush": {"progress": None},
    "vector_models": {},
    "drop_vectors": {"model": REQUIRED},
    "watch": {"timeout": None},
    "verify": {"id": None},
    "proofs": {},
    "stats": {},
    "export": {"path": REQUIRED},
    "import_": {"path": REQUIRED, "format": None},
    "rebuild": {},
    "close": {},
    "create_working_memory": {"content": REQUIRED, "more": REQUIRED},
    "create_episodic_memory": {"content": REQUIRED, "more": REQUIRED},
    "get_episodic_memories": {
        "memory_type": None,
        "min_importance": None,
        "verified_only": False,
        "limit": 1000,
    },
}

POSITIONAL = {
    "invitation",
    "path",
    "content",
    "records",
    "query",
    "id",
    "ids",
    "start",
    "end",
    "other",
    "model",
    "role",
    "url",
    "key",
    "confidence",
}


def parameters(name):
    found = inspect.signature(getattr(ChrysalisMemory, name)).parameters
    return [one for one in found.values() if one.name != "self"]


@pytest.mark.parametrize("name", SIGNATURES)
def test_names_and_defaults_are_the_promised_ones(name):
    found = {one.name: REQUIRED if one.default is one.empty else one.default for one in parameters(name)}
    assert found == SIGNATURES[name]


@pytest.mark.parametrize("name", SIGNATURES)
def test_all_but_the_subject_is_given_by_name(name):
    for one in parameters(name):
        if one.name not in POSITIONAL:
            assert one.kind in {one.KEYWORD_ONLY, one.VAR_KEYWORD, one.VAR_POSITIONAL}, one.name


def test_there_is_no_other_public_method():
    public = {name for name in dir(ChrysalisMemory) if not name.startswith("_")}
    assert public == (set(SIGNATURES) - {"__init__"}) | {
        "path",
        "public_key",
        "encrypted",
        "closed",
        "role",
        "brought_along",
        "robust",
    }
