"""Messages as JSON Lines, CSV, Markdown or a pandas DataFrame, and as a file of these."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from nbconvo.errors import InputError, LogError
from nbconvo.log import encode_message, to_line
from nbconvo.messages import Message
from nbconvo.session.document import TITLE, to_markdown

if TYPE_CHECKING:
    import pandas

__all__ = ["export", "to_csv", "to_jsonl", "to_markdown", "to_pandas"]

_COLUMNS = (
    "id",
    "role",
    "name",
    "content",
    "created",
    "service",
    "model",
    "input_tokens",
    "output_tokens",
    "cost",
    "seconds",
    "finish_reason",
    "calls",
    "call_id",
    "failed",
    "attachments",
)


def to_jsonl(messages: Sequence[Message]) -> str:
    """Return one JSON object a line, with all that is known of each message.

    The objects are those of the log's ``message`` events, without ``event``, ``time``, ``parent``.
    """
    events = [encode_message(message) for message in messages]
    return "".join(to_line(_without(event, "event")) + "\n" for event in events)


def to_csv(messages: Sequence[Message]) -> str:
    """Return a table with a header line, as RFC 4180 says; what is unknown is empty.

    Calls, and the names of what is attached, are JSON lists; ``call_id`` and ``failed`` are those
    of a call's result.

    Texts are written as they are, so that they can be read back: one that begins with ``=`` is
    a formula to a spreadsheet. Import a file of replies with ``content`` as a text column.
    """
    file = io.StringIO()
    writer = csv.DictWriter(file, _COLUMNS)
    writer.writeheader()
    for message in messages:
        writer.writerow(_row(message) | {"created": message.created.isoformat()})
    return file.getvalue()


def to_pandas(messages: Sequence[Message]) -> pandas.DataFrame:
    """Return a ``pandas.DataFrame`` with the columns of :func:`to_csv`, ``created`` in UTC.

    Raises:
        InputError: If pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError:
        raise InputError("pandas is not installed; pip install pandas") from None
    frame = pd.DataFrame([_row(message) for message in messages], columns=list(_COLUMNS))
    frame["created"] = pd.to_datetime(frame["created"], utc=True)
    return frame.astype(
        {
            "input_tokens": "Int64",
            "output_tokens": "Int64",
            "cost": "float64",
            "seconds": "float64",
            "failed": "boolean",
        }
    )


def export(
    messages: Sequence[Message],
    file: str | os.PathLike[str],
    *,
    force: bool = False,
    title: str = TITLE,
) -> Path:
    """Write ``messages`` to ``file`` in the format that its suffix names; return its path.

    The file appears whole or not at all. ``~`` is the home directory.

    Raises:
        InputError: If the suffix is none of ``.jsonl``, ``.csv``, ``.md``, or the file exists
            and ``force`` is not given.
        LogError: If the file cannot be written.
    """
    shown = os.fspath(file)
    path = Path(file)
    render = _FORMATS.get(path.suffix.lower())
    if render is None:
        raise InputError(f"{shown!r} has no known format; end it in {_known_suffixes()}")
    data = _encoded(render(messages, title))
    try:
        path = path.expanduser()
        _write(path, data, force)
    except FileExistsError:
        raise InputError(f"{shown!r} exists; add --force to overwrite") from None
    except (OSError, ValueError, RuntimeError) as error:  # a NUL byte; no such home directory
        reason = (isinstance(error, OSError) and error.strerror) or str(error)
        raise LogError(f"cannot write {shown!r}: {reason}; choose another file") from None
    return path


_FORMATS: Mapping[str, Callable[[Sequence[Message], str], str]] = MappingProxyType(
    {
        ".jsonl": lambda messages, _: to_jsonl(messages),
        ".csv": lambda messages, _: to_csv(messages),
        ".md": to_markdown,
    }
)


def _without(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key != name}


def _known_suffixes() -> str:
    *most, last = _FORMATS
    return f"{', '.join(most)} or {last}"


def _row(message: Message) -> dict[str, Any]:
    row = {name: getattr(message, name, None) for name in _COLUMNS}
    if (usage := message.usage) is not None:
        row |= {name: getattr(usage, name) for name in ("input_tokens", "output_tokens", "cost")}
    calls = [{"id": c.id, "name": c.name, "arguments": c.arguments} for c in message.calls]
    names = [each.name or each.media_type for each in message.attachments]
    return row | {
        "calls": _listed(calls),
        "failed": message.failed if message.role == "tool" else None,
        "attachments": _listed(names),
    }


def _listed(values: Sequence[object]) -> str | None:
    return json.dumps(values, ensure_ascii=False) if values else None


def _encoded(text: str) -> bytes:
    """UTF-8; a half of a surrogate pair, which it cannot hold, becomes a replacement character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _write(path: Path, data: bytes, force: bool) -> None:
    """Put ``data`` at ``path`` in one step; raise ``FileExistsError`` unless that is wanted."""
    if path.is_dir():
        raise IsADirectoryError(None, "it is a directory")
    if path.exists() and not force:
        raise FileExistsError
    beside = path.with_name(f".nbconvo-{os.urandom(8).hex()}.tmp")
    try:
        with open(beside, "xb") as file:
            file.write(data)
        if force:
            with contextlib.suppress(FileNotFoundError):
                shutil.copymode(path, beside)
            os.replace(beside, path)
        else:
            _move_to_new(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _move_to_new(beside: Path, path: Path) -> None:
    try:
        os.link(beside, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: take the name, then put the file there
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
        try:
            os.replace(beside, path)
        except OSError:
            path.unlink(missing_ok=True)
            raise
