"""Messages as JSON objects, and JSON objects as lines. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime
from enum import Enum
from operator import attrgetter
from typing import Any, TypeVar, get_args

from nbconvo.errors import LogError
from nbconvo.messages import Attachment, Cell, Message, Role, ToolCall
from nbconvo.usage import Usage

__all__ = ["VERSION", "decode_message", "encode_message", "to_line"]

T = TypeVar("T")

VERSION = 1

_NAMES: dict[type[Any], tuple[str, ...]] = {
    kind: tuple(field.name for field in fields(kind))
    for kind in (Message, Cell, Usage, ToolCall, Attachment)
}
_VALUES = {kind: attrgetter(*names) for kind, names in _NAMES.items()}
_REQUIRED = frozenset({"role", "content", "id", "created"})
_NOT_TEXT = frozenset(
    {"cell", "usage", "turn_usage", "seconds", "calls", "failed", "carried", "attachments"}
)
_SELDOM = frozenset({"reasoning", "calls", "failed", "carried", "attachments"})
# Lone surrogates cannot be written as UTF-8; the others end a line for str.splitlines().
_ESCAPED = re.compile(r"[\ud800-\udfff\x85\u2028\u2029]")
# orjson writes NaN and infinities as null, so where there is a null the standard module looks.
_NULL = re.compile(r"[:,\[]null")


def encode_message(message: Message, parent: str | None = None) -> dict[str, Any]:
    """Return the ``message`` event: the fields that are not empty, and the ``parent``'s id."""
    data: dict[str, Any] = {"event": "message"}
    for name, value in zip(_NAMES[Message], _VALUES[Message](message), strict=True):
        # What few messages have is written only where it is.
        if value or (value is not None and name not in _SELDOM):
            data[name] = value
    data["created"] = message.created.isoformat()
    if message.cell is not None:
        data["cell"] = _told(message.cell)
    for name, usage in (("usage", message.usage), ("turn_usage", message.turn_usage)):
        if usage is not None:
            data[name] = _told(usage)
    if message.calls:
        data["calls"] = [_told(call) for call in message.calls]
    if message.attachments:
        data["attachments"] = [_described(attachment) for attachment in message.attachments]
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
    known = {name: data[name] for name in _NAMES[Message] if data.get(name) is not None}
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
        for name, kind in (("cell", Cell), ("usage", Usage), ("turn_usage", Usage)):
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

    Values that JSON does not know become their ``str()``; a member of an Enum goes as its value.

    Raises:
        TypeError, ValueError: If a name in it is none that JSON knows.
    """
    text = _plain_line(value)
    if text is None or ("null" in text and _NULL.search(text)):
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain)
    if text.isascii():
        return text
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _plain_line(value: Mapping[str, Any]) -> str | None:
    """Return the line as it is written fast; ``None`` where that cannot be done."""
    import orjson  # not before something is said: to load the extension is quick

    option = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
    try:
        return orjson.dumps(value, default=str, option=option).decode()
    except TypeError:  # half a character, a large number, a name that is no text
        return None


def _plain(value: object) -> Any:
    return value.value if isinstance(value, Enum) else str(value)


def _described(attachment: Attachment) -> dict[str, Any]:
    """Return all of an attachment but its bytes, of which it tells how many there are."""
    about = _told(attachment)
    del about["data"]
    return about | {"size": len(attachment.data)}


def _told(value: Any) -> dict[str, Any]:
    """Return the fields of a flat dataclass that are told."""
    told = zip(_NAMES[type(value)], _VALUES[type(value)](value), strict=True)
    return {name: field for name, field in told if field is not None}


def _made(kind: type[T], value: Mapping[str, Any]) -> T:
    return kind(**{key: value[key] for key in _NAMES[kind] if key in value})
