"""The model ``echo``: says the last user message again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nbconvo.offline.heard import asked

__all__ = ["reply"]


def reply(messages: Sequence[Mapping[str, Any]]) -> str:
    """Return the last user message as it is; empty when there is none."""
    return asked(messages)
