"""One thing that ``eliza`` listens for."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Rule", "rule"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern, and answers given in turn; ``{0}`` is the first group with persons swapped."""

    pattern: re.Pattern[str]
    answers: tuple[str, ...]


def rule(pattern: str, *answers: str) -> Rule:
    """Return a rule; ``~`` in ``pattern`` is the rest of the clause, to be given back."""
    return Rule(re.compile(pattern.replace("~", r"([^.!?;,:\n]+)"), re.IGNORECASE), answers)
