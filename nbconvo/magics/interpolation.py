"""``{{expression}}`` in the body of a cell: the notebook's values in what is asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from nbconvo.errors import InputError

__all__ = ["interpolate"]

_EXPRESSION = re.compile(r"\{\{((?:(?!\}\}).)+)\}\}", re.DOTALL)


def interpolate(text: str, names: Mapping[str, Any]) -> str:
    """Return ``text`` with each ``{{expression}}`` replaced by its value.

    One pass: a value is never expanded again, so what a variable holds cannot read others.
    Single braces (JSON, LaTeX, code) pass untouched.

    Raises:
        InputError: If an expression is none, or raises; nothing is sent.
    """
    scope = dict(names)

    def value(found: re.Match[str]) -> str:
        expression = found[1].strip()
        try:
            # What the user typed into a cell of theirs, as the cells around it.
            return str(eval(expression, scope))
        except Exception as error:
            raise InputError(
                f"{{{{{expression}}}}} raised {type(error).__name__}: {error}; "
                "--raw passes double braces untouched"
            ) from None

    return _EXPRESSION.sub(value, text)
