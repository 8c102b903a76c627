"""Objects that a model gave as a table."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nbconvo.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["frame_of"]


def frame_of(value: Any) -> pd.DataFrame:
    """Return a list of objects as a data frame, a row for each; a single object as one row.

    An object whose only list field holds objects stands for these.

    Raises:
        InputError: If there are no objects in it, or pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError:
        raise InputError("pandas is not installed; pip install 'nbconvo[pandas]'") from None
    return pd.DataFrame([row if isinstance(row, dict) else {"value": row} for row in _rows(value)])


def _rows(value: Any) -> list[Any]:
    value = _plain(value)
    if isinstance(value, dict):
        lists = [field for field in value.values() if isinstance(field, list) and field]
        if len(value) == 1 and lists:
            return _rows(lists[0])
        return [value]
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    raise InputError(f"a table takes a list of objects, not {type(value).__name__}")


def _plain(value: Any) -> Any:
    """Return a model or a dataclass as a dict; what is in it stays as it is, dates too."""
    if hasattr(value, "model_dump"):
        return value.model_dump()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return dict(value) if isinstance(value, Mapping) else value
