"""The variables that a ``.env`` beside the notebook tells."""

from __future__ import annotations

import os
import stat
import warnings
from collections.abc import Callable, Mapping

__all__ = ["DOTENV", "DotEnv"]

DOTENV = ".env"
_LARGEST = 1_000_000  # bytes


class DotEnv:
    """The ``.env`` of the working directory, read again when it has changed."""

    def __init__(self) -> None:
        self._read: tuple[object, Mapping[str, str | None]] = (None, {})

    def get(self, name: str, is_wanted: Callable[[], bool]) -> str | None:
        """Return the value of a variable, if the file may be read; an empty one is none."""
        try:
            status = os.stat(DOTENV)
            # A pipe would be waited for.
            if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
                return None
            path = os.path.abspath(DOTENV)
        except OSError:
            return None
        if not is_wanted():
            return None
        state = (path, status.st_mtime_ns, status.st_size, status.st_ino)
        before, values = self._read
        if state != before:
            values = _values_of(path)
            self._read = state, values
        return (values.get(name) or "").strip() or None


def _values_of(path: str) -> Mapping[str, str | None]:
    from dotenv import dotenv_values

    try:
        return dotenv_values(path)
    except (OSError, ValueError) as error:  # a UnicodeDecodeError holds the bytes: not its text
        what = f"{path!r} is not read: {_reason(error)}"
        warnings.warn_explicit(what, UserWarning, "nbconvo", 1)
        return {}


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or "it is not UTF-8"
