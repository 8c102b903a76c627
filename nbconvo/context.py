"""Values as text that a model can read: instructions, and the context below them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from nbconvo.errors import InputError

__all__ = ["as_text", "is_table", "with_context"]


def with_context(instruction: object, context: object) -> str:
    """Return the instruction, and below it the context, if there is any.

    Raises:
        InputError: If the instruction is empty, or a value is neither text, JSON nor a table.
    """
    text = "" if instruction is None else as_text(instruction, "instruction").strip()
    if not text:
        raise InputError("nothing to ask: the message is empty")
    below = "" if context is None else as_text(context, "context")
    return f"{text}\n\n{below}" if below.strip() else text


def as_text(value: object, what: str) -> str:
    """Return text as it is, a table as a Markdown table, any other JSON value as JSON.

    A flat mapping of texts becomes lines of ``key: value``.
    """
    if isinstance(value, str):
        return value
    if is_table(value):
        return _table(value)
    if isinstance(value, Mapping) and value and all(isinstance(v, str) for v in value.values()):
        return "\n".join(f"{key}: {text}" for key, text in value.items())
    try:
        text = json.dumps(value, ensure_ascii=False, indent=2, default=_plain)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{what} must be text, a JSON value or a DataFrame, not {type(value).__name__}: {error}"
        ) from None
    return f"```json\n{text}\n```"


def is_table(value: object) -> bool:
    """Whether ``value`` is a data frame, pandas' or polars'."""
    return hasattr(value, "columns") and any(
        hasattr(value, name) for name in ("itertuples", "iter_rows")
    )


def _plain(value: Any) -> Any:
    """Return what numpy's and pandas' values hold as JSON values, dates as ISO 8601."""
    for name in ("isoformat", "tolist", "to_dict"):
        if callable(convert := getattr(value, name, None)):
            return convert()
    raise TypeError(f"it holds a {type(value).__name__}")


def _table(frame: Any) -> str:
    """A pandas or polars data frame as a Markdown table, with its index if that says something."""
    index = getattr(frame, "index", None)
    if index is not None and (index.name or index.inferred_type not in ("integer", "empty")):
        frame = frame.reset_index(allow_duplicates=True)
    rows: Iterable[Iterable[object]] = (
        frame.itertuples(index=False, name=None)
        if hasattr(frame, "itertuples")
        else frame.iter_rows()
    )
    header = [_cell(name) for name in frame.columns]
    lines = [header, ["---"] * len(header), *([_cell(value) for value in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\r", "").replace("\n", "<br>")
