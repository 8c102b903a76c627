"""How providers tell of their rate limits: headers of a reply, headers and body of a refusal.

Names, forms and meanings as in recorded replies of the providers and their documentation. OpenAI's
and Groq's resets are Go durations until all is left again; Anthropic's are RFC 3339 dates;
Mistral tells no resets; OpenRouter tells its refusals only, and Gemini in their body.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from nbconvo.testing.chat import error_body

__all__ = ["Count", "Counts", "Dialect", "go_duration", "headers_of", "refusal_of"]

Counts = Literal["requests", "tokens", "input", "output"]
Dialect = Literal["openai", "groq", "anthropic", "mistral", "openrouter", "gemini", "none"]
Hint = Literal["ms", "seconds", "none"]

_HINTS: dict[Dialect, Hint] = {
    "openai": "ms",
    "groq": "seconds",
    "anthropic": "seconds",
    "mistral": "none",
    "openrouter": "seconds",
    "gemini": "none",
    "none": "none",
}
_SHORT = {"requests": "R", "tokens": "T", "input": "IT", "output": "OT"}


@dataclass(frozen=True, slots=True)
class Count:
    """Where a limit stands: so much of ``amount`` in ``period`` seconds is left."""

    counts: Counts
    period: float
    amount: float
    remaining: float
    full_in: float

    @property
    def left(self) -> int:
        """What is left, as it is told: whole, and never below 0."""
        return max(0, math.floor(self.remaining + 1e-9))


def headers_of(
    dialect: Dialect, counts: Sequence[Count], now: float, *, refused: bool = False
) -> dict[str, str]:
    """Return the headers that tell of these limits; ``now`` in Unix time."""
    told: dict[str, str] = {}
    for count in counts:
        if dialect in ("openai", "groq") and count.counts in ("requests", "tokens"):
            told |= _three("x-ratelimit-{0}-" + count.counts, count, go_duration(count.full_in))
        elif dialect == "anthropic":
            name = count.counts + ("-tokens" if count.counts in ("input", "output") else "")
            reset = datetime.fromtimestamp(now, UTC) + timedelta(seconds=count.full_in)
            moment = f"{reset:%Y-%m-%dT%H:%M:%SZ}"
            told |= _three(f"anthropic-ratelimit-{name}-{{0}}", count, moment)
            if count.counts != "requests":  # told in thousands
                told[f"anthropic-ratelimit-{name}-remaining"] = str(round(count.left, -3))
        elif dialect == "mistral":
            name = "tokens-minute" if count.counts == "tokens" else f"req-{count.period:g}-second"
            told |= _three(f"x-ratelimit-{{0}}-{name}", count, None)
        elif dialect == "openrouter" and refused:
            epoch = math.ceil((now + count.full_in) * 1000)
            told |= _three("x-ratelimit-{0}", count, str(epoch))
    return told


def refusal_of(
    dialect: Dialect, count: Count, asked: int, wait: float, hint: Hint | None
) -> tuple[dict[str, str], Any]:
    """Return headers and body of a 429 for a request of ``asked``, due in ``wait`` seconds."""
    headers: dict[str, str] = {}
    silent = hint == "none"  # told to be: then the body says nothing either
    hint = _HINTS[dialect] if hint is None else hint
    if hint != "none" and wait < math.inf:
        headers["retry-after"] = str(max(1, math.ceil(wait)))
        if hint == "ms":
            headers["retry-after-ms"] = str(math.ceil(wait * 1000))
    return headers, _body(dialect, count, asked, math.inf if silent else wait)


def go_duration(seconds: float) -> str:
    """Return seconds as Go prints a duration, to the millisecond: ``6m0s``, ``1.5s``, ``12ms``."""
    thousandths = math.ceil(seconds * 1000 - 1e-6)
    if thousandths < 1000:
        return f"{thousandths}ms" if thousandths else "0s"
    minutes, rest = divmod(thousandths, 60_000)
    hours, minutes = divmod(minutes, 60)
    longer = (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "")
    return f"{longer}{rest / 1000:g}s"


def _three(pattern: str, count: Count, reset: str | None) -> dict[str, str]:
    told = {
        pattern.format("limit"): f"{count.amount:.0f}",
        pattern.format("remaining"): str(count.left),
    }
    return told if reset is None else {**told, pattern.format("reset"): reset}


def _body(dialect: Dialect, count: Count, asked: int, wait: float) -> Any:
    if dialect == "anthropic":
        said = f"This request would exceed your rate limit of {count.amount:.0f} {count.counts}."
        return {"type": "error", "error": {"type": "rate_limit_error", "message": said}}
    if dialect == "gemini":
        return [{"error": _gemini_error(wait)}]
    if dialect == "mistral":
        return {"object": "error", "message": "Requests rate limit exceeded", "code": "1300"}
    if dialect == "openrouter":
        return {"error": {"code": 429, "message": "Rate limit exceeded", "metadata": {}}}
    if dialect == "none":
        return error_body(429, "Too many requests.")
    short = _SHORT[count.counts] + ("PD" if count.period >= 86_400 else "PM")
    used = max(0, math.ceil(count.amount - count.remaining))
    said = (
        f"Rate limit reached on {short}: Limit {count.amount:.0f}, Used {used}, Requested {asked}."
    )
    if wait < math.inf:
        said += f" Please try again in {go_duration(wait)}."
    body = error_body(429, said)
    body["error"]["type"] = "requests" if count.counts == "requests" else "tokens"
    return body


def _gemini_error(wait: float) -> dict[str, Any]:
    error: dict[str, Any] = {"code": 429, "status": "RESOURCE_EXHAUSTED"}
    if wait == math.inf:
        return {**error, "message": "Quota exceeded."}
    kind = "type.googleapis.com/google.rpc.RetryInfo"
    details = [{"@type": kind, "retryDelay": f"{math.ceil(wait)}s"}]
    return {**error, "message": f"Quota exceeded. Please retry in {wait:g}s.", "details": details}
