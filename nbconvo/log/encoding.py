"""Messages as JSON objects, and JSON objects as lines. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any, TypeVar, get_args

from nbconvo.errors import LogError
from nbconvo.messages import Attachment, Cell, Message, Role, ToolCall, Usage

__all__ = ["VERSION", "decode_message", "encode_message", "to_line"]

T = TypeVar("T")

VERSION = 1

_REQUIRED = frozenset({"role", "content", "id", "created"})
_NOT_TEXT = frozenset({"cell", "usage", "seconds", "calls", "failed", "carried", "attachments"})
# What few messages have is written only where it is.
_SELDOM = ("reasoning", "calls", "failed", "carried", "attachments")
# Lone surrogates cannot be written as UTF-8; the others end a line for str.splitlines().
_ESCAPED = re.compile(r"[\ud800-\udfff\x85\u2028\u2029]")


def encode_message(message: Message, parent: str | None = None) -> dict[str, Any]:
    """Return the ``message`` event: the fields that are not empty, and the ``parent``'s id."""
    data: dict[str, Any] = {"event": "message"}
    for name in _names(Message):
        if (value := getattr(message, name)) is not None:
            data[name] = value
    data["created"] = message.created.isoformat()
    if message.cell is not None:
        data["cell"] = asdict(message.cell)
    if message.usage is not None:
        data["usage"] = {k: v for k, v in asdict(message.usage).items() if v is not None}
    if message.calls:
        data["calls"] = [asdict(call) for call in message.calls]
    if message.attachments:
        data["attachments"] = [_described(attachment) for attachment in message.attachments]
    for name in _SELDOM:
        if not data[name]:
            del data[name]
    if parent is not None:
        data["parent"] = parent
    return data


def decode_message(
    data: Mapping[str, Any], kept: Callable[[str], bytes] = lambda _: b""
) -> tuple[Message, str | None]:
    """Return the message and its parent's id that :func:`encode_message` made ``data`` from.

    ``kept`` returns the bytes of an attachment, by its digest; none if they are lost.

    Raises:
        LogError: If it is not a message.
    """
    parent = data.get("parent")
    known = {name: data[name] for name in _names(Message) if data.get(name) is not None}
    texts = [value for name, value in known.items() if name not in _NOT_TEXT]
    if (
        not known.keys() >= _REQUIRED
        or not all(isinstance(text, str) for text in texts)
        or not isinstance(parent, str | None)
        or known["role"] not in get_args(Role)
    ):
        raise LogError("not a message")
    try:
        known["created"] = datetime.fromisoformat(known["created"])
        for name, kind in (("cell", Cell), ("usage", Usage)):
            if name in known:
                known[name] = _made(kind, known[name])
        known["calls"] = tuple(_made(ToolCall, call) for call in known.get("calls", ()))
        known["carried"] = tuple((str(by), dict(block)) for by, block in known.get("carried", ()))
        known["attachments"] = tuple(
            _made(Attachment, {**about, "data": kept(about["digest"])})
            for about in known.get("attachments", ())
        )
    except (KeyError, TypeError, ValueError) as error:
        raise LogError(f"not a message: {error}") from None
    return Message(**known), parent


def to_line(value: Mapping[str, Any]) -> str:
    """Return ``value`` as JSON without a line break of any kind; it may hold any text.

    Values that JSON does not know become their ``str()``.
    """
    text = json.dumps(value, ensure_ascii=False, default=str)
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _described(attachment: Attachment) -> dict[str, Any]:
    """Return all of an attachment but its bytes, of which it tells how many there are."""
    told = {name: getattr(attachment, name) for name in _names(Attachment) if name != "data"}
    about = {name: value for name, value in told.items() if value is not None}
    return about | {"size": len(attachment.data)}


def _made(kind: type[T], value: Mapping[str, Any]) -> T:
    return kind(**{key: value[key] for key in _names(kind) if key in value})


def _names(kind: type[Any]) -> list[str]:
    return [field.name for field in fields(kind)]
