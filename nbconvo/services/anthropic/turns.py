"""A conversation to Anthropic's turns: users' and assistant's in alternation, made of blocks.

After Anthropic's API reference, "Messages", and its guides "Tool use", "Vision", "PDF support" and
"Extended thinking".
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from itertools import chain, count, islice, takewhile
from typing import Any

from nbconvo.errors import InputError
from nbconvo.messages import Attachment, Message

__all__ = ["PROTOCOL", "turns_of"]

PROTOCOL = "anthropic"

_IMAGES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_TEXTS = frozenset({"application/json", "application/xml", "application/x-yaml"})
_DEEPEST = 100  # levels; what is nested as deep as Python's stack can be neither kept nor sent


def _is_flat(value: object, levels: int = _DEEPEST) -> bool:
    """Whether a JSON value is not nested too deeply to be sent back."""
    if not isinstance(value, dict | list):
        return True
    parts = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_is_flat(part, levels - 1) for part in parts)


def turns_of(service: str, messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Return the turns, users' and assistant's in alternation; results come first in theirs."""
    # The calls of a reply whose results follow, by the ids that they have here: others are refused.
    pairs: dict[str, str] = {}
    taken: set[str] = set()
    turns: list[tuple[str, list[dict[str, Any]]]] = []
    for place, message in enumerate(messages):
        if message.role == "system":
            continue
        role = "assistant" if message.role == "assistant" else "user"
        if role == "assistant":
            pairs = _identified(_answered(messages, place), taken)
            blocks = _said(message, pairs)
        elif message.role == "tool":
            id = pairs.pop(message.call_id or "", None)
            blocks = [_result(service, message, id)] if id else []
        else:
            blocks = _asked(service, message)
        if not blocks:  # the protocol knows no empty turn
            continue
        if turns and turns[-1][0] == role:
            turns[-1][1].extend(blocks)
        else:
            turns.append((role, blocks))
    return [{"role": role, "content": _content(blocks)} for role, blocks in turns]


def _answered(messages: Sequence[Message], place: int) -> list[str]:
    """Return the ids of the calls of the reply at ``place`` that have results before the next."""
    calls = dict.fromkeys(call.id for call in messages[place].calls)
    if not calls:
        return []
    following = takewhile(lambda m: m.role != "assistant", islice(messages, place + 1, None))
    results = {message.call_id for message in following if message.role == "tool"}
    return [id for id in calls if id in results]


def _identified(ids: Sequence[str], taken: set[str]) -> dict[str, str]:
    """Return the ids that calls have here: they may be another service's, whose ids come again.

    They are of the letters that are allowed, and none is one of those ``taken``, to which they are
    added: ids that are not unique in the whole request are refused.
    """
    found = {}
    for id in ids:
        own = re.sub(r"[^a-zA-Z0-9_-]", "_", id)
        numbered = (f"{own}_{number}" for number in count(2))
        found[id] = next(name for name in chain((own,), numbered) if name not in taken)
        taken.add(found[id])
    return found


def _content(blocks: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    if len(blocks) == 1 and blocks[0].keys() == {"type", "text"}:
        text: str = blocks[0]["text"]
        return text
    return sorted(blocks, key=lambda block: block["type"] != "tool_result")


def _asked(service: str, message: Message) -> list[dict[str, Any]]:
    # Images go before the words about them, as the guide "Vision" advises.
    attached = [_attached(service, item) for item in message.attachments]
    return [*attached, *_words(message.content)]


def _result(service: str, message: Message, id: str) -> dict[str, Any]:
    content: Any = message.content
    if message.attachments:
        content = _asked(service, message)
    return {
        "type": "tool_result",
        "tool_use_id": id,
        **({"content": content} if content else {}),
        **({"is_error": True} if message.failed else {}),
    }


def _said(message: Message, pairs: Mapping[str, str]) -> list[dict[str, Any]]:
    # Blocks of a reply that was broken off lack their ends, and the signatures in these.
    if message.finish_reason not in {"stopped", "cut"}:
        carried = [block for name, block in message.carried if name == PROTOCOL]
        if carried:
            return [_carried(block, pairs) for block in carried if _can_go_back(block, pairs)]
    calls = [
        {
            "type": "tool_use",
            "id": pairs[call.id],
            "name": call.name,
            "input": _input(call.arguments),
        }
        for call in message.calls
        if call.id in pairs
    ]
    return [*_words(message.content), *calls]


def _carried(block: Mapping[str, Any], pairs: Mapping[str, str]) -> dict[str, Any]:
    """Return a block as it came; a streamed input came as text."""
    made = dict(block)
    if isinstance(text := block.get("input"), str):
        made["input"] = _input(text)
    if block.get("type") == "tool_use":
        made["id"] = pairs[str(block.get("id"))]
    return made


def _can_go_back(block: Mapping[str, Any], pairs: Mapping[str, str]) -> bool:
    kind = block.get("type")
    if kind == "tool_use":
        return str(block.get("id")) in pairs
    if kind == "text":
        return bool(str(block.get("text", "")).strip())
    return isinstance(kind, str)


def _input(arguments: str) -> dict[str, Any]:
    """Return a call's arguments; of what is no JSON object the result tells."""
    try:
        found = json.loads(arguments)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and _is_flat(found) else {}


def _words(text: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text}] if text.strip() else []  # blank text is refused


def _attached(service: str, item: Attachment) -> dict[str, Any]:
    kind = item.media_type.partition(";")[0].strip().lower()
    titled = {"title": item.name} if item.name else {}
    if kind in _IMAGES or kind == "application/pdf":
        data = base64.b64encode(item.data).decode("ascii")
        source = {"type": "base64", "media_type": kind, "data": data}
        if kind in _IMAGES:
            return {"type": "image", "source": source}
        return {"type": "document", "source": source, **titled}
    if kind.startswith("text/") or kind in _TEXTS:
        text = item.data.decode("utf-8", "replace")
        source = {"type": "text", "media_type": "text/plain", "data": text}
        return {"type": "document", "source": source, **titled}
    raise InputError(
        f"{service} does not take {item.media_type!r}; give a PNG, JPEG, GIF or WebP image, "
        "a PDF or a text"
    )
