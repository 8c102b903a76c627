"""Writing a log: one line per event, on disk before the call returns."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nbconvo.errors import LogError
from nbconvo.log.encoding import VERSION, to_line
from nbconvo.log.keeping import keep
from nbconvo.messages import Attachment

__all__ = ["Log"]

_LONGEST_NAME = 100  # bytes of a session's name in a file name, of the 255 that a system takes
_UNSAFE = re.compile(r"[^\w-]+")


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Log:
    """The log file of one session and run, opened at once and appended to.

    Args:
        directory: Where the file goes; made if it is not there. ``~`` is the home directory.
        name: The session's name: any text; what a file name cannot hold is replaced.
        now: The clock: an aware time.

    Raises:
        LogError: If no file can be made in ``directory``.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        name: str,
        *,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._fd = -1
        self._asked_for = os.fspath(directory)
        self._name = _file_name(name)
        self._now = now
        self._directory = self._make_directory()
        self._open()

    @property
    def path(self) -> Path:
        """The file, absolute. A forked process has one of its own from its first event on."""
        return self._path

    def write(self, *events: Mapping[str, Any]) -> None:
        """Append a line for each event; the operating system has all before this returns.

        ``time`` is added. Values that JSON does not know are written as their ``str()``.

        Raises:
            LogError: If they cannot be written; then the file is as it was before.
        """
        if self._fd < 0:
            raise LogError(f"the log {str(self._path)!r} is closed")
        if self._pid != os.getpid():
            self._part_from_parent()
        with self._lock:
            time = self._utc().isoformat()
            first = {"version": VERSION} if not self._end else {}
            lines: list[str] = []
            try:
                for event in events:
                    lines.append(to_line({"event": event["event"], "time": time, **first, **event}))
                    first = {}
            except (TypeError, ValueError) as error:
                raise self._failed(error) from None
            # In one go: what belongs together is on disk together.
            self._put("\n".join([*lines, ""]).encode())

    def keep(self, attachment: Attachment) -> None:
        """Keep the bytes of an attachment beside the log.

        Raises:
            LogError: If they cannot be written.
        """
        try:
            keep(self._directory, attachment)
        except OSError as error:
            raise self._failed(error) from None

    def close(self) -> None:
        """Close the file; closing it again does nothing."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        with contextlib.suppress(OSError):
            self.close()

    def __repr__(self) -> str:
        return f"Log({str(self._path)!r})"

    def _make_directory(self) -> Path:
        try:
            directory = Path(self._asked_for).expanduser().absolute()
            directory.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            raise self._refused("it is a file, not a directory") from None
        except (OSError, ValueError, RuntimeError) as error:  # a NUL byte; no such home directory
            raise self._refused(_reason(error)) from None
        return directory

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)
        while True:
            run = f"{self._utc():%Y%m%dT%H%M%SZ}-{os.getpid()}-{os.urandom(2).hex()}"
            path = self._directory / f"{self._name}-{run}.jsonl"
            try:
                fd = os.open(path, flags, 0o600)
                break
            except FileExistsError:
                continue
            except OSError as error:
                raise self._refused(_reason(error)) from None
        if hasattr(os, "fchmod"):
            os.fchmod(fd, 0o600)  # a umask can take away the owner's own rights
        self._path, self._fd, self._end, self._pid = path, fd, 0, os.getpid()
        # Made anew with the file: another thread may have held the old one when we were forked.
        self._lock = threading.Lock()

    def _part_from_parent(self) -> None:
        """Go on in a file of our own, begun with what the parent had written before the fork."""
        inherited = self._fd
        before = os.pread(inherited, self._end, 0)
        self._open()
        os.close(inherited)
        self._put(before)

    def _put(self, data: bytes) -> None:
        start = os.lseek(self._fd, 0, os.SEEK_END)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, start)
            raise self._failed(error) from None
        self._end = start + len(data)

    def _utc(self) -> datetime:
        return self._now().astimezone(UTC)

    def _refused(self, reason: str) -> LogError:
        where = f"cannot write the log in {self._asked_for!r}"
        return LogError(f"{where}: {reason}; choose another with --dir")

    def _failed(self, error: Exception) -> LogError:
        return LogError(f"cannot write the log {str(self._path)!r}: {_reason(error)}")


def _file_name(name: str) -> str:
    """Return ``name`` as the beginning of a file name that stays inside its directory."""
    kept = _UNSAFE.sub("_", name).encode()[:_LONGEST_NAME].decode(errors="ignore")
    return kept.strip("_-") or "session"


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)
