"""The checks of what a service is made from: no text of an error holds a secret."""

from __future__ import annotations

import base64
import contextlib
import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from nbconvo.errors import InputError
from nbconvo.keys import Key, Masked, remember

__all__ = [
    "check_headers",
    "check_name",
    "check_positive",
    "checked_key",
    "checked_price",
    "checked_text",
    "checked_url",
    "is_loopback",
    "masked",
    "shown_url",
    "unseen_key",
    "unseen_url",
]

T = TypeVar("T")


def check_positive(
    label: str, value: object, *, optional: bool = True, whole: bool = False
) -> None:
    """Raise ``InputError`` unless ``value`` is a number above 0, or (``optional``) ``None``.

    ``whole`` says that it counts something.
    """
    if optional and value is None:
        return
    kinds = int if whole else int | float
    if isinstance(value, bool) or not isinstance(value, kinds) or not 0 < value < math.inf:
        what = "a whole number" if whole else "a number"
        remedy = "; None is no limit" if optional else ""
        raise InputError(f"{label} must be {what} above 0, not {value!r:.80}{remedy}")


def unseen_key(api_key: object) -> Any:
    """Return the key so that it does not print; what is none is for :func:`checked_key`."""
    if isinstance(api_key, str):
        return Key(api_key) if api_key else None
    # Of what is none, its type alone: it may be a key all the same, such as one of bytes.
    return api_key if api_key is None or isinstance(api_key, Key | type) else type(api_key)


def checked_key(api_key: object) -> Key | None:
    """Return what :func:`unseen_key` made; raise ``InputError`` if that was no text."""
    if api_key is None or isinstance(api_key, Key):
        return api_key
    raise InputError(f"api_key must be a text, not {getattr(api_key, '__name__', 'a type')}")


def masked(headers: object) -> Any:
    """Return headers whose values do not print; what are none is for :func:`check_headers`."""
    if headers is None:
        return {}
    if not isinstance(headers, Mapping):
        return headers if isinstance(headers, type) else type(headers)
    for value in headers.values():
        if isinstance(value, str):
            _remember_header(value)
    return {n: Masked(v) if isinstance(v, str) else type(v) for n, v in headers.items()}


def check_headers(headers: object) -> None:
    """Raise ``InputError`` unless ``headers``, as :func:`masked` made them, are texts by name."""
    if not isinstance(headers, Mapping):
        kind = getattr(headers, "__name__", "a type")
        raise InputError(f"headers must be names with their values, not {kind}")
    for name, value in headers.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise InputError(f"header {name!r}: names and values must be texts")
        if not (name + value).isprintable():
            raise InputError(f"header {name!r} holds a line break or the like")


def _remember_header(value: str) -> None:
    """Remember the value as a secret, unless it is plain words or an address."""
    scheme, _, secret = value.strip().rpartition(" ")
    if " " in scheme or "://" in secret:
        return
    remember(secret)
    if scheme.lower() == "basic":
        with contextlib.suppress(ValueError):
            remember(base64.b64decode(secret).decode().partition(":")[2])


def checked_text(label: str, value: object) -> str | None:
    """Return ``value``; raise ``InputError`` unless it is a text or ``None``."""
    if value is None or isinstance(value, str):
        return value
    raise InputError(f"{label} must be a text, not {type(value).__name__}")


def check_name(name: object) -> None:
    """Raise ``InputError`` unless ``name`` can stand for a service, before a model's name too."""
    if isinstance(name, str) and re.fullmatch(r"[^\s:/-][^\s:/]*", name):
        return
    raise InputError(
        "a service's name is one word without ':' or '/', and does not begin with '-'; "
        f"it cannot be {name!r:.80}"
    )


def checked_price(price: object) -> tuple[float, float] | None:
    """Return the two prices; raise ``InputError`` unless they are numbers not below 0."""
    if price is None:
        return None
    if isinstance(price, tuple | list) and len(price) == 2:
        sent, said = price
        if all(type(one) in {int, float} and 0 <= one < math.inf for one in price):
            return float(sent), float(said)
    raise InputError(
        "price must be two numbers, dollars for a million tokens of the prompt and of the reply, "
        f"not {price!r}"
    )


def checked_url(url: str) -> str:
    """Return ``url`` without a trailing slash; raise ``InputError`` unless it is an http one."""
    if fault := _fault_of(url):
        raise InputError(f"base_url {shown_url(url)!r} {fault}")
    return url.rstrip("/")


def _fault_of(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna")  # as the resolver will
        usable = bool(host) and parts.scheme in {"http", "https"} and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        return "is not an http address such as http://127.0.0.1:8080/v1"
    if not url.isprintable() or " " in url:
        return "holds a space or a line break; copy it again"
    if parts.username is not None or parts.query:
        what = "a query" if parts.query else "a user name"
        return f"holds {what}; pass what identifies you in headers="
    return ""


def unseen_url(url: T) -> T | Masked:
    """Return ``url`` so that it does not print where it holds more than an address.

    What may be secret in it is remembered as such.
    """
    if not isinstance(url, str) or not {"@", "?"} & set(url):
        return url
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        for secret in (parts.password, parts.username, *parts.query.split("&")):
            remember(unquote((secret or "").rpartition("=")[2]))
    return Masked(url)


@lru_cache(maxsize=64)  # asked several times for each request
def is_loopback(url: str) -> bool:
    """Whether ``url`` is on this machine."""
    host = urlsplit(url).hostname or ""
    return host == "localhost" or host == "::1" or host.startswith("127.")


def shown_url(url: str) -> str:
    """Return ``url`` without the user, password and query that may hold a secret."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.rpartition("@")[2].partition("?")[0]
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=host, query="", fragment="").geturl()
