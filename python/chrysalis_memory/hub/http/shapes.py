"""The shapes of what the interface takes and gives, as JSON Schema."""

from __future__ import annotations

from typing import Final

from chrysalis_memory.hub.http.schema import Schema, array, nullable, object_of, typed
from chrysalis_memory.ranking import RANKINGS

__all__ = ["ERROR", "FILTERS", "MEMORY", "RECALL", "RECALL_BODY", "REMEMBER_BODY", "UPDATE_BODY"]

TEXTS_MAX: Final = 256
"""Entries of one list in a request."""
ID_CHARACTERS_MAX: Final = 1024
HITS_MAX: Final = 100
PAGE_MAX: Final = 1_000

_TEXT: Final = typed("string")
_SCORE: Final = typed("number", "from 0 to 1", minimum=0, maximum=1)
_MOMENT: Final = typed("string", "a time, ISO 8601", maxLength=64)
_TIER: Final = typed("string", enum=["working", "long_term"])
_TEXTS: Final = array(typed("string", maxLength=ID_CHARACTERS_MAX), maxItems=TEXTS_MAX)
_SHORT: Final = typed("string", maxLength=ID_CHARACTERS_MAX)
_METADATA: Final = typed("object", "from text to JSON values; null takes a key away")

ERROR: Final = object_of(
    {"error": object_of({"code": _TEXT, "message": _TEXT, "hint": _TEXT})}, told="what went wrong, and what to do"
)

MEMORY: Final[Schema] = object_of(
    {
        "id": _TEXT,
        "content": _TEXT,
        "tier": _TIER,
        "memory_type": _TEXT,
        "scope": _TEXT,
        "tags": array(_TEXT),
        "importance": _SCORE,
        "confidence": _SCORE,
        "access_count": typed("integer"),
        "created_at": _TEXT,
        "updated_at": _TEXT,
        "author": typed("string", "public key of the replica that created it, in hex"),
        "agent_id": typed("string", "the agent that wrote last"),
        "parents": array(_TEXT),
        "related": array(_TEXT),
        "evidence": array(_TEXT),
        "thread": nullable(_TEXT),
        "speaker": nullable(_TEXT),
        "occurred_at": nullable(_TEXT),
        "metadata": typed("object"),
        "valid_from": nullable(_TEXT),
        "valid_until": nullable(_TEXT),
        "expires_at": nullable(_TEXT),
        "fingerprint": typed("string", "the signed operation that wrote last"),
        "signature": _TEXT,
        "version": typed("integer"),
        "conflicts": array(_TEXT, "fields in which concurrent values stand"),
        "lamport": typed("integer"),
    },
    told="a memory",
)

RECALL: Final[Schema] = object_of(
    {
        "hits": array(
            object_of(
                {
                    "memory": MEMORY,
                    "score": typed("number"),
                    "why": _TEXT,
                    "parts": typed("object", additionalProperties=typed("number")),
                }
            ),
            "best first",
        ),
        "outcome": object_of({"complete": typed("boolean"), "reasons": array(_TEXT)}),
        "stages": typed("object", "seconds of each step", additionalProperties=typed("number")),
    }
)

FILTERS: Final[dict[str, Schema]] = {
    "scope": _SHORT | {"description": "only in this scope and those below it"},
    "tier": _TIER,
    "memory_type": _SHORT,
    "tags": _TEXTS | {"description": "all of these"},
    "thread": _SHORT,
    "min_importance": _SCORE,
}

RECALL_BODY: Final[Schema] = object_of(
    {
        "query": typed("string", "the question, as it stands", maxLength=16_384),
        "k": typed("integer", "how many hits at most", minimum=1, maximum=HITS_MAX),
        **FILTERS,
        "speaker": _SHORT,
        "since": _MOMENT,
        "until": _MOMENT,
        "as_of": _MOMENT,
        "reference_time": _MOMENT,
        "mode": typed("string", enum=["hybrid", "text", "vector"]),
        "ranking": typed("string", enum=["default", *RANKINGS]),
        "threshold": {
            "type": ["string", "number"],
            "description": "none, lenient, balanced, strict, or a number from 0 to 1",
        },
        "dates": typed("string", enum=["lift", "narrow", "ignore"]),
        "prefix": typed("boolean", "a star after the last word stands for any ending"),
        "verified_only": typed("boolean", "check the signatures of each hit now"),
    },
    required=("query",),
)

_WRITTEN: Final[dict[str, Schema]] = {
    "content": typed("string", "the words, as they are said"),
    "tier": _TIER,
    "memory_type": _SHORT,
    "scope": _SHORT,
    "importance": _SCORE,
    "confidence": _SCORE,
}
_WHEN: Final[dict[str, Schema]] = {"occurred_at": _MOMENT, "valid_from": _MOMENT, "valid_until": _MOMENT}
_TTL: Final = typed("number", "seconds until it fades")

REMEMBER_BODY: Final[Schema] = object_of(
    {
        **_WRITTEN,
        "id": _SHORT,
        "tags": _TEXTS,
        "parents": _TEXTS,
        "related": _TEXTS,
        "evidence": _TEXTS,
        "thread": _SHORT,
        "speaker": _SHORT,
        "metadata": _METADATA,
        "ttl": _TTL,
        **_WHEN,
    },
    required=("content",),
)

UPDATE_BODY: Final[Schema] = object_of(
    {
        **_WRITTEN,
        "add_tags": _TEXTS,
        "remove_tags": _TEXTS,
        "thread": nullable(_SHORT),
        "speaker": nullable(_SHORT),
        "metadata": _METADATA,
        "ttl": nullable(_TTL),
        **{name: nullable(schema) for name, schema in _WHEN.items()},
    },
    required=(),
)
