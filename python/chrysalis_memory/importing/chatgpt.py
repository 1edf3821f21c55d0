"""The conversations of a ChatGPT export (`conversations.json`).

A conversation is a tree: editing a question or asking again opens a branch. Imported is the branch that the user saw
last. What the user never saw (system prompts, tool calls and their output) is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chrysalis_memory.importing.chats import Conversation, Message, object_at, optional_text, read_conversations
from chrysalis_memory.importing.record import BadRecord, Record, derived_id
from chrysalis_memory.records import ImportProblem

_SPOKEN = {"text", "multimodal_text"}


def read_chatgpt(path: Path) -> Iterator[Record | ImportProblem]:
    """Each message of the current branch of each conversation, in order."""
    yield from read_conversations(path, "chatgpt", _conversation)


def _conversation(value: dict[str, Any]) -> Conversation:
    mapping = object_at(value.get("mapping"), "mapping")
    title = optional_text(value.get("title"), "title")
    identity = value.get("conversation_id") or value.get("id")
    if identity is None:
        identity = derived_id("chatgpt conversation", title, str(value.get("create_time")))
    messages = [_message_or_error(mapping[node]) for node in branch(mapping, value.get("current_node"))]
    return Conversation(optional_text(identity, "id"), title, value.get("create_time"), messages)


def branch(mapping: dict[str, Any], leaf: Any) -> list[str]:
    """Ids of the nodes from the root to the leaf; every node at most once, whatever the links say."""
    node = leaf if isinstance(leaf, str) and leaf in mapping else _last_leaf(mapping)
    path: dict[str, None] = {}
    while isinstance(node, str) and node in mapping and node not in path:
        path[node] = None
        node = mapping[node].get("parent") if isinstance(mapping[node], dict) else None
    return list(reversed(path))


def _last_leaf(mapping: dict[str, Any]) -> str | None:
    """Where the last child of the last child ends, for exports that do not name the current node."""
    roots = [key for key, node in mapping.items() if isinstance(node, dict) and node.get("parent") not in mapping]
    node: Any = roots[0] if roots else None
    seen: set[str] = set()
    while isinstance(node, str) and node not in seen:
        seen.add(node)
        children = mapping[node].get("children")
        below = [child for child in children if child in mapping] if isinstance(children, list) else []
        if not below or not isinstance(mapping[below[-1]], dict):
            return node
        node = below[-1]
    return None


def _message_or_error(node: Any) -> Message | BadRecord:
    try:
        return _message(object_at(node, "node").get("message"))
    except BadRecord as error:
        return error


def _message(value: Any) -> Message:
    if value is None:  # the root of every tree
        return Message("", "", "", None)
    message = object_at(value, "message")
    author = object_at(message.get("author"), "author")
    content = object_at(message.get("content"), "content")
    speaker = optional_text(author.get("role"), "role")
    text = text_of_parts(content) if is_seen(message, speaker, content) else ""
    return Message(optional_text(message.get("id"), "id"), speaker, text, message.get("create_time"))


def is_seen(message: dict[str, Any], speaker: str, content: dict[str, Any]) -> bool:
    """Whether a message is one of those that the user saw: neither a tool's nor hidden."""
    metadata = message.get("metadata")
    is_hidden = isinstance(metadata, dict) and metadata.get("is_visually_hidden_from_conversation") is True
    return (
        speaker in ("user", "assistant")
        and content.get("content_type", "text") in _SPOKEN
        and message.get("recipient", "all") in ("all", None)
        and message.get("weight", 1) != 0
        and not is_hidden
    )


def text_of_parts(content: dict[str, Any]) -> str:
    """The words of a message, a blank line between its parts; raises `BadRecord` if it has none of these."""
    parts = content.get("parts")
    if not isinstance(parts, list):
        raise BadRecord("parts is no list")
    return "\n\n".join(text for part in parts if (text := _part(part)).strip())


def _part(part: Any) -> str:
    if isinstance(part, dict):  # a spoken message carries its transcript; images carry no words
        return optional_text(part.get("text"), "part")
    return optional_text(part, "part")
