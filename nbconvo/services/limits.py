"""What the headers of a reply tell of rate limits. Pure.

The names are those that OpenAI, Groq, Anthropic, Mistral, Together, OpenRouter and the draft
``RateLimit`` header fields of the IETF use, as they were seen in replies and documentation.
"""

from __future__ import annotations

import email.utils
import math
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

__all__ = ["LimitTold", "duration", "limits_told"]

_Counts = Literal["requests", "tokens", "input_tokens", "output_tokens"]

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|ns)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_WINDOWS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0, "month": 2592000.0}
_FIELDS = frozenset({"limit", "remaining", "reset"})
_PREFIXES = {
    ("anthropic", "ratelimit"): None,
    ("x", "ratelimit"): None,
    ("ratelimit",): None,
    ("x", "tokenlimit"): "tokens",  # Together
    ("x", "ratelimitbysize"): "tokens",  # Mistral, until 2025
    ("ratelimitbysize",): "tokens",
}
_COUNTED: dict[str, _Counts] = {
    "requests": "requests",
    "request": "requests",
    "req": "requests",
    "tokens": "tokens",
    "token": "tokens",
}


@dataclass(frozen=True, slots=True)
class LimitTold:
    """One limit of an account, as far as a reply tells of it; ``None`` is what it does not tell.

    Attributes:
        name: Tells it from the account's other limits: ``requests``, ``tokens-month``.
        counts: What is limited; ``tokens`` are those of prompt and reply together.
        limit: So much is allowed in each window.
        remaining: So much was left when the request came in, itself taken off.
        reset: Seconds until all of it is left again (a bucket), or until the window ends.
        grain: Seconds to which ``reset`` is rounded.
        window: Its length in seconds, where the name of the header says it.
    """

    name: str
    counts: _Counts
    limit: float | None = None
    remaining: float | None = None
    reset: float | None = None
    grain: float = 0.001
    window: float | None = None


def limits_told(
    headers: Mapping[str, str], *, now: Callable[[], float] = time.time
) -> tuple[LimitTold, ...]:
    """Return all limits that ``headers`` tell of, in the order of their first mention.

    A reset is read as a Go duration (``6m0s``), an RFC 3339 time, Unix time in seconds or
    milliseconds, or plain seconds; one that has passed is 0. What cannot be read is left out.
    ``now`` is the clock, in Unix time, where the reply has no ``Date`` of the service's own: the
    two may be minutes apart.
    """

    def service_time() -> float:
        return _date(headers.get("Date")) or now()

    found: dict[str, dict[str, str]] = {}
    for header, value in headers.items():
        # Every reply comes through here, and most headers are about something else.
        if "limit" in (lower := header.lower()) and (named := _named(lower)) is not None:
            field, what = named
            found.setdefault(what, {})[field] = value
    if not found:
        return ()
    told = (_told(what, fields, service_time) for what, fields in found.items())
    return tuple(one for one in told if one is not None)


def duration(text: str) -> float | None:
    """Return the seconds of a Go duration such as ``6m0s`` or ``172.8ms``; ``None`` if it is none.

    The format is that of Go's ``time.Duration.String``.
    """
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    return seconds if seconds < math.inf else None


def _named(header: str) -> tuple[str, str] | None:
    """Return the field and the limit that a header is named after."""
    # A litellm proxy passes on what the service behind it said.
    words = header.removeprefix("llm_provider-").split("-")
    for length in (2, 1):
        prefix, rest = tuple(words[:length]), words[length:]
        if prefix in _PREFIXES:
            break
    else:
        return None
    # anthropic-ratelimit-tokens-limit, x-ratelimit-limit-tokens
    fields = [word for word in rest if word in _FIELDS]
    if len(fields) != 1:
        return None
    what = "-".join(word for word in rest if word not in _FIELDS)
    if (tokens := _PREFIXES[prefix]) is not None:
        what = f"{tokens}-{what}" if what else tokens
    return fields[0], what or "requests"


def _told(what: str, fields: Mapping[str, str], now: Callable[[], float]) -> LimitTold | None:
    counts, window = _measured(what)
    if counts is None:
        return None
    limit, remaining = _number(fields.get("limit")), _number(fields.get("remaining"))
    if (limit is None and remaining is None) or (limit is not None and limit < 1):
        return None
    text = fields.get("reset") or ""
    # 37s, 2026-11-22T12:40:59Z and 1795000000 are in whole seconds, 12ms and 0.25 are not.
    grain = 0.001 if "." in text or text.endswith(("ms", "us", "µs", "ns")) else 1.0
    if _number(text) is not None and len(text) >= 13:  # Unix time in milliseconds
        grain = 0.001
    return LimitTold(what, counts, limit, remaining, _reset(text, now), grain, window)


def _measured(what: str) -> tuple[_Counts | None, float | None]:
    """Read ``input-tokens``, ``project-tokens``, ``tokens-minute``, ``req-10-second``."""
    counts: _Counts | None = None
    side, window, times = "", None, 1.0
    for word in what.split("-"):
        if word in _COUNTED:
            counts = _COUNTED[word]
        elif word in _WINDOWS:
            window = times * _WINDOWS[word]
        elif word.isdecimal() and len(word) < 10:
            times = float(word)
        elif word in {"input", "output"}:
            side = word
        elif word != "project":
            return None, None  # a limit on images, or whatever else the request has none of
    if counts == "tokens" and side:
        counts = "input_tokens" if side == "input" else "output_tokens"
    return counts, window


def _date(text: str | None) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(text or "").timestamp()
    except (OverflowError, ValueError):
        return None


def _reset(text: str, now: Callable[[], float]) -> float | None:
    if (value := _number(text)) is not None:
        if value > 1e11:
            return max(0.0, value / 1000.0 - now())
        return max(0.0, value - now()) if value > 1e9 else value
    if (seconds := duration(text)) is not None:
        return seconds
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, moment.timestamp() - now())


def _number(text: str | None) -> float | None:
    # IETF drafts allow "100, 100;w=60": the first is the limit in force.
    try:
        value = float((text or "").partition(",")[0])
    except ValueError:
        return None
    return value if 0 <= value < math.inf else None
