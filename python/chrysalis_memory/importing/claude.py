"""The conversations of a Claude export (`conversations.json`): lists of messages with sender and time.

Imported are the words of both sides. Thinking, tool calls and attached files are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chrysalis_memory.importing.chats import Conversation, Message, object_at, optional_text, read_conversations
from chrysalis_memory.importing.record import BadRecord, Record, derived_id
from chrysalis_memory.records import ImportProblem


def read_claude(path: Path) -> Iterator[Record | ImportProblem]:
    """Each message of each conversation, in order."""
    yield from read_conversations(path, "claude", _conversation)


def _conversation(value: dict[str, Any]) -> Conversation:
    said = value.get("chat_messages")
    if not isinstance(said, list):
        raise BadRecord("chat_messages is no list")
    title = optional_text(value.get("name") or value.get("title"), "name")
    created = value.get("created_at")
    identity = optional_text(value.get("uuid"), "uuid") or derived_id("claude conversation", title, str(created))
    return Conversation(identity, title, created, [_message_or_error(item) for item in said])


def _message_or_error(value: Any) -> Message | BadRecord:
    try:
        message = object_at(value, "message")
        sender = optional_text(message.get("sender"), "sender")
        speaker = "user" if sender == "human" else sender
        return Message(optional_text(message.get("uuid"), "uuid"), speaker, _text(message), message.get("created_at"))
    except BadRecord as error:
        return error


def _text(message: dict[str, Any]) -> str:
    blocks = message.get("content")
    if isinstance(blocks, list):
        texts = [optional_text(block.get("text"), "text") for block in blocks if _is_text(block)]
        if any(text.strip() for text in texts):
            return "\n\n".join(texts)
    return optional_text(message.get("text"), "text")


def _is_text(block: Any) -> bool:
    return isinstance(block, dict) and block.get("type") == "text"
