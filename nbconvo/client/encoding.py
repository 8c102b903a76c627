"""JSON to bytes and back, at the speed of C where the values are plain."""

from __future__ import annotations

import json
import re
from enum import Enum
from typing import Any
from uuid import UUID

import orjson

from nbconvo.errors import InputError

__all__ = ["decoded", "decoded_all", "encoded"]

# Dataclasses and times are refused, as by the standard module.
_STRICT = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
# It writes NaN as null, so where there is a null the standard module has to look.
_DEEPEST = 200  # levels of what comes: to read or write more takes more stack than there may be
_NULL = re.compile(rb"[:,\[]null")


def encoded(body: Any) -> bytes:
    """Return ``body`` as JSON in UTF-8; half a character becomes a question mark.

    A UUID goes as its text and a member of an Enum as its value, as orjson takes them.

    Raises:
        InputError: If it holds what JSON does not know, infinities and NaN among that.
    """
    try:
        data = orjson.dumps(body, option=_STRICT)
    except TypeError:  # what is no JSON, and what is: half a character, a large number, a key
        pass
    else:
        if b"null" not in data or not _NULL.search(data):
            return data
    return _encoded_slowly(body)


def _encoded_slowly(body: Any) -> bytes:
    try:
        text = json.dumps(
            body, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain
        )
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"an option cannot be sent as JSON: {error}") from None
    return text.encode("utf-8", "replace")


def _plain(value: object) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def decoded(data: bytes) -> Any:
    """Return the JSON value that ``data`` holds; bytes that are no UTF-8 are replaced.

    Raises:
        ValueError: If it is none.
    """
    try:
        found = orjson.loads(data)
    except ValueError:  # half a character in an escape, NaN, bytes that are no UTF-8; or no JSON
        try:
            found = json.loads(data.decode("utf-8", "replace"))
        except RecursionError:
            raise ValueError("nested too deeply") from None
    if _may_be_deep(data) and _is_deep(found):
        raise ValueError("nested too deeply")
    return found


def decoded_all(values: list[bytes]) -> list[Any] | None:
    """Return the JSON values, all decoded at one blow; ``None`` where that cannot be done."""
    if max(map(len, values), default=0) > 2 * _DEEPEST and any(map(_may_be_deep, values)):
        return None
    try:
        if len(values) == 1:
            return [orjson.loads(values[0])]
        found: list[Any] = orjson.loads(b"[%b]" % b",".join(values))
    except ValueError:
        return None
    # One that is no JSON may look like two in a row.
    return found if len(found) == len(values) else None


def _may_be_deep(data: bytes) -> bool:
    return len(data) > 2 * _DEEPEST and data.count(b"[") + data.count(b"{") > _DEEPEST


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_DEEPEST):
        level = [
            part
            for item in level
            for part in (item.values() if isinstance(item, dict) else item)
            if isinstance(part, dict | list)
        ]
        if not level:
            return False
    return True
