"""How a call is spelled for a reader, and characters that would disguise what stands there."""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["called", "cut", "visible"]

# They reorder what stands beside them, or break a line where no line end is seen (Unicode,
# "Bidirectional Algorithm", 2; "Trojan Source", CVE-2021-42574).
_DISGUISES = re.compile("[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_NAME = re.compile(r"[\w.:/-]+")


def visible(code: str) -> str:
    r"""Return code in which characters that only reorder others are seen, as ``\u202e``.

    In a string of Python, JavaScript or JSON that is the same character.
    """
    return _DISGUISES.sub(lambda found: f"\\u{ord(found[0]):04x}", code)


def called(name: str, arguments: str) -> str:
    """Return a call as code, on one line: ``weather(city="Oslo")``.

    ``arguments`` is JSON text, or what a model took for it: that stands there as it is.
    """
    spelled = name if _NAME.fullmatch(name) else _value(name)
    try:
        given = json.loads(arguments.strip() or "{}")
        inner = _arguments(given) if isinstance(given, dict) else _value(given)
    except (ValueError, RecursionError):
        inner = " ".join(arguments.split())
    return visible(f"{spelled}({inner})")


def cut(text: str, most: int) -> str:
    """Return the first ``most`` characters of a longer text, and how many there are."""
    return text if len(text) <= most else f"{text[:most]} … ({len(text):,} characters in all)"


def _arguments(given: dict[str, Any]) -> str:
    # A name that is none could look like another argument.
    named = {name: value for name, value in given.items() if name.isidentifier()}
    parts = [f"{name}={_value(value)}" for name, value in named.items()]
    if len(named) < len(given):
        rest = {name: value for name, value in given.items() if name not in named}
        parts.append(f"**{_value(rest)}")
    return ", ".join(parts)


def _value(value: Any) -> str:
    """Return a JSON value as Python spells it, texts in double quotes."""
    match value:
        case str():
            return json.dumps(value, ensure_ascii=False)
        case list():
            return f"[{', '.join(map(_value, value))}]"
        case dict():
            inner = (f"{_value(name)}: {_value(each)}" for name, each in value.items())
            return f"{{{', '.join(inner)}}}"
        case _:
            return repr(value)
