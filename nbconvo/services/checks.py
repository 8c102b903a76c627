"""The checks of what a service is made from: no text of an error holds a secret."""

from __future__ import annotations

import math
from collections.abc import Mapping
from urllib.parse import urlsplit

from nbconvo.errors import InputError
from nbconvo.keys import Key, Masked

__all__ = ["as_key", "check_positive", "checked_text", "checked_url", "masked", "shown_url"]


def check_positive(label: str, value: object, *, optional: bool = True) -> None:
    """Raise ``InputError`` unless ``value`` is a number above 0, or (``optional``) ``None``."""
    if optional and value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        remedy = "; leave it out for no limit" if optional else ""
        raise InputError(f"{label} must be a number above 0, not {value!r}{remedy}")


def as_key(api_key: object) -> Key | None:
    """Return the key that does not print; raise ``InputError`` unless it is a text."""
    if isinstance(api_key, str):
        return Key(api_key) if api_key else None
    if api_key is None or isinstance(api_key, Key):
        return api_key
    raise InputError(f"api_key must be a text, not {type(api_key).__name__}")


def masked(headers: object) -> dict[str, str]:
    """Return headers whose values do not print; raise ``InputError`` for any that are no texts."""
    if headers is None:
        return {}
    if not isinstance(headers, Mapping):
        raise InputError(f"headers must be names with their values, not {type(headers).__name__}")
    for name, value in headers.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise InputError(f"header {name!r}: names and values must be texts")
        if not (name + value).isprintable():
            raise InputError(f"header {name!r} holds a line break or the like")
    return {name: Masked(value) for name, value in headers.items()}


def checked_text(label: str, value: object) -> str | None:
    """Return ``value``; raise ``InputError`` unless it is a text or ``None``."""
    if value is None or isinstance(value, str):
        return value
    raise InputError(f"{label} must be a text, not {type(value).__name__}")


def checked_url(url: str) -> str:
    """Return ``url`` without a trailing slash; raise ``InputError`` unless it is an http one."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna")  # as the resolver will
        usable = bool(host) and parts.scheme in {"http", "https"} and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise InputError(
            f"base_url {shown_url(url)!r} is not an http address such as http://127.0.0.1:8080/v1"
        )
    if parts.username is not None or parts.query:
        what = "a query" if parts.query else "a user name"
        raise InputError(
            f"base_url {shown_url(url)!r} holds {what}; pass what identifies you in headers="
        )
    return url.rstrip("/")


def shown_url(url: str) -> str:
    """Return ``url`` without the user, password and query that may hold a secret."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.rpartition("@")[2].partition("?")[0]
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=host, query="", fragment="").geturl()
