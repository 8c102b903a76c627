"""What an error response says: which of our errors it is, and when to ask again. Pure.

The shapes of the bodies, the codes and the headers are those that OpenAI, Anthropic, Google,
Mistral, OpenRouter, litellm, FastAPI and llama.cpp were seen to send.
"""

from __future__ import annotations

import email.utils
import json
import math
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC
from typing import Any

from nbconvo.errors import (
    AuthenticationFailed,
    BadRequest,
    ModelNotFound,
    QuotaExhausted,
    RateLimited,
    ServerFailed,
    ServiceError,
)
from nbconvo.keys import Key, scrub
from nbconvo.services.limits import duration

__all__ = ["failure", "retry_after", "status_of"]

_QUOTA_CODES = frozenset(
    {
        "insufficient_quota",
        "credit_balance_exhausted",
        "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
        "enforced_spend_limit_reached",
        "contract_spend_limit_reached",
        "linked_organization_spend_limit_reached",
        "billing_error",
    }
)
# What a response of OpenAI's Responses protocol fails with when what was asked is at fault.
_REFUSED_CODES = (
    "invalid_prompt",
    "data_residency_mismatch",
    "bio_policy",
    "misalignment_policy_violation",
    "invalid_image",
    "invalid_image_format",
    "invalid_base64_image",
    "invalid_image_url",
    "invalid_image_mode",
    "image_too_large",
    "image_too_small",
    "image_parse_error",
    "image_content_policy_violation",
    "image_file_too_large",
    "image_file_not_found",
    "unsupported_image_media_type",
    "empty_image_file",
    "failed_to_download_image",
)
_LENGTH_CODES = frozenset({"context_length_exceeded", "exceed_context_size_error"})
_TOO_LONG = "prompt is too long"  # Anthropic has no code for it
_STATUS_OF_NAME = {
    "invalid_request_error": 400,
    "context_length_exceeded": 400,
    "invalid_api_key": 401,
    "authentication_error": 401,
    "permission_error": 403,
    "model_not_found": 404,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "resource_exhausted": 429,
    "timeout_error": 504,
    "overloaded_error": 529,
    **dict.fromkeys(_QUOTA_CODES, 429),
    **dict.fromkeys(_REFUSED_CODES, 400),
}
_LONGEST_TEXT = 300  # characters of a service's own error text that are worth a reader's line

_TRY_AGAIN = re.compile(r"(?:try again|retry) in ((?:\d+(?:\.\d+)?(?:h|ms|m|s))+)", re.IGNORECASE)


def failure(
    service: str,
    status: int,
    headers: Mapping[str, str],
    body: str,
    *,
    model: str | None = None,
    key: Key | None = None,
    key_variable: str = "",
    address: str = "",
    typed: str | None = None,
) -> ServiceError:
    """Return the error for a response with an error ``status`` and this ``body``.

    The text is one line, scrubbed of keys, with the remedy after the service's own words.

    Args:
        service: The service's name.
        status: The HTTP status, or that inside the body, for a failure in mid-stream under 200.
        headers: Those of the response.
        body: The response's, or the event's.
        model: The model that was asked for.
        key: The key that was sent.
        key_variable: The environment variable that may hold the key.
        address: Where the request went.
        typed: What the service is called in a notebook, if not by its name.
    """
    found = _read(body)
    is_page = found.is_page and status not in {404, 405}  # of those it is no news
    said = "a web page came, not a reply" if is_page else _shortened(scrub(found.text, key))
    wait = retry_after(headers, body)
    asked = f"; it asks to wait {_rounded(wait)} s" if wait is not None else ""
    elsewhere = f"; is base_url{f' {address!r}' if address else ''} right"
    details: dict[str, Any] = {"status": status, "code": found.code, "retry_after": wait}

    def line(what: str, remedy: str = "") -> str:
        return f"{service}: {what} ({status})" + (f": {said}" if said else "") + remedy

    codes = {found.code, found.type}
    if status == 402 or (status in {429, 403, 400} and codes & _QUOTA_CODES):
        return QuotaExhausted(
            line("quota or credit used up", "; waiting does not help: check the account's billing"),
            **details,
        )
    if status == 429:
        return RateLimited(
            line("rate limit", f"{asked}; set --rpm or --tpm to stay below it"), **details
        )
    if status == 401:
        how = f"set {key_variable}, or pass api_key= to the service" if key_variable else ""
        remedy = f"check the key: {how}" if key is not None and how else how or "check the key"
        what = "key refused" if key is not None else "refused without a key"
        return AuthenticationFailed(line(what, f"; {remedy}"), **details)
    if status == 403:
        remedy = "; the key may not do this, or the service declines what was said"
        if is_page:
            remedy = f"{elsewhere}, and does a firewall or a proxy stand between?"
        return AuthenticationFailed(line("not allowed", remedy), **details)
    if status == 404 and model:
        remedy = f"; '%convo models {typed or service}' lists what it has"
        where = f"nothing at {address!r}" if address else "no such address"
        if address and address.count("/") == 2:  # no path
            remedy = "; most addresses end in /v1"
        return ModelNotFound(line(f"no model {model!r}, or {where}", remedy), **details)
    if status in {404, 405}:
        remedy = f"{elsewhere}? most end in /v1"
        return ModelNotFound(line("nothing is at this address", remedy), **details)
    if status >= 500 or status in {408, 409}:
        remedy = f"{elsewhere}?" if is_page else ""
        return ServerFailed(line("the service failed", asked + remedy), **details)
    is_long = status == 413 or codes & _LENGTH_CODES or found.text.startswith(_TOO_LONG)
    remedy = "; ask something shorter, or begin afresh: '%convo reset'" if is_long else ""
    return BadRequest(line("request refused", remedy), **details)


def status_of(error: object) -> int:
    """Return the HTTP status that an ``error`` in a body or stream stands for; 500 if unclear."""
    if not isinstance(error, Mapping):
        return 500
    for named in (error.get("code"), error.get("type"), error.get("status")):
        if isinstance(named, int | str) and str(named).isdecimal() and 400 <= int(named) <= 599:
            return int(named)
        if isinstance(named, str) and (status := _STATUS_OF_NAME.get(named.lower())):
            return status
    return 500


def retry_after(
    headers: Mapping[str, str], body: str, *, now: Callable[[], float] = time.time
) -> float | None:
    """Return the seconds after which the service asks to be asked again, if it says so.

    Looked for in the order: ``retry-after-ms``, ``retry-after`` (seconds or an HTTP date),
    ``llm_provider-retry-after``, a hint in the body, the reset headers of an empty limit; none
    at all and a moment that has passed say nothing. ``headers`` must look names up without
    regard to case; ``now`` is the clock, in Unix time.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    gemini = re.search(r'retryDelay\\*"\s*:\s*\\*"([^"\\]+)', body)
    in_words = _TRY_AGAIN.search(body)
    resets = [
        duration(headers.get(f"x-ratelimit-reset-{kind}", ""))
        for kind in ("requests", "tokens")
        if _number(headers.get(f"x-ratelimit-remaining-{kind}")) == 0
    ]
    found = (
        milliseconds and milliseconds / 1000,
        _seconds(headers.get("retry-after"), now),
        _seconds(headers.get("llm_provider-retry-after"), now),
        gemini and duration(gemini[1]),
        in_words and duration(in_words[1]),
        max((seconds for seconds in resets if seconds is not None), default=None),
    )
    return next((seconds for seconds in found if seconds), None)


class _Found:
    """What an error body holds: its text, and the service's code and type for it; or a page."""

    __slots__ = ("code", "is_page", "text", "type")

    def __init__(
        self, text: str, code: object = None, type: object = None, *, is_page: bool = False
    ) -> None:
        # Whoever runs the server wrote this: no escape sequence of it may reach a terminal.
        printable = "".join(letter if letter.isprintable() else " " for letter in text)
        self.text = " ".join(printable.split())
        self.is_page = is_page
        self.code = None if code is None else str(code)
        self.type = None if type is None else str(type)


def _read(body: str) -> _Found:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        start = body.lstrip()[:5].lower()
        is_markup = start.startswith("<")
        return _Found("" if is_markup else body, is_page=is_markup and start != "<?xml")
    if isinstance(data, list) and data:
        data = data[0]
    if not isinstance(data, dict):
        return _Found(data if isinstance(data, str) else body)
    named = (data.get(name) for name in ("error", "detail", "message"))
    error = next((value for value in named if value and isinstance(value, str | dict | list)), "")
    about = error if isinstance(error, dict) else data
    code = about.get("code")
    if code is None and isinstance(details := about.get("details"), dict):
        code = details.get("error_code")  # Anthropic's place for it
    try:
        text = _words(error)
    except RecursionError:  # nested as deep as no error is
        text = body
    return _Found(text, code, about.get("type") or about.get("status"))


def _words(said: object) -> str:
    """The text of an error. FastAPI sends a list of what is wrong with which field."""
    if isinstance(said, str):
        return said
    if isinstance(said, list):
        return "; ".join(_words(one) for one in said)
    if isinstance(said, dict):
        place = said.get("loc")
        where = ".".join(map(str, place)) + ": " if isinstance(place, list) else ""
        for name in ("message", "msg", "error", "detail"):
            if text := said.get(name):
                return where + _words(text)
    return json.dumps(said)


def _rounded(seconds: float) -> str:
    return f"{seconds:.3g}" if seconds < 1000 else f"{seconds:,.0f}"


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 <= value < math.inf else None


def _seconds(text: str | None, now: Callable[[], float]) -> float | None:
    if not text:
        return None
    if (value := _number(text)) is not None:
        return value
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:  # the date named no zone; HTTP knows none but GMT
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, moment.timestamp() - now())
