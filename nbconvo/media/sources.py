"""The bytes that something names: a file, an http address, or bytes themselves."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from nbconvo.errors import InputError

__all__ = ["is_address", "stored"]

_MOST_DATA = 64 * 2**20  # bytes that are read of a file or an address
_TIMEOUT = 20.0  # seconds for an address to answer


def is_address(source: Any) -> bool:
    """Whether ``source`` is an http address, which takes its time to be read."""
    return isinstance(source, str) and source.startswith(("http://", "https://"))


def stored(source: Any) -> tuple[bytes, str | None] | None:
    """Return the bytes and the name of a source that is bytes, or names some."""
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source), None
    if is_address(source):
        return _downloaded(source)
    if isinstance(source, str | os.PathLike):
        return _read(source)
    return None


def _read(source: str | os.PathLike[str]) -> tuple[bytes, str]:
    shown = os.fspath(source)
    try:
        path = Path(source).expanduser()
        if (size := path.stat().st_size) > _MOST_DATA:
            raise InputError(f"{shown!r} is too large: {size:,} bytes; most is 64 MB")
        return path.read_bytes(), path.name
    except FileNotFoundError:
        raise InputError(f"no file {shown!r} in {str(Path.cwd())!r}{_near(shown)}") from None
    except (OSError, ValueError, RuntimeError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or str(error)
        raise InputError(f"cannot read {shown!r}: {reason}") from None


def _near(shown: str) -> str:
    from nbconvo.errors import nearest

    try:
        names = os.listdir(Path(shown).expanduser().parent)
    except OSError:
        return ""
    near = nearest(Path(shown).name, names)
    return f"; did you mean {near!r}?" if near else ""


def _downloaded(address: str) -> tuple[bytes, str | None]:
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError
    from urllib.parse import urlsplit
    from urllib.request import Request, urlopen

    shown = address.partition("?")[0].rpartition("@")[2]
    try:
        parts = urlsplit(address)
        # A password and a query may be secret.
        shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        request = Request(address, headers={"User-Agent": "nbconvo"})
        with urlopen(request, timeout=_TIMEOUT) as response:
            data = response.read(_MOST_DATA + 1)
            is_cut = bool(getattr(response, "length", None)) and len(data) <= _MOST_DATA
    except (URLError, HTTPException, OSError, ValueError) as error:
        if isinstance(error, HTTPError):
            error.close()
        # The text of an HTTPException or a ValueError may hold the query, or a password.
        name = error if isinstance(error, OSError) else type(error).__name__
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or name
        raise InputError(f"cannot fetch {shown!r}: {reason}") from None
    if is_cut:  # which no error tells
        raise InputError(f"cannot fetch {shown!r}: it was cut off after {len(data):,} bytes")
    if len(data) > _MOST_DATA:
        raise InputError(f"{shown!r} is too large; most is 64 MB")
    return data, os.path.basename(parts.path) or None
